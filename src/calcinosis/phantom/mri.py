"""An MR series of a body: signal, slices, the shift of fat, bias of the coil, and noise."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.phantom.mri_tissue import FAT_MS, Float, MrBody
from calcinosis.volume import Volume

AGENT_R1 = 2.5  # 1/s that the dose usual adds where uptake is 1: 0.5 mM at 4 to 5 per s and mM
FULL_SCALE = 3000.0  # of the int16 values that the brightest part of an image is given
FAT_LEFT = 0.08  # of fat's signal, where it is suppressed


@dataclass(frozen=True)
class Sequence:
    """How a series is made: a spin echo, perhaps after an inversion, or a spoiled gradient echo.

    Attributes:
        repetition_ms, echo_ms, inversion_ms: inversion 0: none.
        flip_deg: of a gradient echo; 0: a spin echo.
        fat_suppressed: by a pulse.
        agent: after contrast agent.
    """

    name: str
    repetition_ms: float
    echo_ms: float
    inversion_ms: float = 0.0
    flip_deg: float = 0.0
    fat_suppressed: bool = False
    agent: bool = False


T1 = Sequence("T1", 600, 12)
T2 = Sequence("T2", 4000, 90)
T2_FS = Sequence("T2 fs", 4200, 80, fat_suppressed=True)
STIR = Sequence("STIR", 4500, 50, inversion_ms=165)
PD_FS = Sequence("PD fs", 3000, 35, fat_suppressed=True)
T1_AGENT = Sequence("T1 +C", 620, 12, agent=True)
T1_FS_AGENT = Sequence("T1 fs +C", 650, 12, fat_suppressed=True, agent=True)


@dataclass(frozen=True)
class Scan:
    """Where slices lie, and how good they are.

    Attributes:
        orientation: directions of rows and columns, LPS, as Image Orientation has them.
        centre_lps_mm: of the block of slices.
        pixels: rows and columns of a slice.
        thickness_mm: of a slice; `spacing_mm` is the distance between two.
        signal_to_noise: of the brightest twentieth of the body.
        bias: standard deviation of the logarithm of the coil's sensitivity.
        fat_shift_pixels: along rows.
    """

    orientation: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    centre_lps_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    slices: int = 20
    pixels: tuple[int, int] = (160, 160)
    pixel_mm: float = 1.0
    thickness_mm: float = 4.0
    spacing_mm: float = 4.4
    signal_to_noise: float = 40.0
    bias: float = 0.1
    fat_shift_pixels: float = 0.0
    patient_position: str = "HFS"
    moved_lps_mm: tuple[float, float, float] = field(default=(0.0, 0.0, 0.0))

    @property
    def affine(self) -> NDArray[np.float64]:
        """Of the slices, [slice, row, column] to LPS mm."""
        across, down = np.reshape(self.orientation, (2, 3))
        normal = np.cross(across, down)
        affine = np.eye(4)
        steps = (self.spacing_mm, self.pixel_mm, self.pixel_mm)
        for axis, way in enumerate((normal, down, across)):
            affine[:3, axis] = steps[axis] * way
        middle = (np.array([self.slices, *self.pixels]) - 1) / 2
        affine[:3, 3] = np.array(self.centre_lps_mm) - affine[:3, :3] @ middle
        return affine


def signals(body: MrBody, sequence: Sequence) -> tuple[Float, Float]:
    """What water and fat give, before the scanner."""
    fat_t1, fat_t2 = FAT_MS[body.field_t]
    agent = AGENT_R1 * sequence.agent
    water = body.water * _signal(sequence, body.r1 + agent * body.uptake, body.r2)
    fat = body.fat * float(_signal(sequence, np.float32(1000 / fat_t1), np.float32(1000 / fat_t2)))
    if sequence.fat_suppressed:
        fat = fat * FAT_LEFT
    return np.asarray(water, np.float32), np.asarray(fat, np.float32)


def _signal(sequence: Sequence, r1: Float | np.float32, r2: Float | np.float32) -> Float:
    """Of unit density, from rates in 1/s."""
    repetition, echo = sequence.repetition_ms / 1000, sequence.echo_ms / 1000
    recovery = np.exp(-repetition * r1)
    if sequence.flip_deg:
        flip = np.radians(sequence.flip_deg)
        upright = np.sin(flip) * (1 - recovery) / (1 - np.cos(flip) * recovery)
    elif sequence.inversion_ms:
        upright = np.abs(1 - 2 * np.exp(-sequence.inversion_ms / 1000 * r1) + recovery)
    else:
        upright = 1 - recovery
    return np.asarray(upright * np.exp(-echo * r2), np.float32)


def acquire(body: MrBody, sequence: Sequence, scan: Scan, rng: np.random.Generator) -> Volume:
    """The series a scanner makes of a body; magnitude, so that noise is Rician."""
    water, fat = signals(body, sequence)
    image = _slices(body, water, scan, 0.0) + _slices(body, fat, scan, scan.fat_shift_pixels)
    image *= np.exp(scan.bias * _smooth_field(image.shape, rng))
    lit = image[image > 0.02 * image.max()]
    bright = float(np.quantile(lit, 0.95)) if lit.size else 1.0
    noise = bright / scan.signal_to_noise
    real, imaginary = (rng.normal(0, noise, image.shape) for _ in range(2))
    magnitude = np.hypot(image + real, imaginary) * (FULL_SCALE / (2 * bright))
    voxels = np.clip(np.rint(magnitude), 0, 32767).astype(np.int16)
    return Volume(voxels, scan.affine, scan.patient_position, modality="MR")


def _slices(body: MrBody, signal: Float, scan: Scan, shift: float) -> Float:
    """The mean over each slice's thickness and pixel."""
    affine = scan.affine.copy()
    affine[:3, 3] += np.array(scan.moved_lps_mm) + shift * affine[:3, 2]
    finer = max(1, round(scan.thickness_mm / 1.5))
    sub = affine.copy()
    sub[:3, 0] *= scan.thickness_mm / scan.spacing_mm / finer
    parts = np.zeros((scan.slices, *scan.pixels), np.float32)
    step = np.linalg.norm(body.affine[:3, :3], axis=0)
    smooth = ndimage.gaussian_filter(signal, 0.4 * scan.pixel_mm / step)
    inverse = np.linalg.inv(body.affine)
    for part in range(finer):
        moved = affine.copy()
        moved[:3, 3] += sub[:3, 0] * (part - (finer - 1) / 2)
        onto = inverse @ moved
        parts += ndimage.affine_transform(
            smooth, onto[:3, :3], onto[:3, 3], output_shape=parts.shape, order=1
        )
    return np.asarray(parts / finer, np.float32)


def _smooth_field(shape: tuple[int, ...], rng: np.random.Generator) -> Float:
    """A field of standard deviation 1 that varies over about a third of the image."""
    coarse = rng.normal(0, 1, (4, 4, 4))
    size = np.array(shape)
    field_ = ndimage.zoom(coarse, np.maximum(size, 4) / 4, order=3)
    field_ = field_[: size[0], : size[1], : size[2]]
    return np.asarray((field_ - field_.mean()) / max(float(field_.std()), 1e-6), np.float32)
