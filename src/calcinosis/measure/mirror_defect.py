"""What a bone has lost against the other side of the body.

Cortex is lost where the line through the expected surface is much darker here than there; paste as
dense as cortex hides that, but is brighter than marrow below it. The defect is what the bone lacks
there, and what differs from the other side.
"""

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from calcinosis.measure.bone_site import Site
from calcinosis.measure.bone_surface import (
    SurfacePoints,
    at_places,
    far_from,
    gradient_at,
    patches,
    surface_points,
)
from calcinosis.measure.closing import closed
from calcinosis.measure.distance import Spacing
from calcinosis.measure.gaussian import gaussian
from calcinosis.measure.mirror_side import MirrorSide
from calcinosis.measure.tissue import METAL_HU

Array = NDArray[np.float64]
Numbers = NDArray[np.int64]  # of surface points

_REACH_MM = 2.5  # the expected surface is looked at so close to the mass
_BLUR_MM = 0.8
_CORTEX_MIN_HU = 250.0  # the other side's; fainter cortex could not be missed
_OFFSETS_MM = np.arange(-3.0, 1.01, 0.5)  # outwards from the expected surface
# Cortex is lost below this share of the other side's, over an area that grows with the error of the
# fit. Of 32 intact contacts 31 had lost none and one 42 mm² with an error of 1.2 mm; of 31 pits of
# 3 mm and more 23 had lost 37 mm² or more, most with errors of 0.4–0.8 mm, eight up to 18 mm²
# (phantoms 100–123, 200–206, and masses drawn into both legs, shoulders and hips).
# Paste in marrow: intact up to 0.04 mL, and 0.16 mL with the error of 1.2 mm.
_LOST_SHARE = 0.7
_LOST_MM2_PER_MM, _LOST_DOUBT_MM2 = 40.0, 5.0
_FILLED_ML_PER_MM, _FILLED_DOUBT_ML = 0.2, 0.03
_PASTE_HU = 150.0  # brighter than the other side's marrow by so much
_MARROW_MM = 2.0  # deeper lies no cortex that the fit could have missed
_TOUCHING_MM = 1.0
_PATCH_GAP_MM = 2.0
_DIFFERENT_HU = 100.0
_TOLERANCE_MM = 0.25, 1.2  # how far surfaces that agree may be off, least and most
_SHALLOW_MM = 0.5
_SHEET_MM = 1.0  # half as thick as what cannot be told from either
_UNDER_MM, _DEEP_MAX_MM = 2.0, 15.0  # what lies under lost cortex: to its side, and below it
_GAP_MM = 3.0  # bone that is missing farther from the mass is another matter
_NEAR_MM = 8.0
_DEEPEST_PERCENT = 99


def defect_against(site: Site, side: MirrorSide, *, own_cut: bool) -> tuple[float, float] | None:
    """Depth (mm) and volume (mL) of the defect; zeros where the bone is whole; None: open.

    Args:
        site: mass and bone.
        side: the other side, laid over them.
        own_cut: what the bone lacks may have been cut off with the mass; so the attenuation has to
            show it too, or it lies straight under lost cortex.
    """
    near = site.crop(side.box)
    here, there = _smooth(near.hu, site), _smooth(side.hu, site)
    surface = surface_points(
        near.hu, side.expected_mm, near.to_mass_mm, site.spacing_mm, reach_mm=_NEAR_MM
    )
    close = surface.to_mass_mm < _REACH_MM
    usual_hu = _brightest(there, surface, site)
    cortex = usual_hu > _CORTEX_MIN_HU
    if not cortex[close].any() or (usual_hu[close] > METAL_HU).any():
        return None
    longest, voxel_mm3 = max(site.spacing_mm), float(np.prod(site.spacing_mm))
    faint = np.flatnonzero(cortex & (_brightest(here, surface, site) < _LOST_SHARE * usual_hu))
    gap_mm = max(_PATCH_GAP_MM, 1.01 * longest)
    lost = _largest(surface, faint[close[faint]], gap_mm)
    lost_mm2 = len(lost) * voxel_mm3 / longest
    paste = _filled_marrow(near, side, here, there)
    filled_ml = len(paste) * voxel_mm3 / 1000
    is_lost = lost_mm2 >= _LOST_MM2_PER_MM * side.error_mm
    is_filled = filled_ml >= _FILLED_ML_PER_MM * side.error_mm
    if is_lost and not own_cut:
        return _missing(near, side, surface[lost], surface[close])
    if is_lost or is_filled:
        opening = _grown(surface, lost, faint, gap_mm) if is_lost else lost[:0]
        if is_filled:
            _, above = cKDTree(surface.places).query(paste * np.asarray(site.spacing_mm))
            opening = np.union1d(opening, above)
        return _measured(near, side, surface[opening], here, there)
    whole = lost_mm2 < _LOST_DOUBT_MM2 and filled_ml < _FILLED_DOUBT_ML
    return (0.0, 0.0) if whole else None


