"""Training examples: masses drawn into donor blocks with wide variety, and the truth beside them.

Everything a mass can look like is drawn from broad distributions rather than from one style:
packed locules, Voronoi cells with septa, balls, amorphous chalk, sediment under fluid, rims, soft
outer walls or none, any density. Some lie in plain bodies of muscle, fat and tubes of bone. Half of
the blocks with a mass also hold a seed point on one, as a user would set it. The generator that
judges (`calcinosis.phantom`) shares nothing with this one.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import edt
import numpy as np
import torch
from scipy import ndimage
from scipy.spatial import cKDTree
from torch.nn import functional

BLOCK = 64  # voxels of 1.5 mm
FINE = 2  # masses are drawn on a grid this much finer
GRID_MM = 1.5
MUSCLE_HU = 110  # what is drawn brighter than this is no muscle
THICKEST_WALL = 3.3  # fine voxels: a capsule or septum of 2.5 mm
PLAIN_SHARE = 0.15  # of the blocks are plain bodies
BACKGROUND, MASS, SKELETON, IGNORE = 0, 1, 2, 255


@dataclass(frozen=True)
class Donor:
    """Arrays of one donor file."""

    hu: np.ndarray
    skeleton: np.ndarray
    ignore: np.ndarray
    occupied: np.ndarray
    noise_hu: float
    slice_blur_mm: float

    @staticmethod
    def read(path: Path) -> "Donor":
        """Load one donor file."""
        with np.load(path) as data:
            return Donor(
                *(data[name] for name in ("hu", "skeleton", "ignore", "occupied")),
                noise_hu=float(data["noise_hu"]),
                slice_blur_mm=float(data["slice_blur_mm"]),
            )


Shape = tuple[int, int, int]


def zoom(field: np.ndarray, shape: Shape) -> np.ndarray:
    """Trilinear enlargement."""
    tensor = torch.from_numpy(np.ascontiguousarray(field, dtype=np.float32))[None, None]
    return functional.interpolate(tensor, size=shape, mode="trilinear")[0, 0].numpy()


def smooth_noise(rng: np.random.Generator, shape: Shape, wavelength_mm: float) -> np.ndarray:
    """Band-limited noise, about unit variance, on the fine grid."""
    knots = [max(3, int(np.ceil(size * GRID_MM / FINE / wavelength_mm)) + 2) for size in shape]
    field = zoom(rng.standard_normal(knots), shape)
    return field / (field.std() + 1e-6)


def distance_to(mask: np.ndarray) -> np.ndarray:
    """Distance to the nearest voxel of a mask, in voxels; far away where there is none."""
    if not mask.any():
        return np.full(mask.shape, 999, np.float32)
    return edt.edt(~mask, parallel=1)


def offsets(shape: Shape, centre: np.ndarray) -> list[np.ndarray]:
    """Voxel distance from a centre along each axis, to be broadcast."""
    axes = np.ogrid[tuple(slice(0, size) for size in shape)]
    return [(axis - c).astype(np.float32) for axis, c in zip(axes, centre, strict=True)]


def blur(field: np.ndarray, sigma: tuple[float, float, float]) -> np.ndarray:
    """Separable Gaussian, sigma in voxels of the field."""
    return ndimage.gaussian_filter(field, sigma, truncate=3.0)


def outline(
    rng: np.random.Generator, shape: Shape, centre: np.ndarray, radius: float
) -> np.ndarray:
    """Signed outline function (negative inside, about voxels) of one irregular mass."""
    field = np.full(shape, np.inf, dtype=np.float32)
    lobes = int(rng.choice([1, 1, 2, 3, 5, 8, 14]))
    for _ in range(lobes):
        lobe_radius = radius if lobes == 1 else radius * rng.uniform(0.35, 0.7)
        shift = rng.standard_normal(3)
        shift *= (radius - lobe_radius) / (np.linalg.norm(shift) + 1e-6) * rng.uniform(0.4, 1.1)
        stretch = np.exp(rng.normal(0, 0.25, 3))
        stretch /= np.prod(stretch) ** (1 / 3)
        z, y, x = (
            (away / width) ** 2
            for away, width in zip(offsets(shape, centre + shift), stretch, strict=True)
        )
        field = np.minimum(field, np.sqrt(z + y + x) - lobe_radius)
    roughness = rng.uniform(0, 0.22)
    return field + roughness * radius * smooth_noise(
        rng, shape, max(4.0, radius * rng.uniform(0.3, 0.9))
    )


def cells(
    rng: np.random.Generator, field: np.ndarray, pitch: float
) -> tuple[np.ndarray, np.ndarray]:
    """Voronoi cell index inside the outline, and distance to the nearest cell wall, fine voxels."""
    half = np.array(field.shape) // FINE
    count = int(np.clip(np.prod(half * FINE / pitch), 8, 6000))
    seeds = rng.uniform(-2, half + 2, (count, 3))
    coarse = pool(field) < FINE
    warp = rng.uniform(0.6, 1.6, 3)
    near, index = cKDTree(seeds * warp).query((np.argwhere(coarse) + 0.5) * warp, k=2)
    wall, cell = np.zeros(half, np.float32), np.zeros(half, int)
    wall[coarse], cell[coarse] = (near[:, 1] - near[:, 0]) / 2 * FINE, index[:, 0]
    cell = cell.repeat(FINE, 0).repeat(FINE, 1).repeat(FINE, 2)
    return cell, zoom(wall, field.shape)


def cell_contents(
    rng: np.random.Generator, index: np.ndarray, gravity: int, texture: np.ndarray
) -> np.ndarray:
    """Hounsfield units inside the cells: paste, chalk, fluid, or sediment under fluid."""
    count = int(index.max()) + 1
    cystic = rng.random() < 0.3
    mixture = rng.dirichlet([0.3, 0.2, 2.0, 2.0] if cystic else [1.2, 0.6, 0.5, 1.6])
    kinds = rng.choice(4, count, p=mixture)
    centre_hu = rng.uniform(250, 1300)
    paste = np.clip(centre_hu * np.exp(rng.normal(0, rng.uniform(0, 0.35), count)), 180, 2000)
    chalk = rng.uniform(110, 320, count)
    fluid = rng.uniform(-10, 60, count)
    sediment = rng.uniform(180, 1000, count)
    values = np.choose(kinds, [paste, chalk, fluid, sediment])[index]
    values = values * (1 + rng.uniform(0, 0.35) * texture * (kinds < 2)[index])
    height = offsets(index.shape, np.zeros(3))[abs(gravity) - 1] * np.sign(gravity)
    height = np.broadcast_to(height, index.shape)
    weights = np.bincount(index.ravel(), minlength=count)
    mean = np.bincount(index.ravel(), height.ravel(), minlength=count) / np.maximum(weights, 1)
    spread = np.sqrt(
        np.bincount(index.ravel(), (height**2).ravel(), minlength=count) / np.maximum(weights, 1)
        - mean**2
    ).clip(0)
    level = mean + rng.uniform(-1, 1, count) * spread
    above = (kinds == 3)[index] & (height < level[index])
    return np.where(above, fluid[index], values)


def mass_hounsfield(
    rng: np.random.Generator, radius: float, field: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hounsfield units of one mass on the fine grid, where it is drawn, and what counts as mass.

    Muscle-like matrix between scattered pieces is drawn but does not count: the envelope is the
    locules with their walls, closed with a 3 mm ball.
    """
    gravity = int(rng.choice([2, 2, 2, -2, 3, -3]))
    texture = smooth_noise(rng, field.shape, rng.uniform(1.5, 12))
    style = rng.choice(["voronoi", "packed", "cloud", "single"], p=[0.35, 0.35, 0.2, 0.1])
    inside = field < 0
    counts = inside
    matrix = rng.uniform(20, 90) if rng.random() < 0.7 else rng.uniform(90, 500)
    thickness = 0.0
    if style == "cloud":
        level = rng.uniform(-1.0, 0.4)
        density = np.clip((texture - level) / rng.uniform(0.2, 1.0), 0, 1)
        hu = matrix + density * rng.uniform(250, 1400)
        counts = inside & ((density > 0.15) | (matrix > MUSCLE_HU))
    elif style == "single":
        index = np.zeros(field.shape, dtype=int)
        hu = cell_contents(rng, index, gravity, texture)
        if rng.random() < 0.5:
            hu = np.where(field > -rng.uniform(0.6, 4), rng.uniform(100, 900), hu)
    else:
        pitch = np.clip(rng.uniform(6, 40), 6, max(8, radius * 1.2))
        index, wall = cells(rng, field, pitch)
        hu = cell_contents(rng, index, gravity, texture)
        thickness = rng.uniform(0.5, 2.5) if style == "voronoi" else rng.uniform(0.1, 0.3) * pitch
        hu = np.where(wall < thickness, matrix, hu)
        own_wall = rng.uniform(0.3, THICKEST_WALL)
        counts = inside & ((wall >= thickness - own_wall) | (matrix > MUSCLE_HU))
        if rng.random() < 0.45:  # rimmed locules: fluid in a shell looks like marrow in cortex
            rimmed = (rng.random(int(index.max()) + 1) < rng.uniform(0.3, 1.2))[index]
            shell = (wall >= thickness) & (wall < thickness + rng.uniform(0.7, 3.0))
            hu = np.where(shell & rimmed, rng.uniform(150, 1100), hu)
    if rng.random() < 0.5:
        patchy = smooth_noise(rng, field.shape, rng.uniform(8, 30)) > rng.uniform(-2.5, 0.3)
        rim = (field > -rng.uniform(0.8, 4.0)) & patchy
        hu = np.where(rim, rng.uniform(150, 1000), hu)
        counts = counts | (rim & inside)
    if rng.random() < 0.75:  # fibrous wall, mostly about as thick as the septa
        like_septa = thickness > 0 and rng.random() < 0.6
        wall = thickness * rng.uniform(0.7, 2) if like_septa else rng.uniform(0.3, THICKEST_WALL)
        hu = np.where(field > -wall, rng.uniform(30, 90), hu)
        counts = counts & (field < max(0.0, wall - THICKEST_WALL) * -1)
    return hu.astype(np.float32), inside, counts


