"""What can be done: the treatment paragraphs of the founding text, and the hazards, as claims."""

import copy

import pytest

from calcinosis.errors import InputError
from calcinosis.explain.differential import differential
from calcinosis.explain.findings import findings_of_case
from calcinosis.explain.knowledge import read_yaml
from calcinosis.explain.management import (
    circumstances_of,
    load_rulebook,
    plan,
    rulebook_from,
)
from calcinosis.lab_result import LabResult
from calcinosis.patient import Patient
from calcinosis.read.case_file import Case

UREMIC = {"tc_uremic": 0.9, "chondrosarcoma_soft_tissue": 0.02}
PRIMARY = {"tc_primary_hyperphosphatemic": 0.8, "chondrosarcoma_soft_tissue": 0.02}
GOUT = {"gout_tophaceous": 0.9, "tc_uremic": 0.05}
HD = {"ckd": "dialysis_hd", "age_years": 52, "sites": ["hip"]}
CLEAR = {"ct": {"bone_erosion_or_osteolysis": False, "fluid_calcium_level": True}}


def labs(calcium=None, phosphate=None, pth=None, **more):
    return {"calcium_mg_dl": calcium, "phosphate_mg_dl": phosphate, "pth_pg_ml": pth} | more


def options(case, probabilities=None, extra_labs=(), history=None):
    """The plan by option; probabilities given, or weighed by the differential."""
    case = Case.model_validate(case)
    findings = findings_of_case(case)
    if probabilities is None:
        probabilities = {d.diagnosis: d.probability for d in differential(findings).diagnoses}
    patient = case.patient().with_labs(
        tuple(LabResult.measured(name, value, unit) for name, value, unit in extra_labs)
    )
    if history:
        patient = Patient(**{**patient.__dict__, "history": history})
    return {o.option: o for o in plan(circumstances_of(patient, findings, probabilities))}


def standing(option, case, probabilities=None, **more):
    return options(case, probabilities, **more)[option].standing


# Parathyroidectomy: "only for severe hyperparathyroidism with normo or even hypercalcemia and very
# high PTH"; "can give spectacular results".


@pytest.mark.parametrize("calcium", [9.0, 11.4])
def test_very_high_pth_with_normal_or_high_calcium_on_dialysis_suggests_parathyroidectomy(calcium):
    case = HD | {"labs": labs(calcium, 7.5, 1800)}
    assert standing("parathyroidectomy", case) == "suggested"


def test_parathyroidectomy_is_only_considered_while_the_diagnosis_is_open():
    case = HD | {"labs": labs(11.4, 7.5, 1800)}
    assert standing("parathyroidectomy", case, {"tc_uremic": 0.3}) == "consider"


@pytest.mark.parametrize("pth", [8, 60, 120])
def test_low_pth_advises_against_parathyroidectomy_because_regression_failed(pth):
    option = options(HD | {"labs": labs(10.5, 8, pth)}, UREMIC)["parathyroidectomy"]
    assert option.standing == "advised_against"
    assert "with low PTH regression has failed" in " ".join(option.because)


CKD = {"ckd": "ckd_nondialysis", "age_years": 70, "sites": ["hip"]}
GRAFT = {"ckd": "transplant", "age_years": 50, "sites": ["hip"]}


@pytest.mark.parametrize("pth", [60, 110])
@pytest.mark.parametrize("patient", [CKD, GRAFT])
def test_pth_is_not_low_where_there_is_no_dialysis_to_raise_it(patient, pth):
    found = options(patient | {"labs": labs(9.2, 5.4, pth)}, UREMIC)
    told = " ".join(text for option in found.values() for text in option.because)
    assert "PTH is low" not in told
    assert "With low PTH" not in told


def test_high_calcium_and_pth_with_a_graft_are_tertiary_hyperparathyroidism():
    found = options(GRAFT | {"labs": labs(10.8, 2.2, 125)}, UREMIC)
    for option in ("parathyroidectomy", "calcimimetic"):
        assert found[option].standing == "consider"
        assert "tertiary" in " ".join(found[option].because)
    assert any(
        "may persist" in h
        for h in options(CKD | {"labs": labs(9, 5, 125)}, UREMIC)["transplantation"].hazards
    )


