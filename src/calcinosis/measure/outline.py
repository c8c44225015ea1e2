"""What does not belong to a mass although the network's outline takes it in: vessels, mostly."""

import cc3d
import edt
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.measure.gaussian import gaussian
from calcinosis.measure.working_grid import GRID_MM

# A mass holds at least this share of sure voxels around each of its places (Gaussian mean, mm):
# where it does not, the outline has crept along a vessel or bone.
_SURE_NEARBY, _NEARBY_MM = 0.2, 4.0
_ISLAND_SHARE = 0.1  # of its largest part: smaller ones that were joined by such places go too
ROOM_VOXELS = 2 * int(_NEARBY_MM / GRID_MM)  # to be seen around a region
# What reaches so far out of all that holds a ball of this radius, and is no more than this share of
# the region, is a tail: a vessel that runs on. Of 71 masses drawn into sts_015, 038 and 047 no part
# reached as far (7 mm at most). Of 46 phantoms, most with vessels, it changed nine: seven diameters
# came nearer to the truth, by 1.7 to 4.5 voxel diagonals, two went off by 1.1 and 2.5.
_TAIL_RADIUS_MM, _TAIL_REACH_MM, _TAIL_SHARE = 5.0, 8.0, 0.1
_NECK_MM = 1.5  # a tail begins so far outside the balls


def drawn_back(region: NDArray[np.bool_], sure: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A region without where hardly a voxel near is surely mass, and without what this cuts off.

    Where that would leave nothing, all stays: what may be a mass must not go unnamed.

    Args:
        region: working voxels [z, y, x], with room around.
        sure: where the network is sure of a mass.
    """
    some, whole = (
        gaussian(part.astype(np.float32), _NEARBY_MM / GRID_MM) for part in (region & sure, region)
    )
    parts = cc3d.connected_components(region & (some >= _SURE_NEARBY * whole), connectivity=26)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    if not sizes.any():
        return region
    return np.asarray((sizes > _ISLAND_SHARE * sizes.max())[parts])


def without_tails(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A region without what reaches far out of it and is narrow; all of it where all is narrow."""
    voxel_mm = (GRID_MM,) * 3
    core = edt.edt(region, anisotropy=voxel_mm, parallel=1) > _TAIL_RADIUS_MM
    if not core.any():
        return region
    away_mm = edt.edt(~core, anisotropy=voxel_mm, parallel=1) - _TAIL_RADIUS_MM
    parts = cc3d.connected_components(region & (away_mm > _NECK_MM), connectivity=26)
    sizes = np.bincount(parts.ravel())
    farthest_mm = ndimage.maximum(away_mm, parts, np.arange(len(sizes)))
    tail = (farthest_mm >= _TAIL_REACH_MM) & (sizes <= _TAIL_SHARE * np.count_nonzero(region))
    tail[0] = False
    return np.asarray(region & ~tail[parts])