def ball_cluster(
    rng: np.random.Generator, shape: Shape, centre: np.ndarray, radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """Hounsfield units and mask, fine grid, of one to many balls; nothing lies between them."""
    count = int(rng.choice([1, 1, 1, 2, 4, 8, 14]))
    spread, gravity = radius * rng.uniform(0.35, 0.7), int(rng.choice([2, 2, -2, 3, -3]))
    texture = rng.uniform(0, 0.3) * smooth_noise(rng, shape, rng.uniform(1.5, 12))
    wall = rng.uniform(0.5, THICKEST_WALL) if rng.random() < 0.6 else 0.0
    calcified_walls = rng.random() < 0.4
    height = offsets(shape, np.zeros(3))[abs(gravity) - 1] * np.sign(gravity)
    kinds = rng.dirichlet([1.0, 0.5, 0.4, 2.0])
    middle_hu = rng.uniform(220, 1100)
    hu, inside = np.zeros(shape, np.float32), np.zeros(shape, bool)
    for _ in range(count):
        own = radius if count == 1 else radius * rng.uniform(0.3, 0.6)
        place = centre + (count > 1) * rng.standard_normal(3) * spread
        stretch = np.exp(rng.normal(0, 0.2, 3))
        away = sum((a / w) ** 2 for a, w in zip(offsets(shape, place), stretch, strict=True))
        depth = own - np.sqrt(away)
        new = (depth > 0) & ~inside
        paste = middle_hu * np.exp(rng.normal(0, rng.uniform(0, 0.3)))
        fluid, chalk = rng.uniform(-5, 50), rng.uniform(120, 320)
        level = place[abs(gravity) - 1] * np.sign(gravity) + own * rng.uniform(-0.8, 0.8)
        layers = np.where(height < level, fluid, paste)
        content = [paste * (1 + texture), chalk * (1 + texture), fluid, layers][
            rng.choice(4, p=kinds)
        ]
        wall_hu = rng.uniform(150, 900) if calcified_walls else rng.uniform(30, 90)
        hu = np.where(new, np.where(depth < wall, wall_hu, content), hu)
        inside |= new
    return hu, inside


def pool(field: np.ndarray) -> np.ndarray:
    """Mean over FINE³ voxels."""
    z, y, x = (size // FINE for size in field.shape)
    return field.reshape(z, FINE, y, FINE, x, FINE).mean((1, 3, 5))


def draw_mass(
    rng: np.random.Generator,
    hu: np.ndarray,
    skeleton: np.ndarray,
    noise_hu: float,
    slice_blur_mm: float,
    taken: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Put one mass into a block; returns Hounsfield units and the envelope."""
    smallest, largest = (6.5, 16) if rng.random() < 0.5 else (10, 42)
    radius_mm = np.exp(rng.uniform(np.log(smallest), np.log(largest)))
    to_bone = distance_to(skeleton) * GRID_MM
    body = (hu > -300) & ~taken
    to_skin = distance_to(~body) * GRID_MM
    places = body & ~skeleton & (to_skin > min(6, radius_mm * 0.5))
    near = rng.random() < 0.6
    if near:
        places &= to_bone < radius_mm * 1.1 + 3
    envelope = np.zeros_like(skeleton)
    if not places.any():
        return hu, envelope
    options = np.argwhere(places)
    middle = options[rng.integers(len(options))]
    reach = int(np.ceil(1.7 * radius_mm / GRID_MM)) + 5
    box = tuple(
        slice(max(0, m - reach), min(n, m + reach + 1))
        for m, n in zip(middle, hu.shape, strict=True)
    )
    centre = (middle - [extent.start for extent in box] + 0.5) * FINE
    touching = near and rng.random() < 0.7
    alpha, value, counted, allowed = mass_in_box(
        rng,
        centre,
        radius_mm / GRID_MM * FINE,
        to_bone[box],
        to_skin[box],
        taken[box],
        touching=touching,
    )
    sigma = rng.uniform(0.25, 0.6)
    sigmas = (float(np.hypot(sigma, slice_blur_mm / GRID_MM * rng.uniform(0.5, 1))), sigma, sigma)
    alpha_blurred, value = blur(alpha, sigmas), blur(value, sigmas)
    grain = blur(rng.standard_normal(alpha.shape), (0.6, 0.6, 0.6))
    grain *= noise_hu * rng.uniform(0.8, 1.5) / (grain.std() + 1e-6)
    drawn = hu.copy()
    drawn[box] = hu[box] * (1 - alpha_blurred) + value + grain * alpha_blurred
    envelope[box] = close_ball(counted > 0.5, 2.0) & allowed
    return drawn.astype(np.float32), envelope


def mass_in_box(
    rng: np.random.Generator,
    centre: np.ndarray,
    radius: float,
    to_bone: np.ndarray,
    to_skin: np.ndarray,
    taken: np.ndarray,
    *,
    touching: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Occupancy, Hounsfield units times occupancy, what counts, and where it may, for one box."""
    shape = tuple(FINE * size for size in to_bone.shape)
    field = outline(rng, shape, centre, radius)
    allowed = to_bone > (0 if touching else rng.uniform(1.0, 10))
    if touching and rng.random() < 0.2:
        bite_centre = centre + rng.normal(0, radius * 0.5, 3)
        bite = outline(rng, shape, bite_centre, radius * rng.uniform(0.4, 0.9))
        allowed |= pool((bite < 0).astype(np.float32)) > 0.5
    allowed &= (to_skin > rng.uniform(0, 4)) & ~taken
    wall = distance_to(~allowed)
    beyond = (0.6 - zoom(wall, shape)) * FINE
    if rng.random() < 0.3:
        content, inside = ball_cluster(rng, shape, centre, radius)
        inside &= beyond < 0
        counts = inside
    else:
        content, inside, counts = mass_hounsfield(rng, radius, np.maximum(field, beyond))
    drawn = (inside.astype(np.float32), np.where(inside, content, 0), counts.astype(np.float32))
    alpha, value, counted = map(pool, drawn)
    return alpha, value, counted, allowed


def close_ball(mask: np.ndarray, radius: float) -> np.ndarray:
    """Closing with a ball, the block's border taken as outside."""
    if not mask.any():
        return mask
    grown = distance_to(mask) <= radius
    return (distance_to(~np.pad(grown, 4, mode="edge"))[4:-4, 4:-4, 4:-4] > radius) | mask


def draw_vessel(
    rng: np.random.Generator, hu: np.ndarray, axes: np.ndarray, start: np.ndarray
) -> np.ndarray:
    """A wandering tube with an opaque lumen or plaques in its wall."""
    course = rng.standard_normal(3) * [3, 1, 1]
    course /= np.linalg.norm(course)
    bend = rng.normal(0, 0.015, 3)
    steps = np.arange(-50, 50, 0.7)[:, None]
    path = start + steps * course + steps**2 * bend * 0.3
    near, _ = cKDTree(path).query(axes.reshape(3, -1).T, distance_upper_bound=8)
    near = near.reshape(hu.shape)
    lumen = rng.uniform(1.0, 3.5)
    if rng.random() < 0.4:
        part = np.clip(lumen - near + 0.5, 0, 1)
        return hu * (1 - part) + part * rng.uniform(180, 450)
    plaque = smooth_noise(rng, hu.shape, rng.uniform(6, 20)) > rng.uniform(-2, 1)
    part = np.clip(rng.uniform(0.6, 1.1) - np.abs(near - lumen), 0, 1) * plaque
    return hu * (1 - part) + part * rng.uniform(200, 1000)


def draw_viscus(rng: np.random.Generator, hu: np.ndarray, skeleton: np.ndarray) -> np.ndarray:
    """Opacified bowel or bladder, deep in the body: even or layered, a soft wall, mostly in fat."""
    body = np.pad(hu > -300, 1, constant_values=True)
    to_skin = distance_to(~body)[1:-1, 1:-1, 1:-1] * GRID_MM
    deep = np.argwhere((to_skin > 40) & (distance_to(skeleton) * GRID_MM > 12))
    if len(deep) == 0:
        return hu
    place = deep[rng.integers(len(deep))]
    field = outline(rng, hu.shape, place.astype(float), rng.uniform(5, 16))
    contrast = rng.uniform(130, 380) if rng.random() < 0.8 else rng.uniform(380, 1200)
    content = np.full(hu.shape, contrast)
    if rng.random() < 0.3:  # contrast settles, or urine lies above it
        content[:, : place[1] + int(rng.normal(0, 4))] = rng.uniform(-10, 40)
    wall, fat = rng.uniform(0.7, 2.5), rng.uniform(2, 6) * (rng.random() < 0.7)
    for edge, value in ((wall + fat, -95.0), (wall, 45.0), (0.0, content)):
        part = np.clip(edge + 0.5 - field, 0, 1) * ~skeleton
        hu = hu * (1 - part) + part * value
    return hu


def draw_decoys(rng: np.random.Generator, hu: np.ndarray, skeleton: np.ndarray) -> np.ndarray:
    """What must not be called a mass: vessel walls, phleboliths, contrast, metal."""
    hu = hu.copy()
    soft = np.argwhere((hu > -150) & ~skeleton)
    if len(soft) == 0:
        return hu
    axes = np.indices(hu.shape, dtype=np.float32)
    start = soft[rng.integers(len(soft))].astype(float)
    for _ in range(int(rng.choice([0, 1, 2, 4], p=[0.55, 0.2, 0.15, 0.1]))):
        hu = draw_vessel(rng, hu, axes, start + rng.normal(0, 6, 3))
    for _ in range(int(rng.integers(0, 4)) if rng.random() < 0.3 else 0):  # phleboliths, granulomas
        centre, radius = soft[rng.integers(len(soft))], rng.uniform(0.8, 2.6)
        distance = np.sqrt(sum((axes[i] - centre[i]) ** 2 for i in range(3)))
        part = np.clip(radius - distance + 0.5, 0, 1)
        hollow = np.clip(radius * 0.5 - distance + 0.5, 0, 1) * (rng.random() < 0.5)
        hu = hu * (1 - part) + part * (rng.uniform(200, 900) * (1 - 0.6 * hollow))
    if rng.random() < 0.15:
        hu = draw_viscus(rng, hu, skeleton)
    if rng.random() < 0.08:  # nail or screw
        bone = np.argwhere(skeleton)
        if len(bone):
            centre, course = bone[rng.integers(len(bone))], rng.standard_normal(3)
            course /= np.linalg.norm(course)
            offset = axes - centre[:, None, None, None]
            along = np.tensordot(course, offset, 1)
            across = np.sqrt(np.maximum((offset**2).sum(0) - along**2, 0))
            part = np.clip(rng.uniform(1.5, 4.5) - across + 0.5, 0, 1) * (np.abs(along) < 30)
            streaks = part.max() * blur(rng.standard_normal(hu.shape), (0.3, 2, 2)) * 250
            hu = hu * (1 - part) + part * 3071 + streaks * np.exp(-across / 6) * (part < 0.5)
    return hu


def plain_donor(rng: np.random.Generator) -> Donor:
    """A body as simple phantoms draw it: muscle, perhaps fat and skin, tubes and balls of bone."""
    shape = (BLOCK + 16,) * 3
    hu = np.full(shape, rng.uniform(35, 65), np.float32)
    along = offsets(shape, np.full(3, shape[0] / 2))
    if rng.random() < 0.6:
        side = int(rng.choice([1, 2]))
        depth = along[side] * rng.choice([-1, 1]) + 0 * hu
        skin, fat = rng.uniform(10, 45), rng.uniform(0, 15)
        hu[depth > skin - fat] = rng.uniform(-115, -80)
        hu[depth > skin] = -1000
    skeleton = np.zeros(shape, bool)
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.15, 0.4, 0.3, 0.15]))):
        course = rng.standard_normal(3) * [4, 1, 1]
        course /= np.linalg.norm(course)
        away = [a - rng.normal(0, 18) for a in along]
        run = sum(a * c for a, c in zip(away, course, strict=True))
        if rng.random() < 0.3:
            run = run * rng.uniform(0, 0.6)  # an ellipsoid: a bone's end
        off_axis = np.sqrt(sum((a - run * c) ** 2 for a, c in zip(away, course, strict=True)))
        depth = rng.uniform(4, 16) - off_axis
        bone = (depth > 0) & (hu > -500)
        cortex = rng.uniform(0.7, 4)
        hu[bone] = np.where(depth < cortex, rng.uniform(600, 1500), rng.uniform(-80, 300))[bone]
        skeleton |= bone
    hu = blur(hu, (rng.uniform(0.3, 0.7),) * 3)
    noise_hu = rng.uniform(3, 18)
    grain = blur(rng.standard_normal(shape), (0.5,) * 3)
    hu = hu + grain / grain.std() * noise_hu
    empty = np.zeros(shape, bool)
    return Donor(hu, skeleton, empty, empty, noise_hu=noise_hu, slice_blur_mm=rng.uniform(0, 1.3))


