"""The other side of the body laid over a bone: the surface it had before a mass lay on it.

The bones of both sides are nearly mirror images. What is seen of a bone around a mass is mirrored,
sought in the skeleton by overlap, and fitted to the surface found there. What does not fit is not
used. Places are LPS mm, (n, 3).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from calcinosis.measure.affine import affine
from calcinosis.measure.bone_overlay import (
    MARGIN_MM,
    POINTS_MIN,
    Array,
    Pose,
    Surface,
    Target,
    correlated,
    counted,
    fitted,
    in_lps,
    surface_of,
    whole_surface,
)
from calcinosis.measure.bone_site import Site
from calcinosis.measure.bone_surface import SurfacePoints
from calcinosis.measure.mass import Labels
from calcinosis.measure.working_grid import Box
from calcinosis.volume import Volume

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
_CONTACT_MIN = 5
_CONTACT_MM = 2.5
_STEPS_FIRST, _STEPS = 10, 30
_KEPT = 0.8  # share of points whose error is told
_FAR_MM, _CLOSE_MM = 12.0, 6.0  # a partner is sought so far away: first, and at last
_ROUGHLY_MM = 3.0  # surface so near another fits it roughly
_SEEN_MM = 16.0  # around the contact the other side is read
_AROUND_MM = 25.0  # surface farther from the contact tells nothing
# Share of the surface around, by weight, that agrees within 1 mm (more where voxels are longer).
# Of 32 intact contacts above it 31 lacked no cortex against the other side; five with a worse fit
# (0.25–0.75, before the fit took its present form) all seemed to, over 13–532 mm² (the cases of
# mirror_defect).
_FIT_MIN = 0.78
# A piece of which this side has less is not the same bone: a calcified vessel, or another bone.
# Pits leave more of any bone that is seen up to `_SEEN_MM` around.
_SHARED_MIN = 0.3


@dataclass(frozen=True, eq=False)
class Body:
    """A scan with its masses and bones: where another side is sought."""

    volume: Volume
    labels: Labels
    skeleton: NDArray[np.bool_]

    @cached_property
    def surface(self) -> Surface:
        """Of all bones, thinned."""
        return whole_surface(self.volume, self.skeleton)


@dataclass(frozen=True, eq=False)
class _Around:
    """The surface around a contact, how much each point counts, and the mass's centre."""

    surface: Surface
    weights: Array
    mass_centre: Array

    def first(self, count: int) -> "_Around":
        return _Around(self.surface[:count], self.weights[:count], self.mass_centre)


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
    surface, distance_mm = surface_of(other, skeleton, _POINTS_OTHER)
    pose, off_mm = _fitted(pose, around, Target.of(surface), _CLOSE_MM, _STEPS)
    if _agreement(around, off_mm, crop) < _FIT_MIN:
        return None
    box = _box_here(site, points)
    here, near = crop.crop(box), site.crop(box)
    expected_mm = _laid_over(here, pose, other, distance_mm, far=MARGIN_MM)
    expected_mm[_only_there(expected_mm < 0, near.bone)] = MARGIN_MM
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
    if len(free) < POINTS_MIN:
        return None
    chosen = np.random.default_rng(0).permutation(free)[:_POINTS]
    some, away_mm = points[chosen], away_mm[chosen]
    centre = np.asarray(ndimage.center_of_mass(site.mass))
    surface = in_lps(crop, some)
    return _Around(surface, np.exp(-away_mm / _WEIGHT_MM), crop.to_lps(centre))


def _best_pose(around: _Around, bones: Surface) -> Pose | None:
    """The place on the other side where most of the surface fits roughly."""
    height = around.surface.places[:, 2]
    level = bones.places[:, 2]
    beside = (level > height.min() - _ALONG_MM) & (level < height.max() + _ALONG_MM)
    beside &= np.linalg.norm(bones.places - around.mass_centre, axis=1) > _OWN_MM
    others = bones[beside]
    if len(others) < POINTS_MIN:
        return None
    target, few = Target.of(others), around.first(_POINTS_FIRST)
    best, most = None, 0.0
    for place in _places_by_overlap(around, others):
        pose, off_mm = _fitted(place, few, target, _FAR_MM, _STEPS_FIRST)
        share = float(few.weights[off_mm < _ROUGHLY_MM].sum())
        if share > most and _turned_deg(pose) < _TURN_MAX_DEG:
            best, most = pose, share
    return best


