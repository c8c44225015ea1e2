import numpy as np
import pytest

from calcinosis.measure.erosion import relate_to_bone
from calcinosis.volume import Volume

SPACING = (1.0, 0.8, 0.8)
SHAPE = (70, 90, 90)


def scan():
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]]) * np.array(SPACING)
    return Volume(voxels=np.zeros(SHAPE, np.int16), affine=affine)


def millimetres():
    return np.meshgrid(
        *[(np.arange(n) - n / 2) * s for n, s in zip(SHAPE, SPACING, strict=True)], indexing="ij"
    )


def shaft(radius_mm=15.0):
    _, y, x = millimetres()
    return np.hypot(x, y) < radius_mm


def ball(centre_x_mm, radius_mm=9.0):
    z, y, x = millimetres()
    return np.sqrt((x - centre_x_mm) ** 2 + y**2 + z**2) < radius_mm


def test_a_mass_pressed_into_a_shaft_erodes_it_to_its_depth():
    mass = ball(18.0)  # reaches 6 mm below the surface
    relation = relate_to_bone(scan(), mass, shaft() & ~mass)
    assert relation.eroded
    assert relation.erosion_depth_mm == pytest.approx(6.0, abs=1.2)
    assert relation.distance_mm == 0
    assert "smooth continuation" in relation.expected_surface


def test_contact_alone_is_not_erosion():
    bone = shaft()
    mass = ball(20.0) & ~bone  # wraps the intact shaft
    relation = relate_to_bone(scan(), mass, bone)
    assert relation.eroded is False
    assert relation.contact_mm2 > 50


def test_open_marrow_is_bone_not_a_defect():
    _, y, x = millimetres()
    cortex = shaft() & (np.hypot(x, y) > 11)
    mass = ball(20.0) & ~shaft()
    assert relate_to_bone(scan(), mass, cortex).eroded is False


@pytest.mark.parametrize("gap_mm", [3.0, 8.0, 14.0])
def test_distance_is_the_gap_between_surfaces(gap_mm):
    relation = relate_to_bone(scan(), ball(15 + gap_mm + 5, 5.0), shaft())
    assert relation.distance_mm == pytest.approx(gap_mm, abs=0.8)
    assert relation.contact_mm2 == 0
    assert relation.eroded is False


def test_without_bone_nothing_is_said_of_it():
    relation = relate_to_bone(scan(), ball(0.0), np.zeros(SHAPE, bool))
    assert relation.distance_mm is None
    assert relation.eroded is None
