"""Masses that one scan has, and the other shows but did not call."""

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from calcinosis.follow.matches import REACH_MM, SHOWN_MIN, Match
from calcinosis.follow.scan import Scan
from calcinosis.measure.bone_overlay import Array, Pose
from calcinosis.measure.envelope import CALCIFIED_HU
from calcinosis.measure.mass import Point
from calcinosis.measure.seed import seeds_named

# Share of a mass's calcified places that are calcified in the other scan, too: from it on the mass
# is there. Soft tissue reads none, bone that a mass has grown into is a small part of it; a named
# parameter.
STILL_DENSE = 0.5


def overlooked(
    earlier: Scan, later: Scan, matches: Sequence[Match]
) -> tuple[tuple[Point, ...], tuple[Point, ...]]:
    """Seed points for masses that the other scan holds without their being called there.

    Returns:
        Seeds in the earlier scan and in the later one, LPS mm.
    """
    before, after = [], []
    for match in matches:
        if match.pose is None or (match.shown or 0.0) < SHOWN_MIN:
            continue
        if not match.earlier:
            before += _seed(later, match.later, earlier, match.pose.inverse)
        if not match.later:
            after += _seed(earlier, match.earlier, later, match.pose)
    return tuple(before), tuple(after)


def dense_places(
    here: Scan, mass_ids: Sequence[int], there: Scan, pose: Pose
) -> tuple[Array, float]:
    """Where calcified places of masses are calcified in the other scan, too, and their share.

    Returns:
        Places in the other scan (n, 3), the densest first.
    """
    points = np.concatenate([here.points_of(number) for number in mass_ids])
    points = points[here.hu_at(points) > CALCIFIED_HU]
    if not len(points):
        return points, 0.0
    places = pose(points)
    hu = there.hu_at(places)
    dense = (hu > CALCIFIED_HU) & there.shows(places)
    return places[dense][np.argsort(-hu[dense], kind="stable")], float(dense.mean())


def _seed(here: Scan, mass_ids: Sequence[int], there: Scan, pose: Pose) -> list[Point]:
    """A point in what lies at these masses' place in the other scan, if a mass does."""
    doubted = _doubted(here, mass_ids, there, pose)
    if doubted:
        return doubted[:1]
    places, share = dense_places(here, mass_ids, there, pose)
    if share < STILL_DENSE:
        return []
    x, y, z = places[0].tolist()
    return [(x, y, z)]


def _doubted(here: Scan, mass_ids: Sequence[int], there: Scan, pose: Pose) -> list[Point]:
    """Seeds that the other scan's remarks name, for what may be a mass, at these masses' place."""
    named = [seed for remark in there.measurement.remarks for seed in seeds_named(remark)]
    if not named:
        return []
    points = np.concatenate([here.points_of(number) for number in mass_ids])
    away_mm, _ = cKDTree(pose(points)).query(named)
    return [seed for seed, away in zip(named, away_mm, strict=True) if away < REACH_MM]
