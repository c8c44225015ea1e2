"""What the network's region may hold beyond what is calcified: walls and fluid, but no muscle."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from calcinosis.measure.envelope import refine

SPACINGS = [(1.0, 1.0, 1.0), (2.5, 0.8, 0.8)]
PARTS = 3  # in which each voxel is drawn
MUSCLE_HU, FLUID_HU, PASTE_HU = 55, 12, 450


def ball(radius_mm, spacing_mm, middle_mm=(0, 0, 0)):
    """A ball in a block of 60 mm, on voxels of a third."""
    steps = [s / PARTS for s in spacing_mm]
    axes = [
        (np.arange(int(60 / s) * PARTS) + 0.5) * t - 30
        for s, t in zip(spacing_mm, steps, strict=True)
    ]
    offsets = zip(np.meshgrid(*axes, indexing="ij"), middle_mm, strict=True)
    return sum((place - middle) ** 2 for place, middle in offsets) <= radius_mm**2


def on_voxels(field):
    shape = [n for size in field.shape for n in (size // PARTS, PARTS)]
    return field.reshape(shape).mean(axis=(1, 3, 5)).astype(np.float32)


def outlined(hu, region, spacing_mm):
    """The outline, on fine voxels, where the network is sure of a whole region."""
    seen = gaussian_filter(on_voxels(hu), [0.6 / s for s in spacing_mm])
    seen += np.random.default_rng(5).normal(0, 20, seen.shape).astype(np.float32)
    held = on_voxels(region) > 0.5
    score = held.astype(np.float32)
    mask = refine(seen, score, np.zeros_like(score), spacing_mm, held).mask
    return mask.repeat(PARTS, 0).repeat(PARTS, 1).repeat(PARTS, 2)


@pytest.mark.parametrize("spacing_mm", SPACINGS)
@pytest.mark.parametrize(("between_hu", "held"), [(MUSCLE_HU, 0), (FLUID_HU, 1)])
def test_muscle_between_scattered_pieces_is_no_mass_but_fluid_is(between_hu, held, spacing_mm):
    pieces = ball(6, spacing_mm, (0, 0, -15)) | ball(6, spacing_mm, (0, 0, 15))
    region = ball(22, spacing_mm)
    hu = np.where(pieces, PASTE_HU, np.where(region, between_hu, MUSCLE_HU))
    mask = outlined(hu, region, spacing_mm)
    assert mask[pieces].mean() > 0.98
    assert mask[ball(5, spacing_mm)].mean() == pytest.approx(held, abs=0.1)


@pytest.mark.parametrize("spacing_mm", SPACINGS)
def test_paste_may_have_a_wall_that_looks_like_muscle_but_no_thick_one(spacing_mm):
    hu = np.where(ball(12, spacing_mm), PASTE_HU, MUSCLE_HU)
    mask = outlined(hu, ball(20, spacing_mm), spacing_mm)
    assert mask[ball(13, spacing_mm)].mean() > 0.99
    assert not mask[~ball(17, spacing_mm)].any()


@pytest.mark.parametrize("spacing_mm", SPACINGS)
def test_a_calcified_rim_around_fluid_is_the_wall_and_gets_no_other(spacing_mm):
    cyst = ball(12, spacing_mm)
    hu = np.where(ball(10, spacing_mm), FLUID_HU, np.where(cyst, PASTE_HU, MUSCLE_HU))
    mask = outlined(hu, ball(15, spacing_mm), spacing_mm)
    assert mask.sum() == pytest.approx(cyst.sum(), rel=0.1)
