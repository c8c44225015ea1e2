"""A surface view of masses and skeleton: a small first-hit ray caster over smoothed masks.

The masks are averaged down and smoothed, and each ray leaps over all that is too thin to be seen
until the occupancy passes one half; the gradient there is the normal. Depth
darkening after Luft, Colditz & Deussen 2006 (doi:10.1145/1141911.1142016) separates what lies
behind from what lies before.
"""

from dataclasses import dataclass

import edt
import numpy as np
from numba import njit
from numpy.typing import NDArray

from calcinosis.measure.mass import CtMeasurement, Labels
from calcinosis.volume import Volume
from calcinosis.write.report.drawing import Figure, figure, fitting, scale_bar, text
from calcinosis.write.report.numbers import colour, plural
from calcinosis.write.report.trilinear import between

BONE_RGB = (0.93, 0.89, 0.80)
STEP_MM = 1.0  # between rays, and along them
VOXEL_MM = 1.5  # masks are averaged down to about this
MARGIN = 4  # such voxels around them
CELL = 2  # such voxels along a cell that rays leap over
MOST_RAYS = 420  # along the longer side; a larger body is seen with coarser steps
# Occupancy that is just not seen, of a surface, and of one that covers what lies behind.
UNSEEN, HALF, FULL = 96.0, 127.5, 160.0
LIGHT = np.array([-0.42, -0.62, -0.66])  # from the upper left, before the picture


@dataclass(frozen=True, eq=False)
class Camera:
    """A parallel view of a box of the patient.

    Attributes:
        axes: rows are down, right and away from the viewer, in LPS.
        origin: LPS position of ray (0, 0) at depth 0.
        shape: samples along down, right and depth.
        step_mm: distance between samples.
    """

    axes: NDArray[np.float64]
    origin: NDArray[np.float64]
    shape: tuple[int, int, int]
    step_mm: float


@dataclass(frozen=True, eq=False)
class Hits:
    """What the rays met: depth in mm (infinite where nothing) and the surface normal."""

    depth_mm: NDArray[np.float32]
    normals: NDArray[np.float32]
    cover: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Occupancy:
    """A mask averaged down and smoothed.

    Attributes:
        field: 0…255, of the part of the patient that holds the mask.
        affine: 4×4, maps its indices (z, y, x, 1) to LPS.
        free_mm: of each cell, at least so far to a cell where something is seen; 0 in such a cell.
    """

    field: NDArray[np.uint8]
    affine: NDArray[np.float64]
    free_mm: NDArray[np.uint8]

    @property
    def corners_lps(self) -> NDArray[np.float64]:
        """The eight corners of the part."""
        ends = [(0, size - 1) for size in self.field.shape]
        corners = np.array(np.meshgrid(*ends)).reshape(3, -1).T
        return np.asarray(corners @ self.affine[:3, :3].T + self.affine[:3, 3])


def surface_views(volume: Volume, measurement: CtMeasurement) -> list[Figure]:
    """Masses and skeleton from the side of the largest mass, and a quarter turn further."""
    bone, mass = (_occupancy(mask, volume) for mask in (measurement.skeleton, measurement.labels))
    corners = np.concatenate([part.corners_lps for part in (bone, mass) if part.field.any()])
    first = _azimuth_deg(corners, measurement)
    return [
        _view(volume, measurement, bone, mass, _camera(corners, azimuth), azimuth)
        for azimuth in (first, first + (80.0 if first < 0 else -80.0))
    ]


def _azimuth_deg(corners_lps: NDArray[np.float64], measurement: CtMeasurement) -> float:
    """The side to look from: 0 is the front, positive the patient's left."""
    if not measurement.masses:
        return 20.0
    middle = (corners_lps.min(axis=0) + corners_lps.max(axis=0)) / 2
    outward = np.asarray(measurement.masses[0].centroid_lps_mm) - middle
    return float(np.degrees(np.arctan2(outward[0], -outward[1])))


