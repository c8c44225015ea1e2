"""Distances up to a reach are the ones an exact distance transform gives."""

import edt
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from calcinosis.measure.distance import distance_within

SPACINGS = st.tuples(*[st.floats(0.4, 3)] * 3)


@settings(max_examples=40, deadline=None)
@given(SPACINGS, st.floats(0.5, 12), st.integers(0, 99), st.floats(0.001, 0.3))
def test_within_reach_they_are_exact_and_beyond_it_infinite(spacing, reach_mm, seed, holes):
    mask = np.random.default_rng(seed).random((9, 14, 20)) > holes
    exact = np.asarray(edt.edt(mask, anisotropy=spacing, parallel=1))
    found = distance_within(mask, reach_mm, spacing)
    near = exact <= reach_mm
    np.testing.assert_allclose(found[near], exact[near], rtol=1e-5)
    assert (found[exact > reach_mm * 1.001] == np.inf).all()


def test_a_mask_without_an_outside_is_infinitely_far_from_it():
    assert (distance_within(np.ones((3, 4, 5), bool), 9.0, (1.0, 1.0, 1.0)) == np.inf).all()