@pytest.mark.parametrize("pth", [110, 500])
def test_whether_pth_is_low_or_high_waits_while_nobody_says_whether_there_is_dialysis(pth):
    unclear = {"ckd": "ckd_unspecified", "sites": ["hip"], "labs": labs(9.5, 6, pth)}
    option = options(unclear, UREMIC)["calcimimetic"]
    assert option.standing == "not_indicated"
    assert any("dialysis?" in ask for ask in option.measure)


def test_pth_high_but_not_very_high_advises_against_parathyroidectomy():
    assert standing("parathyroidectomy", HD | {"labs": labs(9, 8, 600)}, UREMIC) == (
        "advised_against"
    )


def test_low_calcium_advises_against_parathyroidectomy_however_high_pth_is():
    option = options(HD | {"labs": labs(7.2, 8, 2000)}, UREMIC)["parathyroidectomy"]
    assert option.standing == "advised_against"
    assert "hungry bone" in " ".join(option.because)


def test_calcinosis_after_parathyroidectomy_advises_against_another():
    done = {"parathyroidectomy": True}
    case = HD | {"labs": labs(9.5, 8, 1500)}
    assert standing("parathyroidectomy", case, UREMIC, history=done) == "advised_against"


def test_unknown_pth_asks_for_pth_and_suggests_nothing():
    option = options(HD | {"labs": labs(10.5, 8)}, UREMIC)["parathyroidectomy"]
    assert option.standing == "not_indicated"
    assert any("PTH" in ask for ask in option.measure)


def test_the_word_high_does_not_say_how_high_pth_is():
    option = options(HD | {"labs_qualitative": {"pth": "high"}}, UREMIC)["parathyroidectomy"]
    assert option.standing == "not_indicated"
    assert "intact PTH as a value" in option.measure


def test_high_in_words_with_high_calcium_is_considered_once_pth_is_measured():
    case = HD | {"labs_qualitative": {"pth": "high", "calcium": "high"}}
    option = options(case, UREMIC)["parathyroidectomy"]
    assert option.standing == "consider"
    assert "intact PTH as a value" in option.measure


def test_hungry_bone_is_said_and_high_alkaline_phosphatase_foretells_it():
    case = HD | {"labs": labs(10.5, 8, 1800, alp_u_l=400)}
    hazards = " ".join(options(case, UREMIC)["parathyroidectomy"].hazards)
    assert "Hungry bone" in hazards
    assert "High alkaline phosphatase" in hazards


# Medical treatment: "balancing the phosphocalcic product is essential (e.g., phosphorus binders,
# hypoprotein diet, dialysis baths low in calcium)".


@pytest.mark.parametrize("option", ["binders", "diet", "low_calcium_dialysate"])
def test_balancing_the_product_is_suggested_in_uremic_calcinosis(option):
    assert standing(option, HD | {"labs": labs(10.6, 8.1, 300)}) == "suggested"


@pytest.mark.parametrize("option", ["intensified_dialysis", "calcium_and_vitamin_d_stopped"])
def test_more_dialysis_and_less_calcium_are_suggested_when_the_product_is_high(option):
    assert standing(option, HD | {"labs": labs(9.8, 8.1)}, UREMIC) == "suggested"


def test_medical_measures_come_before_operations():
    listed = list(options(HD | {"labs": labs(10.6, 8.1, 1800)} | {"imaging": CLEAR}))
    assert listed.index("binders") < listed.index("parathyroidectomy") < listed.index("excision")


def test_diet_does_not_starve_a_dialysis_patient_of_protein():
    diet = options(HD | {"labs": labs(10, 8)}, UREMIC)["diet"]
    assert "protein per kg" in " ".join(diet.hazards)


