"""Diameters: true Feret extents of the surface, never an ellipse fit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist, squareform

from calcinosis.measure.masks import places
from calcinosis.measure.mass import Point
from calcinosis.volume import Volume


@dataclass(frozen=True)
class Diameters:
    """The longest extent, the longest extent across it, and where they end.

    The two ends across may lie on different slices of the mass: they are drawn in the plane midway.
    """

    max_mm: float
    perpendicular_mm: float
    ends_lps_mm: tuple[Point, Point]
    perpendicular_ends_lps_mm: tuple[Point, Point]


def diameters(volume: Volume, occupancy: NDArray[np.float32]) -> Diameters:
    """Feret diameter of the half-occupancy surface, and the longest extent perpendicular to it.

    Args:
        volume: the box of voxels the mass lies in.
        occupancy: share 0…1 of each voxel that is mass, same shape.
    """
    corners = volume.to_lps(_surface(occupancy))
    corners = _hull(corners)
    length, first, second = _farthest(corners)
    axis = corners[second] - corners[first]
    along = corners @ axis / max(length**2, 1e-12)
    across = corners - np.outer(along, axis)
    width, one, other = _farthest(across)
    midway = (along[one] + along[other]) / 2 * axis
    return Diameters(
        length,
        width,
        (_point(corners[first]), _point(corners[second])),
        (_point(across[one] + midway), _point(across[other] + midway)),
    )


def _farthest(points: NDArray[np.float64]) -> tuple[float, int, int]:
    """The largest distance between two points, and which they are."""
    gaps = squareform(pdist(points))
    first, second = np.unravel_index(np.argmax(gaps), gaps.shape)
    return float(gaps[first, second]), int(first), int(second)


def _surface(occupancy: NDArray[np.float32]) -> NDArray[np.float64]:
    """Half-occupancy crossings along the three axes, in array indices, sub-voxel."""
    padded = np.pad(occupancy, 1)
    inside = padded >= 0.5
    points = []
    for axis in range(3):
        along, within = np.moveaxis(padded, axis, 0), np.moveaxis(inside, axis, 0)
        low, high = along[:-1], along[1:]
        crossing = places(within[:-1] != within[1:])
        a, b = low[tuple(crossing.T)], high[tuple(crossing.T)]
        place = crossing.astype(np.float64)
        place[:, 0] += (0.5 - a) / (b - a)
        points.append(np.insert(place[:, 1:], axis, place[:, 0], axis=1) - 1)
    return np.concatenate(points)


def _hull(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Vertices of the convex hull; the points themselves where they span no volume."""
    try:
        return np.asarray(points[ConvexHull(points).vertices])
    except QhullError:
        return points


def _point(values: NDArray[np.float64]) -> Point:
    x, y, z = (float(value) for value in values)
    return x, y, z
