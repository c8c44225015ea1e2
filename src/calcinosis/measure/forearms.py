"""Elbow and wrist: what lies beyond the ends of two thin bones that run side by side.

Radius and ulna are alike in calibre, which tibia and fibula are not, and nothing else bony lies
beside them. Where they grow into one wide section and a single shaft follows, there is an elbow;
where several small bones follow, a wrist. The arm may hang or be raised, so up and down decide
nothing. What shows neither gives no joint.

Limits are adult sizes with room for the blur of a thresholded scan. Radius: 15 mm thick at its neck
(Mahaisavariya et al. 2004, doi 10.1243/095441104322807785); ulna: 17 mm, 54 mm below its top, and
14-15 mm further down (Erdem, Int J Morphol, "Surgical importance of radiographically aided
morphometry of the proximal ulna"); so 1.6-2.2 cm² each. Humerus: 44 mm wide at the joint, 59 mm at
the epicondyles (Yang et al. 2024, doi 10.1186/s12891-024-07858-4). The rest is measured by us on
analytic phantoms and on scans without an elbow, see docs/accuracy.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from calcinosis.measure.bone_sections import GRID_MM, Body, Section
from calcinosis.measure.joint import Joint
from calcinosis.measure.shafts import Shaft

FOREARM_CM2 = (0.7, 5.0)  # either bone, in each slice
FOREARM_TYPICAL_CM2 = (0.8, 3.8)  # either bone, the median, across its axis
ALIKE = 2.0  # the thicker has at most so many times the area of the thinner, in the median
BESIDE_MM = (12.0, 45.0)
ALONE_MM = 40.0  # so near to the middle between both there is no other bone
PAIR_MIN_MM = 36.0
STEP_MM = 6.0  # from slice to slice a bone moves by less
LEAN_MAX = 0.8  # across the body, for each mm along it
GAP = 2  # slices that may be missed: at the tuberosity both bones touch
CHANGE = 1.7  # in area, from slice to slice, at most
REACH_MM = 45.0  # around its course, what belongs to the arm
BEYOND_MM = 170.0
HELD_SHARE = 0.5  # of a shaft's length, at least
ELBOW_WITHIN_MM = 75.0  # of the end of the even pair
ELBOW_CM2 = (8.0, 25.0)  # condyles with olecranon, in one slice; a knee has more
HUMERUS_CM2 = (2.2, 8.0)
HUMERUS_WITHIN_MM = 45.0  # of the widest place
HUMERUS_SHARE = 0.6  # of the widest section, at most
HUMERUS_MIN_MM = 18.0
WRIST_WITHIN_MM = 75.0
RADIUS_WIDENS = 1.35  # of its even area
RADIUS_END_MM = 48.0  # from where it is so wide to its end, at most
WANED = 0.8  # of the widest slice of both ends: there they have ended
HAND_BONE_MAX_CM2 = 4.0
HAND_BONES = 3  # in one slice, at least
HAND_MIN_MM = 27.0  # of metacarpals; at an elbow so many bones show over a shorter way
RADIUS_END_MIN_CM2 = 3.2  # it widens before it ends; a finger does not
SHOULDER_CLEAR_MM = 60.0  # of the arm's course, which ends half a humerus short of the shoulder


@dataclass(frozen=True, eq=False)
class Forearm:
    """Two thin bones side by side, with the way of the arm beyond their ends and its joints."""

    course: dict[int, tuple[float, float]]  # centre (y, x) of the arm's bones in each slice
    joints: tuple[Joint, ...]

    def holds(self, shaft: Shaft) -> bool:
        """Does a shaft run along this arm?"""
        beside = [self._away_mm(section.z, (section.y, section.x)) for section in shaft.sections]
        return sum(away < REACH_MM for away in beside) > HELD_SHARE * len(beside)

    def passes(self, body: Body, joint: Joint) -> bool:
        """Does the arm's course pass so near to a joint that it can be no shoulder?"""
        z, y, x = (np.array(joint.centre_lps_mm[::-1]) - body.origin) / GRID_MM
        return any(
            np.hypot(_away_mm(place, (y, x)), (level - z) * GRID_MM) < SHOULDER_CLEAR_MM
            for level, place in self.course.items()
        )

    def _away_mm(self, z: int, place: tuple[float, float]) -> float:
        return _away_mm(self.course[z], place) if z in self.course else np.inf


