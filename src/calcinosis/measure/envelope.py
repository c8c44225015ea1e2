"""From a coarse region to a mass's envelope on the scan's own voxels.

Envelope: locules with their walls and septa, closed with a 3 mm ball, never bone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calcinosis.measure.closing import CLOSING_MM, closed
from calcinosis.measure.distance import Spacing, distance_within
from calcinosis.measure.extremes import extreme_in_box, extreme_near
from calcinosis.measure.gaussian import gaussian
from calcinosis.measure.reach import held

SOFT_TISSUE_HU = 50.0  # muscle on unenhanced CT; a named parameter
FAT_HU = -100.0
CALCIFIED_HU = 160.0  # the least peak that counts as calcified at a 1.5 mm scale
_EDGE_REACH_MM = 1.5  # how far from an edge its full brightness is looked for: a soft kernel's blur
# How far, in each direction, a blurred rim is compared with denser calcification, and what is
# calcified whole. Chosen on 42 drawn masses and 12 phantoms; 3–5 mm and 195–265 HU do as well.
_FULL_REACH_MM, _SOLID_HU = 4.0, 215.0
_SNAP_MM = 2.0  # how far the scan's edge may lie from the network's
_NOISE_DIP_HU = 15.0  # how far noise of 10–30 HU pulls the darkest smoothed voxel down, measured

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Envelope:
    """A mass's voxels in a box, and how much of each is mass and is calcium.

    Attributes:
        mask: the voxels that belong to the mass.
        occupancy: 0…1 per voxel, partial volume at the edge.
        calcified: 0…1 per voxel, share that is calcified.
    """

    mask: BoolArray
    occupancy: FloatArray
    calcified: FloatArray


@dataclass(frozen=True, eq=False)
class Brightness:
    """What a box looks like at the scale of an edge.

    Attributes:
        smooth: Hounsfield units without the finest grain.
        peak: the brightest near each voxel.
        darkest: the darkest near each voxel, noise allowed for.
    """

    smooth: FloatArray
    peak: FloatArray
    darkest: FloatArray

    def share(self, hu: FloatArray, full: FloatArray) -> FloatArray:
        """How far each voxel lies on the way from the soft tissue beside it to `full`, 0…1.

        Against `peak`, an edge voxel half-way to the full brightness beside it is half bright,
        whatever that brightness is: no fixed threshold.
        """
        ground = np.clip(self.darkest, FAT_HU, SOFT_TISSUE_HU)
        share = np.clip((hu - ground) / np.maximum(full - ground, 1), 0, 1)
        return np.where(self.peak > CALCIFIED_HU, share, 0).astype(np.float32)


def brightness(hu: FloatArray, spacing_mm: Spacing) -> Brightness:
    """Look at a box of Hounsfield units [z, y, x]."""
    smooth = gaussian(hu, [0.6 / s for s in spacing_mm], truncate=3.0)
    near = _neighbourhood(spacing_mm)
    peak = extreme_near(smooth, near, np.maximum)
    darkest = extreme_near(smooth, near, np.minimum) + _NOISE_DIP_HU
    return Brightness(smooth, peak, darkest)


def calcified_share(
    hu: FloatArray, seen: Brightness, mask: BoolArray, spacing_mm: Spacing
) -> FloatArray:
    """Share of each voxel that is calcified, in and beside a mass.

    A thin rim is seen blurred and pale: it counts by the densest calcification of the mass within
    4 mm, for whose density it is taken. What has no soft tissue beside it is calcified whole,
    however uneven.
    """
    reach = [int(max(_FULL_REACH_MM, s) / s) for s in spacing_mm]
    full = extreme_in_box(np.where(mask, seen.smooth, np.float32(FAT_HU)), reach, np.maximum)
    share = seen.share(hu, np.maximum(full, seen.peak))
    return np.where(seen.darkest > _SOLID_HU, np.float32(1), share)


def _neighbourhood(spacing_mm: Spacing) -> BoolArray:
    """Voxels near enough to show an edge's full brightness: a blur's width, at least one voxel."""
    reach = [max(_EDGE_REACH_MM, s) for s in spacing_mm]
    axes = np.ogrid[
        tuple(slice(-int(r / s), int(r / s) + 1) for r, s in zip(reach, spacing_mm, strict=True))
    ]
    return np.asarray(
        sum((a * s / r) ** 2 for a, s, r in zip(axes, spacing_mm, reach, strict=True)) <= 1
    )


def refine(
    hu: FloatArray, mass: FloatArray, skeleton: FloatArray, spacing_mm: Spacing, region: BoolArray
) -> Envelope:
    """Snap a coarse region to the edges that the scan itself shows.

    Args:
        hu: Hounsfield units of the box [z, y, x].
        mass: network score 0…1 that a voxel is mass, on the same voxels.
        skeleton: the same for bone.
        spacing_mm: voxel spacing z, y, x.
        region: the coarse region (what the network calls with its faint walls, or a seed's part).
    """
    seen = brightness(hu, spacing_mm)
    bright = seen.share(hu, seen.peak)
    bone = (skeleton > mass) & (skeleton > 0.35) & ~region
    outside = distance_within(~region, _SNAP_MM, spacing_mm)
    gained = (bright > 0.5) & (outside < _SNAP_MM) & ~bone
    kept = held(hu, region | gained, bright > 0.5, spacing_mm)
    mask = closed(kept, CLOSING_MM, spacing_mm) & ~bone
    step_mm = max(spacing_mm)
    near_edge = distance_within(mask, step_mm, spacing_mm) <= step_mm
    near_edge &= distance_within(~mask, step_mm, spacing_mm) <= step_mm
    soft = mask & (bright < 0.5)  # wall or fluid: inside, though not bright
    shares = np.where(soft, 1, bright)
    occupancy = np.where(near_edge & ~bone, shares, mask).astype(np.float32)
    calcified = calcified_share(hu, seen, mask, spacing_mm)
    return Envelope(mask, occupancy, np.where(mask | (occupancy > 0), calcified, 0))
