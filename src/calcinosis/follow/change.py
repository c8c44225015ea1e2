"""How much a mass changed between two scans, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calcinosis.measure.mass import Calibration, Interval, Mass

_NORMAL_95 = 1.96
# What the changes told of masses drawn anew, larger or smaller, into moved scans were off by
# (benchmarks/follow.py, docs/accuracy.md): of volumes less than what the printed intervals of both
# add up to, because walls and muscle between pieces are taken or left alike each time: 0.6 of that
# covered 27 of 30, so it is a quarter more. Of calcium a standard deviation of the logarithm of
# 0.07 to 0.10. The same mass scanned again differs by 0.05 and 0.01.
_VOLUME_SHARE = 0.75
_CALCIUM_SPREAD = 0.10
_LEAST = 0.05  # an interval that reaches 0 is taken to end at this share of the value


@dataclass(frozen=True)
class Change:
    """A quantity in both scans.

    Attributes:
        earlier: its value then.
        later: its value now.
        ratio: later to earlier.
        ratio_ci95: 95 % interval of the ratio.
    """

    earlier: float
    later: float
    ratio: float
    ratio_ci95: Interval

    @property
    def is_sure(self) -> bool:
        """Whether the interval leaves out that nothing changed."""
        low, high = self.ratio_ci95
        return not low <= 1.0 <= high

    def doubling_days(self, days: int | None) -> float | None:
        """Days in which it doubles at this pace, negative: halves; None where that is not sure."""
        if not days or not self.is_sure:
            return None
        return float(days * np.log(2) / np.log(self.ratio))


def volume_change(earlier: Sequence[Mass], later: Sequence[Mass]) -> Change | None:
    """Change of the envelope volume (mL) of the same masses; None where one side is empty."""
    spread = np.hypot(_spread(earlier), _spread(later)) * _VOLUME_SHARE
    return _change(
        sum(mass.volume_ml for mass in earlier),
        sum(mass.volume_ml for mass in later),
        float(spread),
    )


def calcium_change(
    earlier: Sequence[Mass],
    later: Sequence[Mass],
    calibrations: tuple[Calibration, Calibration],
) -> Change | None:
    """Change of the calcium mass (mg of hydroxyapatite) of the same masses.

    By one calibration both are off alike, so that it counts only where two were used.
    """
    one, other = calibrations
    apart = 0.0
    if one != other:
        apart = float(np.hypot(one.relative_uncertainty, other.relative_uncertainty))
    return _change(
        sum(mass.calcium_mass_mg for mass in earlier),
        sum(mass.calcium_mass_mg for mass in later),
        float(np.hypot(_CALCIUM_SPREAD, apart)),
    )


def _spread(masses: Sequence[Mass]) -> float:
    """Standard deviation of the logarithm of masses' volume together, by the printed intervals."""
    total = sum(mass.volume_ml for mass in masses)
    squares = sum((_logarithmic(mass) * mass.volume_ml) ** 2 for mass in masses)
    return float(np.sqrt(squares) / total) if total else 0.0


def _logarithmic(mass: Mass) -> float:
    low, high = mass.volume_ci95_ml
    return float(np.log(high / max(low, _LEAST * mass.volume_ml)) / (2 * _NORMAL_95))


def _change(earlier: float, later: float, spread: float) -> Change | None:
    if not (earlier > 0 and later > 0):
        return None
    ratio = later / earlier
    width = float(np.exp(_NORMAL_95 * spread))
    return Change(earlier, later, ratio, (ratio / width, ratio * width))
