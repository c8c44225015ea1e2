"""Calcified cysts are no bone, whatever the network holds them for; bones and skulls are none."""

import numpy as np
import pytest

from calcinosis.measure.shells import shells_as_masses
from calcinosis.measure.tissue import TissueMap
from calcinosis.measure.working_grid import GRID_MM, WorkingGrid


def held_for_bone(radius_mm, content_hu, *, centre=(40, 40, 40), gap=False):
    """A shell of 3 mm with this content, all of which the network calls skeleton."""
    grid = np.mgrid[:80, :80, :80]
    away = GRID_MM * np.sqrt(sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True)))
    hu = np.full(away.shape, 50, np.int16)
    hu[away < radius_mm] = 500
    hu[away < radius_mm - 3] = content_hu
    skeleton = np.where(away < radius_mm, 250, 0).astype(np.uint8)
    if gap:
        skeleton[(away < radius_mm) & (grid[2] > centre[2] + 4)] = 0
        skeleton[away < radius_mm - 3] = 0
    tissue = TissueMap(np.zeros_like(skeleton), skeleton, hu > -500)
    shells_as_masses(WorkingGrid(hu, np.ones(3)), tissue)
    return tissue, away < radius_mm


def test_a_shell_around_fluid_is_a_mass_with_its_fluid():
    tissue, whole = held_for_bone(20, 15)
    assert (tissue.mass[whole] == 255).all()
    assert not tissue.skeleton.any()


@pytest.mark.parametrize("content_hu", [-80, 50, 200], ids=["fatty", "red", "spongy"])
def test_a_bone_with_its_marrow_stays_bone(content_hu):
    tissue, whole = held_for_bone(20, content_hu)
    assert (tissue.skeleton[whole] == 250).all()
    assert not tissue.mass.any()


def test_a_shaft_stays_bone():
    hu = np.full((80, 60, 60), 50, np.int16)
    hu[5:75, 20:40, 20:40] = 700
    hu[8:72, 24:36, 24:36] = 15
    skeleton = np.where(hu == 50, 0, 250).astype(np.uint8)
    tissue = TissueMap(np.zeros_like(skeleton), skeleton, hu > -500)
    shells_as_masses(WorkingGrid(hu, np.ones(3)), tissue)
    assert not tissue.mass.any()


def test_what_the_edge_of_the_scan_cuts_stays_bone():
    tissue, _ = held_for_bone(20, 15, centre=(5, 40, 40))
    assert not tissue.mass.any()


def test_a_shell_as_large_as_a_skull_stays_bone():
    tissue, _ = held_for_bone(55, 30)
    assert not tissue.mass.any()


def test_an_open_shell_stays_what_it_was():
    tissue, _ = held_for_bone(20, 15, gap=True)
    assert not tissue.mass.any()
