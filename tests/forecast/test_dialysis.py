"""Sessions fall on real weekdays, and what a session does looks like a session."""

import numpy as np
import pytest

from calcinosis.forecast.dialysis import arterial_share, exchange, is_session_day
from calcinosis.forecast.parameters import population
from calcinosis.forecast.prescription import before_day_0, prescribe
from calcinosis.forecast.scenario import Haemodialysis, PeritonealDialysis, parse_scenario
from calcinosis.forecast.session import session
from calcinosis.forecast.simulate import simulate, starting_state
from calcinosis.forecast.treatments import timeline

WEDNESDAY, FRIDAY, MONDAY = 0, 2, 5


def week(rate, start=0):
    return [day for day in range(start, start + 7) if is_session_day(day, rate)]


def test_three_a_week_are_monday_wednesday_friday():
    assert week(3) == [WEDNESDAY, FRIDAY, MONDAY]


@pytest.mark.parametrize("rate", [1, 2, 3, 3.5, 4, 5, 5.3, 6, 7])
def test_over_ten_weeks_there_are_as_many_sessions_as_prescribed(rate):
    assert sum(is_session_day(day, rate) for day in range(70)) == round(10 * rate)
    assert all(is_session_day(7 * w, rate) for w in range(10)), "midweek is always sampled"


def predialysis(weekday, analyte):
    p = population()
    scenario = parse_scenario({"phases": [{"days": 28, "dialysis": {}}]})
    before = before_day_0(scenario.patient, scenario.phases[0])[-1]
    course = timeline(prescribe(before, scenario.phases), p)
    states, _ = simulate(starting_state(p, before), p, course)
    row = np.flatnonzero(course.session & (course.day % 7 == weekday))[-1]
    return states[row, analyte]


def test_the_long_gap_ends_with_the_highest_phosphate_and_most_fluid():
    for amount in (4, 0):  # central phosphate, volume
        monday, wednesday, friday = (predialysis(d, amount) for d in (MONDAY, WEDNESDAY, FRIDAY))
        assert monday > wednesday
        assert monday > friday


def usual_session(**dialysis):
    p = population()
    scenario = parse_scenario({"phases": [{"days": 1, "dialysis": dialysis}]})
    before = before_day_0(scenario.patient, scenario.phases[0])[-1]
    return session(before, p, starting_state(p, before), 0.0)


def test_phosphate_falls_by_half_in_the_first_hour_and_climbs_before_the_end():
    """Kidney Blood Press Res 2018;43:110: falls of 47 +- 14 % at 1 h and 45 +- 11 % at 4 h."""
    seen = usual_session(hours=4)
    fall = 1 - seen.phosphate_mg_dl / seen.phosphate_mg_dl[0]
    assert 0.33 < fall[seen.hours == 1.0].item() < 0.62
    assert 0.34 < fall[-1] < 0.56
    assert seen.phosphate_mg_dl[-1] > seen.phosphate_mg_dl[seen.hours == 2.0].item()


def test_blood_flow_through_tissue_bounds_what_a_better_dialyser_removes():
    usual, double = (usual_session(phosphate_clearance_ml_min=ml) for ml in (150, 300))
    cleared, better = (
        seen.phosphate_removed_mg[1] / seen.phosphate_mg_dl[0] for seen in (usual, double)
    )
    assert 1.5 < better / cleared < 1.9, "in a quarter of an hour, before the pools are emptier"


def test_arterial_blood_falls_at_once_and_a_peritoneum_takes_no_such_toll():
    p = population()
    for ml, low, high in ((80, 0.90, 0.96), (150, 0.82, 0.92), (300, 0.70, 0.85)):
        on = exchange(Haemodialysis(phosphate_clearance_ml_min=ml), p)
        assert low < arterial_share(on.p_clearance, p) < high
    peritoneal = exchange(PeritonealDialysis(modality="pd", phosphate_clearance_ml_min=4), p)
    assert peritoneal.p_clearance == pytest.approx(4 * 60 / 1000)


def test_low_calcium_dialysate_takes_calcium_and_high_gives_it():
    taken = [
        usual_session(dialysate_calcium_mmol_l=bath).calcium_removed_mg[-1]
        for bath in (1.25, 1.5, 1.75)
    ]
    assert taken[0] > taken[1] > taken[2]
    assert taken[2] < -250  # Front Med 2021;8:704970: 488 mg gained by diffusion alone
    assert (
        usual_session(dialysate_calcium_mmol_l=1.75).pth_pg_ml[-1]
        < 0.5 * (usual_session(dialysate_calcium_mmol_l=1.75).pth_pg_ml[0])
    )


def test_fluid_returns_to_dry_weight_after_every_session():
    p = population()
    scenario = parse_scenario({"phases": [{"days": 14, "dialysis": {"ultrafiltration_l": 3}}]})
    before = before_day_0(scenario.patient, scenario.phases[0])[-1]
    course = timeline(prescribe(before, scenario.phases), p)
    states, _ = simulate(starting_state(p, before), p, course)
    ends = np.flatnonzero(course.session) + 1
    np.testing.assert_allclose(states[ends, 0], p.ecf_volume, rtol=1e-9)
