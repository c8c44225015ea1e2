"""What a nephrologist asks: the options side by side, the fit to the patient, the command."""

import csv
import json
import subprocess
import sys
from datetime import date, timedelta

import numpy as np
import pytest

from calcinosis.errors import InputError, NotReadableError
from calcinosis.forecast.assumptions import assumptions
from calcinosis.forecast.observed import Observation, beyond_bounds, joint_scatter
from calcinosis.forecast.outlook import forecast
from calcinosis.forecast.patient_forecast import forecast_for
from calcinosis.forecast.prescription import before_day_0
from calcinosis.forecast.scenario import parse_scenario, read_scenario
from calcinosis.forecast.wording import calcimimetic_in_words
from calcinosis.lab_result import LabResult
from calcinosis.patient import Patient
from calcinosis.write.forecast_page.files import summary
from calcinosis.write.forecast_page.page import render

CUT = {"parathyroidectomy": {"remnant_fraction": 0.05}}
GRAFT = {"transplantation": {"graft_gfr_ml_min": 50}}
PTH_HIGH = [
    {"date": "2025-01-08", "analyte": "calcium", "value": 9.6, "unit": "mg/dL"},
    {"date": "2025-01-08", "analyte": "phosphate", "value": 6.8, "unit": "mg/dL"},
    {"date": "2025-01-08", "analyte": "pth", "value": 1661, "unit": "pg/mL"},
    {"date": "2025-04-08", "analyte": "calcium", "value": 9.6, "unit": "mg/dL"},
    {"date": "2025-04-08", "analyte": "phosphate", "value": 6.8, "unit": "mg/dL"},
    {"date": "2025-04-08", "analyte": "pth", "value": 1661, "unit": "pg/mL"},
]


@pytest.fixture(scope="module")
def options():
    scenario = parse_scenario(
        {
            "patient": {"labs": PTH_HIGH, "deposit_calcium_g": 20},
            "phases": [{"days": 364, "name": "as now", "dialysis": {}}],
            "compare": [
                {"name": "parathyroidectomy", "phases": [{"days": 364, "event": CUT}]},
                {"name": "transplantation", "phases": [{"days": 364, "event": GRAFT}]},
                {"name": "no binder", "phases": [{"days": 364, "binder": None}]},
            ],
        }
    )
    outlook = forecast(scenario, ensemble=24)
    return outlook, {course.name: course for course in outlook.courses}


def test_the_fit_starts_from_the_measured_labs(options):
    start = {name: values[0] for name, values in options[1]["as now"].central.items()}
    assert start["calcium_mg_dl"] == pytest.approx(9.6, rel=0.05)
    assert start["phosphate_mg_dl"] == pytest.approx(6.8, rel=0.1)
    assert start["pth_pg_ml"] == pytest.approx(1661, rel=0.2)
    assert start["deposit_calcium_g"] == pytest.approx(20)


def test_it_says_what_the_data_moved_and_what_stayed_prior(options):
    said = {finding.name: finding.moved for finding in options[0].fit}
    assert said["gland"]
    assert said["p_intake_factor"]
    assert not said["mobilisation"], "no post-dialysis phosphate was given"


def test_parathyroidectomy_ends_pth_and_warns_of_hungry_bone(options):
    course = options[1]["parathyroidectomy"]
    assert course.central["pth_pg_ml"][course.day == 28].item() < 0.2 * 1661
    assert course.central["calcium_mg_dl"].min() < 9.0
    assert any("Hungry bone" in warning for warning in course.warnings)
    assert not any("Hungry bone" in warning for warning in options[1]["as now"].warnings)


def test_a_patient_within_all_targets_is_warned_of_nothing():
    labs = [
        {"date": f"2025-0{month}-08", "analyte": analyte, "value": value, "unit": unit}
        for month in (1, 2, 3)
        for analyte, value, unit in (
            ("calcium", 9.1, "mg/dL"), ("phosphate", 4.9, "mg/dL"), ("pth", 250, "pg/mL"),
        )
    ]  # fmt: skip
    drugs = {"binder": {"drug": "sevelamer", "g_per_day": 4.8}, "active_vitamin_d_ug_per_week": 2}
    scenario = parse_scenario(
        {"patient": {"labs": labs}, "phases": [{"days": 364, "dialysis": {}, **drugs}]}
    )
    (course,) = forecast(scenario, ensemble=24).courses
    assert course.warnings == ()


def operated_on(*alp_u_l):
    alp = [
        {"date": f"2025-0{month}-08", "analyte": "alp", "value": value, "unit": "U/L"}
        for month, value in enumerate(alp_u_l, start=2)
    ]
    scenario = parse_scenario(
        {
            "patient": {"labs": PTH_HIGH + alp},
            "phases": [{"days": 91, "dialysis": {}, "event": CUT}],
        }
    )
    return forecast(scenario, ensemble=64)


