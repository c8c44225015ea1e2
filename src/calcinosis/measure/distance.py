"""Distances that are wanted only up to a reach: exact there, and far cheaper than a whole map."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Spacing = tuple[float, float, float]
_AT_ONCE = 32  # voxels that compiled code compares together; lines are made so long


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
    width = -(-columns // _AT_ONCE) * _AT_ONCE
    plane, row_lowest = np.full((rows, width), np.float32(np.inf)), np.empty(rows, np.float32)
    spare = np.empty((2, width), np.float32)
    squares = _squares(reach[2], step[2])
    for z in range(planes):
        for y in range(rows):
            row_lowest[y] = _count(mask[z, y], plane[y], squares)
        for y in range(rows):
            line, lowest[z, y] = _least(plane, row_lowest, y, reach[1], step[1], limit, spare)
            for x in range(columns):  # one by one: to assign a slice takes numba 5 s to compile
                result[z, y, x] = line[x]
    column = np.full((planes, width), np.float32(np.inf))
    for y in range(rows):
        for z in range(planes):
            for x in range(columns):
                column[z, x] = result[z, y, x]
        for z in range(planes):
            line, found = _least(column, lowest[:, y], z, reach[0], step[0], limit, spare)
            if found == np.inf:
                continue
            for x in range(columns):
                distance = np.sqrt(line[x])
                result[z, y, x] = distance if distance <= farthest else np.float32(np.inf)
    return result


@njit(cache=True)
def _squares(reach: int, step: float) -> NDArray[np.float32]:
    """Squared distances of so many voxels from 0 on; infinite one beyond the reach."""
    squares = np.empty(reach + 2, np.float32)
    for away in range(reach + 1):
        squares[away] = np.float32(away * step) ** 2
    squares[-1] = np.inf
    return squares


@njit(cache=True)
def _count(
    inside: NDArray[np.bool_], squared: NDArray[np.float32], squares: NDArray[np.float32]
) -> float:
    """Squared distances along a line of voxels; the lowest: 0 if any is outside, else infinite."""
    told = False
    for x in range(len(inside)):
        told |= not inside[x]
    if not told:
        return np.inf
    away = beyond = len(squares) - 1
    for x in range(len(inside)):
        away = min(away + 1, beyond) if inside[x] else 0
        squared[x] = squares[away]
    away = beyond
    for x in range(len(inside) - 1, -1, -1):
        away = min(away + 1, beyond) if inside[x] else 0
        squared[x] = min(squared[x], squares[away])
    return 0.0


@njit(cache=True)
def _least(
    lines: NDArray[np.float32],
    lowest: NDArray[np.float32],
    here: int,
    reach: int,
    step: float,
    limit: float,
    spare: NDArray[np.float32],
) -> tuple[NDArray[np.float32], float]:
    """The least over the lines in reach of their squared distance plus that of the line.

    Lines that lead beyond the limit everywhere are passed over. Returns one of two spare lines, and
    the lowest told here. It is written from one line into the other: in place, it would be stored
    under a mask, which takes processors without AVX-512 four times as long.
    """
    result, other_result = spare[0], spare[1]
    result[:] = np.inf
    found = np.inf
    for other in range(max(0, here - reach), min(len(lines), here + reach + 1)):
        more = np.float32((other - here) * step) ** 2
        if lowest[other] + more > limit:
            continue
        found = min(found, lowest[other] + more)
        line = lines[other]
        for x in range(len(line)):
            other_result[x] = min(result[x], line[x] + more)
        result, other_result = other_result, result
    return result, found
