"""One surface of bone laid over another: where it overlaps most, then fitted point to plane.

Iterative closest points, point to plane (Chen and Medioni 1992, doi:10.1016/0262-8856(92)90066-C),
of which the worst fifth is left out each time. Places are LPS mm, (n, 3).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfftn, rfftn
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from calcinosis.measure.bone_site import filled, signed_distance_mm
from calcinosis.measure.bone_surface import SurfacePoints, surface_points
from calcinosis.measure.gaussian import gaussian
from calcinosis.volume import Volume

Array = NDArray[np.float64]

POINTS_MIN = 60  # fewer points of surface fix no place
MARGIN_MM = 8.0  # around a surface its distances are known
_ALIKE = 0.5  # cosine between normals of surfaces that are the same
_KEPT = 0.8  # share of points that a step of the fit uses
_THIN_MM = 3.0  # the skeleton of a whole scan is thinned to this


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
class Pose:
    """Where a place lies after it was turned, or mirrored, and shifted."""

    turn: Array  # (3, 3), orthogonal
    shift: Array  # mm

    def __call__(self, places: Array) -> Array:
        """Places (n, 3) where they lie then."""
        return places @ self.turn.T + self.shift

    @property
    def matrix(self) -> Array:
        """4×4, for places with a 1 behind them."""
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = self.turn, self.shift
        return matrix

    @property
    def turned_deg(self) -> float:
        """By how much it turns, if it does not mirror."""
        return float(np.degrees(Rotation.from_matrix(self.turn).magnitude()))

    @property
    def inverse(self) -> "Pose":
        """The way back."""
        return Pose(self.turn.T, -self.turn.T @ self.shift)


def whole_surface(volume: Volume, skeleton: NDArray[np.bool_]) -> Surface:
    """Of all bones of a scan, thinned."""
    steps = [max(1, round(_THIN_MM / spacing)) for spacing in volume.spacing_mm]
    every = tuple(slice(None, None, step) for step in steps)
    affine = volume.affine.copy()
    affine[:3, :3] *= steps
    thin = replace(volume, voxels=volume.voxels[every], affine=affine)
    return surface_of(thin, skeleton[every])[0]


def surface_of(
    volume: Volume, skeleton: NDArray[np.bool_], count: int | None = None
) -> tuple[Surface, NDArray[np.float32]]:
    """Points of the surface of bones with their marrow, and signed distances to it."""
    bone = filled(skeleton, np.zeros_like(skeleton), volume.spacing_mm)
    distance_mm = signed_distance_mm(bone, MARGIN_MM, volume.spacing_mm)
    everywhere = np.broadcast_to(np.float32(0), bone.shape)
    points = surface_points(volume.voxels, distance_mm, everywhere, volume.spacing_mm, 1.0)
    some = points[np.random.default_rng(0).permutation(len(points))[:count]]
    return in_lps(volume, some), distance_mm


def in_lps(crop: Volume, points: SurfacePoints) -> Surface:
    """Points in mm from a crop's first voxel as places in the patient."""
    spacing = np.asarray(crop.spacing_mm)
    axes = crop.affine[:3, :3] / spacing
    return Surface(crop.to_lps(points.places / spacing), points.normals @ axes.T)


def counted(
    places: Array, weights: Array | None, low: Array, high: Array, cell_mm: float
) -> NDArray[np.float32]:
    """Cells between two corners: their points' weight; without weights whether any lies there."""
    cells = np.floor((places - low) / cell_mm).astype(int) + 1
    field = np.zeros(np.floor((high - low) / cell_mm).astype(int) + 3, np.float32)
    if weights is None:
        field[tuple(cells.T)] = 1
    else:
        np.add.at(field, tuple(cells.T), weights.astype(np.float32))
    return gaussian(field, 0.7)


def correlated(field: NDArray[np.float32], template: NDArray[np.float32]) -> Array:
    """The sum of products for every place of the template that lies within the field."""
    spectrum = rfftn(field) * np.conj(rfftn(template, field.shape))
    within = [
        slice(whole - part + 1) for whole, part in zip(field.shape, template.shape, strict=True)
    ]
    return np.asarray(irfftn(spectrum, field.shape)[tuple(within)])


@dataclass(frozen=True, eq=False)
class Target:
    """A surface that another is to be laid over."""

    surface: Surface
    tree: cKDTree

    @classmethod
    def of(cls, surface: Surface) -> "Target":
        """A surface with its search tree."""
        return cls(surface, cKDTree(surface.places))


def fitted(
    pose: Pose,
    moved: Surface,
    weights: Array,
    target: Target,
    *,
    lever_mm: float,
    reach_mm: float,
    steps: int,
) -> tuple[Pose, Array]:
    """The pose moved until the surfaces meet, and how far each point is off; infinite: no partner.

    Point to plane; steps are small, so that turns add.

    Args:
        pose: where to begin.
        moved: the surface that is laid over.
        weights: how much each of its points counts.
        target: the surface that lies still.
        lever_mm: a turn is as dear as a shift of what lies so far from the middle.
        reach_mm: a partner is sought so far away.
        steps: at most.
    """
    surface = target.surface
    for _ in range(steps):
        places, partner, alike, away_mm = _partners(pose, moved, target, reach_mm)
        if np.count_nonzero(alike) < POINTS_MIN / 2:
            break
        used = alike & (away_mm <= max(np.quantile(away_mm[alike], _KEPT), 0.5))
        share = weights[used] / weights[used].sum()
        middle = share @ places[used]
        normals = surface.normals[partner[used]]
        off = ((surface.places[partner[used]] - places[used]) * normals).sum(axis=1)
        lever = np.cross(places[used] - middle, normals) / lever_mm
        design = np.column_stack([lever, normals])
        weighted = design.T * share
        step = np.linalg.solve(weighted @ design + 1e-4 * np.eye(6), weighted @ off)
        turn = Rotation.from_rotvec(step[:3] / lever_mm).as_matrix()
        shift = turn @ (pose.shift - middle) + middle + step[3:]
        pose = Pose(turn @ pose.turn, shift)
        if np.abs(step).max() < 0.01:
            break
    places, partner, alike, _ = _partners(pose, moved, target, reach_mm)
    off = np.abs(((surface.places[partner] - places) * surface.normals[partner]).sum(axis=1))
    return pose, np.where(alike, off, np.inf)


def _partners(
    pose: Pose, moved: Surface, target: Target, reach_mm: float
) -> tuple[Array, NDArray[np.int64], NDArray[np.bool_], Array]:
    """Each point where it lies now, the nearest there, whether it faces alike, and how far."""
    places = pose(moved.places)
    away_mm, partner = target.tree.query(places, distance_upper_bound=reach_mm)
    partner = np.minimum(partner, len(target.surface) - 1)
    facing = ((moved.normals @ pose.turn.T) * target.surface.normals[partner]).sum(axis=1)
    return places, partner, np.isfinite(away_mm) & (facing > _ALIKE), away_mm