def _view(
    volume: Volume,
    measurement: CtMeasurement,
    bones: Occupancy,
    masses: Occupancy,
    camera: Camera,
    azimuth_deg: float,
) -> Figure:
    bone, mass = _cast(bones, camera), _cast(masses, camera)
    tint = _tint(mass, measurement.labels, volume, camera)
    picture = _composed(bone, mass, tint)
    rows, columns = bone.depth_mm.shape
    per_ray = fitting(columns, rows)
    size = (columns * per_ray, rows * per_ray)
    scale = per_ray / camera.step_mm
    side = _side_in_words(azimuth_deg)
    marks = scale_bar(size, scale)
    for each in measurement.masses:
        row, column, _ = _project(camera, np.asarray(each.centroid_lps_mm))
        x, y = column * scale * camera.step_mm, row * scale * camera.step_mm
        marks.append(text(x, y + 5, str(each.id), kind="number", fill=colour(each.id)))
    alt = (
        f"Surface view from {side}: skeleton in ivory, "
        f"{plural(len(measurement.masses), 'calcified mass', 'calcified masses')} in colour."
    )
    return figure(picture, size, marks, alt=alt, caption=f"Seen from {side}")


def _side_in_words(azimuth_deg: float) -> str:
    sides = ("the front", "the front left", "the left", "the back left", "the back",
             "the back right", "the right", "the front right")  # fmt: skip
    return sides[round(azimuth_deg / 45) % 8]


def _camera(corners_lps: NDArray[np.float64], azimuth_deg: float) -> Camera:
    """A camera at `azimuth_deg`, a little above, that just holds the corners."""
    turn, rise = np.radians(azimuth_deg), np.radians(10.0)
    level = np.array([-np.sin(turn), np.cos(turn), 0.0])
    feet = np.array([0.0, 0.0, -1.0])
    away = np.cos(rise) * level + np.sin(rise) * feet
    down = np.cos(rise) * feet - np.sin(rise) * level
    right = np.array([np.cos(turn), np.sin(turn), 0.0])
    axes = np.stack([down, right, away])
    corners = corners_lps @ axes.T
    low, high = corners.min(axis=0), corners.max(axis=0)
    step = max(STEP_MM, float((high - low)[:2].max()) / MOST_RAYS)
    rows, columns, depth = np.ceil((high - low) / step).astype(int)
    return Camera(axes, low @ axes, (int(rows), int(columns), int(depth)), step)


def _project(camera: Camera, points_lps_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """LPS millimetres to (row, column, depth) samples of the camera."""
    return np.asarray((points_lps_mm - camera.origin) @ camera.axes.T / camera.step_mm)


def _occupancy(mask: NDArray[np.bool_ | np.uint8], volume: Volume) -> Occupancy:
    """A mask averaged down to voxels of about 1.5 mm and smoothed, cut to where it is."""
    from scipy.ndimage import gaussian_filter

    spacing = np.asarray(volume.spacing_mm)
    factors = np.maximum(1, np.round(VOXEL_MM / spacing)).astype(int)
    counts = _counted(mask, *factors.tolist())
    low, high = _box(counts)
    held = np.pad(counts[tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))], MARGIN)
    shares = held.astype(np.float32)
    sigma = np.maximum(0.9 * STEP_MM, 0.75 * spacing) / (spacing * factors)
    gaussian_filter(shares, sigma, mode="constant", truncate=3.0, output=shares)
    shares *= 255 / factors.prod()
    field = np.rint(shares, out=shares).astype(np.uint8)
    del counts, held, shares
    affine = volume.affine.copy()
    affine[:3, :3] *= factors
    affine[:3, 3] = volume.to_lps((low - MARGIN) * factors + (factors - 1) / 2)
    return Occupancy(field, affine, _free_mm(field, spacing * factors))


