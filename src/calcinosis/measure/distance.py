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
    limit = farthest * farthest * 1.0001
    lowest = np.empty((planes, rows), np.float32)  # of each line
    plane, row_lowest = np.empty((rows, columns), np.float32), np.empty(rows, np.float32)
    for z in range(planes):
        for y in range(rows):
            row_lowest[y] = _count(mask[z, y], plane[y], reach[2], step[2])
        for y in range(rows):
            lowest[z, y] = _least(plane, row_lowest, y, reach[1], step[1], limit, result[z, y])
    column = np.empty((planes, columns), np.float32)
    for y in range(rows):
        for z in range(planes):  # one by one: to assign a slice takes numba 5 s to compile
            for x in range(columns):
                column[z, x] = result[z, y, x]
        for z in range(planes):
            line = result[z, y]
            if _least(column, lowest[:, y], z, reach[0], step[0], limit, line) == np.inf:
                continue
            for x in range(columns):
                distance = np.sqrt(line[x])
                line[x] = distance if distance <= farthest else np.float32(np.inf)
    return result


@njit(cache=True)
def _count(
    inside: NDArray[np.bool_], squared: NDArray[np.float32], reach: int, step: float
) -> float:
    """Squared distances along a line of voxels; the lowest: 0 if any is outside, else infinite."""
    size = len(inside)
    told = False
    away = reach + 1
    for x in range(size):
        away = away + 1 if inside[x] else 0
        squared[x] = np.float32(away * step) ** 2 if away <= reach else np.inf
        told |= away == 0
    if not told:
        return np.inf
    away = reach + 1
    for x in range(size - 1, -1, -1):
        away = away + 1 if inside[x] else 0
        if away <= reach:
            squared[x] = min(squared[x], np.float32(away * step) ** 2)
    return 0.0


@njit(cache=True)
def _least(
    lines: NDArray[np.float32],
    lowest: NDArray[np.float32],
    here: int,
    reach: int,
    step: float,
    limit: float,
    result: NDArray[np.float32],
) -> float:
    """The least over the lines in reach of their squared distance plus that of the line.

    Lines that lead beyond the limit everywhere are passed over. Returns the lowest told here.
    """
    result[:] = np.inf
    found = np.inf
    for other in range(max(0, here - reach), min(len(lines), here + reach + 1)):
        more = np.float32((other - here) * step) ** 2
        if lowest[other] + more > limit:
            continue
        found = min(found, lowest[other] + more)
        line = lines[other]
        for x in range(len(line)):
            result[x] = min(result[x], line[x] + more)
    return found
