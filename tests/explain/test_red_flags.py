"""Red flags stand whatever the ranking says."""

import json
from pathlib import Path

import pytest

from calcinosis.explain.differential import differential
from calcinosis.explain.findings import findings_of_case
from calcinosis.explain.management import circumstances_of
from calcinosis.explain.red_flags import red_flags
from calcinosis.finding import Finding
from calcinosis.patient import Patient
from calcinosis.read.case_file import Case

SHARED = Path(__file__).parents[2] / "../shared/cases"
SURE = {"tc_uremic": 1.0}


def flags(case, probabilities=SURE):
    case = Case.model_validate(case)
    facts = circumstances_of(case.patient(), findings_of_case(case), probabilities)
    return {flag.flag: flag for flag in red_flags(facts)}


@pytest.mark.parametrize(
    ("case", "flag"),
    [
        ({"imaging": {"ct": {"bone_erosion_or_osteolysis": True}}}, "sarcoma_bone_destruction"),
        (
            {"imaging": {"ct": {"soft_tissue_component_enhancing": True}}},
            "sarcoma_enhancing_soft_tissue",
        ),
        ({"imaging": {"mri": {"enhancement": True}}}, "sarcoma_enhancing_soft_tissue"),
        ({"max_diameter_cm": 9, "symptom_duration_months": 2}, "sarcoma_fast_growth"),
        (
            {"imaging": {"ct": {"cortical_continuity_with_bone": True}}},
            "sarcoma_bone_continuity",
        ),
        (
            {"sites": ["spine_cervical"], "symptoms": {"nerve_compression": True}},
            "spinal_compression",
        ),
        ({"symptoms": {"fever": True}}, "infection"),
        ({"symptoms": {"skin_ulcer_or_fistula": True}}, "ulcer"),
        ({"symptoms": {"nerve_compression": True}}, "nerve_compression"),
        ({"symptoms": {"vascular_compression": True}}, "vessel_compression"),
        ({"ckd": "dialysis_hd", "symptoms": {"skin_ulcer_or_fistula": True}}, "calciphylaxis"),
    ],
)
def test_each_sign_raises_its_flag_though_uremic_calcinosis_is_certain(case, flag):
    raised = flags(case)[flag]
    assert raised.action
    assert raised.sources


def test_bone_destruction_names_chondrosarcoma_first():
    raised = flags({"imaging": {"ct": {"bone_erosion_or_osteolysis": True}}})
    assert "chondrosarcoma first" in raised["sarcoma_bone_destruction"].action


def test_a_fluid_level_explains_bone_erosion_but_an_unreported_one_does_not():
    ct = {"bone_erosion_or_osteolysis": True}
    assert "sarcoma_bone_destruction" in flags({"imaging": {"ct": ct}})
    assert "sarcoma_bone_destruction" in flags(
        {"imaging": {"ct": ct | {"fluid_calcium_level": False}}}
    )
    assert flags({"imaging": {"ct": ct | {"fluid_calcium_level": True}}}) == {}


def level(state, origin, modality="CT", mass=1):
    mass = mass if origin == "measured" else None
    return Finding("fluid_calcium_level", state, origin, modality, mass_id=mass)


@pytest.mark.parametrize("origin", ["reported", "measured"])
@pytest.mark.parametrize(
    ("levels", "flagged", "told"),
    [
        ([level("present", "reported")], False, ""),
        ([level("present", "reported"), level("present", "measured")], False, ""),
        ([level("present", "measured")], True, "measured, not reported"),
        (
            [level("present", "measured"), level("absent", "measured", mass=2)],
            True,
            "fluid level measured in some masses only, not reported",
        ),
        ([level("absent", "reported"), level("present", "measured")], True, "disputed"),
        ([level("present", "reported"), level("absent", "measured")], True, "disputed"),
        (
            [level("present", "reported", "radiograph"), level("absent", "reported")],
            True,
            "disputed",
        ),
        ([level("absent", "reported")], True, "no fluid level"),
        ([], True, "fluid level not reported"),
    ],
)
def test_only_a_fluid_level_that_a_reader_saw_and_none_denies_lifts_bone_destruction(
    origin, levels, flagged, told
):
    erosion = Finding(
        "bone_erosion", "present", origin, "CT", mass_id=1 if origin == "measured" else None
    )
    raised = red_flags(circumstances_of(Patient(), [erosion, *levels], SURE))
    assert ["sarcoma_bone_destruction"] * flagged == [flag.flag for flag in raised]
    assert all(told in flag.shown[0] for flag in raised)


