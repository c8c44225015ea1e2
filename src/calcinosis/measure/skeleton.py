"""The skeleton on the scan's own voxels: ours, or one that the user brings."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calcinosis.errors import InputError
from calcinosis.measure.masks import bounds
from calcinosis.measure.tissue import DENSE_HU, TissueMap
from calcinosis.measure.working_grid import WorkingGrid
from calcinosis.volume import Volume

_BONE = 127  # network score (of 255) above which a voxel is bone
_PLANES = 8
# Of what we take for dense bone, true skeletons leave out 10 to 17 % (the blur around it), those by
# a threshold 35 to 40 % (marrow), those of another scan nearly all; measured on five scans.
_MUCH_LEFT_OUT = 0.5


def skeleton_on_scan(
    volume: Volume, grid: WorkingGrid, scores: NDArray[np.uint8], masses: NDArray[np.uint8]
) -> NDArray[np.bool_]:
    """Bones with their marrow, a few planes at a time to spare memory; never a mass.

    Args:
        volume: the scan.
        grid: its 1.5 mm version.
        scores: network scores for skeleton on that grid, 0…255.
        masses: label map on the scan's grid.
    """
    result = np.zeros(volume.shape, bool)
    planes, rows, columns = volume.shape
    for start in range(0, planes, _PLANES):
        slab = (slice(start, min(start + _PLANES, planes)), slice(0, rows), slice(0, columns))
        depth, *_ = grid.box_of(slab)
        bone = scores[depth] > _BONE
        _, across, along = grid.native_box(bounds(bone), volume.shape)
        box = (slab[0], across, along)
        result[box] = grid.to_native(scores, box) > _BONE
        result[box] &= masses[box] == 0
    return result


def fitting_skeleton(volume: Volume, skeleton: NDArray[Any]) -> NDArray[np.bool_]:
    """A given mask, whatever marks bone in it, as one of this volume.

    Raises:
        InputError: its shape is not the volume's.
    """
    if skeleton.shape != volume.shape:
        raise InputError(
            f"the skeleton has {skeleton.shape} voxels; expected those of the scan, {volume.shape}"
        )
    return np.asarray(skeleton, dtype=bool)


def override_skeleton(
    grid: WorkingGrid, tissue: TissueMap, skeleton: NDArray[np.bool_]
) -> TissueMap:
    """Trust a given skeleton: dense tissue outside it is extraskeletal."""
    bone = grid.from_native(skeleton)
    dense = grid.hu > DENSE_HU
    outside = np.where(dense, np.maximum(tissue.mass, tissue.skeleton), tissue.mass)
    return replace(
        tissue,
        mass=np.where(bone, 0, outside).astype(np.uint8),
        skeleton=np.where(bone, 255, 0).astype(np.uint8),
    )


def remarks_on_given(
    grid: WorkingGrid, tissue: TissueMap, skeleton: NDArray[np.bool_]
) -> tuple[str, ...]:
    """That the skeleton was given, and a doubt where it lacks most of what we take for bone.

    Args:
        grid: the scan's 1.5 mm version.
        tissue: what the network tells of it.
        skeleton: the given mask on the scan's own grid.
    """
    bone = (tissue.skeleton > _BONE) & (grid.hu > DENSE_HU)
    left_out = 1 - float(grid.from_native(skeleton)[bone].mean()) if bone.any() else 0.0
    told = "Bone is what the given skeleton mask marks."
    if left_out <= _MUCH_LEFT_OUT:
        return (told,)
    remark = (
        f"{told} It leaves out {100 * left_out:.0f} % of what the program takes for dense bone: is "
        "it of this scan, and complete? What it leaves out may be called a mass."
    )
    return (remark,)
