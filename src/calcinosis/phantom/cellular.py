"""The cellular style: a cloud with a ragged outline, parted by warped Voronoi walls.

It shares no geometry with the packed style: the outline is a level set of a noise field, locules
are polygonal cells of very unequal size, some merged, and septa vary in thickness. What is tuned on
one style can be judged on the other.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calcinosis.phantom.grid import Float, Grid
from calcinosis.phantom.locules import Partition
from calcinosis.phantom.shapes import Point, Waves, random_rotation

NEIGHBOURHOOD = 2.8  # cells are looked at within so many typical spacings of their seed
THINNEST_SEPTUM_MM = 0.3


@dataclass(frozen=True, eq=False)
class Cellular:
    """A noisy ball parted into cells.

    Attributes:
        centre: LPS mm.
        radius_mm: of the ball before stretching and noise.
        stretch: 3×3, maps the patient's axes to the ball's.
        outline: noise fields that ruffle the outline, coarse and fine.
        ruffle_mm: their amplitudes.
        seeds: LPS mm, shape (n, 3).
        owner: locule of each seed; seeds with one owner make one locule.
        septum_mm: mean thickness of the walls between cells.
        warp: three fields that bend the walls.
        warp_mm: by how much.
    """

    centre: Point
    radius_mm: float
    stretch: NDArray[np.float64]
    outline: tuple[Waves, Waves]
    ruffle_mm: tuple[float, float]
    seeds: NDArray[np.float64]
    owner: NDArray[np.int16]
    septum_mm: float
    warp: tuple[Waves, Waves, Waves]
    warp_mm: float

    @property
    def count(self) -> int:
        """Number of locules."""
        return int(self.owner.max()) + 1

    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Block that holds the cloud."""
        half = self.radius_mm * np.linalg.norm(np.linalg.inv(self.stretch), axis=1)
        half = half + 2.2 * sum(self.ruffle_mm)
        return np.asarray(self.centre) - half, np.asarray(self.centre) + half

    def partition(self, grid: Grid, keep_out_mm: Float, wall_mm: float) -> Partition:
        """Cells by nearest seed in bent space; depth is the distance to wall or outline."""
        del wall_mm  # the outline's distance is known everywhere, not near locules only
        outside = np.maximum(self._outline_mm(grid), keep_out_mm)
        owner, gap = self._cells(grid)
        x, y, z = grid.coordinates()
        septum = self.septum_mm * (1 + np.float32(0.45) * self.warp[0](x + 50, y, z))
        septum = np.maximum(septum, np.float32(THINNEST_SEPTUM_MM))
        return Partition(owner, np.minimum(-outside, (gap - septum) / 2), outside)

    def _outline_mm(self, grid: Grid) -> Float:
        x, y, z = grid.coordinates()
        px, py, pz = (axis - c for axis, c in zip((x, y, z), self.centre, strict=True))
        rows = self.stretch.astype(np.float32)
        radius2 = sum((r[0] * px + r[1] * py + r[2] * pz) ** 2 for r in rows)
        coarse, fine = (
            np.float32(mm) * field(x, y, z)
            for field, mm in zip(self.outline, self.ruffle_mm, strict=True)
        )
        return np.asarray(np.sqrt(radius2) - self.radius_mm + coarse + fine, np.float32)

    def _cells(self, grid: Grid) -> tuple[NDArray[np.int16], Float]:
        """Owner of every point, and how much farther the nearest seed of another locule is."""
        xyz = grid.coordinates()
        bent = [
            axis + np.float32(self.warp_mm) * w(*xyz)
            for axis, w in zip(xyz, self.warp, strict=True)
        ]
        first = np.full(grid.shape, np.float32(1e3))
        second = first.copy()
        owner = np.full(grid.shape, -1, np.int16)
        volume = (2 * self.radius_mm) ** 3 / max(len(self.seeds), 1)
        reach = NEIGHBOURHOOD * volume ** (1 / 3) + 2 * self.warp_mm
        for seed, locule in zip(self.seeds, self.owner, strict=True):
            box = grid.box(seed - reach, seed + reach)
            if box is None:
                continue
            dx, dy, dz = (axis[box] - np.float32(c) for axis, c in zip(bent, seed, strict=True))
            d = np.sqrt(dx * dx + dy * dy + dz * dz)
            same, nearer = owner[box] == locule, d < first[box]
            pushed = np.where(nearer, first[box], np.minimum(second[box], d))
            second[box] = np.where(same, second[box], pushed)
            first[box] = np.minimum(first[box], d)
            owner[box][nearer] = locule
        return owner, second - first

    def scaled(self, factor: float, centre: Point) -> "Cellular":
        """The same build, larger or smaller about a centre; the noise keeps its grain."""
        return replace(
            self,
            radius_mm=self.radius_mm * factor,
            seeds=np.asarray(centre) + factor * (self.seeds - centre),
        )


def grow(centre: Point, radius: float, count: int, rng: np.random.Generator) -> Cellular:
    """A cloud of about `count` locules; seeds fall at random, so that cells are unequal."""
    turn = random_rotation(rng)
    axes = np.exp(rng.normal(0, 0.28, 3))
    stretch = turn.T @ np.diag(axes / axes.prod() ** (1 / 3)) @ turn
    cells = max(1, int(count * rng.uniform(1.0, 1.6)))
    places = rng.normal(size=(cells, 3))
    places *= rng.random((cells, 1)) ** (1 / 3) / np.linalg.norm(places, axis=1, keepdims=True)
    seeds = np.asarray(centre) + places @ np.linalg.inv(stretch).T * radius
    owner = np.concatenate([np.arange(min(count, cells)), rng.integers(0, count, cells)])[:cells]
    typical = radius / cells ** (1 / 3)
    return Cellular(
        centre=centre,
        radius_mm=radius,
        stretch=stretch,
        outline=(Waves.random(rng, 1.1 * radius + 4), Waves.random(rng, 0.4 * radius + 3)),
        ruffle_mm=(float(rng.uniform(0.06, 0.2) * radius), float(rng.uniform(0.01, 0.05) * radius)),
        seeds=seeds,
        owner=owner.astype(np.int16),
        septum_mm=float(rng.uniform(0.4, min(3.0, 0.4 * typical + 0.4))),
        warp=tuple(Waves.random(rng, 2.2 * typical + 5) for _ in range(3)),  # type: ignore[arg-type]
        warp_mm=float(rng.uniform(0.1, 0.4) * typical),
    )