def _free_mm(field: NDArray[np.uint8], steps_mm: NDArray[np.float64]) -> NDArray[np.uint8]:
    """`Occupancy.free_mm`; 1 where it is less, so that 0 marks what is seen."""
    from scipy.ndimage import maximum_filter

    highest = maximum_filter(field, size=CELL + 1, origin=-(CELL // 2))[::CELL, ::CELL, ::CELL]
    unseen, cell_mm = highest <= UNSEEN, CELL * steps_mm
    between_centres_mm = edt.edt(unseen, anisotropy=tuple(cell_mm), parallel=1)
    free_mm = np.clip(between_centres_mm - np.linalg.norm(cell_mm), 1, 255)
    return np.asarray(free_mm.astype(np.uint8) * unseen)


def _box(field: NDArray[np.uint16]) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Lowest and highest index of what is not 0 along each axis (the whole grid if all is)."""
    bounds = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        held = np.flatnonzero(field.any(axis=others))
        bounds.append((held[0], held[-1]) if held.size else (0, field.shape[axis] - 1))
    low, high = np.array(bounds).T
    return low, high


@njit(cache=True)
def _counted(mask, tall, long, wide):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """How many voxels of each block are not 0; blocks at the end may be cut short."""
    planes, rows, columns = mask.shape
    total = np.zeros((-(-planes // tall), -(-rows // long), -(-columns // wide)), np.uint16)
    for z in range(planes):
        for y in range(rows):
            for x in range(columns):
                if mask[z, y, x]:
                    total[z // tall, y // long, x // wide] += 1
    return total


def _cast(part: Occupancy, camera: Camera) -> Hits:
    """Follow every ray to the surface of a mask."""
    to_index = np.linalg.inv(part.affine[:3, :3])
    start = to_index @ (camera.origin - part.affine[:3, 3])
    steps = to_index @ camera.axes.T * camera.step_mm  # columns: along down, right and away
    rays = (np.full(camera.shape[:2], np.inf, np.float32),
            np.zeros((*camera.shape[:2], 3), np.float32),
            np.zeros(camera.shape[:2], np.float32))  # fmt: skip
    if part.field.any():
        _follow(part.field, part.free_mm, camera.step_mm, start, steps, *rays)
    depth, normals, most = rays
    return Hits(depth * np.float32(camera.step_mm), normals, np.clip(most / 64.0 - 1.5, 0, 1))


@njit(cache=True)
def _follow(field, free_mm, step_mm, start, steps, depths, normals, most):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Fill in the depth in samples, the normal, and the highest occupancy met by each ray."""
    for row in range(depths.shape[0]):
        for column in range(depths.shape[1]):
            sample, last = _within(field, _place(start, steps, row, column, 0), steps[:, 2])
            while sample <= last and most[row, column] < FULL:
                place = _place(start, steps, row, column, sample)
                leap_mm = _free(free_mm, place)
                if leap_mm > 0:
                    sample += max(1, int(leap_mm / step_mm))
                    continue
                value = between(field, place, 0.0)
                if value >= HALF and depths[row, column] == np.inf:
                    before = between(field, _place(start, steps, row, column, sample - 1), 0.0)
                    exact = sample - (value - HALF) / (value - before)
                    depths[row, column] = exact
                    _normal(field, start, steps, row, column, exact, normals[row, column])
                most[row, column] = max(most[row, column], value)
                sample += 1


@njit(cache=True)
def _within(field, first, step):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The first and the last sample of a ray in the field; none where the last is before."""
    low, high = -np.inf, np.inf
    for axis in range(3):
        beyond = field.shape[axis] - 1 - first[axis]
        if step[axis] != 0:
            ends = -first[axis] / step[axis], beyond / step[axis]
            low, high = max(low, min(ends)), min(high, max(ends))
        elif first[axis] < 0 or beyond < 0:
            return 0, -1
    return int(np.ceil(low)), int(np.floor(high))


@njit(cache=True)
def _place(start, steps, row, column, sample):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Indices into the field of a sample of the camera."""
    z = start[0] + steps[0, 0] * row + steps[0, 1] * column + steps[0, 2] * sample
    y = start[1] + steps[1, 0] * row + steps[1, 1] * column + steps[1, 2] * sample
    x = start[2] + steps[2, 0] * row + steps[2, 1] * column + steps[2, 2] * sample
    return z, y, x


@njit(cache=True)
def _normal(field, start, steps, row, column, sample, slope):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Fill in the normal: to where the field falls, by differences along the camera's axes."""
    for axis in range(3):
        down, right, away = 1.0 * (axis == 0), 1.0 * (axis == 1), 1.0 * (axis == 2)
        behind = _place(start, steps, row - down, column - right, sample - away)
        ahead = _place(start, steps, row + down, column + right, sample + away)
        slope[axis] = between(field, behind, 0.0) - between(field, ahead, 0.0)
    length = max(np.sqrt(slope[0] ** 2 + slope[1] ** 2 + slope[2] ** 2), 1e-6)
    for axis in range(3):
        slope[axis] /= length


@njit(cache=True)
def _free(free_mm, place):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """What is free around the cell a place lies in; 1 outside."""
    z, y, x = place
    a, b, c = int(np.floor(z / CELL)), int(np.floor(y / CELL)), int(np.floor(x / CELL))
    planes, rows, columns = free_mm.shape
    return free_mm[a, b, c] if 0 <= a < planes and 0 <= b < rows and 0 <= c < columns else 1


def _tint(hits: Hits, labels: Labels, volume: Volume, camera: Camera) -> NDArray[np.float32]:
    """The colour of the mass each ray met, [row, column, 3]."""
    from scipy.ndimage import map_coordinates

    tint = np.zeros((*hits.depth_mm.shape, 3), dtype=np.float32)
    rows, columns = np.nonzero(np.isfinite(hits.depth_mm))
    depth = hits.depth_mm[rows, columns] / camera.step_mm + 1.0  # just below the surface
    samples = np.stack([rows, columns, depth], axis=1) * camera.step_mm
    where = volume.to_indices(camera.origin + samples @ camera.axes)
    ids = map_coordinates(labels, where.T, order=0)
    for mass_id in np.unique(ids):
        rgb = [int(colour(int(mass_id) or 1)[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        chosen = ids == mass_id
        tint[rows[chosen], columns[chosen]] = rgb
    return tint


def _composed(bone: Hits, mass: Hits, tint: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Bone, then masses over it; a mass behind bone still shines through."""
    far = np.inf
    finite = np.minimum(bone.depth_mm, mass.depth_mm)
    seen = finite[np.isfinite(finite)]
    near, far = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 1.0)
    bone_light = _light(bone, near, far)[..., None] * np.asarray(BONE_RGB)
    mass_light = _light(mass, near, far)[..., None] * tint
    front = mass.depth_mm <= bone.depth_mm + 1.0
    weight = mass.cover * np.where(front, 1.0, 0.4)
    picture = bone_light * bone.cover[..., None]
    picture = picture * (1 - weight[..., None]) + mass_light * weight[..., None]
    backdrop = 0.055 * np.clip(1 - np.maximum(bone.cover, mass.cover), 0, 1)
    return _enlarged(np.clip(picture + backdrop[..., None], 0, 1))


def _light(hits: Hits, near: float, far: float) -> NDArray[np.float32]:
    """Brightness of each ray: diffuse and a little gloss, darker behind and in the distance."""
    from scipy.ndimage import gaussian_filter

    to_light = LIGHT / np.linalg.norm(LIGHT)
    # Camera axes are down, right, away; the light is given as right, down, away.
    toward = to_light[[1, 0, 2]]
    diffuse = np.clip(hits.normals @ toward, 0, 1)
    halfway = toward + np.array([0.0, 0.0, -1.0])
    gloss = np.clip(hits.normals @ (halfway / np.linalg.norm(halfway)), 0, 1) ** 30
    depth = np.where(np.isfinite(hits.depth_mm), hits.depth_mm, far)
    behind = np.clip((depth - gaussian_filter(depth, 5.0)) / 18.0, 0, 1)
    distance = (depth - near) / max(far - near, 1.0)
    light = (0.28 + 0.68 * diffuse + 0.14 * gloss) * (1 - 0.55 * behind) * (1 - 0.3 * distance)
    return np.asarray(light, dtype=np.float32)


def _enlarged(picture: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Twice as many pixels, so that edges stay smooth on fine screens."""
    from PIL import Image

    pixels = Image.fromarray(np.asarray(picture * 255 + 0.5, dtype=np.uint8))
    height, width = picture.shape[:2]
    return np.asarray(pixels.resize((2 * width, 2 * height), Image.Resampling.BICUBIC))
