"""What was before today: operations in the history, and results drawn around them."""

import numpy as np
import pytest

from calcinosis.errors import InputError
from calcinosis.forecast.ensemble import past_of
from calcinosis.forecast.observed import Observation
from calcinosis.forecast.outlook import forecast
from calcinosis.forecast.parameters import population
from calcinosis.forecast.patient_forecast import labs_of
from calcinosis.forecast.patient_in_hand import sample_rows
from calcinosis.forecast.scenario import parse_scenario
from calcinosis.forecast.treatments import timeline
from calcinosis.lab_result import LabResult
from calcinosis.patient import Patient

CUT = {"parathyroidectomy": {"remnant_fraction": 0.05}}


def calcium_today(history=(), **first):
    content = {"patient": {"history": list(history)}, "phases": [{"days": 1, **first}]}
    return forecast(parse_scenario(content), ensemble=2).courses[0].central["calcium_mg_dl"][0]


def test_an_operation_that_begins_the_history_is_as_recent_as_it_says():
    """Two weeks after it bone is hungry; whoever was operated on long ago has settled."""
    recent = {"days": 14, "event": CUT}
    begins, follows = calcium_today([recent]), calcium_today([{"days": 700}, recent])
    assert begins == pytest.approx(follows, rel=0.01)
    assert begins < calcium_today([{"days": 3000, "event": CUT}]) - 0.5


def test_care_that_is_named_begins_with_the_operation_as_care_that_is_not():
    assert calcium_today(event=CUT, postoperative_care="usual") == calcium_today(event=CUT)


def lab(analyte, value, unit, day):
    return {"date": day, "analyte": analyte, "value": value, "unit": unit}


def operated(days_ago):
    """Results of the day before the operation and of today, 2026-10-01."""
    before = f"2026-09-{30 - days_ago:02}"
    labs = [lab("calcium", 9.6, "mg/dL", before), lab("pth", 1660, "pg/mL", before),
            lab("calcium", 7.2, "mg/dL", "2026-10-01"),
            lab("pth", 60, "pg/mL", "2026-10-01")]  # fmt: skip
    history = [{"days": 700}, {"days": days_ago, "event": CUT}]
    patient = {"history": history, "labs": labs}
    return forecast(parse_scenario({"patient": patient, "phases": [{"days": 1}]}), ensemble=2)


@pytest.mark.parametrize("days_ago", [5, 9])
def test_results_stay_on_their_side_of_an_operation(days_ago):
    """The nearest midweek sample lies after it for the result before, or before it for today's."""
    seen = operated(days_ago)
    assert not any(line.startswith("Not reached") for line in seen.assumptions)
    assert {finding.name: finding for finding in seen.fit}["gland"].value > 5
    assert seen.courses[0].central["pth_pg_ml"][0] < 120


def rows_of(history, *results):
    """Days, and whether treatment had changed, of the rows that results are read from."""
    patient = parse_scenario({"patient": {"history": history}, "phases": [{"days": 1}]}).patient
    past = past_of(patient, patient.history[0])
    course = timeline(past.prescriptions, population(), start_day=-past.days)
    rows = sample_rows(
        [Observation(day, "phosphate_mg_dl", 5.0, 0.1, *after) for day, *after in results], course
    )
    return np.append(course.day, 0.0)[rows].tolist()


def test_results_are_read_midweek_but_soon_after_a_change_where_they_are():
    history = [
        {"days": 70, "dialysis": {}},
        {"days": 28, "binder": {"drug": "sevelamer", "g_per_day": 5}},
    ]
    # Today; the second week, a Sunday and a Monday; the day of the change; a day before, midweek.
    assert rows_of(history, (0,), (-17,), (-16,), (-28,), (-30,)) == [0, -16, -16, -28, -28]
    # After a session: today's is not in the past; that of the day of the change is the new one's.
    assert rows_of(history, (0, True), (-28, True), (-30, True)) == [-7, -28, -35]


def test_phosphate_after_a_session_needs_one():
    labs = [
        lab("phosphate", 6, "mg/dL", "2026-10-01"),
        lab("phosphate_post", 3, "mg/dL", "2026-10-01"),
    ]
    content = {"patient": {"labs": labs}, "phases": [{"days": 9, "dialysis": {"modality": "pd"}}]}
    with pytest.raises(InputError, match="result 2: phosphate_post without haemodialysis"):
        forecast(parse_scenario(content), ensemble=2)


