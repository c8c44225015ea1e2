"""The Gaussian filter of scipy.ndimage, with the same results to the bit, several times sooner.

Many lines are filtered at once. As there, the array goes on beyond its edges as in a mirror, sums
have double precision, and each axis is rounded to 32 bits.
"""

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

_AT_ONCE = 16  # numbers that compiled code adds together; lines are made so long


def gaussian(
    values: NDArray[np.float32], sigma: Sequence[float] | ArrayLike, truncate: float = 4.0
) -> NDArray[np.float32]:
    """A smooth copy of an array [z, y, x].

    Args:
        values: [z, y, x].
        sigma: standard deviation in voxels along z, y, x, or one for all axes.
        truncate: how many of them the filter sees.
    """
    result = np.array(values, np.float32, order="C")
    z, y, x = (_weights(float(one), truncate) for one in np.broadcast_to(sigma, 3))
    _filter(result, z, y, x)
    return result


def _weights(sigma: float, truncate: float) -> NDArray[np.float64]:
    """Of the voxel itself, of its neighbours, of theirs, and so on."""
    reach = int(truncate * sigma + 0.5)
    bell = np.exp(-0.5 / (sigma * sigma) * np.arange(-reach, reach + 1) ** 2)
    return np.asarray((bell / bell.sum())[reach:])


@njit(cache=True)
def _filter(
    values: NDArray[np.float32],
    along_z: NDArray[np.float64],
    along_y: NDArray[np.float64],
    along_x: NDArray[np.float64],
) -> None:
    """Axis by axis, in place."""
    planes, rows, columns = values.shape
    lines, blended = _lines(planes, columns)
    for y in range(rows):
        for z in range(planes):
            for x in range(columns):
                lines[z, x] = values[z, y, x]
        _blend(lines, along_z, blended)
        for z in range(planes):
            for x in range(columns):
                values[z, y, x] = blended[z, x]
    lines, blended = _lines(rows, columns)
    across, across_blended = _lines(columns, rows)
    for z in range(planes):
        for y in range(rows):
            for x in range(columns):
                lines[y, x] = values[z, y, x]
        _blend(lines, along_y, blended)
        for y in range(rows):
            for x in range(columns):
                across[x, y] = np.float32(blended[y, x])
        _blend(across, along_x, across_blended)
        for y in range(rows):
            for x in range(columns):
                values[z, y, x] = across_blended[x, y]


@njit(cache=True)
def _lines(count: int, length: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Room for lines and for what they give."""
    padded = -(-length // _AT_ONCE) * _AT_ONCE
    return np.zeros((count, padded)), np.zeros((count, padded))


@njit(cache=True)
def _blend(
    lines: NDArray[np.float64], weights: NDArray[np.float64], blended: NDArray[np.float64]
) -> None:
    """Weighted sums of each line and those beside it, the farthest first."""
    count = len(lines)
    for here in range(count):
        line, total = lines[here], blended[here]
        for x in range(len(total)):
            total[x] = line[x] * weights[0]
        for away in range(len(weights) - 1, 0, -1):
            before = lines[_mirrored(here - away, count)]
            after = lines[_mirrored(here + away, count)]
            for x in range(len(total)):
                total[x] += (before[x] + after[x]) * weights[away]


@njit(cache=True)
def _mirrored(index: int, count: int) -> int:
    """Where a line beyond the edges lies, the array being mirrored there."""
    index %= 2 * count
    return min(index, 2 * count - 1 - index)
