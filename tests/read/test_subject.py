"""Age, sex and date in the header, and what is said where they and what was given disagree."""

from dataclasses import replace
from datetime import date, datetime

import pytest

from calcinosis.lab_result import LabResult
from calcinosis.patient import Patient
from calcinosis.read.patient_file import PatientFile
from calcinosis.read.study import read_study
from calcinosis.read.subject import doubts, informed
from calcinosis.volume import Subject
from dicom_series import ct_series, save

HEADER = {"PatientBirthDate": "19610203", "PatientSex": "F", "StudyDate": "20250301"}
SUBJECT = Subject(study_date=date(2025, 3, 1), birth_date=date(1961, 2, 3), age_years=64.1, sex="F")
OTHER_SEX = "The sex given is not that in the header of the images."
OTHER_AGE = "The age given does not fit the header of the images."


@pytest.mark.parametrize(
    ("header", "age_years"),
    [
        (HEADER, 64.07),
        ({"PatientAge": "045Y"}, 45),
        ({"PatientAge": "67Y"}, 67),
        ({"PatientAge": "018M"}, 1.5),
        ({"PatientBirthDate": "19000101", "StudyDate": "20250301", "PatientAge": "045Y"}, 45),
        ({"PatientBirthDate": "19000101", "StudyDate": "20250301"}, None),
        ({"PatientAge": "000Y"}, None),
        ({"PatientAge": "old", "PatientBirthDate": "unknown"}, None),
        ({}, None),
    ],
)
def test_the_age_on_the_day_of_the_study_is_read_from_the_header(tmp_path, header, age_years):
    subject = read_study(save(ct_series(**header), tmp_path)).subject
    assert subject.age_years == pytest.approx(age_years, abs=0.01)


@pytest.mark.parametrize(
    ("stated", "weight_kg"),
    [("82.5", 82.5), ("20", 20), ("0", None), ("1", None), ("400", None), (None, None)],
)
def test_a_weight_that_can_be_one_is_read_from_the_header(tmp_path, stated, weight_kg):
    header = {"PatientWeight": stated}
    assert read_study(save(ct_series(**header), tmp_path)).subject.weight_kg == weight_kg


def test_name_number_and_day_are_read_as_they_are_written(tmp_path):
    tags = {"PatientName": "Ärger^Zoë=ゾエ", "SpecificCharacterSet": "ISO_IR 192"}
    named = ct_series(**tags, AccessionNumber="A-99", StudyDate="20250301")
    subject = read_study(save(named, tmp_path)).subject
    assert (subject.name, subject.patient_id) == ("Ärger^Zoë", "4711")
    assert (subject.accession_number, subject.study_date) == ("A-99", date(2025, 3, 1))


@pytest.mark.parametrize("written", ["=山田^太郎=やまだ^たろう", "^^=山田^太郎", " =山田^太郎"])
def test_a_name_without_latin_letters_is_read_in_its_own(tmp_path, written):
    named = ct_series(PatientName=written, SpecificCharacterSet="ISO_IR 192")
    assert read_study(save(named, tmp_path)).subject.name == "山田^太郎"


def test_age_and_sex_of_the_header_count_where_they_were_not_given():
    assert informed(None, SUBJECT).patient == Patient(age_years=64.1, sex="F")
    known = informed(PatientFile(patient=Patient(ckd="dialysis_hd")), SUBJECT).patient
    assert (known.age_years, known.sex, known.ckd) == (64.1, "F", "dialysis_hd")


def test_what_was_given_counts_before_the_header():
    known = informed(PatientFile(patient=Patient(age_years=50, sex="M")), SUBJECT).patient
    assert (known.age_years, known.sex) == (50, "M")


def test_a_birthday_tells_the_age_on_the_day_of_the_study():
    """Who is grown up today was a child on images of ten years ago."""
    given = PatientFile(patient=Patient(age_years=21.5, birth_date=date(2005, 6, 1)))
    then = Subject(study_date=date(2015, 6, 1))
    assert informed(given, then).patient.age_years == pytest.approx(10, abs=0.01)
    assert informed(given, Subject()).patient.age_years == 21.5
    drawn = (LabResult.measured("phosphate", 5, "mg/dL", "2026-11-01"),)
    later = PatientFile(patient=replace(given.patient, labs=drawn))
    assert informed(later, then).patient.age_years == 21.5, "as the results are judged"


def test_without_either_nothing_is_known_of_the_patient():
    assert informed(None, Subject(patient_id="4711")) is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Patient(age_years=64, sex="F"), ()),
        (Patient(age_years=50, sex="F"), (OTHER_AGE,)),
        (Patient(sex="M"), (OTHER_SEX,)),
        (Patient(age_years=66, birth_date=date(1961, 7, 1)), ()),
        (Patient(age_years=64, birth_date=date(1960, 12, 31)), (OTHER_AGE,)),
    ],
)
def test_a_given_sex_or_birth_year_that_contradicts_the_header_is_remarked_on(given, said):
    assert doubts(given, SUBJECT) == said


def test_nothing_contradicts_a_header_that_says_nothing():
    assert doubts(Patient(age_years=50, birth_date=date(1975, 1, 1), sex="M"), Subject()) == ()


@pytest.mark.parametrize(
    ("drawn", "said"),
    [
        (["2025-02-27"], ()),
        (["2024-09-15"], ()),
        (["2021-01-01", "2025-01-10"], ()),
        (["2024-03-01"], ("The latest laboratory results are from 12 months before the CT.",)),
        (["2026-03-01"], ("The latest laboratory results are from 12 months after the CT.",)),
    ],
)
def test_laboratory_results_far_from_the_ct_are_remarked_on(drawn, said):
    labs = tuple(LabResult("phosphate", 7.0, datetime.fromisoformat(day)) for day in drawn)
    assert doubts(Patient(labs=labs), SUBJECT) == said


def test_a_value_whose_unit_may_be_another_is_remarked_on():
    slip = LabResult.measured("phosphate", 7.4, "mmol/L", "2025-02-01")
    (told,) = doubts(Patient(labs=(slip,)), SUBJECT)
    assert told.startswith("Phosphate 22.92 mg/dL (7.4 mmol/L)")
    assert "2025" not in told