def test_calcinosis_at_a_normal_product_is_still_treated():
    case = HD | {"labs": labs(9.0, 4.0, 200)}
    assert standing("binders", case, UREMIC) == "consider"
    assert standing("low_calcium_dialysate", case, UREMIC) == "consider"


def test_low_phosphate_is_not_lowered_further():
    case = HD | {"labs": labs(9.0, 1.9)}
    assert standing("binders", case, UREMIC) == "advised_against"
    assert standing("diet", case, UREMIC) == "advised_against"


# "Dramatic regression ... after renal transplantation has also been reported."


def test_transplantation_is_considered_on_dialysis_not_after_it():
    assert standing("transplantation", HD, UREMIC) == "consider"
    assert standing("transplantation", {"ckd": "transplant"}, UREMIC) == "not_indicated"
    assert standing("transplantation", {"ckd": "none"}, PRIMARY) == "not_indicated"


# Excision: "controversial ... mainly in compressive forms ... as complete as possible".


@pytest.mark.parametrize("kind", ["nerve_compression", "vascular_compression"])
def test_compression_makes_excision_worth_considering_complete_or_it_recurs(kind):
    case = HD | {"symptoms": {kind: True}, "labs": labs(10, 8), "imaging": CLEAR}
    excision = options(case, UREMIC)["excision"]
    assert excision.standing == "consider"
    assert "Complete, or it recurs" in " ".join(excision.because)
    assert "correct the calcium-phosphate product first" in " ".join(excision.because)
    assert "excised masses came back" in " ".join(excision.hazards)


@pytest.mark.parametrize("kind", ["fever", "skin_ulcer_or_fistula"])
def test_infection_or_fistula_makes_excision_worth_considering(kind):
    case = HD | {"symptoms": {kind: True}, "imaging": CLEAR}
    assert standing("excision", case, UREMIC) == "consider"


def test_a_pressed_cord_is_decompressed_and_does_not_wait_for_the_blood():
    pressed = HD | {"imaging": CLEAR, "symptoms": {"nerve_compression": True}}
    assert standing("excision", pressed | {"sites": ["spine_cervical"]}, UREMIC) == "suggested"
    assert standing("excision", pressed | {"sites": ["elbow"]}, UREMIC) == "consider"
    unsaid = options(pressed | {"sites": None}, UREMIC)["excision"]
    assert unsaid.standing == "consider"
    assert "site of the mass" in unsaid.measure


def test_no_mass_is_excised_unseen_and_no_product_is_called_high_unmeasured():
    case = {"ckd": "none", "symptoms": {"pain": True}}
    option = options(case, PRIMARY)["excision"]
    assert option.standing == "consider"
    hazards = " ".join(option.hazards)
    assert "Not before CT" in hazards
    assert "The product is above" not in hazards
    ct = {"soft_tissue_component_enhancing": False, "cortical_continuity_with_bone": False}
    images = {"ct": CLEAR["ct"] | ct, "mri": {"enhancement": False}}
    seen = case | {"imaging": images, "max_diameter_cm": 4, "symptom_duration_months": 20}
    assert "Not before CT" not in " ".join(options(seen, PRIMARY)["excision"].hazards)


def test_without_compression_alternatives_to_surgery_are_most_often_desirable():
    quiet = {"nerve_compression": False, "vascular_compression": False}
    case = HD | {"symptoms": quiet, "imaging": CLEAR}
    excision = options(case, UREMIC)["excision"]
    assert excision.standing == "not_indicated"
    assert "alternatives to surgery" in " ".join(excision.because)


def test_compression_not_examined_is_asked_for_not_taken_as_absent():
    excision = options(HD | {"imaging": CLEAR}, UREMIC)["excision"]
    assert any("compression" in ask for ask in excision.measure)


# Primary forms: "rare familial condition ... young patients with normal kidney function".


YOUNG = {"ckd": "none", "age_years": 14, "sites": ["hip"], "labs": labs(9.8, 7.9)}
YOUNG |= {"imaging": {"radiograph": {"periarticular": True}}}


