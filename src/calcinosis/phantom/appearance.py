"""Reading a real scan: where body and bone are, how it blurs, what its noise looks like."""

from dataclasses import dataclass

import cc3d
import edt
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import (
    binary_closing,
    binary_fill_holes,
    binary_opening,
    gaussian_filter,
    generate_binary_structure,
)
from scipy.signal import fftconvolve

from calcinosis.phantom.grid import Float

BODY_HU, BONE_HU, METAL_HU = -300.0, 170.0, 2000.0
SMALLEST_BODY_PART_ML, SMALLEST_BONE_ML = 300.0, 1.5
LARGEST_MARROW_MM2 = 2500.0
PATCH_MM = 14.0  # side of the squares in which noise is looked at, held within 6–16 voxels


def body_mask(hu: Float, voxel_ml: float) -> NDArray[np.bool_]:
    """Body without table and air, gas inside it included."""
    solid = hu > BODY_HU
    opened = binary_opening(solid, generate_binary_structure(3, 1))
    parts = cc3d.connected_components(opened, connectivity=6)
    sizes = cc3d.statistics(parts)["voxel_counts"] * voxel_ml
    keep = sizes >= min(SMALLEST_BODY_PART_ML, 0.5 * float(sizes[1:].max(initial=0)))
    keep[0] = False
    body = keep[parts]
    for layer in body:
        layer[:] = binary_fill_holes(layer)
    return np.asarray(body)