def test_alp_moves_bone_turnover_and_with_it_the_fall_of_calcium():
    """Alike but for ALP, 1.5 and 4 times normal: ALP tells who will have hungry bone."""
    quiet, busy = operated_on(112), operated_on(300)
    turnover, more = (
        {finding.name: finding for finding in outlook.fit}["turnover"] for outlook in (quiet, busy)
    )
    assert turnover.moved
    assert turnover.value < 0.7 * more.value
    high, low = (outlook.courses[0] for outlook in (quiet, busy))
    assert high.central["calcium_mg_dl"].min() > low.central["calcium_mg_dl"].min() + 0.3
    chance = "chance_calcium_below_7_5"
    assert low.outcomes[chance] > high.outcomes[chance] + 0.05


def test_many_alp_results_tell_hardly_more_of_bone_than_one():
    once, often = (
        {finding.name: finding for finding in operated_on(*alp).fit}["turnover"]
        for alp in ([112], [112, 112, 112])
    )
    assert often.value == pytest.approx(once.value, rel=0.1)
    assert often.high / often.low > 0.9 * once.high / once.low


def cost_of(*misses):
    """How unlikely such misses of ALP (logarithm) are, as the fit counts them."""
    results = [Observation(0, "alp_relative", 1.0, 0.14) for _ in misses]
    return float((np.linalg.solve(joint_scatter(results), misses) ** 2).sum())


def test_a_level_of_alp_counts_once_but_its_trend_counts_in_full():
    assert cost_of(0.3, 0.3, 0.3) < 1.25 * cost_of(0.3)
    assert cost_of(-0.3, 0.0, 0.3) > 10 * cost_of(0.3)


def test_a_bound_costs_next_to_nothing_on_its_side_and_like_a_value_far_from_it():
    misses = np.array([-3.0, 0.0, 5.0])
    more, less, value = (beyond_bounds(misses, np.full(3, bound)) for bound in (1, -1, 0))
    assert value.tolist() == misses.tolist()
    assert more == pytest.approx([0.05, 1.18, 5.5], abs=0.1)
    assert less[0] == pytest.approx(beyond_bounds(np.array([3.0]), np.array([1]))[0])


def test_without_alp_turnover_is_not_fitted(options):
    assert "turnover" not in {finding.name for finding in options[0].fit}


def with_an_operation_in_its_history(pth_after, operation=CUT):
    after = [
        {"date": "2025-06-04", "analyte": analyte, "value": value, "unit": unit}
        for analyte, value, unit in (
            ("calcium", 8.8, "mg/dL"), ("phosphate", 5.2, "mg/dL"), ("pth", pth_after, "pg/mL"),
        )
    ]  # fmt: skip
    history = [{"days": 100, "dialysis": {}}, {"days": 50, "event": operation}]
    scenario = parse_scenario(
        {"patient": {"labs": PTH_HIGH + after, "history": history}, "phases": [{"days": 28}]}
    )
    return forecast(scenario, ensemble=64)


def test_pth_after_an_operation_tells_whether_it_failed():
    failed, worked = (with_an_operation_in_its_history(pth) for pth in (900, 60))
    function, less = (
        {finding.name: finding for finding in outlook.fit}["remnant_function"]
        for outlook in (failed, worked)
    )
    assert function.moved
    assert function.value > 4 * less.value
    for outlook, pth in ((failed, 900), (worked, 60)):
        course = outlook.courses[0]
        assert course.central["pth_pg_ml"][0] == pytest.approx(pth, rel=0.3)
        assert course.high["pth_pg_ml"][0] < 7 * pth


def test_a_high_pth_after_removal_of_all_tells_of_a_gland_that_was_overlooked():
    outlook = with_an_operation_in_its_history(
        600, {"parathyroidectomy": {"remnant_fraction": 0.0}}
    )
    overlooked = {finding.name: finding for finding in outlook.fit}["overlooked_tissue"]
    assert overlooked.moved
    assert overlooked.value > 10 * overlooked.typical
    assert outlook.courses[0].central["pth_pg_ml"][0] == pytest.approx(600, rel=0.3)


def test_before_an_operation_nobody_knows_whether_it_will_fail(options):
    course = options[1]["parathyroidectomy"]
    month = course.day == 28
    pth = course.high["pth_pg_ml"][month].item()
    assert pth > 600
    assert 0.03 < course.outcomes["chance_pth_above_300"] < 0.5


def test_a_graft_lowers_the_product_and_most_likely_shrinks_the_deposit(options):
    graft, now = options[1]["transplantation"], options[1]["as now"]
    assert graft.outcomes["chance_product_below_55"] > 0.9
    assert graft.outcomes["deposit_relative"] < 0.6
    assert graft.outcomes["chance_deposit_halved"] > now.outcomes["chance_deposit_halved"]


