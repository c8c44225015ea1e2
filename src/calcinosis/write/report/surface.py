"""A surface view of masses and skeleton: a small first-hit ray caster over smoothed masks.

The masks are averaged down to about 1 mm, turned into the view, and for each ray the depth at
which the occupancy passes one half is found between samples; its gradient is the normal. Depth
darkening after Luft, Colditz & Deussen 2006 (doi:10.1145/1141911.1142016) separates what lies
behind from what lies before.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calcinosis.measure.mass import CtMeasurement
from calcinosis.volume import Volume
from calcinosis.write.report.drawing import Figure, figure, scale_bar, text
from calcinosis.write.report.numbers import colour, plural

BONE_RGB = (0.93, 0.89, 0.80)
STEP_MM = 1.0  # between rays, and along them
MOST_RAYS = 420  # along the longer side; a larger body is seen with coarser steps
HEIGHT, WIDEST = 300.0, 420.0  # figure units
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


def surface_views(volume: Volume, measurement: CtMeasurement) -> list[Figure]:
    """Masses and skeleton from the side of the largest mass, and a quarter turn further."""
    first = _azimuth_deg(volume, measurement)
    return [
        _view(volume, measurement, azimuth)
        for azimuth in (first, first + (80.0 if first < 0 else -80.0))
    ]


def _azimuth_deg(volume: Volume, measurement: CtMeasurement) -> float:
    """The side to look from: 0 is the front, positive the patient's left."""
    if not measurement.masses:
        return 20.0
    low, high = _box(measurement.skeleton | (measurement.labels > 0))
    middle = volume.to_lps((low + high) / 2)
    outward = np.asarray(measurement.masses[0].centroid_lps_mm) - middle
    return float(np.degrees(np.arctan2(outward[0], -outward[1])))


def _view(volume: Volume, measurement: CtMeasurement, azimuth_deg: float) -> Figure:
    masses = measurement.labels > 0
    camera = _camera(volume, measurement.skeleton | masses, azimuth_deg)
    bone, mass = (_cast(mask, volume, camera) for mask in (measurement.skeleton, masses))
    tint = _tint(mass, measurement.labels, volume, camera)
    picture = _composed(bone, mass, tint)
    rows, columns = bone.depth_mm.shape
    per_ray = min(HEIGHT / rows, WIDEST / columns)
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


def _camera(volume: Volume, mask: NDArray[np.bool_], azimuth_deg: float) -> Camera:
    """A camera at `azimuth_deg`, a little above, that just holds everything in `mask`."""
    turn, rise = np.radians(azimuth_deg), np.radians(10.0)
    level = np.array([-np.sin(turn), np.cos(turn), 0.0])
    feet = np.array([0.0, 0.0, -1.0])
    away = np.cos(rise) * level + np.sin(rise) * feet
    down = np.cos(rise) * feet - np.sin(rise) * level
    right = np.array([np.cos(turn), np.sin(turn), 0.0])
    axes = np.stack([down, right, away])
    corners = volume.to_lps(_corners(*_box(mask))) @ axes.T
    low, high = corners.min(axis=0) - 6.0, corners.max(axis=0) + 6.0
    step = max(STEP_MM, float((high - low)[:2].max()) / MOST_RAYS)
    rows, columns, depth = np.ceil((high - low) / step).astype(int)
    return Camera(axes, low @ axes, (int(rows), int(columns), int(depth)), step)


