"""How a mass lies to bone: distance, contact, and the defect it has pressed or eaten into cortex.

A natural hollow keeps a dense line of cortex towards the mass; an eroded bone has lost it. Where
the line is lost, the expected surface is the bone's own smooth continuation: what surrounds the
loss is bridged (`bone_surface`). What the bone lacks below the bridge is the defect.
"""

from dataclasses import dataclass

import edt
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from calcinosis.measure.bone_surface import (
    Bridge,
    SurfacePoints,
    continuation,
    far_from,
    surface_points,
)
from calcinosis.measure.mass import BoneRelation
from calcinosis.volume import Volume

NEAR_MM = 25.0  # bone this far around the mass shapes the expected surface
CONTACT_GAP_MM = 1.0  # envelope and bone closer than this touch
SPARE_MM = 2.5  # surface this close to the mass may be eroded
AROUND_MM = 15.0  # the cortex up to here tells how dense the bone's cortex is
CORTEX_MIN_HU = 250.0  # a surface fainter than this shows no cortex that could be lost
# Of the median around, intact contacts keep ≥ 0.55 in 98 % of their points, and pits of ≥ 2.7 mm
# fall below 0.2 somewhere: 18 phantoms, seeds 100–117 of benchmarks/erosion.py.
LOST_SHARE = 0.45
LOST_AREA_MIN_MM2 = 6.0
FAINT_AROUND_MAX = 0.25  # where so much of the cortex around is faint too, it tells nothing
BESIDE_MM = 3.0  # surface this close to the loss may be the wall of the defect
FAR_MM = 12.0  # so may covered surface this close to it
GAP_MM = 3.0  # an envelope may stop this far above the floor of the defect
EROSION_MIN_MM = 2.0  # shallower defects are within the spread of the method (docs/accuracy.md)
SURFACE_POINTS = 400
SURFACE_POINTS_MIN = 40
DEEPEST_PERCENT = 99  # depth: this share of the surface that lost its cortex is shallower
SHALLOW_MM = 0.5  # volume: shallower is surface roughness
COARSE_MM = 2.0
HOLE_MAX_CM2 = 25.0
FAR_POINTS = 20_000


@dataclass(frozen=True, eq=False)
class _Site:
    """Crop around a mass: masks on the native grid and signed distances in mm."""

    spacing_mm: tuple[float, float, float]
    hu: NDArray[np.int16]
    mass: NDArray[np.bool_]
    bone: NDArray[np.bool_]  # filled: marrow belongs to it
    to_mass_mm: NDArray[np.float32]
    to_bone_mm: NDArray[np.float32]


def relate_to_bone(
    volume: Volume, envelope: NDArray[np.bool_], skeleton: NDArray[np.bool_]
) -> BoneRelation:
    """Distance and contact to the nearest bone, and erosion of the cortex facing the mass.

    Args:
        volume: CT in HU.
        envelope: the mass, on the same grid [z, y, x], apart from the skeleton.
        skeleton: bone on the same grid; marrow may or may not be filled.

    Returns:
        `nearest` is left None: the skeleton mask carries no names. `distance_mm` is None without
        any bone in the image. Erosion is judged only where mass and bone touch; it is None where
        too little surface surrounds the contact, or its cortex is too faint to be missed.
    """
    if not envelope.any() or not skeleton.any():
        return BoneRelation(None, None, 0.0, None, None, None)
    box = _box_around(envelope, volume.spacing_mm, NEAR_MM)
    if not skeleton[box].any():
        surface = np.argwhere(envelope & ~ndimage.binary_erosion(envelope))
        return apart(distance_far_mm(volume, surface, skeleton))
    bone = _filled(skeleton[box], envelope[box], volume.spacing_mm)
    mass = envelope[box] & ~bone
    distance = _gap_mm(mass, bone, volume.spacing_mm)
    if distance >= CONTACT_GAP_MM + max(volume.spacing_mm):
        return apart(distance)
    site = _site(volume.crop(box), mass, bone)
    contact = _contact_mm2(site)
    return apart(distance) if contact == 0.0 else _in_contact(site, distance, contact)


def apart(distance_mm: float) -> BoneRelation:
    """A mass that touches no bone."""
    return BoneRelation(None, distance_mm, 0.0, 0.0, 0.0, eroded=False)


