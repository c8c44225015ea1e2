"""The sampling grid of a scan: array indices [z, y, x] and their places in the patient (LPS mm)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float = NDArray[np.float32]
Box = tuple[slice, slice, slice]
Coordinates = tuple[Float, Float, Float]


@dataclass(frozen=True, eq=False)
class Grid:
    """Voxel centres of a scan.

    Attributes:
        shape: number of voxels along the array axes z, y, x.
        affine: 4×4, maps (z, y, x, 1) to LPS millimetres.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]

    @property
    def spacing_mm(self) -> NDArray[np.float64]:
        """Distance between voxel centres along z, y, x."""
        return np.asarray(np.linalg.norm(self.affine[:3, :3], axis=0))

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in millilitres."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000

    @property
    def whole(self) -> Box:
        """The box of all voxels."""
        z, y, x = self.shape
        return slice(0, z), slice(0, y), slice(0, x)

    def coordinates(self, box: Box | None = None) -> Coordinates:
        """LPS millimetres of the voxel centres of a box.

        Each of x, y, z broadcasts to the box's shape; on a grid whose axes run along the patient's
        each varies along one axis only, which makes evaluating shapes cheap.
        """
        steps = [
            np.arange(extent.start, extent.stop, dtype=np.float64) for extent in box or self.whole
        ]
        along = np.ix_(*steps)
        axes = []
        for row in self.affine[:3]:
            value = np.full((1, 1, 1), row[3])
            for weight, index in zip(row[:3], along, strict=True):
                if abs(weight) > 1e-9:
                    value = value + weight * index
            axes.append(value.astype(np.float32))
        return axes[0], axes[1], axes[2]

    def box(self, low_lps_mm: ArrayLike, high_lps_mm: ArrayLike) -> Box | None:
        """The smallest box of voxels that holds a block of the patient; None when outside."""
        low, high = np.asarray(low_lps_mm, float), np.asarray(high_lps_mm, float)
        corners = np.array(np.meshgrid(*zip(low, high, strict=True))).reshape(3, -1).T
        indices = (corners - self.affine[:3, 3]) @ np.linalg.inv(self.affine[:3, :3]).T
        start = np.clip(np.floor(indices.min(0)), 0, self.shape).astype(int)
        stop = np.clip(np.ceil(indices.max(0)) + 1, 0, self.shape).astype(int)
        if np.any(stop <= start):
            return None
        z, y, x = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
        return z, y, x

    def refined(self, box: Box, factors: tuple[int, int, int]) -> "Grid":
        """A box of this grid, each voxel cut into `factors` (z, y, x) equal parts."""
        scale = np.asarray(factors, float)
        affine = self.affine.copy()
        affine[:3, :3] = self.affine[:3, :3] / scale
        first = np.array([extent.start for extent in box]) - 0.5 + 0.5 / scale
        affine[:3, 3] = self.affine[:3, :3] @ first + self.affine[:3, 3]
        z, y, x = ((e.stop - e.start) * f for e, f in zip(box, factors, strict=True))
        return Grid((z, y, x), affine)

    def to_indices(self, points_lps_mm: ArrayLike) -> NDArray[np.float64]:
        """LPS millimetres (…, 3) to fractional indices (…, 3)."""
        points = np.asarray(points_lps_mm, float) - self.affine[:3, 3]
        return np.asarray(points @ np.linalg.inv(self.affine[:3, :3]).T)

    def to_lps(self, indices: ArrayLike) -> NDArray[np.float64]:
        """Indices (…, 3) to LPS millimetres (…, 3)."""
        return np.asarray(np.asarray(indices, float) @ self.affine[:3, :3].T + self.affine[:3, 3])


def mean_of_parts(fine: Float, factors: tuple[int, int, int], slab: float = 1.0) -> Float:
    """Average a refined array back onto the coarse grid: exact partial volume.

    `slab` < 1 averages only that central part along axis 0: slices thinner than their spacing.
    """
    z, y, x = (n // f for n, f in zip(fine.shape, factors, strict=True))
    blocks = fine.reshape(z, factors[0], y, factors[1], x, factors[2]).mean(
        axis=(3, 5), dtype=np.float32
    )
    edges = np.linspace(-0.5, 0.5, factors[0] + 1)
    inside = np.clip(edges[1:], -slab / 2, slab / 2) - np.clip(edges[:-1], -slab / 2, slab / 2)
    weights = (inside / inside.sum()).astype(np.float32)
    return np.asarray(np.einsum("zfyx,f->zyx", blocks, weights), np.float32)


def onto_parts(coarse: Float, factors: tuple[int, int, int]) -> Float:
    """Interpolate an array linearly onto the refined grid (values beyond the edge held)."""
    for axis, factor in enumerate(factors):
        n = coarse.shape[axis]
        place = np.clip((np.arange(n * factor) + 0.5) / factor - 0.5, 0, n - 1)
        low = np.minimum(place.astype(int), max(n - 2, 0))
        weight = (place - low).astype(np.float32)
        weight = weight.reshape([-1 if a == axis else 1 for a in range(3)])
        high = np.minimum(low + 1, n - 1)
        coarse = coarse.take(low, axis) * (1 - weight) + coarse.take(high, axis) * weight
    return coarse