FAILED = {"event": {"graft_failure": {"gfr_ml_min": 1}}}


def test_when_a_graft_fails_the_patient_is_a_dialysis_patient_again():
    """Two years after the failure phosphate and PTH are those of one who never had a graft."""
    grafted = {"days": 364, "event": GRAFT}
    scenario = parse_scenario(
        {
            "patient": {"deposit_calcium_g": 10},
            "phases": [grafted, {"days": 728, **FAILED, "name": "failed"}],
            "compare": [
                {"name": "works on", "phases": [grafted, {"days": 728}]},
                {"name": "never", "phases": [{"days": 1092, "dialysis": {}}]},
            ],
        }
    )
    failed, works, never = forecast(scenario, ensemble=2).courses
    phosphate, pth = "phosphate_mg_dl", "pth_pg_ml"
    assert failed.central[phosphate][-1] > works.central[phosphate][-1] + 1.5
    assert failed.central[phosphate][-1] == pytest.approx(never.central[phosphate][-1], rel=0.1)
    assert failed.central[pth][-1] > 2 * works.central[pth][-1]
    assert failed.sessions[1] is not None, "haemodialysis begins without a word"


def test_a_graft_of_years_ago_can_fail_today():
    """The history tells of it; before the graft the patient was dialysed, not left to die."""
    content = {
        "patient": {"history": [{"days": 700, "event": GRAFT}]},
        "phases": [{"days": 364, **FAILED}],
    }
    (course,) = forecast(parse_scenario(content), ensemble=2).courses
    phosphate = course.central["phosphate_mg_dl"]
    assert 2.5 < phosphate[0] < 4.5
    assert phosphate[-1] > phosphate[0] + 1.5


@pytest.mark.parametrize(
    ("phases", "said"),
    [
        ([{"days": 9, "event": GRAFT}, {"days": 9, "dialysis": {}}], r"phases\.1\.dialysis"),
        ([{"days": 9}, {"days": 9, **FAILED}], r"phases\.1\.event\.graft_failure"),
        ([{"days": 9, "event": GRAFT}, {"days": 9, **FAILED}, {"days": 9, **FAILED}],
         r"phases\.2\.event\.graft_failure"),
        ([{"days": 9, "event": {**GRAFT, **FAILED["event"]}}], "no graft that could fail"),
    ],
)  # fmt: skip
def test_a_plan_that_contradicts_a_graft_is_refused(phases, said):
    for plan in (
        {"phases": phases},
        {"phases": [{"days": 9}], "compare": [{"name": "b", "phases": phases}]},
    ):
        with pytest.raises(InputError, match=said):
            forecast(parse_scenario(plan), ensemble=2)


def test_a_young_graft_may_need_dialysis_and_a_poor_one_too():
    late = [{"days": 9, "event": GRAFT, "dialysis": {}}, {"days": 9, "dialysis": None}]
    poor = [
        {"days": 9, "event": {"transplantation": {"graft_gfr_ml_min": 8}}},
        {"days": 9, "dialysis": {}},
    ]
    for phases in (late, poor):
        forecast(parse_scenario({"phases": phases}), ensemble=2)


def test_bands_hold_the_central_course_and_the_deposit_band_widens(options):
    for course in options[1].values():
        for name, centre in course.central.items():
            assert (course.low[name] <= centre * 1.001).all(), (course.name, name)
            assert (centre <= course.high[name] * 1.001).all(), (course.name, name)
        deposit = "deposit_calcium_g"
        width = (course.high[deposit] - course.low[deposit]) / course.central[deposit]
        assert width[-1] > 1.5 * width[0]


def test_no_chance_is_given_as_never_or_certain(options):
    for course in options[1].values():
        chances = [v for k, v in course.outcomes.items() if k.startswith("chance")]
        assert all(0 < chance < 1 for chance in chances)
        assert not any("100 %" in warning for warning in course.warnings)


def test_calcium_settles_after_a_load_that_raised_it_little():
    """Salts, rich dialysate, vitamin D, yet calcium 9.6: all stopped, nobody falls to 7 mg/dL."""
    labs = [
        {"date": f"2025-0{month}-08", "analyte": analyte, "value": value, "unit": unit}
        for month in (1, 2, 3)
        for analyte, value, unit in (
            ("calcium", 9.6, "mg/dL"), ("phosphate", 5.5, "mg/dL"), ("pth", 60, "pg/mL"),
        )
    ]  # fmt: skip
    rich, usual = {"dialysate_calcium_mmol_l": 1.75}, {}
    salts = {"drug": "calcium_carbonate", "g_per_day": 6}
    resin = {"drug": "sevelamer", "g_per_day": 9.6}
    load, stopped = (
        {"days": days, "dialysis": bath, "binder": binder, "active_vitamin_d_ug_per_week": dose}
        for days, bath, binder, dose in ((28, rich, salts, 3), (364, usual, resin, 0))
    )
    scenario = parse_scenario({"patient": {"labs": labs}, "phases": [load, stopped]})
    (course,) = forecast(scenario, ensemble=2).courses
    calcium = course.central["calcium_mg_dl"]
    assert calcium[0] == pytest.approx(9.6, rel=0.05)
    assert 7.7 < calcium.min() < 9.2


