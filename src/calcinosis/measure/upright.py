"""A mass stood upright: resampled so that axis 0 points down."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.measure.masks import bounds, places, rim, widened
from calcinosis.volume import Volume

DOWN_STEP_MM = 0.5
ACROSS_STEP_MM = 1.0
MARGIN_MM = 6.0


@dataclass(frozen=True, eq=False)
class Upright:
    """The neighbourhood of a mass resampled so that axis 0 points down (HU, float32).

    `voxel_across_mm` is how far the scan's own voxels reach across gravity, at most.
    """

    hu: NDArray[np.float32]
    inside: NDArray[np.bool_]
    origin_lps: NDArray[np.float64]
    axes_lps: NDArray[np.float64]  # columns: down, across, across
    noise_hu: float
    voxel_across_mm: float

    def to_lps(self, point_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Millimetres along (down, across, across) to LPS."""
        return np.asarray(self.origin_lps + self.axes_lps @ point_mm, dtype=np.float64)


def stand_upright(volume: Volume, envelope: NDArray[np.bool_]) -> Upright:
    """Resample the surroundings of the envelope with axis 0 along gravity."""
    axes = _upright_axes(volume)
    shell = places(rim(envelope))
    placed = volume.to_lps(shell) @ axes
    low, high = placed.min(axis=0) - MARGIN_MM, placed.max(axis=0) + MARGIN_MM
    across = 0.5 if min(volume.spacing_mm) < 0.75 else ACROSS_STEP_MM
    steps = np.array([DOWN_STEP_MM, across, across])
    shape = tuple(int(n) for n in np.ceil((high - low) / steps).astype(int) + 1)
    to_index = np.linalg.inv(volume.affine[:3, :3])
    start = to_index @ (axes @ low - volume.affine[:3, 3])
    matrix = to_index @ axes * steps
    hu = _sample(volume.voxels, start, matrix, shape)
    inside = _sample_nearest(envelope, start, matrix, shape)
    noise = noise_hu(volume.voxels, envelope)
    sigma_mm = 0.6 if noise < 14 else 0.8 if noise < 26 else 1.0
    for axis in (1, 2):
        hu = ndimage.gaussian_filter1d(hu, sigma_mm / across, axis=axis, mode="nearest")
    thin = round(ACROSS_STEP_MM / across)
    return Upright(
        hu[:, ::thin, ::thin],
        inside[:, ::thin, ::thin],
        axes @ low,
        axes,
        noise,
        _voxel_across_mm(volume),
    )


def _voxel_across_mm(volume: Volume) -> float:
    """The longest edge of a voxel as seen from above."""
    edges_mm = volume.affine[:3, :3]
    fallen = np.outer(volume.gravity_lps, volume.gravity_lps @ edges_mm)
    return float(np.linalg.norm(edges_mm - fallen, axis=0).max())


def _upright_axes(volume: Volume) -> NDArray[np.float64]:
    """Orthonormal columns in LPS: down, and two across, the first near an array axis."""
    down = volume.gravity_lps
    directions = (volume.affine[:3, :3] / np.linalg.norm(volume.affine[:3, :3], axis=0)).T
    flattest = directions[np.argmin(np.abs(directions @ down))]
    across = flattest - (flattest @ down) * down
    across /= np.linalg.norm(across)
    return np.stack([down, across, np.cross(down, across)], axis=1)


def noise_hu(voxels: NDArray[np.int16], envelope: NDArray[np.bool_]) -> float:
    """Noise (standard deviation) in the soft tissue around the mass.

    Differences of voxels three apart in the image plane, where kernels no longer correlate them.
    """
    box = widened(bounds(envelope), [10, 10, 10])
    around = voxels[box].astype(np.float32)
    first, second = around[:, :, :-3], around[:, :, 3:]
    soft = (np.abs(first) < 150) & (np.abs(second) < 150)
    if np.count_nonzero(soft) < 100:
        return 20.0
    return float(np.median(np.abs(first - second)[soft]) / 0.6745 / np.sqrt(2))


@njit(cache=True)
def _sample(voxels, start, matrix, shape):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Trilinear samples at start + matrix @ (i, j, k); the edge voxel continues outside."""
    out = np.empty(shape, dtype=np.float32)
    nz, ny, nx = voxels.shape
    for i in range(shape[0]):
        for j in range(shape[1]):
            for k in range(shape[2]):
                z = start[0] + matrix[0, 0] * i + matrix[0, 1] * j + matrix[0, 2] * k
                y = start[1] + matrix[1, 0] * i + matrix[1, 1] * j + matrix[1, 2] * k
                x = start[2] + matrix[2, 0] * i + matrix[2, 1] * j + matrix[2, 2] * k
                z, y, x = (
                    min(max(z, 0.0), nz - 1.0),
                    min(max(y, 0.0), ny - 1.0),
                    min(max(x, 0.0), nx - 1.0),
                )
                z0, y0, x0 = int(z), int(y), int(x)
                z1, y1, x1 = min(z0 + 1, nz - 1), min(y0 + 1, ny - 1), min(x0 + 1, nx - 1)
                fz, fy, fx = z - z0, y - y0, x - x0
                near = (voxels[z0, y0, x0] * (1 - fx) + voxels[z0, y0, x1] * fx) * (1 - fy) + (
                    voxels[z0, y1, x0] * (1 - fx) + voxels[z0, y1, x1] * fx
                ) * fy
                far = (voxels[z1, y0, x0] * (1 - fx) + voxels[z1, y0, x1] * fx) * (1 - fy) + (
                    voxels[z1, y1, x0] * (1 - fx) + voxels[z1, y1, x1] * fx
                ) * fy
                out[i, j, k] = near * (1 - fz) + far * fz
    return out


@njit(cache=True)
def _sample_nearest(mask, start, matrix, shape):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The mask at the voxel nearest to start + matrix @ (i, j, k); False outside."""
    out = np.zeros(shape, dtype=np.bool_)
    nz, ny, nx = mask.shape
    for i in range(shape[0]):
        for j in range(shape[1]):
            for k in range(shape[2]):
                z = round(start[0] + matrix[0, 0] * i + matrix[0, 1] * j + matrix[0, 2] * k)
                y = round(start[1] + matrix[1, 0] * i + matrix[1, 1] * j + matrix[1, 2] * k)
                x = round(start[2] + matrix[2, 0] * i + matrix[2, 1] * j + matrix[2, 2] * k)
                if 0 <= z < nz and 0 <= y < ny and 0 <= x < nx:
                    out[i, j, k] = mask[z, y, x]
    return out
