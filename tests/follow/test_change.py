"""How much a mass changed, and how sure that is."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calcinosis.follow.change import Change, calcium_change, volume_change
from calcinosis.measure.mass import Calibration
from ct_scene import MASS

AT_120 = Calibration(0.759, 0.09, 120.0, "tables")
AT_100 = Calibration(0.662, 0.09, 100.0, "tables")
millilitres = st.floats(1, 3000)


def mass(volume_ml, spread=0.1, calcium_mg=1000.0):
    interval = volume_ml * (1 - spread), volume_ml * (1 + spread)
    return replace(MASS, volume_ml=volume_ml, volume_ci95_ml=interval, calcium_mass_mg=calcium_mg)


@given(millilitres, millilitres, st.floats(0.02, 1))
def test_looked_at_from_the_other_end_a_change_is_its_inverse(earlier_ml, later_ml, spread):
    forth = volume_change([mass(earlier_ml, spread)], [mass(later_ml, spread)])
    back = volume_change([mass(later_ml, spread)], [mass(earlier_ml, spread)])
    assert forth.ratio * back.ratio == pytest.approx(1)
    assert forth.ratio_ci95[0] * back.ratio_ci95[1] == pytest.approx(1)
    assert forth.is_sure == back.is_sure


@given(millilitres, millilitres)
def test_two_masses_together_change_no_less_surely_than_one(one_ml, other_ml):
    one = volume_change([mass(one_ml)], [mass(one_ml)])
    both = volume_change([mass(one_ml), mass(other_ml)], [mass(one_ml), mass(other_ml)])
    assert both.ratio_ci95[1] <= one.ratio_ci95[1] * 1.000001


def test_a_mass_twice_as_large_has_surely_grown_and_doubles_in_that_time():
    change = volume_change([mass(40)], [mass(80)])
    assert change.is_sure
    assert change.doubling_days(182) == pytest.approx(182)
    assert volume_change([mass(80)], [mass(40)]).doubling_days(182) == pytest.approx(-182)


def test_what_may_be_chance_has_no_pace():
    change = volume_change([mass(40, 0.4)], [mass(42, 0.4)])
    assert not change.is_sure
    assert change.doubling_days(182) is None


def test_without_days_there_is_no_pace():
    assert Change(40, 80, 2.0, (1.8, 2.2)).doubling_days(None) is None
    assert Change(40, 80, 2.0, (1.8, 2.2)).doubling_days(0) is None


def test_two_tube_voltages_make_a_change_of_calcium_less_sure():
    before, after = [mass(40)], [mass(40, calcium_mg=750.0)]
    same = calcium_change(before, after, (AT_120, AT_120))
    other = calcium_change(before, after, (AT_120, AT_100))
    assert same.ratio == other.ratio == pytest.approx(0.75)
    assert same.is_sure
    assert other.ratio_ci95[0] < same.ratio_ci95[0] < same.ratio_ci95[1] < other.ratio_ci95[1]


def test_nothing_is_no_ratio():
    assert volume_change([], [mass(40)]) is None
    assert calcium_change([mass(40, calcium_mg=0.0)], [mass(40)], (AT_120, AT_120)) is None