def augment(rng: np.random.Generator, hu: np.ndarray, skeleton: np.ndarray) -> np.ndarray:
    """Other scanners and other bones: density, blur, noise."""
    if rng.random() < 0.5:
        factor = rng.uniform(0.35, 1.15)
        dense = np.clip((hu - 100) / 100, 0, 1) * blur(skeleton.astype(np.float32), (0.7, 0.7, 0.7))
        hu = hu - dense * (1 - factor) * np.maximum(hu - 60, 0)
    return hu


def bent(rng: np.random.Generator, hu: np.ndarray, *masks: np.ndarray) -> list[np.ndarray]:
    """Another patient's proportions: the block turned, stretched, sheared and bent a little."""
    matrix = np.eye(3) + rng.normal(0, 0.07, (3, 3))
    affine = torch.from_numpy(np.c_[matrix, np.zeros(3)])[None].float()
    grid = functional.affine_grid(affine, (1, 1, *hu.shape), align_corners=False)
    bend = rng.normal(0, 0.035, (1, 3, 5, 5, 5)).astype(np.float32)
    bend = functional.interpolate(torch.from_numpy(bend), size=hu.shape, mode="trilinear")
    grid = grid + bend.permute(0, 2, 3, 4, 1)

    def sample(field: np.ndarray) -> np.ndarray:
        tensor = torch.from_numpy(field.astype(np.float32))[None, None]
        values = functional.grid_sample(tensor, grid, "bilinear", "reflection", align_corners=False)
        return values[0, 0].numpy()

    return [sample(hu), *(sample(mask) > 0.5 for mask in masks)]


