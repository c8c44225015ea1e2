"""Who and when the images are of, as their header says, and how that fits what was given."""

import re
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from calcinosis.errors import NotReadableError
from calcinosis.lab_result import doubts_about
from calcinosis.patient import Patient, Sex
from calcinosis.read import dicom
from calcinosis.read.patient_file import PatientFile
from calcinosis.volume import Subject

if TYPE_CHECKING:
    from pydicom import Dataset

OLDEST_YEARS = 120.0  # older patients are placeholders: 1900-01-01
WEIGHT_KG = (20.0, 250.0)  # others are placeholders or typing errors; what the forecast takes
SAME_AGE_YEARS = 2.0  # ages are told in whole years, and of the day of a visit
LABS_HOLD_DAYS = 183  # results farther from the CT belong to another state of the patient; assumed
_DAYS_A_MONTH = 30.44
_PER_YEAR = {"Y": 1.0, "M": 12.0, "W": 52.18, "D": 365.25}
_SEXES: dict[str, Sex] = {"F": "F", "M": "M"}


def subject_of(path: Path, header: "Dataset") -> Subject:
    """What a header says of the patient and the study; what it says wrongly counts as not said."""
    born, day = (day_of(_said(path, header, tag)) for tag in ("PatientBirthDate", "StudyDate"))
    return Subject(
        name=written_name(_said(path, header, "PatientName")),
        patient_id=_said(path, header, "PatientID"),
        accession_number=_said(path, header, "AccessionNumber"),
        study_date=day,
        birth_date=born,
        age_years=_age(born, day, _said(path, header, "PatientAge")),
        sex=_SEXES.get(_said(path, header, "PatientSex")),
        weight_kg=_weight_kg(_said(path, header, "PatientWeight")),
    )


def informed(known: PatientFile | None, subject: Subject) -> PatientFile | None:
    """What was given, with age and sex by the header where it says neither.

    Where a birthday was given without dated results, the age is that of the day of the study.
    """
    if known is None and subject.age_years is None and subject.sex is None:
        return None
    known = known or PatientFile()
    patient = known.patient
    age = subject.age_years if patient.age_years is None else patient.age_years
    born, day = patient.birth_date, subject.study_date
    if born and day and born <= day and not any(result.taken for result in patient.labs):
        age = (day - born).days / 365.25
    return replace(known, patient=replace(patient, age_years=age, sex=patient.sex or subject.sex))


def doubts(patient: Patient, subject: Subject, image: str = "CT") -> tuple[str, ...]:
    """Where what was given does not fit the images, or itself; tells neither days nor age."""
    found = [*doubts_about(patient.labs)]
    if patient.sex and subject.sex and patient.sex != subject.sex:
        found.append("The sex given is not that in the header of the images.")
    if _born_otherwise(patient, subject):
        found.append("The age given does not fit the header of the images.")
    days = [result.day for result in patient.labs if result.day]
    if days and subject.study_date:
        apart = (max(days) - subject.study_date).days
        if abs(apart) > LABS_HOLD_DAYS:
            found.append(
                f"The latest laboratory results are from {abs(apart) / _DAYS_A_MONTH:.0f} months "
                f"{'after' if apart > 0 else 'before'} the {image}."
            )
    return tuple(found)


def _born_otherwise(patient: Patient, subject: Subject) -> bool:
    if patient.birth_date and subject.birth_date and subject.age_years is not None:
        return patient.birth_date.year != subject.birth_date.year
    if patient.age_years is None or subject.age_years is None:
        return False
    return abs(patient.age_years - subject.age_years) > SAME_AGE_YEARS


def written_name(dicom_name: str) -> str:
    """A name in Latin letters, or in others where these say nothing (PS3.5 6.2.1.1)."""
    groups = (group.strip() for group in dicom_name.split("="))
    return next((group for group in groups if group.strip("^ ")), "")


def _said(path: Path, header: "Dataset", keyword: str) -> str:
    try:
        return str(dicom.field(path, header, keyword) or "").strip()
    except NotReadableError:
        return ""


def day_of(text: str) -> date | None:
    """A day as DICOM writes it, YYYYMMDD; None for anything else."""
    try:
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a day, without a zone
    except ValueError:
        return None


def _weight_kg(stated: str) -> float | None:
    try:
        weight_kg = float(stated)
    except ValueError:
        return None
    return weight_kg if WEIGHT_KG[0] <= weight_kg <= WEIGHT_KG[1] else None


def _age(born: date | None, day: date | None, stated: str) -> float | None:
    if born and day and 0 <= (age := (day - born).days / 365.25) <= OLDEST_YEARS:
        return age
    told = re.fullmatch(r"(\d{1,3})([DWMY])", stated)
    age = int(told[1]) / _PER_YEAR[told[2]] if told else 0.0
    return age if 0 < age <= OLDEST_YEARS else None
