"""Extraskeletal densities that are no mass: vessel wall, phlebolith, granuloma, metal, contrast.

A kind is named where form, brightness, surroundings and place speak for it; the rest stays
unclassified. Limits without a source were set on the scans and phantoms of docs/accuracy.md.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calcinosis.measure.joint import Joint
from calcinosis.measure.mass import CalcificationKind, OtherCalcification, Patch
from calcinosis.measure.specks import SKIN_REACH_MM, Speck
from calcinosis.measure.tissue import METAL_HU

_BONE_SCORE = 25.0  # of 255: the network's doubt about bone it half knows; calcium has less
_RIB_MM = 30.0, 35.0  # longer than the one, no deeper than the other
_SURE_BONE_SCORE = 100.0
_IN_LINE_BONE_SCORE = 70.0  # of calcium in a row; walls of vessels beside bone have up to this
_ON_SKIN_MM, _ON_SKIN_AIR = 6.0, 0.4
_IN_LUNG_AIR = 0.3
_CHEST_WALL_MM = 20.0
_BESIDE_AIR = 0.1  # a vessel with this much air around is a ring of the windpipe
_EVEN = 0.18  # relative spread of attenuation inside opacified blood, bowel or urine
_OPAQUE_LIMIT_HU = 500.0
_POOL_ML = 1.0
_TUBE_ELONGATION, _TUBE_WIDTH_MM = 2.0, 18.0
_LONG_MM, _LONG_ELONGATION = 30.0, 3.0
_PAIR_MM, _PAIR_ELONGATION, _PAIR_WIDTH_MM = 45.0, 1.8, 30.0  # artery and vein side by side
_WALL_SHARE = 0.15  # what walls fill of the cylinder around them
_ALONG_BODY = 0.9  # cosine between a tube and the body's axis
_ALONG_MM, _ASIDE_MM = 60.0, 8.0  # what lies so far along a vessel's line, and so near to it
_IN_LINE_WIDTH_MM = 12.0
_FAT_HU = -45.0  # surroundings darker than this are fat
_UNDER_SKIN_AIR = 0.2  # noise in the skin itself has more around it
_THIN_FAT_MM = 8.0  # so near the skin lies fat, or bone that the network knows
_GRANULOMA_MM = (4.0, 30.0)
_LARGEST_PHLEBOLITH_MM = 11.0  # named parameter; pelvic phleboliths are mostly 2–5 mm
_ROUND = 1.8  # least elongation of what is not round
# The lesser pelvis from the symphysis: to either side, behind, and below or above.
_PELVIS_ASIDE_MM, _PELVIS_BEHIND_MM, _PELVIS_UP_MM = 70.0, (15.0, 110.0), (-40.0, 100.0)
_SPINOUS_MM = 15.0  # a spinous process, from the midline
_LIMB_CM2 = 300.0  # a single thigh has less, an adult's trunk more
# Where aorta and common iliac arteries run, from the middle of the vertebral bodies.
_PREVERTEBRAL_MM = (10.0, 60.0)
_BESIDE_SPINE_MM = 30.0


def is_bone(speck: Speck) -> bool:
    """Whether it is a piece of skeleton that the network knew by half: ribs above all.

    Vessels of the trunk and the limbs run along the body, ribs across it.
    """
    if speck.peak_hu > METAL_HU or speck.air_share > _IN_LUNG_AIR or _is_granuloma(speck):
        return False
    long_mm, deep_mm = _RIB_MM
    long = speck.length_mm > long_mm and _elongation(speck) > _LONG_ELONGATION
    rib = long and speck.skin_mm < deep_mm and not _runs_along_body(speck)
    return speck.bone_score > (_BONE_SCORE if rib else _SURE_BONE_SCORE)


def name_specks(
    specks: Sequence[Speck], joints: Sequence[Joint]
) -> list[tuple[OtherCalcification, Patch]]:
    """Each density with its kind and its place, largest first.

    Args:
        specks: outside the skeleton; what lies on the skin is left out.
        joints: of the scan; without them nothing is named by its place.
    """
    inside = [speck for speck in specks if not _lies_on_skin(speck)]
    tubes = [speck for speck in inside if _is_vessel_piece(speck)]
    named = [
        (OtherCalcification(_kind(speck, inside, tubes, joints), speck.volume_ml, at), speck.filled)
        for speck in inside
        for at in [speck.centre_lps_mm]
    ]
    return sorted(named, key=lambda item: -item[0].volume_ml)


def _kind(  # noqa: PLR0911 - one rule a line
    speck: Speck, others: Sequence[Speck], tubes: Sequence[Speck], joints: Sequence[Joint]
) -> CalcificationKind:
    """The first rule that holds."""
    if speck.peak_hu > METAL_HU:
        return "metal"
    if speck.cut_off:
        return "unclassified"
    opaque = speck.unevenness < _EVEN and speck.peak_hu < _OPAQUE_LIMIT_HU
    opaque &= speck.bone_score < _IN_LINE_BONE_SCORE
    pool = speck.volume_ml > _POOL_ML and speck.section_cm2 >= _LIMB_CM2  # limbs have none
    if opaque and (pool or _is_tube(speck)):
        return "contrast"
    if speck.air_share > _IN_LUNG_AIR and speck.skin_mm > _CHEST_WALL_MM:
        opacified = speck.peak_hu < _OPAQUE_LIMIT_HU and speck.bone_score < _SURE_BONE_SCORE
        return "contrast" if opacified else "unclassified"
    if _is_spinous_process(speck, joints):
        return "unclassified"
    if _is_granuloma(speck):
        return "granuloma"
    if _is_vessel_piece(speck) or _along(speck, others, tubes):
        return "vascular"
    if speck.bone_score > _BONE_SCORE:
        return "unclassified"
    if _before_spine(speck, joints):
        return "vascular"
    small = speck.length_mm < _LARGEST_PHLEBOLITH_MM and _elongation(speck) < _ROUND
    return "phlebolith" if small and _where_veins_calcify(speck, joints) else "unclassified"


def _lies_on_skin(speck: Speck) -> bool:
    """Wires, tubes and markers: little tissue around them."""
    return (
        speck.skin_mm < _ON_SKIN_MM and speck.air_share > _ON_SKIN_AIR and speck.peak_hu < METAL_HU
    )


def _elongation(speck: Speck) -> float:
    return speck.length_mm / max(speck.width_mm, 1.5)


def _is_tube(speck: Speck) -> bool:
    return _elongation(speck) > _TUBE_ELONGATION and speck.width_mm < _TUBE_WIDTH_MM


def _runs_along_body(speck: Speck) -> bool:
    return abs(speck.axis_lps[2]) > _ALONG_BODY


def _is_granuloma(speck: Speck) -> bool:
    """In the fat under the skin, where neither bone nor a vessel of size lies."""
    least_mm, most_mm = _GRANULOMA_MM
    in_fat = speck.surroundings_hu < _FAT_HU and speck.skin_mm < SKIN_REACH_MM
    under_skin = (
        speck.skin_mm < _THIN_FAT_MM
        and speck.bone_score < _IN_LINE_BONE_SCORE
        and speck.air_share < _UNDER_SKIN_AIR
    )
    return (in_fat or under_skin) and least_mm < speck.length_mm < most_mm and not speck.cut_off


def _is_vessel_piece(speck: Speck) -> bool:
    """A tube of calcium in soft tissue."""
    if speck.peak_hu > METAL_HU or speck.air_share > _BESIDE_AIR or speck.cut_off:
        return False
    if speck.bone_score <= _BONE_SCORE:
        return _is_tube(speck)
    long = speck.length_mm > _LONG_MM and _elongation(speck) > _LONG_ELONGATION
    single = long and speck.bone_score < _IN_LINE_BONE_SCORE
    return _runs_along_body(speck) and (single or _is_pair(speck))


def _is_pair(speck: Speck) -> bool:
    """Thin walls around much that is no calcium: vessels side by side, run together."""
    cylinder_mm3 = speck.length_mm * speck.width_mm**2 * np.pi / 4
    return (
        speck.length_mm > _PAIR_MM
        and _elongation(speck) > _PAIR_ELONGATION
        and speck.width_mm < _PAIR_WIDTH_MM
        and speck.volume_ml * 1000 < _WALL_SHARE * cylinder_mm3
        and speck.bone_score < _SURE_BONE_SCORE
    )


def _along(speck: Speck, others: Sequence[Speck], tubes: Sequence[Speck]) -> bool:
    """Whether it lies on the line of a vessel's piece, or with three others on one line."""
    doubtful = speck.bone_score > _IN_LINE_BONE_SCORE or speck.air_share > _BESIDE_AIR
    if doubtful or speck.width_mm >= _IN_LINE_WIDTH_MM:
        return False
    return any(_on_axis(speck, tube) for tube in tubes) or _in_line(speck, others) >= 3