def bone_mask(hu: Float, spacing_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Dense parts of at least `SMALLEST_BONE_ML`, closed by 2 mm, marrow filled slice by slice."""
    voxel_ml = float(np.prod(spacing_mm)) / 1000
    dense = gaussian_filter(hu, 0.5 / spacing_mm, truncate=3) > BONE_HU
    parts = cc3d.connected_components(dense, connectivity=18)
    sizes = cc3d.statistics(parts)["voxel_counts"] * voxel_ml
    keep = sizes >= SMALLEST_BONE_ML
    keep[0] = False
    bone = keep[parts]
    ball = generate_binary_structure(2, 1)
    rounds = max(1, round(2 / float(spacing_mm[1])))
    limit = LARGEST_MARROW_MM2 / float(spacing_mm[1] * spacing_mm[2])
    for layer in bone:
        closed = binary_closing(layer, ball, iterations=rounds) | layer
        holes = cc3d.connected_components(binary_fill_holes(closed) & ~closed)
        areas = cc3d.statistics(holes)["voxel_counts"]
        small = areas <= limit
        small[0] = False
        layer[:] = closed | small[holes]
    return np.asarray(bone)


def signed_distance_mm(mask: NDArray[np.bool_], spacing_mm: NDArray[np.float64]) -> Float:
    """Distance to the mask's surface, negative inside."""
    anisotropy = tuple(float(s) for s in spacing_mm)
    half = float(spacing_mm.min()) / 2
    outside = edt.edt(~mask, anisotropy=anisotropy)
    inside = edt.edt(mask, anisotropy=anisotropy)
    signed = np.where(mask, half - inside, outside - half)
    return np.asarray(gaussian_filter(signed, 0.5), np.float32)


def blur_sigma_mm(hu: Float, spacing_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaussian width of the scan's point spread along z, y, x, from the sharpest skin edges.

    An edge of height H blurred by σ has the steepest slope H / (σ √(2π)). Sampling widens the
    slope measured between neighbouring voxels by a box one spacing wide, which is taken off.
    Where an axis shows too few edges, 0.35 of its spacing is assumed.
    """
    sigma = 0.35 * spacing_mm
    for axis in range(3):
        if hu.shape[axis] < 9:
            continue
        lines = np.moveaxis(hu, axis, -1)
        step = np.diff(lines, axis=-1)
        low, high = lines[..., :-6], lines[..., 6:]  # three voxels either side of the middle step
        middle = np.abs(step[..., 2:-3])
        edge = (np.minimum(low, high) < -850) & (np.abs(high - low) > 750) & (middle > 200)
        middle_is_peak = (middle >= np.abs(step[..., 1:-4])) & (middle >= np.abs(step[..., 3:-2]))
        found = edge & middle_is_peak
        if found.sum() < 200:
            continue
        slope = middle[found] / spacing_mm[axis] / np.abs(high - low)[found]
        width = 1 / (np.sqrt(2 * np.pi) * np.quantile(slope, 0.8))
        sigma[axis] = np.sqrt(max(width**2 - spacing_mm[axis] ** 2 / 12, 0.04))
    return np.asarray(np.clip(sigma, 0.2, 2.5))


@dataclass(frozen=True, eq=False)
class NoiseModel:
    """Stationary noise: a filter for white noise within the slice, and the link between slices.

    Attributes:
        sd_hu: standard deviation.
        kernel: convolved with unit white noise it gives the texture, unit variance.
        next_slice: correlation between neighbouring slices.
    """

    sd_hu: float
    kernel: Float
    next_slice: float

    def sample(self, shape: tuple[int, int, int], rng: np.random.Generator) -> Float:
        """A block of such noise, in HU."""
        white = rng.standard_normal((shape[0] + 2, *shape[1:]), dtype=np.float32)
        r = float(np.clip(self.next_slice, 0, 0.6))
        side = 0.5 * r / np.sqrt(1 - 0.5 * r * r) if r else 0.0
        mixed = white[1:-1] + np.float32(side) * (white[:-2] + white[2:])
        mixed /= np.float32(np.sqrt(1 + 2 * side**2))
        field = fftconvolve(mixed, self.kernel[None], mode="same", axes=(1, 2))
        return np.asarray(field * self.sd_hu, np.float32)


def noise_model(hu: Float, tissue: NDArray[np.bool_], pixel_mm: float) -> NoiseModel:
    """Noise of a scan from its flattest squares of soft tissue.

    Each square loses its fitted plane; those little noisier than the quiet tenth give standard
    deviation, autocovariance within the slice, and correlation with the slice above. The variance
    a fitted plane takes from correlated noise is given back. Where no square fits into the tissue
    the noise is taken as white, from differences of neighbours.
    """
    side = int(np.clip(round(PATCH_MM / pixel_mm), 6, 16))
    squares, above = _flattest_squares(hu, tissue, side)
    if not len(squares):
        pairs = np.diff(hu, axis=2)[tissue[..., 1:] & tissue[..., :-1]]
        sd = 1.4826 * float(np.median(np.abs(pairs))) / np.sqrt(2) if pairs.size else 0.0
        return NoiseModel(float(sd), np.ones((1, 1), np.float32), 0.0)
    variance = float((squares**2).mean())
    spectrum = np.abs(np.fft.fft2(squares, (2 * side, 2 * side))) ** 2
    lag = np.abs(np.arange(2 * side) - side) / side
    seen = np.maximum(1 - lag, 0.3)  # part of the square that a lag still overlaps
    taper = np.where(lag < 0.5, 1, np.maximum(np.cos(np.pi * (lag - 0.5)), 0)) / seen
    covariance = np.fft.fftshift(np.fft.ifft2(spectrum.mean(0)).real) * np.outer(taper, taper)
    correlation = covariance / max(float(covariance.max()), 1e-6)
    taken = 3 * 2 * float((correlation**2).sum()) / side**2  # three terms, one grain each
    sd_hu = float(np.sqrt(variance / (1 - min(taken, 0.5))))
    power = np.fft.fft2(np.fft.ifftshift(covariance)).real
    kernel = np.fft.fftshift(np.fft.ifft2(np.sqrt(np.maximum(power, 0))).real)
    kernel /= np.sqrt((kernel**2).sum()) + 1e-12
    link = float((squares * above).mean() / max(variance, 1e-6))
    return NoiseModel(sd_hu, kernel.astype(np.float32), link)


def _flattest_squares(
    hu: Float, tissue: NDArray[np.bool_], side: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Squares (n, side, side) less their planes, and those of the slices above."""
    windows, step = (side, side), max(1, side // 2)
    ys, xs = np.mgrid[:side, :side].reshape(2, -1)
    plane = np.column_stack([np.ones(side**2), ys, xs])
    flatten = np.eye(side**2) - plane @ np.linalg.pinv(plane)
    whole = sliding_window_view(tissue[:-1], windows, axis=(1, 2))[:, ::step, ::step].all((-1, -2))
    picked = [
        sliding_window_view(part, windows, axis=(1, 2))[:, ::step, ::step][whole]
        for part in (hu[:-1], hu[1:])
    ]
    if not len(picked[0]):
        return np.zeros((0, side, side)), np.zeros((0, side, side))
    found, over = (p.reshape(-1, side**2).astype(np.float64) @ flatten for p in picked)
    deviation = found.std(1)
    quiet = deviation <= 1.3 * np.quantile(deviation, 0.1)
    return found[quiet].reshape(-1, side, side), over[quiet].reshape(-1, side, side)
