"""Which bone is which: marks where only one bone can lie, from which names flood the skeleton.

The distances are adult anatomy, measured as told in docs/accuracy.md.
"""

from collections.abc import Sequence

import edt
import numpy as np
from scipy import ndimage

from calcinosis.measure.bone_chart import BONES, FLOOD_MM, Chart, Mask, Names
from calcinosis.measure.bone_sections import GRID_MM, Body, Section
from calcinosis.measure.joint import Joint
from calcinosis.measure.limb_joints import Limb
from calcinosis.measure.shafts import thin_beside
from calcinosis.measure.trunk import Thorax

HEADS = {"hip": "femur", "shoulder": "humerus"}
HEAD_MM = 16.0  # so near to the centre of a head only its own bone lies
SOCKET_MM = 29.0  # farther medial of it than this lies only the hip bone
LINE_MM = 8.0
TROCHANTER_MM = 40.0  # so far beyond its even shaft the femur goes straight on
HIP_TO_MIDLINE_MM = 80.0
SPARE_MM = 20.0  # by so much a joint may be misplaced
LIMB_MM = 55.0
KNOWN_MM = 15.0  # outside the ribs, bone farther than this from a marked one is left unknown
CONDYLES_MM = 39.0  # from the middle of a knee beyond its edge
CONDYLES_MIN_CM2 = 14.0
CONDYLE_HEIGHT_MM = 9.0
LINE_SHARE = 0.6  # of the condyles' area, at most, shows at the line
LINE_APART_MM = (6.0, 36.0)  # from the line of a knee, so far condyles and tibial head reach
FIBULA_MM = 5.0
PATELLA_CM2 = (1.0, 14.0)
PATELLA_ABOVE_KNEE_MM = (-10.0, 60.0)


def name_bones(
    body: Body,
    planes: list[list[Section]],
    limbs: Sequence[Limb],
    joints: Sequence[Joint],
    thorax: Thorax | None,
) -> Names:
    """The name of each voxel of bone, as `Chart.flooded` gives it."""
    chart = Chart.of(body)
    for limb in limbs:
        _mark_shaft(chart, planes, limb)
    for limb in limbs:
        _mark_way(chart, limb)
    knees = [joint for joint in joints if joint.name == "knee"]
    for knee in knees:
        _mark_patella(chart, planes, knee)
        _mark_knee(chart, planes, knee)
    for limb in limbs:
        _mark_beyond(chart, limb, limbs)
    for joint in joints:
        if joint.name == "shoulder" and joint.side:
            _mark_shoulder(chart, joint)
    hips = [joint for joint in joints if joint.name == "hip" and joint.side]
    if hips:
        _mark_pelvis(chart, hips)
    if thorax:
        _mark_thorax(chart, thorax)
    names = chart.flooded()
    for joint in joints:
        if joint.name in HEADS and joint.side:
            head = names == BONES.index(HEADS[joint.name]) + 1
            names[head & _beside_socket(chart, joint)] = 0
    return names


def _beside_socket(chart: Chart, joint: Joint) -> Mask:
    """Above and medial of a head, where it lies too close to its socket to tell them apart."""
    centre = joint.centre_lps_mm
    medial = (chart.x - centre[0]) * (-1 if joint.side == "left" else 1)
    facing = (medial > -15) | (chart.z - centre[2] > 15)
    near = chart.within(centre, HEAD_MM + FLOOD_MM) & ~chart.within(centre, HEAD_MM + GRID_MM)
    return np.asarray(facing & near)


def _mark_shaft(chart: Chart, planes: list[list[Section]], limb: Limb) -> None:
    """The sections of a shaft and, beside a tibia, those of the fibula."""
    for section in limb.shaft.sections:
        beside = thin_beside(section, planes[section.z]) if limb.shaft.companion else None
        for bone, one in ((limb.bone, section), ("fibula", beside)):
            if one is not None:
                centre = chart.body.lps(one.z, one.y, one.x)
                radius_mm = 0.8 * np.sqrt(100 * one.cm2 / np.pi)
                chart.ball(bone, centre, float(radius_mm), height_mm=GRID_MM)