def test_young_normal_kidneys_periarticular_high_phosphate_means_genetic_test_first():
    listed = options(YOUNG)
    assert next(iter(listed)) == "genetic_test"
    assert listed["genetic_test"].standing == "suggested"
    assert "GALNT3, FGF23 and KL" in " ".join(listed["genetic_test"].because)
    assert listed["acetazolamide"].standing == "suggested"
    assert listed["phosphate_depletion"].standing == "suggested"
    assert listed["parathyroidectomy"].standing == "not_indicated"


@pytest.mark.parametrize(
    "blood",
    [labs(9.8, 7.9), labs(9.8, 5.0), labs(6.4, 8.0), labs(None, 7.9), labs(9.8), labs(9.8, 2)],
)
@pytest.mark.parametrize("share", [0.05, 0.2, 0.8])
def test_phosphate_depletion_is_never_suggested_without_its_diet_and_binders(blood, share):
    weighed = {"tc_primary_hyperphosphatemic": share, "dystrophic_calcinosis": 1 - share}
    found = options(YOUNG | {"labs": blood}, weighed)
    stood = {found[option].standing for option in ("phosphate_depletion", "diet", "binders")}
    assert len(stood) == 1


def test_normal_phosphate_points_to_samd9():
    case = YOUNG | {"labs": labs(9.8, 4.1)}
    genetic = options(case, {"tc_primary_normophosphatemic": 0.8})["genetic_test"]
    assert genetic.standing == "suggested"
    assert "SAMD9" in " ".join(genetic.because)
    assert "GALNT3, FGF23 and KL first" not in " ".join(genetic.because)


def test_primary_calcinosis_is_not_treated_as_the_calcinosis_of_renal_failure():
    listed = options(YOUNG, PRIMARY)
    for option in ("low_calcium_dialysate", "intensified_dialysis", "transplantation"):
        assert listed[option].standing == "not_indicated"


def test_acetazolamide_needs_a_working_kidney():
    case = YOUNG | {"ckd": "dialysis_hd"}
    assert standing("acetazolamide", case, PRIMARY) == "advised_against"


def test_unknown_kidney_function_is_asked_for_before_a_genetic_test():
    genetic = options({"age_years": 14, "labs": labs(9.8, 7.9)}, PRIMARY)["genetic_test"]
    assert genetic.standing == "consider"
    assert any("kidney function" in ask for ask in genetic.measure)


@pytest.mark.parametrize("option", ["binders", "diet", "phosphate_depletion", "acetazolamide"])
def test_phosphate_lowering_of_a_likely_primary_form_awaits_kidney_function_and_says_so(option):
    case = {"age_years": 12, "labs": labs(phosphate=7.9)}
    waiting = options(case, PRIMARY)[option]
    assert waiting.standing == "consider"
    assert "once healthy kidneys are shown" in " ".join(waiting.because)
    assert any("kidney function" in ask for ask in waiting.measure)
    low = case | {"labs": labs(6.4, 7.9)}
    assert standing(option, low, PRIMARY) == "advised_against"


RESISTANT = {"ckd": "none", "age_years": 11, "sites": ["hand", "foot"]}
RESISTANT |= {"labs": labs(6.4, 8.0, 420)}


def test_low_calcium_high_phosphate_and_high_pth_with_healthy_kidneys_name_pth_resistance():
    option = options(RESISTANT)["parathyroid_resistance_workup"]
    assert option.standing == "suggested"
    assert "pseudohypoparathyroidism" in " ".join(option.because)
    assert "GNAS" in " ".join(option.because)


@pytest.mark.parametrize(
    "other", [{"ckd": "dialysis_hd"}, {"labs": labs(9.6, 8.0, 420)}, {"labs": labs(6.4, 8.0, 12)}]
)
def test_pth_resistance_is_not_named_where_something_else_explains_the_blood(other):
    found = options(RESISTANT | other, PRIMARY)
    assert found["parathyroid_resistance_workup"].standing == "not_indicated"


