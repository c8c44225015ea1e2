"""Seed points: where a user says that calcification belongs to a mass."""

import re
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from calcinosis.errors import InputError
from calcinosis.measure.envelope import CALCIFIED_HU
from calcinosis.measure.mass import Point
from calcinosis.measure.tissue import Index, ball
from calcinosis.measure.working_grid import GRID_MM, WorkingGrid
from calcinosis.volume import Volume

SEED_REACH_MM = 6.0  # a click lands this near to what was meant
SURE = 0.8  # confidence from which a reader need not look whether it is a mass
_OPTION = re.compile(r"--seed (-?\d+),(-?\d+),(-?\d+)")


def seed_options(places_lps_mm: Iterable[Point]) -> list[str]:
    """Command-line options that take these places as parts of masses; a place to the mm once."""
    rounded = dict.fromkeys((round(x), round(y), round(z)) for x, y, z in places_lps_mm)
    return [f"--seed {x},{y},{z}" for x, y, z in rounded]


def seeds_named(remark: str) -> tuple[Point, ...]:
    """The places whose options, as `seed_options` writes them, stand in a remark."""
    found = (option.groups() for option in _OPTION.finditer(remark))
    return tuple((float(x), float(y), float(z)) for x, y, z in found)


def told_of_doubt(remark: str) -> str:
    """Of a remark that names seeds what is in doubt, without what to do about it."""
    return remark.partition(";")[0] + "."


def settled_by_seed(
    crop: Volume, mask: NDArray[np.bool_], number: int, confidence: float, *, cut_from_bone: bool
) -> tuple[str, ...]:
    """How one point settles the outline of a mass that is doubtful, or cut from bone.

    Args:
        crop: the scan in a box around the mass.
        mask: the mass in it [z, y, x].
        number: as the reader knows the mass.
        confidence: that it is a mass.
        cut_from_bone: where mass and bone meet was decided by the program.
    """
    if cut_from_bone:
        doubt = f"Mass {number} touches bone, and the program decided where one ends"
    elif confidence < SURE:
        doubt = f"The program is not sure that mass {number} is one"
    else:
        return ()
    (option,) = seed_options([_dense_place(crop, mask)])
    return (
        f"{doubt}; if its outline is wrong, {option} takes it as a mass and cuts it from bone.",
    )


def _dense_place(crop: Volume, mask: NDArray[np.bool_]) -> Point:
    """A densely calcified voxel of a mass, the nearest such to its centre, in LPS mm."""
    inside = np.argwhere(mask)
    hounsfield = crop.voxels[mask]
    dense = inside[hounsfield >= np.percentile(hounsfield, 75)]
    away_mm = np.linalg.norm(crop.to_lps(dense) - crop.to_lps(inside.mean(0)), axis=1)
    return crop.point_lps(dense[away_mm.argmin()])


def check_inside(volume: Volume, seed_lps_mm: Point) -> None:
    """Refuse a seed point beside the scan, farther than half a voxel of either grid.

    Raises:
        InputError: names the point.
    """
    place, last = volume.to_indices(seed_lps_mm), np.array(volume.shape) - 1
    room = np.maximum(0.5, 0.5 * GRID_MM / np.array(volume.spacing_mm))
    if not ((place >= -room) & (place <= last + room)).all():
        text = _text(seed_lps_mm)
        raise InputError(f"seed {text} lies outside the scan; expected LPS mm inside it")


def seed_voxels(
    volume: Volume, grid: WorkingGrid, seeds_lps_mm: Iterable[Point]
) -> tuple[Index, ...]:
    """The working voxels of seed points.

    Raises:
        InputError: a point outside the scan, or with no calcification within 6 mm.
    """
    return tuple(_seed_voxel(volume, grid, seed) for seed in seeds_lps_mm)


def _seed_voxel(volume: Volume, grid: WorkingGrid, seed_lps_mm: Point) -> Index:
    check_inside(volume, seed_lps_mm)
    place = np.round(volume.to_indices(seed_lps_mm) / grid.step)
    z, y, x = np.clip(place, 0, np.array(grid.hu.shape) - 1).astype(int).tolist()
    near = ball(grid.hu.shape, (z, y, x), SEED_REACH_MM / GRID_MM)
    if not (grid.hu[near] > CALCIFIED_HU).any():
        raise InputError(
            f"seed {_text(seed_lps_mm)} has nothing above {CALCIFIED_HU:g} HU within "
            f"{SEED_REACH_MM:g} mm; expected a point on calcification"
        )
    return z, y, x


def _text(seed_lps_mm: Point) -> str:
    return ",".join(f"{value:g}" for value in seed_lps_mm)
