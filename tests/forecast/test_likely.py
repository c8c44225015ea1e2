"""Of drawn patients those are kept that lead to what was measured."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calcinosis.forecast.likely import likely


def test_patients_as_likely_as_they_were_drawn_are_kept_evenly():
    misses = np.random.default_rng(1).normal(size=(40, 2))
    assert np.diff(likely(misses, misses, 10)).tolist() == [4] * 9


def test_patients_who_miss_what_was_measured_are_left_out():
    straight = np.zeros((6, 1))
    misses = np.array([[8.0], [0.0], [7.0], [0.1], [-9.0], [0.0]])
    assert set(likely(misses, straight, 30).tolist()) == {1, 3, 5}


def test_draws_that_were_too_wide_get_the_spread_of_the_measurement():
    """Misses bend: a draw that straight lines put 1 SD off is 3 off. Those kept are 1 SD off."""
    straight = np.random.default_rng(2).normal(size=(20_000, 1))
    kept = likely(3 * straight, straight, 5000)
    assert (3 * straight[kept]).std() == pytest.approx(1, rel=0.05)


@given(st.integers(1, 50), st.integers(1, 80), st.integers(0, 1000))
def test_as_many_are_chosen_as_asked_for(drawn, count, seed):
    rng = np.random.default_rng(seed)
    kept = likely(rng.normal(0, 40, (drawn, 3)), rng.normal(0, 1, (drawn, 3)), count)
    assert len(kept) == count
    assert kept.min() >= 0
    assert kept.max() < drawn
