"""What a clinician expects of the differential."""

from calcinosis.explain.differential import differential
from calcinosis.explain.findings import findings_of_case
from calcinosis.explain.next_tests import next_tests


def explained(**case):
    return differential(findings_of_case(case))


def test_probabilities_cover_the_vocabulary_and_sum_to_one():
    result = explained(age_years=40, sites=["hip"])
    assert len(result.diagnoses) == 28
    assert abs(sum(d.probability for d in result.diagnoses) - 1) < 1e-9
    assert all(d.low <= d.probability <= d.high for d in result.diagnoses)


def test_a_large_hip_mass_on_dialysis_with_high_phosphate_is_uremic_tumoral_calcinosis():
    result = explained(
        age_years=50,
        ckd="dialysis_hd",
        dialysis_vintage_years=5,
        sites=["hip"],
        labs={"phosphate_mg_dl": 8.0, "calcium_mg_dl": 10.2},
    )
    assert result.diagnoses[0].diagnosis == "tc_uremic"
    assert result.diagnoses[0].probability > 0.8


def test_the_next_tests_are_ordered_by_cost_and_ask_nothing_already_known():
    result = explained(age_years=50, sites=["hip"], symptoms={"pain": True})
    tests = next_tests(result)
    assert tests
    assert [t.cost for t in tests] == sorted(t.cost for t in tests)
    assert "pain" not in {t.finding for t in tests}
