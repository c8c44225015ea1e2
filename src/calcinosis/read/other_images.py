"""Findings that this program has measured on the patient's other images, from its result files."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ValidationError

from calcinosis.errors import InputError
from calcinosis.finding import Finding, Origin, State
from calcinosis.read.json_file import read_json

Measured = Literal["radiograph", "MRI", "ultrasound", "scintigraphy"]
FILES = tuple(f"calcinosis-{name.lower()}/1" for name in get_args(Measured))
EXPECTED = "expected radiograph.json, mri.json, ultrasound.json or scintigraphy.json"


class _Stated(BaseModel):
    code: str
    state: State
    origin: Origin
    modality: str
    value: float | None = None
    unit: str | None = None


class _ResultFile(BaseModel):
    findings: tuple[_Stated, ...]


def findings_of_other_images(paths: Sequence[Path], *, sizes: bool = False) -> tuple[Finding, ...]:
    """What was found on other images of the patient.

    Args:
        paths: radiograph.json, mri.json, ultrasound.json or scintigraphy.json.
        sizes: take the diameter, too; beside a CT, which measures better, it is left out.

    Raises:
        NotReadableError: no such file, or not JSON.
        InputError: it is no result of this program, or of another kind.
    """
    found = [finding for path in paths for finding in _measured(path)]
    return tuple(finding for finding in found if sizes or finding.value is None)


def _measured(path: Path) -> Iterator[Finding]:
    """What was measured; what was stated beside the image then is to be stated now."""
    content = read_json(path)
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema not in FILES:
        raise InputError(f"{path}: is no result of another image; {EXPECTED} of this program")
    try:
        stated = _ResultFile.model_validate(content).findings
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise InputError(
            f"{path}: `{place}` is not as this program writes it; measure anew"
        ) from None
    for one in stated:
        if one.origin == "measured" and one.modality in get_args(Measured):
            yield Finding(one.code, one.state, one.origin, one.modality, one.value, one.unit)
