"""What tissue looks like at each depth of an ultrasound picture, and what departs from it.

Grey levels are logarithms of echoes. In fully developed speckle the logarithm has a standard
deviation of 5.57 dB whatever the mean (Wagner et al. 1983, doi:10.1109/T-SU.1983.31404): means of
grey are what to compare, and the spread of speckle is the yardstick where nobody knows how the
machine compressed. Filters against speckle narrow it, and differences then seem larger in dB.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.measure.ultrasound_beams import SAMPLES, Sector

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
# Departures, standard deviations of smoothed tissue, and what places of each kind say for tissue
# (log-likelihoods). Named parameters.
LINE = 3.0  # a bright line stands out by
DARK = -1.5  # of what is dark: a fifteenth of tissue is
WIDE_BRIGHT = 2.0  # of what is bright and no line
ORDINARY, BRIGHT = 0.7, -0.5  # of ordinary places, of wide bright ones
# A beam from its bottom: what most of it departs by where it is shaded, where it is enhanced.
DIM, LIT = -1.0, 0.7
FARTHEST = 3.0  # departure that one place counts for at most
FEW_SHARE = 0.1  # of the depth, at the bottom, that does not yet tell: noise lights it up
ECHO = 1.0  # departure of an echo that comes through
ECHO_REACH_SHARE = 0.3  # of the depth: above an echo, within this, is no shadow
CLOSED_BEAMS = 7  # gaps of fewer beams in a shadow are chance


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
        found = np.clip(found, -SHARPEST, SHARPEST)
        line = self.sector.ridges > LINE * self.spread
        wide = np.where((z > WIDE_BRIGHT) & ~self.enhanced, BRIGHT, ORDINARY)
        found = np.where((z > DARK) & ~line, wide, found)
        return np.asarray(np.where(self.told, found, 0.0))

    @cached_property
    def in_shadow(self) -> Mask:
        """Dark places below which, to the bottom, most is dark, with no echo soon after them.

        Fluid without a far wall looks no other.
        """
        z, line = self._along_beams
        echo = (z > ECHO) & ((line > LINE) | (z > WIDE_BRIGHT))
        reach = round(ECHO_REACH_SHARE * SAMPLES)
        soon = ndimage.maximum_filter1d(echo, reach, axis=0, origin=-(reach // 2), mode="constant")
        samples, beams = self.sector.beam_places()
        dark = (self._deeper < DIM) & ~soon
        dark = ndimage.binary_closing(dark, np.ones((1, CLOSED_BEAMS)))
        return np.asarray(dark[samples, beams] & (self.departure < DARK))

    @cached_property
    def enhanced(self) -> Mask:
        """Places below which, to the bottom, most is brighter than tissue."""
        samples, beams = self.sector.beam_places()
        return np.asarray((self._deeper > LIT)[samples, beams])

    @cached_property
    def _along_beams(self) -> tuple[Array, Array]:
        """Departure (NaN: not told) and lines, in standard deviations, [sample, beam]."""
        places = list(self.sector.beam_grid)
        z, told, line = (
            ndimage.map_coordinates(np.asarray(field, float), places, order=1, mode="nearest")
            for field in (self.departure, self.told, self.sector.ridges / self.spread)
        )
        return np.where(told > 0.5, z, np.nan), line

    @cached_property
    def _deeper(self) -> Array:
        """Mean departure of what lies deeper on the beam, [sample, beam].

        0 from where on, seen from the bottom, it was once neither dim nor lit.
        """
        z = np.clip(self._along_beams[0], -FARTHEST, FARTHEST)[::-1]
        counted = np.cumsum(~np.isnan(z), axis=0)
        mean = np.cumsum(np.nan_to_num(z), axis=0) / np.maximum(counted, 1)
        few = counted < FEW_SHARE * SAMPLES
        first = np.take_along_axis(mean, np.argmax(~few, axis=0)[None], axis=0)
        mean = np.where(few, first, mean)
        still = [np.logical_and.accumulate(one, axis=0) for one in (mean < DIM, mean > LIT)]
        return np.asarray(np.where(still[0] | still[1], mean, 0.0)[::-1])


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
        [np.median(sorted_values[a:b]) if b - a > 10 else np.nan for a, b in pairwise(bounds)]
    )
    known = np.flatnonzero(~np.isnan(medians))
    if not len(known):
        return np.zeros(LAYERS)
    filled = np.interp(np.arange(LAYERS), known, medians[known])
    return np.asarray(ndimage.gaussian_filter1d(filled, LEVEL_SHARE * LAYERS / 2))
