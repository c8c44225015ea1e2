"""What tissue looks like at each depth of an ultrasound picture, and what departs from it.

Grey levels are logarithms of echoes. In fully developed speckle the logarithm has a standard
deviation of 5.57 dB whatever the mean (Wagner et al. 1983, doi:10.1109/T-SU.1983.31404): means of
grey are what to compare, and the spread of speckle is the yardstick where nobody knows how the
machine compressed. Filters against speckle narrow it, and differences then seem larger in dB.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.measure.ultrasound_beams import Sector

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

SPECKLE_DB = 5.57  # standard deviation of log-compressed Rayleigh speckle
LAYERS = 80  # depths at which tissue is judged
LEVEL_SHARE = 0.03  # of the depth, over which levels of neighbouring layers are averaged
DARKEST_GREY = 14.0  # tissue darker than this leaves no room for anything to be darker still
LEAST_SPREAD_GREY = 5.0  # of smoothed tissue: codecs and quantising alone make it uneven
NARROWED = 0.75  # what smoothing and the skew of speckle leave of its standard deviation in
# `_speckle`: measured in drawn pictures whose decibels are known (0.68 to 0.78)
MAD = 1.4826  # of a normal distribution: standard deviation to median absolute deviation
OUTLIER = 1.0 / 20.0  # density of what is no tissue: anything from -10 to 10 standard deviations
SHARPEST = 4.0  # log-likelihood of one place at most: tails of tissue are longer than normal


@dataclass(frozen=True, eq=False)
class Tissue:
    """What tissue is like, of each pixel's depth.

    Attributes:
        sector: the picture.
        level: smoothed grey of tissue at the pixel's depth.
        spread: standard deviation of that.
        speckle: standard deviation of grey levels before smoothing; of `SPECKLE_DB`.
    """

    sector: Sector
    level: Array
    spread: Array
    speckle: float

    @cached_property
    def departure(self) -> Array:
        """How far each place is from tissue at its depth, in standard deviations."""
        return np.asarray((self.sector.smooth - self.level) / self.spread)

    @cached_property
    def told(self) -> Mask:
        """Where anything can be told: seen, and tissue at that depth is not itself black."""
        return np.asarray(self.sector.usable & (self.level > DARKEST_GREY))

    def decibels(self, grey: float) -> float:
        """A difference of grey levels, by the yardstick of speckle."""
        return grey / max(self.speckle, 1.0) * SPECKLE_DB

    def for_tissue(self, content: float | None = None) -> Array:
        """Log-likelihood of tissue against no tissue, of each pixel.

        Args:
            content: departure of what the mass holds, where that is known.
        """
        z = self.departure
        other = np.full(z.shape, OUTLIER)
        if content is not None:
            other = np.maximum(other, _normal(z - content))
        found = np.log(_normal(z) + 1e-9) - np.log(other)
        found = np.where(self.told, np.clip(found, -SHARPEST, SHARPEST), 0.0)
        # Wide brightness is chalk in the mass or what fluid lets through to below it: little either way.
        wide = (z > -DARK) & (self.sector.ridges < LINE * self.spread)
        return np.asarray(np.where(wide & self.told, WIDE, found))

    @cached_property
    def in_shadow(self) -> Mask:
        """Dark places below which nothing comes back to the level of tissue, down to the bottom.

        Fluid and shadow look alike there.
        """
        rows, columns = self.sector.beam_grid
        z = ndimage.map_coordinates(self.departure, [rows, columns], order=1, mode="nearest")
        told = ndimage.map_coordinates(self.told.astype(float), [rows, columns], order=0) > 0
        dark = np.where(told, z < DARK, np.nan)
        counted = np.nancumsum(~np.isnan(dark)[::-1], axis=0)
        share = np.nancumsum(dark[::-1], axis=0) / np.maximum(counted, 1)
        # A beam is in shadow from its bottom up to the last place above which most was dark.
        still = np.logical_and.accumulate((share > MOST_DARK) | (counted < FEW), axis=0)[::-1]
        samples, beams = self.sector.beam_places()
        return np.asarray(still[samples, beams] & (self.departure < DARK))


LINE = 3.0  # standard deviations of smoothed tissue that a bright line stands out by
WIDE = 0.5  # log-likelihood for tissue of what is bright and wide
DARK = -1.5  # departure of what is dark: a fifteenth of tissue is
MOST_DARK = 0.8  # of a beam from its bottom, that lies in a shadow: noise lights up some
FEW = 6  # samples at the bottom that do not yet tell


def _normal(z: Array) -> Array:
    return np.asarray(np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi))


def judge_tissue(sector: Sector, without: Mask | None = None) -> Tissue:
    """Learn from a picture what tissue is like at each depth.

    Args:
        sector: the picture.
        without: what is no ordinary tissue: the mass, and what it shades.
    """
    smooth = sector.smooth
    taken = sector.usable if without is None else sector.usable & ~without
    if taken.sum() < 0.1 * sector.usable.sum():
        taken = sector.usable
    layer = np.clip(sector.depth_mm / sector.deep_mm * LAYERS, 0, LAYERS - 1).astype(int)
    level = _by_layer(layer, taken, smooth)
    spread = MAD * _by_layer(layer, taken, np.abs(smooth - level[layer]))
    return Tissue(
        sector=sector,
        level=level[layer],
        spread=np.maximum(spread, LEAST_SPREAD_GREY)[layer],
        speckle=_speckle(sector, taken & (smooth > DARKEST_GREY)),
    )


def _speckle(sector: Sector, taken: Mask) -> float:
    if not taken.any():
        return LEAST_SPREAD_GREY
    off = np.abs(sector.grey - sector.smooth)[taken]
    return max(float(MAD * np.median(off)) / NARROWED, LEAST_SPREAD_GREY)


def _by_layer(layer: NDArray[np.intp], taken: Mask, values: Array) -> Array:
    """The median at each depth, smoothed along it."""
    order = np.argsort(layer[taken], kind="stable")
    sorted_layers, sorted_values = layer[taken][order], values[taken][order]
    bounds = np.searchsorted(sorted_layers, np.arange(LAYERS + 1))
    medians = np.array(
        [
            np.median(sorted_values[a:b]) if b - a > 10 else np.nan
            for a, b in zip(bounds[:-1], bounds[1:], strict=True)
        ]
    )
    known = np.flatnonzero(~np.isnan(medians))
    if not len(known):
        return np.zeros(LAYERS)
    filled = np.interp(np.arange(LAYERS), known, medians[known])
    return np.asarray(ndimage.gaussian_filter1d(filled, LEVEL_SHARE * LAYERS / 2))