def test_unnamed_treatment_goes_on_and_null_ends_it():
    scenario = parse_scenario(
        {
            "phases": [
                {"days": 28, "dialysis": {}, "binder": {"drug": "lanthanum", "g_per_day": 3}},
                {"days": 56, "name": "unchanged"},
                {"days": 56, "name": "stopped", "binder": None},
            ]
        }
    )
    (course,) = forecast(scenario, ensemble=2).courses
    phosphate = course.central["phosphate_mg_dl"]
    unchanged = phosphate[course.day == 77].item()
    assert unchanged == pytest.approx(phosphate[course.day == 28].item(), rel=0.02)
    assert phosphate[course.day == 133].item() > unchanged + 0.5


@pytest.mark.filterwarnings("error")
def test_a_plan_of_one_day_is_drawn_as_the_sample_of_today():
    scenario = parse_scenario({"phases": [{"days": 1, "dialysis": {}}]})
    outlook = forecast(scenario, ensemble=2)
    assert outlook.courses[0].day.tolist() == [0]
    page = render(outlook)
    assert "nan" not in page
    assert page.count("<circle") == 4, "a line through one point would not be seen"


def test_weekly_rows_are_midweek_samples():
    scenario = parse_scenario({"phases": [{"days": 100, "dialysis": {}}]})
    (course,) = forecast(scenario, ensemble=2).courses
    assert (course.day[course.day > 14] % 7 == 0).all()
    assert list(course.day[:5]) == [0, 2, 5, 7, 9]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"phases": []}, "phases"),
        ({"phases": [{"days": 10, "dose": 3}]}, "phases.0.dose"),
        ({"phases": [{"days": 10, "dialysis": {"hours": 30}}]}, "phases.0.dialysis.hours"),
        ({"phases": [{"days": -1}]}, "phases.0.days"),
        ({"phases": [{"days": 9, "dialysis": {"modality": "hdf"}}]}, "dialysis.modality"),
        ({"phases": [{"days": 9, "binder": {"drug": "chalk", "g_per_day": 1}}]}, "binder.drug"),
        ({"patient": {"weight": 60}, "phases": [{"days": 9}]}, "patient.weight"),
    ],
)
def test_a_wrong_field_is_refused_by_name(content, named):
    with pytest.raises(InputError, match=named.replace(".", r"\.")):
        parse_scenario(content)


