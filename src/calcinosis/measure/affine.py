"""Trilinear values of a field on another grid, as scipy.ndimage gives them but much sooner."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]


def affine(
    field: NDArray[np.float32],
    matrix: Array,
    offset: Array,
    shape: tuple[int, int, int],
    far: float,
) -> NDArray[np.float32]:
    """A field at matrix @ (z, y, x) + offset, to the bit what `affine_transform` gives.

    Args:
        field: [z, y, x].
        matrix: (3, 3), from indices of the result to indices of the field.
        offset: index in the field of the first voxel of the result.
        shape: of the result.
        far: the value outside the field.
    """
    field = np.ascontiguousarray(field)
    return np.asarray(_affine(field, matrix, offset, shape, float(far)))


@njit(cache=True)
def _affine(
    field: NDArray[np.float32],
    matrix: Array,
    offset: Array,
    shape: tuple[int, int, int],
    far: float,
) -> NDArray[np.float32]:
    result = np.full(shape, np.float32(far))
    for z in range(shape[0]):
        for y in range(shape[1]):
            begin = offset + z * matrix[:, 0] + y * matrix[:, 1]
            for x in range(shape[2]):
                down = begin[0] + x * matrix[0, 2]
                back = begin[1] + x * matrix[1, 2]
                left = begin[2] + x * matrix[2, 2]
                if (
                    0 <= down <= field.shape[0] - 1
                    and 0 <= back <= field.shape[1] - 1
                    and 0 <= left <= field.shape[2] - 1
                ):
                    result[z, y, x] = _between(field, down, back, left)
    return result


@njit(cache=True)
def _between(field: NDArray[np.float32], down: float, back: float, left: float) -> float:
    """The weighted sum of the eight voxels around a place, added in the order of scipy."""
    i, j, k = int(down), int(back), int(left)
    above, before, beside = 1 - (down - i), 1 - (back - j), 1 - (left - k)
    total = 0.0
    for a, weight_a in ((i, above), (i + 1, 1 - above)):
        for b, weight_b in ((j, before), (j + 1, 1 - before)):
            for c, weight_c in ((k, beside), (k + 1, 1 - beside)):
                value = field[
                    min(a, field.shape[0] - 1),
                    min(b, field.shape[1] - 1),
                    min(c, field.shape[2] - 1),
                ]
                total += value * weight_a * weight_b * weight_c
    return total
