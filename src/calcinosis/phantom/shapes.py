"""Solid shapes as signed distances: negative inside, millimetres, LPS coordinates.

Distances to ellipsoids are first-order near the surface; the rest are exact. Formulas follow from
the definitions; a smooth union rounds the crease between two parts (polynomial blend).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from calcinosis.phantom.grid import Float

Point = tuple[float, float, float]
Bounds = tuple[NDArray[np.float64], NDArray[np.float64]]


def as_point(values: NDArray[np.float64]) -> Point:
    """Three numbers as a point."""
    x, y, z = values
    return float(x), float(y), float(z)


class Shape(Protocol):
    """Anything with a signed distance and a bounding block."""

    def distance(self, x: Float, y: Float, z: Float) -> Float:
        """Signed distance in mm at broadcastable LPS coordinates."""
        ...

    def bounds(self) -> Bounds:
        """Lowest and highest LPS corner of a block that holds the shape."""
        ...


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid; `rotation` holds its axes as rows (identity when None)."""

    centre: Point
    semi_axes: Point
    rotation: tuple[Point, Point, Point] | None = None

    def distance(self, x: Float, y: Float, z: Float) -> Float:
        """Signed distance, first-order near the surface, exact for a ball."""
        a, b, c = self.semi_axes
        x, y, z = x - self.centre[0], y - self.centre[1], z - self.centre[2]
        if self.rotation is not None:
            x, y, z = (row[0] * x + row[1] * y + row[2] * z for row in self.rotation)
        if a == b == c:
            return np.asarray(np.sqrt(x * x + y * y + z * z) - a, np.float32)
        x, y, z = x / a, y / b, z / c
        scaled = np.sqrt(x * x + y * y + z * z)
        x, y, z = x / a, y / b, z / c
        slope = np.sqrt(x * x + y * y + z * z) + np.float32(1e-9)
        inner = np.float32(-min(self.semi_axes))
        return np.asarray(np.maximum(scaled * (scaled - 1) / slope, inner), np.float32)

    def bounds(self) -> Bounds:
        """A cube of the longest semi-axis, or the exact block when not rotated."""
        half = np.asarray(self.semi_axes, float)
        if self.rotation is not None:
            half = np.sqrt(((np.asarray(self.rotation) * half[:, None]) ** 2).sum(0))
        centre = np.asarray(self.centre, float)
        return centre - half, centre + half


@dataclass(frozen=True)
class Tube:
    """A round rod along a polyline, its radius running linearly between the points' radii."""

    points: tuple[Point, ...]
    radii: tuple[float, ...]

    def distance(self, x: Float, y: Float, z: Float) -> Float:
        """Signed distance to the union of the segments."""
        best: Float | None = None
        for i in range(len(self.points) - 1):
            d = self._segment(i, x, y, z)
            best = d if best is None else np.minimum(best, d)
        assert best is not None  # noqa: S101  # a tube has at least two points
        return best

    def _segment(self, i: int, x: Float, y: Float, z: Float) -> Float:
        (ax, ay, az), (bx, by, bz) = self.points[i], self.points[i + 1]
        ux, uy, uz = bx - ax, by - ay, bz - az
        length2 = ux * ux + uy * uy + uz * uz
        x, y, z = x - ax, y - ay, z - az
        t = np.clip((x * ux + y * uy + z * uz) / length2, 0, 1)
        dx, dy, dz = x - t * ux, y - t * uy, z - t * uz
        radius = self.radii[i] + t * (self.radii[i + 1] - self.radii[i])
        return np.asarray(np.sqrt(dx * dx + dy * dy + dz * dz) - radius, np.float32)

    def bounds(self) -> Bounds:
        """The block around the points, grown by the largest radius."""
        points, radius = np.asarray(self.points), max(self.radii)
        return points.min(0) - radius, points.max(0) + radius


@dataclass(frozen=True)
class Plate:
    """A triangle with rounded edges: all points within half the thickness of it."""

    corners: tuple[Point, Point, Point]
    thickness_mm: float

    def distance(self, x: Float, y: Float, z: Float) -> Float:
        """Signed distance (Ericson, Real-Time Collision Detection, closest point on triangle)."""
        a, b, c = (np.asarray(corner, float) for corner in self.corners)
        normal = np.cross(b - a, c - a)
        normal /= np.linalg.norm(normal)
        edges = Tube((*self.corners, self.corners[0]), (0.0,) * 4).distance(x, y, z)
        x, y, z = x - a[0], y - a[1], z - a[2]
        inside: NDArray[np.bool_] | bool = True
        for start, end in ((a, b), (b, c), (c, a)):
            n = np.cross(normal, end - start)
            inside = inside & (n[0] * x + n[1] * y + n[2] * z >= float(n @ (start - a)))
        height = np.abs(normal[0] * x + normal[1] * y + normal[2] * z)
        nearest = np.where(inside, height, edges)
        return np.asarray(nearest - self.thickness_mm / 2, np.float32)

    def bounds(self) -> Bounds:
        """The block around the corners, grown by half the thickness."""
        points = np.asarray(self.corners)
        return points.min(0) - self.thickness_mm / 2, points.max(0) + self.thickness_mm / 2


