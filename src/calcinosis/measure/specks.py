"""Densities outside skeleton and masses, sought on the working grid and described on the scan."""

from dataclasses import dataclass
from itertools import product

import cc3d
import numpy as np
from numpy.typing import NDArray

from calcinosis.measure.distance import distance_within
from calcinosis.measure.masks import bounds, grown, places, rim
from calcinosis.measure.mass import Patch, Point
from calcinosis.measure.masses import principal_axes
from calcinosis.measure.tissue import METAL_HU
from calcinosis.measure.working_grid import GRID_MM, Box, WorkingGrid
from calcinosis.volume import Volume

SKIN_REACH_MM = 50.0  # deeper than this is far from the skin
_SEED_HU, _EDGE_HU = 220, 140  # hysteresis on the 1.5 mm grid; three times its noise above blood
_AIR_HU = -300.0
_SMALLEST_ML = 0.01
_FILLED = 0.5  # of a voxel
_BONE_GAP_MM = 2.5
_BONE_PIECE_MM3 = 2000.0  # smaller ones are looked at: granulomas of 0.5–1.5 mL are among them
_CORE_VOXELS = 10  # inside the rim, to tell how even a density is
_AROUND = 4  # working voxels looked at around a speck


@dataclass(frozen=True, eq=False)
class Speck:
    """What is known of one density on the way to its kind. Lengths mm, attenuation HU.

    Attributes:
        volume_ml: voxels at its edge count by the share they fill.
        centre_lps_mm: mean place.
        peak_hu: brightest voxel.
        unevenness: standard deviation inside the blurred rim, as a share of the mean; infinite
            where it is too thin.
        surroundings_hu: median of the soft tissue around.
        air_share: of what touches it, 0…1.
        length_mm: long extent, four standard deviations; width and thickness likewise.
        width_mm: second extent.
        axis_lps: unit vector along its length.
        skin_mm: depth, infinite beyond `SKIN_REACH_MM`.
        bone_score: what the network gives it as bone in the mean, 0…255.
        section_cm2: of the part of the body that holds it, in the axial plane; infinite where that
            part reaches the side of the picture.
        cut_off: it reaches the side of the picture itself.
        where: its voxels, the blurred rim among them.
        filled: those of them that it fills by half or more; about as many as its volume counts.
    """

    volume_ml: float
    centre_lps_mm: Point
    peak_hu: float
    unevenness: float
    surroundings_hu: float
    air_share: float
    length_mm: float
    width_mm: float
    axis_lps: Point
    skin_mm: float
    bone_score: float
    section_cm2: float
    cut_off: bool
    where: Patch
    filled: Patch


@dataclass(frozen=True, eq=False)
class _Part:
    """One density: its working voxels [n, 3]."""

    places: NDArray[np.int64]

    @property
    def box(self) -> Box:
        """The smallest that holds it."""
        low, high = self.places.min(0).tolist(), (self.places.max(0) + 1).tolist()
        z, y, x = map(slice, low, high)
        return z, y, x

    def within(self, box: Box) -> NDArray[np.bool_]:
        """Its voxels in a box that holds it."""
        inside = np.zeros([extent.stop - extent.start for extent in box], bool)
        inside[tuple((self.places - [extent.start for extent in box]).T)] = True
        return inside


def find_specks(
    volume: Volume,
    grid: WorkingGrid,
    body: NDArray[np.bool_],
    skeleton: NDArray[np.uint8],
    masses: NDArray[np.bool_],
) -> list[Speck]:
    """Densities of at least 0.01 mL in the body, outside skeleton and masses.

    Args:
        volume: the scan.
        grid: its 1.5 mm version.
        body: the patient on that grid.
        skeleton: network scores for bone on that grid, 0…255.
        masses: voxels of the working grid taken by masses.
    """
    parts = _free_densities(grid, body, _skeleton_core(grid, skeleton), masses)
    skin_mm = distance_within(body[::2, ::2, ::2], SKIN_REACH_MM, (2 * GRID_MM,) * 3)
    specks = [_describe(volume, grid, part, body, skin_mm, skeleton) for part in parts]
    return [speck for speck in specks if speck.volume_ml >= _SMALLEST_ML]


def _free_densities(
    grid: WorkingGrid,
    body: NDArray[np.bool_],
    bone: NDArray[np.bool_],
    masses: NDArray[np.bool_],
) -> list[_Part]:
    """What is dense and free on the working grid."""
    candidates = grid.hu > _EDGE_HU
    candidates &= body
    candidates[masses] = False
    candidates[bone] = False
    around = bounds(candidates)
    labels = cc3d.connected_components(candidates[around], connectivity=26)
    found = places(candidates[around])
    flat = labels[tuple(found.T)]
    if not len(found):
        return []
    found += [extent.start for extent in around]
    voxels = np.bincount(flat)
    peak = np.full(len(voxels), -np.inf)
    np.maximum.at(peak, flat, grid.hu[tuple(found.T)])
    near_bone = np.bincount(flat, _beside(bone, found)) / np.maximum(voxels, 1)
    kept = (peak > _SEED_HU) & (voxels >= 3) & ((near_bone < 0.5) | (peak > METAL_HU))
    order = np.argsort(flat, kind="stable")
    starts = np.cumsum(voxels)[:-1]
    return [_Part(found[own]) for number, own in enumerate(np.split(order, starts)) if kept[number]]


