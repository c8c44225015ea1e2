"""Drawing a planned mass on a grid finer than the scan, and counting its truth there."""

from dataclasses import dataclass, replace

import edt
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects
from scipy.spatial import ConvexHull

from calcinosis.phantom.filling import Cavity, fill, levels_of
from calcinosis.phantom.grid import Box, Float, Grid, mean_of_parts, onto_parts
from calcinosis.phantom.locules import CALCIFIED_HU, Partition
from calcinosis.phantom.masses import MassPlan, radius_mm
from calcinosis.phantom.shapes import Ellipsoid, as_point
from calcinosis.phantom.tissue import REACH_MM, refinement
from calcinosis.phantom.truth import ErosionTruth, LevelTruth, LoculeTruth, MassTruth

CLOSING_MM = 3.0  # the envelope's definition
SOFT_TISSUE_HU = 40.0
SKIN_GAP_MM = 2.5
SMALLEST_LOCULE_ML = 0.01


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Where a mass may grow: the scan's grid with distances to bone and skin (mm, inside < 0)."""

    grid: Grid
    bone_distance_mm: Float
    body_distance_mm: Float
    gravity_lps: NDArray[np.float64]


@dataclass(frozen=True)
class FirstIds:
    """The id of a mass, and the first ids of its locules and levels."""

    mass: int = 1
    locule: int = 1
    level: int = 1


@dataclass(frozen=True, eq=False)
class DrawnMass:
    """A mass on the scan's grid, within `box`.

    Attributes:
        box: where the arrays lie.
        fraction: part of each voxel the mass fills.
        attenuation_hu: mean attenuation of that part.
        envelope: at least half inside the envelope.
        locules: locule ids.
        levels: level ids.
        eroded_fraction: part of each voxel where bone was eaten away.
        truth: the figures.
    """

    box: Box
    fraction: Float
    attenuation_hu: Float
    envelope: NDArray[np.bool_]
    locules: NDArray[np.uint16]
    levels: NDArray[np.uint16]
    eroded_fraction: Float
    truth: MassTruth


@dataclass(frozen=True, eq=False)
class _Fine:
    """The mass on its own fine grid."""

    box: Box
    factors: tuple[int, int, int]
    grid: Grid
    partition: Partition
    bone_mm: Float
    material: NDArray[np.bool_]
    eroded: NDArray[np.bool_]
    eroded_depth_mm: float


@dataclass(frozen=True, eq=False)
class _Filling:
    """What the fine voxels hold; filled locule by locule."""

    hu: Float
    calcified: Float
    locule_ids: NDArray[np.uint16]
    level_ids: NDArray[np.uint16]
    locules: list[LoculeTruth]
    levels: list[LevelTruth]
    not_levels: list[LevelTruth]


def fit_volume(plan: MassPlan, around: Surroundings, pit: Ellipsoid | None) -> MassPlan:
    """Scale the locules until the envelope, less what bone and skin take, has its volume."""
    for _ in range(3):
        fine = _part(plan, around, pit, max(0.5, radius_mm(plan.volume_ml) / 12))
        if fine is None or not fine.material.any():
            return plan
        volume = float(_envelope(fine).sum()) * fine.grid.voxel_ml
        factor = float(np.clip((plan.volume_ml / max(volume, 1e-3)) ** (1 / 3), 0.6, 1.4))
        plan = replace(plan, locules=plan.locules.scaled(factor, plan.centre))
        if abs(factor - 1) < 0.01:
            break
    return plan


