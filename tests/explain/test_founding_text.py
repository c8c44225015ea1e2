"""The clinical and imaging sentences of the founding case report, as claims on what we answer.

Its treatment sentences are claims in test_management.py, its alarms in test_red_flags.py.
"""

import pytest

from calcinosis.explain.explanation import explain
from calcinosis.explain.knowledge import load_knowledge
from calcinosis.read.case_file import Case

DIALYSIS = {"ckd": "dialysis_hd", "age_years": 50}
UREMIC = load_knowledge().diagnoses["tc_uremic"]


def answer(**case):
    return explain(Case.model_validate(case))


def first(**case):
    return answer(**case).differential.diagnoses[0].diagnosis


def weight(finding, diagnosis="tc_uremic", **case):
    ranked = answer(**case).differential.diagnoses
    evidence = next(d.evidence for d in ranked if d.diagnosis == diagnosis)
    return next((e.weight_db for e in evidence if e.finding == finding), 0.0)


def test_dialysis_and_healthy_kidneys_part_the_secondary_from_the_primary_form():
    mass = {"sites": ["hip"], "imaging": {"radiograph": {"periarticular": True}}}
    high = {"labs": {"phosphate_mg_dl": 7.5}}
    assert first(ckd="dialysis_hd", age_years=50, **mass, **high) == "tc_uremic"
    primary = first(ckd="none", age_years=14, **mass, **high)
    assert primary == "tc_primary_hyperphosphatemic"


@pytest.mark.parametrize("years", [0.5, 2, 5, 15])
def test_it_appears_from_months_to_many_years_after_the_start_of_dialysis(years):
    assert first(**DIALYSIS, sites=["hip"], dialysis_vintage_years=years) == "tc_uremic"


def test_it_grows_slowly_up_to_20_or_30_cm():
    large = answer(**DIALYSIS, sites=["hip"], max_diameter_cm=28, symptom_duration_months=60)
    assert large.differential.diagnoses[0].diagnosis == "tc_uremic"
    assert not any(flag.flag == "sarcoma_fast_growth" for flag in large.red_flags)


def test_it_lies_by_the_large_joints_sometimes_at_the_extremities_rarely_at_the_pubis():
    share = {site: part / sum(UREMIC.sites.values()) for site, part in UREMIC.sites.items()}
    assert sum(share[site] for site in ("hip", "knee", "shoulder", "elbow")) > 0.5
    assert 0.02 < share["hand"] < share["hip"]
    assert share.get("pubis", 0) < 0.02


def test_the_skin_is_usually_normal_and_fistula_compression_and_lysis_are_rarer():
    assert UREMIC.signs["skin_ulcer_or_fistula"].p < 0.25
    assert UREMIC.signs["nerve_compression"].p < 0.35
    assert UREMIC.signs["vascular_compression"].p < 0.1
    assert UREMIC.signs["bone_erosion"].p <= 0.25  # 3 of 12 in Steinbach 1995


def test_a_mass_without_complaints_is_recognised_as_well():
    silent = {"pain": False, "limited_motion": False, "nerve_compression": False}
    told = answer(**DIALYSIS, sites=["hip"], symptoms=silent)
    assert told.differential.diagnoses[0].diagnosis == "tc_uremic"


def test_an_unusual_place_and_osteolysis_leave_it_in_the_list_and_raise_the_alarm():
    unusual = answer(
        **DIALYSIS, sites=["pubis"], imaging={"ct": {"bone_erosion_or_osteolysis": True}}
    )
    assert "tc_uremic" in [d.diagnosis for d in unusual.differential.diagnoses[:3]]
    assert "sarcoma_bone_destruction" in [flag.flag for flag in unusual.red_flags]


def test_a_product_above_70_and_severe_hyperparathyroidism_speak_for_it():
    labs = {"calcium_mg_dl": 10.4, "phosphate_mg_dl": 8.5, "pth_pg_ml": 1800}
    case = DIALYSIS | {"sites": ["hip"], "labs": labs}
    assert weight("phosphate", **case) > 0
    assert weight("pth", **case) > 0


def test_it_occurs_without_hyperparathyroidism_too():
    labs = {"calcium_mg_dl": 10.4, "phosphate_mg_dl": 8.5, "pth_pg_ml": 25}
    assert first(**DIALYSIS, sites=["hip"], labs=labs) == "tc_uremic"


@pytest.mark.parametrize("sign", ["multilobulated", "amorphous_or_cystic", "periarticular"])
def test_on_radiographs_it_is_multilocular_cystic_and_beside_a_joint(sign):
    assert UREMIC.signs[sign].p > 0.7


def test_a_liquid_level_on_a_radiograph_is_the_sedimentation_sign_as_well():
    case = DIALYSIS | {"sites": ["hip"], "imaging": {"radiograph": {"fluid_level": True}}}
    assert weight("fluid_calcium_level", **case) > 5


def test_on_ultrasound_it_is_fluid_in_a_calcified_shell():
    case = {"sites": ["hip"], "imaging": {"us": {"calcified_shell_with_fluid": True}}}
    assert weight("calcified_shell_with_fluid", **DIALYSIS, **case) > 0


def test_on_mri_it_is_dark_in_t1_and_heterogeneous_in_t2():
    assert UREMIC.signs["t1_low"].p > 0.7
    assert UREMIC.signs["t2_heterogeneous"].p > 0.7


def test_bone_scintigraphy_shows_the_deposits():
    assert UREMIC.signs["tracer_uptake"].p > 0.8


def test_bone_destruction_speaks_for_chondrosarcoma():
    case = {
        "sites": ["hip"],
        "age_years": 50,
        "imaging": {"ct": {"bone_erosion_or_osteolysis": True}},
    }
    bone = load_knowledge().diagnoses["chondrosarcoma_soft_tissue"].signs["bone_erosion"]
    assert bone.p > UREMIC.signs["bone_erosion"].p
    flags = [flag for flag in answer(**case).red_flags if flag.flag == "sarcoma_bone_destruction"]
    assert "chondrosarcoma first" in flags[0].action


def test_ct_is_asked_for_the_sedimentation_sign_where_it_would_help():
    open_ = answer(**DIALYSIS, sites=["hip"], imaging={"ct": {"bone_erosion_or_osteolysis": True}})
    assert "fluid_calcium_level" in [test.finding for test in open_.next_tests]


def test_a_deep_mass_of_a_dialysis_patient_brings_it_to_mind_and_alternatives_to_surgery():
    told = answer(**DIALYSIS, sites=["hip"])
    assert told.differential.diagnoses[0].diagnosis == "tc_uremic"
    standings = {option.option: option.standing for option in told.plan}
    assert standings["excision"] != "suggested"
    assert standings["low_calcium_dialysate"] in {"suggested", "consider"}
