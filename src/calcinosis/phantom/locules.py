"""The build of a mass: space parted into locules, walls and septa.

Two unrelated styles draw it (`packed`, `cellular`); both answer the same three questions at every
point: which locule, how deep inside it, how far outside all of them.
"""

from dataclasses import dataclass
from typing import Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from calcinosis.phantom.grid import Float, Grid
from calcinosis.phantom.shapes import Bounds, Point

CALCIFIED_HU = 150.0  # what a mass holds that is denser counts as calcified
Kind = Literal["paste", "sediment", "fluid", "two_density"]


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
        fade: part of the density lost at the boundary of paste that is densest at its core.
    """

    kind: Kind
    dense_hu: float
    fluid_hu: float
    fill: float
    down: Point | None
    rim_hu: float
    rim_mm: float
    fade: float = 0.0


class Locules(Protocol):
    """A build of locules, in either style."""

    @property
    def count(self) -> int:
        """Number of locules (bone or skin may swallow one)."""
        ...

    def bounds(self) -> Bounds:
        """Block that holds all locules."""
        ...

    def partition(self, grid: Grid, keep_out_mm: Float, wall_mm: float) -> Partition:
        """The locules on a grid.

        Args:
            grid: where to evaluate.
            keep_out_mm: signed distance to what locules may not enter, positive within it.
            wall_mm: the outer wall's thickness: distances outside are needed up to there.
        """
        ...

    def scaled(self, factor: float, centre: Point) -> Self:
        """The same build, larger or smaller about a centre."""
        ...