NINE = {"days": 9}
RESIN = {"drug": "sevelamer", "g_per_day": 4.8}
SALTS_AND_RESINS = (
    "'sevelamer', 'lanthanum', 'sucroferric_oxyhydroxide', 'ferric_citrate', 'calcium_acetate', "
    "'calcium_carbonate', 'magnesium_carbonate' or 'aluminium_hydroxide'"
)
LAB = {"date": "2025-01-08", "analyte": "pth", "value": 9, "unit": "pg/mL"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"phases": []}, "phases: found an empty list, expected at least one entry"),
        ({}, "phases: found nothing, expected this field"),
        ([], "the scenario: found [], expected an object in braces"),
        ({"phases": 3}, "phases: found 3, expected a list in brackets"),
        ({"phases": [{"days": "long"}]}, 'phases.0.days: found "long", expected a number'),
        (
            {"phases": [{**NINE, "binder": {"drug": "sevelamer", "g_per_day": True}}]},
            "phases.0.binder.g_per_day: found true, expected a value, or null for none",
        ),
        (
            {"patient": {"deposit_calcium_g": 1200}, "phases": [NINE]},
            "patient.deposit_calcium_g: found 1200, expected at most 1000",
        ),
        ({"phases": [{"days": 0}]}, "phases.0.days: found 0, expected at least 1"),
        ({"phases": [{**NINE, "dose": 3}]}, "phases.0.dose: there is no such field"),
        (
            {"phases": [{**NINE, "dialysis": {"sessions_per_week": 14}}]},
            "phases.0.dialysis.sessions_per_week: found 14, expected at most 7",
        ),
        (
            {"phases": [{**NINE, "dialysis": {"modality": "hdf"}}]},
            "phases.0.dialysis.modality: found \"hdf\", expected 'hd' or 'pd'",
        ),
        (
            {"phases": [{**NINE, "dialysis": {"modality": "pd", "hours": 4}}]},
            "phases.0.dialysis.hours: there is no such field",
        ),
        (
            {"phases": [{**NINE, "dialysis": "hd"}]},
            'phases.0.dialysis: found "hd", expected an object in braces',
        ),
        (
            {"phases": [{**NINE, "binder": {"drug": "chalk", "g_per_day": 1}}]},
            'phases.0.binder.drug: found "chalk", expected ' + SALTS_AND_RESINS,
        ),
        (
            {"phases": [{**NINE, "binder": [RESIN, {"drug": "sevelamer"}]}]},
            "phases.0.binder.1.g_per_day: found nothing, expected this field",
        ),
        (
            {"phases": [{**NINE, "binder": [RESIN, RESIN]}]},
            (
                'phases.0.binder: found [{"drug": "sevelamer", "g_per_day": 4.8}, {"drug": '
                '"sevel..., expected each drug once (sevelamer stands twice)'
            ),
        ),
        (
            {"phases": [{**NINE, "binder": []}]},
            "phases.0.binder: found an empty list, expected at least one entry",
        ),
        (
            {"phases": [NINE], "compare": [{"name": " ", "phases": [NINE]}]},
            'compare.0.name: found " ", expected a text that is not empty',
        ),
        (
            {"phases": [{**NINE, "calcimimetic": {"drug": "cinacalcet", "mg_per_week": 21}}]},
            (
                'phases.0.calcimimetic: found {"drug": "cinacalcet", "mg_per_week": 21}, '
                "expected of cinacalcet one dose: mg_per_day or relative_dose"
            ),
        ),
        (
            {"phases": [{**NINE, "calcimimetic": {"drug": "etelcalcetide", "mg_per_week": 50}}]},
            "phases.0.calcimimetic.mg_per_week: found 50, expected at most 45",
        ),
        (
            {"phases": [{**NINE, "name": ""}]},
            'phases.0.name: found "", expected a text that is not empty',
        ),
        (
            {"patient": {"labs": [{**LAB, "date": "8.1.2025"}]}, "phases": [NINE]},
            'patient.labs.0.date: found "8.1.2025", expected a date as YYYY-MM-DD',
        ),
        (
            {"patient": {"labs": [{**LAB, "date": 20250108}]}, "phases": [NINE]},
            "patient.labs.0.date: found 20250108, expected a date as YYYY-MM-DD",
        ),
        (
            {"patient": {"labs": [{**LAB, "value": ">2000"}]}, "phases": [NINE]},
            'patient.labs.0.value: found ">2000", expected a number',
        ),
        (
            {"patient": {"labs": [{**LAB, "value": 0}]}, "phases": [NINE]},
            "patient.labs.0.value: found 0, expected more than 0",
        ),
        (
            {"patient": {"deposit_calcium_g": float("nan")}, "phases": [NINE]},
            "patient.deposit_calcium_g: found NaN, expected a finite number",
        ),
    ],
)
def test_what_is_wrong_is_said_in_plain_words_and_as_the_file_has_it(content, said):
    with pytest.raises(InputError) as refused:
        parse_scenario(content, name="plan.json")
    assert str(refused.value) == f"plan.json: {said}"


@pytest.mark.parametrize(
    ("lab", "said"),
    [
        (
            {"analyte": "phosphate", "value": 5, "unit": "ml"},
            "result 1: phosphate is not measured in 'ml'",
        ),
        ({"analyte": "sodium", "value": 140, "unit": "mmol/L"}, "result 1"),
        ({"analyte": "creatinine", "value": 8, "unit": "mg/dL"}, "not fitted"),
        ({"analyte": "deposit_calcium", "value": 8, "unit": "mg"}, "expected 'g'"),
        (
            {"analyte": "deposit_calcium", "value": 8000, "unit": "g"},
            "8000 g; expected at most 1000",
        ),
        (
            {"analyte": "deposit_calcium", "value": 8, "unit": "g", "date": "2125-01-08"},
            "2125-01-08 lies in the future",
        ),
    ],
)
def test_a_wrong_result_is_refused_by_number(lab, said):
    scenario = parse_scenario(
        {"patient": {"labs": [{"date": "2025-01-08", **lab}]}, "phases": [{"days": 9}]}
    )
    with pytest.raises(InputError, match=said):
        forecast(scenario, ensemble=2)


def with_pth(value, comparator=""):
    labs = tuple(
        LabResult.measured(name, number, unit, "2024-01-05", sign)
        for name, number, unit, sign in (
            ("calcium", 2.4, "mmol/L", ""),
            ("phosphate", 1.9, "mmol/L", ""),
            ("pth", value, "pg/mL", comparator),
        )
    )
    return forecast_for(Patient(ckd="dialysis_hd", labs=labs), [12.5], ensemble=12)


def pth_today(outlook):
    course = outlook.courses[0]
    return course.central["pth_pg_ml"][0], course.high["pth_pg_ml"][0]


