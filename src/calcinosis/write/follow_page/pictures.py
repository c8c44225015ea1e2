"""The same cut through a mass in both scans, side by side."""

from collections.abc import Sequence

import numpy as np

from calcinosis.follow.follow_up import FollowedMass, FollowUp
from calcinosis.follow.scan import Scan
from calcinosis.measure.bone_overlay import Pose
from calcinosis.measure.mass import Mass
from calcinosis.write.follow_page.wording import name
from calcinosis.write.report.drawing import Figure, figure
from calcinosis.write.report.planes import PLANES, Plane, with_masses

LARGEST_MM, LEAST_MM, ROOM = 500.0, 110.0, 1.7  # side of a picture, and room around the mass


def pictures(follow: FollowUp, mass: FollowedMass) -> list[tuple[Figure, Figure]]:
    """Axial and coronal cut through the mass, in the earlier scan and in the later one.

    Empty where the scans could not be laid over each other.
    """
    if mass.pose is None:
        return []
    home, masses = (follow.later, mass.later) if mass.later else (follow.earlier, mass.earlier)
    points = np.concatenate([home.points_of(one.id) for one in masses])
    if not mass.later:
        points = mass.pose(points)
    low, high = points.min(axis=0), points.max(axis=0)
    x, y, z = ((low + high) / 2).tolist()
    side_mm = float(np.clip(ROOM * (high - low).max(), LEAST_MM, LARGEST_MM))
    told = _told(mass, mass.earlier), _told(mass, mass.later)
    pairs = []
    for plane_name, right, down, letters in PLANES[:2]:
        plane = Plane((x, y, z), right, down, side_mm)
        then = _carried(plane, mass.pose.inverse)
        before = _cut(follow.earlier, then, letters, f"{plane_name}, earlier scan", told[0])
        after = _cut(follow.later, plane, letters, f"{plane_name}, later scan", told[1])
        pairs.append((before, after))
    return pairs


def _told(followed: FollowedMass, there: Sequence[Mass]) -> str:
    """What of the mass the cut through one scan shows, for who does not see it."""
    named = name(followed)
    return f"{named} outlined" if there else f"the place of {named.lower()}, no mass called there"


def _carried(plane: Plane, pose: Pose) -> Plane:
    """The plane where the other scan's bones lie as this one's do."""
    x, y, z = pose(np.array(plane.centre)).tolist()
    right, down = (tuple((pose.turn @ np.array(way)).tolist()) for way in (plane.right, plane.down))
    return Plane((x, y, z), right, down, plane.side_mm)


def _cut(scan: Scan, plane: Plane, letters: str, caption: str, told: str) -> Figure:
    grey, marks = with_masses(scan.volume, scan.measurement.labels, plane, letters)
    size = plane.side, plane.side
    if not scan.shows(np.array([plane.centre]))[0]:
        caption = f"{caption} (it ends before this place)"
    return figure(grey, size, marks, alt=f"{caption}: {told}.", caption=caption)