def _mark_way(chart: Chart, limb: Limb) -> None:
    """From the ends of a shaft towards its joints."""
    for joint in limb.joints:
        x, y, z = joint.centre_lps_mm
        up = _direction(chart, limb, joint)
        end = chart.body.lps(*limb.shaft.beyond(up * 1e-3))
        if joint.name == "hip":
            straight = chart.body.lps(*limb.shaft.beyond(TROCHANTER_MM))
            chart.line(limb.bone, end, straight, LINE_MM)
            chart.ball(limb.bone, joint.centre_lps_mm, HEAD_MM)
        elif joint.name == "shoulder":
            chart.line(limb.bone, end, joint.centre_lps_mm, LINE_MM)
        else:
            chart.line(limb.bone, end, (x, y, z - up * SPARE_MM), LINE_MM)


def _mark_beyond(chart: Chart, limb: Limb, others: Sequence[Limb]) -> None:
    """What lies beyond a knee or ankle is another bone, unless a shaft leads there too."""
    known = [joint for other in others if other is not limb for joint in other.joints]
    for joint in limb.joints:
        if joint.name not in {"knee", "ankle"} or any(j.name == joint.name for j in known):
            continue
        x, y, z = joint.centre_lps_mm
        beyond = _direction(chart, limb, joint) * (chart.z - z) > SPARE_MM / 2
        chart.mark(None, beyond & (np.hypot(chart.x - x, chart.y - y) < LIMB_MM))