def test_pth_above_the_measuring_range_is_at_least_that_high_in_the_forecast():
    exact, censored = with_pth(2000), with_pth(2000, ">")
    (level, highest), (at_least, far) = pth_today(exact), pth_today(censored)
    assert at_least > level
    assert far > 1.2 * highest, "nobody knows how far above"
    assert any("parathyroid hormone (intact) > 2000 pg/mL" in line for line in censored.assumptions)
    assert not any("bounds" in line for line in exact.assumptions)


def test_pth_below_detection_is_no_usual_pth():
    level, highest = pth_today(with_pth(5, "<"))
    assert level < 15
    assert highest < 50


def test_a_result_that_does_not_go_with_the_treatment_is_named(options):
    usual, _ = options
    assert not any(line.startswith("Not reached") for line in usual.assumptions)
    low = {**LAB, "analyte": "phosphate", "value": 2.0, "unit": "mg/dL"}
    said = forecast(parse_scenario({"patient": {"labs": [low]}, "phases": [NINE]}), ensemble=2)
    assert said.assumptions[0].startswith("Not reached by the fit: phosphate 2 mg/dL, where")
    assert said.doubts == said.assumptions[:1]
    page = render(said)
    assert page.count(said.doubts[0]) == 1
    assert page.index(said.doubts[0]) < page.index("Before dialysis, over time")
    assert next(iter(summary(said))) == said.doubts[0]
    (intake,) = (finding for finding in said.fit if finding.name == "p_intake_factor")
    assert intake.high < intake.typical
    assert intake.moved, "one result is enough to pull it far, though it leaves much open"


def test_of_several_results_one_that_is_not_reached_is_named_with_its_date():
    lows = [
        {"date": day, "analyte": "phosphate", "value": value, "unit": "mg/dL"}
        for day, value in (("2025-01-08", 5.5), ("2025-02-05", 1.2), ("2025-03-05", 5.6))
    ]
    said = forecast(parse_scenario({"patient": {"labs": lows}, "phases": [NINE]}), ensemble=2)
    assert said.assumptions[0].startswith("Not reached by the fit: phosphate 1.2 mg/dL of 2025-02")


def test_dialysis_beside_kidneys_that_work_is_refused_and_beside_a_failed_graft_is_not():
    dialysed = {"days": 9, "dialysis": {}}
    for plan in (
        {"phases": [dialysed]},
        {"phases": [NINE], "compare": [{"name": "hd", "phases": [dialysed]}]},
    ):
        with pytest.raises(InputError, match=r"dialysis: found while own kidneys filter 60 mL/min"):
            forecast(parse_scenario({"patient": {"gfr_ml_min": 60}, **plan}), ensemble=2)
    grafted = [{"days": 9, "event": GRAFT}, {"days": 9, **FAILED}, dialysed]
    forecast(parse_scenario({"patient": {"gfr_ml_min": 20}, "phases": [dialysed]}), ensemble=2)
    forecast(parse_scenario({"patient": {"gfr_ml_min": 60}, "phases": grafted}), ensemble=2)


def test_a_bound_that_tells_nothing_new_changes_nothing():
    unbounded = with_pth(1, ">")
    level, _ = pth_today(unbounded)
    assert level > 100, "as in other patients with such calcium and phosphate"


def test_a_file_that_is_no_json_is_refused(tmp_path):
    path = tmp_path / "scenario.json"
    path.write_text("{")
    with pytest.raises(NotReadableError, match="is not JSON"):
        read_scenario(path)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"phases": ' + "1" * 5000 + "}"])
def test_json_too_deep_or_with_a_number_too_long_is_refused(text, tmp_path):
    path = tmp_path / "scenario.json"
    path.write_text(text)
    with pytest.raises(NotReadableError, match="is not JSON"):
        read_scenario(path)


def test_a_file_that_begins_with_the_mark_of_some_editors_is_read(tmp_path):
    path = tmp_path / "scenario.json"
    path.write_text('{"phases": [{"days": 28}]}', encoding="utf-8-sig")
    assert read_scenario(path).phases[0].days == 28


def test_a_field_that_stands_twice_is_refused(tmp_path):
    path = tmp_path / "scenario.json"
    path.write_text('{"phases": [{"days": 28, "days": 364}]}')
    with pytest.raises(InputError, match="days: found twice"):
        read_scenario(path)


MASS = {"date": "2025-01-08", "analyte": "deposit_calcium", "value": 25, "unit": "g"}


@pytest.mark.filterwarnings("error")
def test_a_mass_alone_is_where_the_forecast_begins_and_tells_nothing_of_the_patient():
    outlook = forecast(parse_scenario({"patient": {"labs": [MASS]}, "phases": [NINE]}), ensemble=2)
    assert outlook.courses[0].central["deposit_calcium_g"][0] == pytest.approx(25)
    assert not any(finding.moved for finding in outlook.fit)


