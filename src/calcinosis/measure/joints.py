"""Where a mass lies: the nearest large joint and its side, read off the skeleton itself.

Joints follow from the shafts that lead to them, elbow and wrist from the two bones of a forearm;
the pelvis adds the sacroiliac joints and the symphysis, the vertebral column the spine. What
remains doubtful is left out: no joint is better than a wrong one.

The constants of this module and of those it builds on are adult anatomy, measured by us on the
labelled masks and scans named in docs/accuracy.md.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.measure.bone_chart import Names, nearest_bone
from calcinosis.measure.bone_names import name_bones
from calcinosis.measure.bone_sections import GRID_MM, Body, sections, stand_along_axes
from calcinosis.measure.forearms import Forearm, forearms
from calcinosis.measure.joint import Joint
from calcinosis.measure.limb_joints import (
    TRUNK_MM,
    Limb,
    level_with_head,
    limbs_of,
    outer_femurs,
)
from calcinosis.measure.mass import MIDLINE, SYMPHYSIS, Point, Site
from calcinosis.measure.pelvis import pelvic_joints
from calcinosis.measure.shafts import shafts
from calcinosis.measure.trunk import HEAD_FROM_MIDLINE_MM, Thorax, thorax_of, trunk_joints
from calcinosis.volume import Volume

REACH_MM = 160.0  # farther from every joint seen, the nearest one may be out of the picture
FOREARM_MM = 240.0  # of an adult: beyond half of it the other of elbow and wrist is nearer
# Where the hip or shoulder of a side is not recognised, it may yet be there: a joint of the midline
# then names what lies on that side up to half of the way to a hip (91 and 133 mm, by the
# proportions of `pelvis`), and as near to the thoracic spine as no humeral head lies.
BESIDE = {SYMPHYSIS: "hip", "lumbar spine": "hip", "thoracic spine": "shoulder"}
UNSEEN_MM = {SYMPHYSIS: 45.0, "lumbar spine": 66.0, "thoracic spine": HEAD_FROM_MIDLINE_MM}
SIDES_APART_MM = 60.0
SIDE_SURE_MM = 10.0  # nearer to one side's joint by less is in the midline; a named parameter
SYMPHYSIS_REACH_MM = 60.0  # farther, a hip is the better name: thigh, buttock; a named parameter
ASIDE_MM = 30.0  # from a joint of the midline: beside a vertebra, on that side; a named parameter
BESIDE_MIDLINE = {"hip", "sacroiliac", "shoulder"}  # legs and forearms may cross the midline
FEMORAL_HEADS_APART_MM = (125.0, 215.0)
Index = NDArray[np.int64]


def locate(volume: Volume, skeleton: NDArray[np.bool_], centroid_lps_mm: Point) -> Site | None:
    """The large joint nearest to a point, with its side and the distance to its centre.

    Args:
        volume: CT in HU.
        skeleton: bone on the same grid [z, y, x].
        centroid_lps_mm: the point, usually a mass's centroid.

    Returns:
        None when no joint can be recognised within reach. `side` is None when the scan shows one
        limb and nothing in it tells left from right, or for a point in the midline.
    """
    return nearest(find_landmarks(volume, skeleton).joints, centroid_lps_mm)


def nearest(joints: tuple[Joint, ...], centroid_lps_mm: Point) -> Site | None:
    """The joint nearest to a point, if within reach; in the midline without a side."""
    beyond_mm = [_beyond_midline_mm(joint, joints, centroid_lps_mm[0]) for joint in joints]
    sites = [
        replace(site, side=None) if beyond > 0 else site
        for joint, beyond in zip(joints, beyond_mm, strict=True)
        if beyond <= ASIDE_MM
        for site in [_site(joint, centroid_lps_mm)]
    ]
    hidden = _hidden_beside(joints, centroid_lps_mm[0])
    within = [site for site in sites if site.distance_mm <= _reach_mm(site.joint, hidden)]
    near = min(within, key=lambda site: site.distance_mm, default=None)
    if near is None:
        return None
    as_near = near.distance_mm + SIDE_SURE_MM
    sides = {one.side for one in sites if one.joint == near.joint and one.distance_mm < as_near}
    return near if len(sides) == 1 else replace(near, side=None)


def _hidden_beside(joints: tuple[Joint, ...], x_mm: float) -> set[str]:
    """The joints of the midline whose hip or shoulder is not recognised on the side of a point."""
    seen = {(joint.name, joint.side) for joint in joints}
    return {
        joint.name
        for joint in joints
        for side in ["left" if x_mm > joint.centre_lps_mm[0] else "right"]
        if joint.name in MIDLINE and (BESIDE[joint.name], side) not in seen
    }


def _reach_mm(name: str, hidden: set[str]) -> float:
    """How far from a joint nothing else can be nearer."""
    if name in hidden:
        return UNSEEN_MM[name]
    if name == SYMPHYSIS:
        return SYMPHYSIS_REACH_MM
    return FOREARM_MM / 2 if name in {"elbow", "wrist"} else REACH_MM


def _beyond_midline_mm(joint: Joint, joints: tuple[Joint, ...], x_mm: float) -> float:
    """How far across the midline from a joint of the trunk a point lies; at most 0 if it does not.

    Where only one hip is recognised, what lies by the other must not get its side.
    """
    if joint.side is None or joint.name not in BESIDE_MIDLINE:
        return 0.0
    outwards = 1.0 if joint.side == "left" else -1.0
    midline_mm = [other.centre_lps_mm[0] for other in joints if other.name in MIDLINE]
    return min((outwards * (middle - x_mm) for middle in midline_mm), default=0.0)


def _site(joint: Joint, point_lps_mm: Point) -> Site:
    """A joint as seen from a point: what lies aside of a joint of the midline lies on that side."""
    x, y, z = np.subtract(point_lps_mm, joint.centre_lps_mm)
    away_mm = float(np.linalg.norm([x, y, z - np.clip(z, 0, joint.length_mm)]))
    side = joint.side
    if joint.name in MIDLINE and abs(x) > ASIDE_MM:
        side = "left" if x > 0 else "right"
    return Site(joint.name, side, away_mm)


@dataclass(frozen=True, eq=False)
class Landmarks:
    """What the skeleton tells of the place: joints, and which bone is which.

    Attributes:
        body: the coarse grid on which it was read.
        joints: every large joint that it shows.
        names: the name of each voxel of bone on that grid, see `Chart.flooded`.
    """

    body: Body
    joints: tuple[Joint, ...]
    names: Names


def name_nearest(landmarks: Landmarks, surface_lps_mm: NDArray[np.float64]) -> str | None:
    """The bone nearest to a mass with these surface points (n, 3); None where it is not known."""
    return nearest_bone(landmarks.body, landmarks.names, surface_lps_mm)


def find_landmarks(volume: Volume, skeleton: NDArray[np.bool_]) -> Landmarks:
    """Read joints and names of bones off a skeleton.

    Args:
        volume: CT in HU.
        skeleton: bone on the same grid [z, y, x].
    """
    body = stand_along_axes(volume, skeleton)
    planes = sections(body)
    thorax = thorax_of(body)
    arms = forearms(body, planes)
    limbs = outer_femurs(
        [
            limb
            for shaft in shafts(planes)
            for limb in limbs_of(body, planes, shaft, thorax)
            if not any(_is_of_arm(body, limb, arm) for arm in arms)
        ]
    )
    joints = [joint for limb in limbs for joint in limb.joints]
    joints += [joint for arm in arms for joint in arm.joints]
    if thorax:
        joints += trunk_joints(body, planes, thorax)
    if not {joint.name for joint in joints} & {"hip", "knee", "ankle"}:
        joints += _femoral_heads(body, thorax.low if thorax else len(planes))
    joints = _paired(_merge(joints))
    joints = _aside(joints, _midline(body, joints, thorax))
    names = name_bones(body, planes, limbs, joints, thorax)
    hips = [joint for joint in joints if joint.name == "hip" and joint.side]
    return Landmarks(body, (*joints, *pelvic_joints(body, hips)), names)


def _is_of_arm(body: Body, limb: Limb, arm: Forearm) -> bool:
    """Is what looks like a leg, or leads to a shoulder, part of this arm below the shoulder?"""
    if limb.bone == "humerus":
        return any(arm.passes(body, joint) for joint in limb.joints)
    return arm.holds(limb.shaft)


def _merge(joints: list[Joint]) -> list[Joint]:
    """One joint where two shafts lead to the same."""
    merged: list[Joint] = []
    for joint in joints:
        for n, other in enumerate(merged):
            apart = float(np.linalg.norm(np.subtract(joint.centre_lps_mm, other.centre_lps_mm)))
            if joint.name == other.name and apart < 60:
                x, y, z = np.add(joint.centre_lps_mm, other.centre_lps_mm) / 2
                agreed = other.side or joint.side
                if joint.side and other.side and joint.side != other.side:
                    agreed = None
                merged[n] = Joint(joint.name, agreed, (float(x), float(y), float(z)))
                break
        else:
            merged.append(joint)
    return merged


def _paired(joints: list[Joint]) -> list[Joint]:
    """Of two joints of one kind side by side, the one at larger x is the left."""
    result: list[Joint] = []
    for name in dict.fromkeys(joint.name for joint in joints):
        alike = sorted((j for j in joints if j.name == name), key=lambda j: j.centre_lps_mm[0])
        if len(alike) > 1 and _x_apart_mm(alike[0], alike[-1]) > SIDES_APART_MM:
            alike = [replace(alike[0], side="right"), replace(alike[-1], side="left")]
        result += alike
    return result


def _midline(body: Body, joints: list[Joint], thorax: Thorax | None) -> float | None:
    """LPS x of the body's midline, where lungs or both hips are seen."""
    if thorax:
        return body.lps(thorax.low, thorax.y, thorax.x)[0]
    hips = [joint.centre_lps_mm[0] for joint in joints if joint.name == "hip" and joint.side]
    return sum(hips) / 2 if len(hips) == 2 else None


