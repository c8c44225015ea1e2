"""Where a mass lies: the nearest large joint and its side, read off the skeleton itself.

Slice by slice, round bone sections are followed into shafts. A thick shaft alone is a femur, one
with a thin companion a tibia, a thinner one a humerus. Where a shaft widens, a joint follows at a
known distance. The pelvis adds the sacroiliac joints and the symphysis, the vertebral column the
spine. What remains doubtful is left out: no joint is better than a wrong one.

The constants are adult anatomy, measured by us on the labelled masks and scans named in
docs/accuracy.md.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.measure.mass import Point, Site
from calcinosis.volume import Volume

Side = Literal["left", "right"]
Array = NDArray[np.float64]

GRID_MM = 3.0
CROWD_MIN_ML = 8.0  # scapula and ribs near a shoulder
REACH_MM = 160.0  # farther from every joint seen, the nearest one may be out of the picture
SHAFT_CM2 = (3.2, 14.0)
FEMUR_MIN_CM2 = 5.5
HUMERUS_MAX_CM2 = 5.0
THIN_CM2 = (0.5, 3.2)
COMPANION_MM = (18.0, 62.0)
SHAFT_MIN_MM = 27.0
SINGLE_SHAFT_MIN_MM = 36.0
FLARE = 1.3  # a shaft that widens by this much before it ends runs into a joint
# From the end of the even shaft to the joint (along the body axis).
HIP_ABOVE_SHAFT_MM = 75.0
KNEE_BELOW_FEMUR_MM = 55.0
KNEE_ABOVE_TIBIA_MM = 50.0
ANKLE_BELOW_TIBIA_MM = 35.0
SHOULDER_BEYOND_HUMERUS_MM = 40.0
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


@dataclass(frozen=True)
class Joint:
    """A joint seen in the scan; `side` None when the scan does not tell."""

    name: str
    side: Side | None
    centre_lps_mm: Point
    length_mm: float = 0.0  # of the spine, upwards from the centre


@dataclass(frozen=True, eq=False)
class _Body:
    """Bone and air on a 3 mm grid along the patient's axes: [z up, y back, x left]."""

    bone: NDArray[np.bool_]
    lung: NDArray[np.bool_]
    origin: Array  # LPS of voxel 0, as (z, y, x)

    def lps(self, z: float, y: float, x: float) -> Point:
        """Indices to LPS mm (x, y, z)."""
        place = self.origin + GRID_MM * np.array([z, y, x])
        return float(place[2]), float(place[1]), float(place[0])


@dataclass(frozen=True, eq=False)
class _Section:
    """One bone in one slice."""

    z: int
    y: float
    x: float
    cm2: float
    round: bool


@dataclass(frozen=True, eq=False)
class _Shaft:
    """Round sections followed from slice to slice, caudal first."""

    sections: tuple[_Section, ...]
    companion: tuple[float, float] | None  # mean offset (y, x) in mm of a thin bone beside it

    @property
    def cm2(self) -> float:
        """Typical area of the section."""
        return float(np.median([s.cm2 for s in self.sections]))

    @property
    def length_mm(self) -> float:
        """Extent along the body axis."""
        return len(self.sections) * GRID_MM


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
    body = _stand_along_axes(volume, skeleton)
    sections = _sections(body)
    joints = [joint for shaft in _shafts(sections) for joint in _ends(body, sections, shaft)]
    joints += _trunk(body, sections)
    names = {joint.name for joint in joints}
    if not names & {"hip", "knee", "ankle"}:
        joints += _femoral_heads(body)
    joints = _side_by_comparison(_merge(joints))
    return (*joints, *_pelvis(joints))


# --- the scan on a coarse grid --------------------------------------------------------------------


def _stand_along_axes(volume: Volume, skeleton: NDArray[np.bool_]) -> _Body:
    """Nearest-voxel samples on a grid along the patient's axes, marrow filled per slice."""
    corners = np.stack(np.meshgrid(*[[0, n - 1] for n in volume.shape]), axis=-1).reshape(-1, 3)
    placed = volume.to_lps(corners)
    low, high = placed.min(axis=0), placed.max(axis=0)
    x, y, z = (np.arange(a, b + 0.1, GRID_MM) for a, b in zip(low, high, strict=True))
    inverse = np.linalg.inv(volume.affine[:3, :3])
    start = inverse @ (low - volume.affine[:3, 3])
    index = [
        start[axis]
        + inverse[axis, 2] * (z - z[0])[:, None, None]
        + inverse[axis, 1] * (y - y[0])[None, :, None]
        + inverse[axis, 0] * (x - x[0])[None, None, :]
        for axis in range(3)
    ]
    inside = np.ones((len(z), len(y), len(x)), dtype=bool)
    place = []
    for axis, size in enumerate(volume.shape):
        whole = np.round(index[axis]).astype(np.int32)
        inside &= (whole >= 0) & (whole < size)
        place.append(np.clip(whole, 0, size - 1))
    bone = skeleton[tuple(place)] & inside
    hu = volume.voxels[tuple(place)]
    for plane in bone:
        np.putmask(plane, ndimage.binary_fill_holes(plane), values=True)
    return _Body(bone, _lung(hu, inside), low[::-1].astype(np.float64))


