"""JSON as people write it: NaN, infinity and a name given twice are refused."""

import json
from pathlib import Path
from typing import Any

from calcinosis.errors import InputError, NotReadableError


def read_json(path: Path) -> object:
    """Parse a JSON file, refusing NaN and a name given twice.

    Raises:
        NotReadableError: no such file, or not JSON.
        InputError: NaN, infinity, or a name given twice.
    """
    return parsed(text_of(path), str(path))


def text_of(path: Path) -> str:
    """A file's text, UTF-8 with or without a mark.

    Raises:
        NotReadableError: no such file, or not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not UTF-8 text"
        raise NotReadableError(f"{path}: {reason}") from None


def parsed(text: str, where: str) -> object:
    """Parse JSON as `read_json` does; `where` names it in errors."""
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_without_twins)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise NotReadableError(f"{where}: is not JSON ({error})") from None


def _refuse_constant(name: str) -> None:
    raise InputError(f"found {name}, expected a number or null")


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twin = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{twin}: found twice, expected once")
    return fields