def test_the_alkaline_phosphatase_of_a_growing_boy_does_not_silence_osteosarcoma():
    boy = {
        "age_years": 13,
        "sex": "M",
        "ckd": "none",
        "sites": ["thigh"],
        "max_diameter_cm": 8,
        "symptom_duration_months": 6,
        "symptoms": {"pain": True},
        "calcified_or_ossified": "ossified",
        "labs": {"calcium_mg_dl": 9.6},
    }
    measured = boy | {"labs": boy["labs"] | {"alp_u_l": 300}}
    for case in (boy, measured):
        ranked = differential(findings_of_case(Case.model_validate(case))).diagnoses
        raised = flags(case, {d.diagnosis: d.probability for d in ranked})
        assert "sarcoma_not_excluded" in raised


@pytest.mark.parametrize(
    ("labs", "flag"),
    [
        ({"calcium_mg_dl": 5.8}, "severe_hypocalcaemia"),
        ({"calcium_mg_dl": 6.4, "phosphate_mg_dl": 8.0}, "severe_hypocalcaemia"),
        ({"ionized_ca_mmol_l": 0.8}, "severe_hypocalcaemia"),
        ({"calcium_mg_dl": 12.0}, "severe_hypercalcaemia"),
        ({"calcium_mg_dl": 15.8}, "severe_hypercalcaemia"),
        ({"ionized_ca_mmol_l": 1.9}, "severe_hypercalcaemia"),
        ({"calcium_mg_dl": 11.2, "albumin_g_dl": 2.0}, "severe_hypercalcaemia"),
    ],
)
@pytest.mark.parametrize("kidneys", ["dialysis_hd", "none"])
def test_calcium_that_endangers_life_raises_a_flag(labs, flag, kidneys):
    raised = flags({"ckd": kidneys, "labs": labs})
    assert set(raised) == {flag}
    assert "doi:" in raised[flag].sources[0]


@pytest.mark.parametrize(
    "labs",
    [
        {"calcium_mg_dl": 7.7},
        {"calcium_mg_dl": 11.9},
        {"calcium_mg_dl": 7.0, "albumin_g_dl": 2.0},
        {"calcium_mg_dl": 6.8, "ionized_ca_mmol_l": 1.2},
    ],
)
def test_calcium_that_is_merely_abnormal_or_low_for_want_of_albumin_raises_none(labs):
    assert flags({"ckd": "dialysis_hd", "labs": labs}) == {}


def test_slow_growth_to_a_great_size_raises_no_flag():
    assert flags({"max_diameter_cm": 25, "symptom_duration_months": 60}) == {}


def test_nothing_known_raises_nothing():
    assert flags({}) == {}


def test_an_open_probability_of_sarcoma_is_a_flag_of_its_own():
    raised = flags({}, {"chondrosarcoma_soft_tissue": 0.12, "tc_uremic": 0.88})
    assert set(raised) == {"sarcoma_not_excluded"}


def test_a_sign_one_voice_calls_present_is_flagged_though_another_calls_it_absent():
    findings = [
        Finding("enhancing_soft_tissue", "absent", "reported", "CT"),
        Finding("enhancing_soft_tissue", "present", "reported", "MRI"),
    ]
    facts = circumstances_of(Patient(), findings, SURE)
    assert [f.flag for f in red_flags(facts)] == ["sarcoma_enhancing_soft_tissue"]


def test_every_published_malignant_case_is_flagged_or_among_the_first_three():
    assert SHARED.is_dir(), "the published cases (../shared/cases) are needed for this test"
    for fields in json.loads((SHARED / "published_cases.json").read_text(encoding="utf-8")):
        if "sarcoma" not in fields["final_diagnosis"]:
            continue
        case = {k: v for k, v in fields.items() if k in Case.model_fields}
        ranked = differential(findings_of_case(Case.model_validate(case))).diagnoses
        raised = flags(case, {d.diagnosis: d.probability for d in ranked})
        first_three = [d.diagnosis for d in ranked[:3]]
        assert fields["final_diagnosis"] in first_three or any("sarcoma" in f for f in raised)
