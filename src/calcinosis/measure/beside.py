"""What touches a mass, which tells lung and the fat under the skin."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from calcinosis.measure.distance import distance_within
from calcinosis.measure.masses import FoundMass
from calcinosis.measure.working_grid import box_within
from calcinosis.volume import Volume

_FROM_MM, _TO_MM = 2.0, 5.0  # beyond the blurred edge, and as far as still touches


def touching_hu(volume: Volume, mass: FoundMass) -> NDArray[np.signedinteger[Any]]:
    """Hounsfield units of the voxels close around a mass.

    Args:
        volume: the whole CT.
        mass: as outlined.
    """
    near = volume.grow(mass.box, _TO_MM)
    crop = volume.crop(near)
    outside = np.ones(crop.shape, bool)
    outside[box_within(mass.box, near)] = ~mass.envelope.mask
    away_mm = distance_within(outside, 2 * _TO_MM, crop.spacing_mm)
    return crop.voxels[(away_mm > _FROM_MM) & (away_mm <= _TO_MM)]
