"""The build of a mass: space parted into locules, walls and septa.

Two unrelated styles draw it (`packed`, `cellular`); both answer the same three questions at every
point: which locule, how deep inside it, how far outside all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from calcinosis.phantom.grid import Float, Grid
from calcinosis.phantom.shapes import Ellipsoid, Point, Waves

Kind = Literal["paste", "sediment", "fluid", "two_density"]
Constraint = Callable[[Grid], Float]


@dataclass(frozen=True, eq=False)
class Partition:
    """Locules on a grid.

    Attributes:
        locule: index of the nearest locule, int16.
        depth_mm: depth inside that locule; negative in septa and outside.
        outside_mm: distance outside the union of locules with their septa; negative inside.
    """

    locule: NDArray[np.int16]
    depth_mm: Float
    outside_mm: Float


@dataclass(frozen=True)
class Content:
    """What fills one locule.

    Attributes:
        kind: paste, sediment under fluid, clear fluid, or two densities that do not lie level.
        dense_hu: paste or sediment.
        fluid_hu: fluid, or the lighter of two densities.
        fill: part of the locule's volume that is dense, for sediment and two densities.
        down: direction in which the dense part lies; None follows gravity.
        rim_hu: attenuation of a calcified rim.
        rim_mm: its thickness, 0 for none.
    """

    kind: Kind
    dense_hu: float
    fluid_hu: float
    fill: float
    down: Point | None
    rim_hu: float
    rim_mm: float


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