@pytest.mark.parametrize("option", ["acetazolamide", "phosphate_depletion", "binders"])
def test_phosphate_is_not_driven_out_while_low_calcium_is_unexplained(option):
    assert standing(option, RESISTANT, PRIMARY) == "advised_against"
    assert standing(option, YOUNG, PRIMARY) != "advised_against"


@pytest.mark.parametrize("option", ["binders", "diet", "acetazolamide", "phosphate_depletion"])
@pytest.mark.parametrize("kidneys", ["none", None])
def test_mildly_low_calcium_asks_for_its_cause_and_forbids_nothing(option, kidneys):
    """K/DOQI 2003, 6.6: below 8.4 mg/dL calcium is raised for symptoms or high PTH, not as such."""
    mild = options(YOUNG | {"ckd": kidneys, "labs": labs(8.0, 7.9)}, PRIMARY)[option]
    assert mild.standing == "consider"
    assert "find the cause" in " ".join(mild.because)
    severe = YOUNG | {"ckd": kidneys, "labs": labs(7.4, 7.9)}
    assert standing(option, severe, PRIMARY) == "advised_against"


# Hazards.


def test_no_calcium_based_binder_in_hypercalcaemia():
    option = options(HD | {"labs": labs(11.0, 7)}, UREMIC)["calcium_based_binders"]
    assert option.standing == "advised_against"
    assert any("Hypercalcaemia" in reason for reason in option.because)


def test_no_low_calcium_dialysate_with_hypocalcaemia_or_long_qt():
    low = HD | {"labs": labs(7.5, 7)}
    assert standing("low_calcium_dialysate", low, UREMIC) == "advised_against"
    high = HD | {"labs": labs(11, 7)}
    long_qt = [("qtc", 490, "ms")]
    assert standing("low_calcium_dialysate", high, UREMIC, extra_labs=long_qt) == "advised_against"
    told = {"long_qt": True}
    assert standing("low_calcium_dialysate", high, UREMIC, history=told) == "advised_against"


def test_unknown_qt_is_asked_for_before_low_calcium_dialysate():
    option = options(HD | {"labs": labs(11, 7)}, UREMIC)["low_calcium_dialysate"]
    assert option.standing == "suggested"
    assert "ECG (QTc)" in option.measure
    assert "cardiac arrest" in " ".join(option.hazards)


def test_thiosulfate_warns_of_acidosis_and_yields_to_it():
    option = options(HD, UREMIC)["thiosulfate"]
    assert option.standing == "consider"
    assert "acidosis" in " ".join(option.hazards)
    assert "bicarbonate" in option.measure
    acid = [("bicarbonate", 15, "mmol/L")]
    assert standing("thiosulfate", HD, UREMIC, extra_labs=acid) == "advised_against"


def test_calcimimetic_is_for_high_pth_and_never_for_low_calcium():
    assert standing("calcimimetic", HD | {"labs": labs(10, 7, 900)}, UREMIC) == "suggested"
    assert standing("calcimimetic", HD | {"labs": labs(7.4, 7, 900)}, UREMIC) == "advised_against"
    assert standing("calcimimetic", HD | {"labs": labs(10, 7, 50)}, UREMIC) == "advised_against"


def test_a_child_on_dialysis_gets_a_calcimimetic_only_with_the_warnings_for_children():
    child = HD | {"age_years": 12, "labs": labs(10, 8, 900)}
    assert "three years of age" in " ".join(options(child, UREMIC)["calcimimetic"].hazards)
    assert "three years" not in " ".join(
        options(child | {"age_years": 40}, UREMIC)["calcimimetic"].hazards
    )
    long_qt = [("qtc", 490, "ms")]
    assert standing("calcimimetic", child, UREMIC, extra_labs=long_qt) == "advised_against"


def test_low_calcium_dialysate_names_the_lowest_advised_concentration():
    hazards = options(HD | {"labs": labs(11, 7)}, UREMIC)["low_calcium_dialysate"].hazards
    assert "1.25 mmol/L" in " ".join(hazards)


