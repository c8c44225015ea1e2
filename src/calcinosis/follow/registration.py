"""The bones of one scan laid over those of another, around one mass.

Each mass is carried over by the bones beside it, because limbs and spine lie differently each time.
Places are LPS mm, (n, 3).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.fft import next_fast_len
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from calcinosis.follow.scan import Scan
from calcinosis.measure.bone_overlay import (
    POINTS_MIN,
    Array,
    Pose,
    Surface,
    correlated,
    counted,
    fitted,
)

_TURN_DEG = 20.0  # tried about each axis, to either side
_CELL_MM = 8.0  # of the grid on which overlap is counted
_WIDE_MM, _WIDE_WEIGHT_MM = 250.0, 80.0  # bone that finds the place: ribs and vertebrae recur
_NEAR_MM, _NEAR_WEIGHT_MM = 100.0, 30.0  # bone that fixes it
_SPARE_MM = 4.0  # surface this close to a mass may be eroded or cut
_PLACES_EACH, _PLACES_MAX = 3, 10  # places tried: of each turn, and in all
_POINTS_FIRST, _POINTS = 400, 1500
_FAR_MM, _CLOSE_MM = 15.0, 6.0  # a partner is sought so far away: first, and at last
_STEPS_FIRST, _STEPS = 12, 40
_ROUGHLY_MM, _CLOSELY_MM = 4.0, 2.0
_IN_COMMON = 0.3  # of the bone near a mass the other picture must show so much


@dataclass(frozen=True)
class Laid:
    """How bones of one scan lie in another, and how well.

    Attributes:
        pose: from the one scan's places to the other's.
        agreement: share of the bone near that the other picture shows, by weight, that lies within
            2 mm of the bone there.
    """

    pose: Pose
    agreement: float


def lay_over(here: Scan, there: Scan, mass_points: Array) -> Laid | None:
    """Lay the bones around a mass over those of another scan.

    Returns:
        None where too little bone is near, or in both pictures, to tell.
    """
    if min(len(here.surface), len(there.surface)) < POINTS_MIN:
        return None
    centre = mass_points.mean(axis=0)
    bone = _apart_from(here.surface, mass_points)
    wide, wide_weights = _around(bone, centre, _WIDE_MM, _WIDE_WEIGHT_MM)
    near, near_weights = _around(bone, centre, _NEAR_MM, _NEAR_WEIGHT_MM)
    if len(near) < POINTS_MIN:
        return None
    pose = _best_place(wide, wide_weights, there)
    pose, off_mm = fitted(
        pose,
        near[:_POINTS],
        near_weights[:_POINTS],
        there.target,
        lever_mm=_NEAR_WEIGHT_MM,
        reach_mm=_CLOSE_MM,
        steps=_STEPS,
    )
    weights = near_weights[:_POINTS]
    shown = there.shows(pose(near.places[:_POINTS]))
    if weights[shown].sum() < _IN_COMMON * weights.sum():
        return None
    agreement = float(weights[shown & (off_mm < _CLOSELY_MM)].sum() / weights[shown].sum())
    return Laid(pose, agreement)


def _apart_from(bone: Surface, mass_points: Array) -> Surface:
    away_mm, _ = cKDTree(mass_points).query(bone.places, distance_upper_bound=_SPARE_MM)
    return bone[~np.isfinite(away_mm)]


def _around(
    bone: Surface, centre: Array, reach_mm: float, weight_mm: float
) -> tuple[Surface, Array]:
    """Bone within reach of a place, in the order it came, and how much it counts."""
    away_mm = np.linalg.norm(bone.places - centre, axis=1)
    within = away_mm < reach_mm
    return bone[within], np.exp(-away_mm[within] / weight_mm)


def _best_place(wide: Surface, weights: Array, there: Scan) -> Pose:
    """Where most of the bone fits roughly."""
    few, few_weights = wide[:_POINTS_FIRST], weights[:_POINTS_FIRST]
    best, most = Pose(np.eye(3), np.zeros(3)), -1.0
    for place in _places_by_overlap(wide, weights, there.surface):
        pose, off_mm = fitted(
            place,
            few,
            few_weights,
            there.target,
            lever_mm=_WIDE_WEIGHT_MM,
            reach_mm=_FAR_MM,
            steps=_STEPS_FIRST,
        )
        fitting = float(few_weights[off_mm < _ROUGHLY_MM].sum())
        if fitting > most:
            best, most = pose, fitting
    return best


def _places_by_overlap(wide: Surface, weights: Array, others: Surface) -> list[Pose]:
    """Where the bone overlaps most with the other scan's, turned a little or not at all."""
    found = [entry for turn in _turns() for entry in _overlaps(wide, weights, others, turn)]
    found.sort(key=lambda entry: -entry[0])
    return [pose for _, pose in found[:_PLACES_MAX]]


def _turns() -> Iterator[Array]:
    yield np.eye(3)
    for axis in np.eye(3):
        for sign in (-1, 1):
            yield Rotation.from_rotvec(sign * np.radians(_TURN_DEG) * axis).as_matrix()


def _overlaps(
    wide: Surface, weights: Array, others: Surface, turn: Array
) -> Iterator[tuple[float, Pose]]:
    """The places of greatest overlap for one turn, with their overlap."""
    centre = np.average(wide.places, axis=0, weights=weights)
    turned = (wide.places - centre) @ turn.T
    low, high = turned.min(0), turned.max(0)
    template = counted(turned, weights, low, high, _CELL_MM)
    start, stop = others.places.min(0) - (high - low), others.places.max(0) + (high - low)
    cells = [next_fast_len(int(extent / _CELL_MM) + 3, real=True) for extent in stop - start]
    stop = start + (np.array(cells) - 2.5) * _CELL_MM
    overlap = correlated(counted(others.places, None, start, stop, _CELL_MM), template)
    summits = np.argwhere(ndimage.maximum_filter(overlap, 5) == overlap)
    heights = overlap[tuple(summits.T)]
    for place in summits[np.argsort(-heights)[:_PLACES_EACH]]:
        at = start - low + place * _CELL_MM
        yield float(overlap[tuple(place)]), Pose(turn, at - turn @ centre)
