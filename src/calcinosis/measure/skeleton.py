"""The skeleton on the scan's own voxels: ours, or one that the user brings."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from calcinosis.measure.tissue import DENSE_HU, TissueMap
from calcinosis.measure.working_grid import WorkingGrid
from calcinosis.volume import Volume


def skeleton_on_scan(
    volume: Volume, grid: WorkingGrid, tissue: TissueMap, masses: NDArray[np.uint8]
) -> NDArray[np.bool_]:
    """Bones with their marrow, plane by plane to spare memory; never a mass.

    Args:
        volume: the scan.
        grid: its 1.5 mm version.
        tissue: network scores on that grid.
        masses: label map on the scan's grid.
    """
    result = np.zeros(volume.shape, bool)
    planes, rows, columns = volume.shape
    for start in range(0, planes, 16):
        box = (slice(start, min(start + 16, planes)), slice(0, rows), slice(0, columns))
        result[box] = grid.to_native(tissue.skeleton, box) > 127
    result &= masses == 0
    return result


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
