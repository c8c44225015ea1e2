"""The other side of the body laid over a bone: the surface it had before a mass lay on it.

The bones of both sides are nearly mirror images. What is seen of a bone around a mass is mirrored,
sought in the skeleton by overlap, and fitted to the surface found there: iterative closest points,
point to plane (Chen and Medioni 1992, doi:10.1016/0262-8856(92)90066-C), of which the worst fifth
is left out each time. What does not fit is not used. Places are LPS mm, (n, 3).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.fft import irfftn, rfftn
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from calcinosis.measure.affine import affine
from calcinosis.measure.bone_site import Site, filled, signed_distance_mm
from calcinosis.measure.bone_surface import SurfacePoints, surface_points
from calcinosis.measure.gaussian import gaussian
from calcinosis.measure.mass import Labels
from calcinosis.measure.working_grid import Box
from calcinosis.volume import Volume

Array = NDArray[np.float64]

_MIRROR = np.diag([-1.0, 1.0, 1.0])
_TURN_DEG = 20.0  # limbs lie turned against each other: tried about each axis, to either side
_TURN_MAX_DEG = 40.0
_CELL_MM = 4.0  # of the grid on which overlap is counted
_BEHIND_MM, _ALONG_MM = 50.0, 60.0  # so far from straight across the other side may lie
_ACROSS_MM = 60.0  # no closer to the mass, from side to side, is the other side of the body
_OWN_MM = 25.0  # bone this close to the mass's centre is no other side
_PLACES_EACH, _PLACES_MAX = 3, 12  # places tried: of each turn, and in all
_SPARE_MM = 4.0  # surface this close to the mass may be eroded or cut
_WEIGHT_MM = 11.0  # surface counts by its distance from the contact: to 1/e over this
_POINTS, _POINTS_FIRST, _POINTS_OTHER = 1200, 400, 30_000
_POINTS_MIN, _CONTACT_MIN = 60, 5
_CONTACT_MM = 2.5
_ALIKE = 0.5  # cosine between normals of surfaces that are the same
_STEPS_FIRST, _STEPS = 10, 30
_KEPT = 0.8  # share of points that a step of the fit uses
_FAR_MM, _CLOSE_MM = 12.0, 6.0  # a partner is sought so far away: first, and at last
_THIN_MM = 3.0  # the skeleton is thinned to this before places are sought
_MARGIN_MM = 8.0
_SEEN_MM = 16.0  # around the contact the other side is read
_AROUND_MM = 25.0  # surface farther from the contact tells nothing
# Share of the surface around, by weight, that agrees within 1 mm (more where voxels are longer).
# Of 32 intact contacts above it 31 lacked no cortex against the other side; five with a worse fit
# (0.25–0.75, before the fit took its present form) all seemed to, over 13–532 mm² (the cases of
# mirror_defect).
_FIT_MIN = 0.78


@dataclass(frozen=True, eq=False)
class Body:
    """A scan with its masses and bones: where another side is sought."""

    volume: Volume
    labels: Labels
    skeleton: NDArray[np.bool_]

    @cached_property
    def surface(self) -> "Surface":
        """Of all bones, thinned."""
        steps = [max(1, round(_THIN_MM / spacing)) for spacing in self.volume.spacing_mm]
        every = tuple(slice(None, None, step) for step in steps)
        affine = self.volume.affine.copy()
        affine[:3, :3] *= steps
        thin = replace(self.volume, voxels=self.volume.voxels[every], affine=affine)
        return _surface_of(thin, self.skeleton[every])[0]


@dataclass(frozen=True, eq=False)
class Surface:
    """Points of a surface and its outward unit normals, LPS."""

    places: Array
    normals: Array

    def __getitem__(self, chosen: NDArray[np.bool_] | NDArray[np.int64] | slice) -> "Surface":
        return Surface(self.places[chosen], self.normals[chosen])

    def __len__(self) -> int:
        return len(self.places)


@dataclass(frozen=True, eq=False)
class _Around:
    """The surface around a contact, how much each point counts, and the mass's centre."""

    surface: Surface
    weights: Array
    mass_centre: Array

    def first(self, count: int) -> "_Around":
        return _Around(self.surface[:count], self.weights[:count], self.mass_centre)


