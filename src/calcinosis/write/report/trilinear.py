"""Values between voxels, by linear interpolation along all three axes."""

import numpy as np
from numba import njit


@njit(cache=True)
def between(field, place, outside):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """The value of `field` at fractional indices; `outside` beyond the centres of its voxels."""
    z, y, x = place
    planes, rows, columns = field.shape
    if not (0 <= z <= planes - 1 and 0 <= y <= rows - 1 and 0 <= x <= columns - 1):
        return outside
    a, b, c = int(z), int(y), int(x)
    e, f, g = min(a + 1, planes - 1), min(b + 1, rows - 1), min(c + 1, columns - 1)
    dz, dy, dx = z - a, y - b, x - c
    low = (field[a, b, c] * (1 - dx) + field[a, b, g] * dx) * (1 - dy)
    low += (field[a, f, c] * (1 - dx) + field[a, f, g] * dx) * dy
    high = (field[e, b, c] * (1 - dx) + field[e, b, g] * dx) * (1 - dy)
    high += (field[e, f, c] * (1 - dx) + field[e, f, g] * dx) * dy
    return low * (1 - dz) + high * dz


@njit(cache=True)
def square(field, first, down, right, size, outside):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """`size` × `size` values, float32: from the indices `first` on, in steps `down` and `right`."""
    values = np.empty((size, size), np.float32)
    for row in range(size):
        z, y, x = first + row * down
        for column in range(size):
            place = z + column * right[0], y + column * right[1], x + column * right[2]
            values[row, column] = between(field, place, outside)
    return values
