"""How far a mass reaches beyond what is seen to be calcified.

The network takes muscle between scattered pieces, and some around them, for mass. The envelope is
locules with their walls, closed: soft tissue counts near calcium, where the closing takes it, and
where it is darker than muscle, as fluid is. Where fluid lies in calcified rims, these are the
walls, and none are added that no one sees.
"""

import numpy as np
from numpy.typing import NDArray

from calcinosis.measure.closing import CLOSING_MM, closed
from calcinosis.measure.distance import Spacing, distance_within
from calcinosis.measure.gaussian import gaussian
from calcinosis.measure.masks import bounds, widened
from calcinosis.measure.working_grid import Box

WALL_MAX_MM = 2.5  # a capsule or septum; thicker ones are not drawn in training either
_RIM_GAP_MM = 1.6  # a gap so wide in a rim's picture is closed, or one voxel
FLUID_HU = (-40.0, 40.0)  # darker is fat, brighter may be muscle; named parameters
# The share of a mass's fluid that lies in rims if walls are calcified, and the least fluid, as a
# share of what is calcified, that tells. Of 133 masses drawn by three generators seven had more,
# all of them with calcified walls; with soft walls none had more than 0.33.
_IN_RIMS_SHARE, _FLUID_SHARE = 0.35, 0.02
_SOFT_HU = (-150.0, 130.0)  # fat, muscle and fluid, with their noise
_AVERAGE_MM, _TRUNCATE = 1.5, 3.0  # standard deviation of the mean over soft tissue; how many

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float32]


def held(hu: FloatArray, region: BoolArray, calcified: BoolArray, spacing_mm: Spacing) -> BoolArray:
    """A region without soft tissue that is neither wall, nor within the closing, nor fluid.

    Args:
        hu: Hounsfield units [z, y, x] of a box.
        region: what is held for mass there.
        calcified: what is bright enough to be calcified, in and beside it.
        spacing_mm: voxel spacing z, y, x.
    """
    seen = region & calcified
    if not seen.any():
        return region
    fluid = region & ~calcified & _like_fluid(hu, calcified, bounds(region), spacing_mm)
    rims = closed(seen, _RIM_GAP_MM, _no_wider(spacing_mm, _RIM_GAP_MM))
    rimmed = _lies_in_rims(fluid, seen, rims)
    walls = seen if rimmed else _walls_around(seen, spacing_mm)
    return seen | fluid | (region & closed(walls, CLOSING_MM, spacing_mm))


def _walls_around(calcified: BoolArray, spacing_mm: Spacing) -> BoolArray:
    """What is calcified, with walls as thick as they may be: at least one voxel."""
    steps = _no_wider(spacing_mm, WALL_MAX_MM)
    return distance_within(~calcified, WALL_MAX_MM, steps) <= WALL_MAX_MM


def _no_wider(spacing_mm: Spacing, reach_mm: float) -> Spacing:
    """Spacing by which a reach leads to the next voxel at least, however thick the slices."""
    z, y, x = (min(step, reach_mm) for step in spacing_mm)
    return z, y, x


def _like_fluid(hu: FloatArray, calcified: BoolArray, box: Box, spacing_mm: Spacing) -> BoolArray:
    """Where in a box soft tissue around each voxel is darker than muscle and brighter than fat."""
    sigma = [_AVERAGE_MM / step for step in spacing_mm]
    room = widened(box, [int(_TRUNCATE * s + 0.5) for s in sigma])
    soft = ~calcified[room] & (hu[room] > _SOFT_HU[0]) & (hu[room] < _SOFT_HU[1])
    share = gaussian(soft.astype(np.float32), sigma, truncate=_TRUNCATE)
    inside = np.where(soft, hu[room], np.float32(0))
    mean = gaussian(inside, sigma, truncate=_TRUNCATE)
    mean /= np.maximum(share, 1e-3)
    like = np.zeros(hu.shape, np.bool_)
    like[room] = (mean > FLUID_HU[0]) & (mean < FLUID_HU[1])
    return like


def _lies_in_rims(fluid: BoolArray, calcified: BoolArray, rims: BoolArray) -> bool:
    """Whether enough of a mass's fluid is held by calcified rims to show what its walls are.

    Args:
        fluid: soft tissue of the mass that looks like fluid.
        calcified: what is calcified in it.
        rims: that, with its narrow gaps closed and its holes filled.
    """
    amount = np.count_nonzero(fluid)
    enough = amount > _FLUID_SHARE * np.count_nonzero(calcified)
    return bool(enough and np.count_nonzero(fluid & rims) > _IN_RIMS_SHARE * amount)
