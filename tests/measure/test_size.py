"""Diameters are true extents of the surface."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calcinosis.measure.size import diameters
from calcinosis.volume import Volume


def ellipsoid(semi_axes_mm, spacing_mm, rotation):
    """Occupancy of an ellipsoid, sampled 3³ times per voxel, and the volume it lies in."""
    size = [int(2.2 * max(semi_axes_mm) / s) + 3 for s in spacing_mm]
    fine = [
        (np.arange(3 * n) - (3 * n - 1) / 2) * s / 3 for n, s in zip(size, spacing_mm, strict=True)
    ]
    places = np.stack(np.meshgrid(*fine, indexing="ij"), -1) @ rotation
    inside = ((places / np.array(semi_axes_mm)) ** 2).sum(-1) <= 1
    shape = [n for pair in ((n, 3) for n in size) for n in pair]
    occupancy = inside.reshape(shape).mean((1, 3, 5)).astype(np.float32)
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = *spacing_mm, 1
    return Volume(np.zeros(occupancy.shape, np.int16), affine), occupancy


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(*[st.floats(6, 14)] * 3),
    st.tuples(st.floats(0.5, 2.5), st.floats(0.5, 1.2), st.floats(0.5, 1.2)),
    st.integers(0, 1000),
)
def test_the_diameters_of_a_tilted_ellipsoid_are_its_longest_axes(axes, spacing, seed):
    rotation = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))[0]
    volume, occupancy = ellipsoid(axes, spacing, rotation)
    measured = diameters(volume, occupancy)
    ordered = sorted((2 * axis for axis in axes), reverse=True)
    diagonal = float(np.linalg.norm(spacing))
    assert measured.max_mm == pytest.approx(ordered[0], abs=0.75 * diagonal)
    assert ordered[1] - 1.5 * diagonal <= measured.perpendicular_mm <= measured.max_mm + 1e-6


def test_the_ends_lie_as_far_apart_as_the_diameter():
    measured = diameters(*ellipsoid((5, 8, 12), (1, 1, 1), np.eye(3)))
    first, second = (np.array(end) for end in measured.ends_lps_mm)
    assert np.linalg.norm(first - second) == pytest.approx(measured.max_mm)


def test_a_single_voxel_has_a_diameter_too():
    occupancy = np.zeros((5, 5, 5), np.float32)
    occupancy[2, 2, 2] = 1
    measured = diameters(Volume(np.zeros((5, 5, 5), np.int16), np.eye(4)), occupancy)
    assert 0.5 < measured.max_mm < 2
