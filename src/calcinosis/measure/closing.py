"""Closing with a ball, by which the envelope of a mass is defined."""

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.measure.distance import Spacing, distance_within
from calcinosis.measure.masks import bounds, widened, without_holes

CLOSING_MM = 3.0

BoolArray = NDArray[np.bool_]


def closed(mask: BoolArray, radius_mm: float, spacing_mm: Spacing) -> BoolArray:
    """Closing with a ball, then holes filled. The box must leave a margin of the radius."""
    result = np.zeros(mask.shape, bool)
    reach = [int(radius_mm / step) + 2 for step in spacing_mm]  # what the closing can touch
    box = widened(bounds(mask), reach)
    result[box] = _closed_parts(mask[box], radius_mm, spacing_mm)
    return result


def _closed_parts(mask: BoolArray, radius_mm: float, spacing_mm: Spacing) -> BoolArray:
    """Closing part by part: what lies farther apart than the ball is wide closes by itself."""
    grown = distance_within(~mask, radius_mm, spacing_mm) <= radius_mm
    parts = cc3d.connected_components(grown, connectivity=26)
    result = np.zeros(mask.shape, bool)
    for label, extent in enumerate(ndimage.find_objects(parts), start=1):
        box = widened(extent, [1, 1, 1])
        part = parts[box] == label
        solid = (mask[box] & part) | (distance_within(part, radius_mm, spacing_mm) > radius_mm)
        result[box] |= without_holes(solid)
    return result
