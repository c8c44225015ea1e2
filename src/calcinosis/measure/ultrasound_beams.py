"""Where the beams of an ultrasound picture run, and what lies at one depth.

Straight probes look straight down; curved and phased ones look out of one point, the apex, where
the two sides of the picture meet when they are drawn on.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.errors import InputError
from calcinosis.read.ultrasound import Sonogram

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Line = tuple[float, float]  # column = first + second * row

BLACK = 6.0  # levels of 255 that codecs leave in black
NOMINAL_DEPTH_MM = 60.0  # of a picture without scale: only proportions are then told
EDGE_PIXELS = 2.0  # that a side of the picture may be off its line
STEEP = 0.12  # columns per row, from which sides are those of a fan (7 degrees)
LEAST_ROWS = 20  # that a side must be seen on
BEFORE_WEIGHS = 3.0  # places before the line of a side, against places on it
TRIES = 300  # lines through two points of a side, of which the best is taken
SMOOTH_SHARE = 0.009  # standard deviation of smoothing, of the depth of the picture
RIDGE_SHARE = 0.06  # of the depth: what is wider than this is no line
SAMPLES, BEAMS = 320, 160  # of a picture drawn along its beams


@dataclass(frozen=True, eq=False)
class Sector:
    """The part of a picture that shows tissue, and its beams.

    Attributes:
        grey: 0 to 255, [row, column] of the region's box.
        inside: what the probe sees.
        hidden: colour, marks and letters over it.
        step_mm: height and width of a pixel; where the scale is not known the picture is taken as
            `NOMINAL_DEPTH_MM` deep.
        apex: (row, column) where beams meet; None: they run straight down.
    """

    grey: Array
    inside: Mask
    hidden: Mask
    step_mm: tuple[float, float]
    apex: tuple[float, float] | None

    @cached_property
    def usable(self) -> Mask:
        """Tissue that nothing covers."""
        return np.asarray(self.inside & ~self.hidden)

    @cached_property
    def smooth(self) -> Array:
        """Grey levels, smoothed over speckle."""
        sigma = [SMOOTH_SHARE * self.deep_mm / step for step in self.step_mm]
        weight = ndimage.gaussian_filter(self.usable.astype(np.float64), sigma)
        summed = ndimage.gaussian_filter(np.where(self.usable, self.grey, 0.0), sigma)
        return np.asarray(summed / np.maximum(weight, 1e-3))

    @cached_property
    def ridges(self) -> Array:
        """How far bright lines stand above what is wider than they are, grey levels."""
        size = [max(3, round(RIDGE_SHARE * self.deep_mm / step)) for step in self.step_mm]
        return np.asarray(self.smooth - ndimage.grey_opening(self.smooth, size=size))

    @cached_property
    def depth_mm(self) -> Array:
        """Of each pixel along its beam, from where the picture begins."""
        along = self._polar[0]
        return np.asarray(along - along[self.inside].min())

    @cached_property
    def across(self) -> Array:
        """Of each pixel: on which beam it lies. Radians in a fan, else mm."""
        return self._polar[1]

    @cached_property
    def deep_mm(self) -> float:
        """Depth of the whole picture."""
        return float(self.depth_mm[self.inside].max())

    @cached_property
    def _polar(self) -> tuple[Array, Array]:
        rows, columns = (np.asarray(one, np.float64) for one in np.indices(self.grey.shape))
        if self.apex is None:
            return rows * self.step_mm[0], columns * self.step_mm[1]
        down = (rows - self.apex[0]) * self.step_mm[0]
        right = (columns - self.apex[1]) * self.step_mm[1]
        return np.hypot(down, right), np.arctan2(right, down)

    @cached_property
    def beam_grid(self) -> tuple[Array, Array]:
        """Rows and columns of `SAMPLES` depths on `BEAMS` beams, [sample, beam]."""
        along = self._polar[0][self.inside]
        across = self.across[self.inside]
        ways = np.linspace(across.min(), across.max(), BEAMS)
        far, way = np.meshgrid(np.linspace(along.min(), along.max(), SAMPLES), ways, indexing="ij")
        if self.apex is None:
            return far / self.step_mm[0], way / self.step_mm[1]
        return (
            self.apex[0] + far * np.cos(way) / self.step_mm[0],
            self.apex[1] + far * np.sin(way) / self.step_mm[1],
        )

    def beam_places(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Of each pixel its sample and beam in `beam_grid`."""
        along, across = self._polar
        places = []
        for values, count in ((along, SAMPLES), (across, BEAMS)):
            low, high = values[self.inside].min(), values[self.inside].max()
            share = (values - low) / max(float(high - low), 1e-9)
            places.append(np.clip(np.rint(share * (count - 1)), 0, count - 1).astype(np.intp))
        return places[0], places[1]