def _box(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Lowest and highest index of a mask along each axis (the whole grid if it is empty)."""
    bounds = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        held = np.flatnonzero(mask.any(axis=others))
        bounds.append((held[0], held[-1]) if held.size else (0, mask.shape[axis] - 1))
    low, high = np.array(bounds).T
    return low, high


def _corners(low: NDArray[np.int_], high: NDArray[np.int_]) -> NDArray[np.int_]:
    return np.array(np.meshgrid(*np.stack([low, high]).T)).reshape(3, -1).T


def _project(camera: Camera, points_lps_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """LPS millimetres to (row, column, depth) samples of the camera."""
    return np.asarray((points_lps_mm - camera.origin) @ camera.axes.T / camera.step_mm)


def _cast(mask: NDArray[np.bool_], volume: Volume, camera: Camera) -> Hits:
    """Follow every ray to the surface of a mask."""
    rows, columns, _ = camera.shape
    depth_mm = np.full((rows, columns), np.inf, dtype=np.float32)
    normals = np.zeros((rows, columns, 3), dtype=np.float32)
    cover = np.zeros((rows, columns), dtype=np.float32)
    if mask.any():
        field, start = _turned(mask, volume, camera)
        window = (slice(start[0], start[0] + field.shape[0]),
                  slice(start[1], start[1] + field.shape[1]))  # fmt: skip
        hit, depth, normal = _first_hits(field)
        depth_mm[window] = np.where(hit, (depth + start[2]) * camera.step_mm, np.inf)
        normals[window] = normal
        cover[window] = np.clip(field.max(axis=2) / 64.0 - 1.5, 0, 1)
    return Hits(depth_mm, normals, cover)


def _turned(
    mask: NDArray[np.bool_], volume: Volume, camera: Camera
) -> tuple[NDArray[np.uint8], NDArray[np.int_]]:
    """Occupancy (0…255) of a mask on the camera's grid, and where in it that block begins."""
    from scipy.ndimage import affine_transform

    coarse, affine = _averaged(mask, volume, camera.step_mm)
    box = volume.to_lps(_corners(*_box(mask)))
    inside = _project(camera, box)
    start = np.clip(np.floor(inside.min(axis=0)).astype(int) - 3, 0, None)
    end = np.minimum(np.ceil(inside.max(axis=0)).astype(int) + 4, camera.shape)
    inverse = np.linalg.inv(affine)
    matrix = inverse[:3, :3] @ camera.axes.T * camera.step_mm
    first = camera.origin + start * camera.step_mm @ camera.axes
    offset = inverse[:3, :3] @ first + inverse[:3, 3]
    field = affine_transform(coarse, matrix, offset, tuple(end - start), order=1, output=np.uint8)
    return field, start


def _averaged(
    mask: NDArray[np.bool_], volume: Volume, step_mm: float
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A mask cut to its box, averaged down to about `step_mm`, and smoothed; with its affine."""
    from scipy.ndimage import gaussian_filter

    low, high = _box(mask)
    spacing = np.asarray(volume.spacing_mm)
    factors = np.maximum(1, np.round(step_mm / spacing)).astype(int)
    low = np.maximum(low - 4 * factors, 0)
    box = tuple(slice(a, b) for a, b in zip(low, high + 4 * factors + 1, strict=True))
    held = mask[box]
    padding = [(0, -size % factor) for size, factor in zip(held.shape, factors, strict=True)]
    held = np.pad(held, padding)
    z, y, x = (size // factor for size, factor in zip(held.shape, factors, strict=True))
    blocks = held.reshape(z, factors[0], y, factors[1], x, factors[2])
    mean = blocks.mean(axis=(1, 3, 5), dtype=np.float32)
    sigma = np.maximum(0.9 * step_mm, 0.75 * spacing) / (spacing * factors)
    smooth = gaussian_filter(mean, sigma, mode="constant", truncate=3.0)
    affine = volume.affine.copy()
    affine[:3, :3] = volume.affine[:3, :3] * factors
    affine[:3, 3] = volume.to_lps(low + (factors - 1) / 2)
    return np.asarray(smooth * 255 + 0.5, dtype=np.uint8), affine


def _first_hits(
    field: NDArray[np.uint8],
) -> tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.float32]]:
    """Where each ray (last axis) first passes one half: hit, depth between samples, normal."""
    dense = field >= 128
    hit: NDArray[np.bool_] = np.asarray(dense.any(axis=2))
    depth = np.zeros(hit.shape, dtype=np.float32)
    normals = np.zeros((*hit.shape, 3), dtype=np.float32)
    rows, columns = np.nonzero(hit)
    last = dense.argmax(axis=2)[rows, columns]
    before = np.maximum(last - 1, 0)
    high = field[rows, columns, last].astype(np.float32)
    low = field[rows, columns, before].astype(np.float32)
    part = np.clip((127.5 - low) / np.maximum(high - low, 1.0), 0, 1)
    depth[rows, columns] = before + part
    slope = (1 - part)[:, None] * _gradient(field, rows, columns, before)
    slope += part[:, None] * _gradient(field, rows, columns, last)
    normals[rows, columns] = -slope / np.maximum(np.linalg.norm(slope, axis=1), 1e-6)[:, None]
    return hit, depth, normals


def _gradient(field: NDArray[np.uint8], *index: NDArray[np.int_]) -> NDArray[np.float32]:
    """Central differences of a field at some of its samples, [n, 3]."""
    slopes = []
    for axis in range(3):
        ahead, behind = list(index), list(index)
        ahead[axis] = np.minimum(index[axis] + 1, field.shape[axis] - 1)
        behind[axis] = np.maximum(index[axis] - 1, 0)
        slopes.append(field[tuple(ahead)].astype(np.float32) - field[tuple(behind)])
    return np.stack(slopes, axis=1)


def _tint(
    hits: Hits, labels: NDArray[np.uint8], volume: Volume, camera: Camera
) -> NDArray[np.float32]:
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
