"""What a scanner makes of a body: blur, correlated noise, metal streaks, whole Hounsfield units."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from calcinosis.phantom.grid import Float

KernelName = Literal["soft", "standard", "sharp"]
METAL_HU = 2800.0


@dataclass(frozen=True)
class Kernel:
    """A reconstruction kernel.

    Attributes:
        blur_mm: Gaussian standard deviation of the point spread in the slice.
        enhance: overshoot at edges (unsharp mask), 0 for none.
        noise_mm: width of the noise's grain.
        grain_out_mm: width of the coarse grain taken out of the noise (0 for none); it gives sharp
            kernels their fine, high-passed noise.
    """

    blur_mm: float
    enhance: float
    noise_mm: float
    grain_out_mm: float


# Point spreads of 0.9–1.6 mm full width in the slice: the range of clinical body kernels.
KERNELS: dict[KernelName, Kernel] = {
    "soft": Kernel(blur_mm=0.68, enhance=0.0, noise_mm=0.75, grain_out_mm=0.0),
    "standard": Kernel(blur_mm=0.52, enhance=0.0, noise_mm=0.5, grain_out_mm=2.5),
    "sharp": Kernel(blur_mm=0.38, enhance=0.35, noise_mm=0.25, grain_out_mm=0.9),
}


def blur(hu: Float, spacing_mm: NDArray[np.float64], thickness_mm: float, kernel: Kernel) -> Float:
    """Apply the point spread; slices thicker than their spacing overlap along axis 0."""
    overlap = max(thickness_mm**2 - float(spacing_mm[0]) ** 2, 0) / 12
    along = np.sqrt(overlap + 0.3**2)
    sigma = np.array([along, kernel.blur_mm, kernel.blur_mm]) / spacing_mm
    sharp = gaussian_filter(hu, sigma, mode="nearest", truncate=3)
    if kernel.enhance:
        wide = gaussian_filter(sharp, [0, *(1.2 / spacing_mm[1:])], mode="nearest", truncate=3)
        sharp = sharp + np.float32(kernel.enhance) * (sharp - wide)
    return np.asarray(sharp, np.float32)


def noise(
    shape: tuple[int, int, int],
    spacing_mm: NDArray[np.float64],
    thickness_mm: float,
    kernel: Kernel,
    rng: np.random.Generator,
) -> Float:
    """Correlated noise of unit standard deviation."""
    white = rng.standard_normal(shape, dtype=np.float32)
    along = 0.35 * max(thickness_mm / spacing_mm[0] - 0.6, 0)
    grain = kernel.noise_mm / spacing_mm[1:]
    field = gaussian_filter(white, [along, *grain], mode="wrap", truncate=3)
    if kernel.grain_out_mm:
        field -= gaussian_filter(field, [0, *(kernel.grain_out_mm / spacing_mm[1:])], mode="wrap")
    return np.asarray(field / field.std(), np.float32)


def streaks(metal: NDArray[np.bool_], pixel_mm: float, rng: np.random.Generator) -> Float:
    """Beam-hardening bands and starved rays around metal, slice by slice, in HU.

    The error of each ray grows with the square of the metal it crosses and, at random, with its
    exponent; back-projecting that error (at a quarter of the rays) draws the streaks.
    """
    from skimage.transform import iradon, radon, resize

    result = np.zeros(metal.shape, np.float32)
    side = 128
    angles = np.linspace(0, 180, 90, endpoint=False)
    n = max(metal.shape[1:])
    scale = n * pixel_mm / side
    for z in np.flatnonzero(metal.any(axis=(1, 2))):
        square = np.zeros((n, n), np.float32)
        square[: metal.shape[1], : metal.shape[2]] = metal[z]
        small = resize(square, (side, side), anti_aliasing=True, order=1)
        path_cm = radon(small, angles, circle=False) * scale / 10
        starved = rng.standard_normal(path_cm.shape) * np.expm1(np.minimum(0.55 * path_cm, 3))
        error = -1.1 * path_cm**2 + 0.5 * starved
        image = iradon(error, angles, output_size=side, circle=False, filter_name="hann")
        wide = resize(image.astype(np.float32), (n, n), order=1)
        result[z] = wide[: metal.shape[1], : metal.shape[2]] * (1000 / (0.19 * scale * 10)) * 0.1
    return np.clip(result, -700, 700)


def digitise(hu: Float) -> NDArray[np.int16]:
    """Whole Hounsfield units in the 12-bit range of most scanners."""
    return np.clip(np.rint(hu), -1024, 3071).astype(np.int16)
