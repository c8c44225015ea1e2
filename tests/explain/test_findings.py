"""From case and scan to findings: what is not known is not there."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calcinosis.analyte import reference_interval
from calcinosis.explain.differential import differential
from calcinosis.explain.findings import contradictions, findings_of_case, findings_of_masses
from calcinosis.explain.knowledge import load_knowledge
from calcinosis.finding import Finding
from calcinosis.lab_result import LabResult
from calcinosis.measure.mass import (
    BoneRelation,
    Calibration,
    CtMeasurement,
    HounsfieldStatistics,
    Mass,
    Site,
)
from calcinosis.patient import Patient
from calcinosis.read.case_file import Case


def stated(**case):
    return {finding.code: finding for finding in findings_of_case(case)}


def mass(number=1, *, sediment=None, eroded=False, locules=5, distance_mm=12.0):
    return Mass(
        id=number,
        site=Site("hip", "left", distance_mm),
        centroid_lps_mm=(0, 0, 0),
        volume_ml=200,
        volume_ci95_ml=(190, 210),
        calcified_volume_ml=150,
        calcium_mass_mg=30_000,
        calcium_mass_ci95_mg=(27_000, 33_000),
        max_diameter_mm=95,
        perpendicular_diameter_mm=70,
        diameter_ends_lps_mm=((0, 0, 0), (95, 0, 0)),
        hu=HounsfieldStatistics(400, 100, 380, 800),
        locules=locules,
        fluid_levels=(),
        sedimentation_sign=sediment,
        bone=BoneRelation("left femur", 2.0, 50.0, 0.0, 0.0, eroded),
        skin_distance_mm=10,
        confidence=0.9,
    )


def scan(*masses):
    nothing = np.zeros((1, 1, 1), np.uint8)
    calibration = Calibration(0.8, 0.1, 120, "test")
    return CtMeasurement(masses, nothing, np.packbits(nothing), (), calibration)


def test_null_and_missing_are_not_findings():
    empty = {
        "age_years": None,
        "sites": None,
        "symptoms": {"pain": None},
        "labs": {"phosphate_mg_dl": None},
        "imaging": {"ct": {"fluid_calcium_level": None}, "mri": None},
        "labs_qualitative": {"calcium": None},
    }
    assert findings_of_case(empty) == ()
    assert findings_of_case({}) == ()


def test_absent_is_said_as_absent():
    assert stated(symptoms={"fever": False})["fever"].state == "absent"


def test_calcium_is_corrected_for_albumin():
    found = stated(labs={"calcium_mg_dl": 9.0, "albumin_g_dl": 3.0})
    assert found["calcium"].value == pytest.approx(9.8)


def test_calcium_stated_as_corrected_is_not_corrected_again():
    labs = {"calcium_mg_dl": 9.0, "albumin_g_dl": 3.0, "corrected_calcium_mg_dl": 9.8}
    assert stated(labs=labs)["calcium"].value == pytest.approx(9.8)


def test_ionised_calcium_outranks_the_total_as_in_the_plan():
    labs = {"calcium_mg_dl": 13.0, "ionized_ca_mmol_l": 1.24}
    assert stated(labs=labs)["calcium"].value == pytest.approx(9.5)


def test_a_product_of_another_year_is_not_held_against_todays_factors():
    record = Patient(
        labs=(
            LabResult.measured("ca_p_product", 90, "mg2/dL2", "2020-01-01"),
            LabResult.measured("calcium", 9, "mg/dL", "2025-01-01"),
            LabResult.measured("phosphate", 5, "mg/dL", "2025-01-01"),
        )
    )
    found = findings_of_case(Case().informed_by(record))
    assert {finding.code for finding in found} == {"calcium", "phosphate"}


def test_the_product_gives_the_factor_that_is_missing_and_is_not_counted_beside_both():
    found = stated(labs={"calcium_mg_dl": 10.0, "ca_p_product_mg2_dl2": 80.0})
    assert found["phosphate"].value == pytest.approx(8.0)
    assert "ca_p_product" not in found
    alone = stated(labs={"ca_p_product_mg2_dl2": 80.0})
    assert set(alone) == {"ca_p_product"}


def test_a_range_enters_by_its_geometric_middle():
    found = stated(labs_range={"phosphate_mg_dl": [4.0, 9.0]})
    assert found["phosphate"].value == pytest.approx(6.0)


def test_a_value_outweighs_the_word_for_it():
    found = stated(labs={"pth_pg_ml": 900.0}, labs_qualitative={"pth": "high"})
    assert "pth_high" not in found
    assert found["pth"].value == 900


@pytest.mark.parametrize("age", [0.2, 0.7, 1, 2, 4, 5.9, 6, 10, 12.9, 13, 16, 18, 40])
def test_the_differential_and_the_laboratory_table_agree_on_what_is_high_at_every_age(age):
    limit = reference_interval("phosphate", age)[1]
    found = stated(age_years=age, labs={"phosphate_mg_dl": limit})["phosphate"]
    assert found.value == pytest.approx(reference_interval("phosphate", None)[1])


def test_a_normal_phosphate_of_a_child_of_four_is_not_read_as_high():
    child = {"age_years": 4, "ckd": "none", "sites": ["hip"], "labs": {"phosphate_mg_dl": 6.0}}
    assert Case.model_validate(child).patient().level("phosphate") == "normal"
    assert stated(**child)["phosphate"].value < 4.5
    assert stated(age_years=40, labs={"phosphate_mg_dl": 7.4})["phosphate"].value == 7.4


@pytest.mark.parametrize("labs", [{"alp_u_l": 300.0}, {"creatinine_mg_dl": 0.4}])
def test_what_growth_moves_is_not_read_as_an_adults(labs):
    assert stated(age_years=13, labs=labs).keys() == {"age"}
    assert stated(age_years=18, labs=labs).keys() != {"age"}
    assert len(stated(labs=labs)) == 1


def test_a_laboratory_that_judged_a_childs_alkaline_phosphatase_itself_is_believed():
    found = stated(age_years=13, labs={"alp_u_l": 900.0}, labs_qualitative={"alp": "high"})
    assert set(found) == {"age", "alp_high"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("13.6 ng/L (ref 23.2-95.4)", "fgf23_low"),
        ("elevated", "fgf23_high"),
        ("normal", "fgf23_normal"),
        ("120 (ref 10-50)", "fgf23_high"),
    ],
)
def test_fgf23_is_read_against_its_own_reference(text, code):
    assert code in stated(labs={"fgf23": text})


def test_what_ct_cannot_judge_is_unknown():
    found = {f.code: f for f in findings_of_masses(scan(mass(sediment=None)))}
    assert found["fluid_calcium_level"].state == "unknown"
    assert found["bone_erosion"].state == "absent"
    assert found["max_diameter_cm"].value == pytest.approx(9.5)
    assert found["site_hip"].origin == "measured"
    assert "multiple" not in found  # one scan does not show the whole patient


@pytest.mark.parametrize(
    "joint", ["hip", "lumbar spine", "thoracic spine", "sacroiliac", "pubic symphysis"]
)
def test_every_place_that_is_measured_bears_on_the_diagnosis(joint):
    placed = replace(mass(), site=Site(joint, None, 5.0))
    [site] = [f.code for f in findings_of_masses(scan(placed)) if f.code.startswith("site_")]
    assert site.removeprefix("site_") in load_knowledge().vocabulary.sites


def test_two_masses_on_one_scan_are_multiple():
    codes = {f.code for f in findings_of_masses(scan(mass(1), mass(2)))}
    assert "multiple" in codes


def test_a_contradiction_between_scan_and_report_is_kept():
    report = findings_of_case({"imaging": {"ct": {"fluid_calcium_level": False}}})
    measured = findings_of_masses(scan(mass(sediment=True)))
    (found,) = contradictions([*report, *measured])
    assert found.code == "fluid_calcium_level"
    assert [f.origin for f in found.says_present] == ["measured"]
    assert [f.origin for f in found.says_absent] == ["reported"]


def test_masses_of_one_scan_may_differ_without_contradiction():
    both = findings_of_masses(scan(mass(1, eroded=True), mass(2, eroded=False)))
    assert contradictions(both) == ()


@pytest.mark.parametrize(("report", "contradicted"), [(True, []), (False, ["bone_erosion"])])
def test_a_report_agrees_with_a_scan_that_shows_the_sign_in_one_of_two_masses(report, contradicted):
    both = findings_of_masses(scan(mass(1, eroded=True), mass(2, eroded=False)))
    told = findings_of_case({"imaging": {"ct": {"bone_erosion_or_osteolysis": report}}})
    assert [found.code for found in contradictions([*told, *both])] == contradicted


@pytest.mark.parametrize(
    ("case", "code", "against"),
    [
        (
            {"labs": {"phosphate_mg_dl": 3.0}, "labs_qualitative": {"phosphate": "high"}},
            "phosphate_high",
            ["phosphate"],
        ),
        (
            {"labs": {"calcium_mg_dl": 13.0}, "labs_qualitative": {"calcium": "normal"}},
            "calcium_normal",
            ["calcium"],
        ),
        (
            {"labs": {"pth_pg_ml": 20.0}, "labs_qualitative": {"pth": "high"}},
            "pth_high",
            ["pth"],
        ),
        (
            {"labs": {"calcium_mg_dl": 9.0, "phosphate_mg_dl": 5.0, "ca_p_product_mg2_dl2": 110.0}},
            "ca_p_product",
            ["calcium", "phosphate"],
        ),
    ],
)
def test_a_word_or_product_that_a_value_contradicts_is_named_and_weighs_nothing(
    case, code, against
):
    weighed = differential(findings_of_case(case))
    (found,) = weighed.contradictions
    assert found.code == code
    assert [f.code for f in found.says_absent] == against
    told = {e.finding for d in weighed.diagnoses for e in d.evidence}
    assert code not in told
    assert set(against) <= told


@pytest.mark.parametrize(
    "case",
    [
        {"labs": {"phosphate_mg_dl": 4.4}, "labs_qualitative": {"phosphate": "high"}},
        {"labs": {"calcium_mg_dl": 10.4}, "labs_qualitative": {"calcium": "normal"}},
        {"labs": {"pth_pg_ml": 100.0}, "labs_qualitative": {"pth": "low"}},
        {
            "age_years": 4,
            "labs": {"phosphate_mg_dl": 6.0},
            "labs_qualitative": {"phosphate": "normal"},
        },
        {"labs": {"calcium_mg_dl": 7.4, "albumin_g_dl": 2.0, "phosphate_mg_dl": 8.0}}
        | {"labs_qualitative": {"ca_p_product": "high"}},
        {"labs": {"calcium_mg_dl": 9.0, "phosphate_mg_dl": 5.0, "ca_p_product_mg2_dl2": 46.0}},
    ],
)
def test_another_laboratorys_range_and_rounding_are_no_contradiction(case):
    assert contradictions(findings_of_case(case)) == ()


@given(
    st.dictionaries(
        st.sampled_from(["pain", "fever", "limited_motion", "skin_ulcer_or_fistula"]),
        st.sampled_from([True, False, None]),
    )
)
def test_every_known_symptom_and_no_other_becomes_a_finding(symptoms):
    found = findings_of_case({"symptoms": symptoms})
    assert {f.code: f.state == "present" for f in found} == {
        code: value for code, value in symptoms.items() if value is not None
    }
    assert all(isinstance(f, Finding) and f.origin == "reported" for f in found)