def _lung(hu: NDArray[np.int16], inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Lung-like air that does not reach the edge of its slice."""
    air = (hu < -500) & inside
    for plane in air:
        labels, _ = ndimage.label(plane)
        rim = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
        np.putmask(plane, np.isin(labels, rim), values=False)
    return np.asarray(air)


# --- shafts ---------------------------------------------------------------------------------------


def _sections(body: _Body) -> list[list[_Section]]:
    """Every bone section of every slice."""
    result = []
    edge = np.zeros(body.bone.shape[1:], dtype=bool)
    edge[[0, -1], :] = edge[:, [0, -1]] = True
    for z, plane in enumerate(body.bone):
        labels, _ = ndimage.label(plane)
        found = []
        for number, box in enumerate(ndimage.find_objects(labels), start=1):
            member = labels[box] == number
            cm2 = np.count_nonzero(member) * GRID_MM**2 / 100
            if cm2 < THIN_CM2[0]:
                continue
            y, x = np.argwhere(member).mean(axis=0)
            cut = bool((edge[box] & member).any())
            round_ = not cut and _is_round(member)
            found.append(_Section(z, y + box[0].start, x + box[1].start, cm2, round_))
        result.append(found)
    return result


def _is_round(member: NDArray[np.bool_]) -> bool:
    """Does a section fill its ellipse of inertia, and is that not too long?"""
    places = np.argwhere(member)
    if len(places) < 4:
        return True
    short, long = np.sqrt(np.linalg.eigvalsh(np.cov(places.T) + np.eye(2) / 12))
    fills = len(places) / (4 * np.pi * short * long)
    return bool(fills > 0.8 and short / long > 0.5)


def _shafts(sections: list[list[_Section]]) -> list[_Shaft]:
    """Follow round sections upwards for as long as they keep their place and size."""
    open_runs: list[list[_Section]] = []
    runs: list[list[_Section]] = []
    for plane in sections:
        candidates = [s for s in plane if s.round and SHAFT_CM2[0] < s.cm2 < SHAFT_CM2[1]]
        following = []
        for run in open_runs:
            last = run[-1]
            near = [
                s
                for s in candidates
                if np.hypot(s.y - last.y, s.x - last.x) * GRID_MM < 6
                and 0.8 < s.cm2 / last.cm2 < 1.25
            ]
            if near:
                best = min(near, key=lambda s: abs(s.cm2 - last.cm2))
                candidates.remove(best)
                following.append([*run, best])
            else:
                runs.append(run)
        open_runs = following + [[s] for s in candidates]
    runs += open_runs
    return [
        _Shaft(tuple(run), _companion(run, sections))
        for run in runs
        if len(run) * GRID_MM >= SHAFT_MIN_MM
    ]


def _companion(run: list[_Section], sections: list[list[_Section]]) -> tuple[float, float] | None:
    """The mean offset of a thin bone that keeps beside a shaft along most of its length."""
    offsets = []
    for section in run:
        beside = [
            (GRID_MM * (s.y - section.y), GRID_MM * (s.x - section.x))
            for s in sections[section.z]
            if THIN_CM2[0] < s.cm2 < min(THIN_CM2[1], 0.5 * section.cm2)
        ]
        near = [o for o in beside if COMPANION_MM[0] < np.hypot(*o) < COMPANION_MM[1]]
        if near:
            offsets.append(min(near, key=lambda o: float(np.hypot(*o))))
    if len(offsets) < 0.6 * len(run) or np.max(np.std(offsets, axis=0)) > 8:
        return None
    y, x = np.mean(offsets, axis=0)
    return float(y), float(x)


# --- joints at the ends of shafts -----------------------------------------------------------------


def _ends(body: _Body, sections: list[list[_Section]], shaft: _Shaft) -> list[Joint]:
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


def _widens(sections: list[list[_Section]], shaft: _Shaft, step: int) -> bool:
    """Does bone at this end grow into an epiphysis (rather than leave the picture)?"""
    end = shaft.sections[-1 if step > 0 else 0]
    beyond = range(end.z + step, end.z + 14 * step, step)
    seen = [z for z in beyond if 0 <= z < len(sections)]
    near = [
        sum(s.cm2 for s in sections[z] if np.hypot(s.y - end.y, s.x - end.x) * GRID_MM < 45)
        for z in seen
    ]
    return len(near) >= 3 and max(near) > FLARE * shaft.cm2


def _beyond(body: _Body, shaft: _Shaft, name: str, side: Side | None, along_mm: float) -> Joint:
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


def _hip(body: _Body, shaft: _Shaft) -> Joint:
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


def _side_of_thigh(shaft: _Shaft) -> Side | None:
    """The femur leans outwards on its way up."""
    first, last = shaft.sections[0], shaft.sections[-1]
    lean_mm = (last.x - first.x) * GRID_MM
    if abs(lean_mm) < 6 or (last.z - first.z) * GRID_MM < 45:
        return None
    return "left" if lean_mm > 0 else "right"


def _shoulder(
    body: _Body, sections: list[list[_Section]], shaft: _Shaft, *, up: bool
) -> list[Joint]:
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


# --- joints together ------------------------------------------------------------------------------


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


def _trunk(body: _Body, sections: list[list[_Section]]) -> list[Joint]:
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


def _femoral_heads(body: _Body) -> list[Joint]:
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


def _sacrum_above(body: _Body, left: NDArray[np.int64], right: NDArray[np.int64]) -> bool:
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
