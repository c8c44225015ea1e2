"""What lies behind a mass on an ultrasound picture: shadow, enhancement, or tissue as beside it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from calcinosis.measure.ultrasound_beams import SMOOTH_SHARE, Sector
from calcinosis.measure.ultrasound_tissue import DARKEST_GREY, Tissue

Mask = NDArray[np.bool_]
Interval = tuple[float, float]
Behind = Literal["shadow", "enhancement", "neither", "in doubt", "not to be judged"]

MIDDLE_SHARE = 0.7  # of the width of a mass, whose beams are looked along: at its sides they bend
GAP_SHARE = 0.03  # of the depth, left out behind the border: its own echo is as long
LONG_SHARE = 0.25  # of the depth, that is looked at behind it
APART_SHARE = 0.15  # of its width, that is left out to either side: what its edge scatters
FEWEST_CELLS = 8.0  # of speckle, that a strip must hold
BANDS = 12  # depths that are compared one by one
# In standard deviations of speckle (5.6 dB each). Named parameters: from where on a shadow or
# enhancement is called, and what strips side by side differ by where nothing lies above them. The
# second as measured: in 24 drawn pictures of tissue alone strips differ by 0.22 (their SD).
CALLED = 0.5
NATURAL_SPREAD = 0.25
_NORMAL_95 = 1.96


@dataclass(frozen=True, eq=False)
class Strips:
    """The strip behind a mass, against those beside it at the same depth.

    Attributes:
        state: what lies behind.
        grey: how much brighter it is, grey levels; None where it cannot be judged.
        ci95: its 95 % interval.
        decibels: the same by the yardstick of speckle.
        behind: pixels of the strip.
        beside: pixels it is compared with.
        reason: why it is in doubt or cannot be judged; else empty.
    """

    state: Behind
    grey: float | None
    ci95: Interval | None
    decibels: float | None
    behind: Mask
    beside: Mask
    reason: str = ""


def look_behind(tissue: Tissue, mask: Mask) -> Strips:
    """Compare what lies behind a mass, along the beams, with the same depth beside it."""
    sector = tissue.sector
    behind, left, right = _strips(sector, mask)
    beside = left | right
    if min(_cells(sector, strip) for strip in (behind, beside)) < FEWEST_CELLS:
        return _untold(behind, beside, "The picture ends too soon behind the mass or beside it.")
    found = [_brighter(sector, behind, strip) for strip in (beside, left, right)]
    if found[0] is None or float(sector.smooth[beside].mean()) < DARKEST_GREY:
        return _untold(behind, beside, "The tissue beside it is as dark as a shadow would be.")
    grey = found[0]
    one_sd = _chance(tissue, behind, beside)
    sides = [value for value in found[1:] if value is not None]
    apart = abs(sides[0] - sides[1]) / 2 if len(sides) == 2 else tissue.speckle
    sd = float(np.sqrt(one_sd**2 + (NATURAL_SPREAD * tissue.speckle) ** 2 + (apart / 2) ** 2))
    interval = grey - _NORMAL_95 * sd, grey + _NORMAL_95 * sd
    state = _state(interval, CALLED * tissue.speckle)
    doubt = "The interval holds both: tissue beside it is uneven, or the strip small."
    return Strips(
        state=state,
        grey=grey,
        ci95=interval,
        decibels=tissue.decibels(grey),
        behind=behind,
        beside=beside,
        reason=doubt if state == "in doubt" else "",
    )


def _untold(behind: Mask, beside: Mask, reason: str) -> Strips:
    return Strips("not to be judged", None, None, None, behind, beside, reason)


def _state(interval: Interval, called: float) -> Behind:
    low, high = interval
    if high < -called:
        return "shadow"
    if low > called:
        return "enhancement"
    return "neither" if low > -2 * called and high < 2 * called else "in doubt"


def _strips(sector: Sector, mask: Mask) -> tuple[Mask, Mask, Mask]:
    """Behind the mass, and to either side of that."""
    across, depth_mm = sector.across, sector.depth_mm
    low, high = np.quantile(across[mask], (0.01, 0.99))
    middle, half = (low + high) / 2, (high - low) / 2
    _, beams = sector.beam_places()
    last = np.zeros(beams.max() + 1)
    np.maximum.at(last, beams[mask], depth_mm[mask])
    gap_mm, long_mm = GAP_SHARE * sector.deep_mm, LONG_SHARE * sector.deep_mm
    within = np.abs(across - middle) < MIDDLE_SHARE * half
    from_mm = last[beams] + gap_mm
    behind = sector.usable & within & (depth_mm > from_mm) & (depth_mm < from_mm + long_mm)
    if not behind.any():
        return behind, behind, behind
    first_mm, end_mm = depth_mm[behind].min(), depth_mm[behind].max()
    level = sector.usable & (depth_mm >= first_mm) & (depth_mm <= end_mm)
    away = np.abs(across - middle) - half
    level &= (away > 2 * APART_SHARE * half) & (away < 2 * half)
    return behind, level & (across < middle), level & (across > middle)


def _cells(sector: Sector, strip: Mask) -> float:
    """How many independent values a smoothed strip holds."""
    cell_mm2 = 4 * np.pi * (SMOOTH_SHARE * sector.deep_mm) ** 2
    return float(strip.sum() * np.prod(sector.step_mm) / cell_mm2)


def _brighter(sector: Sector, behind: Mask, beside: Mask) -> float | None:
    """Mean difference of grey, depth by depth; None where no depth is in both."""
    depth_mm = sector.depth_mm
    bounds = np.linspace(depth_mm[behind].min(), depth_mm[behind].max() + 1e-6, BANDS + 1)
    bands = np.digitize(depth_mm, bounds)
    differences, weights = [], []
    for band in range(1, BANDS + 1):
        here, there = behind & (bands == band), beside & (bands == band)
        if here.sum() > 4 and there.sum() > 4:
            differences.append(sector.smooth[here].mean() - sector.smooth[there].mean())
            weights.append(here.sum())
    return float(np.average(differences, weights=weights)) if differences else None


def _chance(tissue: Tissue, behind: Mask, beside: Mask) -> float:
    """Standard deviation of the difference by the chance of speckle."""
    sector = tissue.sector
    parts = [
        float((sector.smooth - tissue.level)[strip].var()) / _cells(sector, strip)
        for strip in (behind, beside)
    ]
    return float(np.sqrt(sum(parts)))
