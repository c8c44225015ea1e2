"""The surface of a bone beside a mass: its points, its cortex, and its smooth continuation.

A continuation joins surface points by a cubic radial basis function, whose zero level bridges what
is left out (Carr et al. 2001, doi:10.1145/383259.383266).
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from calcinosis.measure.distance import Spacing
from calcinosis.measure.gaussian import gaussian
from calcinosis.measure.masks import bounds, widened
from calcinosis.measure.working_grid import Box

SCALE_MM = 10.0
SMOOTHING = 0.02
SMOOTHED_MM, TRUNCATE = 1.5, 4.0  # standard deviation; how many of them the filter sees
OFFSET_MM = 2.5  # the distance is also prescribed this far above and below the surface
OUTSIDE_MM, AIR_HU = 2.0, -150.0
CORTEX_DEPTHS_MM = np.array([0.5, 1.0, 1.5, 2.0])  # where the dense line of a cortex is looked for


@dataclass(frozen=True, eq=False)
class SurfacePoints:
    """Points on bone: place (n, 3) in mm, outward normal, distance to the mass, cortex in HU.

    `voxels` (n, 3) are those of bone that the points lie on. Beside lung or air the blur darkens a
    thin cortex: such points do not tell what it lost.
    """

    places: NDArray[np.float64]
    normals: NDArray[np.float64]
    to_mass_mm: NDArray[np.float32]
    cortex_hu: NDArray[np.float64]
    beside_air: NDArray[np.bool_]
    voxels: NDArray[np.int64]

    def __getitem__(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> "SurfacePoints":
        return SurfacePoints(
            self.places[chosen],
            self.normals[chosen],
            self.to_mass_mm[chosen],
            self.cortex_hu[chosen],
            self.beside_air[chosen],
            self.voxels[chosen],
        )

    def __len__(self) -> int:
        return len(self.places)


def surface_points(
    hu: NDArray[np.int16],
    to_bone_mm: NDArray[np.float32],
    to_mass_mm: NDArray[np.float32],
    spacing_mm: Spacing,
    reach_mm: float,
) -> SurfacePoints:
    """The outermost voxels of bone within reach of the mass, moved onto the surface between voxels.

    The cortex of a point is the brightest of a short line from it into the bone.
    """
    spacing = np.asarray(spacing_mm)
    shell = (to_bone_mm < 0) & (to_bone_mm > -1.01 * max(spacing_mm)) & (to_mass_mm < reach_mm)
    chosen = np.argwhere(shell)
    gradient = _smooth_gradient_at(to_bone_mm, chosen, bounds(shell), spacing)
    length = np.linalg.norm(gradient, axis=1)
    clear = length > 0.3
    chosen, normals = chosen[clear], gradient[clear] / length[clear, None]
    places = chosen * spacing - normals * to_bone_mm[tuple(chosen.T)][:, None]
    inward = places[:, None] - normals[:, None] * CORTEX_DEPTHS_MM[:, None]
    line = at_places(hu, inward.reshape(-1, 3), spacing_mm).reshape(inward.shape[:2])
    outside = at_places(hu, places + OUTSIDE_MM * normals, spacing_mm)
    to_mass = to_mass_mm[tuple(chosen.T)]
    return SurfacePoints(places, normals, to_mass, line.max(axis=1), outside < AIR_HU, chosen)


def _smooth_gradient_at(
    field: NDArray[np.float32],
    voxels: NDArray[np.int64],
    box: Box,
    spacing_mm: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Gradient of a smoothed field at voxels (n, 3) of a box: no more of it is looked at."""
    sigma = SMOOTHED_MM / spacing_mm
    room = widened(box, [int(TRUNCATE * s + 0.5) + 2 for s in sigma])
    smooth = gaussian(field[room], sigma, truncate=TRUNCATE)
    return gradient_at(smooth, voxels - [extent.start for extent in room], spacing_mm)


