"""Which masses of two scans are the same.

A mass is carried over by the bones beside it; masses are the same where a fair part of one comes
to lie in the other. Links in both directions are joined, so that masses that merged or split are
followed together.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from calcinosis.follow.registration import Laid, lay_over
from calcinosis.follow.scan import Scan
from calcinosis.measure.bone_overlay import Array, Pose
from calcinosis.measure.mass import Mass

REACH_MM = 5.0  # a place so near to a mass counts as in it: bones are laid over within 1 to 2 mm
SHARE_MIN = 0.25  # of one mass must lie in the other; a named parameter
# Share of the bone around a mass that must agree within 2 mm, and how far a patient may have
# turned. The same bones, moved, resampled and noisier, agree by 0.95 to 0.98 (five masses in two
# scans); of 42 pairs of different patients' scans three agree by more than 0.7 and are turned by
# less, thighs whose ends the picture cuts among them (docs/accuracy.md).
AGREEMENT_MIN = 0.7
TURN_MAX_DEG = 40.0
SHOWN_MIN = 0.98  # of a mass the other picture must show so much to be compared


@dataclass(frozen=True)
class Carried:
    """A mass in the other scan.

    Attributes:
        laid: how the bones beside it lie there; None where they cannot be found.
        shown: share of the mass that the other picture shows.
        overlaps: share of it that comes to lie in each mass there, by id.
    """

    laid: Laid | None
    shown: float
    overlaps: dict[int, float]


@dataclass(frozen=True)
class Match:
    """The same masses in both scans; one side is empty where the other scan has none.

    Attributes:
        earlier: ids in the earlier scan.
        later: ids in the later scan.
        pose: from places in the earlier scan to places in the later one.
        shown: the least share of a mass that the other picture shows; None: cannot be told.
    """

    earlier: tuple[int, ...]
    later: tuple[int, ...]
    pose: Pose | None
    shown: float | None


def match_masses(earlier: Scan, later: Scan) -> tuple[Match, ...]:
    """Every mass of both scans, with the same masses in the other; the largest later ones first."""
    forth = {mass.id: carry_over(earlier, later, mass) for mass in earlier.measurement.masses}
    back = {mass.id: carry_over(later, earlier, mass) for mass in later.measurement.masses}
    links = [(one, other) for one, found in forth.items() for other in _in(found.overlaps)]
    links += [(other, one) for one, found in back.items() for other in _in(found.overlaps)]
    groups = _joined(forth, back, links)
    return tuple(_match(before, after, forth, back) for before, after in groups)


def carry_over(here: Scan, there: Scan, mass: Mass) -> Carried:
    """Find where a mass of one scan lies in the other."""
    points = here.points_of(mass.id)
    laid = lay_over(here, there, points)
    if laid is None or laid.agreement < AGREEMENT_MIN or laid.pose.turned_deg > TURN_MAX_DEG:
        return Carried(None, 0.0, {})
    places = laid.pose(points)
    overlaps = {other.id: _share_in(places, there.points_of(other.id)) for other in _masses(there)}
    return Carried(laid, float(there.shows(places).mean()), overlaps)


def _masses(scan: Scan) -> tuple[Mass, ...]:
    return scan.measurement.masses


def _share_in(places: Array, points: Array) -> float:
    """The share of places within reach of a mass's points."""
    away_mm, _ = cKDTree(points).query(places, distance_upper_bound=REACH_MM)
    return float(np.isfinite(away_mm).mean())


def _in(overlaps: dict[int, float]) -> list[int]:
    return [number for number, share in overlaps.items() if share >= SHARE_MIN]


def _joined(
    earlier: Iterable[int], later: Iterable[int], links: Iterable[tuple[int, int]]
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Groups of masses that links hold together: those seen later first, by their number."""
    after, before = list(later), list(earlier)
    linked = np.zeros((len(after) + len(before),) * 2, np.bool_)
    for one, other in links:
        linked[after.index(other), len(after) + before.index(one)] = True
    count, group = connected_components(linked, directed=False)
    of_later, of_earlier = group[: len(after)], group[len(after) :]
    return [
        (
            tuple(n for n, at in zip(before, of_earlier, strict=True) if at == number),
            tuple(n for n, at in zip(after, of_later, strict=True) if at == number),
        )
        for number in range(count)
    ]


def _match(
    before: tuple[int, ...],
    after: tuple[int, ...],
    forth: dict[int, Carried],
    back: dict[int, Carried],
) -> Match:
    """What is known of a group: the pose of the bones that agree best."""
    carried = [(forth[n], False) for n in before] + [(back[n], True) for n in after]
    laid = [(one.laid, backwards) for one, backwards in carried if one.laid]
    if not laid:
        return Match(before, after, None, None)
    best, backwards = max(laid, key=lambda pair: pair[0].agreement)
    pose = best.pose.inverse if backwards else best.pose
    return Match(before, after, pose, min(one.shown for one, _ in carried if one.laid))
