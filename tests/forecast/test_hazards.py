"""What a forecast must warn of, and what it must not call best."""

import numpy as np
import pytest

from calcinosis.forecast.hazards import lasting_hypercalcaemia, left_out, warnings_of
from calcinosis.forecast.outlook import Outlook, forecast
from calcinosis.forecast.scenario import parse_scenario
from calcinosis.write.forecast_page.page import chances, headline, render

NIGHTLY = {"sessions_per_week": 6, "hours": 8}


def labs(pth):
    return [
        {"date": "2025-10-01", "analyte": analyte, "value": value, "unit": unit}
        for analyte, value, unit in (
            ("calcium", 9.8, "mg/dL"), ("phosphate", 7.4, "mg/dL"), ("pth", pth, "pg/mL"),
        )
    ]  # fmt: skip


def treated(carbonate_g=0.0, vitamin_d_ug=0.0, dialysate_mmol_l=1.5, days=365):
    return {
        "days": days,
        "dialysis": {"dialysate_calcium_mmol_l": dialysate_mmol_l},
        "binder": {"drug": "calcium_carbonate", "g_per_day": carbonate_g},
        "active_vitamin_d_ug_per_week": vitamin_d_ug,
    }


def outlook_of(*options, pth=700):
    plan, *others = options
    return forecast(
        parse_scenario(
            {
                "patient": {"labs": labs(pth), "deposit_calcium_g": 12},
                "phases": plan,
                "compare": [{"name": f"option {n}", "phases": o} for n, o in enumerate(others)],
            }
        ),
        ensemble=12,
    )


@pytest.fixture(scope="module")
def loaded():
    """As usual, and a calcium load."""
    return outlook_of([treated(3.0)], [treated(9.0, 7.0, 1.75)])


def test_a_calcium_load_is_not_named_best_whatever_it_does_to_the_deposit(loaded):
    load = loaded.courses[1]
    assert load.outcomes["calcium_mg_dl"] > 12
    assert load.name not in headline(loaded)
    assert f"not in the headline: {load.left_out}" in render(loaded)
    assert load.left_out in chances(load)


def test_bone_that_is_not_formed_buffers_no_load_and_the_deposit_grows():
    usual, load = outlook_of([treated(3.0)], [treated(9.0, 7.0, 1.75)], pth=120).courses
    relative = "deposit_relative"
    assert load.outcomes["pth_pg_ml"] < 101
    assert load.outcomes["ca_p_product_mg2_dl2"] > usual.outcomes["ca_p_product_mg2_dl2"]
    assert load.outcomes[relative] > usual.outcomes[relative] + 0.3


def test_hypercalcaemia_is_warned_of_and_usual_treatment_is_not(loaded):
    usual, load = loaded.courses
    (said,) = [warning for warning in load.warnings if warning.startswith("Hypercalcaemia")]
    assert "less sure" in said
    assert not any("ypercalcaemia" in warning for warning in usual.warnings)
    chance = "chance_calcium_above_10_2"
    assert load.outcomes[chance] > 0.9 > usual.outcomes[chance]


def test_the_page_says_that_hypercalcaemia_of_the_second_year_counts_beside_levels_of_the_first():
    outlook = outlook_of([treated(3.0, days=371), treated(9.0, 7.0, 1.75, days=200)])
    (course,) = outlook.courses
    assert course.outcomes["calcium_mg_dl"] < 10
    assert course.outcomes["chance_calcium_above_10_2"] > 0.8
    page = render(outlook)
    assert "calcium that stays above 10.2 for the whole plan" in page
    assert "its last change comes later and counts here for calcium above 10.2 only" in page


def test_a_load_that_is_stopped_in_time_for_the_end_still_counts():
    load, stopped = treated(9.0, 7.0, 1.75, days=120), treated(days=240)
    outlook = outlook_of([treated(3.0)], [load, stopped])
    course = outlook.courses[1]
    assert course.central["calcium_mg_dl"][-1] < 10.2
    assert course.left_out
    assert course.name not in headline(outlook)


def test_glands_that_stay_large_after_a_graft_are_not_held_against_it():
    weekly = 7.0 * np.arange(20)
    run = {"calcium_mg_dl": np.full(20, 10.8), "phosphate_mg_dl": np.full(20, 2.6)}
    assert left_out(weekly, run, grafted=False) == "calcium stays above 10.2 mg/dL"
    assert left_out(weekly, run, grafted=True) == ""
    told, *_ = warnings_of(weekly, run, [run], dialysed=False, grafted=True)
    assert "Glands that stayed large" in told
    assert "dialysate" not in told


