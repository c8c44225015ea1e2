"""Label maps that grow as masses are drawn."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from calcinosis.phantom.drawing import DrawnMass, FirstIds
from calcinosis.phantom.shapes import Point
from calcinosis.phantom.truth import DecoyTruth, MassTruth, Truth


@dataclass(eq=False)
class LabelMaps:
    """Truth in the making; see `Truth` for the arrays."""

    envelope: NDArray[np.uint8]
    locules: NDArray[np.uint16]
    levels: NDArray[np.uint16]
    erosion: NDArray[np.uint8]
    masses: list[MassTruth] = field(default_factory=list)

    @classmethod
    def empty(cls, shape: tuple[int, int, int]) -> "LabelMaps":
        """No mass yet."""
        return cls(
            np.zeros(shape, np.uint8),
            np.zeros(shape, np.uint16),
            np.zeros(shape, np.uint16),
            np.zeros(shape, np.uint8),
        )

    def next_ids(self) -> FirstIds:
        """The first ids still free."""
        locules = sum(len(mass.locules) for mass in self.masses)
        levels = sum(len(mass.levels) for mass in self.masses)
        return FirstIds(len(self.masses) + 1, locules + 1, levels + 1)

    def add(self, drawn: DrawnMass, truth: MassTruth) -> None:
        """Enter one mass; an earlier one keeps what it holds."""
        box = drawn.box
        free = self.envelope[box] == 0
        self.envelope[box][free & drawn.envelope] = truth.id
        self.locules[box][free] = drawn.locules[free]
        self.levels[box][free] = drawn.levels[free]
        self.erosion[box][drawn.eroded_fraction >= 0.5] = truth.id
        self.masses.append(truth)

    def truth(
        self, skeleton: NDArray[np.bool_], decoys: tuple[DecoyTruth, ...], gravity_lps: Point
    ) -> Truth:
        """The finished answers; where bone and mass share a voxel, bone keeps it."""
        self.envelope[skeleton] = 0
        return Truth(
            masses=tuple(self.masses),
            decoys=decoys,
            envelope=self.envelope,
            locules=self.locules,
            levels=self.levels,
            erosion=self.erosion,
            skeleton=skeleton,
            gravity_lps=gravity_lps,
        )
