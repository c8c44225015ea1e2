"""Elbow and wrist: what lies beyond the ends of the two like bones of a forearm.

Radius and ulna are two thin shafts of like calibre that run side by side, with no other bone near.
Beyond one end a single bone follows (the humerus: an elbow), beyond the other many small ones
(carpus and metacarpals: a wrist). Where the picture ends before that is seen, no joint is named.

No real arm was at hand: the limits are named parameters, wide about the phantom's arm, and were
checked on real scans of other parts for what must not be called (docs/accuracy.md).
"""

from collections.abc import Iterator

import numpy as np

from calcinosis.measure.bone_sections import GRID_MM, THIN_CM2, Body, Section
from calcinosis.measure.joint import Joint, Side
from calcinosis.measure.shafts import Shaft, followed
from calcinosis.measure.trunk import Thorax

ALIKE = 1.9  # one forearm bone's section is at most so many times the other's
FOREARM_MIN_MM = 36.0
APART_MM = (9.0, 45.0)
ALONE_MM = 60.0  # no third bone lies nearer to the middle of a forearm
JOINT_WITHIN_MM = 75.0  # of the end of the even shafts
BEYOND_JOINT_MM = (45.0, 120.0)  # from there: where the next bones are looked at
NEAR_MM = 48.0  # of the arm's axis
SHAFT_TO_ELBOW_MM = 110.0  # from the end of the humerus's even shaft
HUMERUS_CM2 = (2.0, 6.5)
NEXT_MIN_MM = 15.0  # so much of the next bones must be seen
METACARPALS = 3


def arm_joints(body: Body, planes: list[list[Section]], thorax: Thorax | None) -> list[Joint]:
    """Elbows and wrists that the picture shows; their side where it shows the chest, too."""
    found = []
    for forearm in _forearms(planes):
        for up in (1, -1):
            name = _joint_beyond(forearm, planes, up)
            if name is not None:
                place = _widest(forearm, planes, up)
                side: Side | None = None
                if thorax is not None:
                    side = "left" if place[2] > thorax.x else "right"
                found.append(Joint(name, side, body.lps(*place)))
    return found


def leads_to(body: Body, shaft: Shaft, elbow: Joint) -> bool:
    """Does a shaft end before an elbow, in line with it?"""
    z, y, x = (np.array(elbow.centre_lps_mm[::-1]) - body.origin) / GRID_MM
    above, below = z - shaft.sections[-1].z, shaft.sections[0].z - z
    along = above if above > below else -below
    _, row, column = shaft.beyond(along * GRID_MM)
    near = abs(along) * GRID_MM < SHAFT_TO_ELBOW_MM
    return near and float(np.hypot(row - y, column - x)) * GRID_MM < NEAR_MM


def _forearms(planes: list[list[Section]]) -> Iterator[Shaft]:
    """The middle between two thin shafts of like calibre, alone beside each other."""
    runs = [run for run in followed(planes, THIN_CM2) if len(run) * GRID_MM >= FOREARM_MIN_MM]
    for n, one in enumerate(runs):
        at_height = {section.z: section for section in one}
        for other in runs[n + 1 :]:
            level = [(at_height[s.z], s) for s in other if s.z in at_height]
            pairs = [(a, b) for a, b in level if _are_pair(a, b)]
            alone = [(a, b) for a, b in pairs if _alone(a, b, planes[a.z])]
            if len(alone) * GRID_MM >= FOREARM_MIN_MM and len(alone) > 0.8 * len(pairs):
                middle = [
                    Section(a.z, (a.y + b.y) / 2, (a.x + b.x) / 2, a.cm2 + b.cm2, round=True)
                    for a, b in alone
                ]
                yield Shaft(tuple(middle), companion=None)


def _are_pair(one: Section, other: Section) -> bool:
    """Are two sections of like size, and as far apart as radius and ulna?"""
    apart_mm = float(np.hypot(one.y - other.y, one.x - other.x)) * GRID_MM
    alike = max(one.cm2, other.cm2) < ALIKE * min(one.cm2, other.cm2)
    return alike and APART_MM[0] < apart_mm < APART_MM[1]


def _alone(one: Section, other: Section, plane: list[Section]) -> bool:
    """Does no third bone lie near?"""
    y, x = (one.y + other.y) / 2, (one.x + other.x) / 2
    near = [s for s in plane if np.hypot(s.y - y, s.x - x) * GRID_MM < ALONE_MM]
    return len(near) == 2


def _joint_beyond(forearm: Shaft, planes: list[list[Section]], up: int) -> str | None:
    """`elbow`, `wrist` or nothing, by the bones that follow the joint."""
    slices = [_near(forearm, planes, up * mm) for mm in np.arange(*BEYOND_JOINT_MM, GRID_MM)]
    single = [near[0] for near in slices if len(near) == 1]
    humerus = sum(s.round and HUMERUS_CM2[0] < s.cm2 < HUMERUS_CM2[1] for s in single)
    hand = sum(
        len(near) >= METACARPALS and all(s.cm2 < THIN_CM2[1] for s in near) for near in slices
    )
    if humerus * GRID_MM >= NEXT_MIN_MM and humerus > hand:
        return "elbow"
    if hand * GRID_MM >= NEXT_MIN_MM and hand > humerus:
        return "wrist"
    return None


def _widest(forearm: Shaft, planes: list[list[Section]], up: int) -> tuple[float, float, float]:
    """The centre (z, y, x) of the slice with most bone: epicondyles and olecranon, or carpus."""
    slices = [
        _near(forearm, planes, up * mm) for mm in np.arange(GRID_MM, JOINT_WITHIN_MM, GRID_MM)
    ]
    most = max(slices, key=lambda near: sum(s.cm2 for s in near))
    cm2 = sum(s.cm2 for s in most)
    y, x = (sum(getattr(s, axis) * s.cm2 for s in most) / cm2 for axis in ("y", "x"))
    return float(most[0].z), y, x


def _near(forearm: Shaft, planes: list[list[Section]], beyond_mm: float) -> list[Section]:
    """The bones of the slice so far beyond the upper end (the lower, if negative), on the axis."""
    z, y, x = forearm.beyond(beyond_mm)
    if not 0 <= round(z) < len(planes):
        return []
    return [s for s in planes[round(z)] if np.hypot(s.y - y, s.x - x) * GRID_MM < NEAR_MM]
