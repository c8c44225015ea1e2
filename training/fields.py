"""Arrays on a fine grid: noise, distances, blur, zoom, closing."""

import edt
import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional

GRID_MM = 1.5
FINE = 2  # masses are drawn on a grid this much finer
Shape = tuple[int, int, int]


def zoom(field: np.ndarray, shape: Shape) -> np.ndarray:
    """Trilinear enlargement."""
    tensor = torch.from_numpy(np.ascontiguousarray(field, dtype=np.float32))[None, None]
    return functional.interpolate(tensor, size=shape, mode="trilinear")[0, 0].numpy()


def smooth_noise(rng: np.random.Generator, shape: Shape, wavelength_mm: float) -> np.ndarray:
    """Band-limited noise, about unit variance, on the fine grid."""
    knots = [max(3, int(np.ceil(size * GRID_MM / FINE / wavelength_mm)) + 2) for size in shape]
    field = zoom(rng.standard_normal(knots), shape)
    return field / (field.std() + 1e-6)


def distance_to(mask: np.ndarray) -> np.ndarray:
    """Distance to the nearest voxel of a mask, in voxels; far away where there is none."""
    if not mask.any():
        return np.full(mask.shape, 999, np.float32)
    return edt.edt(~mask, parallel=1)


def offsets(shape: Shape, centre: np.ndarray) -> list[np.ndarray]:
    """Voxel distance from a centre along each axis, to be broadcast."""
    axes = np.ogrid[tuple(slice(0, size) for size in shape)]
    return [(axis - c).astype(np.float32) for axis, c in zip(axes, centre, strict=True)]


def blur(field: np.ndarray, sigma: tuple[float, float, float]) -> np.ndarray:
    """Separable Gaussian, sigma in voxels of the field."""
    return ndimage.gaussian_filter(field, sigma, truncate=3.0)


def pool(field: np.ndarray) -> np.ndarray:
    """Mean over FINE³ voxels."""
    z, y, x = (size // FINE for size in field.shape)
    return field.reshape(z, FINE, y, FINE, x, FINE).mean((1, 3, 5))


def close_ball(mask: np.ndarray, radius: float) -> np.ndarray:
    """Closing with a ball, the block's border taken as outside."""
    if not mask.any():
        return mask
    grown = distance_to(mask) <= radius
    return (distance_to(~np.pad(grown, 4, mode="edge"))[4:-4, 4:-4, 4:-4] > radius) | mask
