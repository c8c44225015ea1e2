"""How deep a mass lies: to the air outside, not to a sheet on it or gas inside."""

import numpy as np
import pytest

from calcinosis.measure.skin import find_skin, skin_distance_mm
from calcinosis.volume import Volume

SHAPE, MM = (30, 120, 120), 1.5
BOX = (slice(10, 20), slice(35, 45), slice(55, 65))  # its upper face at row 35


def patient(*, gas=False, sheet=False, whole=False):
    """A trunk of 60 mm radius in air; its skin above the mass lies at row 20."""
    _, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    body = np.hypot(y - 60, x - 60) < 40
    hu = np.where(body | whole, 40, -1000) + np.zeros(SHAPE)
    if gas:
        hu[:, 28:33, 55:65] = -900
    if sheet:
        hu[:, 8, 20:100] = 20  # one voxel thin, 18 mm before the skin
    affine = np.eye(4)[:, [2, 1, 0, 3]] * [MM, MM, MM, 1]
    return Volume(hu.astype(np.int16), affine)


def depth(volume):
    return skin_distance_mm(find_skin(volume), BOX, np.ones((10, 10, 10), bool))


def test_the_depth_is_the_way_to_the_air_outside():
    assert depth(patient()) == pytest.approx((34.5 - 20.5) * MM, abs=1)  # from face to face


@pytest.mark.parametrize("what", ["gas", "sheet"])
def test_gas_inside_and_a_sheet_outside_are_passed_over(what):
    assert depth(patient(**{what: True})) == depth(patient())


def test_without_air_in_the_picture_no_depth_is_given():
    assert depth(patient(whole=True)) is None
