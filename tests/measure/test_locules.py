"""How many compartments a mass has: by its septa, and by its necks."""

import numpy as np

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