@pytest.mark.parametrize(
    ("first", "last", "dialysed", "told"),
    [(500, 700, True, True), (280, 420, True, True), (500, 560, True, False),
     (100, 250, True, False), (500, 700, False, False)],
    ids=["high, rises", "becomes high", "hardly rises", "stays low", "without dialysis"],
)  # fmt: skip
def test_pth_that_rises_markedly_to_a_high_level_is_warned_of(first, last, dialysed, told):
    weekly = 7.0 * np.arange(20)
    run = {"calcium_mg_dl": np.full(20, 9.4), "phosphate_mg_dl": np.full(20, 5.0),
           "pth_pg_ml": np.geomspace(first, last, 20),
           "alp_relative": np.full(20, 2.0)}  # fmt: skip
    warnings = warnings_of(weekly, run, [run] * 5, dialysed=dialysed, grafted=False)
    assert any(warning.startswith("Rising PTH") for warning in warnings) == told


def test_less_calcium_in_the_dialysate_raises_a_high_pth_and_the_forecast_says_so():
    usual, poor = outlook_of([treated(days=364)], [treated(dialysate_mmol_l=1.0, days=364)]).courses
    assert not any("Rising PTH" in warning for warning in usual.warnings)
    assert any("Rising PTH" in warning for warning in poor.warnings)


def test_where_every_option_harms_none_is_named():
    today = treated(3.0, days=7)
    outlook = outlook_of([today, treated(9.0, 7.0, 1.75)], [today, treated(9.0, 9.0, 1.75)])
    assert headline(outlook).startswith("No option is named")
    alone = outlook_of([today, treated(9.0, 3.0)])
    assert headline(alone).endswith("but calcium stays above 10.2 mg/dL")


@pytest.mark.parametrize(
    "treatment",
    [treated(12.0, 10.0, 1.75), treated(30.0, 50.0), {"days": 365, "dialysis": None}],
    ids=["calcium far too high", "further still", "no kidneys, no dialysis"],
)
def test_levels_that_nobody_lives_with_are_called_outside_the_model(treatment):
    content = {"patient": {"deposit_calcium_g": 25}, "phases": [treatment]}
    (course,) = forecast(parse_scenario(content), ensemble=2).courses
    assert course.warnings[0].startswith("Outside the model")
    assert course.left_out == "no patient lives with such levels"


@pytest.mark.parametrize(
    ("calcium", "lasts"),
    [
        ([9.5] * 20, False),
        ([9.5] * 5 + [10.8] * 3 + [9.5] * 12, False),
        ([9.5] * 5 + [10.8] * 6 + [9.5] * 9, True),
        ([9.5] * 19 + [10.8], True),
        ([10.8] * 10 + [9.5] * 10, False),
        ([10.8] * 20, True),
    ],
    ids=["never", "two weeks", "five weeks", "ends in it", "today's, cured", "today's, stays"],
)
def test_hypercalcaemia_that_treatment_ends_is_not_held_against_it(calcium, lasts):
    weekly = 7.0 * np.arange(20)
    assert lasting_hypercalcaemia(weekly, {"calcium_mg_dl": np.array(calcium)}) is lasts


def test_without_dialysis_the_page_speaks_of_none_and_ranks_nothing_that_is_sure():
    plan = {"days": 60, "dialysis": None}
    less = [{"name": "less phosphorus", "phases": [{**plan, "diet": {"phosphorus_mg_d": 700}}]}]
    scenario = {"patient": {"gfr_ml_min": 25}, "phases": [plan], "compare": less}
    outlook = forecast(parse_scenario(scenario), ensemble=12)
    assert headline(outlook).startswith("Ca × P stays below 55")
    page = render(outlook)
    assert "session" not in page
    assert "Before dialysis" not in page


def test_a_plan_of_a_day_has_no_later_change():
    day = outlook_of([treated(3.0, days=1)])
    assert "within a day" in headline(day)
    assert "last change comes later" not in render(day)
    later = outlook_of([treated(3.0, days=28), treated(6.0, days=1)])
    assert "its last change comes later" in render(later)


def test_a_plan_that_ends_sooner_is_not_called_best_and_the_page_says_when_it_ends():
    outlook = outlook_of([treated(3.0)], [{**treated(3.0, days=60), "dialysis": NIGHTLY}])
    assert "option 0" not in headline(outlook)
    assert "Option 0: ends on day 56" in render(outlook)
    assert "within 56 days" in headline(outlook_of([treated(3.0, days=60)]))