def draw_mass(
    plan: MassPlan,
    around: Surroundings,
    *,
    ids: FirstIds,
    pit: Ellipsoid | None = None,
    slab: float = 1.0,
) -> DrawnMass | None:
    """Draw and count; None when the mass lies outside the scan.

    Args:
        plan: what to draw.
        around: bone and skin it must respect.
        ids: the mass's id, and those its locules and levels count up from.
        pit: where it eats into bone.
        slab: slice thickness over slice spacing, at most 1.
    """
    step = float(np.clip(radius_mm(plan.volume_ml) / 50, 0.22, 0.62))
    fine = _part(plan, around, pit, step)
    if fine is None or not fine.material.any():
        return None
    filling = _fill(plan, fine, around.gravity_lps, ids)
    envelope = _envelope(fine)
    material = fine.material.astype(np.float32)
    fraction = mean_of_parts(material, fine.factors, slab)
    amount = mean_of_parts(material * filling.hu, fine.factors, slab)
    whole = mean_of_parts(envelope.astype(np.float32), fine.factors)
    return DrawnMass(
        box=fine.box,
        fraction=fraction,
        attenuation_hu=np.asarray(amount / np.maximum(fraction, 1e-6), np.float32),
        envelope=whole >= 0.5,
        locules=_sample(filling.locule_ids, fine.factors),
        levels=_largest(filling.level_ids, fine.factors),
        eroded_fraction=mean_of_parts(fine.eroded.astype(np.float32), fine.factors),
        truth=_figures(plan, fine, filling, envelope, ids.mass),
    )


def _part(
    plan: MassPlan, around: Surroundings, pit: Ellipsoid | None, step_mm: float
) -> _Fine | None:
    low, high = plan.locules.bounds()
    margin = plan.wall_mm + CLOSING_MM + 1.5
    box = around.grid.box(low - margin, high + margin)
    if box is None:
        return None
    factors = refinement(around.grid, step_mm)
    grid = around.grid.refined(box, factors)
    bone = onto_parts(around.bone_distance_mm[box], factors)
    skin = onto_parts(around.body_distance_mm[box], factors)
    eroded, depth = np.zeros(grid.shape, np.bool_), 0.0
    if pit is not None:
        hollow = pit.distance(*grid.coordinates())
        eroded = (bone < 0) & (hollow < 0)
        depth = float(-bone[eroded].min()) if eroded.any() else 0.0
        bone = np.maximum(bone, -hollow)
    keep_out = np.maximum(plan.gap_mm - bone, skin + SKIN_GAP_MM + plan.wall_mm)
    partition = plan.locules.partition(grid, keep_out, plan.wall_mm)
    free = (bone > 0) & (skin < -SKIN_GAP_MM)
    material = ((partition.outside_mm < plan.wall_mm) | eroded) & free
    return _Fine(box, factors, grid, partition, bone, material, eroded, depth)


def _envelope(fine: _Fine) -> NDArray[np.bool_]:
    """Closing with a ball, less bone."""
    anisotropy = tuple(float(s) for s in fine.grid.spacing_mm)
    grown = edt.edt(~fine.material, anisotropy=anisotropy) <= CLOSING_MM
    closed = edt.edt(grown, anisotropy=anisotropy) > CLOSING_MM
    return np.asarray((closed | fine.material) & (fine.bone_mm > 0))


def _fill(plan: MassPlan, fine: _Fine, gravity_lps: NDArray[np.float64], ids: FirstIds) -> _Filling:
    shape, part = fine.grid.shape, fine.partition
    septa = (part.outside_mm <= 0) & (part.depth_mm <= 0) & fine.material
    filling = _Filling(
        hu=np.where(septa, np.float32(plan.septum_hu), np.float32(plan.wall_hu)),
        calcified=septa * np.float32(plan.septum_hu > CALCIFIED_HU),
        locule_ids=np.zeros(shape, np.uint16),
        level_ids=np.zeros(shape, np.uint16),
        locules=[],
        levels=[],
        not_levels=[],
    )
    inside = (part.depth_mm > 0) & (part.outside_mm <= 0) & fine.material
    numbered = np.where(inside, part.locule + 1, 0)
    for index, box in enumerate(find_objects(numbered)):
        if box is None:
            continue
        cavity = Cavity(
            grid=fine.grid.refined(box, (1, 1, 1)),
            mask=numbered[box] == index + 1,
            depth_mm=part.depth_mm[box],
            content=plan.contents[index],
            gravity_lps=gravity_lps,
        )
        _fill_locule(plan, cavity, box, filling, ids)
    return filling


