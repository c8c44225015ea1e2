"""The patient beside the images: a case file or a FHIR bundle, and laboratory results."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from calcinosis.finding import Finding
from calcinosis.patient import Patient
from calcinosis.read.case_file import Case, case_of
from calcinosis.read.fhir import is_bundle, patient_of_bundle
from calcinosis.read.json_file import read_json
from calcinosis.read.labs import Labs, read_labs, without_twins
from calcinosis.read.other_images import findings_of_other_images


@dataclass(frozen=True)
class PatientFile:
    """What was stated of the patient and the mass.

    Attributes:
        case: findings as stated; empty where only a FHIR bundle or laboratory was given.
        patient: age, kidneys, history, laboratory, and what of the files is not used.
        findings: measured on other images of the mass.
    """

    case: Case = field(default_factory=Case)
    patient: Patient = field(default_factory=Patient)
    findings: tuple[Finding, ...] = ()


def known_patient(
    patient: Path | None, labs: Path | None, images: Sequence[Path] = ()
) -> PatientFile | None:
    """What the user gives beside the images; None where that is nothing.

    Args:
        patient: case file or FHIR bundle.
        labs: laboratory results.
        images: results of this program from other images.

    Raises:
        NotReadableError, InputError: see `read_patient_file`, `with_labs` and
            `findings_of_other_images`.
    """
    if patient is None and labs is None and not images:
        return None
    known = PatientFile() if patient is None else read_patient_file(patient)
    known = replace(known, findings=findings_of_other_images(images))
    return known if labs is None else with_labs(known, labs)


def read_patient_file(path: Path) -> PatientFile:
    """Read a case file or a FHIR R4 Bundle, whichever it is.

    Raises:
        NotReadableError: no such file, or not JSON.
        InputError: names the field or entry that cannot be used.
    """
    data = read_json(path)
    if is_bundle(data):
        return PatientFile(Case(), patient_of_bundle(data, str(path)))
    case = case_of(data, str(path))
    return PatientFile(case, case.patient())


def with_labs(known: PatientFile, path: Path) -> PatientFile:
    """Add laboratory results from a CSV file or a FHIR bundle.

    Raises:
        InputError: see `read_labs`; also where both files give one analyte at the same time.
    """
    if path.suffix.lower() == ".json":
        bundle = patient_of_bundle(read_json(path), str(path))
        results, passed_over = bundle.labs, bundle.passed_over
        places = (path.name,) * len(results)
        return with_results(known, Labs(results, places, passed_over), path)
    return with_results(known, read_labs(path), path)


def with_results(known: PatientFile, labs: Labs, path: Path) -> PatientFile:
    """Add laboratory results that were read from a file.

    Raises:
        InputError: what is known holds a result of the same analyte and time.
    """
    dated = [("the patient file", r) for r in known.patient.labs if r.taken]
    without_twins([*dated, *zip(labs.rows, labs.results, strict=True)], str(path))
    return replace(known, patient=known.patient.with_labs(labs.results, labs.passed_over))
