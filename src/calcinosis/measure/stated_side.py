"""Where a mass lies; in a CT of one limb on the side that the header tells, if no bone does."""

from collections.abc import Sequence
from dataclasses import replace

from calcinosis.measure.joint import Joint
from calcinosis.measure.joints import SIDES_APART_MM, nearest
from calcinosis.measure.mass import MIDLINE, Point, Site
from calcinosis.volume import StatedSide

_OF_TRUNK = {*MIDLINE, "sacroiliac"}
_SAME_LIMB_MM = SIDES_APART_MM  # farther aside of its joint a mass may be of the other limb


def site_of(
    joints: Sequence[Joint], centre_lps_mm: Point, stated: StatedSide | None
) -> tuple[Site | None, tuple[str, ...]]:
    """The joint nearest to a mass, and what the reader should know of where its side came from.

    The header is believed of one limb alone: where the picture shows no trunk, no joint of the
    other side and no joint twice, and the mass lies in line with its joint.
    """
    site = nearest(tuple(joints), centre_lps_mm)
    if site is None or stated is None:
        return site, ()
    sides = {joint.side for joint in joints}
    if site.side and site.side != stated.side and stated.side not in sides:
        remark = (
            f"The header of the images ({stated.source}) says {stated.side}, the skeleton "
            f"{site.side}: the skeleton is believed."
        )
        return site, (remark,)
    if site.side or not _one_limb(joints, stated) or not _in_line(site, joints, centre_lps_mm):
        return site, ()
    remark = (
        f"That it lies on the {stated.side} is what the header of the images says "
        f"({stated.source}); the skeleton does not tell."
    )
    return replace(site, side=stated.side), (remark,)


def _one_limb(joints: Sequence[Joint], stated: StatedSide) -> bool:
    """Whether all joints may be of one limb of that side."""
    names = [joint.name for joint in joints]
    return (
        not _OF_TRUNK.intersection(names)
        and len(names) == len(set(names))
        and all(joint.side in {None, stated.side} for joint in joints)
    )


def _in_line(site: Site, joints: Sequence[Joint], centre_lps_mm: Point) -> bool:
    """Whether a mass lies no farther aside of its joint than one limb is wide."""
    return any(
        joint.name == site.joint and abs(joint.centre_lps_mm[0] - centre_lps_mm[0]) <= _SAME_LIMB_MM
        for joint in joints
    )
