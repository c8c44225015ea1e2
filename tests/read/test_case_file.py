"""The case file: what is missing is unknown, what is wrong is refused by name."""

import json
from pathlib import Path

import pytest

from calcinosis.analyte import ANALYTES
from calcinosis.errors import InputError, NotReadableError
from calcinosis.patient import Patient
from calcinosis.read.case_file import Case, Site, read_cases
from calcinosis.read.case_labs import ANALYTE_OF_FIELD, SI_FIELDS
from calcinosis.read.patient_file import read_patient_file

SHARED = Path(__file__).parents[2] / "../shared/cases"


def written(tmp_path, text):
    path = tmp_path / "case.json"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_empty_case_knows_nothing(tmp_path):
    case = read_patient_file(written(tmp_path, "{}")).case
    assert case == Case()
    assert case.patient().ckd is None
    assert case.patient().labs == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"shoe_size": 42}', "shoe_size: found 42, expected no such field"),
        ('{"final_diagnosis": "tc_uremic"}', "final_diagnosis"),
        ('{"age_years": 200}', "age_years: found 200, expected less than or equal to 125"),
        ('{"labs": {"calcium_mg_dl": 2.4}}', "labs.calcium_mg_dl: found 2.4"),
        ('{"labs": {"phosphate_mg_dl": "5"}}', 'labs.phosphate_mg_dl: found "5"'),
        ('{"symptoms": {"pain": 1}}', "symptoms.pain: found 1"),
        ('{"sites": ["moon"]}', 'sites.0: found "moon"'),
        ('{"ckd": "maybe"}', 'ckd: found "maybe"'),
        ('{"age_years": NaN}', "NaN"),
        ('{"age_years": 1, "age_years": 2}', "age_years: found twice"),
        ('{"labs_range": {"x": [1, 2]}}', "labs_range.x"),
        (
            '{"age_years": 5, "dialysis_vintage_years": 30}',
            "dialysis_vintage_years: found 30, expected no more than the age, 5",
        ),
        (
            '{"dialysis_vintage_years": 12, "ckd": "none"}',
            "dialysis_vintage_years: found 12, expected no dialysis beside healthy kidneys",
        ),
        (
            '{"labs_range": {"phosphate_mg_dl": [8, 6]}}',
            "labs_range.phosphate_mg_dl: found [8, 6], expected the lowest value first",
        ),
        (
            '{"labs_range": {"phosphate_mg_dl": [6, 900]}}',
            "expected phosphate_mg_dl of 0.2 to 30",
        ),
        ('{"labs": {"fgf23": -5}}', "labs.fgf23: found -5, expected a word, or 0 to 1e+06 pg/mL"),
        (
            '{"labs": {"calcium_mmol_l": 9.6}}',
            "expected calcium_mmol_l of 0.749 to 6.24",
        ),
        ('{"labs": {"phosphate_mmol_l": true}}', "expected a number for phosphate_mmol_l"),
        (
            '{"labs": {"phosphate_mmol_l": 2.1, "phosphate_mg_dl": 6.5}}',
            "expected phosphate_mmol_l or phosphate_mg_dl, not both",
        ),
        ('{"labs_range": {"pth_pmol_l": [90, 40]}}', "expected the lowest value first"),
        ("[]", "found a list, expected one case"),
        ("3", "the case: found 3"),
    ],
)
def test_an_unusable_field_is_refused_by_name_in_one_line(tmp_path, text, message):
    with pytest.raises(InputError) as caught:
        read_patient_file(written(tmp_path, text))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_dialysis_since_birth_and_after_a_transplant_is_possible():
    Case.model_validate({"age_years": 5, "ckd": "dialysis_pd", "dialysis_vintage_years": 5.4})
    Case.model_validate({"age_years": 50, "ckd": "transplant", "dialysis_vintage_years": 12})
    Case.model_validate({"ckd": "none", "dialysis_vintage_years": 0})


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "nonsense"])
def test_what_is_no_json_is_refused(tmp_path, text):
    with pytest.raises(NotReadableError, match="is not JSON"):
        read_patient_file(written(tmp_path, text))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(NotReadableError, match=r"absent\.json: No such file"):
        read_patient_file(tmp_path / "absent.json")


def test_in_json_lines_the_line_at_fault_is_named(tmp_path):
    path = written(tmp_path, '{"age_years": 50}\n\n{"age_years": -1}\n')
    with pytest.raises(InputError, match=r"case\.json line 3: age_years: found -1"):
        list(read_cases(path))


def test_labs_of_a_case_reach_the_patient():
    case = Case.model_validate(
        {
            "labs": {"calcium_mg_dl": 9.0, "albumin_g_dl": 3.0, "fgf23": "elevated"},
            "labs_range": {"phosphate_mg_dl": [7.0, 9.0]},
            "labs_qualitative": {"pth": "high"},
        }
    )
    patient = case.patient()
    assert patient.corrected_calcium_mg_dl == pytest.approx(9.8)
    assert patient.level("phosphate") == "high"
    assert patient.level("pth") == "high"
    assert patient.value("fgf23") is None


def test_a_record_without_laboratory_still_tells_who_the_patient_is():
    record = Patient(age_years=60, sex="F", ckd="dialysis_hd", history={"gout": True})
    case = Case().informed_by(record)
    assert (case.age_years, case.sex, case.ckd) == (60, "F", "dialysis_hd")
    assert case.history.gout is True


def test_an_operation_known_before_reaches_the_patient():
    case = Case.model_validate({"history": {"parathyroidectomy": True}})
    assert case.patient().history == {"parathyroidectomy": True}


def test_every_published_case_is_read_and_the_sites_are_the_vocabulary():
    assert SHARED.is_dir(), "the published cases (../shared/cases) are needed for this test"
    for fields in json.loads((SHARED / "published_cases.json").read_text(encoding="utf-8")):
        case = Case.model_validate({k: v for k, v in fields.items() if k in Case.model_fields})
        assert case.patient().ckd == fields["ckd"]
    vocabulary = json.loads((SHARED / "vocabulary.json").read_text(encoding="utf-8"))
    assert set(Site.__args__) == set(vocabulary["sites"])


def test_si_units_are_read_as_what_they_are(tmp_path):
    """Published of one patient: 1.76, 4.32 mmol/L, 104 pmol/L and 1764 umol/L."""
    labs = {"corrected_calcium_mmol_l": 1.76, "phosphate_mmol_l": 4.32, "pth_pmol_l": 104}
    told = {"labs": {**labs, "creatinine_umol_l": 1764}, "labs_range": {"calcium_mmol_l": [2, 2.5]}}
    patient = read_patient_file(written(tmp_path, json.dumps(told))).case.patient()
    assert patient.value("corrected_calcium") == pytest.approx(7.05, abs=0.01)
    assert patient.value("phosphate") == pytest.approx(13.4, abs=0.05)
    assert patient.value("pth") == pytest.approx(981, abs=1)
    assert patient.value("creatinine") == pytest.approx(19.95, abs=0.05)
    assert patient.ranges["calcium"] == pytest.approx((8.016, 10.02))


def test_every_analyte_of_the_case_file_can_be_told_in_si_units():
    with_si = {field for field, name in ANALYTE_OF_FIELD.items() if ANALYTES[name].si}
    assert set(SI_FIELDS.values()) == with_si
