"""Extremes near a voxel are those that scipy.ndimage finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from calcinosis.measure.extremes import extreme_in_box, extreme_near

FILTERS = pytest.mark.parametrize(
    ("extreme", "filtered"),
    [(np.maximum, ndimage.maximum_filter), (np.minimum, ndimage.minimum_filter)],
)
SHAPES = st.tuples(*[st.integers(1, 9)] * 3)
SEEDS = st.integers(0, 999)


def drawn(shape, seed):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@FILTERS
@settings(max_examples=100, deadline=None)
@given(SHAPES, st.tuples(*[st.integers(0, 5)] * 3), SEEDS)
def test_in_a_box_they_are_the_filters_of_scipy(extreme, filtered, shape, reach, seed):
    field = drawn(shape, seed)
    found = extreme_in_box(field, reach, extreme)
    np.testing.assert_array_equal(found, filtered(field, [2 * steps + 1 for steps in reach]))


@FILTERS
@settings(max_examples=100, deadline=None)
@given(SHAPES, st.tuples(*[st.floats(0, 3.2)] * 3), SEEDS)
def test_in_an_ellipsoid_they_are_the_filters_of_scipy(extreme, filtered, shape, radii, seed):
    field = drawn(shape, seed)
    axes = np.ogrid[tuple(slice(-int(radius), int(radius) + 1) for radius in radii)]
    near = sum((axis / max(r, 1)) ** 2 for axis, r in zip(axes, radii, strict=True)) <= 1
    np.testing.assert_array_equal(
        extreme_near(field, near, extreme), filtered(field, footprint=near)
    )