def _aside(joints: list[Joint], midline_mm: float | None) -> list[Joint]:
    """Elbows and wrists far from the midline, with their side; near it, arms may be crossed."""
    if midline_mm is None:
        return joints
    sided = []
    for joint in joints:
        x = joint.centre_lps_mm[0] - midline_mm
        if joint.side is None and joint.name in {"elbow", "wrist"} and abs(x) > TRUNK_MM:
            sided.append(replace(joint, side="left" if x > 0 else "right"))
        else:
            sided.append(joint)
    return sided


def _x_apart_mm(one: Joint, other: Joint) -> float:
    return other.centre_lps_mm[0] - one.centre_lps_mm[0]


def _femoral_heads(body: Body, below: int) -> list[Joint]:
    """Both hips of a pelvis whose shafts lie outside the picture: two solid balls, mirrored."""
    solid = ndimage.gaussian_filter(body.bone.astype(np.float32), 12 / GRID_MM, mode="constant")
    peaks = np.argwhere((ndimage.maximum_filter(solid, 9) == solid) & (solid > 0.6))
    peaks = peaks[peaks[:, 0] < below]
    pairs = [
        (a, b)
        for a in peaks
        for b in peaks
        if FEMORAL_HEADS_APART_MM[0] < (a[2] - b[2]) * GRID_MM < FEMORAL_HEADS_APART_MM[1]
        and abs(a[0] - b[0]) * GRID_MM < 25
        and abs(a[1] - b[1]) * GRID_MM < 25
    ]
    heads = [
        pair
        for pair in pairs
        if _sacrum_above(body, *pair) and not any(_are_ischia(pair, other) for other in pairs)
    ]
    if not heads:
        return []
    left, right = max(heads, key=lambda pair: float(solid[tuple(pair[0])] + solid[tuple(pair[1])]))
    return [
        level_with_head(body, Joint("hip", "left", body.lps(*left))),
        level_with_head(body, Joint("hip", "right", body.lps(*right))),
    ]


def _are_ischia(pair: tuple[Index, Index], heads: tuple[Index, Index]) -> bool:
    """Do two balls lie to two others as the ischial tuberosities to the femoral heads?

    They lie below, behind and closer together: 63, 36 and 54 mm on our phantom of hips.
    """
    below, before = (
        (heads[0][axis] + heads[1][axis] - pair[0][axis] - pair[1][axis]) / 2 * GRID_MM
        for axis in (0, 1)
    )
    closer = (heads[0][2] - heads[1][2] - pair[0][2] + pair[1][2]) * GRID_MM
    return bool(below > 30 and before < -12 and closer > 15)


def _sacrum_above(body: Body, left: Index, right: Index) -> bool:
    """Is there bone in the midline where the sacrum must be?"""
    z, y, x = (left + right) // 2
    block = body.bone[z + 9 : z + 30, y : y + 40, x - 10 : x + 11]
    return bool(np.count_nonzero(block) * GRID_MM**3 / 1000 > 20)