def _places_by_overlap(around: _Around, others: Surface) -> list[Pose]:
    """Where the mirrored surface overlaps most with other bone, turned a little or not at all."""
    found = [entry for turn in _turns() for entry in _overlaps(around, others, turn)]
    found.sort(key=lambda entry: -entry[0])
    return [pose for _, pose in found[:_PLACES_MAX]]


def _turns() -> Iterator[Array]:
    yield _MIRROR
    for axis in np.eye(3):
        for sign in (-1, 1):
            yield Rotation.from_rotvec(sign * np.radians(_TURN_DEG) * axis).as_matrix() @ _MIRROR


def _overlaps(around: _Around, others: Surface, turn: Array) -> Iterator[tuple[float, Pose]]:
    """The places of greatest overlap for one turn, with their overlap."""
    centre = np.average(around.surface.places, axis=0, weights=around.weights)
    turned = (around.surface.places - centre) @ turn.T
    low, high = turned.min(0), turned.max(0)
    template = counted(turned, around.weights, low, high, _CELL_MM)
    room = np.array([0.0, _BEHIND_MM, _ALONG_MM])
    start, stop = centre + low - room, centre + high + room
    start[0] = min(others.places[:, 0].min(), start[0])
    stop[0] = max(others.places[:, 0].max(), stop[0])
    inside = ((others.places >= start) & (others.places <= stop)).all(axis=1)
    field = counted(others.places[inside], None, start, stop, _CELL_MM)
    overlap = correlated(field, template / np.linalg.norm(template))
    at = start - low + np.moveaxis(np.indices(overlap.shape), 0, -1) * _CELL_MM
    apart = np.abs(at[..., 0] - around.mass_centre[0]) > _ACROSS_MM
    summit = apart & (ndimage.maximum_filter(overlap, 5) == overlap)
    summits = np.argwhere(summit)
    for place in summits[np.argsort(-overlap[summit])[:_PLACES_EACH]]:
        yield float(overlap[tuple(place)]), Pose(turn, at[tuple(place)] - turn @ centre)


def _fitted(
    pose: Pose, around: _Around, target: Target, reach_mm: float, steps: int
) -> tuple[Pose, Array]:
    return fitted(
        pose,
        around.surface,
        around.weights,
        target,
        lever_mm=_WEIGHT_MM,
        reach_mm=reach_mm,
        steps=steps,
    )


def _turned_deg(pose: Pose) -> float:
    """How far the other side is turned against the mirror image."""
    return float(np.degrees(Rotation.from_matrix(pose.turn @ _MIRROR).magnitude()))


def _agreement(around: _Around, off_mm: Array, crop: Volume) -> float:
    """The share of the surface, by weight, that is less than 1 mm off; 1.5 mm in long voxels."""
    close = off_mm < 0.5 + 0.5 * np.clip(max(crop.spacing_mm), 1.0, 2.0)
    return float(around.weights[close].sum() / around.weights.sum())


def _box_there(volume: Volume, places: Array) -> Box:
    """The part of the scan around places."""
    indices = volume.to_indices(places)
    margin = MARGIN_MM / np.asarray(volume.spacing_mm)
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


def _only_there(there: NDArray[np.bool_], here: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pieces of the other side's bone of which this side has hardly any."""
    pieces = cc3d.connected_components(there, connectivity=6)
    shared = np.bincount(pieces[here], minlength=pieces.max() + 1)
    foreign = shared < _SHARED_MIN * np.bincount(pieces.ravel())
    foreign[0] = False
    return np.asarray(foreign[pieces])


def _laid_over(
    here: Volume, pose: Pose, other: Volume, field: NDArray[np.float32], far: float
) -> NDArray[np.float32]:
    """A field on the other volume's grid, read on this one's; `far` outside it."""
    back = np.linalg.inv(other.affine[:3, :3])
    origin = pose(here.affine[:3, 3]) - other.affine[:3, 3]
    turn = back @ pose.turn @ here.affine[:3, :3]
    return affine(field, turn, back @ origin, here.shape, far)
