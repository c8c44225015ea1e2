"""The forecast beside a study whose masses were measured before, and what was done before today."""

from datetime import date
from itertools import pairwise

import pytest

from calcinosis.errors import InputError
from calcinosis.forecast.given_prescription import GivenPrescription, prescription_for
from calcinosis.forecast.patient_forecast import (
    MeasuredBefore,
    forecast_for,
    since_operation,
    until_today,
)
from calcinosis.forecast.prescription import before_day_0
from calcinosis.forecast.scenario import Phase, ScenarioPatient
from calcinosis.forecast.usual_options import options_for
from calcinosis.lab_result import LabResult
from calcinosis.patient import Patient

TODAY = date(2025, 7, 1)
OPERATED = {"days": 120, "event": {"parathyroidectomy": {"remnant_fraction": 0.05}}}
GRAFTED = {"days": 400, "event": {"transplantation": {"graft_gfr_ml_min": 50}}}
FAILED = {"days": 60, "event": {"graft_failure": {}}}


def dialysed(day=TODAY, **more):
    values = {"calcium": 9.6, "phosphate": 6.4, "pth": 820} | more
    return Patient(
        ckd="dialysis_hd",
        labs=tuple(
            LabResult.measured(name, value, "pg/mL" if name == "pth" else "mg/dL", day)
            for name, value in values.items()
        ),
    )


def forecasts(monkeypatch, patient=None, before=None, **prescription):
    """A forecast of two months, by few conceivable patients: what is asked here shows in it."""
    monkeypatch.setattr("calcinosis.forecast.patient_forecast.DAYS_AHEAD", 63)
    given = GivenPrescription.model_validate(prescription) if prescription else None
    return forecast_for(
        patient or dialysed(), [12.5], prescription=given, before=before, ensemble=2
    )


def deposit(outlook):
    return outlook.courses[0].central["deposit_calcium_g"]


@pytest.fixture(scope="module")
def shrank():
    with pytest.MonkeyPatch.context() as patched:
        return forecasts(patched, before=MeasuredBefore(180, 1.8, TODAY))


@pytest.fixture(scope="module")
def operated():
    earlier, before = dialysed(date(2025, 1, 20)), MeasuredBefore(180, 1.8, TODAY)
    with pytest.MonkeyPatch.context() as patched:
        return forecasts(patched, earlier, before, history=[OPERATED])


def test_a_mass_that_shrank_goes_on_as_one_that_grew_does_not(shrank, monkeypatch):
    grew = forecasts(monkeypatch, dialysed(None), MeasuredBefore(180, 0.6, TODAY))
    assert all(later < day for day, later in pairwise(deposit(shrank)))
    assert all(later > day for day, later in pairwise(deposit(grew)))
    for outlook in (shrank, grew):
        assert deposit(outlook)[0] == pytest.approx(12.5, rel=0.2)  # the masses of today


def test_that_treatment_may_have_been_another_between_the_scans_stands_first(shrank, operated):
    assert "Between the two scans" in shrank.doubts[0]
    assert shrank.assumptions[0] == shrank.doubts[0]
    assert not any("Between the two scans" in line for line in operated.assumptions)


def test_what_the_masses_did_is_told_without_any_day(operated):
    told = "in the 180 days between two scans: then they held 180 % of today's calcium."
    assert any(line.endswith(told) for line in operated.assumptions)
    assert not any("2025" in line for line in operated.assumptions)


def test_an_operation_of_the_history_has_lowered_pth_by_today(operated):
    assert operated.courses[0].central["pth_pg_ml"][0] < 200


def test_pth_of_before_the_operation_is_no_reason_to_lower_it_again(operated):
    assert not {"parathyroidectomy", "calcimimetic"} & {c.name for c in operated.courses}


def test_pth_that_stayed_high_after_the_operation_is():
    given = GivenPrescription.model_validate({"history": [OPERATED]})
    assert since_operation(dialysed(), given, TODAY).value("pth") == 820
    assert since_operation(dialysed(date(2025, 1, 20)), given, TODAY).value("pth") is None


def test_what_the_history_does_not_name_was_as_today():
    given = GivenPrescription.model_validate(
        {"dialysis": {"dialysate_calcium_mmol_l": 1.75}, "history": [OPERATED]}
    )
    now = options_for(dialysed(), given)[0]
    patient = ScenarioPatient.model_validate({"history": until_today(given, now)})
    long_before, since = before_day_0(patient, Phase.model_validate({"days": 1, **now.phase}))
    assert (long_before.remnant_fraction, since.remnant_fraction) == (1, 0.05)
    assert {one.dialysis.dialysate_calcium_mmol_l for one in (long_before, since)} == {1.75}


def test_a_graft_that_works_beside_dialysis_is_refused_before_anything_is_measured():
    given = GivenPrescription.model_validate({"history": [GRAFTED]})
    with pytest.raises(InputError, match=r"history: found a graft that filters 50 mL/min"):
        prescription_for(dialysed(), given)
    failed = GivenPrescription.model_validate({"history": [GRAFTED, FAILED]})
    assert prescription_for(dialysed(), failed) is failed


def test_the_failure_of_no_graft_is_refused_by_the_name_of_its_field():
    given = GivenPrescription.model_validate({"history": [FAILED]})
    with pytest.raises(InputError, match=r"prescription: history\.0\.event\.graft_failure"):
        prescription_for(dialysed(), given)
