"""What people enter beside the images.

Laboratory results, a FHIR bundle or a case file; today's prescription; seeds.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from calcinosis.errors import InputError
from calcinosis.forecast.given_prescription import GivenPrescription, parse_prescription
from calcinosis.measure.mass import Point
from calcinosis.read.patient_file import PatientFile, read_patient_file, with_labs

LabsKind = Literal["csv", "json"]
_NAMES: dict[LabsKind, str] = {"csv": "labs.csv", "json": "patient.json"}


def read_given(text: str, kind: LabsKind) -> PatientFile:
    """What was entered, as the analysis takes it.

    Args:
        text: of a CSV table, or of a FHIR bundle or a case file.
        kind: which of both.

    Raises:
        InputError: names the row or field that cannot be used.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / _NAMES[kind]
        path.write_text(text, encoding="utf-8")
        try:
            return with_labs(PatientFile(), path) if kind == "csv" else read_patient_file(path)
        except InputError as error:
            raise InputError(str(error).replace(f"{folder}/", "")) from error


def read_given_prescription(text: str | None) -> GivenPrescription | None:
    """Today's prescription as it was entered: the JSON of `calcinosis analyze --prescription`.

    Raises:
        InputError: names the field that cannot be used.
    """
    return parse_prescription(json.loads(text)) if text else None


def read_given_seeds(text: str | None) -> tuple[Point, ...]:
    """Points to be measured as masses, LPS mm, as they are kept: JSON of ``[x, y, z]`` each."""
    return tuple((x, y, z) for x, y, z in json.loads(text or "[]"))