@dataclass(frozen=True, eq=False)
class _Pose:
    """Where a place of this side lies on the other: mirrored, turned, shifted."""

    turn: Array  # (3, 3), with the mirroring
    shift: Array

    def __call__(self, places: Array) -> Array:
        return places @ self.turn.T + self.shift

    @property
    def turned_deg(self) -> float:
        return float(np.degrees(Rotation.from_matrix(self.turn @ _MIRROR).magnitude()))


@dataclass(frozen=True, eq=False)
class MirrorSide:
    """What the other side shows at the places of a site.

    Attributes:
        box: the part of the site that was looked up.
        expected_mm: signed distance to the surface that the bone should have; negative inside.
        hu: the other side's attenuation there.
        error_mm: how far four of five points around agree.
    """

    box: Box
    expected_mm: NDArray[np.float32]
    hu: NDArray[np.float32]
    error_mm: float


def find_mirror_side(
    body: Body, crop: Volume, site: Site, points: SurfacePoints
) -> MirrorSide | None:
    """Lay the other side over the bone beside a mass.

    Args:
        body: the whole scan.
        crop: the part of it that the site describes.
        site: mass and bone.
        points: the bone's surface near the mass, in mm from the crop's first voxel.

    Returns:
        None where the other side is not in the picture, does not fit, or has a mass itself.
    """
    around = _around(crop, site, points)
    if around is None:
        return None
    pose = _best_pose(around, body.surface)
    if pose is None:
        return None
    there = _box_there(body.volume, pose(around.surface.places))
    other, skeleton = body.volume.crop(there), body.skeleton[there]
    if min(other.shape) < 3 or not skeleton.any():
        return None
    surface, distance_mm = _surface_of(other, skeleton, _POINTS_OTHER)
    pose, off_mm = _fitted(pose, around, surface, cKDTree(surface.places), _CLOSE_MM, _STEPS)
    if _agreement(around, off_mm, crop) < _FIT_MIN:
        return None
    box = _box_here(site, points)
    here, near = crop.crop(box), site.crop(box)
    expected_mm = _laid_over(here, pose, other, distance_mm, far=_MARGIN_MM)
    masses = _laid_over(here, pose, other, body.labels[there].astype(np.float32), far=0)
    if masses[(np.abs(expected_mm) < _SPARE_MM) & (near.to_mass_mm < _CONTACT_MM)].any():
        return None  # both sides may be eroded
    hu = _laid_over(here, pose, other, other.voxels.astype(np.float32), far=0)
    error_mm = float(np.quantile(off_mm[np.isfinite(off_mm)], _KEPT))
    return MirrorSide(box, expected_mm, hu, error_mm)


def _around(crop: Volume, site: Site, points: SurfacePoints) -> _Around | None:
    """Bone around the contact whose surface nothing has touched."""
    contact = points[points.to_mass_mm < _CONTACT_MM]
    free = np.flatnonzero(points.to_mass_mm > _SPARE_MM)
    if len(contact) < _CONTACT_MIN:
        return None
    away_mm, _ = cKDTree(contact.places).query(points.places)
    free = free[away_mm[free] < _AROUND_MM]
    if len(free) < _POINTS_MIN:
        return None
    chosen = np.random.default_rng(0).permutation(free)[:_POINTS]
    some, away_mm = points[chosen], away_mm[chosen]
    centre = np.asarray(ndimage.center_of_mass(site.mass))
    surface = _in_lps(crop, some)
    return _Around(surface, np.exp(-away_mm / _WEIGHT_MM), crop.to_lps(centre))


def _in_lps(crop: Volume, points: SurfacePoints) -> Surface:
    spacing = np.asarray(crop.spacing_mm)
    axes = crop.affine[:3, :3] / spacing
    return Surface(crop.to_lps(points.places / spacing), points.normals @ axes.T)


def _surface_of(
    volume: Volume, skeleton: NDArray[np.bool_], count: int | None = None
) -> tuple[Surface, NDArray[np.float32]]:
    """Points of the surface of bones with their marrow, and signed distances to it."""
    bone = filled(skeleton, np.zeros_like(skeleton), volume.spacing_mm)
    distance_mm = signed_distance_mm(bone, _MARGIN_MM, volume.spacing_mm)
    everywhere = np.broadcast_to(np.float32(0), bone.shape)
    points = surface_points(volume.voxels, distance_mm, everywhere, volume.spacing_mm, 1.0)
    some = points[np.random.default_rng(0).permutation(len(points))[:count]]
    return _in_lps(volume, some), distance_mm