def _largest(surface: SurfacePoints, some: Numbers, gap_mm: float) -> Numbers:
    """Of some points the most that hang together."""
    patch = patches(surface.places[some], gap_mm)
    return some[patch == np.bincount(patch).argmax()] if len(some) else some


def _grown(surface: SurfacePoints, lost: Numbers, faint: Numbers, gap_mm: float) -> Numbers:
    """Lost cortex with what is faint and hangs together with it, farther from the mass."""
    patch = patches(surface.places[faint], gap_mm)
    return faint[np.isin(patch, patch[np.isin(faint, lost)])]


def _filled_marrow(
    near: Site, side: MirrorSide, here: NDArray[np.float32], there: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Voxels (n, 3) under the cortex, hanging together from the mass, that marrow never fills."""
    below = np.argwhere((near.to_mass_mm < _GAP_MM) & (side.expected_mm < -_MARROW_MM))
    bright = below[_excess_hu(below, side, here, there, near.spacing_mm) > _PASTE_HU]
    hole = np.zeros(near.bone.shape, dtype=bool)
    hole[tuple(bright.T)] = True
    parts = cc3d.connected_components(hole, connectivity=18)[tuple(bright.T)]
    if not parts.any():
        return bright
    at_mass = np.unique(parts[near.to_mass_mm[tuple(bright.T)] < _TOUCHING_MM])
    sizes = np.bincount(parts)
    largest = max(at_mass, key=lambda part: sizes[part], default=0)
    return np.asarray(bright[parts == largest])


def _smooth(hu: NDArray[np.int16] | NDArray[np.float32], site: Site) -> NDArray[np.float32]:
    sigma = _BLUR_MM / np.asarray(site.spacing_mm)
    return gaussian(hu.astype(np.float32), sigma)


def _brightest(hu: NDArray[np.float32], surface: SurfacePoints, site: Site) -> Array:
    """The brightest HU on a short line through each point, most of it into the bone."""
    line = surface.places[:, None] + surface.normals[:, None] * _OFFSETS_MM[:, None]
    values = at_places(hu, line.reshape(-1, 3), site.spacing_mm)
    return np.asarray(values.reshape(line.shape[:2]).max(axis=1))


def _missing(
    near: Site, side: MirrorSide, patch: SurfacePoints, surface: SurfacePoints
) -> tuple[float, float]:
    """Depth and volume of what the bone lacks around lost cortex, its skeleton being true."""
    spacing = np.asarray(near.spacing_mm)
    hole = ~near.bone & (near.to_mass_mm < _NEAR_MM) & (side.expected_mm < -_SHALLOW_MM)
    voxels = np.argwhere(hole)
    parts = cc3d.connected_components(hole, connectivity=6)[hole]
    at_patch = ~far_from(voxels * spacing, patch.places, _UNDER_MM)
    if not at_patch.any():
        return 0.0, 0.0
    gone = voxels[parts == np.bincount(parts[at_patch]).argmax()] * spacing
    opening = surface.places[~far_from(surface.places, gone, 1.5 * max(near.spacing_mm))]
    if len(opening) == 0:
        return 0.0, 0.0
    depth_mm, _ = cKDTree(opening).query(gone)
    volume_ml = len(gone) * float(np.prod(spacing)) / 1000
    return float(np.percentile(depth_mm, _DEEPEST_PERCENT)), volume_ml


def _measured(
    near: Site,
    side: MirrorSide,
    patch: SurfacePoints,
    here: NDArray[np.float32],
    there: NDArray[np.float32],
) -> tuple[float, float]:
    """Depth and volume of what hangs together under lost cortex."""
    spacing = np.asarray(near.spacing_mm)
    below = np.argwhere((near.to_mass_mm < _NEAR_MM) & (side.expected_mm < -_SHALLOW_MM))
    _, nearest = cKDTree(patch.places).query(below * spacing)
    offset = below * spacing - patch.places[nearest]
    depth_mm = -(offset * patch.normals[nearest]).sum(axis=1)
    aside_mm = np.linalg.norm(offset + patch.normals[nearest] * depth_mm[:, None], axis=1)
    under = (depth_mm > 0) & (depth_mm < _DEEP_MAX_MM) & (aside_mm < _UNDER_MM)
    below, depth_mm = below[under], depth_mm[under]
    at = tuple(below.T)
    gone = ~near.bone[at] & (near.to_mass_mm[at] < _GAP_MM)
    gone |= np.abs(_excess_hu(below, side, here, there, near.spacing_mm)) > _DIFFERENT_HU
    hole = np.zeros(near.bone.shape, dtype=bool)
    hole[tuple(below[gone].T)] = True
    if not hole.any():
        return 0.0, 0.0
    parts = cc3d.connected_components(_bridged(hole, near.spacing_mm), connectivity=18)[at]
    largest = parts == np.bincount(parts[parts > 0]).argmax()
    depth = float(np.percentile(depth_mm[largest], _DEEPEST_PERCENT))
    return depth, float(np.count_nonzero(largest) * np.prod(spacing) / 1000)


def _bridged(hole: NDArray[np.bool_], spacing_mm: Spacing) -> NDArray[np.bool_]:
    """With the sheet inside the cortex, where paste looks like cortex running into marrow."""
    reach = [int(_SHEET_MM / step) + 2 for step in spacing_mm]
    padded = np.pad(hole, [(margin, margin) for margin in reach])
    inner = tuple(slice(margin, -margin) for margin in reach)
    return closed(padded, _SHEET_MM, spacing_mm)[inner] | hole


def _excess_hu(
    voxels: NDArray[np.int64],
    side: MirrorSide,
    here: NDArray[np.float32],
    there: NDArray[np.float32],
    spacing_mm: Spacing,
) -> Array:
    """By how much voxels are brighter, or darker, than all that the other side shows in its error.

    The error of the fit lies across the expected surface.
    """
    spacing = np.asarray(spacing_mm)
    smooth = gaussian(side.expected_mm, 1.0 / spacing)
    normals = gradient_at(smooth, voxels, spacing)
    normals /= np.maximum(np.linalg.norm(normals, axis=1), 0.1)[:, None]
    reach = float(np.clip(side.error_mm, *_TOLERANCE_MM))
    least, most = np.full(len(voxels), np.inf), np.full(len(voxels), -np.inf)
    for step in np.linspace(-reach, reach, 5):
        values = at_places(there, voxels * spacing + normals * step, spacing_mm)
        np.minimum(least, values, out=least)
        np.maximum(most, values, out=most)
    seen = here[tuple(voxels.T)]
    return np.asarray(seen - np.clip(seen, least, most))
