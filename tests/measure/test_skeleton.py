"""What is said of a skeleton that the user brings."""

import numpy as np
import pytest

from calcinosis.measure.skeleton import remarks_on_given
from calcinosis.measure.tissue import TissueMap
from calcinosis.measure.working_grid import GRID_MM, resample

SHAPE = (20, 40, 40)


def bone_of(first_row):
    """The rows of the bone from one on, as a mask."""
    mask = np.zeros(SHAPE, bool)
    mask[:, first_row:30, 10:30] = True
    return mask


@pytest.mark.parametrize(("first_row", "doubted"), [(10, False), (15, False), (28, True)])
def test_a_given_skeleton_is_told_of_and_doubted_where_it_lacks_most_bone(first_row, doubted):
    hu = np.where(bone_of(10), 800, 40).astype(np.int16)
    scores = np.where(bone_of(10), 250, 0).astype(np.uint8)
    tissue = TissueMap(np.zeros(SHAPE, np.uint8), scores, np.ones(SHAPE, bool))
    grid = resample(hu, (GRID_MM, GRID_MM, GRID_MM))
    (remark,) = remarks_on_given(grid, tissue, bone_of(first_row))
    assert remark.startswith("Bone is what the given skeleton mask marks.")
    assert ("is it of this scan" in remark) is doubted


def test_where_no_bone_is_known_a_given_skeleton_lacks_none():
    nothing = np.zeros(SHAPE, np.uint8)
    tissue = TissueMap(nothing, nothing, np.ones(SHAPE, bool))
    grid = resample(np.full(SHAPE, 40, np.int16), (GRID_MM, GRID_MM, GRID_MM))
    assert remarks_on_given(grid, tissue, bone_of(10)) == (
        "Bone is what the given skeleton mask marks.",
    )
