"""How many compartments a mass has: by its septa, and by its necks."""

import numpy as np
from scipy import ndimage

from calcinosis.measure.locules import count_locules

MM = (1.0, 1.0, 1.0)


def balls(*centres, radius=8):
    grid = np.mgrid[:30, :30, :60]
    return np.any(
        [
            np.sqrt(sum((g - c) ** 2 for g, c in zip(grid, m, strict=True))) < radius
            for m in centres
        ],
        axis=0,
    )


def evenly_filled(envelope):
    return np.where(envelope, 400, 40).astype(np.float32)


def test_two_balls_with_a_narrow_neck_are_two():
    envelope = balls((15, 15, 15), (15, 15, 45))
    envelope[13:18, 13:18, 15:45] = True
    assert count_locules(evenly_filled(envelope), envelope, MM) == 2


def test_two_balls_that_run_into_one_another_are_one():
    envelope = balls((15, 15, 25), (15, 15, 30))
    assert count_locules(evenly_filled(envelope), envelope, MM) == 1


def test_a_long_even_tube_is_one_however_many_voxels_are_deepest():
    envelope = np.zeros((30, 30, 60), bool)
    envelope[8:22, 8:22, 5:55] = True
    assert count_locules(evenly_filled(envelope), envelope, MM) == 1


def test_a_septum_divides():
    envelope = balls((15, 15, 30), radius=13)
    hu = evenly_filled(envelope)
    hu[:, :, 30] = np.where(envelope[:, :, 30], 900, hu[:, :, 30])
    assert count_locules(hu, envelope, MM) == 2


def test_a_solid_ball_in_thick_slices_is_one_even_in_a_wide_outline():
    slices_mm = (3.0, 1.5, 1.5)
    grid = np.mgrid[:18, :36, :36]
    middle = (9, 18, 18)
    offsets = [(g - c) * mm for g, c, mm in zip(grid, middle, slices_mm, strict=True)]
    ball = np.sqrt(sum(offset**2 for offset in offsets)) < 15
    noise = np.random.default_rng(1).normal(0, 5, ball.shape)
    blurred = ndimage.gaussian_filter(np.where(ball, 500.0, 50.0), [0.6 / mm for mm in slices_mm])
    envelope = ndimage.binary_dilation(ball)
    assert count_locules((blurred + noise).astype(np.float32), envelope, slices_mm) == 1
