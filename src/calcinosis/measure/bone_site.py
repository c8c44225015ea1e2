"""Where a mass and the bone beside it lie: distance, contact, and distances around both."""

from dataclasses import dataclass

import cc3d
import edt
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from calcinosis.measure.distance import Spacing, distance_within
from calcinosis.measure.masks import bounds, grown, without_holes
from calcinosis.measure.working_grid import Box
from calcinosis.volume import Volume

CONTACT_GAP_MM = 1.0  # envelope and bone closer than this touch
HOLE_MAX_CM2 = 25.0
MARROW_SHARE_MIN = 0.1  # of a hollow skeleton; joint spaces come to 0.03 (docs/accuracy.md)
# Farther from mass or bone, and deeper in either, nothing is asked.
MASS_REACH_MM, BONE_REACH_MM, DEPTH_MM = 26.0, 18.0, 18.0
FAR_POINTS = 20_000
SOON_MM = 6.0, 18.0  # bone is sought so near to a mass first


@dataclass(frozen=True, eq=False)
class Site:
    """Crop around a mass: masks on the native grid and signed distances in mm, up to the reach."""

    spacing_mm: Spacing
    hu: NDArray[np.int16]
    mass: NDArray[np.bool_]
    bone: NDArray[np.bool_]  # filled: marrow belongs to it
    to_mass_mm: NDArray[np.float32]
    to_bone_mm: NDArray[np.float32]

    def crop(self, box: Box) -> "Site":
        """The part of it in a box."""
        return Site(
            self.spacing_mm,
            self.hu[box],
            self.mass[box],
            self.bone[box],
            self.to_mass_mm[box],
            self.to_bone_mm[box],
        )


def box_around(mask: NDArray[np.bool_], spacing_mm: Spacing, margin_mm: float) -> Box:
    """The bounding box of a mask, grown by a margin."""
    z, y, x = (
        slice(
            max(0, int(extent.start - np.ceil(margin_mm / step))),
            int(extent.stop + np.ceil(margin_mm / step)),
        )
        for extent, step in zip(bounds(mask), spacing_mm, strict=True)
    )
    return z, y, x


def gap_mm(mass: NDArray[np.bool_], bone: NDArray[np.bool_], spacing_mm: Spacing) -> float:
    """Distance between the surfaces of mass and bone; 0 where voxels touch."""
    near = box_around(mass, spacing_mm, max(spacing_mm))
    if (mass[near] & grown(bone[near])).any():
        return 0.0
    for reach_mm in SOON_MM:
        near = box_around(mass, spacing_mm, reach_mm)
        away_mm = distance_within(~bone[near], reach_mm, spacing_mm)[mass[near]].min()
        if np.isfinite(away_mm):
            break
    else:
        away_mm = edt.edt(~bone, anisotropy=spacing_mm, parallel=1)[mass].min()
    return max(0.0, float(away_mm - np.float32(np.mean(spacing_mm) / 2)))


def signed_distance_mm(
    mask: NDArray[np.bool_], reach_mm: float, spacing_mm: Spacing
) -> NDArray[np.float32]:
    """Distance to the surface of a mask between voxels: negative inside; no farther than reach."""
    half = np.float32(np.mean(spacing_mm) / 2)
    signed = distance_within(~mask, reach_mm, spacing_mm)
    np.minimum(signed, np.float32(reach_mm), out=signed)
    signed -= half
    inner = tuple(slice(max(0, e.start - 1), e.stop + 1) for e in bounds(mask))
    inside = distance_within(mask[inner], DEPTH_MM, spacing_mm)
    np.minimum(inside, np.float32(DEPTH_MM), out=inside)
    np.subtract(half, inside, out=inside)
    np.copyto(signed[inner], inside, where=mask[inner])
    return signed


def site_of(volume: Volume, mass: NDArray[np.bool_], bone: NDArray[np.bool_]) -> Site:
    """Distances around a mass and the filled bone beside it."""
    spacing_mm = volume.spacing_mm
    return Site(
        spacing_mm,
        volume.voxels,
        mass,
        bone,
        signed_distance_mm(mass, MASS_REACH_MM, spacing_mm),
        signed_distance_mm(bone, BONE_REACH_MM, spacing_mm),
    )


def filled(
    skeleton: NDArray[np.bool_],
    mass: NDArray[np.bool_],
    spacing_mm: Spacing,
) -> NDArray[np.bool_]:
    """Bone with its marrow, slice by slice; a cortical gap under the mass is held shut by it.

    A skeleton that holds its marrow already is left as it is: what bone surrounds is then a joint
    space, or muscle between a bone's ridges.
    """
    marrow = _holes(skeleton, skeleton, spacing_mm)
    if np.count_nonzero(marrow) > MARROW_SHARE_MIN * np.count_nonzero(skeleton):
        marrow |= _holes(skeleton, skeleton | mass, spacing_mm)
        return np.asarray(skeleton | (marrow & ~mass), dtype=np.bool_)
    return skeleton


def _holes(
    skeleton: NDArray[np.bool_],
    solid: NDArray[np.bool_],
    spacing_mm: Spacing,
) -> NDArray[np.bool_]:
    """Holes of each slice of a solid whose rim is mostly bone."""
    found = np.zeros_like(skeleton)
    largest = HOLE_MAX_CM2 * 100 / (spacing_mm[1] * spacing_mm[2])
    for bone, both, filling in zip(skeleton, solid, found, strict=True):
        if not bone.any():
            continue
        within = without_holes(both) & ~both
        if not within.any():
            continue
        holes = cc3d.connected_components(within, connectivity=4)
        for hole, extent in enumerate(ndimage.find_objects(holes), start=1):
            window = tuple(slice(e.start - 1, e.stop + 1) for e in extent)
            member = holes[window] == hole
            around = grown(member) & ~member
            mostly_bone = np.count_nonzero(bone[window] & around) > 0.5 * np.count_nonzero(around)
            if mostly_bone and np.count_nonzero(member) < largest:
                np.putmask(filling[window], member, values=True)
    return found


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


def hides_contact(spacing_mm: Spacing) -> bool:
    """Whether the surfaces of voxels that touch across slices are farther apart than contact is."""
    return max(spacing_mm) / 2 - float(np.mean(spacing_mm)) / 2 >= CONTACT_GAP_MM


def contact_mm2(site: Site) -> float:
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