@dataclass(frozen=True)
class Cut:
    """A shape kept on one side of a plane (`normal` points to what is cut away)."""

    shape: Shape
    point: Point
    normal: Point

    def distance(self, x: Float, y: Float, z: Float) -> Float:
        """Signed distance of the rest (exact up to the new edge)."""
        nx, ny, nz = np.asarray(self.normal) / np.linalg.norm(self.normal)
        px, py, pz = self.point
        plane = nx * (x - px) + ny * (y - py) + nz * (z - pz)
        return np.asarray(np.maximum(self.shape.distance(x, y, z), plane), np.float32)

    def bounds(self) -> Bounds:
        """Those of the whole shape."""
        return self.shape.bounds()


@dataclass(frozen=True)
class Minus:
    """A shape without another."""

    shape: Shape
    removed: Shape

    def distance(self, x: Float, y: Float, z: Float) -> Float:
        """Signed distance of the rest."""
        rest = np.maximum(self.shape.distance(x, y, z), -self.removed.distance(x, y, z))
        return np.asarray(rest, np.float32)

    def bounds(self) -> Bounds:
        """Those of the first shape."""
        return self.shape.bounds()


@dataclass(frozen=True)
class Waves:
    """A smooth random field of unit variance: a sum of plane waves, the same on every grid."""

    vectors: NDArray[np.float32]
    phases: NDArray[np.float32]

    @classmethod
    def random(cls, rng: np.random.Generator, wavelength_mm: float, count: int = 10) -> "Waves":
        """`count` waves in random directions, wavelengths within a factor of 1.6."""
        directions = rng.normal(size=(count, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        lengths = wavelength_mm * rng.uniform(0.63, 1.6, size=(count, 1))
        vectors = (2 * np.pi * directions / lengths).astype(np.float32)
        return cls(vectors, rng.uniform(0, 2 * np.pi, count).astype(np.float32))

    def __call__(self, x: Float, y: Float, z: Float) -> Float:
        """The field at broadcastable LPS coordinates."""
        if x.size + y.size + z.size > 8192:  # coordinates that mix the axes, or plain point lists
            terms = [
                np.cos(kx * x + ky * y + kz * z + phase)
                for (kx, ky, kz), phase in zip(self.vectors, self.phases, strict=True)
            ]
            field = np.sum(terms, axis=0)
        else:  # cos(a + b) split over the axes: a matrix product, not a cosine per voxel
            field = self._on_axes(x, y, z)
        return np.asarray(field * np.float32(np.sqrt(2 / len(self.phases))), np.float32)

    def _on_axes(self, x: Float, y: Float, z: Float) -> Float:
        shape = np.broadcast_shapes(x.shape, y.shape, z.shape)
        first = np.zeros((len(self.phases), shape[0]), np.float32)
        rest = np.zeros((len(self.phases), *shape[1:]), np.float32)
        rest += self.phases.reshape(-1, *(1,) * (len(shape) - 1))
        for axis, k in zip((x, y, z), self.vectors.T, strict=True):
            if axis.shape[0] > 1:
                first += k[:, None] * axis.ravel()
            else:
                rest += k.reshape(-1, *(1,) * (len(shape) - 1)) * axis[0]
        rest = rest.reshape(len(self.phases), -1)
        left = np.concatenate([np.cos(first), -np.sin(first)])
        right = np.concatenate([np.cos(rest), np.sin(rest)])
        return np.asarray((left.T @ right).reshape(shape), np.float32)


def smooth_union(distances: Sequence[Float], blend_mm: float) -> Float:
    """The union of solids with creases rounded over `blend_mm`."""
    result = distances[0]
    for d in distances[1:]:
        gap = np.maximum(blend_mm - np.abs(result - d), 0) / np.float32(max(blend_mm, 1e-6))
        result = np.minimum(result, d) - gap * gap * np.float32(blend_mm / 4)
    return result


def coverage(distance: Float, width_mm: float) -> Float:
    """Fraction of a voxel of the given width that lies inside, from the distance at its centre."""
    return np.asarray(np.clip(0.5 - distance / np.float32(width_mm), 0, 1), np.float32)


def random_rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    """A uniformly distributed rotation matrix."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    if np.linalg.det(q) < 0:
        q[0] = -q[0]
    return np.asarray(q)
