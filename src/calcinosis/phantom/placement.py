"""Finding room for a mass in soft tissue: apart from bone, or lying against it."""

from dataclasses import dataclass

import edt
import numpy as np
from numpy.typing import NDArray

from calcinosis.errors import InputError
from calcinosis.phantom.drawing import Surroundings
from calcinosis.phantom.masses import APART_MM, Contact
from calcinosis.phantom.shapes import Ellipsoid, Point, as_point

COARSE_MM = 3.0
CANDIDATES = 400
FAR_FROM_BONE_MM = 30.0  # tumoral calcinosis grows around joints, not amid the belly


@dataclass(frozen=True, eq=False)
class Room:
    """Coarse view of a scan: where soft tissue is, how far bone is, what to avoid."""

    points_lps_mm: NDArray[np.float64]
    free: NDArray[np.bool_]
    bone: NDArray[np.bool_]
    bone_distance_mm: NDArray[np.float32]
    spacing_mm: NDArray[np.float64]


def find_room(around: Surroundings, avoid: NDArray[np.bool_]) -> Room:
    """Thin the scan out to about `COARSE_MM` and measure distances there."""
    steps = tuple(max(1, round(COARSE_MM / s)) for s in around.grid.spacing_mm)
    thin = tuple(slice(s // 2, None, s) for s in steps)
    bone = around.bone_distance_mm[thin] < 0
    body = around.body_distance_mm[thin] < -2.5
    spacing = around.grid.spacing_mm * steps
    distance = edt.edt(~bone, anisotropy=tuple(float(s) for s in spacing))
    indices = np.stack(
        np.meshgrid(
            *(np.arange(n)[t] for n, t in zip(around.grid.shape, thin, strict=True)), indexing="ij"
        ),
        axis=-1,
    )
    return Room(
        points_lps_mm=around.grid.to_lps(indices),
        free=body & ~bone & ~avoid[thin],
        bone=bone,
        bone_distance_mm=distance,
        spacing_mm=spacing,
    )


def place_mass(
    room: Room,
    *,
    radius_mm: float,
    contact: Contact,
    near_lps_mm: tuple[Point, float] | None,
    rng: np.random.Generator,
) -> Point:
    """A centre where a ball of that radius finds most of its room.

    Args:
        room: the coarse scan.
        radius_mm: of the ball.
        contact: apart from bone, or overlapping it by up to a third of the radius.
        near_lps_mm: a point and the greatest distance from it.
        rng: picks among the good places.

    Raises:
        InputError: nowhere in the scan has room.
    """
    eligible = room.free.copy()
    if contact == "touching":
        eligible &= room.bone_distance_mm > 0.62 * radius_mm
        eligible &= room.bone_distance_mm < 0.92 * radius_mm + COARSE_MM / 2
    else:
        eligible &= room.bone_distance_mm > APART_MM + min(radius_mm, 12)
        eligible &= room.bone_distance_mm < radius_mm + FAR_FROM_BONE_MM
    if near_lps_mm is not None:
        reach = np.linalg.norm(room.points_lps_mm - np.asarray(near_lps_mm[0]), axis=-1)
        eligible &= reach < near_lps_mm[1]
    candidates = np.argwhere(eligible)
    if not len(candidates):
        raise InputError(
            f"no room for a mass of radius {radius_mm:.0f} mm {contact} bone; "
            "expected free soft tissue: ask for a smaller mass or another joint"
        )
    chosen = candidates[rng.permutation(len(candidates))[:CANDIDATES]]
    scores = _score(room, chosen, radius_mm, contact)
    good = np.flatnonzero(scores >= min(0.97, float(scores.max()) - 0.02))
    z, y, x = chosen[good[rng.integers(len(good))]]
    return as_point(room.points_lps_mm[z, y, x])


def _score(
    room: Room, centres: NDArray[np.int64], radius_mm: float, contact: Contact
) -> NDArray[np.float64]:
    """Part of the ball that finds free tissue (bone counts half when touching is wanted)."""
    worth = room.free.astype(np.float64)
    if contact == "touching":
        worth[room.bone] = 0.8
    else:
        worth[room.bone_distance_mm < APART_MM] = 0
    i = np.arange(200)
    height = 1 - 2 * (i + 0.5) / 200
    turn = np.pi * (3 - np.sqrt(5)) * i
    flat = np.sqrt(1 - height**2)
    shell = np.column_stack([height, flat * np.cos(turn), flat * np.sin(turn)])
    shell *= ((i * 0.618) % 1)[:, None] ** (1 / 3) * radius_mm
    offsets = np.rint(shell / room.spacing_mm).astype(int)
    where = centres[:, None, :] + offsets
    shape = np.asarray(worth.shape)
    outside = ((where < 0) | (where >= shape)).any(-1)
    where = np.clip(where, 0, shape - 1)
    found = worth[where[..., 0], where[..., 1], where[..., 2]]
    return np.asarray(np.where(outside, 0, found).mean(1))


def pit_towards_bone(
    around: Surroundings, centre: Point, radius_mm: float, depth_mm: float, rng: np.random.Generator
) -> Ellipsoid | None:
    """A ball that dents the bone nearest to `centre` by `depth_mm`; None when bone is too far."""
    c = np.asarray(centre)
    box = around.grid.box(c - radius_mm * 1.3, c + radius_mm * 1.3)
    if box is None:
        return None
    surface = np.argwhere(np.abs(around.bone_distance_mm[box]) < around.grid.spacing_mm.min())
    if not len(surface):
        return None
    points = around.grid.to_lps(surface + [extent.start for extent in box])
    gaps = np.linalg.norm(points - c, axis=1)
    nearest = points[gaps.argmin()]
    outward = (c - nearest) / max(float(gaps.min()), 1e-6)
    # The voxel found lies near the surface, not on it: shift along the normal by its distance.
    z, y, x = surface[gaps.argmin()]
    nearest = nearest - outward * float(around.bone_distance_mm[box][z, y, x])
    half_width = float(np.clip(depth_mm * rng.uniform(1.2, 2.6), 2, radius_mm))
    ball = (half_width**2 + depth_mm**2) / (2 * depth_mm)
    ball = max(ball, depth_mm * 0.75)
    middle = nearest + outward * (ball - depth_mm)
    return Ellipsoid(as_point(middle), (ball, ball, ball))
