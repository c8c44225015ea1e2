"""How many locules a mass is made of: compartments between septa."""

from itertools import product

import numpy as np
from numba import njit
from numpy.typing import NDArray

from calcinosis.measure.distance import Spacing, distance_within
from calcinosis.measure.gaussian import gaussian
from calcinosis.measure.masks import bounds, widened

_WALL_HU = 60.0  # a septum differs this much from both sides; a named parameter
_SEPTUM_MM = 1.5
_EDGE_MM = 1.0  # and half a voxel: so near the outline, blur of the outer wall looks like a septum
_TRUNCATE = 3.0  # standard deviations: how far the filters see
_DEPTH_MM = 1.0  # two compartments are one when their neck is less than this narrower than them


def count_locules(hu: NDArray[np.float32], envelope: NDArray[np.bool_], spacing_mm: Spacing) -> int:
    """Number of compartments inside an envelope; at least one.

    Args:
        hu: Hounsfield units of a box [z, y, x].
        envelope: voxels of the mass, same box.
        spacing_mm: voxel spacing z, y, x.
    """
    sigma = [0.5 * _SEPTUM_MM / s for s in spacing_mm]
    wide = [3 * s for s in sigma]
    # no more than the filters see from the mass, and one voxel on
    room = widened(bounds(envelope), [int(_TRUNCATE * s) + 3 for s in wide])
    hu, envelope = hu[room], envelope[room]
    fine = gaussian(hu, [0.25 * s for s in sigma], truncate=_TRUNCATE)
    coarse = gaussian(hu, wide, truncate=_TRUNCATE)
    walls = (np.abs(fine - coarse) > _WALL_HU) & _thin(fine, coarse)
    box = widened(bounds(envelope), [1, 1, 1])
    inside, walls = envelope[box], walls[box]
    deepest_mm = min(size * step for size, step in zip(inside.shape, spacing_mm, strict=True))
    edge_mm = _EDGE_MM + max(spacing_mm) / 2
    walls &= distance_within(inside, edge_mm, spacing_mm) > edge_mm
    depth = distance_within(inside & ~walls, deepest_mm, spacing_mm)
    return max(1, _count_peaks(depth))


def _count_peaks(depth: NDArray[np.float32]) -> int:
    """Peaks that rise by more than `_DEPTH_MM` above the neck to a higher one, or above nothing."""
    wide = np.pad(depth, 1)
    voxels = np.flatnonzero(wide)
    falling = voxels[np.argsort(-wide.ravel()[voxels], kind="stable")]
    plane, row = wide.shape[1] * wide.shape[2], wide.shape[2]
    around = np.array([z * plane + y * row + x for z, y, x in product((-1, 0, 1), repeat=3)])
    return int(_flood(wide.ravel(), falling, around[around != 0], _DEPTH_MM))


@njit(cache=True)
def _flood(depth, falling, around, least):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Voxels emerge from the deepest on; where two parts meet, the shallower one ends.

    A part is known by its deepest voxel: the root of its tree of parents.
    """
    parent = np.full(len(depth), -1, np.int64)
    count = 0
    for voxel in falling:
        parent[voxel] = voxel
        for step in around:
            other = voxel + step
            if parent[other] < 0:
                continue
            one = voxel
            while parent[one] != one:
                parent[one] = parent[parent[one]]
                one = parent[one]
            while parent[other] != other:
                parent[other] = parent[parent[other]]
                other = parent[other]
            if one == other:
                continue
            if depth[one] > depth[other]:
                one, other = other, one
            parent[one] = other
            count += depth[one] - depth[voxel] > least
    for voxel in falling:
        count += parent[voxel] == voxel and depth[voxel] > least
    return count


def _thin(fine: NDArray[np.float32], coarse: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Ridges and valleys: the extreme of their neighbourhood along at least one axis."""
    detail = fine - coarse
    dark, bright = detail < 0, detail > 0
    result = np.zeros(fine.shape, bool)
    for axis in range(3):
        along = np.moveaxis(detail, axis, 0)
        rising, falling = along[:-1] <= along[1:], along[:-1] >= along[1:]
        valley, ridge = np.moveaxis(dark.copy(), axis, 0), np.moveaxis(bright.copy(), axis, 0)
        valley[:-1] &= rising
        valley[1:] &= falling
        ridge[:-1] &= falling
        ridge[1:] &= rising
        result |= np.moveaxis(valley | ridge, 0, axis)
    return result
