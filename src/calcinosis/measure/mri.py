"""A mass on MRI, from the point a reader sets: outline, size, and how bright it is."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from calcinosis.errors import InputError
from calcinosis.measure.mri_grid import Block, Float, Mask, Point
from calcinosis.measure.mri_layers import SIDE
from calcinosis.measure.mri_outline import OUTLINED, Outline, find_outline
from calcinosis.measure.mri_signal import (
    Muscle,
    Ratio,
    Shares,
    Sign,
    enhancement,
    find_muscle,
    noise_of,
    ratio_to_muscle,
    share_enhanced,
    shares_on_t2,
    t1_low,
    t2_heterogeneous,
    t2_high,
)
from calcinosis.measure.size import diameters
from calcinosis.volume import Volume

Interval = tuple[float, float]

FINER = 2  # voxels of the outline for one of the network's, along each side
AROUND_MM = 100.0  # wider than the mass by so much is looked at for muscle
REFERENCE_VOXELS = 72  # along each side of that
# Below it the point is refused; below `UNSURE` the outline is remarked on. Set on masses drawn into
# scans kept for tuning (docs/accuracy.md).
LEAST_CONFIDENCE, UNSURE = 0.42, 0.475
# True to told volume, 2.5 and 97.5 % of the same, where the outline is sure and where it is not.
SPREAD_SURE, SPREAD_UNSURE = (0.5, 2.3), (0.2, 7.0)
ALONG_SURE, ALONG_UNSURE = (0.7, 1.5), (0.5, 2.2)  # the same of diameters
SIGNS = ("t1_low", "t2_high", "t2_heterogeneous", "mri_enhancement")
NOT_SURE = "the outline is not sure"
NO_REFERENCE = "no muscle near the mass could be told from other tissue on T1"


@dataclass(frozen=True, eq=False)
class MrMass:
    """A mass on MRI. Places are LPS mm.

    Attributes:
        block, mask: the outline, on even voxels along the axes of the series it was drawn on.
        volume_ml, max_diameter_mm, perpendicular_diameter_mm: with 95 % intervals.
        ends_lps_mm, perpendicular_ends_lps_mm: where the diameters end.
        t1_to_muscle, t2_to_muscle: medians; None where there is no such series or no muscle.
        t2_shares: what it is made of on T2; None likewise.
        enhanced_share: at least and at most; None without T1 before and after.
        signs: by the code of their finding.
        muscle: what it was compared with, on `around`; None where none was found.
        confidence: 0 to 1, how sure the outline is.
        remarks: what limits it, one sentence each.
    """

    block: Block
    mask: Mask
    centroid_lps_mm: Point
    volume_ml: float
    volume_ci95_ml: Interval
    max_diameter_mm: float
    max_diameter_ci95_mm: Interval
    perpendicular_diameter_mm: float
    perpendicular_diameter_ci95_mm: Interval
    ends_lps_mm: tuple[Point, Point]
    perpendicular_ends_lps_mm: tuple[Point, Point]
    t1_to_muscle: Ratio | None
    t2_to_muscle: Ratio | None
    t2_shares: Shares | None
    enhanced_share: Interval | None
    signs: dict[str, Sign]
    around: Block
    muscle: Muscle | None
    confidence: float
    remarks: tuple[str, ...]

    @property
    def sure(self) -> bool:
        """Whether the outline is sure enough for what is inside of it to be told."""
        return self.confidence >= UNSURE


def measure_mri(
    t1: Volume | None,
    t2: Volume | None,
    enhanced: Volume | None,
    at: Point,
    *,
    like: Volume | None = None,
) -> MrMass:
    """Measure the mass at a point.

    Args:
        t1: before contrast agent, fat bright; or None.
        t2: with a long echo; or None, but one of both is needed.
        enhanced: T1 after contrast agent, or None.
        at: a point in the mass, LPS mm.
        like: that along whose slices the mass is outlined; the T2 unless given.

    Raises:
        InputError: nothing at the point looks like a mass.
    """
    like = like or t2 or t1
    if like is None:
        raise InputError("neither T1 nor T2 was given; expected one of them")
    seen = find_outline(t1, t2, like, at)
    if seen is None or not _believable(seen):
        x, y, z = at
        raise InputError(
            f"--at {x:g},{y:g},{z:g} lies on nothing that stands out as a mass; expected a point "
            "inside of it"
        )
    given = {"t1": t1, "t2": t2, "enhanced": enhanced}
    return _measured(seen, _Signals.of(given, like, seen))


def _believable(seen: Outline) -> bool:
    """Whether to tell of an outline: an unsure one that also has no end is likely muscle or fat."""
    unsure = seen.confidence < UNSURE
    return seen.confidence >= LEAST_CONFIDENCE and not (unsure and seen.cut)


@dataclass(frozen=True, eq=False)
class _Signals:
    """The mass and what lies around it, on even voxels; None where there is no such series."""

    block: Block
    mass: Mask
    core: Mask
    t1: Float | None
    t2: Float | None
    enhanced: Float | None
    noise: dict[str, float]
    muscle: Muscle | None

    @classmethod
    def of(cls, given: dict[str, Volume | None], like: Volume, seen: Outline) -> "_Signals":
        """Of series by name: t1, t2, enhanced."""
        extent_mm = max(np.ptp(axis) + 1 for axis in np.nonzero(seen.mask)) * seen.block.step_mm
        middle = seen.block.volume.point_lps(np.argwhere(seen.mask).mean(axis=0))
        block = Block.around(middle, like, extent_mm + AROUND_MM, REFERENCE_VOXELS)
        mass = seen.block.carried(seen.mask.astype(np.float32), block) > 0.5
        sampled = {name: block.sampled(one) for name, one in given.items() if one is not None}
        signals = {name: sampled[name][0] if name in sampled else None for name in given}
        imaged = np.logical_and.reduce([shown for _, shown in sampled.values()])
        core = ndimage.binary_erosion(mass) & imaged
        return cls(
            block=block,
            mass=mass & imaged,
            core=core if core.sum() >= 30 else mass & imaged,
            **signals,
            noise={name: noise_of(one) for name, one in given.items() if one is not None},
            muscle=find_muscle(signals["t1"], signals["t2"], imaged, mass, block.step_mm),
        )


def _measured(seen: Outline, signals: _Signals) -> MrMass:
    block = seen.block.finer(FINER)
    share = np.where(seen.mask, np.maximum(seen.share, OUTLINED), np.minimum(seen.share, OUTLINED))
    occupancy = seen.block.carried(np.asarray(share + 0.5 - OUTLINED, np.float32), block)
    mask = occupancy > 0.5
    size = diameters(block.volume, occupancy)
    volume_ml = float(mask.sum()) * block.voxel_ml
    sure = seen.confidence >= UNSURE
    spread = SPREAD_SURE if sure else SPREAD_UNSURE
    along = ALONG_SURE if sure else ALONG_UNSURE
    shares, enhanced = _shares(signals), _enhanced(signals)
    t1, t2 = (_ratio(signals, name) for name in ("t1", "t2"))
    return MrMass(
        block=block,
        mask=mask,
        centroid_lps_mm=block.volume.point_lps(np.argwhere(mask).mean(axis=0)),
        volume_ml=volume_ml,
        volume_ci95_ml=_scaled(volume_ml, spread),
        max_diameter_mm=size.max_mm,
        max_diameter_ci95_mm=_scaled(size.max_mm, along),
        perpendicular_diameter_mm=size.perpendicular_mm,
        perpendicular_diameter_ci95_mm=_scaled(size.perpendicular_mm, along),
        ends_lps_mm=size.ends_lps_mm,
        perpendicular_ends_lps_mm=size.perpendicular_ends_lps_mm,
        t1_to_muscle=t1,
        t2_to_muscle=t2,
        t2_shares=shares,
        enhanced_share=enhanced,
        signs=_signs(signals, t1, shares, enhanced)
        if sure
        else dict.fromkeys(SIGNS, Sign("unknown", NOT_SURE)),
        around=signals.block,
        muscle=signals.muscle,
        confidence=seen.confidence,
        remarks=tuple(_remarks(seen)),
    )


def _scaled(value: float, spread: Interval) -> Interval:
    return value * spread[0], value * spread[1]


def _ratio(signals: _Signals, name: str) -> Ratio | None:
    signal: Float | None = getattr(signals, name)
    if signal is None or signals.muscle is None:
        return None
    return ratio_to_muscle(signal, signals.core, signals.muscle, signals.block.step_mm)


def _shares(signals: _Signals) -> Shares | None:
    if signals.t2 is None or signals.muscle is None:
        return None
    noise, step_mm = signals.noise["t2"], signals.block.step_mm
    return shares_on_t2(signals.t2, signals.core, signals.muscle, noise, step_mm)


def _enhanced(signals: _Signals) -> Interval | None:
    if signals.t1 is None or signals.enhanced is None or signals.muscle is None:
        return None
    noise, step_mm = signals.noise["t1"], signals.block.step_mm
    return share_enhanced(
        signals.t1, signals.enhanced, signals.mass, signals.muscle, noise, step_mm
    )


def _signs(
    signals: _Signals, t1: Ratio | None, shares: Shares | None, enhanced: Interval | None
) -> dict[str, Sign]:
    """By finding; what cannot be judged is unknown, with the reason."""

    def unknown(missing: bool, series: str) -> Sign:
        return Sign("unknown", f"no {series} shows it" if missing else NO_REFERENCE)

    no_t1, no_t2 = signals.t1 is None, signals.t2 is None
    no_pair = no_t1 or signals.enhanced is None
    on_t2 = unknown(no_t2, "T2")
    both = "T1 both before and after contrast agent"
    return {
        "t1_low": unknown(no_t1, "T1 before contrast agent") if t1 is None else t1_low(t1),
        "t2_high": on_t2 if shares is None else t2_high(shares),
        "t2_heterogeneous": on_t2 if shares is None else t2_heterogeneous(shares),
        "mri_enhancement": (unknown(no_pair, both) if enhanced is None else enhancement(*enhanced)),
    }


def _remarks(seen: Outline) -> Iterator[str]:
    if seen.cut:
        yield "The mass reaches the edge of what was imaged: sizes are least values."
    if seen.confidence < UNSURE:
        yield (
            "The outline is not sure, and may be far off: check it on the pictures, or point at "
            "the middle of the mass."
        )
    if seen.block.step_mm * SIDE > 200:
        yield "The mass is large: its outline is coarse."