def _best_pose(around: _Around, bones: Surface) -> _Pose | None:
    """The place on the other side where most of the surface fits roughly."""
    height = around.surface.places[:, 2]
    level = bones.places[:, 2]
    beside = (level > height.min() - _ALONG_MM) & (level < height.max() + _ALONG_MM)
    beside &= np.linalg.norm(bones.places - around.mass_centre, axis=1) > _OWN_MM
    others = bones[beside]
    if len(others) < _POINTS_MIN:
        return None
    tree, few = cKDTree(others.places), around.first(_POINTS_FIRST)
    best, most = None, 0.0
    for place in _places_by_overlap(around, others):
        pose, off_mm = _fitted(place, few, others, tree, _FAR_MM, _STEPS_FIRST)
        share = float(few.weights[off_mm < _THIN_MM].sum())
        if share > most and pose.turned_deg < _TURN_MAX_DEG:
            best, most = pose, share
    return best


def _places_by_overlap(around: _Around, others: Surface) -> list[_Pose]:
    """Where the mirrored surface overlaps most with other bone, turned a little or not at all."""
    found = [entry for turn in _turns() for entry in _overlaps(around, others, turn)]
    found.sort(key=lambda entry: -entry[0])
    return [pose for _, pose in found[:_PLACES_MAX]]


def _turns() -> Iterator[Array]:
    yield _MIRROR
    for axis in np.eye(3):
        for sign in (-1, 1):
            yield Rotation.from_rotvec(sign * np.radians(_TURN_DEG) * axis).as_matrix() @ _MIRROR


def _overlaps(around: _Around, others: Surface, turn: Array) -> Iterator[tuple[float, _Pose]]:
    """The places of greatest overlap for one turn, with their overlap."""
    centre = np.average(around.surface.places, axis=0, weights=around.weights)
    turned = (around.surface.places - centre) @ turn.T
    low, high = turned.min(0), turned.max(0)
    template = _counted(turned, around.weights, low, high)
    room = np.array([0.0, _BEHIND_MM, _ALONG_MM])
    start, stop = centre + low - room, centre + high + room
    start[0] = min(others.places[:, 0].min(), start[0])
    stop[0] = max(others.places[:, 0].max(), stop[0])
    inside = ((others.places >= start) & (others.places <= stop)).all(axis=1)
    field = _counted(others.places[inside], None, start, stop)
    overlap = _correlated(field, template / np.linalg.norm(template))
    at = start - low + np.moveaxis(np.indices(overlap.shape), 0, -1) * _CELL_MM
    apart = np.abs(at[..., 0] - around.mass_centre[0]) > _ACROSS_MM
    summit = apart & (ndimage.maximum_filter(overlap, 5) == overlap)
    summits = np.argwhere(summit)
    for place in summits[np.argsort(-overlap[summit])[:_PLACES_EACH]]:
        yield float(overlap[tuple(place)]), _Pose(turn, at[tuple(place)] - turn @ centre)


def _correlated(field: NDArray[np.float32], template: NDArray[np.float32]) -> Array:
    """The sum of products for every place of the template that lies within the field."""
    spectrum = rfftn(field) * np.conj(rfftn(template, field.shape))
    within = [
        slice(whole - part + 1) for whole, part in zip(field.shape, template.shape, strict=True)
    ]
    return np.asarray(irfftn(spectrum, field.shape)[tuple(within)])


def _counted(places: Array, weights: Array | None, low: Array, high: Array) -> NDArray[np.float32]:
    """Cells between two corners: their points' weight; without weights whether any lies there."""
    cells = np.floor((places - low) / _CELL_MM).astype(int) + 1
    counted = np.zeros(np.floor((high - low) / _CELL_MM).astype(int) + 3, np.float32)
    if weights is None:
        counted[tuple(cells.T)] = 1
    else:
        np.add.at(counted, tuple(cells.T), weights.astype(np.float32))
    return gaussian(counted, 0.7)


