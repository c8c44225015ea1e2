"""What people call an image that is kept under a name that tells nothing."""

import re
from pathlib import Path

_KEPT = re.compile(r"\b[0-9a-f]{32}\.dcm\b")


def by_number(line: str, instances: Path) -> str:
    """A line in which images below the folder go by their numbers, as viewers show them."""

    def number(found: re.Match[str]) -> str:
        return _number(next(instances.rglob(found[0]), instances / found[0]))

    return _KEPT.sub(number, line)


def _number(path: Path) -> str:
    import pydicom

    try:
        header = pydicom.dcmread(path, specific_tags=["InstanceNumber", "SeriesNumber"])
        image, series = (int(header.get(tag)) for tag in ("InstanceNumber", "SeriesNumber"))
    except Exception:  # noqa: BLE001 - a parser of foreign bytes may raise anything
        return "an image"
    return f"image {image} of series {series}"
