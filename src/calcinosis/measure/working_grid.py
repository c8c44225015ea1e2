"""The 1.5 mm grid on which masses are told from bone, and the way back to the scan's own voxels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from calcinosis.measure.distance import Spacing

GRID_MM = 1.5
WORKING_ML = GRID_MM**3 / 1000  # of a voxel of this grid
# A Gaussian of this many input voxels, times sqrt(ratio² − 1), takes the resolution of a voxel to
# that of one `ratio` times wider: 1 / (2 sqrt(2 ln 2)).
_VOXEL_SIGMA = 0.425

Box = tuple[slice, slice, slice]


def box_within(box: Box, around: Box) -> Box:
    """Where a box lies in one that holds it."""
    z, y, x = (
        slice(own.start - wide.start, own.stop - wide.start)
        for own, wide in zip(box, around, strict=True)
    )
    return z, y, x


def on_whole_grid(inner: Box, outer: Box) -> Box:
    """A box told from where another begins, as the whole grid counts."""
    z, y, x = (
        slice(i.start + o.start, i.stop + o.start) for i, o in zip(inner, outer, strict=True)
    )
    return z, y, x


@dataclass(frozen=True, eq=False)
class WorkingGrid:
    """Smoothed Hounsfield units every 1.5 mm along the array axes.

    Attributes:
        hu: int16 [z, y, x].
        step: native voxels per working voxel along z, y, x; working index 0 lies on native index 0.
    """

    hu: NDArray[np.int16]
    step: NDArray[np.float64]

    def box_of(self, native: Box) -> Box:
        """The smallest box of working voxels that covers a native box, with one voxel to spare."""
        z, y, x = (
            slice(
                max(0, int(extent.start / step) - 1),
                min(size, int(np.ceil(extent.stop / step)) + 2),
            )
            for extent, step, size in zip(native, self.step, self.hu.shape, strict=True)
        )
        return z, y, x

    def native_box(self, box: Box, shape: tuple[int, int, int]) -> Box:
        """The native box that covers a box of working voxels."""
        z, y, x = (
            slice(
                max(0, int((extent.start - 1) * step)),
                min(size, int(np.ceil((extent.stop + 1) * step)) + 1),
            )
            for extent, step, size in zip(box, self.step, shape, strict=True)
        )
        return z, y, x

    def grow(self, box: Box, reach: int) -> Box:
        """A box of working voxels widened on all sides, as far as the grid goes."""
        z, y, x = (
            slice(max(0, extent.start - reach), min(size, extent.stop + reach))
            for extent, size in zip(box, self.hu.shape, strict=True)
        )
        return z, y, x

    def from_native(self, field: NDArray[Any]) -> NDArray[Any]:
        """A field on the scan's voxels, as the nearest voxels of this grid see it."""
        z, y, x = (
            np.minimum(np.round(np.arange(size) * step).astype(int), full - 1)
            for size, step, full in zip(self.hu.shape, self.step, field.shape, strict=True)
        )
        return field[np.ix_(z, y, x)]

    def hits(self, native: Box, mask: NDArray[np.bool_], box: Box) -> NDArray[np.bool_]:
        """Which voxels of a box of this grid lie on a mask, which fills a native box."""
        places = [
            np.round(np.arange(extent.start, extent.stop) * step).astype(int) - home.start
            for extent, step, home in zip(box, self.step, native, strict=True)
        ]
        inside = [(p >= 0) & (p < size) for p, size in zip(places, mask.shape, strict=True)]
        result = np.zeros([len(place) for place in places], bool)
        z, y, x = (place[held] for place, held in zip(places, inside, strict=True))
        result[np.ix_(*inside)] = mask[np.ix_(z, y, x)]
        return result

    def brightest(self, box: Box, mask: NDArray[np.bool_]) -> tuple[int, int, int]:
        """The brightest voxel of a mask, which fills a box of this grid."""
        voxels = np.argwhere(mask) + [extent.start for extent in box]
        z, y, x = voxels[self.hu[tuple(voxels.T)].argmax()].tolist()
        return z, y, x

    def to_native(
        self, field: NDArray[np.generic], native: Box, origin: tuple[int, int, int] = (0, 0, 0)
    ) -> NDArray[np.float32]:
        """Trilinear values of a field on the voxels of a native box.

        `origin` is the working voxel at which the field starts.
        """
        start = np.array([extent.start for extent in native]) / self.step - origin
        shape = tuple(extent.stop - extent.start for extent in native)
        return _sample(field, start, 1 / self.step, shape)