@dataclass(frozen=True, eq=False)
class _Pair:
    z: int
    one: Section
    other: Section

    @property
    def middle(self) -> tuple[float, float]:
        return (self.one.y + self.other.y) / 2, (self.one.x + self.other.x) / 2


@dataclass(frozen=True, eq=False)
class _Slice:
    """The arm's bones in one slice."""

    z: int
    bones: tuple[Section, ...]

    @property
    def cm2(self) -> float:
        return sum(s.cm2 for s in self.bones)

    @property
    def largest_cm2(self) -> float:
        return max((s.cm2 for s in self.bones), default=0.0)

    @property
    def centre(self) -> tuple[float, float]:
        weights = [s.cm2 for s in self.bones]
        y, x = np.average([(s.y, s.x) for s in self.bones], axis=0, weights=weights)
        return float(y), float(x)


def forearms(body: Body, planes: list[list[Section]]) -> list[Forearm]:
    """Every forearm that shows both bones, with the elbow and wrist where enough is seen."""
    return [_forearm(body, planes, run) for run in _runs(planes) if _is_forearm(run)]


def _forearm(body: Body, planes: list[list[Section]], run: list[_Pair]) -> Forearm:
    down, up = _beyond(planes, run[0], -1), _beyond(planes, run[-1], +1)
    half = len(run) // 2
    ends = ((run[half::-1], down), (run[half:], up))
    found = [(_elbow(body, way), _wrist(body, near, way)) for near, way in ends]
    names = [joint.name for both in found for joint in both if joint]
    course = _course(run, [*down, *up])
    agree = len(names) == len(set(names)) and not any(all(both) for both in found)
    if not agree or _lean(run) > LEAN_MAX:
        return Forearm(course, ())
    return Forearm(course, tuple(joint for both in found for joint in both if joint))


def _course(run: list[_Pair], beyond: list[_Slice]) -> dict[int, tuple[float, float]]:
    """The arm's centre in each slice; where none is seen, that of the slice before."""
    seen = {pair.z: pair.middle for pair in run}
    seen |= {one.z: one.centre for one in beyond if one.bones}
    course = {}
    centre = seen[min(seen)]
    for z in range(min(seen), max(seen) + 1):
        centre = course[z] = seen.get(z, centre)
    return course


def _runs(planes: list[list[Section]]) -> list[list[_Pair]]:
    """Pairs followed upwards for as long as both keep their place."""
    open_runs: list[list[_Pair]] = []
    runs: list[list[_Pair]] = []
    for z, plane in enumerate(planes):
        pairs = list(_pairs(z, plane))
        waiting = []
        for run in open_runs:
            following = next((p for p in pairs if _follows(run[-1], p)), None)
            if following is not None:
                pairs.remove(following)
                run.append(following)
            if z - run[-1].z > GAP:
                runs.append(run)
            else:
                waiting.append(run)
        open_runs = waiting + [[pair] for pair in pairs]
    return runs + open_runs


def _pairs(z: int, plane: list[Section]) -> Iterator[_Pair]:
    """Two thin round sections in one slice with no other bone beside them."""
    thin = [s for s in plane if s.round and FOREARM_CM2[0] < s.cm2 < FOREARM_CM2[1]]
    for one, other in combinations(thin, 2):
        pair = _Pair(z, one, other)
        near = [s for s in plane if _away_mm((s.y, s.x), pair.middle) < ALONE_MM]
        apart_mm = _away_mm((one.y, one.x), (other.y, other.x))
        if len(near) == 2 and BESIDE_MM[0] < apart_mm < BESIDE_MM[1]:
            yield pair


def _follows(last: _Pair, pair: _Pair) -> bool:
    """Have both bones moved little since the last slice that showed them?"""
    allowed_mm = STEP_MM * (pair.z - last.z)

    def near(one: Section, other: Section) -> bool:
        change = max(one.cm2 / other.cm2, other.cm2 / one.cm2)
        return _away_mm((one.y, one.x), (other.y, other.x)) < allowed_mm and change < CHANGE

    same = near(last.one, pair.one) and near(last.other, pair.other)
    return same or (near(last.one, pair.other) and near(last.other, pair.one))