def sector_of(sonogram: Sonogram) -> Sector:
    """Find what the probe sees, and its beams.

    Raises:
        InputError: the region is black, or the point lies outside what the probe sees.
    """
    box = sonogram.region.box
    grey = np.asarray(sonogram.grey[box], np.float64)
    hidden = sonogram.hidden[box]
    shape = grey.shape
    size = sonogram.region.pixel_mm or (NOMINAL_DEPTH_MM / shape[0],) * 2
    lit = _lit(grey, hidden & ~sonogram.marked[box], _within(sonogram.at, box))
    apex, sides = _fan(lit)
    inside = _straight(lit) if apex is None else _in_fan(lit, apex, sides, size)
    at = _within(sonogram.at, box)
    if not inside[at]:
        raise InputError(
            f"--at {sonogram.at[1]},{sonogram.at[0]} lies outside what the probe sees; expected a "
            "point in the mass"
        )
    for other in sonogram.region.others:
        _clear(inside, other, box)
    return Sector(grey, inside, hidden, size, apex)


def _within(at: tuple[int, int], box: tuple[slice, slice]) -> tuple[int, int]:
    return at[0] - box[0].start, at[1] - box[1].start


def _clear(inside: Mask, other: tuple[slice, slice], box: tuple[slice, slice]) -> None:
    rows, columns = (
        slice(max(o.start - b.start, 0), max(o.stop - b.start, 0))
        for o, b in zip(other, box, strict=True)
    )
    inside[rows, columns] = False


def _lit(grey: Array, covered: Mask, at: tuple[int, int]) -> Mask:
    """The largest part that is not black, letters and thin lines left out."""
    around = ndimage.binary_opening((grey > BLACK) & ~covered, np.ones((3, 3)))
    parts, count = ndimage.label(ndimage.binary_closing(around, np.ones((7, 7))))
    if count == 0:
        raise InputError(f"the picture is black around --at; expected tissue (row {at[0]})")
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray(parts == sizes.argmax())


def _fan(lit: Mask) -> tuple[tuple[float, float] | None, tuple[Line, Line] | None]:
    """The apex, and both sides; None where the sides do not open downwards."""
    rows = np.flatnonzero(lit.any(axis=1))
    left = lit[rows].argmax(axis=1)
    right = lit.shape[1] - 1 - lit[rows][:, ::-1].argmax(axis=1)
    one = _side(rows, left)
    other = _side(rows, lit.shape[1] - 1 - right)
    if one is None or other is None:
        return None, None
    other = lit.shape[1] - 1 - other[0], -other[1]
    row = (one[0] - other[0]) / (other[1] - one[1])
    return (float(row), float(one[0] + one[1] * row)), (one, other)


def _side(rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Line | None:
    """The line that opens downwards, has many first places on it and few before it.

    After Fischler & Bolles 1981, doi:10.1145/358669.358692. Dark places at the side of a picture
    begin behind the line.
    """
    pairs = np.random.default_rng(0).integers(len(rows), size=(TRIES, 2))
    first, second = pairs[np.abs(rows[pairs[:, 0]] - rows[pairs[:, 1]]) > LEAST_ROWS // 2].T
    slopes = (columns[second] - columns[first]) / (rows[second] - rows[first])
    starts = columns[first] - slopes * rows[first]
    starts, slopes = starts[slopes < -STEEP], slopes[slopes < -STEEP]
    if not len(slopes):
        return None
    off = columns - (starts[:, None] + slopes[:, None] * rows)
    near, before = np.abs(off) < EDGE_PIXELS, (off < -2 * EDGE_PIXELS) & (off < columns)
    scores = near.sum(axis=1) - BEFORE_WEIGHS * before.sum(axis=1)
    best = near[scores.argmax()]
    if scores.max() < LEAST_ROWS:
        return None
    slope, start = np.polyfit(rows[best], columns[best], 1)
    return float(start), float(slope)


def _straight(lit: Mask) -> Mask:
    """The rectangle that holds what is lit."""
    inside = np.zeros_like(lit)
    rows, columns = (np.flatnonzero(lit.mean(axis=axis) > 0.02) for axis in (1, 0))
    if len(rows) and len(columns):
        inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return inside


def _in_fan(
    lit: Mask,
    apex: tuple[float, float],
    sides: tuple[Line, Line] | None,
    step_mm: tuple[float, float],
) -> Mask:
    rows, columns = np.indices(lit.shape)
    radius = np.hypot((rows - apex[0]) * step_mm[0], (columns - apex[1]) * step_mm[1])
    low, high = np.quantile(radius[lit], (0.0005, 0.9995))
    inside = (radius >= low) & (radius <= high) & (rows > apex[0])
    if sides:
        (a, b), (c, d) = sides
        inside &= (columns >= a + b * rows + 1) & (columns <= c + d * rows - 1)
    return np.asarray(inside)
