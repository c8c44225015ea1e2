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


def check_prescription(given: GivenPrescription, patient: Patient) -> None:
    """Refuse what the kidney status of a dialysed patient contradicts.

    Raises:
        InputError: no dialysis, or the other modality.
    """
    if not patient.on_dialysis or "dialysis" not in given.model_fields_set:
        return
    expected = MODALITIES.get(patient.ckd or "")
    told = f'the kidney status (ckd) is "{patient.ckd}"'
    if given.dialysis is None:
        raise InputError(f"prescription: dialysis: found null, expected a dialysis: {told}")
    if expected and given.dialysis.modality != expected:
        raise InputError(
            f'prescription: dialysis.modality: found "{given.dialysis.modality}", '
            f'expected "{expected}": {told}'
        )
