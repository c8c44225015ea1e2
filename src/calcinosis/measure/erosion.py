"""How a mass lies to bone: distance, contact, and the defect it has pressed or eaten into cortex.

The expected surface of the bone is its own smooth continuation: surface points around the contact
(never under it) are joined by a cubic radial basis function, whose zero level bridges the contact
(Carr et al. 2001, doi:10.1145/383259.383266). Where that bridge lies above the bone and the mass
fills the gap, there is a defect.
"""

from dataclasses import dataclass

import edt
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from calcinosis.measure.mass import BoneRelation
from calcinosis.volume import Volume

NEAR_MM = 25.0  # bone this far around the mass shapes the expected surface
CONTACT_GAP_MM = 1.0  # envelope and bone closer than this touch
SPARE_MM = 2.5  # surface this close to the mass may itself be eroded and is not trusted
EROSION_MIN_MM = (
    2.5  # shallower defects are within the spread of intact contacts (docs/accuracy.md)
)
SURFACE_POINTS = 400
SURFACE_POINTS_MIN = 40
OFFSET_MM = 2.5  # the distance is also prescribed this far above and below the surface
SCALE_MM = 10.0
SMOOTHING = 0.02
INTACT_MM = 0.5  # covered bone that comes this near to the first bridge was never eroded
DEEPEST_MM3 = 2.0  # depth: this much of the mass lies deeper
FLOOR_GAP_MM = 1.5  # mass voxels end up to this far above the floor of the defect
SHALLOW_MM = 0.5  # volume: shallower is surface roughness
COARSE_MM = 2.0
HOLE_MAX_CM2 = 25.0
FAR_POINTS = 20_000


