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
    squared = _squared(np.ascontiguousarray(mask), reach, np.asarray(spacing_mm, np.float32))
    distance: NDArray[np.float32] = np.sqrt(squared, out=squared)
    distance[distance > reach_mm * 1.0001] = np.inf
    return distance


@njit(cache=True)
def _squared(
    mask: NDArray[np.bool_], reach: NDArray[np.int64], step: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Squared distances: along x by counting, then the least over the rows and planes in reach."""
    planes, rows, columns = mask.shape
    result = np.empty(mask.shape, np.float32)
    for z in range(planes):
        plane = np.empty((rows, columns), np.float32)
        for y in range(rows):
            _count(mask[z, y], plane[y], reach[2], step[2])
        for y in range(rows):
            _least(plane, y, reach[1], step[1], result[z, y])
    column = np.empty((planes, columns), np.float32)
    for y in range(rows):
        column[:] = result[:, y]
        for z in range(planes):
            _least(column, z, reach[0], step[0], result[z, y])
    return result


@njit(cache=True)
def _count(
    inside: NDArray[np.bool_], squared: NDArray[np.float32], reach: int, step: float
) -> None:
    """Squared distances along a line of voxels."""
    size = len(inside)
    away = reach + 1
    for x in range(size):
        away = away + 1 if inside[x] else 0
        squared[x] = np.float32(away * step) ** 2 if away <= reach else np.inf
    away = reach + 1
    for x in range(size - 1, -1, -1):
        away = away + 1 if inside[x] else 0
        if away <= reach:
            squared[x] = min(squared[x], np.float32(away * step) ** 2)


@njit(cache=True)
def _least(
    lines: NDArray[np.float32], here: int, reach: int, step: float, result: NDArray[np.float32]
) -> None:
    """The least over the lines in reach of their squared distance plus that of the line."""
    result[:] = lines[here]
    for other in range(max(0, here - reach), min(len(lines), here + reach + 1)):
        more = np.float32((other - here) * step) ** 2
        line = lines[other]
        for x in range(len(line)):
            result[x] = min(result[x], line[x] + more)
