"""The laboratory against the limits the rules ask about."""

import pytest

from calcinosis.explain.blood import blood, kidney_disease, on_dialysis, parathyroid
from calcinosis.explain.management import load_rulebook
from calcinosis.lab_result import LabResult
from calcinosis.patient import Patient
from calcinosis.read.case_file import Case


def patient(ckd=None, **labs):
    units = {"pth": "pg/mL", "creatinine": "mg/dL"}
    results = [LabResult.measured(k, v, units.get(k, "mg/dL")) for k, v in labs.items()]
    return Patient(ckd=ckd, age_years=50).with_labs(tuple(results))


def holds(of, *args, **labs):
    return {n: c.holds for n, c in of(patient(*args, **labs), load_rulebook().thresholds)}


def test_kidneys_nobody_spoke_of_are_judged_by_creatinine_or_not_at_all():
    assert kidney_disease(patient()) is None
    assert kidney_disease(patient(creatinine=6.0)) is True
    healthy = patient(creatinine=0.8)
    assert kidney_disease(healthy) is False
    assert on_dialysis(healthy) is False


@pytest.mark.parametrize(
    ("ckd", "low", "high"),
    [
        ("dialysis_hd", True, False),
        ("ckd_nondialysis", False, True),
        ("ckd_unspecified", None, None),
    ],
)
def test_a_pth_of_100_is_low_on_dialysis_high_before_it_and_open_where_nobody_says(ckd, low, high):
    found = holds(parathyroid, ckd, pth=100.0)
    assert (found["pth_low"], found["pth_high"]) == (low, high)


@pytest.mark.parametrize(("word", "low"), [("low", True), ("normal", None), ("high", False)])
def test_pth_called_normal_on_dialysis_leaves_open_whether_it_is_low(word, low):
    spoken = Patient(ckd="dialysis_pd", levels={"pth": word})
    found = dict(parathyroid(spoken, load_rulebook().thresholds))
    assert found["pth_low"].holds is low
    assert found["pth_very_high"].holds is (None if word == "high" else False)


@pytest.mark.parametrize(
    ("calcium", "name"),
    [
        (7.0, "calcium_severely_low"),
        (12.5, "calcium_very_high"),
        (14.5, "calcium_crisis"),
    ],
)
def test_calcium_that_does_not_wait_has_one_name(calcium, name):
    found = holds(blood, calcium=calcium)
    severe = ("calcium_severely_low", "calcium_very_high", "calcium_crisis")
    assert [other for other in severe if found[other]] == [name]


def test_calcium_not_measured_is_neither_low_nor_normal():
    found = holds(blood)
    assert {found[name] for name in found if name.startswith("calcium")} == {None}


def test_a_value_known_by_its_range_is_told_by_the_word_for_it():
    told = dict(blood(Patient(ranges={"phosphate": (7.0, 9.0)}), load_rulebook().thresholds))
    assert told["phosphate_high"].text == "phosphate high"


def test_an_old_ionised_calcium_does_not_silence_todays_crisis():
    both = (
        LabResult.measured("ionized_calcium", 1.2, "mmol/L", "2020-01-01"),
        LabResult.measured("calcium", 14.8, "mg/dL", "2025-01-01"),
    )
    today = Patient(labs=both)
    told = dict(blood(today, load_rulebook().thresholds))
    assert told["calcium_crisis"].holds is True
    assert told["calcium_crisis"].text == "calcium 14.8 mg/dL (3.69 mmol/L)"
    assert today.level("calcium") == "high"
    assert Case().informed_by(today).labs.ionized_ca_mmol_l is None
    together = Patient(labs=(both[0], LabResult.measured("calcium", 14.8, "mg/dL", "2020-01-05")))
    assert together.level("calcium") == "normal"
