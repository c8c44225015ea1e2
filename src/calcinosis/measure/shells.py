"""Closed shells of calcification around fluid: cysts, which the network may hold for bone.

Bone holds fat, red marrow or spongy bone, and little as dense as water: of what lies deeper than
4 mm in whole bones 0 to 30 % (36 scans), of what lies so deep in five shells drawn into real scans
with fluid of 10 to 20 HU 81 to 92 % (measured by us). Phantoms' shafts hold 50 HU, but are long.
"""

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.measure.distance import distance_within
from calcinosis.measure.tissue import TissueMap
from calcinosis.measure.working_grid import GRID_MM, WORKING_ML, Box, WorkingGrid

_LIKELY = 128  # network score (of 255)
_DEEP_MM = 4.0  # beyond a shell and its blur
_SHELL_ML, _LEAST_ML, _MOST_ML = 0.3, 1.0, 500.0  # of a shell, and with what it holds: no skull
_WATER_HU, _WATER_SHARE, _DENSEST_FLUID_HU = (-20.0, 70.0), 0.6, 40.0
_LONGEST = 2.5  # times as long as wide: longer ones are shafts


def shells_as_masses(grid: WorkingGrid, tissue: TissueMap) -> None:
    """Give what a map holds for bone, but is a closed shell around fluid, to the masses."""
    dense = np.maximum(tissue.mass, tissue.skeleton) > _LIKELY
    parts = cc3d.connected_components(dense[::2, ::2, ::2], connectivity=18)
    size_ml = np.bincount(parts.ravel()) * 8 * WORKING_ML
    for part, coarse in enumerate(ndimage.find_objects(parts), start=1):
        if (
            not _SHELL_ML < size_ml[part] < _MOST_ML
            or _is_cut(coarse, parts.shape)
            or _is_long(coarse)
        ):
            continue
        box, near = _finer(coarse, parts[coarse] == part)
        own = dense[box] & near
        if np.mean(tissue.skeleton[box][own] > _LIKELY) < 1 / 2:
            continue  # a mass already
        whole = ndimage.binary_fill_holes(own)
        if _holds_fluid(grid.hu[box], whole):
            tissue.mass[box][whole] = 255
            tissue.skeleton[box][whole] = 0


def _finer(coarse: Box, part: NDArray[np.bool_]) -> tuple[Box, NDArray[np.bool_]]:
    """The box of a part of every second voxel, a little wider, and all that is near the part."""
    z, y, x = (slice(2 * e.start - 2, 2 * e.stop + 2) for e in coarse)
    grown = ndimage.binary_dilation(np.pad(part, 1), np.ones((3, 3, 3)))
    return (z, y, x), grown.repeat(2, 0).repeat(2, 1).repeat(2, 2)


def _is_cut(box: Box, shape: tuple[int, ...]) -> bool:
    """Whether the edge of the scan may cut what lies in a box."""
    return any(e.start == 0 or e.stop >= size - 1 for e, size in zip(box, shape, strict=True))


def _is_long(box: Box) -> bool:
    """Whether a box is much longer than wide."""
    sides = [extent.stop - extent.start for extent in box]
    return bool(max(sides) > _LONGEST * min(sides))


def _holds_fluid(hu: NDArray[np.int16], whole: NDArray[np.bool_]) -> bool:
    """Whether most of what lies deep inside is as dense as water."""
    if not _LEAST_ML < np.count_nonzero(whole) * WORKING_ML < _MOST_ML:
        return False
    padded = np.pad(whole, 1)
    depth = distance_within(padded, 2 * _DEEP_MM, (GRID_MM,) * 3)[1:-1, 1:-1, 1:-1]
    deep = hu[depth > _DEEP_MM]
    water = (deep > _WATER_HU[0]) & (deep < _WATER_HU[1])
    enough = len(deep) * WORKING_ML > _LEAST_ML / 4
    return bool(enough and water.mean() > _WATER_SHARE and np.median(deep) < _DENSEST_FLUID_HU)
