"""The packed style: wavy ellipsoids crowding each other, septa where two meet."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calcinosis.phantom.grid import Float, Grid
from calcinosis.phantom.locules import Partition
from calcinosis.phantom.shapes import Ellipsoid, Point, Waves, as_point, random_rotation


@dataclass(frozen=True, eq=False)
class Packed:
    """Locules as packed, slightly wavy ellipsoids; septa where two meet."""

    ellipsoids: tuple[Ellipsoid, ...]
    septum_mm: float
    wave: Waves
    wave_mm: float

    @property
    def count(self) -> int:
        """Number of locules drawn (bone or skin may still swallow one)."""
        return len(self.ellipsoids)

    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Block that holds all locules."""
        lows, highs = zip(*(e.bounds() for e in self.ellipsoids), strict=True)
        margin = self.wave_mm * 3
        return np.min(lows, axis=0) - margin, np.max(highs, axis=0) + margin

    def partition(self, grid: Grid, keep_out_mm: Float, wall_mm: float) -> Partition:
        """Nearest and second-nearest locule at every point, each looked at near itself only."""
        reach_mm = max(wall_mm, self.septum_mm) + 0.6
        first = np.full(grid.shape, np.float32(reach_mm))
        second = np.full(grid.shape, np.float32(1e3))  # nothing else near: no septum
        owner = np.full(grid.shape, -1, np.int16)
        for index, ellipsoid in enumerate(self.ellipsoids):
            low, high = ellipsoid.bounds()
            margin = reach_mm + 3 * self.wave_mm
            box = grid.box(low - margin, high + margin)
            if box is None:
                continue
            xyz = grid.coordinates(box)
            shift = np.float32(7.3 * index)
            wave = self.wave(xyz[0] + shift, xyz[1] - shift, xyz[2])
            d = ellipsoid.distance(*xyz) + np.float32(self.wave_mm) * wave
            d = np.maximum(d, keep_out_mm[box])
            nearer = d < first[box]
            second[box] = np.where(nearer, first[box], np.minimum(second[box], d))
            first[box] = np.where(nearer, d, first[box])
            owner[box][nearer] = index
        septum = (second - first - np.float32(self.septum_mm)) / 2
        return Partition(owner, np.minimum(-first, septum), first)

    def scaled(self, factor: float, centre: Point) -> "Packed":
        """The same build, larger or smaller about a centre."""

        def grow(e: Ellipsoid) -> Ellipsoid:
            x, y, z = (c + factor * (p - c) for p, c in zip(e.centre, centre, strict=True))
            a, b, c = (factor * s for s in e.semi_axes)
            return replace(e, centre=(x, y, z), semi_axes=(a, b, c))

        return replace(self, ellipsoids=tuple(grow(e) for e in self.ellipsoids))


def pack(centre: Point, radius: float, count: int, rng: np.random.Generator) -> Packed:
    """Scatter `count` ellipsoids evenly in an irregular ball, each reaching its neighbours."""
    stretch = np.exp(rng.normal(0, 0.25, 3))
    turn = random_rotation(rng)
    stretch = turn.T @ np.diag(stretch / stretch.prod() ** (1 / 3)) @ turn
    places = np.zeros((1, 3)) if count == 1 else _spread(count, rng)
    gaps = np.linalg.norm(places[:, None] - places, axis=-1) + 9 * np.eye(count)
    nearest = np.sort(gaps, axis=1)[:, : min(3, count - 1)].mean(1) if count > 1 else np.ones(1)
    tight = rng.uniform(0.55, 1.0)
    sizes = nearest * tight * np.exp(rng.normal(0, rng.uniform(0.03, 0.25), count))
    ellipsoids = []
    for place, size in zip(places @ stretch * radius + centre, sizes * radius, strict=True):
        aspect = np.exp(rng.normal(0, 0.18, 3))
        axes = size * aspect / aspect.prod() ** (1 / 3)
        rotation = tuple(tuple(float(v) for v in row) for row in random_rotation(rng))
        ellipsoids.append(Ellipsoid(as_point(place), as_point(axes), rotation))  # type: ignore[arg-type]
    typical = float(np.median(sizes)) * radius
    return Packed(
        ellipsoids=tuple(ellipsoids),
        septum_mm=float(rng.uniform(0.4, min(2.5, 0.35 * typical + 0.3))),
        wave=Waves.random(rng, max(6.0, 1.4 * typical)),
        wave_mm=float(rng.uniform(0.0, 0.09) * typical),
    )


def _spread(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Points in the unit ball, each the best of several candidates (farthest from the rest)."""
    points = np.empty((0, 3))
    while len(points) < count:
        candidates = rng.normal(size=(12, 3))
        candidates /= np.linalg.norm(candidates, axis=1, keepdims=True)
        candidates *= rng.random((12, 1)) ** (1 / 3) * 0.85
        if len(points):
            distance = np.linalg.norm(candidates[:, None] - points, axis=-1).min(1)
            candidates = candidates[[int(distance.argmax())]]
        points = np.vstack([points, candidates[:1]])
    return points
