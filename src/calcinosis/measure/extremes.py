"""The greatest and the least value near each voxel: scipy.ndimage's answers, several times sooner.

Whole arrays are compared with themselves, shifted. What lies beyond an array does not count.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


def extreme_in_box(field: FloatArray, reach: Sequence[int], extreme: np.ufunc) -> FloatArray:
    """The extreme as near to each voxel as `reach` voxels along each axis.

    Args:
        field: [z, y, x].
        reach: one for each axis.
        extreme: `np.maximum` or `np.minimum`.
    """
    for axis, steps in enumerate(reach):
        field = _along(field, axis, steps, extreme)
    return field


def extreme_near(field: FloatArray, near: NDArray[np.bool_], extreme: np.ufunc) -> FloatArray:
    """The extreme in a neighbourhood of each voxel.

    Args:
        field: [z, y, x].
        near: the neighbourhood, an ellipsoid with the voxel in its middle. It is taken apart into
            lines along x.
        extreme: `np.maximum` or `np.minimum`.
    """
    middle_z, middle_y, _ = (size // 2 for size in near.shape)
    reach = near.sum(2) // 2
    lines = {steps: _along(field, 2, steps, extreme) for steps in np.unique(reach[near.any(2)])}
    result = field.copy()
    for z, y in np.argwhere(near.any(2)):
        (there_z, here_z), (there_y, here_y) = _shifted(z - middle_z), _shifted(y - middle_y)
        own = result[here_z, here_y]
        extreme(own, lines[reach[z, y]][there_z, there_y], out=own)
    return result


def _along(field: FloatArray, axis: int, reach: int, extreme: np.ufunc) -> FloatArray:
    """The extreme of so many voxels to both sides along one axis."""
    result = field.copy()
    own, other = np.moveaxis(result, axis, 0), np.moveaxis(field, axis, 0)
    for step in range(-reach, reach + 1):
        there, here = _shifted(step)
        extreme(own[here], other[there], out=own[here])
    return result


def _shifted(step: int) -> tuple[slice, slice]:
    """The places of an axis that lie so far on from others, and these others."""
    return slice(max(0, step), min(0, step) or None), slice(max(0, -step), min(0, -step) or None)
