"""Today's prescription, given beside a study: what a phase of a scenario holds, weight, filtration.

``{"dialysis": {"dialysate_calcium_mmol_l": 1.75}, "dry_weight_kg": 62}``
"""

from pathlib import Path
from typing import Any

from calcinosis.errors import InputError
from calcinosis.forecast.scenario import (
    DryWeightKg,
    FiltrationMlMin,
    Treatment,
    checked,
    read_checked,
)
from calcinosis.patient import Patient

MODALITIES = {"dialysis_hd": "hd", "dialysis_pd": "pd"}  # by kidney status


class GivenPrescription(Treatment):
    """What the patient is given today. Absent dialysis: the usual one; an absent drug: none."""

    dry_weight_kg: DryWeightKg | None = None
    gfr_ml_min: FiltrationMlMin | None = None


def read_prescription(path: Path) -> GivenPrescription:
    """Read a prescription file.

    Raises:
        NotReadableError: the file is absent or no JSON.
        InputError: a field is unknown, there twice or out of range; the message names it.
    """
    return read_checked(GivenPrescription, path, whole="the prescription")


def parse_prescription(content: Any) -> GivenPrescription:  # noqa: ANN401  # JSON
    """Check a prescription given as plain data; see `read_prescription`."""
    return checked(GivenPrescription, content, "prescription", "the prescription")


def prescription_for(patient: Patient, given: GivenPrescription) -> GivenPrescription:
    """What was given, its dialysis of the patient's modality where it names none.

    Raises:
        InputError: no dialysis, the other modality, or a field that the patient's has not.
    """
    if not patient.on_dialysis or "dialysis" not in given.model_fields_set:
        return given
    expected = MODALITIES.get(patient.ckd or "")
    told = f'the kidney status (ckd) is "{patient.ckd}"'
    if given.dialysis is None:
        raise InputError(f"prescription: dialysis: found null, expected a dialysis: {told}")
    if expected and "modality" not in given.dialysis.model_fields_set:
        content = given.model_dump(exclude_unset=True)
        dialysis = {"modality": expected, **content["dialysis"]}
        return parse_prescription({**content, "dialysis": dialysis})
    if expected and given.dialysis.modality != expected:
        raise InputError(
            f'prescription: dialysis.modality: found "{given.dialysis.modality}", '
            f'expected "{expected}": {told}'
        )
    return given