def test_low_calcium_alone_is_no_reason_to_load_a_mass_with_calcium():
    option = options(HD | {"labs": labs(8.1, 7)}, UREMIC)["calcium_and_vitamin_d_stopped"]
    assert option.standing == "advised_against"
    assert "without symptoms may be left" in " ".join(" ".join(option.because).split())


# Blood that calls for treatment does so whatever the mass is.

BROWN = {"brown_tumor": 0.95}


def test_severe_hyperparathyroidism_with_a_brown_tumour_is_not_called_no_indication():
    case = HD | {"labs": labs(9.6, 6.8, 4557)}
    found = options(case, BROWN)
    for option in ("parathyroidectomy", "calcimimetic", "binders", "diet"):
        assert found[option].standing == "consider", option


def test_high_calcium_and_pth_with_healthy_kidneys_are_primary_hyperparathyroidism():
    case = {"ckd": "none", "age_years": 50, "labs": labs(12.6, 2.2, 900)}
    option = options(case, BROWN)["parathyroidectomy"]
    assert option.standing == "consider"
    assert "primary hyperparathyroidism" in " ".join(option.because)
    for other in ({"labs": labs(9.4, 2.2, 900)}, {"labs": labs(12.6, 2.2, 20)}):
        assert standing("parathyroidectomy", case | other, BROWN) == "not_indicated"


@pytest.mark.parametrize("calcium", [12.5, 15.0])
def test_severe_hypercalcaemia_stops_calcium_and_vitamin_d_as_its_red_flag_says(calcium):
    case = {"ckd": "none", "labs": labs(calcium, 3.5, 40)}
    assert standing("calcium_and_vitamin_d_stopped", case, GOUT) == "suggested"


def test_calciphylaxis_stops_calcium_and_vitamin_d_as_its_red_flag_says():
    ulcer = HD | {"symptoms": {"skin_ulcer_or_fistula": True}, "labs": labs(9.6, 6.4, 1250)}
    found = options(ulcer, {"calciphylaxis": 0.9})
    assert found["calcium_and_vitamin_d_stopped"].standing == "suggested"
    assert "feeds calciphylaxis" in " ".join(found["parathyroidectomy"].hazards)
    assert standing("calcium_and_vitamin_d_stopped", ulcer, GOUT | {"tc_uremic": 0.0}) == "consider"


# Nothing delays the exclusion of a sarcoma.


@pytest.mark.parametrize(
    "sign",
    [
        {"bone_erosion_or_osteolysis": True},
        {"soft_tissue_component_enhancing": True},
        {"cortical_continuity_with_bone": True},
    ],
)
def test_a_sarcoma_sign_puts_referral_first_and_excision_off_however_uremic_the_patient(sign):
    case = HD | {"labs": labs(10, 8, 1800), "imaging": {"ct": sign}}
    case |= {"symptoms": {"nerve_compression": True}}
    listed = options(case, {"tc_uremic": 0.999})
    assert next(iter(listed)) == "sarcoma_referral"
    assert listed["sarcoma_referral"].standing == "suggested"
    assert listed["excision"].standing == "advised_against"
    assert listed["transplantation"].standing == "advised_against"
    assert listed["binders"].standing == "suggested"
    assert "do not watch the mass grow" in " ".join(listed["monitoring"].because)


@pytest.mark.parametrize("kidney", ["dialysis_pd", "ckd_nondialysis"])
@pytest.mark.parametrize(
    ("imaging", "sarcoma"),
    [({"ct": {"soft_tissue_component_enhancing": True}}, 0.001), (CLEAR, 0.12)],
)
def test_no_transplantation_while_a_sarcoma_is_not_excluded(kidney, imaging, sarcoma):
    case = {"ckd": kidney, "imaging": imaging}
    weighed = {"tc_uremic": 0.8, "chondrosarcoma_soft_tissue": sarcoma}
    assert standing("transplantation", case, weighed) == "advised_against"


