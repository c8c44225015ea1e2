"""Extraskeletal densities that are no mass: vessel wall, phlebolith, granuloma, metal, contrast."""

from dataclasses import dataclass
from itertools import product

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.measure.distance import distance_within
from calcinosis.measure.mass import CalcificationKind, OtherCalcification, Patch
from calcinosis.measure.masses import (
    TUBE_ELONGATION,
    TUBE_WIDTH_MM,
    Labels,
    principal_extents_mm,
)
from calcinosis.measure.tissue import METAL_HU
from calcinosis.measure.working_grid import GRID_MM, Box, WorkingGrid
from calcinosis.volume import Volume

_SEED_HU, _EDGE_HU = 220, 140  # hysteresis on the 1.5 mm grid; three times its noise above blood
_SMALLEST_ML = 0.01
_BONE_GAP_MM = 2.5
_LARGEST_PHLEBOLITH_MM = 11.0  # named parameter; pelvic phleboliths are mostly 2–5 mm
_SUBCUTANEOUS_MM = 50.0  # farther from the skin nothing is called so
_SUBCUTANEOUS_HU = -30.0  # surroundings darker than this are fat
_EVEN_HU = 0.18  # relative spread of attenuation inside opacified blood, bowel or urine
_OPAQUE_LIMIT_HU = 500.0


@dataclass(frozen=True)
class _Speck:
    """What is known of one density on the way to its kind. Lengths mm, attenuation HU."""

    volume_ml: float
    peak_hu: float
    mean_hu: float
    spread_hu: float
    surroundings_hu: float
    length_mm: float
    width_mm: float
    skin_mm: float
    neighbours_in_line: int
    where: Patch


def other_calcifications(
    volume: Volume,
    grid: WorkingGrid,
    body: NDArray[np.bool_],
    skeleton: NDArray[np.uint8],
    masses: NDArray[np.bool_],
) -> list[tuple[OtherCalcification, Patch]]:
    """Densities outside skeleton and masses, largest first, each with its kind and its place.

    Args:
        volume: the scan.
        grid: its 1.5 mm version.
        body: the patient on that grid.
        skeleton: network scores for bone on that grid, 0…255.
        masses: voxels of the working grid taken by masses.
    """
    labels = _specks(grid, body, _skeleton_core(grid, skeleton), masses)
    boxes = ndimage.find_objects(labels)
    skin = distance_within(body[::2, ::2, ::2], _SUBCUTANEOUS_MM, (2 * GRID_MM,) * 3)
    centres = np.array([_centre(labels, box, index) for index, box in enumerate(boxes)])
    result = []
    for index, box in enumerate(boxes):
        inside = labels[box] == index + 1
        speck = _describe(volume, grid, box, inside, skin, _in_line(centres, index))
        if speck.volume_ml >= _SMALLEST_ML:
            x, y, z = (float(v) for v in volume.to_lps(centres[index] * grid.step))
            kind = _kind(speck)
            found = OtherCalcification(kind, speck.volume_ml, (x, y, z))
            result.append((found, speck.where))
    return sorted(result, key=lambda item: -item[0].volume_ml)


def _specks(
    grid: WorkingGrid,
    body: NDArray[np.bool_],
    bone: NDArray[np.bool_],
    masses: NDArray[np.bool_],
) -> Labels:
    """Label map of free densities on the working grid."""
    candidates = grid.hu > _EDGE_HU
    candidates &= body
    candidates[masses] = False
    candidates[bone] = False
    labels = np.zeros(candidates.shape, np.uint32)
    for box in ndimage.find_objects(candidates.view(np.uint8)):
        labels[box] = cc3d.connected_components(candidates[box], connectivity=26)
    places = np.argwhere(candidates)
    del candidates  # its memory is needed
    if not len(places):
        return labels
    flat = labels[tuple(places.T)]
    voxels = np.bincount(flat)
    peak = np.full(len(voxels), -np.inf)
    np.maximum.at(peak, flat, grid.hu[tuple(places.T)])
    near_bone = np.bincount(flat, _beside(bone, places)) / np.maximum(voxels, 1)
    kept = (peak > _SEED_HU) & (voxels >= 3) & ((near_bone < 0.5) | (peak > METAL_HU))
    labels[tuple(places.T)] = np.where(kept, np.cumsum(kept), 0)[flat]
    return labels