def seed_point(rng: np.random.Generator, hu: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Where a user would click: one of the brighter voxels of a mass, z, y, x."""
    inside = np.argwhere(mass)
    values = hu[mass]
    bright = inside[values >= np.percentile(values, rng.uniform(50, 95))]
    return bright[rng.integers(len(bright))]


def example(rng: np.random.Generator, donor: Donor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One training block: int16 Hounsfield units and uint8 labels, BLOCK³ each; and a seed.

    The seed is z, y, x in voxels, or −1 where there is none. A mass with next to no calcium is left
    out of the lesson (IGNORE) unless the seed lies on it.
    """
    pad = [(0, max(0, BLOCK - n)) for n in donor.hu.shape]
    hu, skeleton, ignore, occupied = (
        np.pad(array, pad, constant_values=value)
        for array, value in (
            (donor.hu, -1000),
            (donor.skeleton, False),
            (donor.ignore, False),
            (donor.occupied, False),
        )
    )
    anchors = np.argwhere((skeleton if rng.random() < 0.75 else hu > -300)[::3, ::3, ::3]) * 3
    if len(anchors) == 0:
        anchors = np.array([[n // 2 for n in hu.shape]])
    corner = anchors[rng.integers(len(anchors))] - rng.integers(8, BLOCK - 8, 3)
    corner = np.clip(corner, 0, np.array(hu.shape) - BLOCK)
    box = tuple(slice(c, c + BLOCK) for c in corner)
    block, bone, unknown, taken = (a[box].copy() for a in (hu, skeleton, ignore, occupied))
    if rng.random() < 0.6:
        block, bone, unknown, taken = bent(rng, block, bone, unknown, taken)
    block = draw_decoys(rng, augment(rng, block, bone), bone)
    envelope, faint = np.zeros_like(bone), np.zeros_like(bone)
    seed = np.full(3, -1)
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.25, 0.4, 0.2, 0.15]))):
        block, new = draw_mass(rng, block, bone, donor.noise_hu, donor.slice_blur_mm, taken)
        if new.any() and seed[0] < 0 and block[new].max() > 180 and rng.random() < 0.5:
            seed = seed_point(rng, block, new)
            envelope |= new
        elif new.any() and (block[new] > 180).mean() > 0.08:
            envelope |= new
        else:
            faint |= new
        taken |= ndimage.binary_dilation(new, iterations=2)
    if rng.random() < 0.3:
        block = blur(block, (rng.uniform(0, 1.0), rng.uniform(0, 0.7), rng.uniform(0, 0.7)))
    if rng.random() < 0.5:
        grain = blur(rng.standard_normal(block.shape), (rng.uniform(0.3, 1),) * 3)
        block = block + grain / (grain.std() + 1e-6) * rng.uniform(0, 35)
    block = block + rng.normal(0, 8)
    labels = np.full(block.shape, BACKGROUND, dtype=np.uint8)
    labels[bone] = SKELETON
    labels[envelope] = MASS
    labels[(unknown | faint) & ~envelope] = IGNORE
    return np.clip(np.round(block), -1024, 3071).astype(np.int16), labels, seed


def main() -> None:
    """Write examples to a folder, shard after shard, until a count is reached."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("donors", nargs="+", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--shards", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.output.mkdir(parents=True, exist_ok=True)
    for shard in range(options.shards):
        rng = np.random.default_rng([options.seed, shard])
        chosen = [options.donors[i] for i in rng.integers(len(options.donors), size=4)]
        drawn = [
            example(rng, plain_donor(rng) if rng.random() < PLAIN_SHARE else donor)
            for donor in map(Donor.read, chosen)
            for _ in range(4)
        ]
        blocks, labels, seeds = (np.stack(arrays) for arrays in zip(*drawn, strict=True))
        part = options.output / f"part-{options.seed}-{shard}.npz"
        np.savez(part, hu=blocks, labels=labels, seeds=seeds)
        part.rename(options.output / f"{options.seed}-{shard:05d}.npz")


if __name__ == "__main__":
    main()
