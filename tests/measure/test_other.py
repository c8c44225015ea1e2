"""Densities that are no mass get the name that form and place speak for, else none."""

import numpy as np
import pytest
from scipy import ndimage

from calcinosis.measure.joint import Joint
from calcinosis.measure.other import is_bone, name_specks
from calcinosis.measure.specks import find_specks
from calcinosis.measure.working_grid import GRID_MM, WorkingGrid
from calcinosis.volume import Volume

SHAPE = (60, 130, 130)
MUSCLE_HU, FAT_HU, AIR_HU = 50, -100, -1000
SYMPHYSIS = Joint("pubic symphysis", None, (97.5, 60.0, 45.0))
SPINE = Joint("lumbar spine", None, (97.5, 140.0, 0.0), 90.0)
MIDDLE = (30, 65, 65)


class Scene:
    """A trunk of muscle on the working grid, in LPS: x, y and z grow with the voxels."""

    def __init__(self, tissue_hu=MUSCLE_HU):
        self.hu = np.full(SHAPE, tissue_hu, np.int16)
        self.hu[:, :3], self.hu[:, :, :3], self.hu[:, :, -3:], self.hu[:, -3:] = (AIR_HU,) * 4
        self.skeleton = np.zeros(SHAPE, np.uint8)
        self.z, self.y, self.x = np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]

    def ball(self, centre, radius_mm, hu, *, scale=(1, 1, 1)):
        """Draw a ball, or an ellipsoid, that much longer along z, y, x; returns its mask."""
        offsets = [
            GRID_MM * (axis - c) / s
            for axis, c, s in zip((self.z, self.y, self.x), centre, scale, strict=True)
        ]
        inside = np.sqrt(sum(offset**2 for offset in offsets)) < radius_mm
        self.hu[inside] = hu
        return inside

    def specks(self):
        affine = np.zeros((3, 4))
        affine[2, 0] = affine[1, 1] = affine[0, 2] = GRID_MM
        volume = Volume(self.hu, np.vstack([affine, [0, 0, 0, 1]]), "HFS")
        grid = WorkingGrid(self.hu, np.ones(3))
        body = self.hu > -500
        return find_specks(volume, grid, body, self.skeleton, np.zeros(SHAPE, bool))

    def kinds(self, *joints):
        return [other.kind for other, _ in name_specks(self.specks(), joints)]


@pytest.fixture
def scene():
    return Scene()


def test_a_tube_of_calcium_is_a_vessel_wall(scene):
    scene.ball(MIDDLE, 4, 600, scale=(4, 1, 1))
    assert scene.kinds() == ["vascular"]


def test_what_is_outlined_is_as_large_as_the_volume_told(scene):
    scene.ball(MIDDLE, 5, 600)
    scene.hu = ndimage.gaussian_filter(scene.hu.astype(np.float32), 0.8).astype(np.int16)
    ((other, where),) = name_specks(scene.specks(), ())
    outlined_ml = np.count_nonzero(where.mask) * GRID_MM**3 / 1000
    assert outlined_ml == pytest.approx(other.volume_ml, rel=0.25)


def test_a_round_stone_is_a_phlebolith_in_the_lesser_pelvis_alone(scene):
    scene.ball(MIDDLE, 5, 600)
    assert scene.kinds(SYMPHYSIS) == ["phlebolith"]
    assert scene.kinds() == ["unclassified"], "it may be a stone, a node, or in the bowel"


def test_a_round_stone_in_a_limb_is_a_phlebolith(scene):
    scene.hu[:, 90:], scene.hu[:, :40], scene.hu[:, :, :40], scene.hu[:, :, 90:] = (AIR_HU,) * 4
    scene.ball(MIDDLE, 5, 600)
    assert scene.kinds() == ["phlebolith"]


def test_plaques_before_the_spine_lie_in_the_aorta(scene):
    scene.ball(MIDDLE, 5, 600)
    assert scene.kinds(SPINE) == ["vascular"]


def test_plaques_in_a_row_lie_in_one_vessel(scene):
    for z in (15, 23, 31, 39):
        scene.ball((z, 65, 65), 3, 600)
    assert scene.kinds() == ["vascular"] * 4


def test_a_calcified_ball_in_fat_under_the_skin_is_a_granuloma():
    scene = Scene(FAT_HU)
    scene.ball((30, 120, 65), 5, 500)
    assert scene.kinds() == ["granuloma"]


