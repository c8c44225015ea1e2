"""The fluid that lies on a level, where no calcified rim shows its bounds.

A level says that there is fluid above it, though it hardly differs from muscle. How far it reaches
is told by the sediment: the locule that it fills by a part is taken for a ball, and the fluid's
edge is sought around that ball, where soft tissue changes most.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calcinosis.measure.distance import Spacing
from calcinosis.measure.envelope import Envelope
from calcinosis.measure.fluid_levels import find_fluid_levels
from calcinosis.measure.gaussian import gaussian
from calcinosis.measure.masks import bounds
from calcinosis.measure.mass import FluidLevel, LevelReading
from calcinosis.measure.masses import MARGIN_MM, FoundMass
from calcinosis.measure.working_grid import on_whole_grid
from calcinosis.volume import Volume

SOFT_HU = (-40.0, 110.0)  # darker is fat, brighter is calcified or bone; named parameters
AVERAGE_MM = 1.5  # standard deviation of the mean over soft tissue alone
# Chosen on drawn-in masses (docs/accuracy.md): the share of the ball that is surely fluid, the
# share beyond which nothing is, and the pull of its surface, in units of the noise's gradient.
SURE, FARTHEST, PULL, PULL_WIDTH = 0.5, 1.5, 1.0, 0.2
FILLED_SHARE = 0.6  # a ball that the outline holds to this share needs nothing
HEIGHT_MAX = 1.6  # of the fluid, in radii of the level: shallow sediment tells little


@dataclass(frozen=True)
class _Ball:
    """The locule of a level: where its centre lies above the level, and its radius, mm."""

    level: FluidLevel
    up_mm: float
    radius_mm: float


def with_fluid(
    volume: Volume, found: FoundMass, bone: NDArray[np.bool_] | None = None
) -> tuple[FoundMass, LevelReading]:
    """A mass with all of the fluid that lies on its levels, and the levels.

    Args:
        volume: the scan.
        found: the mass as outlined.
        bone: in the box of the mass.
    """
    envelope = found.envelope
    reading = find_fluid_levels(volume.crop(found.box), envelope.mask, bone)
    if not reading.levels:
        return found, reading
    box = volume.grow(found.box, max(_reach_mm(_ball(level)) for level in reading.levels))
    more = [
        (inner.start - outer.start, outer.stop - inner.stop)
        for inner, outer in zip(found.box, box, strict=True)
    ]
    mask = np.pad(envelope.mask, more)
    occupancy, calcified = np.pad(envelope.occupancy, more), np.pad(envelope.calcified, more)
    near = volume.crop(box)
    added = fluid_on_levels(near, mask, reading.levels)
    mask |= added
    occupancy[added] = 1
    tight = near.grow(bounds(mask), MARGIN_MM)
    grown = Envelope(mask[tight], occupancy[tight], calcified[tight])
    return replace(found, box=on_whole_grid(tight, box), envelope=grown), reading


def fluid_on_levels(
    volume: Volume, mask: NDArray[np.bool_], levels: Sequence[FluidLevel]
) -> NDArray[np.bool_]:
    """Voxels of fluid on a mass's levels that its mask lacks.

    Args:
        volume: CT in HU, cropped to the mass and its surroundings.
        mask: the mass on the same grid [z, y, x].
        levels: its fluid–calcium levels.
    """
    added = np.zeros_like(mask)
    for level in levels:
        ball = _ball(level)
        box = _box_around(ball, volume)
        added[box] |= _fluid(ball, volume.crop(box), mask[box])
    return added & ~mask


def _ball(level: FluidLevel) -> _Ball:
    """From the level's disc and the sediment's depth: radius² = depth × height of the fluid."""
    disc_mm = float(np.sqrt(level.area_mm2 / np.pi))
    height_mm = min(disc_mm**2 / level.sediment_depth_mm, HEIGHT_MAX * disc_mm)
    radius_mm = (disc_mm**2 + height_mm**2) / (2 * height_mm)
    return _Ball(level, height_mm - radius_mm, radius_mm)


def _reach_mm(ball: _Ball) -> float:
    """How far from the level's centre its fluid can lie."""
    return abs(ball.up_mm) + FARTHEST * ball.radius_mm


def _box_around(ball: _Ball, volume: Volume) -> tuple[slice, slice, slice]:
    """Voxels that the ball's surroundings can meet."""
    centre = np.asarray(ball.level.centroid_lps_mm) - ball.up_mm * volume.gravity_lps
    middle = volume.to_indices(centre)
    reach = FARTHEST * ball.radius_mm / np.asarray(volume.spacing_mm) + 2
    low = np.maximum(np.floor(middle - reach), 0).astype(int)
    high = np.ceil(middle + reach).astype(int) + 1
    z, y, x = (slice(int(a), max(int(a), int(b))) for a, b in zip(low, high, strict=True))
    return z, y, x


def _fluid(ball: _Ball, volume: Volume, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The fluid of one level: from the sure part of the ball to the clearest edge around it."""
    from skimage.segmentation import watershed

    if not mask.size:
        return mask
    up_mm, share = _place(volume, ball)
    hu = volume.voxels.astype(np.float32)
    sigma = [AVERAGE_MM / step for step in volume.spacing_mm]
    calm = gaussian(hu, [0.5 * s for s in sigma])
    soft = (calm > SOFT_HU[0]) & (calm < SOFT_HU[1])
    above = soft & (up_mm > 0)
    sure = above & (share < SURE)
    inner = above & (share < 1)
    if not sure.any() or np.mean(mask[inner]) > FILLED_SHARE:
        return np.zeros_like(mask)
    steep = _steepness(hu, soft, sigma, volume.spacing_mm)
    usual = float(np.median(steep[above & (share < FARTHEST)]))
    elevation = steep / max(usual, 1e-3) + PULL * np.exp(-(((share - 1) / PULL_WIDTH) ** 2) / 2)
    markers = np.where(sure, 1, np.where(above & (share > FARTHEST), 2, 0))
    return np.asarray(watershed(elevation, markers, mask=above) == 1)


def _steepness(
    hu: NDArray[np.float32],
    soft: NDArray[np.bool_],
    sigma: Sequence[float],
    spacing_mm: Spacing,
) -> NDArray[np.float32]:
    """Gradient (HU/mm) of the mean over soft tissue, which bright neighbours do not touch."""
    weight = gaussian(soft.astype(np.float32), sigma)
    mean = gaussian(np.where(soft, hu, 0), sigma) / np.maximum(weight, 1e-3)
    mean = np.pad(mean, 1, mode="edge")
    slopes = np.gradient(mean, *spacing_mm)
    return np.asarray(np.sqrt(sum(s**2 for s in slopes))[1:-1, 1:-1, 1:-1], np.float32)


def _place(volume: Volume, ball: _Ball) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How far above the level each voxel lies, mm, and how far from the centre, in radii."""
    indices = np.ogrid[tuple(slice(0, n) for n in volume.shape)]
    offset = [
        sum(volume.affine[row, axis] * n for axis, n in enumerate(indices))
        + volume.affine[row, 3]
        - ball.level.centroid_lps_mm[row]
        for row in range(3)
    ]
    offset_mm = np.stack(np.broadcast_arrays(*offset)).astype(np.float32)
    up_mm = -np.tensordot(volume.gravity_lps.astype(np.float32), offset_mm, 1)
    squared = (offset_mm**2).sum(0) - 2 * up_mm * ball.up_mm + ball.up_mm**2
    return up_mm, np.sqrt(np.maximum(squared, 0)) / ball.radius_mm