def _fitted(
    pose: _Pose,
    around: _Around,
    surface: Surface,
    tree: cKDTree,
    reach_mm: float,
    steps: int,
) -> tuple[_Pose, Array]:
    """The pose moved until the surfaces meet, and how far each point is off; infinite: no partner.

    Point to plane; steps are small, so that turns add.
    """
    for _ in range(steps):
        places, partner, alike, away_mm = _partners(pose, around.surface, surface, tree, reach_mm)
        if np.count_nonzero(alike) < _POINTS_MIN / 2:
            break
        used = alike & (away_mm <= max(np.quantile(away_mm[alike], _KEPT), 0.5))
        weights = around.weights[used] / around.weights[used].sum()
        middle = weights @ places[used]
        normals = surface.normals[partner[used]]
        off = ((surface.places[partner[used]] - places[used]) * normals).sum(axis=1)
        lever = np.cross(places[used] - middle, normals) / _WEIGHT_MM
        design = np.column_stack([lever, normals])
        weighted = design.T * weights
        step = np.linalg.solve(weighted @ design + 1e-4 * np.eye(6), weighted @ off)
        turn = Rotation.from_rotvec(step[:3] / _WEIGHT_MM).as_matrix()
        shift = turn @ (pose.shift - middle) + middle + step[3:]
        pose = _Pose(turn @ pose.turn, shift)
        if np.abs(step).max() < 0.01:
            break
    places, partner, alike, _ = _partners(pose, around.surface, surface, tree, reach_mm)
    off = np.abs(((surface.places[partner] - places) * surface.normals[partner]).sum(axis=1))
    return pose, np.where(alike, off, np.inf)


def _partners(
    pose: _Pose, around: Surface, surface: Surface, tree: cKDTree, reach_mm: float
) -> tuple[Array, NDArray[np.int64], NDArray[np.bool_], Array]:
    """Each point on the other side, the nearest there, whether it faces alike, and how far."""
    places = pose(around.places)
    away_mm, partner = tree.query(places, distance_upper_bound=reach_mm)
    partner = np.minimum(partner, len(surface) - 1)
    facing = ((around.normals @ pose.turn.T) * surface.normals[partner]).sum(axis=1)
    return places, partner, np.isfinite(away_mm) & (facing > _ALIKE), away_mm


def _agreement(around: _Around, off_mm: Array, crop: Volume) -> float:
    """The share of the surface, by weight, that is less than 1 mm off; 1.5 mm in long voxels."""
    close = off_mm < 0.5 + 0.5 * np.clip(max(crop.spacing_mm), 1.0, 2.0)
    return float(around.weights[close].sum() / around.weights.sum())


def _box_there(volume: Volume, places: Array) -> Box:
    """The part of the scan around places."""
    indices = volume.to_indices(places)
    margin = _MARGIN_MM / np.asarray(volume.spacing_mm)
    return _box(indices.min(0) - margin, indices.max(0) + margin, volume.shape)


def _box_here(site: Site, points: SurfacePoints) -> Box:
    """The part of the site around its contact."""
    spacing = np.asarray(site.spacing_mm)
    contact = points.places[points.to_mass_mm < _CONTACT_MM]
    low, high = contact.min(0) - _SEEN_MM, contact.max(0) + _SEEN_MM
    return _box(low / spacing, high / spacing, site.mass.shape)


def _box(low: Array, high: Array, shape: tuple[int, ...]) -> Box:
    z, y, x = (
        slice(int(np.clip(start, 0, size)), int(np.clip(stop + 1, 0, size)))
        for start, stop, size in zip(low, high, shape, strict=True)
    )
    return z, y, x


def _laid_over(
    here: Volume, pose: _Pose, other: Volume, field: NDArray[np.float32], far: float
) -> NDArray[np.float32]:
    """A field on the other volume's grid, read on this one's; `far` outside it."""
    back = np.linalg.inv(other.affine[:3, :3])
    origin = pose(here.affine[:3, 3]) - other.affine[:3, 3]
    turn = back @ pose.turn @ here.affine[:3, :3]
    return affine(field, turn, back @ origin, here.shape, far)