@dataclass(frozen=True, eq=False)
class _Site:
    """Crop around a mass: masks on the native grid and signed distances in mm."""

    spacing_mm: tuple[float, float, float]
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
        too little intact surface surrounds the contact.
    """
    if not envelope.any() or not skeleton.any():
        return BoneRelation(None, None, 0.0, None, None, None)
    box = _box_around(envelope, volume.spacing_mm, NEAR_MM)
    if not skeleton[box].any():
        distance = _distance_far_mm(volume, envelope, skeleton)
        return BoneRelation(None, distance, 0.0, 0.0, 0.0, eroded=False)
    site = _site(volume.spacing_mm, envelope[box], skeleton[box])
    touching = site.mass & ndimage.binary_dilation(site.bone)
    distance = 0.0 if touching.any() else max(0.0, float(site.to_bone_mm[site.mass].min()))
    contact = _contact_mm2(site)
    if contact == 0.0:
        return BoneRelation(None, distance, 0.0, 0.0, 0.0, eroded=False)
    defect = _defect(site)
    if defect is None:
        return BoneRelation(None, distance, contact, None, None, None)
    depth, volume_ml = defect
    return BoneRelation(
        nearest=None,
        distance_mm=distance,
        contact_mm2=contact,
        erosion_depth_mm=depth,
        erosion_volume_ml=volume_ml,
        eroded=depth >= EROSION_MIN_MM,
        expected_surface="smooth continuation of the same bone around the contact",
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


def _signed_distance_mm(
    mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float]
) -> NDArray[np.float32]:
    """Distance to the surface of a mask between voxels: negative inside."""
    solid = np.ascontiguousarray(mask)
    outside = edt.edt(~solid, anisotropy=spacing_mm, parallel=1)
    inside = edt.edt(solid, anisotropy=spacing_mm, parallel=1)
    half = np.float32(np.mean(spacing_mm) / 2)
    return np.asarray(np.where(solid, half - inside, outside - half), dtype=np.float32)


def _site(
    spacing_mm: tuple[float, float, float],
    mass: NDArray[np.bool_],
    skeleton: NDArray[np.bool_],
) -> _Site:
    """Fill the marrow of the bone beside the mass and measure distances."""
    bone = _filled(skeleton, mass, spacing_mm)
    return _Site(
        spacing_mm,
        mass & ~bone,
        bone,
        _signed_distance_mm(mass & ~bone, spacing_mm),
        _signed_distance_mm(bone, spacing_mm),
    )


def _filled(
    skeleton: NDArray[np.bool_], mass: NDArray[np.bool_], spacing_mm: tuple[float, float, float]
) -> NDArray[np.bool_]:
    """Bone with its marrow, slice by slice; a cortical gap under the mass is held shut by it."""
    solid = skeleton.copy()
    largest = HOLE_MAX_CM2 * 100 / (spacing_mm[1] * spacing_mm[2])
    for bone, lump in zip(solid, mass, strict=True):
        if not bone.any():
            continue
        both = bone | lump
        holes, count = ndimage.label(ndimage.binary_fill_holes(both) & ~both)
        for hole in range(1, count + 1):
            member = holes == hole
            rim = ndimage.binary_dilation(member) & ~member
            mostly_bone = np.count_nonzero(bone & rim) > 0.5 * np.count_nonzero(rim)
            if mostly_bone and np.count_nonzero(member) < largest:
                np.putmask(bone, member, values=True)
    return np.asarray(solid & ~(mass & ~skeleton), dtype=np.bool_)


def _distance_far_mm(
    volume: Volume, envelope: NDArray[np.bool_], skeleton: NDArray[np.bool_]
) -> float:
    """Distance between surfaces when no bone is near (to about a voxel)."""
    near = volume.to_lps(np.argwhere(envelope & ~ndimage.binary_erosion(envelope)))
    bone = np.argwhere(skeleton)
    far = volume.to_lps(bone[:: max(1, len(bone) // (10 * FAR_POINTS))])
    distances, _ = cKDTree(near[:: max(1, len(near) // FAR_POINTS)]).query(far)
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
    """Depth (mm) and volume (mL) of the mass below the bone's expected surface."""
    expected = _expected_surface(site)
    if expected is None:
        return None
    voxel_mm3 = float(np.prod(site.spacing_mm))
    hollow = site.mass & (expected < 0)
    below = -expected[hollow]
    if len(below) * voxel_mm3 < DEEPEST_MM3:
        return 0.0, 0.0
    floor = below + np.clip(site.to_bone_mm[hollow], 0, FLOOR_GAP_MM)  # down to the bone itself
    depth = np.sort(floor)[-max(1, round(DEEPEST_MM3 / voxel_mm3))]
    volume_ml = np.count_nonzero(below > SHALLOW_MM) * voxel_mm3 / 1000
    return float(depth), float(volume_ml)


def _expected_surface(site: _Site) -> NDArray[np.float32] | None:
    """Signed distance to the bone's surface, continued smoothly under the mass.

    First the intact surroundings alone are bridged; covered bone that reaches this bridge is intact
    too and joins in, so that in the end the bridge spans only what is missing.
    """
    surface = _surface_points(site)
    if surface is None:
        return None
    points, normals, to_mass = surface
    free = to_mass > SPARE_MM
    if np.count_nonzero(free) < SURFACE_POINTS_MIN:
        return None
    bridge = _bridge(site, points[free], normals[free], points[:0])
    intact = ~free & (np.abs(bridge(points)) < INTACT_MM)
    return _sampled(_bridge(site, points[free], normals[free], points[intact]), site)


def _surface_points(
    site: _Site,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]] | None:
    """Points (mm) on the bone near the mass, their outward normals, their distance to the mass."""
    shell = site.bone & (site.to_bone_mm > -1.01 * max(site.spacing_mm))
    places = np.argwhere(shell & (site.to_mass_mm < NEAR_MM))
    if len(places) < SURFACE_POINTS_MIN:
        return None
    chosen = places[np.random.default_rng(0).permutation(len(places))[:SURFACE_POINTS]]
    smooth = ndimage.gaussian_filter(site.to_bone_mm, 1.5 / np.asarray(site.spacing_mm))
    slopes = np.gradient(smooth, *site.spacing_mm)
    gradient = np.stack([slope[tuple(chosen.T)] for slope in slopes], axis=1)
    length = np.linalg.norm(gradient, axis=1)
    clear = length > 0.3
    chosen, normals = chosen[clear], gradient[clear] / length[clear, None]
    inward = site.to_bone_mm[tuple(chosen.T)]
    points = chosen * np.asarray(site.spacing_mm) - normals * inward[:, None]
    return points, normals, site.to_mass_mm[tuple(chosen.T)]


