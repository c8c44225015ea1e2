"""A calcified mass on a radiograph, from the point a reader sets: outline and size."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import (
    binary_dilation,
    distance_transform_edt,
    gaussian_filter,
    map_coordinates,
)
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist, squareform
from skimage.measure import find_contours

from calcinosis.errors import InputError
from calcinosis.measure.radiograph_outline import SIDE, Outline, find_outline
from calcinosis.read.radiograph import Radiograph

Float = NDArray[np.float32]
Interval = tuple[float, float]
Place = tuple[float, float]

BAND_MM = (0.7, 4.0)  # on either side of the outline, where mass and surroundings are compared
# Least contrast of a mass against what lies just outside, in standard deviations of the film's
# grain, and least confidence: below them the point is refused. Of 72 points beside masses, on bone
# or muscle, 6 pass both, of 72 on masses 57 (docs/accuracy.md).
LEAST_CONTRAST, LEAST_CONFIDENCE = 3.0, 0.3
FINER = 3  # places across one of the outline's, where density is looked at
UNSURE = 0.6  # confidence below which the outline is remarked on
# True to told length, 2.5 and 97.5 % of the same films, where the outline is sure and where it is
# not: it mostly misses pieces.
SPREAD_SURE, SPREAD_UNSURE = (0.95, 1.65), (0.7, 2.8)


@dataclass(frozen=True, eq=False)
class ProjectedMass:
    """The shadow of a mass. Places are (row, column) on the film, lengths mm at the patient.

    Attributes:
        outline: closed curve [n, 2].
        area_mm2, max_diameter_mm, perpendicular_diameter_mm: with their 95 % intervals, which hold
            outline and magnification.
        ends, perpendicular_ends: where the diameters end.
        contrast: density above its surroundings, in standard deviations of the film's grain.
        confidence: 0 to 1, how sure the outline is.
        remarks: what limits it, one sentence each.
    """

    outline: NDArray[np.float64]
    area_mm2: float
    area_ci95_mm2: Interval
    max_diameter_mm: float
    max_diameter_ci95_mm: Interval
    perpendicular_diameter_mm: float
    perpendicular_diameter_ci95_mm: Interval
    ends: tuple[Place, Place]
    perpendicular_ends: tuple[Place, Place]
    contrast: float
    confidence: float
    remarks: tuple[str, ...]


def measure_radiograph(film: Radiograph, point: tuple[int, int]) -> ProjectedMass:
    """Measure the mass at a point.

    Args:
        film: the radiograph.
        point: (column, row) of a pixel on the mass, counted from 0 at the top left.

    Raises:
        InputError: the point lies outside the film, or on nothing that looks like a mass.
    """
    column, row = point
    rows, columns = film.density.shape
    if not (0 <= row < rows and 0 <= column < columns):
        raise InputError(
            f"--at is {column},{row}; expected a pixel of the film, of {columns} columns and "
            f"{rows} rows"
        )
    seen = find_outline(film.density, film.scale.pixel_mm, (row, column))
    nothing = InputError(
        f"--at {column},{row} lies on no dense mass that stands out; expected a point in its "
        "calcification"
    )
    if seen is None or not film.imaged[row, column]:
        raise nothing
    window = _Window.around(film, seen)
    if window.contrast < LEAST_CONTRAST or seen.confidence < LEAST_CONFIDENCE:
        raise nothing
    return _measured(film, seen, window)


@dataclass(frozen=True, eq=False)
class _Window:
    """The film around a mass, on places `FINER` times as close as those of the outline.

    Attributes:
        density: [row, column].
        mask: the mass.
        start: (row, column) on the film of the first place.
        step: pixels of the film from one place to the next.
        lift: density of the mass above what lies just outside of it.
        contrast: the same in standard deviations of the film's grain.
    """

    density: Float
    mask: NDArray[np.bool_]
    start: Place
    step: float
    step_mm: float
    lift: float
    contrast: float

    @classmethod
    def around(cls, film: Radiograph, seen: Outline) -> "_Window":
        size, step = FINER * (SIDE - 1) + 1, seen.step / FINER
        places = np.indices((size, size)) * step + np.reshape(seen.start, (2, 1, 1))
        smooth = gaussian_filter(film.density, max(0.35 * step, 0.5), truncate=2)
        density = map_coordinates(smooth, places, order=1, mode="nearest")
        share = np.where(seen.mask, np.maximum(seen.share, 0.5), np.minimum(seen.share, 0.5))
        fine = np.indices((size, size)) / FINER
        mask = map_coordinates(share, fine, order=1) >= 0.5
        step_mm = step * film.scale.pixel_mm
        lift = _lift(density, mask, step_mm)
        grain = density - gaussian_filter(density, 1.5)
        noise = 1.4826 * float(np.median(np.abs(grain)))
        return cls(density, mask, seen.start, step, step_mm, lift, lift / max(noise, 1e-9))


def _lift(density: Float, mask: NDArray[np.bool_], step_mm: float) -> float:
    """How much denser a mass is within its outline than just without; the median along it."""
    depth_mm = distance_transform_edt(mask) * step_mm
    away_mm = distance_transform_edt(~mask) * step_mm
    edge = mask & (depth_mm <= step_mm)
    sides = []
    for far_mm in (depth_mm, away_mm):
        band = ((far_mm > BAND_MM[0]) & (far_mm < BAND_MM[1])).astype(np.float32)
        weight, total = (
            gaussian_filter(part, BAND_MM[1] / step_mm, mode="constant")
            for part in (band, band * density)
        )
        sides.append(np.where(weight > 0.01, total / np.maximum(weight, 0.01), np.nan)[edge])
    falls = sides[0] - sides[1]
    return float(np.nanmedian(falls)) if np.isfinite(falls).any() else 0.0


def _measured(film: Radiograph, seen: Outline, window: _Window) -> ProjectedMass:
    pixel_mm = film.scale.pixel_mm
    curve = _curve(seen)
    hull = curve[ConvexHull(curve).vertices]
    length, ends = _farthest(hull)
    width, across = _across(hull, ends)
    area_mm2 = _area(curve) * pixel_mm**2
    scale = _spread(film, seen)
    return ProjectedMass(
        outline=curve,
        area_mm2=area_mm2,
        area_ci95_mm2=_interval(area_mm2, scale, 2),
        max_diameter_mm=length * pixel_mm,
        max_diameter_ci95_mm=_interval(length * pixel_mm, scale, 1),
        perpendicular_diameter_mm=width * pixel_mm,
        perpendicular_diameter_ci95_mm=_interval(width * pixel_mm, scale, 1),
        ends=ends,
        perpendicular_ends=across,
        contrast=window.contrast,
        confidence=seen.confidence,
        remarks=tuple(_remarks(seen)),
    )


def _curve(seen: Outline) -> NDArray[np.float64]:
    """The longest half-share contour of the mass, on the film."""
    share = np.where(binary_dilation(seen.mask, iterations=2), seen.share, 0)
    share = np.where(seen.mask, np.maximum(share, 0.5 + 1e-3), share)
    curves = find_contours(np.pad(share, 1), 0.5)
    longest = max(curves, key=len) - 1
    return np.asarray(longest * seen.step + np.asarray(seen.start))


def _area(curve: NDArray[np.float64]) -> float:
    y, x = curve.T
    return float(abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2)


def _farthest(points: NDArray[np.float64]) -> tuple[float, tuple[Place, Place]]:
    gaps = squareform(pdist(points))
    first, second = np.unravel_index(int(gaps.argmax()), gaps.shape)
    return float(gaps.max()), (_place(points[first]), _place(points[second]))


def _across(
    hull: NDArray[np.float64], ends: tuple[Place, Place]
) -> tuple[float, tuple[Place, Place]]:
    """The extent across the greatest diameter, drawn through its middle."""
    axis = np.subtract(ends[1], ends[0]) / max(np.hypot(*np.subtract(ends[1], ends[0])), 1e-9)
    normal = np.array([-axis[1], axis[0]])
    middle = np.mean(ends, axis=0)
    off = (hull - middle) @ normal
    low, high = float(off.min()), float(off.max())
    return high - low, (_place(middle + low * normal), _place(middle + high * normal))


def _place(point: NDArray[np.float64]) -> Place:
    return float(point[0]), float(point[1])


def _spread(film: Radiograph, seen: Outline) -> Interval:
    """True to told length, 95 %: what the outline and the scale leave open."""
    low, high = SPREAD_UNSURE if seen.confidence < UNSURE else SPREAD_SURE
    return low * film.scale.lowest, high * film.scale.highest


def _interval(value: float, scale: Interval, power: int) -> Interval:
    return value * scale[0] ** power, value * scale[1] ** power


def _remarks(seen: Outline) -> list[str]:
    remarks = []
    if seen.cut:
        remarks.append("The mass reaches the edge of what was looked at: sizes are least values.")
    if seen.confidence < UNSURE:
        remarks.append(
            "The outline is not sure, and may be far off: check it on the picture, or point at a "
            "denser place."
        )
    return remarks
