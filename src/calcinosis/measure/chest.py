"""What lies in a lung or between the lungs, where granulomas, nodes and nodules calcify.

The lungs are known by their attenuation: darker than any tissue, brighter than the air outside.
"""

from collections.abc import Sequence

import numpy as np

from calcinosis.measure.beside import touching_hu
from calcinosis.measure.joint import Joint
from calcinosis.measure.mass import Point
from calcinosis.measure.masses import FoundMass
from calcinosis.volume import Volume

_LUNG_HU = (-950.0, -500.0)  # inflated lung is about -850, air -1000
_IN_LUNG_SHARE = 0.6  # of what touches it; a mass of the chest wall has half or less
_ASIDE_MM, _STEP_MM = 150.0, 2.0  # what is looked at to either side, averaged over
_BAND_MM = (-4.0, 0.0, 4.0)  # so many rows and slices, and 10 mm along them
_ALONG = 5
_LEAST_LUNG_MM = 25.0
_BEHIND_SPINE_MM = 10.0
IN_CHEST = (
    "It lies between the lungs, where nodes and vessels calcify: it is measured like a mass beside "
    "a joint, but may be one of these."
)


def lies_in_lung(volume: Volume, mass: FoundMass) -> bool:
    """Whether most of what touches a mass is lung: nodules calcify there, not deposits of a joint.

    Args:
        volume: the whole CT.
        mass: as outlined.
    """
    touching = touching_hu(volume, mass)
    dark = touching[touching < _LUNG_HU[1]]
    return dark.size > _IN_LUNG_SHARE * touching.size and bool(np.median(dark) > _LUNG_HU[0])


def lies_between_lungs(volume: Volume, mass: FoundMass, joints: Sequence[Joint]) -> bool:
    """Whether lung lies to the left and to the right of a mass, at its height, before the spine.

    Args:
        volume: the whole CT.
        mass: as outlined.
        joints: of the scan; where no thoracic spine is seen, all is taken to lie before it.
    """
    centre = mass.centroid_lps_mm(volume)
    spines = [joint.centre_lps_mm[1] for joint in joints if joint.name == "thoracic spine"]
    if any(centre[1] > spine + _BEHIND_SPINE_MM for spine in spines):
        return False
    return all(_lung_mm(volume, centre, side) >= _LEAST_LUNG_MM for side in (-1, 1))


def _lung_mm(volume: Volume, centre: Point, side: int) -> float:
    """How much lung a straight way to the left (1) or right (−1) of a place leads through."""
    ways = np.arange(0, _ASIDE_MM, _STEP_MM)
    grid = np.stack(np.meshgrid(side * ways, _BAND_MM, _BAND_MM, indexing="ij"), -1)
    at = np.rint(volume.to_indices(grid + centre)).astype(int)
    within = (at >= 0) & (at < volume.shape)
    z, y, x = np.moveaxis(at[within.reshape(len(at), -1).all(1)], -1, 0)
    hu = volume.voxels[z, y, x].mean((1, 2))
    if len(hu) < _ALONG:
        return 0.0
    smooth = np.convolve(hu, np.full(_ALONG, 1 / _ALONG), mode="valid")
    return _STEP_MM * int(np.count_nonzero((smooth > _LUNG_HU[0]) & (smooth < _LUNG_HU[1])))