def test_where_another_disease_leads_the_options_of_calcinosis_are_not_indicated():
    listed = options(HD | {"imaging": CLEAR}, GOUT)
    for option in ("binders", "parathyroidectomy", "excision", "low_calcium_dialysate"):
        assert listed[option].standing == "not_indicated"


# The rulebook itself.


def test_every_reason_and_threshold_has_a_source():
    book = load_rulebook()
    for entry in book.options:
        for rule in (*entry.rules, *entry.hazards):
            assert rule.text
            assert rule.sources
    assert len(book.options) >= 16


def test_an_empty_case_gets_no_advice_but_questions():
    listed = options({}, {"tc_uremic": 0.05})
    assert {o.standing for o in listed.values()} == {"not_indicated"}
    assert "examination: fever" in listed["infection_workup"].measure


def test_what_is_asked_for_does_not_depend_on_the_patient_before():
    """PTH may be open because it is not known, or because nobody says whether there is dialysis."""
    word = options({"ckd": "ckd_unspecified", "labs_qualitative": {"pth": "normal"}}, {})
    value = options({"ckd": "ckd_unspecified", "labs": labs(pth=80.0)}, {})
    assert "intact PTH" in word["calcimimetic"].measure
    assert "intact PTH" not in value["calcimimetic"].measure


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b["options"][0]["rules"][0].update(when=["full_moon"]), "unknown full_moon"),
        (lambda b: b["options"][0]["rules"][0].update(sources=["blog"]), "no source named blog"),
        (lambda b: b["options"][0]["rules"][0].update(sources=[]), "without source"),
        (lambda b: b["options"][0]["rules"][0].update(standing="maybe"), "unknown standing"),
    ],
)
def test_a_broken_rulebook_is_refused(change, message):
    book = copy.deepcopy(read_yaml("management.yaml"))
    change(book)
    with pytest.raises(InputError, match=message):
        rulebook_from(book)


def test_what_the_plan_asks_for_can_be_given_in_the_case_file():
    asking = HD | {"labs": labs(9.5, 8, 1500)}
    asked = options(asking, UREMIC)["thiosulfate"].measure
    assert "bicarbonate" in asked
    told = HD | {"labs": labs(9.5, 8, 1500, bicarbonate_mmol_l=17.0, qtc_ms=495.0)}
    answered = options(told, UREMIC)
    assert answered["thiosulfate"].standing == "advised_against"
    assert answered["low_calcium_dialysate"].standing == "advised_against"
    failing = {"sites": ["hip"], "labs": labs(9.5, 8, 1500, egfr_ml_min_1_73m2=12.0)}
    assert "kidney function reduced" in options(failing, UREMIC)["transplantation"].because


def test_an_option_is_open_only_where_something_not_known_could_speak_for_it():
    """A mass of which no image is known: nobody may read that a sarcoma is not to be sought."""
    youth = {"age_years": 18, "ckd": "none", "sites": ["buttock"]}
    listed = options(youth, {"myositis_ossificans_ho": 0.9})
    assert listed["sarcoma_referral"].is_open
    assert listed["infection_workup"].is_open
    closed = listed["thiosulfate"]  # only low bicarbonate is open, and it speaks against it
    assert closed.standing == "not_indicated"
    assert "bicarbonate" not in closed.measure
    seen = options(HD | {"labs": labs(9.5, 6, 60)}, UREMIC)
    assert not seen["acetazolamide"].is_open


def test_a_calcimimetic_needs_no_word_on_dialysis_where_pth_is_high_by_no_limit():
    unclear = {"ckd": "ckd_unspecified", "sites": ["hip"], "labs": labs(9.5, 6, 60)}
    assert options(unclear, UREMIC)["calcimimetic"].measure == ()


def test_nothing_is_asked_that_is_known_or_asked_already():
    """Of a dialysis patient nobody asks for kidney function, of one without PTH not twice."""
    asked = [ask for option in options(HD, UREMIC).values() for ask in option.measure]
    assert not [ask for ask in asked if "kidney function" in ask]
    assert {ask for ask in asked if "PTH" in ask} == {"intact PTH"}


