"""Today's prescription, given beside a study: what a phase of a scenario holds, weight, filtration.

``{"dialysis": {"dialysate_calcium_mmol_l": 1.75}, "dry_weight_kg": 62}``, and what was before:
``"history": [{"days": 90, "event": {"parathyroidectomy": {"remnant_fraction": 0.05}}}]``
"""

from pathlib import Path
from typing import Any

from calcinosis.errors import InputError
from calcinosis.forecast.prescription import (
    DIALYSIS_BELOW_GFR_ML_MIN,
    Filtration,
    check_kidneys,
    typical,
)
from calcinosis.forecast.scenario import (
    DryWeightKg,
    FiltrationMlMin,
    Phase,
    ScenarioPatient,
    Treatment,
    checked,
    read_checked,
)
from calcinosis.patient import Patient
from calcinosis.read.patient_file import PatientFile

MODALITIES = {"dialysis_hd": "hd", "dialysis_pd": "pd"}  # by kidney status


class GivenPrescription(Treatment):
    """What the patient is given today. Absent dialysis: the usual one; an absent drug: none.

    `history` are phases that end today; what the first does not name was as it is today.
    """

    dry_weight_kg: DryWeightKg | None = None
    gfr_ml_min: FiltrationMlMin | None = None
    history: tuple[Phase, ...] = ()


def read_prescription(path: Path) -> GivenPrescription:
    """Read a prescription file.

    Raises:
        NotReadableError: the file is absent or no JSON.
        InputError: a field is unknown, there twice or out of range; the message names it.
    """
    return read_checked(GivenPrescription, path, whole="the prescription")


def prescription_given(path: Path | None, known: PatientFile | None) -> GivenPrescription | None:
    """What the user gives beside the images, as it suits the patient; None without a file.

    Raises:
        NotReadableError, InputError: see `read_prescription` and `prescription_for`.
    """
    if path is None:
        return None
    given = read_prescription(path)
    return prescription_for(known.patient, given) if known else given


def parse_prescription(content: Any) -> GivenPrescription:  # noqa: ANN401  # JSON
    """Check a prescription given as plain data; see `read_prescription`."""
    return checked(GivenPrescription, content, "prescription", "the prescription")


def prescription_for(patient: Patient, given: GivenPrescription) -> GivenPrescription:
    """What was given, its dialysis of the patient's modality where it names none.

    Raises:
        InputError: no dialysis, the other modality, a field that the patient's has not, or a
            history that contradicts the kidneys.
    """
    if not patient.on_dialysis:
        return given
    _check_history(given)
    if "dialysis" not in given.model_fields_set:
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


def _check_history(given: GivenPrescription) -> None:
    """Refuse a history that contradicts itself, or the dialysis of today."""
    own = typical(ScenarioPatient(gfr_ml_min=given.gfr_ml_min)).gfr_ml_min
    graft = check_kidneys(given.history, "prescription: history", Filtration(own)).graft_ml_min
    if graft is not None and graft >= DIALYSIS_BELOW_GFR_ML_MIN:
        raise InputError(
            f"prescription: history: found a graft that filters {graft:g} mL/min until today, "
            "beside dialysis; expected the event graft_failure in a later phase"
        )
