"""What must not be called a mass: vessel walls, phleboliths, contrast in a viscus, metal."""

import numpy as np
from fields import GRID_MM, blur, distance_to, smooth_noise
from lesions import outline
from scipy import ndimage
from scipy.spatial import cKDTree


def draw_vessel(
    rng: np.random.Generator, hu: np.ndarray, axes: np.ndarray, start: np.ndarray
) -> np.ndarray:
    """A wandering tube with an opaque lumen or plaques in its wall."""
    course = rng.standard_normal(3) * [3, 1, 1]
    course /= np.linalg.norm(course)
    bend = rng.normal(0, 0.015, 3)
    steps = np.arange(-50, 50, 0.7)[:, None]
    path = start + steps * course + steps**2 * bend * 0.3
    return draw_tube(rng, hu, axes, path, rng.uniform(1.0, 3.5))


def draw_vessel_along(rng: np.random.Generator, hu: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """A vessel that runs along a mass, on or close to it, as arteries displaced by one do."""
    away = distance_to(mass)
    lumen = rng.uniform(1.0, 3.0)
    least = lumen + rng.uniform(0.7, 3.0)
    starts = np.argwhere(np.abs(away - least) < 0.6)
    if len(starts) == 0:
        return hu
    start = starts[rng.integers(len(starts))].astype(float)
    slopes = np.gradient(away)

    def kept_off(place: np.ndarray) -> np.ndarray:
        """The place, moved out to the least distance from the mass where it lies nearer."""
        voxel = tuple(np.clip(np.round(place).astype(int), 0, np.array(hu.shape) - 1))
        outward = np.array([slope[voxel] for slope in slopes])
        outward /= np.linalg.norm(outward) + 1e-6
        return place + outward * max(0.0, least - away[voxel])

    course = rng.standard_normal(3) * [2, 1, 1]
    halves = []
    for sign in (-1, 1):
        step, half = sign * course / np.linalg.norm(course), [start]
        for _ in range(70):
            half.append(kept_off(half[-1] + 0.7 * step))
            travelled = half[-1] - half[-2]
            step = 0.7 * step + 0.3 * travelled / (np.linalg.norm(travelled) + 1e-6)
            step /= np.linalg.norm(step)
        halves.append(half)
    path = ndimage.uniform_filter1d(np.array(halves[0][:0:-1] + halves[1]), 5, axis=0)
    axes = np.indices(hu.shape, dtype=np.float32)
    return np.where(mass, hu, draw_tube(rng, hu, axes, path, lumen))


def draw_tube(
    rng: np.random.Generator, hu: np.ndarray, axes: np.ndarray, path: np.ndarray, lumen: float
) -> np.ndarray:
    """A vessel along a path [n, 3] of voxels: an opaque lumen, or plaques in its wall."""
    near, _ = cKDTree(path).query(axes.reshape(3, -1).T, distance_upper_bound=8)
    near = near.reshape(hu.shape)
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
