"""A body on a grid before it is scanned: soft tissue and bone, each with its partial volume."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calcinosis.phantom.anatomy import Anatomy, Bone
from calcinosis.phantom.grid import Box, Float, Grid, mean_of_parts
from calcinosis.phantom.shapes import Shape, Waves, coverage, smooth_union

AIR_HU, FAT_HU, MUSCLE_HU, SKIN_HU = -1000.0, -100.0, 55.0, 20.0
SKIN_MM = 1.6
REACH_MM = 8.0  # bone distances are exact up to here, held beyond


@dataclass(frozen=True, eq=False)
class Tissue:
    """What fills every voxel. Arrays [z, y, x] on `grid`; painting changes them in place.

    Attributes:
        soft_hu: attenuation of all that is not bone.
        bone_fraction: part of the voxel that is bone.
        bone_hu: attenuation of that part.
        bone_distance_mm: signed distance to bone, negative inside, held at `REACH_MM` outside.
        bone_index: which of `bones` is nearest (1…n), 0 beyond `REACH_MM`.
        body_distance_mm: signed distance to the skin, negative inside.
    """

    grid: Grid
    bones: tuple[Bone, ...]
    soft_hu: Float
    bone_fraction: Float
    bone_hu: Float
    bone_distance_mm: Float
    bone_index: NDArray[np.uint8]
    body_distance_mm: Float

    def attenuation_hu(self) -> Float:
        """Mixed attenuation of soft tissue and bone."""
        return np.asarray(
            self.soft_hu + self.bone_fraction * (self.bone_hu - self.soft_hu), np.float32
        )

    def paint(self, shape: Shape, hu: float, *, over_bone: bool = False) -> float:
        """Fill a shape with one attenuation; returns the painted volume in mL."""
        low, high = shape.bounds()
        margin = self.grid.spacing_mm.max()
        box = self.grid.box(low - margin, high + margin)
        if box is None:
            return 0.0
        factors = refinement(self.grid, 0.45 if np.max(high - low) < 60 else 0.9)
        inside = shape.distance(*self.grid.refined(box, factors).coordinates()) < 0
        part = mean_of_parts(inside.astype(np.float32), factors)
        if over_bone:
            self.bone_fraction[box] *= 1 - part
        else:
            part = part * (1 - self.bone_fraction[box])
        self.soft_hu[box] += part * (hu - self.soft_hu[box])
        return float(part.sum()) * self.grid.voxel_ml


def refinement(grid: Grid, step_mm: float) -> tuple[int, int, int]:
    """How many parts per voxel along z, y, x keep sampling at `step_mm` or finer."""
    z, y, x = (max(1, int(np.ceil(s / step_mm - 0.05))) for s in grid.spacing_mm)
    return z, y, x


def fill_body(
    anatomy: Anatomy,
    grid: Grid,
    *,
    bone_density: float,
    bulges: tuple[Shape, ...],
    rng: np.random.Generator,
) -> Tissue:
    """Paint skin, fat, muscle, organs and bones.

    Args:
        anatomy: the shapes.
        grid: where to sample them.
        bone_density: 1 for a healthy adult, 0.4 in severe osteoporosis.
        bulges: swellings that lift the skin (a large mass beneath it).
        rng: decides textures.
    """
    xyz = grid.coordinates()
    solids = [shape.distance(*xyz) for shape in anatomy.body]
    body = smooth_union(solids, anatomy.body_blend_mm)
    if bulges:
        body = smooth_union([body, *(shape.distance(*xyz) for shape in bulges)], 30.0)
    body = np.ascontiguousarray(np.broadcast_to(body, grid.shape))
    width = float(np.sqrt(np.mean(grid.spacing_mm**2)))
    soft = _soft_tissue(body, anatomy.fat_mm, grid, width, rng)
    tissue = Tissue(
        grid=grid,
        bones=anatomy.bones,
        soft_hu=soft,
        bone_fraction=np.zeros(grid.shape, np.float32),
        bone_hu=np.zeros(grid.shape, np.float32),
        bone_distance_mm=np.full(grid.shape, REACH_MM, np.float32),
        bone_index=np.zeros(grid.shape, np.uint8),
        body_distance_mm=body,
    )
    for organ in anatomy.organs:
        low, high = organ.shape.bounds()
        box = grid.box(low - 3, high + 3)
        if box is not None:
            part = coverage(organ.shape.distance(*grid.coordinates(box)), width)
            soft[box] += part * (organ.hu - soft[box])
    for index, bone in enumerate(anatomy.bones, start=1):
        _add_bone(tissue, index, bone, bone_density, Waves.random(rng, 5.0))
    return tissue


def _soft_tissue(
    body: Float, fat_mm: float, grid: Grid, width: float, rng: np.random.Generator
) -> Float:
    """Skin over fat over muscles parted by fat planes; muscles run along the body."""
    xyz = grid.coordinates()
    soft = np.full(grid.shape, AIR_HU, np.float32)
    soft += coverage(body, width) * (SKIN_HU - AIR_HU)
    soft += coverage(body + SKIN_MM, width) * (FAT_HU - SKIN_HU)
    planes = np.full(grid.shape, np.float32(50))
    for wavelength in (70.0, 45.0):
        waves = Waves.random(rng, wavelength)
        waves = replace(waves, vectors=waves.vectors * np.array([1, 1, 0.35], np.float32))
        planes = np.minimum(planes, np.abs(waves(*xyz)) * np.float32(wavelength / 6.3))
    fascia = body + np.float32(fat_mm) + 4 * Waves.random(rng, 90.0)(*xyz)
    thickness = rng.uniform(0.3, 1.3)
    muscle = coverage(fascia, width) * (1 - coverage(planes - np.float32(thickness), width))
    hu = MUSCLE_HU + 6 * Waves.random(rng, 25.0)(*xyz) - FAT_HU
    soft += muscle * hu
    return soft


def _add_bone(tissue: Tissue, index: int, bone: Bone, density: float, texture: Waves) -> None:
    low, high = bone.bounds()
    box = tissue.grid.box(low - REACH_MM, high + REACH_MM)
    if box is None:
        return
    xyz = tissue.grid.coordinates(box)
    distance, cortex_mm, inside_hu = _blend_parts(bone, xyz)
    cortex_mm = cortex_mm * np.float32(0.45 + 0.55 * density)
    inside_hu = np.float32(-40) + (inside_hu + 40) * np.float32(density)
    inside_hu = inside_hu + texture(*xyz) * np.float32(0.18) * np.maximum(inside_hu, 0)
    width = float(np.sqrt(np.mean(tissue.grid.spacing_mm**2)))
    outer, inner = coverage(distance, width), coverage(distance + cortex_mm, width)
    cortex_hu = bone.cortex_hu * (0.55 + 0.45 * density)
    hu = cortex_hu + inner * (inside_hu - cortex_hu) / np.maximum(outer, 1e-3)
    _merge_bone(tissue, box, index, distance, outer, np.clip(hu, -100, 1800))


def _blend_parts(bone: Bone, xyz: tuple[Float, Float, Float]) -> tuple[Float, Float, Float]:
    """Distance, cortical thickness and inner attenuation, blended between the bone's parts."""
    distances = [part.shape.distance(*xyz) for part in bone.parts]
    distance = smooth_union(distances, bone.blend_mm)
    if len(distances) == 1:
        only = bone.parts[0]
        return distance, np.float32(only.cortex_mm), np.float32(only.inside_hu)  # type: ignore[return-value]
    total = np.float32(1e-12)
    cortex, inside = np.float32(0), np.float32(0)
    for part, d in zip(bone.parts, distances, strict=True):
        weight = np.exp(np.clip((distance - d) / np.float32(3), -30, 0))
        total = total + weight
        cortex = cortex + weight * np.float32(part.cortex_mm)
        inside = inside + weight * np.float32(part.inside_hu)
    return distance, cortex / total, inside / total  # type: ignore[return-value]


def _merge_bone(
    tissue: Tissue, box: Box, index: int, distance: Float, fraction: Float, hu: Float
) -> None:
    old = tissue.bone_fraction[box]
    total = np.minimum(old + fraction, 1)
    mixed = old * tissue.bone_hu[box] + fraction * hu
    tissue.bone_hu[box] = mixed / np.maximum(old + fraction, 1e-6)
    tissue.bone_fraction[box] = total
    nearer = distance < tissue.bone_distance_mm[box]
    tissue.bone_index[box][nearer] = index
    np.minimum(tissue.bone_distance_mm[box], distance, out=tissue.bone_distance_mm[box])
