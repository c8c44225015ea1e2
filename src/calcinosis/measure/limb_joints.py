"""Joints at the ends of shafts.

A thick shaft alone is a femur, one with a thin companion a tibia, a thinner one a humerus. Where a
shaft widens, a joint follows at a known distance.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from calcinosis.measure.bone_sections import GRID_MM, Body, Section
from calcinosis.measure.joint import Joint, Side
from calcinosis.measure.shafts import Shaft
from calcinosis.measure.trunk import Thorax

CROWD_MIN_ML = 8.0  # scapula and ribs near a shoulder
ARM_MM = 45.0  # bones of an elbow or forearm lie no farther from the humerus
OUTSIDE_MIN_ML = 4.0  # of the crowd lies farther than that
FEMUR_MIN_CM2 = 5.5
HUMERUS_MAX_CM2 = 5.0
SINGLE_SHAFT_MIN_MM = 36.0
FEMUR_ALONE_MM = 90.0  # so long a shaft is a femur, even where no joint is seen
TRUNK_MM = 85.0  # nearer to the midline of the chest no limb runs
FLARE = 1.37  # a shaft that widens by this much before it ends runs into a joint
# From the end of the even shaft to the joint (along the body axis).
HIP_ABOVE_SHAFT_MM = 75.0
KNEE_BELOW_FEMUR_MM = 55.0
KNEE_ABOVE_TIBIA_MM = 50.0
ANKLE_BELOW_TIBIA_MM = 35.0
SHOULDER_BEYOND_HUMERUS_MM = 40.0
HEAD_RADIUS_MM = 23.0
UNDERSIDE_MM = 8.0  # radius of the column in which the underside of a head is sought
UNDERSIDE_BELOW_MM = (15.0, 48.0)  # below the most solid place


@dataclass(frozen=True, eq=False)
class Limb:
    """A shaft whose bone is known, with the joints that it leads to."""

    bone: str
    shaft: Shaft
    joints: tuple[Joint, ...]


def limbs_of(
    body: Body, planes: list[list[Section]], shaft: Shaft, thorax: Thorax | None
) -> list[Limb]:
    """The limb that a shaft is of: one, or none where the shaft may be something else."""
    beside_chest = thorax is not None and shaft.sections[-1].z > thorax.low
    if thorax and beside_chest:
        central = abs(shaft.sections[0].x - thorax.x) * GRID_MM < TRUNK_MM
        if central or not thorax.apex_seen:
            return []  # a vertebra, or a vessel or bowel with contrast
    up, down = _widens(planes, shaft, +1), _widens(planes, shaft, -1)
    if shaft.companion is not None:
        return [Limb("tibia", shaft, tuple(_of_tibia(body, shaft, up=up, down=down)))]
    if shaft.length_mm < SINGLE_SHAFT_MIN_MM or (up and down):
        return []  # too short to tell, or too short for a whole long bone: not a limb's shaft
    if shaft.across_cm2 <= HUMERUS_MAX_CM2 or beside_chest:
        shoulder = _shoulder(body, planes, shaft, up=up) if up or down else []
        return [Limb("humerus", shaft, tuple(shoulder))] if shoulder else []
    if shaft.across_cm2 >= FEMUR_MIN_CM2:
        joints = _of_femur(body, shaft, up=up, down=down)
        if joints or shaft.length_mm >= FEMUR_ALONE_MM:
            return [Limb("femur", shaft, tuple(joints))]
    return []


def outer_femurs(limbs: list[Limb]) -> list[Limb]:
    """Without what looks like a femur between two others: a sacrum, or a rod in the pelvis."""
    places = [limb.shaft.sections[-1].x for limb in limbs if limb.bone == "femur"]
    return [
        limb
        for limb in limbs
        if limb.bone != "femur"
        or min(places) == limb.shaft.sections[-1].x
        or max(places) == limb.shaft.sections[-1].x
    ]


def _of_tibia(body: Body, shaft: Shaft, *, up: bool, down: bool) -> list[Joint]:
    side: Side | None = None
    if shaft.companion and abs(shaft.companion[1]) > 8:  # the fibula lies lateral of the tibia
        side = "left" if shaft.companion[1] > 0 else "right"
    return [
        *([_beyond(body, shaft, "knee", side, KNEE_ABOVE_TIBIA_MM)] if up else []),
        *([_beyond(body, shaft, "ankle", side, -ANKLE_BELOW_TIBIA_MM)] if down else []),
    ]


def _of_femur(body: Body, shaft: Shaft, *, up: bool, down: bool) -> list[Joint]:
    joints = []
    if down:
        side = _side_of_thigh(shaft)
        joints.append(_beyond(body, shaft, "knee", side, -KNEE_BELOW_FEMUR_MM))
    if up:
        joints.append(_hip(body, shaft))
    return joints


def _widens(sections: list[list[Section]], shaft: Shaft, step: int) -> bool:
    """Does bone at this end grow into an epiphysis (rather than leave the picture)?"""
    end = shaft.sections[-1 if step > 0 else 0]
    beyond = range(end.z + step, end.z + 14 * step, step)
    seen = [z for z in beyond if 0 <= z < len(sections)]
    near = [max((s.cm2 for s in sections[z] if _apart_mm(s, end) < 45), default=0.0) for z in seen]
    return len(near) >= 3 and max(near) > FLARE * shaft.cm2


def _apart_mm(one: Section, other: Section) -> float:
    return float(np.hypot(one.y - other.y, one.x - other.x)) * GRID_MM


def _beyond(body: Body, shaft: Shaft, name: str, side: Side | None, along_mm: float) -> Joint:
    """A joint some way beyond the end of a shaft, in its direction."""
    return Joint(name, side, body.lps(*shaft.beyond(along_mm)))


def _hip(body: Body, shaft: Shaft) -> Joint:
    """The femoral head above a shaft: the most solid place near where it must be."""
    end = shaft.sections[-1]
    joint = _beyond(body, shaft, "hip", None, HIP_ABOVE_SHAFT_MM)
    top, reach = end.z + HIP_ABOVE_SHAFT_MM / GRID_MM, round(80 / GRID_MM)
    z0, z1 = round(top - 35 / GRID_MM), round(top + 35 / GRID_MM)
    y0, x0 = max(0, round(end.y) - reach // 2), max(0, round(end.x) - reach)
    block = body.bone[z0:z1, y0 : round(end.y) + reach // 2, x0 : round(end.x) + reach]
    if block.shape[0] < 5 or not block.any():
        return joint
    solid = ndimage.gaussian_filter(block.astype(np.float32), 15 / GRID_MM, mode="constant")
    z, y, x = (int(i) for i in np.unravel_index(int(np.argmax(solid)), solid.shape))
    medial_mm = (x + x0 - end.x) * GRID_MM
    side: Side | None = None
    if abs(medial_mm) > 15:
        side = "right" if medial_mm > 0 else "left"
    return level_with_head(body, Joint("hip", side, body.lps(z + z0, y + y0, x + x0)))


def level_with_head(body: Body, hip: Joint) -> Joint:
    """A hip moved to the height of the femoral head, whose underside lies free of other bone.

    The most solid place lies higher, where the roof of the socket adds to the head.
    """
    x, y, z = hip.centre_lps_mm
    at = (np.array([z, y, x]) - body.origin) / GRID_MM
    height = min(max(round(at[0]), 0), len(body.bone) - 1)
    rows, columns = np.ogrid[: body.bone.shape[1], : body.bone.shape[2]]
    disc = np.hypot(rows - at[1], columns - at[2]) * GRID_MM < UNDERSIDE_MM
    filled = np.count_nonzero(body.bone[: height + 1] & disc, axis=(1, 2))
    free = np.flatnonzero(filled < 0.5 * np.count_nonzero(disc))
    depth_mm = (height - free[-1]) * GRID_MM if len(free) else np.inf
    if not UNDERSIDE_BELOW_MM[0] < depth_mm < UNDERSIDE_BELOW_MM[1]:
        return hip
    return replace(hip, centre_lps_mm=(x, y, z - float(depth_mm) + HEAD_RADIUS_MM))


def _side_of_thigh(shaft: Shaft) -> Side | None:
    """The femur leans outwards on its way up."""
    first, last = shaft.sections[0], shaft.sections[-1]
    lean_mm = (last.x - first.x) * GRID_MM
    if abs(lean_mm) < 6 or (last.z - first.z) * GRID_MM < 45:
        return None
    return "left" if lean_mm > 0 else "right"


def _shoulder(body: Body, sections: list[list[Section]], shaft: Shaft, *, up: bool) -> list[Joint]:
    """The shoulder at the end of a humerus that other bones (ribs, scapula) crowd around."""
    end = shaft.sections[-1 if up else 0]
    low, high = (end.z - 5, end.z + 25) if up else (end.z - 25, end.z + 5)

    def from_axis_mm(s: Section) -> float:
        _, y, x = shaft.ahead((s.z - end.z) * GRID_MM, upward=up)
        return float(np.hypot(s.y - y, s.x - x)) * GRID_MM

    others = [
        ((s.x - end.x) * GRID_MM, away_mm, s.cm2)
        for plane in sections[max(0, low) : high]
        for s in plane
        if 25 < (away_mm := from_axis_mm(s)) < 120
    ]
    crowd_ml = sum(cm2 for _, _, cm2 in others) * GRID_MM / 10
    outside_ml = sum(cm2 for _, away, cm2 in others if away > ARM_MM) * GRID_MM / 10
    if crowd_ml < CROWD_MIN_ML or outside_ml < OUTSIDE_MIN_ML:
        return []
    inwards = sum(x * cm2 for x, _, cm2 in others) / sum(cm2 for _, _, cm2 in others)
    side: Side | None = None
    if abs(inwards) > 15:
        side = "right" if inwards > 0 else "left"
    along = SHOULDER_BEYOND_HUMERUS_MM if up else -SHOULDER_BEYOND_HUMERUS_MM
    return [_beyond(body, shaft, "shoulder", side, along)]
