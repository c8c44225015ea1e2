"""What masses are drawn into: real or phantom scans, or plain bodies; and how these vary."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from fields import GRID_MM, blur, distance_to, offsets
from torch.nn import functional

BLOCK = 64  # voxels of 1.5 mm
POROUS_SHARE = 0.2  # of the blocks hold bone that has lost its spongy part


@dataclass(frozen=True)
class Donor:
    """Arrays of one donor file."""

    hu: np.ndarray
    skeleton: np.ndarray
    ignore: np.ndarray
    occupied: np.ndarray
    noise_hu: float
    slice_blur_mm: float

    @staticmethod
    def read(path: Path) -> "Donor":
        """Load one donor file."""
        with np.load(path) as data:
            return Donor(
                *(data[name] for name in ("hu", "skeleton", "ignore", "occupied")),
                noise_hu=float(data["noise_hu"]),
                slice_blur_mm=float(data["slice_blur_mm"]),
            )


def plain_donor(rng: np.random.Generator) -> Donor:
    """A body as simple phantoms draw it: muscle, perhaps fat and skin, tubes and balls of bone."""
    shape = (BLOCK + 16,) * 3
    hu = np.full(shape, rng.uniform(35, 65), np.float32)
    along = offsets(shape, np.full(3, shape[0] / 2))
    if rng.random() < 0.6:
        side = int(rng.choice([1, 2]))
        depth = along[side] * rng.choice([-1, 1]) + 0 * hu
        skin, fat = rng.uniform(10, 45), rng.uniform(0, 15)
        hu[depth > skin - fat] = rng.uniform(-115, -80)
        hu[depth > skin] = -1000
    skeleton = np.zeros(shape, bool)
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.15, 0.4, 0.3, 0.15]))):
        course = rng.standard_normal(3) * [4, 1, 1]
        course /= np.linalg.norm(course)
        away = [a - rng.normal(0, 18) for a in along]
        run = sum(a * c for a, c in zip(away, course, strict=True))
        if rng.random() < 0.3:
            run = run * rng.uniform(0, 0.6)  # an ellipsoid: a bone's end
        off_axis = np.sqrt(sum((a - run * c) ** 2 for a, c in zip(away, course, strict=True)))
        depth = rng.uniform(4, 16) - off_axis
        bone = (depth > 0) & (hu > -500)
        cortex = rng.uniform(0.7, 4)
        hu[bone] = np.where(depth < cortex, rng.uniform(600, 1500), rng.uniform(-80, 300))[bone]
        skeleton |= bone
    hu = blur(hu, (rng.uniform(0.3, 0.7),) * 3)
    noise_hu = rng.uniform(3, 18)
    grain = blur(rng.standard_normal(shape), (0.5,) * 3)
    hu = hu + grain / grain.std() * noise_hu
    empty = np.zeros(shape, bool)
    return Donor(hu, skeleton, empty, empty, noise_hu=noise_hu, slice_blur_mm=rng.uniform(0, 1.3))


def augment(rng: np.random.Generator, hu: np.ndarray, skeleton: np.ndarray) -> np.ndarray:
    """Other scanners and other bones: density, blur, noise."""
    if rng.random() < 0.5:
        factor = rng.uniform(0.35, 1.15)
        dense = np.clip((hu - 100) / 100, 0, 1) * blur(skeleton.astype(np.float32), (0.7, 0.7, 0.7))
        hu = hu - dense * (1 - factor) * np.maximum(hu - 60, 0)
    if rng.random() < POROUS_SHARE:  # marrow of fat behind what is left of the cortex
        depth_mm = distance_to(~skeleton) * GRID_MM
        share = np.clip((depth_mm - rng.uniform(1.5, 5)) / 1.5, 0, 1) * rng.uniform(0.4, 1)
        hu = hu * (1 - share) + share * rng.uniform(-80, 20)
    return hu


def bent(rng: np.random.Generator, hu: np.ndarray, *masks: np.ndarray) -> list[np.ndarray]:
    """Another patient's proportions: the block turned, stretched, sheared and bent a little."""
    matrix = np.eye(3) + rng.normal(0, 0.07, (3, 3))
    affine = torch.from_numpy(np.c_[matrix, np.zeros(3)])[None].float()
    grid = functional.affine_grid(affine, (1, 1, *hu.shape), align_corners=False)
    bend = rng.normal(0, 0.035, (1, 3, 5, 5, 5)).astype(np.float32)
    bend = functional.interpolate(torch.from_numpy(bend), size=hu.shape, mode="trilinear")
    grid = grid + bend.permute(0, 2, 3, 4, 1)

    def sample(field: np.ndarray) -> np.ndarray:
        tensor = torch.from_numpy(field.astype(np.float32))[None, None]
        values = functional.grid_sample(tensor, grid, "bilinear", "reflection", align_corners=False)
        return values[0, 0].numpy()

    return [sample(hu), *(sample(mask) > 0.5 for mask in masks)]
