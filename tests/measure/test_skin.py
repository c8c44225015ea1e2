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


@pytest.mark.parametrize("centre_mm", [(40, 135, 100), (40, 100, 135)], ids=["back", "left"])
def test_in_coronal_slices_the_depth_is_told_to_half_a_slice(centre_mm):
    spacing_mm = np.array([0.8, 3.0, 0.8])
    places = np.indices((100, 67, 250)) * spacing_mm[:, None, None, None]
    hu = np.where(np.hypot(places[1] - 100, places[2] - 100) < 60, 40, -1000)
    volume = Volume(hu.astype(np.int16), np.diag([*spacing_mm[::-1], 1.0])[:, [2, 1, 0, 3]])
    away = places - np.reshape(centre_mm, (3, 1, 1, 1))
    mass = np.sqrt((away**2).sum(0)) < 10
    box = tuple(slice(0, size) for size in hu.shape)
    assert skin_distance_mm(find_skin(volume), box, mass) == pytest.approx(60 - 35 - 10, abs=1.5)
