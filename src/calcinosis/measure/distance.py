"""Distances that are wanted only up to a reach: exact there, and far cheaper than a whole map."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Spacing = tuple[float, float, float]


def distance_within(
    mask: NDArray[np.bool_], reach_mm: float, spacing_mm: Spacing
) -> NDArray[np.float32]:
    """Distance in mm from each voxel to the nearest one outside `mask`; infinite beyond the reach.

    Args:
        mask: [z, y, x].
        reach_mm: greatest distance that is told; every voxel within it is looked at, so the time
            grows with the reach.
        spacing_mm: voxel spacing z, y, x.
    """
    reach = np.array([int(reach_mm / step * 1.0001) for step in spacing_mm])
    return np.asarray(
        _distances(
            np.ascontiguousarray(mask),
            reach,
            np.asarray(spacing_mm, np.float32),
            float(reach_mm * 1.0001),
        )
    )


@njit(cache=True)
def _distances(
    mask: NDArray[np.bool_], reach: NDArray[np.int64], step: NDArray[np.float32], farthest: float
) -> NDArray[np.float32]:
    """Squared distances: along x by counting, then the least over the rows and planes in reach."""
    planes, rows, columns = mask.shape
    result = np.empty(mask.shape, np.float32)
    told = np.zeros((planes, rows), np.bool_)  # lines where some distance is known
    plane, row_told = np.empty((rows, columns), np.float32), np.zeros(rows, np.bool_)
    for z in range(planes):
        for y in range(rows):
            row_told[y] = _count(mask[z, y], plane[y], reach[2], step[2])
        for y in range(rows):
            told[z, y] = _least(plane, row_told, y, reach[1], step[1], result[z, y])
    column = np.empty((planes, columns), np.float32)
    for y in range(rows):
        column[:] = result[:, y]
        for z in range(planes):
            line = result[z, y]
            if not _least(column, told[:, y], z, reach[0], step[0], line):
                continue  # all infinite
            for x in range(columns):
                distance = np.sqrt(line[x])
                line[x] = distance if distance <= farthest else np.float32(np.inf)
    return result


@njit(cache=True)
def _count(
    inside: NDArray[np.bool_], squared: NDArray[np.float32], reach: int, step: float
) -> bool:
    """Squared distances along a line of voxels; whether any of these is outside the mask."""
    size = len(inside)
    told = False
    away = reach + 1
    for x in range(size):
        away = away + 1 if inside[x] else 0
        squared[x] = np.float32(away * step) ** 2 if away <= reach else np.inf
        told |= away == 0
    if not told:
        return False
    away = reach + 1
    for x in range(size - 1, -1, -1):
        away = away + 1 if inside[x] else 0
        if away <= reach:
            squared[x] = min(squared[x], np.float32(away * step) ** 2)
    return True


@njit(cache=True)
def _least(
    lines: NDArray[np.float32],
    told: NDArray[np.bool_],
    here: int,
    reach: int,
    step: float,
    result: NDArray[np.float32],
) -> bool:
    """The least over the lines in reach of their squared distance plus that of the line.

    Lines where no distance is told are passed over. Returns whether one is told here.
    """
    result[:] = lines[here]
    found = False
    for other in range(max(0, here - reach), min(len(lines), here + reach + 1)):
        if not told[other]:
            continue
        found = True
        more = np.float32((other - here) * step) ** 2
        line = lines[other]
        for x in range(len(line)):
            result[x] = min(result[x], line[x] + more)
    return found
