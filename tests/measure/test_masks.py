"""Masks are asked what scipy.ndimage answers too."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from calcinosis.measure.masks import bounds, grown, places, rim, without_holes

SHAPES = st.lists(st.integers(1, 9), min_size=2, max_size=3).map(tuple)
SHARES = st.floats(0, 1)
SEEDS = st.integers(0, 999)


def drawn(shape, share, seed):
    return np.random.default_rng(seed).random(shape) < share


@settings(max_examples=100, deadline=None)
@given(st.tuples(*[st.integers(1, 9)] * 3), st.floats(0, 0.05), SEEDS)
def test_bounds_are_the_box_that_scipy_finds(shape, share, seed):
    mask = drawn(shape, share, seed)
    found = ndimage.find_objects(mask.astype(np.uint8))
    assert bounds(mask) == (found or [(slice(0, 1),) * 3])[0]


@pytest.mark.parametrize("beyond", [False, True])
@settings(max_examples=100, deadline=None)
@given(SHAPES, SHARES, SEEDS)
def test_the_rim_is_what_erosion_takes(beyond, shape, share, seed):
    mask = drawn(shape, share, seed)
    eroded = ndimage.binary_erosion(mask, border_value=beyond)
    np.testing.assert_array_equal(rim(mask, beyond=beyond), mask & ~eroded)


@settings(max_examples=100, deadline=None)
@given(SHAPES, st.floats(0, 0.2), SEEDS, st.integers(1, 4))
def test_growing_is_dilation(shape, share, seed, steps):
    mask = drawn(shape, share, seed)
    np.testing.assert_array_equal(grown(mask, steps), ndimage.binary_dilation(mask, None, steps))


@settings(max_examples=100, deadline=None)
@given(SHAPES, SHARES, SEEDS)
def test_holes_are_filled_as_scipy_fills_them(shape, share, seed):
    mask = drawn(shape, share, seed)
    np.testing.assert_array_equal(without_holes(mask), ndimage.binary_fill_holes(mask))


def test_a_mask_given_is_left_as_it_was():
    mask = drawn((7, 8, 9), 0.5, 1)
    before = mask.copy()
    for question in (rim, grown, without_holes, places):
        question(mask)
    np.testing.assert_array_equal(mask, before)


@settings(max_examples=50, deadline=None)
@given(SHAPES, SHARES, SEEDS)
def test_places_are_those_of_argwhere_in_its_order_of_memory(shape, share, seed):
    mask = drawn(shape, share, seed)
    found = places(mask)
    np.testing.assert_array_equal(found, np.argwhere(mask))
    assert found.strides == np.argwhere(mask).strides or found.size == 0
