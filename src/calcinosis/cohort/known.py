"""What is known of the patients beside their images: laboratory results and case files, by ID."""

from pathlib import Path

from pydantic import TypeAdapter

from calcinosis.errors import InputError
from calcinosis.read.case_file import read_cases
from calcinosis.read.labs import read_labs_of_patients
from calcinosis.read.patient_file import PatientFile, with_results

_PATIENT_FILE = TypeAdapter(PatientFile)


def read_known(labs: Path | None, patients: Path | None) -> dict[str, PatientFile]:
    """What was stated of each patient, by the ID that the images give.

    Args:
        labs: CSV as `analyze` takes it, and a column of patients' IDs.
        patients: JSON lines, a case file each, with the patient's ID as `id`.

    Raises:
        NotReadableError, InputError: names the row or field that cannot be used.
    """
    known = _cases(patients) if patients else {}
    if labs is None:
        return known
    if labs.suffix.lower() == ".json":
        raise InputError(f"{labs}: is JSON; expected CSV with a column of patients' IDs")
    for patient, results in read_labs_of_patients(labs).items():
        known[patient] = with_results(known.get(patient, PatientFile()), results, labs)
    return known


def _cases(path: Path) -> dict[str, PatientFile]:
    known: dict[str, PatientFile] = {}
    for number, case in enumerate(read_cases(path), start=1):
        if case.id in (None, ""):
            raise InputError(f"{path}: case {number} has no id; expected the patient's ID")
        if str(case.id) in known:
            raise InputError(f"{path}: case {number} has the id of an earlier one")
        known[str(case.id)] = PatientFile(case, case.patient())
    return known


def as_text(known: PatientFile | None) -> str | None:
    """What is known of one patient, for another process; the same facts give the same text."""
    return None if known is None else _PATIENT_FILE.dump_json(known).decode()


def of_text(text: str | None) -> PatientFile | None:
    """What `as_text` told."""
    return None if text is None else _PATIENT_FILE.validate_json(text)
