"""Radiographs computed from CT: the beam through the body, scatter, blur, noise and the plate.

Hounsfield units become attenuation at each energy of a spectrum; a ray's intensity is the mean
over the spectrum of exp(-path). Rays are parallel; the shadow is enlarged as a whole.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter

from calcinosis.phantom.appearance import METAL_HU, body_mask
from calcinosis.phantom.grid import Float
from calcinosis.volume import Volume

Beam = Literal["front", "side"]  # through the body front to back, or from side to side
# Right and down on the film, in LPS: the patient's left is on the viewer's right; the front of the
# patient is on the left of a view from the side. Down is towards the feet.
_RIGHT: dict[Beam, tuple[float, float, float]] = {"front": (1, 0, 0), "side": (0, 1, 0)}
_THROUGH: dict[Beam, tuple[float, float, float]] = {"front": (0, 1, 0), "side": (1, 0, 0)}
_DOWN = (0.0, 0.0, -1.0)

# Attenuation at 40, 50, 60 and 80 keV: of water, 1/cm, and of what a voxel of 1000 HU has beyond
# water where it is mineral. Mass attenuation of water and of cortical bone (ICRU-44, 1.92 g/cm³)
# from Hubbell & Seltzer, doi:10.18434/T4D01F; CT at 120 kV is taken as 70 keV, where bone has
# 1600 HU by the same tables.
ENERGIES_KEV = (40, 50, 60, 80)
WATER_PER_CM = (0.2683, 0.2269, 0.2059, 0.1837)
MINERAL_PER_CM = (0.630, 0.367, 0.249, 0.152)
# Share of the photons of each: a tube at about 80 kV behind 3 mm of aluminium. Ours, by the look of
# published spectra; the shape of the picture hardly depends on it.
SPECTRUM = (0.30, 0.35, 0.25, 0.10)
SOFT_HU = 100.0  # above it the excess is taken for mineral, below it for soft tissue
SCATTER_REACH_MM = 60.0  # width of the veil that scatter lays over the picture


@dataclass(frozen=True)
class Exposure:
    """How a film is taken; the defaults are an ordinary one with a grid.

    Attributes:
        beam: its way through the body.
        pixel_mm: of the plate.
        magnification: of the shadow on the plate.
        quanta: photons that an unattenuated pixel catches.
        scatter: scattered to direct photons, on average.
        blur_mm: standard deviation of focal spot and plate.
        logarithmic: pixels follow the logarithm of the exposure, else the exposure.
        emphasis: share of structures finer than 15 mm that is added once more.
    """

    beam: Beam = "front"
    pixel_mm: float = 0.3
    magnification: float = 1.0
    quanta: float = 60_000.0
    scatter: float = 0.4
    blur_mm: float = 0.15
    logarithmic: bool = True
    emphasis: float = 0.0


@dataclass(frozen=True, eq=False)
class Film:
    """A radiograph: dense is bright, as MONOCHROME2 shows it.

    Attributes:
        pixels: 12-bit values [row, column].
        pixel_mm: on the plate.
        magnification: of the shadow.
    """

    pixels: NDArray[np.uint16]
    pixel_mm: float
    magnification: float


def expose(volume: Volume, exposure: Exposure, rng: np.random.Generator) -> Film:
    """Take a radiograph of a scanned body; the table is left out."""
    direct = np.zeros(_film_shape(volume, exposure), np.float32)
    soft_cm, mineral_cm = paths_cm(volume, exposure)
    for share, water, mineral in zip(SPECTRUM, WATER_PER_CM, MINERAL_PER_CM, strict=True):
        direct += np.float32(share) * np.exp(-water * soft_cm - mineral * mineral_cm)
    blurred = gaussian_filter(direct, exposure.blur_mm / exposure.pixel_mm)
    veil = gaussian_filter(direct, SCATTER_REACH_MM / exposure.pixel_mm, mode="nearest", truncate=2)
    quanta = exposure.quanta * (blurred + exposure.scatter * veil)
    caught = np.maximum(rng.poisson(quanta), 1).astype(np.float32)
    dark = np.log(caught) if exposure.logarithmic else caught
    if exposure.emphasis:
        coarse = gaussian_filter(dark, 15.0 / exposure.pixel_mm, truncate=2)
        dark = dark + np.float32(exposure.emphasis) * (dark - coarse)
    low, high = np.quantile(dark, (0.001, 0.999))
    bright = (high - dark) / max(float(high - low), 1e-6)
    pixels = np.clip(np.rint(200 + 3600 * bright), 0, 4095).astype(np.uint16)
    return Film(pixels, exposure.pixel_mm, exposure.magnification)


def shadow(volume: Volume, mask: NDArray[np.bool_], exposure: Exposure) -> NDArray[np.bool_]:
    """Where a mask [z, y, x] of the volume falls on the film."""
    through = _axis(volume, _THROUGH[exposure.beam])
    thrown = _on_film(volume, np.asarray(mask.any(axis=through), np.float32), exposure)
    return np.asarray(thrown >= 0.5)


def depth_mm(volume: Volume, mask: NDArray[np.bool_], exposure: Exposure) -> Float:
    """How much of a mask each ray crosses, on the film."""
    through = _axis(volume, _THROUGH[exposure.beam])
    length = np.asarray(mask.sum(axis=through) * volume.spacing_mm[through], dtype=np.float32)
    return _on_film(volume, length, exposure)


def down_on_film(volume: Volume, exposure: Exposure) -> tuple[float, float] | None:
    """Where gravity points on the film, as (row, column); None where it runs along the beam."""
    gravity = volume.gravity_lps
    row, column = float(gravity @ _DOWN), float(gravity @ _RIGHT[exposure.beam])
    return (row, column) if np.hypot(row, column) > 0.9 else None


def paths_cm(volume: Volume, exposure: Exposure) -> tuple[Float, Float]:
    """Centimetres of water, and of a voxel of 1000 HU of mineral, that each ray crosses."""
    hu = volume.voxels.astype(np.float32)
    hu[~body_mask(hu, volume.voxel_volume_ml)] = -1000
    through = _axis(volume, _THROUGH[exposure.beam])
    step_cm = volume.spacing_mm[through] / 10
    mineral = np.clip(hu - SOFT_HU, 0, METAL_HU) / 1000
    soft = np.maximum(1 + np.minimum(hu, SOFT_HU) / 1000, 0)
    soft_cm, mineral_cm = (
        _on_film(volume, np.asarray(np.sum(part, axis=through) * step_cm, np.float32), exposure)
        for part in (soft, mineral)
    )
    return soft_cm, mineral_cm


def _axis(volume: Volume, direction: tuple[float, float, float]) -> int:
    """The array axis that runs along an LPS direction, one way or the other."""
    return int(np.abs(volume.affine[:3, :3].T @ np.asarray(direction)).argmax())


def _film_axes(volume: Volume, exposure: Exposure) -> tuple[int, int]:
    return _axis(volume, _DOWN), _axis(volume, _RIGHT[exposure.beam])


def _film_shape(volume: Volume, exposure: Exposure) -> tuple[int, int]:
    down, right = _film_axes(volume, exposure)
    enlarged = exposure.magnification / exposure.pixel_mm
    rows, columns = (
        int(volume.shape[axis] * volume.spacing_mm[axis] * enlarged) for axis in (down, right)
    )
    return rows, columns


def _on_film(volume: Volume, picture: Float, exposure: Exposure) -> Float:
    """A sum along the beam, turned and enlarged onto the plate's pixels."""
    down, right = _film_axes(volume, exposure)
    if down > right:
        picture = picture.T
    for axis, (along, way) in enumerate(((down, _DOWN), (right, _RIGHT[exposure.beam]))):
        if volume.affine[:3, along] @ np.asarray(way) < 0:
            picture = np.flip(picture, axis)
    enlarged = exposure.magnification / exposure.pixel_mm
    steps = [1 / (volume.spacing_mm[axis] * enlarged) for axis in (down, right)]
    starts = [step / 2 - 0.5 for step in steps]  # pixel centres of both grids
    thrown = affine_transform(
        picture, steps, starts, output_shape=_film_shape(volume, exposure), order=1, mode="nearest"
    )
    return np.asarray(thrown, np.float32)