def test_a_granuloma_that_the_network_takes_for_bone_is_still_one():
    scene = Scene(FAT_HU)
    scene.skeleton[scene.ball((30, 118, 65), 6, 500)] = 250
    (speck,) = scene.specks()
    assert not is_bone(speck)


def test_a_rib_that_the_network_half_knows_is_bone_and_no_vessel(scene):
    scene.skeleton[scene.ball((30, 115, 65), 5, 500, scale=(1, 1, 5))] = 45
    (speck,) = scene.specks()
    assert is_bone(speck)


def test_a_calcified_artery_along_the_limb_is_a_vessel_though_the_network_doubts(scene):
    scene.skeleton[scene.ball(MIDDLE, 5, 500, scale=(5, 1, 1))] = 45
    (speck,) = scene.specks()
    assert not is_bone(speck)
    assert scene.kinds() == ["vascular"]


def test_walls_of_artery_and_vein_that_touch_are_vessels_though_the_network_doubts(scene):
    muscle = scene.hu.copy()
    for x in (60, 68):
        scene.skeleton[scene.ball((30, 65, x), 6.5, 500, scale=(6, 1, 1))] = 80
        lumen = scene.ball((30, 65, x), 5.5, 500, scale=(6, 1, 1))
        scene.hu[lumen] = muscle[lumen]
        scene.skeleton[lumen] = 0
    (speck,) = scene.specks()
    assert not is_bone(speck)
    assert scene.kinds() == ["vascular"]


def test_a_wire_on_the_skin_is_no_calcification(scene):
    scene.ball((30, 2, 65), 3, 800, scale=(5, 1, 1))
    scene.hu[:, :2] = AIR_HU
    assert scene.specks(), "it is seen"
    assert scene.kinds() == []


def test_an_even_pool_in_a_limb_is_no_contrast_for_no_hollow_organ_lies_there(scene):
    scene.hu[:, 90:], scene.hu[:, :40], scene.hu[:, :, :40], scene.hu[:, :, 90:] = (AIR_HU,) * 4
    scene.ball(MIDDLE, 9, 300)
    assert scene.kinds() == ["unclassified"]


def test_an_even_pool_is_contrast_and_a_grainy_one_is_not(scene):
    pool = scene.ball(MIDDLE, 9, 300)
    assert scene.kinds() == ["contrast"]
    grain = np.random.default_rng(1).integers(0, 2, SHAPE) * 300
    scene.hu[pool] += grain[pool].astype(np.int16)
    assert scene.kinds() == ["unclassified"]


def test_a_bright_vessel_in_the_lung_is_contrast():
    scene = Scene(-850)
    scene.hu[:, :20], scene.hu[:, -20:] = MUSCLE_HU, MUSCLE_HU
    scene.hu[:, :, :20], scene.hu[:, :, -20:] = MUSCLE_HU, MUSCLE_HU
    scene.ball(MIDDLE, 3, 320, scale=(1, 5, 1))
    body = scene.hu > -2000
    volume = Volume(scene.hu, np.diag([GRID_MM, GRID_MM, GRID_MM, 1.0])[[2, 1, 0, 3]], "HFS")
    specks = find_specks(
        volume, WorkingGrid(scene.hu, np.ones(3)), body, scene.skeleton, np.zeros(SHAPE, bool)
    )
    assert [other.kind for other, _ in name_specks(specks, ())] == ["contrast"]


def test_metal_is_known_by_its_brightness(scene):
    scene.ball(MIDDLE, 4, 3000)
    assert scene.kinds() == ["metal"]


def test_what_the_side_of_the_picture_cuts_off_stays_unclassified(scene):
    scene.hu[:, :, -3:] = MUSCLE_HU
    scene.ball((30, 65, 129), 4, 600, scale=(1, 1, 4))
    assert scene.kinds() == ["unclassified"]


def test_a_spinous_process_is_no_granuloma():
    scene = Scene(FAT_HU)
    scene.ball((30, 122, 65), 4, 500)
    assert scene.kinds() == ["granuloma"]
    assert scene.kinds(SPINE) == ["unclassified"]


def test_volumes_are_those_drawn(scene):
    ball = scene.ball(MIDDLE, 8, 700)
    grain = np.random.default_rng(1).normal(0, 80, SHAPE)
    scene.hu[ball] += grain[ball].astype(np.int16)
    (speck,) = scene.specks()
    assert speck.volume_ml == pytest.approx(ball.sum() * GRID_MM**3 / 1000, rel=0.1)