def test_a_mass_that_is_told_twice_is_refused():
    patient = {"deposit_calcium_g": 12, "labs": [MASS]}
    with pytest.raises(InputError, match="one or the other"):
        forecast(parse_scenario({"patient": patient, "phases": [NINE]}), ensemble=2)


@pytest.mark.parametrize(
    ("patient", "told"),
    [
        ({"deposit_calcium_g": 20}, "The deposit is taken for one mass"),
        ({"deposit_calcium_g": 20, "deposit_masses": 1}, None),
        ({"labs": [MASS], "deposit_masses": 8}, "The deposit counts as 8 masses"),
        ({}, None),
    ],
)
def test_it_is_told_as_how_many_masses_the_deposit_counts(patient, told):
    scenario = parse_scenario({"patient": patient, "phases": [NINE]})
    before = before_day_0(scenario.patient, scenario.phases[0])[-1]
    said = [line for line in assumptions(scenario, before) if "mass" in line]
    assert len(said) == bool(told)
    assert all(line.startswith(told) for line in said)


def test_of_binders_that_are_absorbed_it_is_told_what_the_model_leaves_out():
    phases = [
        {**NINE, "binder": [RESIN, {"drug": "magnesium_carbonate", "g_per_day": 2}]},
        {**NINE, "binder": {"drug": "aluminium_hydroxide", "g_per_day": 3}},
        {**NINE, "binder": {"drug": "ferric_citrate", "g_per_day": 0}},
    ]
    scenario = parse_scenario({"phases": phases})
    before = before_day_0(scenario.patient, scenario.phases[0])[-1]
    said = [line for line in assumptions(scenario, before) if "only the phosphate" in line]
    assert [line.split()[-4] for line in said] == ["aluminium", "magnesium"]


@pytest.mark.parametrize(
    ("dose", "strength", "words"),
    [
        ({"drug": "cinacalcet"}, 1, "cinacalcet at the mean dose of its trials"),
        ({"drug": "cinacalcet", "mg_per_day": 90}, 2, "cinacalcet 90 mg a day"),
        ({"drug": "cinacalcet", "mg_per_day": 180}, 3, "cinacalcet 180 mg a day"),
        ({"drug": "etelcalcetide", "mg_per_week": 21}, 1, "etelcalcetide 21 mg a week"),
        ({"drug": "etelcalcetide", "mg_per_week": None, "relative_dose": 2}, 2, "2 times"),
    ],
)
def test_a_calcimimetic_is_dosed_in_mg_or_relative_to_its_trials(dose, strength, words):
    mimetic = parse_scenario({"phases": [{**NINE, "calcimimetic": dose}]}).phases[0].calcimimetic
    assert mimetic.strength == strength
    assert words in calcimimetic_in_words(mimetic)


def test_two_doses_of_a_calcimimetic_are_refused():
    both = {"drug": "cinacalcet", "mg_per_day": 60, "relative_dose": 1}
    with pytest.raises(InputError, match=r"phases\.0\.calcimimetic: .* one dose"):
        parse_scenario({"phases": [{**NINE, "calcimimetic": both}]})


def test_it_is_told_that_much_cinacalcet_may_do_less_than_in_proportion():
    for mg, told in ((30, False), (90, True)):
        plan = {**NINE, "calcimimetic": {"drug": "cinacalcet", "mg_per_day": mg}}
        scenario = parse_scenario({"phases": [plan]})
        before = before_day_0(scenario.patient, scenario.phases[0])[-1]
        said = [line for line in assumptions(scenario, before) if "responds less" in line]
        assert bool(said) == told


def test_tablets_of_sucroferric_oxyhydroxide_taken_for_their_iron_are_remarked_on():
    for grams, told in ((3, False), (7.5, True)):
        binder = {"drug": "sucroferric_oxyhydroxide", "g_per_day": grams}
        scenario = parse_scenario({"phases": [{**NINE, "binder": [RESIN, binder]}]})
        before = before_day_0(scenario.patient, scenario.phases[0])[-1]
        assert any("meant as iron" in line for line in assumptions(scenario, before)) == told


def test_many_masses_shrink_sooner_than_one_that_holds_as_much():
    one, many = (
        forecast(
            parse_scenario(
                {
                    "patient": {"deposit_calcium_g": 20, "deposit_masses": masses},
                    "phases": [{"days": 28, "event": GRAFT}],
                }
            ),
            ensemble=2,
        ).courses[0]
        for masses in (1, 8)
    )
    lost = [1 - course.outcomes["deposit_relative"] for course in (one, many)]
    assert 1.5 * lost[0] < lost[1] <= 2.0 * lost[0]