def _in_contact(site: _Site, distance_mm: float, contact_mm2: float) -> BoneRelation:
    """A mass that touches bone, and what the bone lacks there."""
    defect = _defect(site)
    if defect is None:
        return BoneRelation(None, distance_mm, contact_mm2, None, None, None)
    depth, volume_ml = defect
    return BoneRelation(
        nearest=None,
        distance_mm=distance_mm,
        contact_mm2=contact_mm2,
        erosion_depth_mm=depth,
        erosion_volume_ml=volume_ml,
        eroded=depth >= EROSION_MIN_MM,
        expected_surface="smooth continuation of the same bone where its cortex is lost"
        if depth
        else "the bone's own cortex, unbroken under the contact",
    )


def _box_around(
    mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float], margin_mm: float
) -> tuple[slice, slice, slice]:
    """The bounding box of a mask, grown by a margin."""
    z, y, x = (
        slice(
            max(0, int(extent.start - np.ceil(margin_mm / step))),
            int(extent.stop + np.ceil(margin_mm / step)),
        )
        for extent, step in zip(
            ndimage.find_objects(mask.astype(np.uint8))[0], spacing_mm, strict=True
        )
    )
    return z, y, x


def _gap_mm(
    mass: NDArray[np.bool_], bone: NDArray[np.bool_], spacing_mm: tuple[float, float, float]
) -> float:
    """Distance between the surfaces of mass and bone; 0 where voxels touch."""
    if (mass & ndimage.binary_dilation(bone)).any():
        return 0.0
    to_bone_mm = edt.edt(~bone, anisotropy=spacing_mm, parallel=1)[mass]
    half = np.float32(np.mean(spacing_mm) / 2)
    return max(0.0, float((to_bone_mm - half).min()))


def _signed_distance_mm(
    mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float]
) -> NDArray[np.float32]:
    """Distance to the surface of a mask between voxels: negative inside."""
    half = np.float32(np.mean(spacing_mm) / 2)
    signed: NDArray[np.float32] = edt.edt(~mask, anisotropy=spacing_mm, parallel=1) - half
    (box,) = ndimage.find_objects(mask.view(np.uint8))
    inner = tuple(slice(max(0, e.start - 1), e.stop + 1) for e in box)
    inside = edt.edt(np.ascontiguousarray(mask[inner]), anisotropy=spacing_mm, parallel=1)
    np.copyto(signed[inner], half - inside, where=mask[inner])
    return signed


def _site(volume: Volume, mass: NDArray[np.bool_], bone: NDArray[np.bool_]) -> _Site:
    """Distances around a mass and the filled bone beside it."""
    spacing_mm = volume.spacing_mm
    return _Site(
        spacing_mm,
        volume.voxels,
        mass,
        bone,
        _signed_distance_mm(mass, spacing_mm),
        _signed_distance_mm(bone, spacing_mm),
    )


def _filled(
    skeleton: NDArray[np.bool_],
    mass: NDArray[np.bool_],
    spacing_mm: tuple[float, float, float],
) -> NDArray[np.bool_]:
    """Bone with its marrow, slice by slice; a cortical gap under the mass is held shut by it."""
    solid = skeleton.copy()
    largest = HOLE_MAX_CM2 * 100 / (spacing_mm[1] * spacing_mm[2])
    for bone, lump in zip(solid, mass, strict=True):
        if not bone.any():
            continue
        both = bone | lump
        holes, _ = ndimage.label(~both)
        outside = np.concatenate([holes[0], holes[-1], holes[:, 0], holes[:, -1]])
        for hole, extent in enumerate(ndimage.find_objects(holes), start=1):
            if hole in outside:
                continue
            window = tuple(slice(e.start - 1, e.stop + 1) for e in extent)
            member = holes[window] == hole
            rim = ndimage.binary_dilation(member) & ~member
            mostly_bone = np.count_nonzero(bone[window] & rim) > 0.5 * np.count_nonzero(rim)
            if mostly_bone and np.count_nonzero(member) < largest:
                np.putmask(bone[window], member, values=True)
    return np.asarray(solid & ~(mass & ~skeleton), dtype=np.bool_)