def gradient_at(
    field: NDArray[np.float32], voxels: NDArray[np.int64], spacing_mm: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Central differences (n, 3) at voxels (n, 3), one-sided at the edge of the field."""
    slopes = np.empty(voxels.shape)
    for axis, size in enumerate(field.shape):
        ahead, behind = voxels.copy(), voxels.copy()
        ahead[:, axis] = np.minimum(voxels[:, axis] + 1, size - 1)
        behind[:, axis] = np.maximum(voxels[:, axis] - 1, 0)
        steps = (ahead - behind)[:, axis] * spacing_mm[axis]
        slopes[:, axis] = (field[tuple(ahead.T)] - field[tuple(behind.T)]) / steps
    return slopes


def far_from(
    places: NDArray[np.float64], others: NDArray[np.float64], gap_mm: float
) -> NDArray[np.bool_]:
    """Which places keep a gap from all others."""
    if len(others) == 0:
        return np.ones(len(places), dtype=bool)
    distance, _ = cKDTree(others).query(places, distance_upper_bound=np.nextafter(gap_mm, np.inf))
    return np.asarray(np.isinf(distance))


def largest_patch(points: SurfacePoints, gap_mm: float) -> SurfacePoints:
    """The most numerous points that hang together, neighbours being closer than the gap."""
    if len(points) == 0:
        return points
    patch = patches(points.places, gap_mm)
    return points[patch == np.bincount(patch).argmax()]


def patches(places: NDArray[np.float64], gap_mm: float) -> NDArray[np.int32]:
    """Which patch (0, 1, …) each place (n, 3) belongs to, neighbours being closer than the gap."""
    if len(places) == 0:
        return np.zeros(0, np.int32)
    pairs = cKDTree(places).query_pairs(gap_mm, output_type="ndarray")
    linked = coo_array((np.ones(len(pairs)), pairs.T), shape=(len(places), len(places)))
    return np.asarray(connected_components(linked, directed=False)[1])


def at_places(
    field: NDArray[np.float32] | NDArray[np.int16], places: NDArray[np.float64], spacing_mm: Spacing
) -> NDArray[np.float64]:
    """A field on the native grid at places in mm."""
    indices = (places / np.asarray(spacing_mm)).T
    return np.asarray(
        ndimage.map_coordinates(field, indices, order=1, mode="nearest", output=np.float64)
    )


@dataclass(frozen=True, eq=False)
class Bridge:
    """A cubic radial basis function with a linear part: the smoothest surface through points."""

    centres: NDArray[np.float64]
    weights: NDArray[np.float64]
    plane: NDArray[np.float64]

    @classmethod
    def through(cls, points: NDArray[np.float64], values: NDArray[np.float64]) -> "Bridge":
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
        linear = self.plane[0] + places @ self.plane[1:] / SCALE_MM
        return np.asarray(linear + _cubic(places / SCALE_MM, self.centres / SCALE_MM, self.weights))


@njit(cache=True)
def _cubic(
    places: NDArray[np.float64], centres: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sum over the centres of weight times distance³, without a table of all distances."""
    result = np.zeros(len(places))
    along_z, along_y, along_x = places[:, 0].copy(), places[:, 1].copy(), places[:, 2].copy()
    for m in range(len(centres)):
        weight, (centre_z, centre_y, centre_x) = weights[m], centres[m]
        for n in range(len(result)):  # the inner loop, so that many places are done at once
            z, y, x = along_z[n] - centre_z, along_y[n] - centre_y, along_x[n] - centre_x
            squared = z * z + y * y + x * x
            result[n] += weight * squared * np.sqrt(squared)
    return result


def continuation(
    points: SurfacePoints, to_bone_mm: NDArray[np.float32], spacing_mm: Spacing
) -> Bridge:
    """The smoothest surface through points, rising along their normals.

    A place off the surface counts only where no other surface (a thin bone's far side, the floor of
    a defect) is nearer.
    """
    places = [points.places]
    values = [np.zeros(len(points))]
    for offset in (OFFSET_MM, -OFFSET_MM):
        shifted = points.places + offset * points.normals
        own = np.abs(at_places(to_bone_mm, shifted, spacing_mm) - offset) < OFFSET_MM / 5
        places.append(shifted[own])
        values.append(np.full(np.count_nonzero(own), offset))
    return Bridge.through(np.concatenate(places), np.concatenate(values))


def crossings(field: NDArray[np.float64], step_mm: float) -> NDArray[np.float64]:
    """Places (n, 3) in mm where a field on a grid passes zero between two known nodes.

    Args:
        field: NaN where it is not known.
        step_mm: of the grid.
    """
    found = []
    for axis in range(3):
        before = np.moveaxis(field, axis, 0)[:-1]
        after = np.moveaxis(field, axis, 0)[1:]
        index = np.argwhere((before < 0) != (after < 0)) if len(before) else np.zeros((0, 3), int)
        one, other = before[tuple(index.T)], after[tuple(index.T)]
        places = index.astype(np.float64)
        places[:, 0] += one / (one - other)
        found.append(np.insert(places[:, 1:], axis, places[:, 0], axis=1)[np.isfinite(one - other)])
    return np.concatenate(found) * step_mm
