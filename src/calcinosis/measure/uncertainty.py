"""How sure a measured mass is: its volume's interval, and whether it is a mass at all."""

import numpy as np
from numpy.typing import NDArray

from calcinosis.measure.distance import Spacing, distance_within
from calcinosis.measure.envelope import Envelope
from calcinosis.measure.masks import bounds
from calcinosis.measure.mass import Interval
from calcinosis.measure.masses import FoundMass

# Standard deviation of the outline's place: a share of the voxel's mean edge, and mm. Set on masses
# drawn by the cellular generator into scans kept for tuning; docs/accuracy.md tells how often the
# interval covers on others.
_EDGE_VOXELS = 0.10
_EDGE_MM = 0.45
# Voxels of a mass at the scan's highest value that show a ceiling: of five phantoms' masses as
# scanned 0 are, with values above 1023 HU cut off 434 (2.9 %).
_AT_CEILING, _AT_CEILING_SHARE = 10, 0.005
_UNSURE_MM = 18.0  # times how far the network's mean score stays below 1
# All of what 36 seeds on bone in three scans made is bone without them; of 76 masses of 2.5 to
# 134 mL drawn onto bone in five scans four are so by more than half, the next by 37 %.
_MOSTLY = 0.5
_ON_BONE = (
    "Without the seed point {:.0f} % of its calcification is taken for bone: if the point lies on "
    "bone, this is no mass."
)


def volume_interval(
    volume_ml: float, envelope: Envelope, spacing_mm: Spacing, score: float
) -> Interval:
    """95 % interval of the envelope volume: surface area times the outline's uncertainty."""
    voxel_ml = float(np.prod(spacing_mm)) / 1000
    depth_mm = max(spacing_mm)
    inside = distance_within(envelope.mask, depth_mm, spacing_mm)
    area_ml_per_mm = float((envelope.mask & (inside <= depth_mm)).sum()) * voxel_ml / depth_mm
    edge_mm = _EDGE_VOXELS * float(np.mean(spacing_mm)) + _EDGE_MM + _UNSURE_MM * (1 - score)
    half_width = 1.96 * edge_mm * area_ml_per_mm
    return max(0.0, volume_ml - half_width), volume_ml + half_width


def confidence_of(mass: FoundMass, *, own_cut: bool) -> tuple[float, tuple[str, ...]]:
    """Confidence 0…1 that this is a mass, with what the reader should know.

    Args:
        mass: as it was found.
        own_cut: whether the program parted it from bone, not a given skeleton.
    """
    if mass.seeded:
        cut = "; its cut from bone is the program's" if own_cut else ""
        taken = f"Taken as a mass because a seed point said so{cut}."
        if mass.bone_share > _MOSTLY:
            return 1 - mass.bone_share, (taken, _ON_BONE.format(100 * mass.bone_share))
        return 1.0, (taken,)
    if mass.score < 0.8 and own_cut:
        return mass.score, (
            "The separation from bone is unsure; one seed point on the mass settles it.",
        )
    return mass.score, ()


def cut_off(mass: FoundMass, shape: tuple[int, int, int]) -> tuple[str, ...]:
    """What the reader should know of a mass that the edge of a scan of this shape cuts."""
    for extent, size, inner in zip(mass.box, shape, bounds(mass.envelope.mask), strict=True):
        if extent.start + inner.start == 0 or extent.start + inner.stop == size:
            remark = (
                "The mass reaches the edge of the scan: its volumes and diameters are the least, "
                "for what lies beyond is not in the picture."
            )
            return (remark,)
    return ()


def ceiling(hu: NDArray[np.float32], scan_hu: NDArray[np.int16]) -> tuple[str, ...]:
    """What the reader should know of a mass whose densest calcium the scan could not hold.

    Args:
        hu: of the voxels of the mass.
        scan_hu: of the whole scan, asked only where many voxels are as dense as any of the mass.
    """
    highest_hu = hu.max()
    count = int(np.count_nonzero(hu == highest_hu))
    few = count < max(_AT_CEILING, _AT_CEILING_SHARE * hu.size)
    if few or scan_hu.max() > highest_hu:
        return ()
    remark = (
        f"{100 * count / hu.size:.0f} % of the voxels read {highest_hu:.0f} HU, the highest value "
        "of the scan: what is denser was cut off, and the calcium mass is the least."
    )
    return (remark,)
