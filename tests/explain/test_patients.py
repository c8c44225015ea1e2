"""Patients a specialist would meet: what we say of each is what one would tell a colleague."""

import pytest

from calcinosis.explain.explanation import explain
from calcinosis.lab_result import LabResult
from calcinosis.patient import Patient
from calcinosis.read.case_file import Case

PRIMARY = "tc_primary_hyperphosphatemic"
RADIOGRAPH = {"radiograph": {"multilobulated": True, "periarticular": True}}


def told(**case):
    return explain(Case.model_validate(case))


def first(answer):
    return answer.differential.diagnoses[0].diagnosis


def standing(answer, option):
    return next(o.standing for o in answer.plan if o.option == option)


def flags(answer):
    return {flag.flag for flag in answer.red_flags}


def test_a_young_woman_with_healthy_kidneys_high_phosphate_and_an_elbow_mass():
    answer = told(
        age_years=19,
        sex="F",
        ckd="none",
        sites=["elbow"],
        max_diameter_cm=7,
        symptom_duration_months=18,
        labs={"calcium_mg_dl": 9.8, "phosphate_mg_dl": 6.6, "pth_pg_ml": 18},
        imaging=RADIOGRAPH,
    )
    assert first(answer) == PRIMARY
    assert standing(answer, "genetic_test") == "suggested"
    assert standing(answer, "parathyroidectomy") == "not_indicated"
    assert answer.red_flags == ()


def test_a_boy_with_a_normal_parathyroid_hormone_and_affected_relatives():
    answer = told(
        age_years=12,
        ckd="none",
        family_history=True,
        sites=["hip", "elbow"],
        labs={"phosphate_mg_dl": 7.4, "pth_pg_ml": 32, "vit_d125_pg_ml": 68},
    )
    assert first(answer) == PRIMARY
    assert standing(answer, "genetic_test") == "suggested"


def test_scleroderma_with_ulcerated_deposits_in_the_fingers():
    answer = told(
        age_years=58,
        sex="F",
        ckd="none",
        history={"connective_tissue_disease": True},
        sites=["hand"],
        bilateral_or_multiple=True,
        max_diameter_cm=1.5,
        symptoms={"pain": True, "skin_ulcer_or_fistula": True},
    )
    assert first(answer) == "calcinosis_ctd"
    assert flags(answer) == {"ulcer"}


def test_kidney_failure_not_yet_on_dialysis():
    answer = told(
        age_years=52,
        ckd="ckd_nondialysis",
        sites=["shoulder"],
        max_diameter_cm=9,
        labs={"calcium_mg_dl": 9.6, "phosphate_mg_dl": 8.2, "pth_pg_ml": 480},
        imaging=RADIOGRAPH,
    )
    assert first(answer) == "tc_uremic"
    assert standing(answer, "binders") == "suggested"
    assert standing(answer, "low_calcium_dialysate") == "not_indicated"


def test_a_mass_left_after_transplantation_though_the_blood_is_right_again():
    answer = told(
        age_years=48,
        sex="M",
        ckd="transplant",
        sites=["hip"],
        max_diameter_cm=5,
        symptom_duration_months=36,
        labs={"calcium_mg_dl": 10.4, "phosphate_mg_dl": 2.6, "pth_pg_ml": 180},
        imaging=RADIOGRAPH | {"ct": {"cystic_loculated": True}},
        calcified_or_ossified="calcified",
    )
    assert first(answer) == "tc_uremic"
    assert answer.differential.diagnoses[0].probability < 0.95
    assert standing(answer, "transplantation") == "not_indicated"


def test_a_destructive_enhancing_mass_without_level_on_dialysis_is_no_calcinosis_yet():
    answer = told(
        age_years=62,
        sex="M",
        ckd="dialysis_hd",
        sites=["hip"],
        max_diameter_cm=11,
        symptom_duration_months=3,
        bilateral_or_multiple=False,
        labs={"calcium_mg_dl": 9.1, "phosphate_mg_dl": 5.2, "pth_pg_ml": 320},
        imaging={
            "ct": {
                "fluid_calcium_level": False,
                "bone_erosion_or_osteolysis": True,
                "soft_tissue_component_enhancing": True,
                "cystic_loculated": False,
            }
        },
        calcified_or_ossified="calcified",
    )
    assert first(answer) == "chondrosarcoma_soft_tissue"
    assert {"sarcoma_bone_destruction", "sarcoma_enhancing_soft_tissue"} <= flags(answer)
    assert standing(answer, "sarcoma_referral") == "suggested"
    assert standing(answer, "excision") == "advised_against"


@pytest.mark.parametrize("known", [{"gout": True}, None])
def test_tophi_of_feet_and_elbows_with_high_urate(known):
    answer = told(
        age_years=61,
        sex="M",
        ckd="ckd_nondialysis",
        history=known,
        sites=["foot", "elbow"],
        bilateral_or_multiple=True,
        max_diameter_cm=3,
        labs={"phosphate_mg_dl": 3.9, "urate_mg_dl": 9.8},
    )
    assert first(answer) == "gout_tophaceous"