def _direction(chart: Chart, limb: Limb, joint: Joint) -> int:
    """1 for a joint above its shaft, -1 below."""
    _, _, middle = chart.body.lps(limb.shaft.sections[len(limb.shaft.sections) // 2].z, 0, 0)
    return 1 if joint.centre_lps_mm[2] > middle else -1


def _mark_patella(chart: Chart, planes: list[list[Section]], knee: Joint) -> None:
    """A bone of its own in front of the end of the femur."""
    z, y, x = (np.array(knee.centre_lps_mm[::-1]) - chart.body.origin) / GRID_MM
    low, high = (max(0, round(z + mm / GRID_MM)) for mm in PATELLA_ABOVE_KNEE_MM)
    for section in (s for plane in planes[low:high] for s in plane):
        forward_mm, aside_mm = GRID_MM * (y - section.y), GRID_MM * abs(x - section.x)
        if PATELLA_CM2[0] < section.cm2 < PATELLA_CM2[1] and forward_mm > 15 and aside_mm < 30:
            centre = chart.body.lps(section.z, section.y, section.x)
            chart.ball("patella", centre, LINE_MM, height_mm=GRID_MM)


def _mark_knee(chart: Chart, planes: list[list[Section]], knee: Joint) -> None:
    """Condyles above the joint line, the tibia below it, and the fibula beside the tibia.

    The line is where a knee shows least bone; without a clear one (a knee that is bent, or lies on
    the edge of the picture) nothing is marked.
    """
    line = _joint_line(chart, knee)
    if line is None:
        return
    _, y, x = (np.array(knee.centre_lps_mm[::-1]) - chart.body.origin) / GRID_MM
    low, high = (round(mm / GRID_MM) for mm in LINE_APART_MM)
    for away in range(low, high):
        for bone, z in (("femur", line + away), ("tibia", line - away)):
            if not 0 <= z < len(planes):
                continue
            near = [s for s in planes[z] if np.hypot(s.y - y, s.x - x) * GRID_MM < SPARE_MM]
            main = max(near, key=lambda s: s.cm2, default=None)
            if main is None:
                continue
            radius_mm = 0.6 * np.sqrt(100 * main.cm2 / np.pi)
            chart.ball(bone, chart.body.lps(z, main.y, main.x), float(radius_mm), GRID_MM)
            thin = thin_beside(main, planes[z]) if bone == "tibia" else None
            if thin is not None:
                chart.ball("fibula", chart.body.lps(z, thin.y, thin.x), FIBULA_MM, GRID_MM)


def _joint_line(chart: Chart, knee: Joint) -> int | None:
    """The slice of a knee's joint space: far less bone than closely above and below it.

    Sections are closed first: where the shell of a condyle is thin, marrow looks like a gap.
    """
    z, y, x = (np.array(knee.centre_lps_mm[::-1]) - chart.body.origin) / GRID_MM
    radius, beside = round(CONDYLES_MM / GRID_MM), round(CONDYLE_HEIGHT_MM / GRID_MM)
    reach = round(SPARE_MM / GRID_MM) + beside
    low = max(0, round(z) - reach)
    rows, columns = (slice(max(0, round(c) - radius), round(c) + radius + 1) for c in (y, x))
    block = chart.body.bone[low : round(z) + reach + 1, rows, columns]
    cm2 = np.array([_closed_area(plane) for plane in block]) * GRID_MM**2 / 100
    lines = [
        n
        for n in range(beside, len(cm2) - beside)
        if min(cm2[n - beside : n].max(), cm2[n + 1 : n + 1 + beside].max())
        > max(cm2[n] / LINE_SHARE, CONDYLES_MIN_CM2)
    ]
    return low + min(lines, key=lambda n: cm2[n]) if lines else None


def _closed_area(plane: Mask) -> int:
    """Pixels of a section whose gaps of up to 4 pixels are shut and whose holes are filled."""
    closed = ndimage.binary_closing(np.pad(plane, 3), iterations=2)
    return int(np.count_nonzero(ndimage.binary_fill_holes(closed)))


def _mark_shoulder(chart: Chart, shoulder: Joint) -> None:
    """The head of the humerus, and the neck of the shoulder blade medial to it."""
    x, y, z = shoulder.centre_lps_mm
    chart.ball("humerus", shoulder.centre_lps_mm, HEAD_MM)
    medial = -1 if shoulder.side == "left" else 1
    inwards = (chart.x - x) * medial
    level = (abs(chart.z - z + 8) < 16) & (abs(chart.y - y - 12) < 16)
    chart.mark("scapula", level & (inwards > 36) & (inwards < 50))


def _mark_pelvis(chart: Chart, hips: Sequence[Joint]) -> None:
    """Femoral heads, hip bones, sacrum and lumbar spine."""
    inwards = {"left": -HIP_TO_MIDLINE_MM, "right": HIP_TO_MIDLINE_MM}
    x = np.mean([hip.centre_lps_mm[0] + inwards[hip.side or "left"] for hip in hips])
    _, y, z = np.mean([hip.centre_lps_mm for hip in hips], axis=0)
    aside, back, up = abs(chart.x - x), chart.y - y, chart.z - z
    central = aside < 22
    chart.mark("sacrum", central & (back > 15) & (up > -30) & (up < 80))
    chart.mark("sacrum", (aside < 36) & (back > 20) & (back < 65) & (up > 55) & (up < 100))
    chart.mark("vertebra", central & (back > -20) & (up > 114) & (up < 275))
    before_sacrum = (back < 10) | ((aside > 30) & (up < 0))
    for hip in hips:
        chart.ball("femur", hip.centre_lps_mm, HEAD_MM)
        medial = (chart.x - hip.centre_lps_mm[0]) * (-1 if hip.side == "left" else 1)
        chart.mark("femur", (medial < -28) & (medial > -80) & (up < 8) & (up > -110))
        own = (medial < HIP_TO_MIDLINE_MM) & (aside > 8)
        inner = before_sacrum & (medial > 2) & (up > -90) & ((up < 25) | (aside > 58)) & (up < 110)
        roof = (medial > -60) & (aside > 62) & (up > 35) & (up < 150)
        wall = (medial > -12) & (aside > 48) & (back > 28) & (up > -25) & (up < 60)
        outside = ~chart.within(hip.centre_lps_mm, SOCKET_MM)
        chart.mark("hip bone", own & outside & (inner | roof | wall))


def _mark_thorax(chart: Chart, thorax: Thorax) -> None:
    """Ribs around the lungs, the spine behind them, the sternum in front."""
    known_mm = edt.edt(chart.marks == 0, parallel=1) * GRID_MM
    to_lung_mm = edt.edt(~thorax.lung, anisotropy=(GRID_MM,) * 3, parallel=1)
    x, y, low = chart.body.lps(thorax.low, thorax.y, thorax.x)
    _, _, high = chart.body.lps(thorax.high, 0, 0)
    aside, back = abs(chart.x - x), chart.y - y
    beside = (chart.z > low) & (chart.z < high)
    chart.mark("vertebra", beside & (aside < 18) & (back > 10))
    chart.mark("sternum", beside & (chart.z < high - 60) & (aside < 18) & (back < -20))
    upper = (chart.z > high - 75) & (back < -30)
    chart.mark(None, upper & (aside > 24) & (aside < 90))  # clavicles and first ribs
    chart.mark("rib", beside & (chart.z < high - 15) & (aside > 45) & (to_lung_mm < 9))
    chart.mark(None, beside & (aside > 45) & (to_lung_mm > 20) & (known_mm > KNOWN_MM))
