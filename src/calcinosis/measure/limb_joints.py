"""Joints at the ends of shafts.

A thick shaft alone is a femur, one with a thin companion a tibia, a thinner one a humerus. Where a
shaft widens, a joint follows at a known distance.
"""

import numpy as np
from scipy import ndimage

from calcinosis.measure.bone_sections import GRID_MM, Body, Section
from calcinosis.measure.joint import Joint, Side
from calcinosis.measure.shafts import Shaft

CROWD_MIN_ML = 8.0  # scapula and ribs near a shoulder
FEMUR_MIN_CM2 = 5.5
HUMERUS_MAX_CM2 = 5.0
SINGLE_SHAFT_MIN_MM = 36.0
FLARE = 1.3  # a shaft that widens by this much before it ends runs into a joint
# From the end of the even shaft to the joint (along the body axis).
HIP_ABOVE_SHAFT_MM = 75.0
KNEE_BELOW_FEMUR_MM = 55.0
KNEE_ABOVE_TIBIA_MM = 50.0
ANKLE_BELOW_TIBIA_MM = 35.0
SHOULDER_BEYOND_HUMERUS_MM = 40.0


def ends(body: Body, sections: list[list[Section]], shaft: Shaft) -> list[Joint]:
    """The joints a shaft leads to."""
    up, down = _widens(sections, shaft, +1), _widens(sections, shaft, -1)
    if shaft.companion is not None:
        side: Side | None = None
        if abs(shaft.companion[1]) > 8:  # the fibula lies lateral of the tibia
            side = "left" if shaft.companion[1] > 0 else "right"
        return [
            *([_beyond(body, shaft, "knee", side, KNEE_ABOVE_TIBIA_MM)] if up else []),
            *([_beyond(body, shaft, "ankle", side, -ANKLE_BELOW_TIBIA_MM)] if down else []),
        ]
    if shaft.length_mm < SINGLE_SHAFT_MIN_MM or (up and down):
        return []  # too short to tell, or too short for a whole long bone: not a limb's shaft
    if shaft.cm2 <= HUMERUS_MAX_CM2:
        return _shoulder(body, sections, shaft, up=up) if up or down else []
    if shaft.cm2 >= FEMUR_MIN_CM2:
        joints = []
        if down:
            side = _side_of_thigh(shaft)
            joints.append(_beyond(body, shaft, "knee", side, -KNEE_BELOW_FEMUR_MM))
        if up:
            joints.append(_hip(body, shaft))
        return joints
    return []


def _widens(sections: list[list[Section]], shaft: Shaft, step: int) -> bool:
    """Does bone at this end grow into an epiphysis (rather than leave the picture)?"""
    end = shaft.sections[-1 if step > 0 else 0]
    beyond = range(end.z + step, end.z + 14 * step, step)
    seen = [z for z in beyond if 0 <= z < len(sections)]
    near = [
        sum(s.cm2 for s in sections[z] if np.hypot(s.y - end.y, s.x - end.x) * GRID_MM < 45)
        for z in seen
    ]
    return len(near) >= 3 and max(near) > FLARE * shaft.cm2


def _beyond(body: Body, shaft: Shaft, name: str, side: Side | None, along_mm: float) -> Joint:
    """A joint some way beyond the end of a shaft, in its direction."""
    upward = along_mm > 0
    end = shaft.sections[-1 if upward else 0]
    other = (
        shaft.sections[max(0, len(shaft.sections) - 15)]
        if upward
        else (shaft.sections[min(14, len(shaft.sections) - 1)])
    )
    rise = end.z - other.z
    lean = np.clip([(end.y - other.y) / rise, (end.x - other.x) / rise], -0.5, 0.5)
    z = along_mm / GRID_MM
    return Joint(name, side, body.lps(end.z + z, end.y + lean[0] * z, end.x + lean[1] * z))


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
    z, y, x = np.unravel_index(int(np.argmax(solid)), solid.shape)
    medial_mm = (x + x0 - end.x) * GRID_MM
    side: Side | None = None
    if abs(medial_mm) > 15:
        side = "right" if medial_mm > 0 else "left"
    return Joint("hip", side, body.lps(float(z) + z0, float(y) + y0, float(x) + x0))


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
    others = [
        ((s.x - end.x) * GRID_MM, s.cm2)
        for plane in sections[max(0, low) : high]
        for s in plane
        if 25 < np.hypot(s.y - end.y, s.x - end.x) * GRID_MM < 120
    ]
    crowd_ml = sum(cm2 for _, cm2 in others) * GRID_MM / 10
    if crowd_ml < CROWD_MIN_ML:
        return []
    inwards = sum(x * cm2 for x, cm2 in others) / sum(cm2 for _, cm2 in others)
    side: Side | None = None
    if abs(inwards) > 15:
        side = "right" if inwards > 0 else "left"
    along = SHOULDER_BEYOND_HUMERUS_MM if up else -SHOULDER_BEYOND_HUMERUS_MM
    return [_beyond(body, shaft, "shoulder", side, along)]
