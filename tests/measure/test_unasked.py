"""What is bone around a seed when nobody asks for a mass there."""

import numpy as np
import pytest

from calcinosis.measure.tissue import TissueMap
from calcinosis.measure.unasked import bone_unasked
from calcinosis.measure.working_grid import resample


def test_a_given_skeleton_says_how_much_of_a_region_is_bone():
    voxels = np.full((24, 24, 24), 30, np.int16)
    voxels[8:16, 8:16, 8:16] = 900
    grid = resample(voxels, (1.5, 1.5, 1.5))
    given = np.zeros(voxels.shape, bool)
    given[8:14] = True  # three quarters of the dense cube
    nothing = np.zeros(grid.hu.shape, np.uint8)
    tissue = TissueMap(nothing, nothing, np.ones(grid.hu.shape, bool))
    (unasked,) = bone_unasked(grid, tissue, [(12, 12, 12)], given)
    labels = np.zeros(grid.hu.shape, np.uint32)
    labels[8:16, 8:16, 8:16] = 3
    assert unasked.share_of(grid, labels, 3) == pytest.approx(0.75)
    assert unasked.share_of(grid, labels, 2) == 0


def test_without_a_seed_nothing_is_asked():
    grid = resample(np.full((8, 8, 8), 30, np.int16), (1.5, 1.5, 1.5))
    nothing = np.zeros(grid.hu.shape, np.uint8)
    tissue = TissueMap(nothing, nothing, np.ones(grid.hu.shape, bool))
    assert bone_unasked(grid, tissue, (), None) == []