def test_a_slip_of_the_date_is_refused_before_centuries_are_simulated():
    labs = [lab("pth", 300, "pg/mL", day) for day in ("2026-10-01", "1026-10-01")]
    content = {"patient": {"labs": labs}, "phases": [{"days": 9}]}
    with pytest.raises(InputError, match="result 2: date 1026-10-01 lies more than 50 years"):
        forecast(parse_scenario(content), ensemble=2)


def said_of(phase, **patient):
    content = {"patient": patient, "phases": [{"days": 1, **phase}]}
    return forecast(parse_scenario(content), ensemble=2).assumptions


def test_the_treatment_of_today_is_told_whether_it_was_said_or_assumed():
    usual = "haemodialysis, 3 × a week, 4 hours a session"
    salts = {"binder": {"drug": "calcium_acetate", "g_per_day": 4}}
    (told,) = (line for line in said_of(salts) if line.startswith("Until today"))
    assert f"first phase: {usual}" in told
    assert "calcium acetate 4 g a day, no active vitamin D, no calcimimetic." in told
    history = [{"days": 90, "dialysis": {"modality": "pd"}}]
    (told,) = (line for line in said_of({}, history=history) if line.startswith("By the history"))
    assert "peritoneal dialysis" in told


def test_care_that_goes_on_since_an_operation_is_told():
    history = [{"days": 90, "event": CUT}]
    (told,) = (line for line in said_of({}, history=history) if line.startswith("By the history"))
    assert told.endswith("no calcimimetic, usual care after parathyroidectomy.")


FULL = [("calcium", 9.8, "mg/dL"), ("phosphate", 8.0, "mg/dL"), ("pth", 300, "pg/mL")]


def test_a_mass_is_as_measured_however_long_the_treatment_before_is_told():
    """Years of the same treatment say nothing new: the mass has not grown twice in them."""

    def after_a_year(history):
        labs = [lab(*one, "2026-10-01") for one in FULL]
        patient = {"deposit_calcium_g": 60, "labs": labs, "history": history}
        plan = {"patient": patient, "phases": [{"days": 364, "dialysis": {}}]}
        (course,) = forecast(parse_scenario(plan), ensemble=2).courses
        return course.outcomes["phosphate_mg_dl"], course.outcomes["deposit_relative"]

    untold, told = after_a_year([]), after_a_year([{"days": 1800, "dialysis": {}}])
    np.testing.assert_allclose(told, untold, rtol=0.02)


def two_masses(days_before, last_g):
    """An operation thirteen months after the first of two masses; today 2026-10-01."""
    history = [{"days": days_before, "dialysis": {}}, {"days": 365, "event": CUT}]
    before, after = ((9.8, 7.5, 1500, 20), (8.7, 5.5, 60, last_g))
    names = ("calcium", "mg/dL"), ("phosphate", "mg/dL"), ("pth", "pg/mL"), ("deposit_calcium", "g")
    labs = [
        lab(name, value, unit, day)
        for values, day in ((before, "2025-09-01"), (after, "2026-10-01"))
        for (name, unit), value in zip(names, values, strict=True)
    ]
    patient = {"gfr_ml_min": 0, "history": history, "labs": labs}
    return forecast(parse_scenario({"patient": patient, "phases": [{"days": 364}]}), ensemble=2)


def test_a_mass_begins_to_live_on_the_day_of_its_first_measurement():
    short, long = two_masses(35, 12), two_masses(700, 12)
    found = [{one.name: one.value for one in seen.fit} for seen in (short, long)]
    for name in ("growth_product", "growth_rate", "dissolution_rate"):
        assert found[1][name] == pytest.approx(found[0][name], rel=0.1)


def test_a_mass_that_vanished_is_reached_by_the_fit_with_all_other_results():
    assert not any(line.startswith("Not reached") for line in two_masses(35, 0.2).assumptions)


