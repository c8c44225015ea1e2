"""What is bone around a seed point when the network is not told of the seed.

A seed on bone makes bone look like a mass: only the scan without it can tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calcinosis.measure.envelope import CALCIFIED_HU
from calcinosis.measure.tissue import Index, TissueMap, look_closer
from calcinosis.measure.working_grid import GRID_MM, Box, WorkingGrid

_ROOM_MM = 45.0  # around a seed, as where the network looks again


@dataclass(frozen=True, eq=False)
class Unasked:
    """A box of working voxels around a seed, and which of them are bone without it."""

    box: Box
    bone: NDArray[np.bool_]

    def share_of(
        self, grid: WorkingGrid, labels: NDArray[np.unsignedinteger[Any]], label: int
    ) -> float:
        """How much of the calcification of one label of the grid's label map is bone, 0 to 1."""
        calcified = (labels[self.box] == label) & (grid.hu[self.box] > CALCIFIED_HU)
        return float(self.bone[calcified].mean()) if calcified.any() else 0.0


def bone_unasked(
    grid: WorkingGrid, tissue: TissueMap, seeds: Sequence[Index], given: NDArray[np.bool_] | None
) -> list[Unasked]:
    """What is bone around each seed: by the given skeleton, else by the network untold.

    Args:
        grid: the scan's 1.5 mm version.
        tissue: of the same grid.
        seeds: working voxels [z, y, x].
        given: a skeleton on the scan's own grid, if the user brought one.
    """
    bone = None if given is None or not seeds else grid.from_native(given)
    found = []
    for z, y, x in seeds:
        place = slice(z, z + 1), slice(y, y + 1), slice(x, x + 1)
        box = grid.grow(place, int(_ROOM_MM / GRID_MM))
        found.append(Unasked(box, _bone_in(grid, tissue, box) if bone is None else bone[box]))
    return found


def _bone_in(grid: WorkingGrid, tissue: TissueMap, box: Box) -> NDArray[np.bool_]:
    """What the network holds for bone rather than mass in a box, shown it without a seed."""
    part = replace(grid, hu=grid.hu[box])
    shape = part.hu.shape
    scores = TissueMap(np.zeros(shape, np.uint8), np.zeros(shape, np.uint8), tissue.body[box])
    z, y, x = (slice(0, size) for size in shape)
    look_closer(part, scores, [(z, y, x)])
    return np.asarray(scores.skeleton > scores.mass)
