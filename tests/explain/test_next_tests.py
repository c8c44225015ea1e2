"""The next tests: open questions, worth asking, cheapest first."""

import pytest

from calcinosis.explain.differential import differential
from calcinosis.explain.findings import findings_of_case
from calcinosis.explain.next_tests import next_tests


def asked(**case):
    return next_tests(differential(findings_of_case(case)))


def test_they_are_ordered_by_cost_and_ask_nothing_already_known():
    tests = asked(age_years=50, sites=["hip"], symptoms={"pain": True})
    assert 0 < len(tests) <= 5
    assert [t.cost for t in tests] == sorted(t.cost for t in tests)
    assert "pain" not in {t.finding for t in tests}


def test_the_kidneys_are_asked_for_when_nobody_mentioned_them():
    assert "kidney_function" in {
        t.finding for t in asked(sites=["shoulder", "hip"], bilateral_or_multiple=True)
    }
    assert "kidney_function" not in {t.finding for t in asked(ckd="none", sites=["hip"])}


def test_phosphate_is_asked_for_in_a_young_patient_with_normal_kidneys():
    found = asked(
        age_years=12,
        ckd="none",
        sites=["hip"],
        family_history=True,
        calcified_or_ossified="calcified",
    )
    assert "phosphate" in {t.finding for t in found}


def test_a_lab_known_in_words_is_not_asked_for_again():
    found = asked(age_years=12, ckd="none", sites=["hip"], labs_qualitative={"phosphate": "high"})
    assert "phosphate" not in {t.finding for t in found}


def test_every_answer_has_its_chance_and_says_who_would_lead():
    for test in asked(age_years=50, sites=["thigh"]):
        assert sum(o.probability for o in test.outcomes) == pytest.approx(1, abs=0.01)
        assert all(0 < o.leads_with <= 1 for o in test.outcomes)


def test_a_settled_case_has_little_left_to_ask():
    settled = asked(
        age_years=50,
        ckd="dialysis_hd",
        dialysis_vintage_years=5,
        sites=["hip", "shoulder"],
        bilateral_or_multiple=True,
        imaging={"ct": {"fluid_calcium_level": True, "cystic_loculated": True}},
        labs={"phosphate_mg_dl": 8.5, "calcium_mg_dl": 10.4},
    )
    open_ = asked(age_years=50, sites=["thigh"])
    worth = [sum(t.expected_information_bits for t in tests) for tests in (settled, open_)]
    assert worth[0] < 0.3 * worth[1]


@pytest.mark.parametrize(("age", "worth_asking"), [(13, False), (25, True)])
def test_what_could_not_be_judged_at_this_age_is_not_asked_for(age, worth_asking):
    case = {"age_years": age, "sites": ["thigh"], "calcified_or_ossified": "ossified"}
    found = next_tests(differential(findings_of_case(case)), limit=60)
    assert ("alp" in {t.finding for t in found}) is worth_asking


def test_nobody_asks_for_the_creatinine_of_a_dialysis_patient():
    """Published: 25 years, nine of them on peritoneal dialysis, masses at hips and buttocks."""
    told = {"age_years": 25, "sites": ["buttock", "hip"], "bilateral_or_multiple": True}
    found = asked(**told, sex="M", symptoms={"pain": True}, ckd="dialysis_pd")
    assert found
    assert "creatinine" not in {test.finding for test in found}