def _beside(bone: NDArray[np.bool_], spots: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of some voxels [n, 3] have bone within the gap."""
    reach = int(_BONE_GAP_MM / GRID_MM)
    offsets = np.array(list(product(range(-reach, reach + 1), repeat=3)))
    result = np.zeros(len(spots), bool)
    for offset in offsets[np.linalg.norm(offsets, axis=1) * GRID_MM <= _BONE_GAP_MM]:
        result |= bone[tuple(np.clip(spots + offset, 0, np.array(bone.shape) - 1).T)]
    return result


def _skeleton_core(grid: WorkingGrid, scores: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The skeleton without specks that the network took for bone: parts of at least 2 mL."""
    bone = scores > 100
    bone &= grid.hu < METAL_HU
    box = bounds(bone)
    bone[box] = cc3d.dust(bone[box], int(_BONE_PIECE_MM3 / GRID_MM**3), connectivity=26)
    return bone


def _describe(
    volume: Volume,
    grid: WorkingGrid,
    part: _Part,
    body: NDArray[np.bool_],
    skin_mm: NDArray[np.float32],
    skeleton: NDArray[np.uint8],
) -> Speck:
    """Measure one speck: its form on the working grid, its volume on the scan's own voxels."""
    own = part.places
    around = grid.grow(part.box, _AROUND)
    hu, inside = grid.hu[around], part.within(around)
    core = hu[inside & ~rim(inside)]
    thick = core.size >= _CORE_VOXELS
    uneven = core.std() / max(core.mean(), 1) if thick else np.inf
    surroundings_hu = _soft_tissue_hu(hu)
    touching = grown(inside, 2) & ~inside
    (length_mm, width_mm, _), axes = principal_axes(own)
    axis = volume.to_lps(axes[0] * grid.step) - volume.to_lps(np.zeros(3))
    x, y, z = (axis / np.linalg.norm(axis)).tolist()
    full_hu = float(np.median(core)) if thick else None
    volume_ml, peak_hu, where, filled = _on_scan(
        volume, grid, part, max(surroundings_hu, 0.0), full_hu
    )
    low, high = own.min(0)[1:], own.max(0)[1:]
    return Speck(
        volume_ml=volume_ml,
        centre_lps_mm=volume.point_lps(own.mean(0) * grid.step),
        peak_hu=peak_hu,
        unevenness=float(uneven),
        surroundings_hu=surroundings_hu,
        air_share=float((hu[touching] < _AIR_HU).mean()) if touching.any() else 0.0,
        length_mm=float(length_mm),
        width_mm=float(width_mm),
        axis_lps=(x, y, z),
        skin_mm=float(skin_mm[tuple(own.T // 2)].min()),
        bone_score=float(skeleton[tuple(own.T)].mean()),
        section_cm2=_section_cm2(body, own[len(own) // 2]),
        cut_off=bool((low == 0).any() or (high == np.array(grid.hu.shape[1:]) - 1).any()),
        where=where,
        filled=filled,
    )


def _soft_tissue_hu(hu: NDArray[np.int16]) -> float:
    """The median of what is neither dense nor air; 0 without any."""
    soft = hu[(hu < _EDGE_HU) & (hu > _AIR_HU)]
    return float(np.median(soft)) if soft.size else 0.0


def _section_cm2(body: NDArray[np.bool_], place: NDArray[np.int64]) -> float:
    """The axial section through the part of the body around a working voxel."""
    parts = cc3d.connected_components(body[place[0]])
    part = parts == parts[place[1], place[2]]
    if part[0].any() or part[-1].any() or part[:, 0].any() or part[:, -1].any():
        return float("inf")
    return float(np.count_nonzero(part) * GRID_MM**2 / 100)


def _on_scan(
    volume: Volume,
    grid: WorkingGrid,
    part: _Part,
    background_hu: float,
    full_hu: float | None,
) -> tuple[float, float, Patch, Patch]:
    """Volume in mL, brightest voxel, the voxels of a speck on the scan's own grid and those filled.

    A voxel of `full_hu` is filled; of a thin speck that is nearly its brightest voxel.
    """
    box = part.box
    native = grid.native_box(box, volume.shape)
    hu = volume.voxels[native].astype(np.float32)
    start = box[0].start, box[1].start, box[2].start
    member = grid.to_native(part.within(box).astype(np.float32), native, start) > 0.2
    values = hu[member] if member.any() else hu.ravel()
    full_hu = full_hu or float(np.percentile(values, 98))
    share = np.clip((hu - background_hu) / max(full_hu - background_hu, 1), 0, 1)
    volume_ml = float(share[member].sum() * volume.voxel_volume_ml)
    filled = Patch(native, member & (share >= _FILLED))
    return volume_ml, float(values.max()), Patch(native, member), filled