def _is_forearm(run: list[_Pair]) -> bool:
    """Two bones long enough, and alike in calibre?"""
    if len(run) * GRID_MM < PAIR_MIN_MM:
        return False
    areas = np.sort([(pair.one.cm2, pair.other.cm2) for pair in run], axis=1)
    across = 1 / np.hypot(1, _lean(run))
    thin, thick = np.median(areas, axis=0) * across
    low, high = FOREARM_TYPICAL_CM2
    ratio = float(np.median(areas[:, 1] / areas[:, 0]))
    return bool(low < thin and thick < high and ratio <= ALIKE)


def _lean(run: list[_Pair]) -> float:
    """Millimetres across the body for each along it."""
    rise_mm = (run[-1].z - run[0].z) * GRID_MM
    return _away_mm(run[-1].middle, run[0].middle) / rise_mm


def _beyond(planes: list[list[Section]], end: _Pair, step: int) -> list[_Slice]:
    """Follow the arm's bones beyond the end of the pair, to where they end or leave the picture."""
    centre, way, missed = end.middle, [], 0
    last = end.z + step * round(BEYOND_MM / GRID_MM)
    for z in range(end.z + step, last, step):
        if not 0 <= z < len(planes) or missed > GAP:
            break
        near = [s for s in planes[z] if _away_mm((s.y, s.x), centre) < REACH_MM]
        way.append(_Slice(z, tuple(near)))
        missed = 0 if near else missed + 1
        centre = way[-1].centre if near else centre
    return way


def _elbow(body: Body, way: list[_Slice]) -> Joint | None:
    """Where the bones together are widest, if the humerus follows; the centre lies there."""
    within = way[: round(ELBOW_WITHIN_MM / GRID_MM)]
    widest = max(within, key=lambda one: one.cm2, default=None)
    if widest is None or not ELBOW_CM2[0] < widest.cm2 < ELBOW_CM2[1]:
        return None
    start = way.index(widest)
    reach = round((HUMERUS_WITHIN_MM + HUMERUS_MIN_MM) / GRID_MM)
    low, high = HUMERUS_CM2[0], min(HUMERUS_CM2[1], HUMERUS_SHARE * widest.cm2)
    single = [len(s.bones) == 1 and low < s.cm2 < high for s in way[start : start + reach]]
    least = round(HUMERUS_MIN_MM / GRID_MM)
    if not any(sum(single[n : n + least + 1]) >= least for n in range(len(single))):
        return None  # where its fossa is pierced, one slice may show two
    return Joint("elbow", None, body.lps(widest.z, *widest.centre))


def _wrist(body: Body, run: list[_Pair], way: list[_Slice]) -> Joint | None:
    """Where two bones that have widened end, if the small bones of a hand follow."""
    hand = [n for n, one in enumerate(way) if _is_hand(one)]
    if len(hand) * GRID_MM < HAND_MIN_MM or hand[0] * GRID_MM > WRIST_WITHIN_MM:
        return None
    thick_cm2 = float(np.median([max(pair.one.cm2, pair.other.cm2) for pair in run]))
    end = _end_of_radius(
        [*(_Slice(pair.z, (pair.one, pair.other)) for pair in run), *way[: hand[0] + 1]],
        max(RADIUS_END_MIN_CM2, RADIUS_WIDENS * thick_cm2),
    )
    return Joint("wrist", None, body.lps(*end)) if end else None


def _is_hand(one: _Slice) -> bool:
    return len(one.bones) >= HAND_BONES and one.largest_cm2 < HAND_BONE_MAX_CM2


def _end_of_radius(way: list[_Slice], wide_cm2: float) -> tuple[float, float, float] | None:
    """Index (z, y, x) where both bones, after they have widened, give way to gaps between bones."""
    wide = next((n for n, one in enumerate(way) if one.largest_cm2 > wide_cm2), len(way))
    most, centre = 0.0, (0.0, 0.0)
    for one in way[wide : wide + round(RADIUS_END_MM / GRID_MM)]:
        centre = one.centre if one.bones else centre
        if one.cm2 < WANED * most:
            return one.z, *centre
        most = max(most, one.cm2)
    return None


def _away_mm(one: tuple[float, float], other: tuple[float, float]) -> float:
    return float(np.hypot(one[0] - other[0], one[1] - other[1])) * GRID_MM
