"""Calcified cysts are no bone, whatever the network holds them for; bones and skulls are none."""

import numpy as np
import pytest

from calcinosis.measure.shells import shells_as_masses
from calcinosis.measure.tissue import TissueMap
from calcinosis.measure.working_grid import GRID_MM, WorkingGrid

SIZE = 80


def away_from(centre):
    """Distance of each voxel from a place, mm."""
    grid = np.mgrid[:SIZE, :SIZE, :SIZE]
    return GRID_MM * np.sqrt(sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True)))


def shell(hu, skeleton, centre, radius_mm, content_hu, *, open_below=-2.0):
    """Draw a shell of 3 mm, which the network calls skeleton with all it holds.

    Below `open_below` (cosine of the angle to the last axis) the wall is soft.
    """
    away = away_from(centre)
    hu[away < radius_mm] = 500
    along = GRID_MM * (np.mgrid[:SIZE, :SIZE, :SIZE][2] - centre[2])
    hu[(away < radius_mm) & (along < open_below * away)] = 45
    hu[away < radius_mm - 3] = content_hu
    skeleton[away < radius_mm] = 250
    return away < radius_mm


def scene():
    """Muscle, and a network that sees nothing yet."""
    return np.full((SIZE,) * 3, 50, np.int16), np.zeros((SIZE,) * 3, np.uint8)


def judged(hu, skeleton, seeds=()):
    tissue = TissueMap(np.zeros_like(skeleton), skeleton.copy(), hu > -500)
    unsure = shells_as_masses(WorkingGrid(hu, np.ones(3)), tissue, seeds)
    return tissue, unsure


def alone(radius_mm, content_hu, centre=(40, 40, 40), **options):
    hu, skeleton = scene()
    whole = shell(hu, skeleton, centre, radius_mm, content_hu, **options)
    return *judged(hu, skeleton), whole


def slab_of_bone(hu, skeleton):
    """Spongy bone under a cortex, from the first axis' 55th plane on."""
    hu[55:], hu[55:58], skeleton[55:] = 250, 900, 250
    return np.broadcast_to(np.arange(SIZE)[:, None, None] >= 55, hu.shape)


def share(tissue, whole):
    return np.mean(tissue.mass[whole] == 255)


def vertebral_body(hu, skeleton, marrow_hu):
    """An oval of 46 by 32 mm, 28 mm high, under a cortex of 2 mm, amid the scene."""
    z, y, x = (GRID_MM * (axis - 40) for axis in np.mgrid[:SIZE, :SIZE, :SIZE])
    oval_mm = np.hypot(y, 0.7 * x)
    body = (oval_mm < 16) & (abs(z) < 14)
    hu[body], skeleton[body] = 400, 250
    hu[(oval_mm < 14) & (abs(z) < 12)] = marrow_hu
    return body


def test_a_shell_around_fluid_is_a_mass_with_its_fluid():
    tissue, unsure, whole = alone(20, 15)
    assert share(tissue, whole) > 0.97
    assert np.mean(tissue.skeleton[whole] > 0) < 0.03
    assert not unsure


def test_a_cyst_grown_together_with_bone_is_cut_from_it():
    hu, skeleton = scene()
    bone = slab_of_bone(hu, skeleton)
    whole = shell(hu, skeleton, (46, 40, 40), 16, 15) & ~bone
    tissue, unsure = judged(hu, skeleton)
    assert share(tissue, whole) > 0.9
    assert np.mean(tissue.mass[bone] > 0) < 0.02
    assert not unsure


def test_all_cysts_of_a_group_are_taken_also_those_with_denser_fluid():
    hu, skeleton = scene()
    members = [
        shell(hu, skeleton, centre, 11, content_hu)
        for centre, content_hu in [((25, 30, 30), 10), ((38, 30, 30), 55), ((38, 44, 30), 20)]
    ]
    tissue, unsure = judged(hu, skeleton)
    assert all(share(tissue, whole) > 0.9 for whole in members)
    assert not unsure


def test_a_lump_that_hangs_on_cysts_goes_with_them():
    hu, skeleton = scene()
    shell(hu, skeleton, (40, 40, 30), 14, 15)
    lump = away_from((40, 40, 41)) < 5
    hu[lump], skeleton[lump] = 400, 250
    tissue, _ = judged(hu, skeleton)
    assert share(tissue, lump) > 0.97


@pytest.mark.parametrize("content_hu", [-80, 75, 200], ids=["fatty", "red", "spongy"])
def test_a_bone_with_its_marrow_stays_bone(content_hu):
    tissue, unsure, whole = alone(20, content_hu)
    assert (tissue.skeleton[whole] == 250).all()
    assert not tissue.mass.any()
    assert not unsure


@pytest.mark.parametrize("marrow_hu", [15, 35, 50])
def test_an_empty_vertebral_body_stays_bone(marrow_hu):
    hu, skeleton = scene()
    vertebral_body(hu, skeleton, marrow_hu)
    tissue, _ = judged(hu, skeleton)
    assert not tissue.mass.any()


def test_a_shaft_stays_bone():
    hu, skeleton = scene()
    hu[5:75, 20:40, 20:40] = 700
    hu[8:72, 24:36, 24:36] = 15
    skeleton[hu != 50] = 250
    tissue, unsure = judged(hu, skeleton)
    assert not tissue.mass.any()
    assert not unsure


def test_what_the_edge_of_the_scan_cuts_stays_bone():
    tissue, _, _ = alone(20, 15, centre=(5, 40, 40))
    assert not tissue.mass.any()


def test_a_shell_as_large_as_a_skull_stays_bone():
    tissue, _, _ = alone(55, 30)
    assert not tissue.mass.any()


def test_a_half_open_shell_is_named_and_a_seed_there_settles_it():
    tissue, unsure, whole = alone(20, 30, open_below=-0.5)
    assert not tissue.mass.any()
    assert len(unsure) == 1
    hu, skeleton = scene()
    shell(hu, skeleton, (40, 40, 40), 20, 30, open_below=-0.5)
    assert hu[unsure[0]] == 500
    tissue, still_unsure = judged(hu, skeleton, unsure)
    assert share(tissue, whole) > 0.9
    assert not still_unsure


def test_a_mass_that_is_called_anyway_is_not_named_as_unsure():
    hu, skeleton = scene()
    shell(hu, skeleton, (40, 40, 40), 20, 55, open_below=-0.5)
    tissue = TissueMap(skeleton.copy(), np.zeros_like(skeleton), hu > -500)
    assert shells_as_masses(WorkingGrid(hu, np.ones(3)), tissue) == []


def test_a_cyst_that_the_network_half_believes_in_is_named():
    hu, skeleton = scene()
    shell(hu, skeleton, (40, 40, 40), 20, 55, open_below=-0.5)
    half = np.where(skeleton > 0, 150, 0).astype(np.uint8)
    tissue = TissueMap(half, np.zeros_like(skeleton), hu > -500)
    assert len(shells_as_masses(WorkingGrid(hu, np.ones(3)), tissue)) == 1


def test_a_bone_beside_a_cyst_stays_bone():
    hu, skeleton = scene()
    bone = vertebral_body(hu, skeleton, 30)
    cyst = shell(hu, skeleton, (22, 40, 40), 11, 15)
    tissue, _ = judged(hu, skeleton)
    assert share(tissue, cyst) > 0.9
    assert np.mean(tissue.mass[bone & ~cyst] > 0) < 0.02
