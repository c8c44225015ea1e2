"""Masses of every look: packed or loose locules, Voronoi cells, chalk, sediment, fluid, rims."""

import numpy as np
from fields import (
    FINE,
    GRID_MM,
    Shape,
    blur,
    close_ball,
    distance_to,
    offsets,
    pool,
    smooth_noise,
    zoom,
)
from scipy.spatial import cKDTree

MUSCLE_HU = 110  # what is drawn brighter than this is no muscle
THICKEST_WALL = 3.3  # fine voxels: a capsule or septum of 2.5 mm
RADII_MM, RADII_SHARES = ((5.5, 10), (6.5, 16), (10, 42)), (0.35, 0.3, 0.35)
NEAR_BONE, TOUCHING = 0.7, 0.75  # of all masses; of those near bone
LOOSE_RADII_MM = (2.5, 9.0)
CLUSTERED, LOOSE = 0.2, 0.15  # of all masses: large balls that overlap, small balls as they fell


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
    style = rng.choice(["voronoi", "packed", "cloud", "single"], p=[0.33, 0.33, 0.19, 0.15])
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


def scattered(
    rng: np.random.Generator, field: np.ndarray, radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """Centres, fine voxels, and radii of small balls that fill an outline as they fell.

    They lie apart, touch, or are pressed flat where they meet.
    """
    smallest, largest = np.sort(rng.uniform(*LOOSE_RADII_MM, 2)) * FINE / GRID_MM
    radii = np.sort(rng.uniform(smallest, min(largest, max(smallest, 0.6 * radius)), 500))[::-1]
    gap, pressed = rng.uniform(-0.5, 2.0), rng.uniform(0.75, 1.0)
    options = np.argwhere(field < 0)
    centres, sizes = np.empty((0, 3)), np.empty(0)
    for size in radii if len(options) else ():
        place = options[rng.integers(len(options))] + rng.uniform(0, 1, 3)
        away = np.linalg.norm(centres - place, axis=1)
        if np.all(away > pressed * (sizes + size) + gap):
            centres, sizes = np.vstack([centres, place]), np.append(sizes, size)
    return centres, sizes


def loose_balls(
    rng: np.random.Generator, field: np.ndarray, radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """Hounsfield units and mask, fine grid, of small balls with muscle between them."""
    centres, sizes = scattered(rng, field, radius)
    ball, depth = np.zeros(field.shape, int), np.full(field.shape, -np.inf, np.float32)
    if len(centres):
        near = field < sizes.max()
        away, index = cKDTree(centres).query(np.argwhere(near), k=range(1, min(4, len(sizes)) + 1))
        inward = sizes[index] - away
        best = inward.argmax(1)[:, None]
        ball[near] = np.take_along_axis(index, best, 1)[:, 0]
        depth[near] = np.take_along_axis(inward, best, 1)[:, 0]
    texture = smooth_noise(rng, field.shape, rng.uniform(1.5, 12))
    hu = cell_contents(rng, ball, int(rng.choice([2, 2, -2, 3, -3])), texture)
    if rng.random() < 0.65:
        wall_hu = rng.uniform(150, 1000) if rng.random() < 0.5 else rng.uniform(30, 90)
        hu = np.where(depth < rng.uniform(0.7, THICKEST_WALL), wall_hu, hu)
    inside = depth > 0
    brightest = np.full(len(centres) + 1, -1000.0)
    np.maximum.at(brightest, ball[inside], hu[inside])
    return hu.astype(np.float32), inside & (brightest > MUSCLE_HU)[ball]  # else none could see it


def draw_mass(
    rng: np.random.Generator,
    hu: np.ndarray,
    skeleton: np.ndarray,
    noise_hu: float,
    slice_blur_mm: float,
    taken: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Put one mass into a block; returns Hounsfield units and the envelope."""
    smallest, largest = RADII_MM[rng.choice(len(RADII_MM), p=RADII_SHARES)]
    radius_mm = np.exp(rng.uniform(np.log(smallest), np.log(largest)))
    to_bone = distance_to(skeleton) * GRID_MM
    body = (hu > -300) & ~taken
    to_skin = distance_to(~body) * GRID_MM
    places = body & ~skeleton & (to_skin > min(6, radius_mm * 0.5))
    near = rng.random() < NEAR_BONE
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
    touching = near and rng.random() < TOUCHING
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
    kind = rng.random()
    if kind < CLUSTERED:
        content, inside = ball_cluster(rng, shape, centre, radius)
    elif kind < CLUSTERED + LOOSE:
        content, inside = loose_balls(rng, field, radius)
    if kind < CLUSTERED + LOOSE:
        inside &= beyond < 0
        counts = inside
    else:
        content, inside, counts = mass_hounsfield(rng, radius, np.maximum(field, beyond))
    drawn = (inside.astype(np.float32), np.where(inside, content, 0), counts.astype(np.float32))
    alpha, value, counted = map(pool, drawn)
    return alpha, value, counted, allowed