def _beside(bone: NDArray[np.bool_], places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the places [n, 3] have bone within the gap."""
    reach = int(_BONE_GAP_MM / GRID_MM)
    offsets = np.array(list(product(range(-reach, reach + 1), repeat=3)))
    result = np.zeros(len(places), bool)
    for offset in offsets[np.linalg.norm(offsets, axis=1) * GRID_MM <= _BONE_GAP_MM]:
        result |= bone[tuple(np.clip(places + offset, 0, np.array(bone.shape) - 1).T)]
    return result


def _centre(labels: Labels, box: Box, index: int) -> NDArray[np.float64]:
    """Mean place of a speck, in working voxels."""
    inside = np.argwhere(labels[box] == index + 1)
    return np.asarray(inside.mean(0) + [extent.start for extent in box])


def _skeleton_core(grid: WorkingGrid, scores: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The skeleton without specks that the network took for bone: parts of at least 0.5 mL."""
    bone = scores > 100
    bone &= grid.hu < METAL_HU
    for box in ndimage.find_objects(bone.view(np.uint8)):
        bone[box] = cc3d.dust(bone[box], int(500 / GRID_MM**3), connectivity=26)
    return bone


def _in_line(centres: NDArray[np.float64], index: int) -> int:
    """Other specks within 40 mm that lie on a common line with this one (a vessel's course)."""
    offsets = np.delete(centres, index, axis=0) - centres[index]
    reach = np.linalg.norm(offsets, axis=1) * GRID_MM
    near = offsets[(reach > 0) & (reach < 40)]
    if len(near) < 2:
        return 0
    near /= np.linalg.norm(near, axis=1)[:, None]
    aligned = np.abs(near @ near.T) > 0.94
    return int(aligned.sum(1).max() - 1)


def _describe(
    volume: Volume,
    grid: WorkingGrid,
    box: Box,
    inside: NDArray[np.bool_],
    skin_mm: NDArray[np.float32],
    neighbours_in_line: int,
) -> _Speck:
    """Measure one speck on the scan's own voxels."""
    native = grid.native_box(box, volume.shape)
    hu = volume.voxels[native].astype(np.float32)
    member = grid.to_native(inside.astype(np.float32), _shifted(native, box, grid)) > 0.2
    values = hu[member] if member.any() else hu.ravel()
    peak = float(np.percentile(values, 98))
    wide = tuple(slice(max(0, e.start - 4), e.stop + 4) for e in box)
    shell = grid.hu[wide]
    soft = shell[(shell < _EDGE_HU) & (shell > -300)]
    surroundings = float(np.median(soft)) if soft.size else 0.0
    share = np.clip((hu - max(surroundings, 0)) / max(peak - max(surroundings, 0), 1), 0, 1)
    length_mm, width_mm, _ = principal_extents_mm(np.argwhere(inside))
    return _Speck(
        volume_ml=float(share[member].sum() * volume.voxel_volume_ml),
        peak_hu=float(hu.max()),
        mean_hu=float(values.mean()),
        spread_hu=float(values.std()),
        surroundings_hu=surroundings,
        length_mm=float(length_mm),
        width_mm=float(width_mm),
        skin_mm=float(skin_mm[tuple((np.argwhere(inside) + [e.start for e in box]).T // 2)].min()),
        neighbours_in_line=neighbours_in_line,
        where=Patch(native, member),
    )


def _shifted(native: Box, box: Box, grid: WorkingGrid) -> Box:
    """A native box expressed from the working box's own origin."""
    z, y, x = (
        slice(extent.start - round(working.start * step), extent.stop - round(working.start * step))
        for extent, working, step in zip(native, box, grid.step, strict=True)
    )
    return z, y, x


def _kind(speck: _Speck) -> CalcificationKind:  # noqa: PLR0911 - one rule a line
    """The first rule that holds."""
    if speck.peak_hu > METAL_HU:
        return "metal"
    even = speck.spread_hu < _EVEN_HU * speck.mean_hu
    if speck.volume_ml > 1.0 and even and speck.peak_hu < _OPAQUE_LIMIT_HU:
        return "contrast"
    beneath_skin = speck.skin_mm < _SUBCUTANEOUS_MM
    elongation = speck.length_mm / max(speck.width_mm, GRID_MM)
    if elongation > TUBE_ELONGATION and speck.width_mm < TUBE_WIDTH_MM:
        return "contrast" if even and speck.peak_hu < _OPAQUE_LIMIT_HU else "vascular"
    if speck.neighbours_in_line >= 2 and speck.width_mm < 12:
        return "vascular"
    if speck.surroundings_hu < _SUBCUTANEOUS_HU and beneath_skin and speck.length_mm < 30:
        return "granuloma" if speck.length_mm > 4 else "unclassified"
    if speck.length_mm < _LARGEST_PHLEBOLITH_MM and elongation < 1.8:
        return "phlebolith"
    return "unclassified"
