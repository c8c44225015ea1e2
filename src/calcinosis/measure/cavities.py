"""Round cavities of water in what is dense: what a cyst's calcified shell holds, and bone does not.

Seen from the middle of such a cavity a thin wall stands about equally far away on all sides, also
where the cyst has grown together with bone or with other cysts. Marrow as dense as water is seldom
round, nor are its walls thin: none in 37 scans without a mass passes, nor in these with 80 % of
their spongy bone replaced by marrow of 15 or 35 HU. Limits were chosen between these and shells
drawn into scans and phantoms (docs/accuracy.md).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import cc3d
import edt
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.measure.distance import distance_within
from calcinosis.measure.gaussian import gaussian
from calcinosis.measure.masks import bounds, rim
from calcinosis.measure.working_grid import GRID_MM, Box, WorkingGrid, box_within, on_whole_grid

_WATER_HU = (-25.0, 75.0)  # blurred walls and noise allowed for
_DENSEST_FLUID_HU = 40.0  # the phantoms' shafts hold 50 HU; red marrow may
_PERHAPS_FLUID_HU = 60.0
_WALL_HU = 130.0  # what ends a ray
_SMOOTH = 0.7  # working voxels: noise is taken off before water is sought
_RAY_STEP, _FARTHEST = 0.5, 24.0  # working voxels
_THICKEST_WALL_MM = 6.5  # with its blur
_THIN_SHARE = 0.45  # of the rays: behind the others lie bone or more cysts
_CLOSED, _HALF_OPEN = 0.95, 0.6  # share of the rays that meet a wall
# Spread of the distances to the wall by their mean: of a round cavity, if voxels were fine, and
# what they add (mm); of what is round beyond doubt; how much less round what may be a cyst is, and
# at most.
_UNEVEN, _OFF_MM, _ROUND, _LESS_ROUND, _LEAST_ROUND = 0.08, 1.0, 0.10, 1.6, 0.22
_SQUEEZED = 0.25  # of a cyst that others leave no room to be round
_LONGEST = 1.6  # times as long as wide
_TO_WALL_MM = 3.0  # from a cavity's middle, one voxel inside its water, to its blurred wall

BoolArray = NDArray[np.bool_]


def _directions() -> NDArray[np.float64]:
    """Unit vectors [n, 3] spread about evenly: from the middle of a cube to places on its faces."""
    faces = [place for place in product(range(-4, 5), repeat=3) if max(map(abs, place)) == 4][::3]
    return np.asarray(faces / np.linalg.norm(faces, axis=1, keepdims=True))


_RAYS = _directions()


@dataclass(frozen=True, eq=False)
class Cavity:
    """A cavity of water.

    Attributes:
        box: where it lies, with room around.
        shell: its voxels in the box, and those of its wall.
        radius_mm: mean distance from its middle to the wall.
        closed: share of the directions in which there is a wall.
        thin: share of the walls that end within 6.5 mm.
        uneven: spread of the distances to the wall, as a share of their mean.
        elongation: length by width.
        hu: median of its middle.
    """

    box: Box
    shell: BoolArray
    radius_mm: float
    closed: float
    thin: float
    uneven: float
    elongation: float
    hu: float

    def in_cyst(self) -> bool:
        """Whether its wall is that of a cyst."""
        water = self.hu <= _DENSEST_FLUID_HU and self.uneven <= self._uneven_for_voxels()
        fluid = self.hu <= _PERHAPS_FLUID_HU and self.uneven <= _ROUND
        return self._thin_walled() and self.closed >= _CLOSED and (water or fluid)

    def perhaps_in_cyst(self) -> bool:
        """Whether it may be: denser, less round, or open where the wall holds no calcium."""
        more = _LESS_ROUND if self.closed >= _CLOSED else 1
        limit = min(more * self._uneven_for_voxels(), _LEAST_ROUND)
        return self.beside_cyst() and self.uneven <= limit

    def beside_cyst(self) -> bool:
        """Whether it is in one if a cyst lies beside it: they squeeze each other."""
        even = self.uneven <= _SQUEEZED
        fluid = self.hu <= _PERHAPS_FLUID_HU
        return self._thin_walled() and self.closed >= _HALF_OPEN and even and fluid

    def _uneven_for_voxels(self) -> float:
        """How uneven a round cavity looks, whose wall is told to a voxel's part."""
        return float(np.hypot(_UNEVEN, _OFF_MM / self.radius_mm))

    def _thin_walled(self) -> bool:
        return self.thin >= _THIN_SHARE and self.elongation <= _LONGEST


