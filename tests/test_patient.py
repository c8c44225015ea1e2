"""The patient's blood: units in, canonical units out, and what follows from them."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calcinosis.analyte import ANALYTES, in_si, level_of
from calcinosis.errors import InputError
from calcinosis.lab_result import LabResult, doubts_about
from calcinosis.patient import Patient


def lab(analyte, value, unit, taken=None):
    return LabResult.measured(analyte, value, unit, taken)


@pytest.mark.parametrize(
    ("analyte", "value", "unit", "canonical"),
    [
        ("calcium", 2.5, "mmol/L", 10.02),
        ("phosphate", 2.0, "mmol/L", 6.194),
        ("pth", 100, "pmol/L", 943),
        ("pth", 300, "ng/L", 300),
        ("albumin", 40, "g/L", 4.0),
        ("vit_d25", 75, "nmol/L", 30.05),
        ("creatinine", 884.2, "µmol/L", 10.0),
        ("urate", 594.8, "umol/L", 10.0),
        ("ca_p_product", 5.0, "mmol²/L²", 62.06),
        ("2777-1", 5.5, "mg/dL", 5.5),
        ("Phosphorus", 5.5, "MG/DL", 5.5),
    ],
)
def test_si_and_conventional_units_meet_in_the_canonical_unit(analyte, value, unit, canonical):
    assert lab(analyte, value, unit).value == pytest.approx(canonical, rel=1e-3)


@given(st.sampled_from(sorted(ANALYTES)), st.floats(0.01, 0.99))
def test_si_there_and_back_changes_nothing(name, share):
    low, high = ANALYTES[name].possible
    value = low + share * (high - low)
    shown = in_si(name, value)
    if shown:
        assert lab(name, *shown).value == pytest.approx(value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("calcium", 9.5, None), "has no unit"),
        (("calcium", 9.5, " "), "has no unit"),
        (("calcium", 9.5, "pg/mL"), "is not measured in 'pg/mL'"),
        (("calcium", 2.4, "mg/dL"), "is impossible.*is it in mmol/L"),
        (("phosphate", -1, "mg/dL"), "is impossible"),
        (("phosphate", float("nan"), "mg/dL"), "is impossible"),
        (("2000-8", 9.5, "mg/dL"), "2000-8 is calcium in moles per volume"),
        (("17861-6", 2.4, "mmol/L"), "17861-6 is calcium in mass per volume"),
        (("troponin", 3, "ng/L"), "'troponin' is not known"),
        (("calcium", 9.5, "mg/dL", "2999-01-01"), "lies in the future"),
        (("calcium", 9.5, "mg/dL", "03/04/2020"), "is not a date; expected YYYY-MM-DD"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(arguments, message):
    with pytest.raises(InputError, match=message) as caught:
        lab(*arguments)
    assert "\n" not in str(caught.value)


def test_values_that_a_slip_of_unit_makes_are_doubted_once_for_each_analyte():
    slips = (
        lab("phosphate", 7.4, "mmol/L", "2024-01-02"),
        lab("phosphate", 6.9, "mmol/L", "2024-02-02"),
        lab("ionized_calcium", 4.8, "mmol/L"),
        lab("pth", 800, "pmol/L"),
        lab("creatinine", 8, "µmol/L"),
    )
    told = doubts_about(slips)
    assert len(told) == 4
    phosphate = next(line for line in told if line.startswith("Phosphate"))
    assert "22.92 mg/dL (7.4 mmol/L) and 1 more: outside 0.8 to 15 mg/dL" in phosphate


def test_severe_values_of_living_patients_are_not_doubted():
    severe = (("phosphate", 11.5, "mg/dL"), ("pth", 2362, "pg/mL"), ("calcium", 15.5, "mg/dL"))
    assert doubts_about(lab(*one) for one in severe) == ()


def test_low_albumin_raises_corrected_calcium_by_0_8_per_gram():
    patient = Patient(labs=(lab("calcium", 9.0, "mg/dL"), lab("albumin", 3.0, "g/dL")))
    assert patient.corrected_calcium_mg_dl == pytest.approx(9.8)
    assert patient.calcium_mg_dl == pytest.approx(9.8)


def test_calcium_is_not_corrected_with_an_albumin_of_another_month():
    patient = Patient(
        labs=(
            lab("calcium", 9.0, "mg/dL", "2024-03-01"),
            lab("albumin", 3.0, "g/dL", "2024-01-01"),
        )
    )
    assert patient.corrected_calcium_mg_dl is None
    assert patient.calcium_mg_dl == 9.0


def test_ionised_calcium_outranks_the_corrected_one():
    labs = (lab("calcium", 9.5, "mg/dL"), lab("ionized_calcium", 0.9, "mmol/L"))
    assert Patient(labs=labs).level("calcium") == "low"


def test_product_uses_corrected_calcium_and_is_high_above_55():
    patient = Patient(
        labs=(
            lab("calcium", 9.0, "mg/dL"),
            lab("albumin", 3.0, "g/dL"),
            lab("phosphate", 6.0, "mg/dL"),
        )
    )
    assert patient.ca_p_product_mg2_dl2 == pytest.approx(58.8)
    assert patient.level("ca_p_product") == "high"


def product(value, day):
    return lab("ca_p_product", value, "mg2/dL2", day)


def test_time_above_55_and_70_runs_along_straight_lines_between_results():
    day = date(2024, 1, 1)
    labs = (product(40, day), product(80, day + timedelta(days=100)))
    exposure = Patient(labs=labs).ca_p_exposure()
    assert exposure.days_observed == 100
    assert exposure.days_above_55 == pytest.approx(62.5)
    assert exposure.days_above_70 == pytest.approx(25)


def test_a_gap_of_over_half_a_year_counts_as_not_observed():
    labs = (product(80, "2023-01-01"), product(80, "2024-01-01"), product(80, "2024-02-01"))
    assert Patient(labs=labs).ca_p_exposure().days_observed == 31


def test_one_result_has_no_time_above_and_no_trend():
    patient = Patient(labs=(product(80, "2024-01-01"),))
    assert patient.ca_p_exposure() is None
    assert patient.trend("ca_p_product") is None


def test_trend_survives_one_outlier():
    values = [200, 300, 2000, 500, 600]
    labs = tuple(
        lab("pth", value, "pg/mL", date(2023, 1, 1) + timedelta(days=73 * i))
        for i, value in enumerate(values)
    )
    trend = Patient(labs=labs).trend("pth")
    assert trend.direction == "rising"
    assert trend.slope_per_year == pytest.approx(500, rel=0.3)


def test_of_one_day_the_first_result_counts_because_dialysis_lowers_the_second():
    labs = (
        lab("phosphate", 2.2, "mg/dL", "2024-01-01T12:00"),
        lab("phosphate", 6.8, "mg/dL", "2024-01-01T07:30"),
    )
    assert Patient(labs=labs).value("phosphate") == 6.8


def test_vintage_counts_from_the_first_dialysis_to_the_latest_result():
    patient = Patient(dialysis_start=date(2019, 1, 1), labs=(product(80, "2024-01-01"),))
    assert patient.vintage_years() == pytest.approx(5, abs=0.01)


def test_a_childs_phosphate_is_judged_by_age():
    assert level_of("phosphate", 5.2, age_years=40) == "high"
    assert level_of("phosphate", 5.2, age_years=8) == "normal"


def test_wording_counts_only_where_there_is_no_value():
    assert Patient(levels={"pth": "high"}).level("pth") == "high"
    measured = Patient(levels={"pth": "high"}, labs=(lab("pth", 30, "pg/mL"),))
    assert measured.level("pth") == "normal"


def test_a_range_tells_only_if_both_ends_agree():
    assert Patient(ranges={"phosphate": (6.0, 9.0)}).level("phosphate") == "high"
    assert Patient(ranges={"phosphate": (4.0, 9.0)}).level("phosphate") is None


def test_unknown_kidney_status_is_neither_dialysis_nor_none():
    assert Patient().on_dialysis is None
    assert Patient().kidney_disease is None
    assert Patient(ckd="ckd_unspecified").on_dialysis is None
    assert Patient(ckd="none").kidney_disease is False
    assert Patient(ckd="dialysis_pd").on_dialysis is True
