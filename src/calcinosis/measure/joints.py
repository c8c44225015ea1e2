"""Where a mass lies: the nearest large joint and its side, read off the skeleton itself.

Joints follow from the shafts that lead to them; the pelvis adds the sacroiliac joints and the
symphysis, the vertebral column the spine. What remains doubtful is left out: no joint is better
than a wrong one.

The constants of this module and of those it builds on are adult anatomy, measured by us on the
labelled masks and scans named in docs/accuracy.md.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.measure.bone_sections import GRID_MM, Body, Section, sections, stand_along_axes
from calcinosis.measure.joint import Joint, Side
from calcinosis.measure.limb_joints import ends
from calcinosis.measure.mass import Point, Site
from calcinosis.measure.shafts import shafts
from calcinosis.volume import Volume

REACH_MM = 160.0  # farther from every joint seen, the nearest one may be out of the picture
# From the centre of the femoral head: medial, posterior, cranial.
HIP_TO_MIDLINE_MM = 80.0
SACROILIAC_MM = (24.0, 43.0, 68.0)
SYMPHYSIS_MM = (HIP_TO_MIDLINE_MM, -36.0, -38.0)
LUMBAR_MM = (HIP_TO_MIDLINE_MM, 15.0, 92.0)
LUMBAR_LENGTH_MM = 166.0
FEMORAL_HEADS_APART_MM = (125.0, 215.0)
HEAD_CM2 = (9.0, 30.0)  # section of a humeral head, with or without the socket
HEAD_FROM_MIDLINE_MM = 85.0
SHOULDER_BELOW_APEX_MM = 60.0
LUNG_MIN_ML = 100.0


def locate(volume: Volume, skeleton: NDArray[np.bool_], centroid_lps_mm: Point) -> Site | None:
    """The large joint nearest to a point, with its side and the distance to its centre.

    Args:
        volume: CT in HU.
        skeleton: bone on the same grid [z, y, x].
        centroid_lps_mm: the point, usually a mass's centroid.

    Returns:
        None when no joint can be recognised within reach. `side` is None when the scan shows one
        limb and nothing in it tells left from right, or for a joint in the midline.
    """
    return nearest(find_joints(volume, skeleton), centroid_lps_mm)


def nearest(joints: tuple[Joint, ...], centroid_lps_mm: Point) -> Site | None:
    """The joint nearest to a point, if within reach."""
    x, y, z = centroid_lps_mm
    sites = []
    for joint in joints:
        jx, jy, jz = joint.centre_lps_mm
        along = float(np.clip(z - jz, 0, joint.length_mm))
        away = float(np.linalg.norm([x - jx, y - jy, z - jz - along]))
        sites.append(Site(joint.name, joint.side, away))
    near = min(sites, key=lambda site: site.distance_mm, default=None)
    return near if near is not None and near.distance_mm <= REACH_MM else None


def find_joints(volume: Volume, skeleton: NDArray[np.bool_]) -> tuple[Joint, ...]:
    """Every large joint that the skeleton shows."""
    body = stand_along_axes(volume, skeleton)
    planes = sections(body)
    joints = [joint for shaft in shafts(planes) for joint in ends(body, planes, shaft)]
    joints += _trunk(body, planes)
    names = {joint.name for joint in joints}
    if not names & {"hip", "knee", "ankle"}:
        joints += _femoral_heads(body)
    joints = _side_by_comparison(_merge(joints))
    return (*joints, *_pelvis(joints))


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


def _side_by_comparison(joints: list[Joint]) -> list[Joint]:
    """Of two joints of one kind side by side, the one at larger x is the left."""
    result = []
    for joint in joints:
        pair = [
            other
            for other in joints
            if other.name == joint.name
            and abs(other.centre_lps_mm[0] - joint.centre_lps_mm[0]) > 60
        ]
        if len(pair) == 1:
            left = joint.centre_lps_mm[0] > pair[0].centre_lps_mm[0]
            result.append(replace(joint, side="left" if left else "right"))
        else:
            result.append(joint)
    return result


def _trunk(body: Body, sections: list[list[Section]]) -> list[Joint]:
    """Shoulders and thoracic spine of a scan that shows both lungs."""
    if np.count_nonzero(body.lung) * GRID_MM**3 / 1000 < LUNG_MIN_ML:
        return []
    _, lung_y, lung_x = np.argwhere(body.lung).mean(axis=0)
    with_lung = np.flatnonzero(np.count_nonzero(body.lung, axis=(1, 2)) * GRID_MM**2 / 100 > 30)
    apex = round(with_lung[-1] - SHOULDER_BELOW_APEX_MM / GRID_MM) if len(with_lung) else 0
    joints = []
    for direction, side in ((1, "left"), (-1, "right")):
        heads = [
            s
            for plane in sections[max(0, apex) :]
            for s in plane
            if HEAD_CM2[0] < s.cm2 < HEAD_CM2[1]
            and direction * (s.x - lung_x) * GRID_MM > HEAD_FROM_MIDLINE_MM
        ]
        if len(heads) >= 4:
            head = max(heads, key=lambda s: s.cm2)
            joints.append(Joint("shoulder", _as_side(side), body.lps(head.z, head.y, head.x)))
    spine = [
        s
        for z in with_lung.tolist()
        for s in sections[z]
        if s.cm2 > 4 and abs(s.x - lung_x) * GRID_MM < 25 and s.y > lung_y
    ]
    if len(spine) >= 10:
        low, high = int(with_lung[0]), int(with_lung[-1])
        y, x = np.mean([(s.y, s.x) for s in spine], axis=0)
        length = (high - low) * GRID_MM
        joints.append(Joint("thoracic spine", None, body.lps(low, float(y), float(x)), length))
    return joints


def _as_side(word: str) -> Side:
    """A literal from a word."""
    return "left" if word == "left" else "right"


def _femoral_heads(body: Body) -> list[Joint]:
    """Both hips of a pelvis whose shafts lie outside the picture: two solid balls, mirrored."""
    solid = ndimage.gaussian_filter(body.bone.astype(np.float32), 12 / GRID_MM, mode="constant")
    peaks = np.argwhere((ndimage.maximum_filter(solid, 9) == solid) & (solid > 0.6))
    pairs = [
        (float(solid[tuple(a)] + solid[tuple(b)]), a, b)
        for a in peaks
        for b in peaks
        if FEMORAL_HEADS_APART_MM[0] < (a[2] - b[2]) * GRID_MM < FEMORAL_HEADS_APART_MM[1]
        and abs(a[0] - b[0]) * GRID_MM < 25
        and abs(a[1] - b[1]) * GRID_MM < 25
        and _sacrum_above(body, a, b)
    ]
    if not pairs:
        return []
    _, left, right = max(pairs, key=lambda pair: pair[0])
    return [Joint("hip", "left", body.lps(*left)), Joint("hip", "right", body.lps(*right))]


def _sacrum_above(body: Body, left: NDArray[np.int64], right: NDArray[np.int64]) -> bool:
    """Is there bone in the midline where the sacrum must be?"""
    z, y, x = (left + right) // 2
    block = body.bone[z + 13 : z + 30, y : y + 40, x - 10 : x + 11]
    return bool(np.count_nonzero(block) * GRID_MM**3 / 1000 > 20)


def _pelvis(joints: list[Joint]) -> list[Joint]:
    """Sacroiliac joint, symphysis and lumbar spine, placed from the hips."""
    found = []
    for hip in (joint for joint in joints if joint.name == "hip" and joint.side):
        medial = -1.0 if hip.side == "left" else 1.0
        x, y, z = hip.centre_lps_mm
        for name, side, (inwards, back, up), length in (
            ("sacroiliac", hip.side, SACROILIAC_MM, 0.0),
            ("pubic symphysis", None, SYMPHYSIS_MM, 0.0),
            ("lumbar spine", None, LUMBAR_MM, LUMBAR_LENGTH_MM),
        ):
            found.append(Joint(name, side, (x + medial * inwards, y + back, z + up), length))
    return found