def find_cavities(grid: WorkingGrid, called: BoolArray) -> Iterator[Cavity]:
    """All round cavities of water in what is called mass or bone (working voxels [z, y, x])."""
    whole = bounds(called)
    smooth = gaussian(grid.hu[whole].astype(np.float32), _SMOOTH, truncate=3.0)
    water = (smooth > _WATER_HU[0]) & (smooth < _WATER_HU[1]) & called[whole]
    deep = water & ~rim(water, beyond=True)
    middles = cc3d.connected_components(deep, connectivity=6)
    for label, extent in enumerate(ndimage.find_objects(middles), start=1):
        box = on_whole_grid(extent, whole)
        middle = middles[extent] == label
        if np.count_nonzero(middle) > 1:
            cavity = _look_around(grid, called, box, middle)
            if cavity:
                yield cavity


def _look_around(
    grid: WorkingGrid, called: BoolArray, box: Box, middle: BoolArray
) -> Cavity | None:
    """Send rays from the deepest voxel of a cavity's middle; None where its wall is no cyst's."""
    start = _deepest(middle) + [extent.start for extent in box]
    steps = np.arange(0, _FARTHEST, _RAY_STEP)
    places = start + np.rint(_RAYS[:, None] * steps[:, None]).astype(int)
    inside = ((places >= 0) & (places < called.shape)).all(-1)
    at = tuple(np.where(inside[..., None], places, start).transpose(2, 0, 1))
    dense = (grid.hu[at] > _WALL_HU) & inside
    met = dense.any(1)
    wall = dense[met].argmax(1)
    beyond = (~called[at] | ~inside)[met] & (np.arange(len(steps)) > wall[:, None])
    thickness_mm = (beyond.argmax(1) - wall) * _RAY_STEP * GRID_MM
    thin = beyond.any(1) & (thickness_mm < _THICKEST_WALL_MM)
    reach_mm = steps[wall] * GRID_MM
    if not thin.any() or reach_mm.std() >= _SQUEEZED * reach_mm.mean():
        return None
    wide, shell = _shell(grid, called, box, middle, float(np.median(thickness_mm[thin])))
    return Cavity(
        box=wide,
        shell=shell,
        radius_mm=float(reach_mm.mean()),
        closed=float(met.mean()),
        thin=float(thin.mean()),
        uneven=float(reach_mm.std() / reach_mm.mean()),
        elongation=_elongation(middle),
        hu=float(np.median(grid.hu[box][middle])),
    )


def _deepest(mask: BoolArray) -> NDArray[np.int64]:
    """The voxel farthest from the outside of a mask; of several the one amid them."""
    depth = edt.edt(mask, black_border=True, parallel=1)
    places = np.argwhere(depth == depth.max())
    return np.asarray(places[np.linalg.norm(places - places.mean(0), axis=1).argmin()])


def _elongation(mask: BoolArray) -> float:
    """Length by width of a mask, from the spread of its voxels."""
    spread = np.cov(np.argwhere(mask).T) + np.eye(3) / 12
    _, width, length = np.sqrt(np.linalg.eigvalsh(spread))
    return float(length / width)


def _shell(
    grid: WorkingGrid, called: BoolArray, box: Box, middle: BoolArray, wall_mm: float
) -> tuple[Box, BoolArray]:
    """What is called as near to a cavity's middle as the outside of its wall, in a wider box."""
    reach_mm = _TO_WALL_MM + wall_mm
    wide = grid.grow(box, int(reach_mm / GRID_MM) + 1)
    away = np.ones([extent.stop - extent.start for extent in wide], bool)
    away[box_within(box, wide)] = ~middle
    near = distance_within(away, reach_mm, (GRID_MM,) * 3) <= reach_mm
    return wide, near & called[wide]
