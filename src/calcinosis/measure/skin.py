"""How deep a mass lies under the skin."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from calcinosis.measure.masks import places, rim
from calcinosis.measure.working_grid import Box
from calcinosis.volume import Volume

AIR_HU = -300  # between fat (about -100) and air (-1000)
GRID_MM = 1.5  # grid of the search; finer scans are thinned to it
REACH_MM = 300.0  # air farther away is not this mass's skin
COVER_MM = 4.0  # sheets, blankets and table shells are thinner


@dataclass(frozen=True, eq=False)
class Skin:
    """Where the air outside the body begins, on a thinned grid.

    Attributes:
        step: voxels of the scan per voxel of this grid along z, y, x.
        step_mm: its spacing.
        air: the voxels of outside air that touch the body, in mm; None where the image shows none.
    """

    step: NDArray[np.int64]
    step_mm: NDArray[np.float64]
    air: cKDTree | None


def find_skin(volume: Volume) -> Skin:
    """Look at the slices of a scan, at finer ones every 1.5 mm or so.

    Air inside (bowel, lung) does not count: only air that reaches the edge of its axial slice does.
    """
    step = np.array([max(1, round(GRID_MM / spacing)) for spacing in volume.spacing_mm])
    step_mm = step * volume.spacing_mm
    air = _first_air(volume.voxels[tuple(slice(None, None, n) for n in step)], step_mm)
    return Skin(step, step_mm, cKDTree(air * step_mm) if len(air) else None)


def skin_distance_mm(skin: Skin, box: Box, envelope: NDArray[np.bool_]) -> float | None:
    """Shortest way from the envelope to the air outside the body, in mm, to about half a voxel.

    Args:
        skin: of the scan.
        box: where in it the envelope lies.
        envelope: voxels of the mass in that box.

    None when no outside air is in the image, or the mass is empty.
    """
    surface = places(rim(envelope))
    if not len(surface) or skin.air is None:
        return None
    thinned = (surface + [extent.start for extent in box]) // skin.step
    first, size = thinned.min(0), np.ptp(thinned, 0) + 1
    once = np.unique(np.ravel_multi_index(tuple((thinned - first).T), size))
    thinned_mm = (np.stack(np.unravel_index(once, size), 1) + first) * skin.step_mm
    bound, _ = skin.air.query(thinned_mm[::50])  # lets the search pass over most of the others
    away, _ = skin.air.query(thinned_mm, distance_upper_bound=bound.min() + skin.step_mm[1])
    distance = float(away.min() - skin.step_mm[1:].mean() / 2)
    return max(0.0, distance) if distance <= REACH_MM else None


def _first_air(voxels: NDArray[np.int16], step_mm: NDArray[np.float64]) -> NDArray[np.int64]:
    """Voxels (n, 3) of air connected to the edge of its slice, thin covers removed, beside body."""
    down, across = (max(1, round(COVER_MM / 2 / step)) for step in step_mm[1:])
    disc = np.array(
        [
            (y, x)
            for y in range(-down, down + 1)
            for x in range(-across, across + 1)
            if np.hypot(y / down, x / across) <= 1
        ]
    )
    outside = np.zeros(voxels.shape, bool)
    for plane, result in zip(voxels, outside, strict=True):
        result[:] = _flooded(_opened(plane > AIR_HU, disc))
    return places(rim(outside, beyond=True))


@njit(cache=True)
def _opened(body: NDArray[np.bool_], disc: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where a disc fits into the body of one slice; the body goes on beyond the edge."""
    rows, columns = body.shape
    solid = np.zeros(body.shape, np.bool_)
    for y in range(rows):
        for x in range(columns):
            fits = body[y, x]
            for dy, dx in disc:
                if not fits:
                    break
                fits = body[min(max(y + dy, 0), rows - 1), min(max(x + dx, 0), columns - 1)]
            if fits:
                for dy, dx in disc:
                    if 0 <= y + dy < rows and 0 <= x + dx < columns:
                        solid[y + dy, x + dx] = True
    return solid


@njit(cache=True)
def _flooded(solid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What can be reached from the edge of one slice around what is solid."""
    rows, columns = solid.shape
    reached = np.zeros(solid.shape, np.bool_)
    waiting = np.empty(solid.size, np.int64)  # pixels whose neighbours have not been looked at
    count = 0
    for y in range(rows):
        for x in range(columns):
            if (y in (0, rows - 1) or x in (0, columns - 1)) and not solid[y, x]:
                reached[y, x] = True
                waiting[count] = y * columns + x
                count += 1
    while count:
        count -= 1
        y, x = divmod(waiting[count], columns)
        for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= v < rows and 0 <= u < columns and not solid[v, u] and not reached[v, u]:
                reached[v, u] = True
                waiting[count] = v * columns + u
                count += 1
    return reached
