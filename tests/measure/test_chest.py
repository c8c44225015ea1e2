"""Nodules in a lung are no masses of a joint; what lies between the lungs is named as doubtful."""

import numpy as np
import pytest

from calcinosis.measure.chest import lies_between_lungs, lies_in_lung
from calcinosis.measure.envelope import Envelope
from calcinosis.measure.joint import Joint
from calcinosis.measure.mass import LevelReading
from calcinosis.measure.masses import FoundMass
from calcinosis.measure.organs import content_of, organ_around, remarks_on_contents
from calcinosis.measure.skin import find_skin
from calcinosis.volume import Volume

STEP_MM, SHAPE = 2.0, (60, 100, 180)
NO_LEVELS = LevelReading((), sedimentation_sign=False, remarks=())
SPINE = (Joint("thoracic spine", None, (0.0, 40.0, 0.0), 100.0),)


def chest(centre_lps_mm, *, seeded=False, lungs_mm=(-70.0, 70.0)):
    """A trunk in air with two lungs of 45 mm radius, noise of 20 HU, and a ball of 9 mm."""
    affine = np.diag([STEP_MM, STEP_MM, STEP_MM, 1.0])[:, [2, 1, 0, 3]]
    affine[:3, 3] = [-180, -100, -60]
    z, y, x = np.meshgrid(*(STEP_MM * np.arange(n) for n in SHAPE), indexing="ij")
    x, y, z = x - 180, y - 100, z - 60
    hu = np.where((x / 165) ** 2 + (y / 85) ** 2 < 1, 40.0, -1000.0)
    for middle in lungs_mm:
        hu[np.sqrt((x - middle) ** 2 + y**2 + (z / 2) ** 2) < 45] = -850
    a, b, c = centre_lps_mm
    mask = np.sqrt((x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2) < 9
    hu[mask] = 500
    noise = np.random.default_rng(1).normal(0, 20, SHAPE)
    voxels = np.rint(np.maximum(hu + noise, -1024)).astype(np.int16)
    box = tuple(slice(int(i.min()), int(i.max()) + 1) for i in np.nonzero(mask))
    whole = mask[box].astype(np.float32)
    mass = FoundMass(box, Envelope(mask[box], whole, whole), 0.9, seeded)
    return Volume(voxels, affine), mass


def test_a_density_in_a_lung_is_a_nodule_and_a_seed_makes_it_a_mass():
    in_lung = chest((70, 0, 0))
    assert lies_in_lung(*in_lung)
    skin = find_skin(in_lung[0])
    assert organ_around(*in_lung, NO_LEVELS, (), skin) == "lung"
    assert organ_around(*chest((70, 0, 0), seeded=True), NO_LEVELS, (), skin) is None
    content = content_of("lung", *in_lung, NO_LEVELS)
    assert content.calcification.kind == "unclassified"
    assert content.calcification.volume_ml == pytest.approx(4 / 3 * np.pi * 0.9**3, rel=0.05)
    (remark,) = remarks_on_contents([content])
    assert "lung" in remark
    assert np.linalg.norm(np.subtract(content.densest_lps_mm, (70, 0, 0))) < 9


@pytest.mark.parametrize(
    "centre",
    [(70, -45, 0), (118, 0, 0), (0, 0, 0), (0, -80, 0)],
    ids=["chest wall", "beside the lung", "mediastinum", "breaking the skin"],
)
def test_what_touches_lung_or_outside_air_is_a_mass(centre):
    assert not lies_in_lung(*chest(centre))


def test_a_mass_between_the_lungs_is_told_from_one_beside_or_behind_them():
    assert lies_between_lungs(*chest((0, 0, 0)), SPINE)
    assert not lies_between_lungs(*chest((130, 0, 0)), SPINE)
    assert not lies_between_lungs(*chest((0, 65, 0)), SPINE)
    assert not lies_between_lungs(*chest((0, 0, 0), lungs_mm=(70,)), SPINE)