def _on_axis(speck: Speck, tube: Speck) -> bool:
    offset = np.subtract(speck.centre_lps_mm, tube.centre_lps_mm)
    along = float(offset @ np.asarray(tube.axis_lps))
    aside = float(np.linalg.norm(offset - along * np.asarray(tube.axis_lps)))
    return abs(along) < _ALONG_MM and aside < max(_ASIDE_MM, tube.width_mm / 2)


def _in_line(speck: Speck, others: Sequence[Speck]) -> int:
    """Other specks within 40 mm that lie on a common line with this one (a vessel's course)."""
    offsets = np.array([other.centre_lps_mm for other in others]) - speck.centre_lps_mm
    reach = np.linalg.norm(offsets, axis=1)
    near = offsets[(reach > 0) & (reach < 40)]
    if len(near) < 2:
        return 0
    near /= np.linalg.norm(near, axis=1)[:, None]
    aligned = np.abs(near @ near.T) > 0.94
    return int(aligned.sum(1).max())


def _from(joint: Joint, speck: Speck) -> NDArray[np.float64]:
    """From the joint to a speck, LPS mm; a spine is met at the speck's height."""
    x, y, z = np.subtract(speck.centre_lps_mm, joint.centre_lps_mm)
    return np.array([x, y, z - np.clip(z, 0, joint.length_mm)])


def _before_spine(speck: Speck, joints: Sequence[Joint]) -> bool:
    """Where the aorta and the common iliac arteries run."""
    nearest_mm, farthest_mm = _PREVERTEBRAL_MM
    offsets = [_from(joint, speck) for joint in joints if joint.name.endswith("spine")]
    return any(
        abs(x) < _BESIDE_SPINE_MM and nearest_mm < -y < farthest_mm and z == 0
        for x, y, z in offsets
    )


def _is_spinous_process(speck: Speck, joints: Sequence[Joint]) -> bool:
    spines = [_from(joint, speck) for joint in joints if joint.name.endswith("spine")]
    return any(abs(x) < _SPINOUS_MM and y > 0 for x, y, _ in spines)


def _where_veins_calcify(speck: Speck, joints: Sequence[Joint]) -> bool:
    """In the lesser pelvis, or in a limb."""
    front, back = _PELVIS_BEHIND_MM
    low, high = _PELVIS_UP_MM
    symphysis = [_from(joint, speck) for joint in joints if joint.name == "pubic symphysis"]
    return speck.section_cm2 < _LIMB_CM2 or any(
        abs(x) < _PELVIS_ASIDE_MM and front < y < back and low < z < high for x, y, z in symphysis
    )