@dataclass(frozen=True, eq=False)
class _Bridge:
    """A cubic radial basis function with a linear part: the smoothest surface through points."""

    centres: NDArray[np.float64]
    weights: NDArray[np.float64]
    plane: NDArray[np.float64]

    @classmethod
    def through(cls, points: NDArray[np.float64], values: NDArray[np.float64]) -> "_Bridge":
        """Fit values (mm) at points (mm), allowing for the roughness of voxels."""
        count = len(points)
        design = np.column_stack([np.ones(count), points / SCALE_MM])
        system = np.zeros((count + 4, count + 4))
        system[:count, :count] = (cdist(points, points) / SCALE_MM) ** 3
        system[:count, :count] += SMOOTHING * np.eye(count)
        system[:count, count:], system[count:, :count] = design, design.T
        solved = np.linalg.solve(system, np.concatenate([values, np.zeros(4)]))
        return cls(points, solved[:count], solved[count:])

    def __call__(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Signed distance in mm at places (n, 3) in mm."""
        radial = (cdist(places, self.centres) / SCALE_MM) ** 3 @ self.weights
        return np.asarray(radial + self.plane[0] + places @ self.plane[1:] / SCALE_MM)


def _bridge(
    site: _Site,
    points: NDArray[np.float64],
    normals: NDArray[np.float64],
    covered: NDArray[np.float64],
) -> _Bridge:
    """The bridge through surface points, rising along their normals, and through covered points.

    A point off the surface counts only where no other surface (a thin bone's far side, the floor of
    a defect) is nearer.
    """
    places = [points, covered]
    values = [np.zeros(len(points)), np.zeros(len(covered))]
    for offset in (OFFSET_MM, -OFFSET_MM):
        shifted = points + offset * normals
        own = np.abs(_at(site.to_bone_mm, shifted, site.spacing_mm) - offset) < OFFSET_MM / 5
        places.append(shifted[own])
        values.append(np.full(np.count_nonzero(own), offset))
    return _Bridge.through(np.concatenate(places), np.concatenate(values))


def _sampled(bridge: _Bridge, site: _Site) -> NDArray[np.float32]:
    """The bridge on the native grid, by way of a coarse one; far above where mass cannot erode."""
    spacing = np.asarray(site.spacing_mm)
    extent = np.asarray(site.mass.shape) * spacing
    nodes = np.meshgrid(*[np.arange(0, e + COARSE_MM, COARSE_MM) for e in extent], indexing="ij")
    index = tuple(
        np.minimum(np.round(node / step).astype(int), size - 1)
        for node, step, size in zip(nodes, spacing, site.mass.shape, strict=True)
    )
    close = (site.to_bone_mm < NEAR_MM / 2) & (site.to_mass_mm < COARSE_MM)
    needed = ndimage.binary_dilation(close[index], iterations=2)
    coarse = np.full(nodes[0].shape, NEAR_MM)
    coarse[needed] = bridge(np.stack([node[needed] for node in nodes], axis=1))
    fine = ndimage.affine_transform(
        coarse, spacing / COARSE_MM, output_shape=site.mass.shape, order=1
    )
    return np.asarray(fine, dtype=np.float32)


def _at(
    field: NDArray[np.float32], points: NDArray[np.float64], spacing_mm: tuple[float, float, float]
) -> NDArray[np.float64]:
    """A field on the native grid at points in mm."""
    indices = (points / np.asarray(spacing_mm)).T
    return np.asarray(
        ndimage.map_coordinates(field, indices, order=1, mode="nearest"), dtype=np.float64
    )