def distance_far_mm(
    volume: Volume, surface: NDArray[np.int64], skeleton: NDArray[np.bool_]
) -> float:
    """Distance between a mass's surface voxels (n, 3) and bone, when none is near (± a voxel)."""
    near = volume.to_lps(surface[:: max(1, len(surface) // FAR_POINTS)])
    bone = np.flatnonzero(skeleton)
    bone = bone[:: max(1, len(bone) // (10 * FAR_POINTS))]
    far = volume.to_lps(np.stack(np.unravel_index(bone, skeleton.shape), axis=1))
    distances, _ = cKDTree(near).query(far)
    return float(max(0.0, distances.min() - np.mean(volume.spacing_mm)))


def _contact_mm2(site: _Site) -> float:
    """Area of the mass's surface that touches bone, on the surface between voxels."""
    from skimage.measure import marching_cubes

    if not (site.to_bone_mm[site.mass] < CONTACT_GAP_MM + max(site.spacing_mm)).any():
        return 0.0
    vertices, faces, _, _ = marching_cubes(np.pad(site.to_mass_mm, 1, mode="edge"), 0.0)
    gap = ndimage.map_coordinates(site.to_bone_mm, (vertices - 1).T, order=1, mode="nearest")
    touching = gap[faces].mean(axis=1) < CONTACT_GAP_MM
    corners = vertices[faces[touching]] * site.spacing_mm
    edges = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return float(np.linalg.norm(edges, axis=1).sum() / 2)


def _defect(site: _Site) -> tuple[float, float] | None:
    """Depth (mm) and volume (mL) of what is missing under lost cortex; None: cannot tell."""
    points = surface_points(
        site.hu, site.to_bone_mm, site.to_mass_mm, site.spacing_mm, reach_mm=NEAR_MM
    )
    around = (points.to_mass_mm > SPARE_MM) & (points.to_mass_mm < AROUND_MM)
    if np.count_nonzero(around) < SURFACE_POINTS_MIN:
        return None
    usual_hu = float(np.median(points.cortex_hu[around]))
    if usual_hu < CORTEX_MIN_HU:
        return None
    faint = points.cortex_hu < LOST_SHARE * usual_hu
    if np.mean(faint[around]) > FAINT_AROUND_MAX:
        return None
    lost = faint & (points.to_mass_mm < SPARE_MM)
    voxel_mm3 = float(np.prod(site.spacing_mm))
    if np.count_nonzero(lost) * voxel_mm3 / max(site.spacing_mm) < LOST_AREA_MIN_MM2:
        return 0.0, 0.0
    bridge = _expected_surface(site, points, faint)
    if bridge is None:
        return None
    depth = float(np.percentile(-bridge(points.places[lost]), DEEPEST_PERCENT))
    return max(0.0, depth), _missing_voxels(bridge, site) * voxel_mm3 / 1000


def _expected_surface(site: _Site, points: SurfacePoints, lost: NDArray[np.bool_]) -> Bridge | None:
    """The bone's surface, continued smoothly where the cortex is lost; None: too little is left."""
    gone = points.places[lost]
    free = (points.to_mass_mm > SPARE_MM) & far_from(points.places, gone, BESIDE_MM)
    trusted = np.flatnonzero(free | far_from(points.places, gone, FAR_MM))
    if len(trusted) < SURFACE_POINTS_MIN:
        return None
    few = np.random.default_rng(0).permutation(trusted)[:SURFACE_POINTS]
    return continuation(points[few], site.to_bone_mm, site.spacing_mm)


def _missing_voxels(bridge: Bridge, site: _Site) -> int:
    """Voxels below the bridge that are no bone, in the mass or just under it.

    The bridge is computed on a coarse grid, where the mass can have eroded, and interpolated.
    """
    spacing = np.asarray(site.spacing_mm)
    extent = np.asarray(site.mass.shape) * spacing
    nodes = np.meshgrid(*[np.arange(0, e + COARSE_MM, COARSE_MM) for e in extent], indexing="ij")
    index = tuple(
        np.minimum(np.round(node / step).astype(int), size - 1)
        for node, step, size in zip(nodes, spacing, site.mass.shape, strict=True)
    )
    close = (site.to_bone_mm[index] < NEAR_MM / 2) & (site.to_mass_mm[index] < COARSE_MM)
    needed = ndimage.binary_dilation(close, iterations=2)
    coarse = np.full(nodes[0].shape, NEAR_MM)
    coarse[needed] = bridge(np.stack([node[needed] for node in nodes], axis=1))
    places = np.argwhere(~site.bone & (site.to_mass_mm < GAP_MM)) * (spacing / COARSE_MM)
    height = ndimage.map_coordinates(coarse, places.T, order=1)
    return int(np.count_nonzero(height < -SHALLOW_MM))