def test_an_operation_that_results_show_to_have_worked_is_not_forecast_to_have_failed():
    """PTH was 60 pg/mL weeks after it and is so today: no gland was overlooked."""
    labs = [lab("pth", 60, "pg/mL", day) for day in ("2026-08-20", "2026-10-01")]
    labs += [lab("pth", 1500, "pg/mL", "2026-06-01"), lab("calcium", 8.6, "mg/dL", "2026-10-01")]
    history = [{"days": 300, "dialysis": {}}, {"days": 84, "event": CUT}]
    plan = {"patient": {"history": history, "labs": labs}, "phases": [{"days": 180}]}
    (course,) = forecast(parse_scenario(plan), ensemble=32).courses
    assert course.high["pth_pg_ml"].max() < 200
    assert course.outcomes["chance_pth_above_300"] < 0.05


def test_a_mass_of_long_ago_is_said_to_be_taken_for_todays():
    labs = [lab("deposit_calcium", 20, "g", "2026-03-01"), lab("pth", 300, "pg/mL", "2026-10-01")]
    assert any("measured, 214 days ago" in line for line in said_of({}, labs=labs))
    labs[0]["date"] = "2026-10-01"
    assert not any("days ago" in line for line in said_of({}, labs=labs))


def test_a_plan_that_begins_with_a_graft_says_what_was_assumed_before_it():
    graft = {"transplantation": {"graft_gfr_ml_min": 50}}
    said = said_of({"event": graft, "dialysis": {"hours": 5}})
    assert not any("as in the first phase" in line for line in said)
    (told,) = (line for line in said if line.startswith("Long before the graft"))
    assert "4 hours a session" in told


def test_a_weight_that_is_not_given_is_told():
    assert "Dry weight 70 kg." in said_of({})
    assert not any(line.startswith("Dry weight") for line in said_of({}, dry_weight_kg=70))


def taken(*results):
    """Of a dialysis patient: what the forecast of a study fits to, as analyte, day and value."""
    labs = tuple(LabResult.measured(name, value, unit, at) for name, value, unit, at in results)
    fitted = labs_of(Patient(ckd="dialysis_hd", labs=labs))
    return sorted((one["analyte"], str(one["date"]), one["value"]) for one in fitted)


def test_an_old_corrected_calcium_does_not_hide_the_calcium_of_today():
    assert taken(
        ("corrected_calcium", 9.0, "mg/dL", "2023-01-02"),
        ("calcium", 10.4, "mg/dL", "2026-09-01"),
        ("phosphate", 6.0, "mg/dL", "2026-09-01"),
    ) == [("calcium", "2026-09-01", 10.4), ("phosphate", "2026-09-01", 6.0)]


def test_of_a_day_the_sample_before_dialysis_counts_and_calcium_once():
    assert taken(
        ("calcium", 9.2, "mg/dL", "2026-09-01T07:30"),
        ("corrected_calcium", 9.6, "mg/dL", "2026-09-01T07:30"),
        ("phosphate", 2.6, "mg/dL", "2026-09-01T12:10"),
        ("phosphate", 6.0, "mg/dL", "2026-09-01T07:30"),
    ) == [("corrected_calcium", "2026-09-01", 9.6), ("phosphate", "2026-09-01", 6.0)]


def kept_phosphate(patient, **phase):
    content = {"patient": patient, "phases": [{"days": 7, **phase}]}
    said = forecast(parse_scenario(content), ensemble=2).assumptions
    return [line for line in said if "yet keep phosphate" in line]


def test_kidneys_that_filter_well_and_keep_phosphate_are_said_to_be_outside_the_model():
    """Published: 17 years, filtration 97 mL/min, phosphate 2.23 mmol/L, PTH 5 pg/mL."""
    day = {"date": "1998-01-01", "analyte": "phosphate"}
    high = [{**day, "value": 2.23, "unit": "mmol/L"}]
    assert kept_phosphate({"gfr_ml_min": 97, "labs": high})
    assert not kept_phosphate({"gfr_ml_min": 97, "labs": [{**high[0], "value": 1.2}]})
    assert not kept_phosphate({"gfr_ml_min": 1, "labs": high}, dialysis={})


def test_a_dose_of_paricalcitol_is_not_taken_for_calcitriol_unsaid():
    asked = "of paricalcitol a quarter"
    assert any(asked in line for line in said_of({"active_vitamin_d_ug_per_week": 15}))
    assert not any(asked in line for line in said_of({"active_vitamin_d_ug_per_week": 6}))