def _fill_locule(
    plan: MassPlan, cavity: Cavity, box: Box, filling: _Filling, ids: FirstIds
) -> None:
    mask, voxel_ml = cavity.mask, cavity.grid.voxel_ml
    if mask.sum() * voxel_ml < SMALLEST_LOCULE_ML:
        return
    locule_id = ids.locule + len(filling.locules)
    filled = fill(cavity, plan.mottling, plan.texture_hu)
    filling.hu[box][mask] = filled.hu[mask]
    filling.calcified[box][mask] = filled.calcified[mask]
    filling.locule_ids[box][mask] = locule_id
    filling.locules.append(
        LoculeTruth(
            id=locule_id,
            kind=cavity.content.kind,
            volume_ml=float(mask.sum()) * voxel_ml,
            centroid_lps_mm=as_point(cavity.grid.to_lps(np.argwhere(mask).mean(0))),
            mean_hu=float(filled.hu[mask].mean()),
        )
    )
    is_level = cavity.content.down is None
    levels = filling.levels if is_level else filling.not_levels
    first = ids.level + len(filling.levels) if is_level else 1 + len(levels)
    found, marks = levels_of(cavity, filled, first_id=first, locule_id=locule_id)
    levels.extend(found)
    if is_level:
        np.maximum(filling.level_ids[box], marks, out=filling.level_ids[box])


def _sample(ids: NDArray[np.uint16], factors: tuple[int, int, int]) -> NDArray[np.uint16]:
    """The id at the middle of every coarse voxel."""
    z, y, x = (f // 2 for f in factors)
    return np.ascontiguousarray(ids[z :: factors[0], y :: factors[1], x :: factors[2]])


def _largest(ids: NDArray[np.uint16], factors: tuple[int, int, int]) -> NDArray[np.uint16]:
    """The highest id within every coarse voxel: marks all that an interface passes through."""
    z, y, x = (n // f for n, f in zip(ids.shape, factors, strict=True))
    blocks = ids.reshape(z, factors[0], y, factors[1], x, factors[2])
    return np.asarray(blocks.max(axis=(1, 3, 5)))


def _figures(
    plan: MassPlan, fine: _Fine, filling: _Filling, envelope: NDArray[np.bool_], mass_id: int
) -> MassTruth:
    voxel_ml = fine.grid.voxel_ml
    hu = np.where(fine.material, filling.hu, np.float32(SOFT_TISSUE_HU))[envelope]
    bone = fine.bone_mm[envelope]
    gap = max(float(bone.min()), 0.0)
    eroded = np.argwhere(fine.eroded)
    erosion = None
    if len(eroded):
        erosion = ErosionTruth(
            bone="",
            depth_mm=fine.eroded_depth_mm,
            volume_ml=len(eroded) * voxel_ml,
            centroid_lps_mm=as_point(fine.grid.to_lps(eroded.mean(0))),
        )
    return MassTruth(
        id=mass_id,
        style=plan.style,
        texture=plan.texture,
        joint=None,
        side=None,
        centroid_lps_mm=as_point(fine.grid.to_lps(np.argwhere(envelope).mean(0))),
        volume_ml=float(envelope.sum()) * voxel_ml,
        calcified_volume_ml=float((filling.calcified * fine.material).sum()) * voxel_ml,
        excess_hu_ml=float((hu - SOFT_TISSUE_HU).sum()) * voxel_ml,
        max_diameter_mm=feret_mm(envelope, fine.grid),
        mean_hu=float(hu.mean()),
        bone=None,
        bone_distance_mm=None if gap >= REACH_MM - 0.5 else (gap if gap > 0.7 else 0.0),
        contact_mm2=float((bone < 1.0).sum()) * voxel_ml * 1000,
        locules=tuple(filling.locules),
        levels=tuple(filling.levels),
        not_levels=tuple(filling.not_levels),
        erosion=erosion,
    )


def feret_mm(mask: NDArray[np.bool_], grid: Grid) -> float:
    """Greatest distance between two points of a solid (its voxels' faces included)."""
    rows = np.argwhere(mask.any(axis=2))
    first = mask.argmax(axis=2)[tuple(rows.T)]
    last = mask.shape[2] - 1 - mask[:, :, ::-1].argmax(axis=2)[tuple(rows.T)]
    ends = np.vstack([np.column_stack([rows, first - 0.5]), np.column_stack([rows, last + 0.5])])
    points = grid.to_lps(ends)
    corners = points[ConvexHull(points, qhull_options="QJ").vertices]
    gaps = corners[:, None] - corners[None]
    return float(np.sqrt((gaps**2).sum(-1).max()))