def test_a_mass_of_unknown_nature_is_not_just_followed():
    open_case = {"ckd": "none", "sites": ["buttock"]}
    unsettled = options(open_case, {"myositis_ossificans_ho": 0.6, "tc_primary_unspecified": 0.2})
    assert unsettled["monitoring"].standing == "consider"
    assert "not just watched" in " ".join(unsettled["monitoring"].because)


def test_the_product_of_dialysis_is_no_target_for_healthy_kidneys():
    healthy = options({"ckd": "none", "sites": ["hip"]}, PRIMARY)["monitoring"]
    assert healthy.standing == "suggested"
    assert "monthly until the product" not in " ".join(healthy.because)
    uremic = options(HD, UREMIC)["monitoring"]
    assert "monthly until the product" in " ".join(uremic.because)


def test_creatinine_raised_beside_a_calcium_crisis_is_not_called_chronic_kidney_disease():
    """Brown tumour of the ilium with calcium 3.79 mmol/L, PTH 1719 and creatinine 1.72."""
    crisis = {"sites": ["pelvis"], "labs": labs(15.2, None, 1719, creatinine_mg_dl=1.72)}
    found = options(crisis, BROWN)
    assert found["parathyroidectomy"].standing == "consider"
    assert "primary hyperparathyroidism" in " ".join(found["parathyroidectomy"].because)
    told = " ".join(text for option in found.values() for text in option.because)
    assert "chronic kidney disease" not in told
    stated = options(crisis | {"ckd": "ckd_nondialysis"}, BROWN)["parathyroidectomy"]
    assert "chronic kidney disease" in stated.because


def test_low_parathyroid_hormone_with_low_calcium_and_high_phosphate_is_looked_into():
    """Published as tumoral calcinosis: calcium 2.0, phosphate 2.23 mmol/L, PTH 5 pg/mL."""
    case = {"ckd": "none", "sites": ["hip"], "labs": labs(8.0, 6.9, 5)}
    option = options(case, PRIMARY)["parathyroid_resistance_workup"]
    assert option.standing == "suggested"
    assert "hypoparathyroidism until" in " ".join(option.because)


def test_what_waits_for_healthy_kidneys_is_not_said_where_they_are_known():
    case = {"ckd": "none", "sites": ["hip"], "labs": labs(8.2, 6.9, 20)}
    for name in ("binders", "diet", "acetazolamide", "phosphate_depletion"):
        reasons = " ".join(options(case, PRIMARY)[name].because)
        assert "once healthy kidneys are shown" not in reasons
        assert "find the cause" in reasons


def test_the_protein_of_grown_ups_is_not_told_of_a_child():
    child = {"age_years": 12, "sites": ["hip"], "labs": labs(9.5, 8.5)}
    told = " ".join(options(child, PRIMARY)["diet"].hazards)
    assert "growing child" in told
    assert "protein" not in told


def test_no_wound_is_made_over_what_may_be_calciphylaxis_unwarned():
    ulcer = HD | {"symptoms": {"skin_ulcer_or_fistula": True}}
    option = options(ulcer, UREMIC)["excision"]
    assert option.standing == "consider"
    assert any("calciphylaxis" in hazard for hazard in option.hazards)


def test_a_calcimimetic_that_is_given_is_stopped_where_pth_is_low():
    """Three published patients: PTH up to 21 pg/mL and calcium above 12 mg/dL on etelcalcetide."""
    option = options(HD | {"labs": labs(12.1, None, 21)}, UREMIC)["calcimimetic"]
    assert option.standing == "advised_against"
    assert "is stopped" in " ".join(option.because)


def test_a_poorer_dialysate_is_warned_of_where_pth_is_very_high():
    high, low = (
        options(HD | {"labs": labs(9.6, 7.5, pth)}, UREMIC)["low_calcium_dialysate"]
        for pth in (1800, 300)
    )
    assert any("climbs further" in hazard for hazard in high.hazards)
    assert not any("climbs further" in hazard for hazard in low.hazards)
