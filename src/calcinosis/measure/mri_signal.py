"""How bright a mass is on MRI, against muscle near it.

MR signal has no unit, and the coil's sensitivity drifts: muscle near the mass is what all is held
against. On T1 with bright fat it is what lies between the dark (air, cortex, mineral) and fat; of
that, what has the commonest signal on T2, which leaves edema and fluid out.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from calcinosis.finding import State
from calcinosis.measure.mri_grid import Float, Mask
from calcinosis.volume import Volume

APART_MM = 5.0  # muscle nearer to the outline than this may hold some of the mass, or edema
NEAR_MM = 45.0  # muscle farther than this says little of the coil's sensitivity at the mass
ENOUGH_ML = 2.0  # of muscle
FAT_TO_MUSCLE = 1.5  # fat on T1 is at least so much brighter; computed at TR 600, TE 12: 2.2 to 2.6
T2_SPREAD = 1.35  # muscle lies within this factor of its commonest signal on T2
PATCH_MM = 15.0  # side of patches of muscle: how they differ is what the reference is unsure by
# A mass is called low on T1 where its median is surely below muscle's, and not low where it is
# surely above 1.15 times; named parameters, as are those below.
T1_NOT_LOW = 1.15
# Shares of the mass. Bright: above 1.5 times muscle on T2. Dark: below half of muscle, as cortex
# and mineral are.
BRIGHT, DARK = 1.5, 0.5
T2_HIGH_FROM, T2_HIGH_BELOW = 0.3, 0.1
MIXED_FROM = 0.1  # each of bright and not bright
MIXED_RATIO, EVEN_RATIO = 2.2, 1.5  # of the 90th to the 10th percentile
TAKES_UP, ENHANCED_FROM, ENHANCED_BELOW = 1.3, 0.1, 0.03  # times as bright; shares of the mass
NOISE_FLOOR = 3.0  # muscle must be so many times as bright as noise for dark to mean anything
OUTLINE_SPREAD = 0.15  # of the logarithm of the median, by the outline: masses drawn for tuning
_NORMAL_95 = 1.96


@dataclass(frozen=True)
class Ratio:
    """Signal of the mass to that of muscle, with the 95 % interval."""

    value: float
    ci95: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Muscle:
    """Muscle near the mass, and how unsure each series' reference is."""

    mask: Mask

    def reference(self, signal: Float, step_mm: float) -> tuple[float, float]:
        """Its signal, and the standard deviation of the logarithm between places."""
        middle = float(np.median(signal[self.mask]))
        size = max(1, round(PATCH_MM / step_mm))
        patches = np.ravel_multi_index(
            tuple(axis // size for axis in np.nonzero(self.mask)),
            tuple(n // size + 1 for n in self.mask.shape),
        )
        values = signal[self.mask]
        order = np.argsort(patches, kind="stable")
        groups = np.split(values[order], np.flatnonzero(np.diff(patches[order])) + 1)
        medians = [np.median(group) for group in groups if len(group) >= 8]
        if len(medians) < 2 or middle <= 0:
            return max(middle, 1e-6), 0.2
        return middle, float(np.std(np.log(np.maximum(medians, 1e-3 * middle))))


@dataclass(frozen=True)
class Sign:
    """Whether a sign is there, the figures behind it, and why it cannot be judged."""

    state: State
    reason: str = ""


def find_muscle(
    t1: Float | None, t2: Float | None, imaged: Mask, mass: Mask, step_mm: float
) -> Muscle | None:
    """Muscle near a mass; None where it cannot be told from what else is there.

    Args:
        t1: with bright fat, on even voxels.
        t2: with a long echo, on the same.
        imaged: where both were.
        mass: the outline, on the same.
        step_mm: side of a voxel.
    """
    if t1 is None:
        return None  # without fat that is surely fat, muscle is but one grey of several
    away = ndimage.distance_transform_edt(~mass, sampling=step_mm)
    around = imaged & (away > APART_MM)
    between = _between_dark_and_fat(t1, around)
    if between is None:
        return None
    if t2 is not None:
        between &= _commonest(t2, between & (away <= NEAR_MM))
    whole = ndimage.binary_opening(between, iterations=1) & (away <= NEAR_MM)
    enough = whole.sum() * step_mm**3 / 1000 >= ENOUGH_ML
    return Muscle(np.asarray(whole)) if enough else None


def _between_dark_and_fat(t1: Float, around: Mask) -> Mask | None:
    """Voxels between the two thresholds that part three greys best; None where there is no fat."""
    from skimage.filters import threshold_multiotsu

    values = t1[around]
    if values.size < 500 or np.ptp(values) <= 0:
        return None
    top = float(np.quantile(values, 0.98))
    root = np.sqrt(np.clip(values / max(top, 1e-6), 0, 1.2))
    try:
        low, high = threshold_multiotsu(root, classes=3, nbins=128)
    except ValueError:
        return None
    level = np.sqrt(np.clip(t1 / max(top, 1e-6), 0, 1.2))
    middle, fat = (level > low) & (level <= high) & around, (level > high) & around
    if not middle.any() or not fat.any():
        return None
    brighter = float(np.median(t1[fat]) / max(np.median(t1[middle]), 1e-6))
    return np.asarray(middle) if brighter >= FAT_TO_MUSCLE else None


def _commonest(t2: Float, among: Mask) -> Mask:
    """Voxels whose signal is near the commonest of some."""
    values = np.log(np.maximum(t2[among], 1e-3))
    if values.size < 50:
        return among
    counts, edges = np.histogram(values, bins=60)
    smooth = ndimage.gaussian_filter1d(counts.astype(float), 2)
    mode = float(edges[smooth.argmax()] + np.diff(edges)[0] / 2)
    return np.asarray(np.abs(np.log(np.maximum(t2, 1e-3)) - mode) < np.log(T2_SPREAD))


def ratio_to_muscle(signal: Float, mass: Mask, muscle: Muscle, step_mm: float) -> Ratio:
    """The median of the mass to that of muscle."""
    reference, spread = muscle.reference(signal, step_mm)
    value = float(np.median(signal[mass])) / reference
    wide = float(np.exp(_NORMAL_95 * np.hypot(spread, OUTLINE_SPREAD)))
    return Ratio(value, (value / wide, value * wide))


def t1_low(ratio: Ratio) -> Sign:
    """Whether the mass is dark on T1."""
    if ratio.ci95[1] < 1.0:
        return Sign("present")
    if ratio.ci95[0] > T1_NOT_LOW:
        return Sign("absent")
    return Sign("unknown", "on T1 it is about as bright as muscle")


@dataclass(frozen=True)
class Shares:
    """Of a mass on T2: what is brighter than muscle, what is as dark as cortex, and the spread.

    Attributes:
        bright: share surely above `BRIGHT` times muscle.
        bright_most: share that may be, within the reference's interval.
        dark: share below `DARK` times muscle; None where noise hides it.
        spread: 90th to 10th percentile.
    """

    bright: float
    bright_most: float
    dark: float | None
    spread: float


def shares_on_t2(signal: Float, mass: Mask, muscle: Muscle, noise: float, step_mm: float) -> Shares:
    """How a mass is made up on T2."""
    reference, spread = muscle.reference(signal, step_mm)
    wide = float(np.exp(_NORMAL_95 * np.hypot(spread, 0.03)))
    values = signal[mass]
    low, high = np.quantile(values, (0.1, 0.9))
    return Shares(
        bright=float((values > BRIGHT * reference * wide).mean()),
        bright_most=float((values > BRIGHT * reference / wide).mean()),
        dark=float((values < DARK * reference).mean()) if reference > NOISE_FLOOR * noise else None,
        spread=float(high / max(low, noise, 1e-6)),
    )


def t2_high(shares: Shares) -> Sign:
    """Whether much of the mass is bright on T2."""
    if shares.bright >= T2_HIGH_FROM:
        return Sign("present")
    if shares.bright_most < T2_HIGH_BELOW:
        return Sign("absent")
    return Sign("unknown", "on T2 but a part of it is brighter than muscle, or hardly so")


def t2_heterogeneous(shares: Shares) -> Sign:
    """Whether bright and dark lie side by side on T2."""
    mixed = shares.bright >= MIXED_FROM and 1 - shares.bright_most >= MIXED_FROM
    if mixed and shares.spread >= MIXED_RATIO:
        return Sign("present")
    if shares.spread < EVEN_RATIO:
        return Sign("absent")
    return Sign("unknown", "on T2 its parts differ, but less than nodules beside mineral do")


def share_enhanced(
    before: Float, after: Float, mass: Mask, muscle: Muscle, noise: float, step_mm: float
) -> tuple[float, float]:
    """Share of the mass that takes up contrast agent, at least and at most.

    Both series are held against muscle, which takes up little itself.
    """
    one, spread_before = muscle.reference(before, step_mm)
    other, spread_after = muscle.reference(after, step_mm)
    wide = float(np.exp(_NORMAL_95 * np.hypot(spread_before, spread_after) / 2))
    brighter = (after[mass] / other) / np.maximum(before[mass], noise) * one
    return float((brighter > TAKES_UP * wide).mean()), float((brighter > TAKES_UP / wide).mean())


def enhancement(least: float, most: float) -> Sign:
    """Whether a part of the mass takes up contrast agent."""
    if least >= ENHANCED_FROM:
        return Sign("present")
    if most < ENHANCED_BELOW:
        return Sign("absent")
    return Sign("unknown", "what takes up contrast agent is too little to tell from chance")


def noise_of(series: Volume) -> float:
    """Standard deviation of a series' noise, by second differences along its rows."""
    values = series.voxels.astype(np.float32)
    if values.shape[2] < 3:
        return 0.0
    bent = np.abs(values[..., 2:] - 2 * values[..., 1:-1] + values[..., :-2])
    lit = values[..., 1:-1] > 0
    return float(1.4826 * np.median(bent[lit]) / np.sqrt(6)) if lit.any() else 0.0
