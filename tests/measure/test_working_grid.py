"""Going to the 1.5 mm grid and back keeps places and amounts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calcinosis.measure.working_grid import GRID_MM, resample

SPACINGS = st.tuples(st.floats(0.4, 3), st.floats(0.4, 1.5), st.floats(0.4, 1.5))


@settings(max_examples=20, deadline=None)
@given(SPACINGS, st.tuples(*[st.floats(-3, 3)] * 3))
def test_a_linear_ramp_survives_there_and_back(spacing, slope):
    shape = tuple(int(40 / s) for s in spacing)
    places = np.indices(shape) * np.array(spacing)[:, None, None, None]
    ramp = np.tensordot(slope, places, 1) * 20
    grid = resample(np.round(ramp).astype(np.int16), spacing)
    box = tuple(slice(int(8 / s), int(32 / s)) for s in spacing)
    assert np.abs(grid.to_native(grid.hu, box) - ramp[box]).max() < 1.5


@settings(max_examples=15, deadline=None)
@given(SPACINGS, st.floats(5, 12))
def test_the_amount_in_a_ball_is_kept(spacing, radius_mm):
    shape = tuple(int(60 / s) for s in spacing)
    places = (np.indices(shape).T * spacing - np.array(shape) * spacing / 2).T
    distance = np.linalg.norm(places, axis=0)
    ball = (np.clip(radius_mm - distance + 0.5, 0, 1) * 1000).astype(np.int16)
    grid = resample(ball, spacing)
    amount = ball.sum(dtype=float) * np.prod(spacing)
    assert grid.hu.sum(dtype=float) * GRID_MM**3 == pytest.approx(amount, rel=0.03)


def test_a_point_keeps_its_place():
    voxels = np.zeros((40, 60, 60), np.int16)
    voxels[20, 31, 17] = 1000
    grid = resample(voxels, (2.0, 0.8, 0.8))
    found = np.array(np.unravel_index(grid.hu.argmax(), grid.hu.shape)) * grid.step
    assert np.abs(found - (20, 31, 17)).max() <= 1.0