def resample(
    voxels: NDArray[np.int16], spacing_mm: Spacing, grid_mm: float = GRID_MM
) -> WorkingGrid:
    """Smooth and resample int16 voxels [z, y, x] to an isotropic grid, plane by plane."""
    step = grid_mm / np.asarray(spacing_mm)
    tables = [_taps(size, ratio) for size, ratio in zip(voxels.shape, step, strict=True)]
    (zi, zw), (yi, yw), (xi, xw) = tables
    return WorkingGrid(_resample(voxels, zi, zw, yi, yw, xi, xw), step)


def _taps(size: int, ratio: float) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Input indices and weights [output, tap]: a Gaussian followed by linear interpolation."""
    count = max(1, round(size / ratio))
    centre = np.arange(count) * ratio
    sigma = _VOXEL_SIGMA * np.sqrt(max(ratio**2 - 1, 0)) if ratio > 1.05 else 0.0
    reach = int(np.ceil(3 * sigma))
    offset = np.arange(-reach, reach + 2)
    gauss = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2) if sigma else np.ones(1)
    gauss /= gauss.sum()
    share = (centre - np.floor(centre))[:, None]
    weights = np.zeros((count, len(offset)))
    weights[:, :-1] += (1 - share) * gauss
    weights[:, 1:] += share * gauss
    indices = np.clip(np.floor(centre).astype(np.int64)[:, None] + offset, 0, size - 1)
    return indices, weights.astype(np.float32)


@njit(cache=True, fastmath=False)
def _resample(
    voxels: NDArray[np.int16],
    zi: NDArray[np.int64],
    zw: NDArray[np.float32],
    yi: NDArray[np.int64],
    yw: NDArray[np.float32],
    xi: NDArray[np.int64],
    xw: NDArray[np.float32],
) -> NDArray[np.int16]:
    rows, columns = voxels.shape[1:]
    result = np.empty((zi.shape[0], yi.shape[0], xi.shape[0]), np.int16)
    plane = np.empty((rows, columns), np.float32)
    line = np.empty(columns, np.float32)
    for z in range(zi.shape[0]):
        plane[:] = 0
        for tap in range(zi.shape[1]):
            weight = zw[z, tap]
            if weight != 0:
                source = voxels[zi[z, tap]]
                for y in range(rows):
                    for x in range(columns):
                        plane[y, x] += weight * source[y, x]
        for y in range(yi.shape[0]):
            line[:] = 0
            for tap in range(yi.shape[1]):
                weight = yw[y, tap]
                source_line = plane[yi[y, tap]]
                for x in range(columns):
                    line[x] += weight * source_line[x]
            for x in range(xi.shape[0]):
                value = np.float32(0)
                for tap in range(xi.shape[1]):
                    value += xw[x, tap] * line[xi[x, tap]]
                result[z, y, x] = np.rint(value)
    return result


@njit(cache=True)
def _sample(
    field: NDArray[np.generic],
    start: NDArray[np.float64],
    step: NDArray[np.float64],
    shape: tuple[int, int, int],
) -> NDArray[np.float32]:
    """Along x once for each row that is wanted, then between rows and planes."""
    rises = [_between(start[0] + i * step[0], field.shape[0]) for i in range(shape[0])]
    falls = [_between(start[1] + j * step[1], field.shape[1]) for j in range(shape[1])]
    along = [_between(start[2] + k * step[2], field.shape[2]) for k in range(shape[2])]
    first_z, first_y = rises[0][0], falls[0][0]
    needed = field[first_z : rises[-1][1] + 1, first_y : falls[-1][1] + 1]
    wide = np.empty((needed.shape[0], needed.shape[1], shape[2]))
    for z in range(needed.shape[0]):
        for y in range(needed.shape[1]):
            for k, (x0, x1, fx) in enumerate(along):
                wide[z, y, k] = needed[z, y, x0] * (1 - fx) + needed[z, y, x1] * fx
    result = np.empty(shape, np.float32)
    for i, (z0, z1, fz) in enumerate(rises):
        for j, (y0, y1, fy) in enumerate(falls):
            for k in range(shape[2]):
                low = wide[z0 - first_z, y0 - first_y, k] * (1 - fy)
                low += wide[z0 - first_z, y1 - first_y, k] * fy
                high = wide[z1 - first_z, y0 - first_y, k] * (1 - fy)
                high += wide[z1 - first_z, y1 - first_y, k] * fy
                result[i, j, k] = low * (1 - fz) + high * fz
    return result


@njit(cache=True)
def _between(place: float, size: int) -> tuple[int, int, float]:
    """The two indices of a line between which a place lies, and how far on from the first."""
    last = size - 1
    place = min(max(place, 0.0), last)
    first = min(int(place), max(last - 1, 0))
    return first, min(first + 1, last), place - first
