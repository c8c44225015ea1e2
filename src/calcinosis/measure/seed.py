"""Seed points: where a user says that calcification belongs to a mass."""

from collections.abc import Iterable

import numpy as np

from calcinosis.errors import InputError
from calcinosis.measure.envelope import CALCIFIED_HU
from calcinosis.measure.mass import Point
from calcinosis.measure.tissue import Index, ball
from calcinosis.measure.working_grid import GRID_MM, WorkingGrid
from calcinosis.volume import Volume

SEED_REACH_MM = 6.0  # a click lands this near to what was meant


def seed_options(places_lps_mm: Iterable[Point]) -> list[str]:
    """Command-line options that take these places as parts of masses; a place to the mm once."""
    rounded = dict.fromkeys((round(x), round(y), round(z)) for x, y, z in places_lps_mm)
    return [f"--seed {x},{y},{z}" for x, y, z in rounded]


def seed_voxels(
    volume: Volume, grid: WorkingGrid, seeds_lps_mm: Iterable[Point]
) -> tuple[Index, ...]:
    """The working voxels of seed points.

    Raises:
        InputError: a point outside the scan, or with no calcification within 6 mm.
    """
    return tuple(_seed_voxel(volume, grid, seed) for seed in seeds_lps_mm)


def _seed_voxel(volume: Volume, grid: WorkingGrid, seed_lps_mm: Point) -> Index:
    place = np.round(volume.to_indices(seed_lps_mm) / grid.step).astype(int)
    text = ",".join(f"{value:g}" for value in seed_lps_mm)
    if (place < 0).any() or (place >= grid.hu.shape).any():
        raise InputError(f"seed {text} lies outside the scan; expected LPS mm inside it")
    z, y, x = (int(value) for value in place)
    near = ball(grid.hu.shape, (z, y, x), SEED_REACH_MM / GRID_MM)
    if not (grid.hu[near] > CALCIFIED_HU).any():
        raise InputError(
            f"seed {text} has nothing above {CALCIFIED_HU:g} HU within {SEED_REACH_MM:g} mm; "
            "expected a point on calcification"
        )
    return z, y, x