def test_masses_without_their_calcium_are_refused():
    scenario = parse_scenario({"patient": {"deposit_masses": 3}, "phases": [NINE]})
    with pytest.raises(InputError, match="deposit_masses: found 3 without their calcium"):
        forecast(scenario, ensemble=2)


def test_two_deposit_measurements_move_the_deposit():
    """A mass that halved in a year under treatment goes on shrinking."""
    first = date(2024, 1, 3)
    series = [(0, 40.0), (364, 18.0)]
    labs = [
        {
            "date": str(first + timedelta(days)),
            "analyte": "deposit_calcium",
            "value": g,
            "unit": "g",
        }
        for days, g in series
    ] + [
        {"date": str(first + timedelta(d)), "analyte": a, "value": v, "unit": "mg/dL"}
        for d in (0, 180, 364)
        for a, v in (("calcium", 8.8), ("phosphate", 4.2))
    ]
    scenario = parse_scenario(
        {"patient": {"labs": labs}, "phases": [{"days": 364, "dialysis": {}}]}
    )
    outlook = forecast(scenario, ensemble=12)
    course, name = outlook.courses[0], "deposit_calcium_g"
    deposit = course.central[name]
    assert deposit[0] == pytest.approx(18, rel=0.25)
    assert deposit[-1] < 0.7 * deposit[0]
    # The band begins where the mass was measured: a tenth of scatter then, and of the forecast.
    assert 18 / 1.5 < course.low[name][0] < 18 < course.high[name][0] < 18 * 1.5
    assert {finding.name: finding.moved for finding in outlook.fit}["dissolution_rate"]


def test_an_analysed_dialysis_patient_gets_a_forecast_and_others_none():
    labs = tuple(
        LabResult.measured(name, value, unit)
        for name, value, unit in (
            ("calcium", 9.8, "mg/dL"), ("phosphate", 2.3, "mmol/L"), ("pth", 90, "pmol/L"),
        )
    )  # fmt: skip
    outlook = forecast_for(Patient(ckd="dialysis_hd", labs=labs), [10, 2.5], ensemble=4)
    assert any("counts as 1.7 masses" in line for line in outlook.assumptions)
    names = [course.name for course in outlook.courses]
    assert names[0] == "as now"
    assert "parathyroidectomy" in names
    assert outlook.courses[0].central["deposit_calcium_g"][0] == pytest.approx(12.5)
    assert forecast_for(Patient(ckd="none", labs=labs), [12.5]) is None
    assert forecast_for(Patient(ckd="dialysis_hd"), [12.5]) is None


def test_a_child_is_not_forecast_as_an_adult():
    labs = tuple(
        LabResult.measured(name, value, "mg/dL")
        for name, value in (("calcium", 9.8), ("phosphate", 7.4))
    )
    child, adult, unknown = (
        forecast_for(Patient(ckd="dialysis_hd", labs=labs, age_years=age), [12.5], ensemble=2)
        for age in (9, 18, None)
    )
    assert child is None
    assert adult is not None
    assert unknown is not None


def test_the_command_writes_page_table_and_json(tmp_path):
    path, out = tmp_path / "scenario.json", tmp_path / "out"
    phases = [{"days": 56, "name": "as <now>", "dialysis": {}}]
    path.write_text(json.dumps({"patient": {"deposit_calcium_g": 5}, "phases": phases}))
    run = subprocess.run(
        [sys.executable, "-m", "calcinosis", "forecast", path, "--output", out],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    rows = list(csv.DictReader((out / "forecast.csv").read_text().splitlines()))
    record = json.loads((out / "forecast.json").read_text())
    assert float(rows[0]["day"]) == 0
    assert {"name", "pth_pg_ml", "pth_pg_ml_low", "deposit_calcium_g_high"} <= set(rows[0])
    assert record["options"][0]["outcomes"]["chance_deposit_halved"] is not None
    page = (out / "forecast.html").read_text()
    assert "as &lt;now&gt;" in page
    assert "<svg" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    again = subprocess.run(
        [sys.executable, "-m", "calcinosis", "forecast", path, "--output", out],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert again.returncode == 2
    assert "not empty" in again.stderr
    assert "Traceback" not in again.stderr
    assert np.isfinite(float(rows[-1]["ca_p_product_mg2_dl2"]))


def test_a_night_of_dialysis_without_a_clearance_is_told():
    """Whoever changes hours alone keeps a day's clearance, which nights rarely have."""
    night, named = (
        {"dialysis": {"hours": 8, **more}} for more in ({}, {"phosphate_clearance_ml_min": 100})
    )
    (silent, told) = (
        forecast(parse_scenario({"phases": [{"days": 7, **phase}]}), ensemble=2).assumptions
        for phase in (named, night)
    )
    assert not any("mostly run slower" in line for line in silent)
    assert any(line.startswith("Sessions of 8 h clear 150 mL/min") for line in told)
