"""How many locules a mass is made of: compartments between septa."""

import edt
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.measure.envelope import Spacing, distance_mm

_WALL_HU = 60.0  # a septum differs this much from both sides; a named parameter
_SEPTUM_MM = 1.5
_DEPTH_MM = 1.0  # two compartments are one when their neck is less than this narrower than them


def count_locules(hu: NDArray[np.float32], envelope: NDArray[np.bool_], spacing_mm: Spacing) -> int:
    """Number of compartments inside an envelope; at least one.

    Args:
        hu: Hounsfield units of a box [z, y, x].
        envelope: voxels of the mass, same box.
        spacing_mm: voxel spacing z, y, x.
    """
    from skimage.morphology import h_maxima

    sigma = [0.5 * _SEPTUM_MM / s for s in spacing_mm]
    fine = ndimage.gaussian_filter(hu, [0.25 * s for s in sigma], truncate=3.0)
    coarse = ndimage.gaussian_filter(hu, [3 * s for s in sigma], truncate=3.0)
    walls = (np.abs(fine - coarse) > _WALL_HU) & _thin(fine, coarse)
    depth = np.asarray(edt.edt(envelope & ~walls, anisotropy=spacing_mm, parallel=1), np.float32)
    depth = np.minimum(depth, distance_mm(envelope, spacing_mm))
    peaks = h_maxima(depth, _DEPTH_MM)
    _, count = ndimage.label(peaks & (depth > _DEPTH_MM), structure=np.ones((3, 3, 3)))
    return max(1, int(count))


def _thin(fine: NDArray[np.float32], coarse: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Ridges and valleys: the extreme of their neighbourhood along at least one axis."""
    detail = fine - coarse
    result = np.zeros(fine.shape, bool)
    for axis in range(3):
        ahead, behind = np.roll(detail, -1, axis), np.roll(detail, 1, axis)
        result |= (detail <= ahead) & (detail <= behind) & (detail < 0)
        result |= (detail >= ahead) & (detail >= behind) & (detail > 0)
    return result
