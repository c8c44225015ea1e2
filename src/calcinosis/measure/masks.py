"""What is asked of masks over and over: where one lies, its rim, it grown, it without holes.

The answers are those of NumPy and scipy.ndimage, several times sooner.
"""

from collections.abc import Sequence

import cc3d
import numpy as np
from numpy.typing import ArrayLike, NDArray

from calcinosis.measure.working_grid import Box

Mask = NDArray[np.bool_]


def bounds(mask: Mask) -> Box:
    """The smallest box that holds a mask [z, y, x]; of an empty one, that of its first voxel."""
    z = _first_to_last(mask.any((1, 2)))
    y = _first_to_last(mask[z].any((0, 2)))
    x = _first_to_last(mask[z, y].any((0, 1)))
    return z, y, x


def _first_to_last(line: ArrayLike) -> slice:
    """From the first place of a line that holds something to the last; else the first place."""
    held = np.flatnonzero(line)
    return slice(int(held[0]), int(held[-1]) + 1) if len(held) else slice(0, 1)


def widened(box: Box, reach: Sequence[int]) -> Box:
    """A box with so many more voxels at both ends of its axes, cut where the array begins."""
    z, y, x = (
        slice(max(0, extent.start - more), extent.stop + more)
        for extent, more in zip(box, reach, strict=True)
    )
    return z, y, x


def places(mask: Mask) -> NDArray[np.int64]:
    """Indices [n, axes] of all that is in a mask, as `argwhere` gives them."""
    return np.array(np.unravel_index(np.flatnonzero(mask), mask.shape)).T


def rim(mask: Mask, *, beyond: bool = False) -> Mask:
    """Voxels of a mask that share a face with one outside it.

    Args:
        mask: of two or three axes.
        beyond: whether the mask goes on beyond the edges of the array.
    """
    inner = mask.copy()
    for axis in range(mask.ndim):
        here, own = np.moveaxis(inner, axis, 0), np.moveaxis(mask, axis, 0)
        here[1:] &= own[:-1]
        here[:-1] &= own[1:]
        if not beyond:
            here[[0, -1]] = False
    return mask & ~inner


def grown(mask: Mask, steps: int = 1) -> Mask:
    """A mask with all that so many steps, each through a face, lead to from it."""
    for _ in range(steps):
        wider = mask.copy()
        for axis in range(mask.ndim):
            there, own = np.moveaxis(wider, axis, 0), np.moveaxis(mask, axis, 0)
            there[1:] |= own[:-1]
            there[:-1] |= own[1:]
        mask = wider
    return mask


def without_holes(mask: Mask) -> Mask:
    """A mask with all that no way through faces leads to from the edges of the array."""
    rest = cc3d.connected_components(~mask, connectivity=6 if mask.ndim == 3 else 4)
    edges = [np.take(rest, end, axis).ravel() for axis in range(mask.ndim) for end in (0, -1)]
    filled = np.ones(int(rest.max()) + 1, bool)
    filled[np.concatenate(edges)] = False
    filled[0] = True  # the mask itself
    return np.asarray(filled[rest])