def test_where_hardly_any_patient_gets_there_no_option_is_named():
    poor = {"sessions_per_week": 2}
    outlook = outlook_of([{**treated(), "dialysis": poor}], [{**treated(1.0), "dialysis": poor}])
    seen = [course.outcomes["chance_deposit_halved"] for course in outlook.courses]
    assert max(seen) < 0.1
    assert headline(outlook).startswith("No option is likely to halve the deposit within a year")


def test_where_only_an_option_that_harms_gets_there_the_headline_does_not_say_that_none_does():
    content = {
        "patient": {"labs": [{**one, "value": value} for one, value in
                             zip(labs(35), (10.5, 5.4, 35), strict=True)]},
        "phases": [treated(6.0, 1.0, 1.75)],
        "compare": [{"name": "unload", "phases": [treated(dialysate_mmol_l=1.25)]}],
    }  # fmt: skip
    outlook = forecast(parse_scenario(content), ensemble=12)
    loaded, _ = (course.outcomes["chance_product_below_55"] for course in outlook.courses)
    assert loaded > 0.3
    assert headline(outlook).startswith("No option without levels that nobody would leave so is")


def test_options_that_do_as_much_are_named_together_whatever_their_order():
    nightly = {**treated(), "dialysis": NIGHTLY}
    outlook = outlook_of([treated(3.0)], [nightly], [nightly])
    assert "option 0 or option 1" in headline(outlook)


def test_ending_a_calcimimetic_is_judged_by_the_pth_that_it_held_down():
    held = {**treated(), "calcimimetic": {"drug": "cinacalcet"}}
    on, off = outlook_of([held], [{"days": 365, "calcimimetic": None}]).courses
    assert on.central["pth_pg_ml"][0] == off.central["pth_pg_ml"][0]
    assert not any(w.startswith("Rising PTH") for w in on.warnings)
    assert any(w.startswith("Rising PTH") for w in off.warnings)


def test_a_phase_in_which_nothing_changes_changes_nothing():
    cut = {**treated(), "event": {"parathyroidectomy": {"remnant_fraction": 0.05}}}
    whole, parts = outlook_of([cut], [{**cut, "days": 5}, {"days": 3}, {"days": 357}]).courses
    assert np.array_equal(whole.day, parts.day)
    for key, value in whole.outcomes.items():
        assert parts.outcomes[key] == pytest.approx(value, rel=1e-3, abs=1e-5), key


def test_a_product_kept_low_by_hypocalcaemia_is_not_called_best():
    weekly = 7.0 * np.arange(20)
    phosphate = np.full(20, 4.0)
    low = {"calcium_mg_dl": np.full(20, 7.2), "phosphate_mg_dl": phosphate}
    cured = {"calcium_mg_dl": np.geomspace(6.8, 8.2, 20), "phosphate_mg_dl": phosphate}
    assert left_out(weekly, low, grafted=False) == "calcium stays below 7.5 mg/dL"
    assert left_out(weekly, cured, grafted=False) == ""


def test_an_option_that_depletes_phosphate_is_not_called_best_unless_a_new_kidney_loses_it():
    weekly = 7.0 * np.arange(20)
    levels = {"calcium_mg_dl": np.full(20, 9.0), "phosphate_mg_dl": np.geomspace(5.0, 1.0, 20)}
    assert left_out(weekly, levels, grafted=False) == "phosphate stays below 2 mg/dL"
    assert left_out(weekly, levels, grafted=True) == ""


def test_only_where_treatment_changes_the_chart_has_a_mark():
    cut = {
        "days": 200,
        "name": "operation",
        "event": {"parathyroidectomy": {"remnant_fraction": 1}},
    }
    start, rest = {**treated(3.0), "days": 100}, {"days": 100, "name": "goes on"}
    (course,) = outlook_of([start, rest, {**cut, "binder": None}]).courses
    assert [name for _, name in course.phases] == ["", "goes on", "operation"]
    assert course.changes == ((200, "operation"),)
    page = render(Outlook((course,), ()))
    assert "goes on</title>" not in page
    assert "operation</title>" in page
    assert "Triangles: treatment changes." in page


def test_the_page_explains_no_marks_where_there_are_none(loaded):
    assert "Triangles" not in render(loaded)


def test_nightly_dialysis_beside_a_binder_is_warned_of_low_phosphate():
    usual, nightly = outlook_of([treated(3.0)], [{**treated(3.0), "dialysis": NIGHTLY}]).courses
    assert not any(w.startswith("Low phosphate") for w in usual.warnings)
    assert any(w.startswith("Low phosphate") for w in nightly.warnings)