def test_a_thigh_mass_weeks_after_an_injury_of_a_young_man_still_raises_the_alarm_for_its_growth():
    answer = told(
        age_years=22,
        sex="M",
        history={"trauma": True},
        sites=["thigh"],
        max_diameter_cm=6,
        symptom_duration_months=1,
        symptoms={"pain": True},
    )
    assert first(answer) == "myositis_ossificans_ho"
    assert "sarcoma_fast_growth" in flags(answer)
    asked = {test.finding for test in answer.next_tests}
    assert asked & {"zonal_ossification", "ossified"}


def test_high_calcium_with_suppressed_parathyroid_hormone_and_failing_kidneys():
    answer = told(
        age_years=66,
        ckd="ckd_nondialysis",
        sites=["shoulder", "hip"],
        bilateral_or_multiple=True,
        labs={
            "calcium_mg_dl": 13.8,
            "phosphate_mg_dl": 4.6,
            "pth_pg_ml": 7,
            "vit_d25_ng_ml": 28,
            "vit_d125_pg_ml": 15,
        },
    )
    assert first(answer) == "milk_alkali"
    assert standing(answer, "calcium_and_vitamin_d_stopped") == "suggested"
    assert standing(answer, "calcium_based_binders") == "advised_against"


def test_a_finger_bone_mass_that_enhances_and_continues_into_the_bone():
    answer = told(
        age_years=67,
        sites=["hand"],
        max_diameter_cm=5.5,
        bilateral_or_multiple=False,
        imaging={
            "ct": {
                "bone_erosion_or_osteolysis": True,
                "soft_tissue_component_enhancing": True,
                "cortical_continuity_with_bone": True,
            }
        },
        calcified_or_ossified="calcified",
    )
    ranked = [d.diagnosis for d in answer.differential.diagnoses[:3]]
    assert "chondrosarcoma_soft_tissue" in ranked
    assert "sarcoma_bone_continuity" in flags(answer)


def test_calcinosis_after_parathyroidectomy_is_not_operated_on_again():
    answer = told(
        age_years=55,
        ckd="dialysis_hd",
        history={"parathyroidectomy": True},
        sites=["shoulder", "elbow"],
        max_diameter_cm=10,
        labs={"calcium_mg_dl": 10.8, "phosphate_mg_dl": 7.0, "pth_pg_ml": 25},
    )
    assert first(answer) == "tc_uremic"
    assert standing(answer, "parathyroidectomy") == "advised_against"
    assert standing(answer, "calcimimetic") == "advised_against"


@pytest.mark.parametrize(
    ("albumin_day", "calcium_mg_dl"),
    [("2024-05-01", 10.6), ("2024-05-06", 10.6), ("2019-05-01", 9.0)],
)
def test_differential_and_plan_read_the_same_calcium(albumin_day, calcium_mg_dl):
    labs = (
        LabResult.measured("calcium", 9.0, "mg/dL", "2024-05-01"),
        LabResult.measured("albumin", 2.0, "g/dL", albumin_day),
    )
    answer = explain(Case(), Patient(labs=labs))
    (weighed,) = (finding.value for finding in answer.findings if finding.code == "calcium")
    assert weighed == answer.patient.calcium_mg_dl == pytest.approx(calcium_mg_dl)


def test_a_newer_calcium_counts_before_a_corrected_one_that_was_stated():
    case = Case.model_validate({"labs": {"corrected_calcium_mg_dl": 9.0}})
    labs = (
        LabResult.measured("calcium", 12.0, "mg/dL", "2024-05-01"),
        LabResult.measured("albumin", 4.0, "g/dL", "2024-05-01"),
    )
    answer = explain(case, case.patient().with_labs(labs))
    (weighed,) = (finding.value for finding in answer.findings if finding.code == "calcium")
    assert weighed == answer.patient.calcium_mg_dl == 12.0


def test_bodies_of_like_size_inside_the_shoulder_are_synovial_chondromatosis():
    """Told without them the mass looks like calcific tendinitis."""
    shoulder = {
        "age_years": 43,
        "sex": "M",
        "sites": ["shoulder"],
        "symptoms": {"pain": True, "limited_motion": True, "fever": False},
        "calcified_or_ossified": "calcified",
    }
    bodies = {"imaging": {"radiograph": {"periarticular": True, "joint_bodies": True}}}
    assert first(told(**shoulder, **bodies)) == "synovial_chondromatosis"
    assert first(told(**shoulder)) != "synovial_chondromatosis"


def test_rings_and_arcs_in_a_buttock_mass_speak_for_chondrosarcoma():
    buttock = {"age_years": 58, "sex": "F", "sites": ["buttock"], "max_diameter_cm": 12}
    arcs = told(**buttock, imaging={"ct": {"rings_and_arcs": True}})
    assert first(arcs) == "chondrosarcoma_soft_tissue"
    assert "sarcoma_not_excluded" in flags(arcs)
