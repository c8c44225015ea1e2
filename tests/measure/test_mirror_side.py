"""The other side of the body tells what a bone was before a mass lay on it."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from calcinosis.measure.erosion import relate_to_bone
from calcinosis.measure.mass import MIRROR
from calcinosis.measure.mirror_side import Body
from calcinosis.volume import Volume

SPACING = (1.5, 1.2, 1.2)
SHAPE = (64, 70, 170)
AFFINE = np.eye(4)
AFFINE[:3, :3] = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]]) * np.array(SPACING)
MIDDLE = (np.array(SHAPE) - 1) / 2
CORTEX_MM, CORTEX_HU, MARROW_HU, MUSCLE_HU = 2.5, 1100, 60, 50
ASIDE_MM, SHAFT_MM = 55.0, 11.0


def offsets():
    """Millimetres from the middle of the picture, x, y, z."""
    index = np.indices(SHAPE)
    return [(index[axis] - MIDDLE[axis]) * SPACING[axis] for axis in (2, 1, 0)]


def limb(side, turn=(0.0, 0.0, 0.0), shift=(0.0, 0.0, 0.0)):
    """A shaft with a head and a trochanter, left (1) or right (-1), turned (degrees), shifted."""
    x, y, z = offsets()
    places = np.stack([side * x - ASIDE_MM, y, z], axis=-1) - shift
    x, y, z = np.moveaxis(
        places @ Rotation.from_euler("xyz", turn, degrees=True).as_matrix(), -1, 0
    )
    shaft = np.hypot(x, y) < SHAFT_MM
    head = np.sqrt((x + 13) ** 2 + (y + 4) ** 2 + (z - 22) ** 2) < 14
    knob = np.sqrt((x - 9) ** 2 + (y - 7) ** 2 + (z - 6) ** 2) < 9
    return shaft | head | knob


def ball(radius_mm, centre):
    return (
        np.sqrt(sum((axis - c) ** 2 for axis, c in zip(offsets(), centre, strict=True))) < radius_mm
    )


def scan(bone, mass, eaten, paste_hu):
    depth = ndimage.distance_transform_edt(bone | eaten, sampling=SPACING)
    hu = np.where(depth > CORTEX_MM, MARROW_HU, CORTEX_HU)
    hu = np.where((bone | eaten) & ~eaten, hu, np.where(mass, paste_hu, MUSCLE_HU))
    hu = ndimage.gaussian_filter(hu.astype(float), [0.7 / s for s in SPACING])
    hu += np.random.default_rng(3).normal(0, 20, SHAPE)
    return Volume(np.round(hu).astype(np.int16), AFFINE)


@pytest.fixture
def left():
    return limb(1)


@pytest.fixture
def right():
    return limb(-1, turn=(8.0, -6.0, 10.0), shift=(4.0, -3.0, 5.0))


FRONT = (ASIDE_MM, -SHAFT_MM - 9.0, -14.0)


def read(bone, mass, eaten, skeleton, labels=None, paste_hu=800):
    volume = scan(bone, mass, eaten, paste_hu)
    labels = mass.astype(np.uint8) if labels is None else labels
    mass = mass & ~skeleton
    body = Body(volume, labels, skeleton)
    return relate_to_bone(volume, mass, skeleton, own_cut=True, body=body)


def test_bone_that_the_programs_own_cut_took_is_not_eroded(left, right):
    mass = ball(12.0, FRONT) & ~left
    taken = left & ball(13.5, FRONT)  # bone given to the mass, 4.5 mm deep
    relation = read(left | right, mass | taken, np.zeros(SHAPE, bool), (left | right) & ~taken)
    assert relation.eroded is False
    assert relation.expected_surface == MIRROR


def test_a_pit_under_paste_that_is_nearly_as_dense_as_cortex_is_found(left, right):
    mass = ball(15.0, FRONT)  # 6 mm deep
    eaten = mass & left
    relation = read(left | right, mass, eaten, (left | right) & ~eaten)
    assert relation.eroded is True
    assert relation.expected_surface == MIRROR
    assert relation.erosion_depth_mm == pytest.approx(6.0, abs=1.5)


def test_what_only_the_other_side_has_is_not_bone_that_was_lost(left, right):
    """A calcified vessel that passes for bone, of which this side has none."""
    mass = ball(12.0, FRONT) & ~left
    vessel = ball(6.0, (-FRONT[0] - 4, FRONT[1] - 9, FRONT[2] + 5)) & ~right
    bones = left | right | vessel
    relation = read(bones, mass, np.zeros(SHAPE, bool), bones)
    assert relation.expected_surface == MIRROR
    assert relation.eroded is False


def test_a_pit_that_the_outline_does_not_reach_is_eroded_all_the_same(left, right):
    mass = ball(15.0, FRONT)
    eaten = mass & left
    short = mass & ~ndimage.binary_dilation(left, iterations=2)
    volume = scan(left | right, mass, eaten, 60)  # its wall, as dark as muscle
    skeleton = (left | right) & ~eaten
    body = Body(volume, short.astype(np.uint8), skeleton)
    relation = relate_to_bone(volume, short, skeleton, own_cut=True, body=body)
    assert relation.contact_mm2 == 0
    assert relation.eroded is True
    whole = Body(scan(left | right, mass, eaten & False, 60), body.labels, left | right)
    intact = relate_to_bone(whole.volume, short, left | right, own_cut=True, body=whole)
    assert intact.eroded is False


def test_a_shallow_pit_that_the_other_side_makes_likely_is_left_open(left, right):
    mass = ball(13.0, FRONT)  # 4 mm deep, the paste as dense as cortex looks
    eaten = mass & left
    relation = read(left | right, mass, eaten, (left | right) & ~eaten, paste_hu=950)
    assert relation.eroded is None


def test_without_the_other_side_the_bones_own_continuation_is_used(left):
    mass = ball(15.0, FRONT)
    eaten = mass & left
    relation = read(left, mass, eaten, left & ~eaten)
    assert relation.expected_surface != MIRROR


def test_another_bone_on_the_other_side_is_no_mirror_image(left):
    mass = ball(15.0, FRONT)
    eaten = mass & left
    x, y, z = offsets()
    other = np.sqrt((x + ASIDE_MM) ** 2 + y**2 + (z / 1.4) ** 2) < 24
    relation = read(left | other, mass, eaten, (left | other) & ~eaten)
    assert relation.expected_surface != MIRROR


def test_a_side_that_has_a_mass_itself_is_no_measure(left, right):
    mass = ball(15.0, FRONT)
    eaten = mass & left
    labels = mass.astype(np.uint8)
    labels[ball(18.0, (-FRONT[0] - 4, FRONT[1] - 3, FRONT[2] + 5)) & ~right] = 2
    relation = read(left | right, mass, eaten, (left | right) & ~eaten, labels)
    assert relation.expected_surface != MIRROR


@pytest.mark.parametrize("turn", [(0, 0, 0), (0, 0, 25), (20, 0, 0), (-15, 15, -15)])
def test_limbs_may_lie_turned_against_each_other(left, turn):
    right = limb(-1, turn=turn)
    mass = ball(12.0, FRONT) & ~left
    relation = read(left | right, mass, np.zeros(SHAPE, bool), left | right)
    assert relation.expected_surface == MIRROR
    assert relation.eroded is False
