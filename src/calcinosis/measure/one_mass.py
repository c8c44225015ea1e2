"""All measures of one mass, brought together."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calcinosis.measure.bone_site import distance_far_mm
from calcinosis.measure.calcium import calcium_mass
from calcinosis.measure.erosion import apart, relate_to_bone
from calcinosis.measure.joints import Landmarks, name_nearest
from calcinosis.measure.locules import count_locules
from calcinosis.measure.masks import places, rim
from calcinosis.measure.mass import (
    BoneRelation,
    Calibration,
    HounsfieldStatistics,
    LevelReading,
    Mass,
)
from calcinosis.measure.masses import FoundMass
from calcinosis.measure.mirror_side import Body
from calcinosis.measure.seed import settled_by_seed
from calcinosis.measure.size import diameters
from calcinosis.measure.skin import Skin, skin_distance_mm
from calcinosis.measure.stated_side import site_of
from calcinosis.measure.uncertainty import ceiling, confidence_of, cut_off, volume_interval
from calcinosis.volume import Study

_RIM_POINTS = 2000  # of a mass's surface are enough to tell which bone is nearest
_BONE_REACH_MM = 40.0  # bone farther than this is looked for in the whole scan
_ACROSS_SLICES = (
    "Mass and bone meet across slices that are too thick to tell by how much: neither contact nor "
    "erosion can be judged."
)
_OPEN = (
    "Some cortex facing the mass is missing or faint, by erosion or by the program's cut: "
    "erosion cannot be judged. A skeleton mask (--skeleton FILE) settles it."
)


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What lies around the masses of a scan.

    Attributes:
        body: the scan as at 120 kV, its masses and its bones.
        given: whether the user brought the skeleton.
        landmarks: joints and the names of bones, read off the skeleton.
        skin: where the air outside begins.
        study: the scan as it is, and what its header says of the limb in the picture.
    """

    body: Body
    given: bool
    landmarks: Landmarks
    skin: Skin
    study: Study


def measure_mass(
    around: Surroundings,
    mass: FoundMass,
    levels: LevelReading,
    number: int,
    calibration: Calibration,
) -> Mass:
    """All measures of one mass, whose number is its value in the label map."""
    volume, envelope = around.body.volume, mass.envelope
    crop = volume.crop(mass.box)
    hu = crop.voxels.astype(np.float32)
    scan_hu = around.study.volume.voxels
    own_hu = scan_hu[mass.box].astype(np.float32)
    extent = diameters(crop, envelope.occupancy)
    size = crop.voxel_volume_ml
    volume_ml = float(envelope.occupancy.sum(dtype=np.float64) * size)
    calcium = calcium_mass(own_hu, envelope.calcified, size, calibration)
    centroid_lps_mm = mass.centroid_lps_mm(volume)
    confidence, remarks = confidence_of(mass, own_cut=not around.given)
    remarks += cut_off(mass, volume.shape)
    remarks += ceiling(own_hu[envelope.mask], scan_hu)
    site, of_side = site_of(around.landmarks.joints, centroid_lps_mm, around.study.stated_side)
    remarks += of_side + levels.remarks
    bone = _bone_of(around, mass, number)
    remarks += _remarks_on_bone(bone, given=around.given)
    remarks += _doubts(around, mass, number, confidence, bone)
    here = around.body.labels[mass.box] == number
    return Mass(
        id=number,
        site=site,
        centroid_lps_mm=centroid_lps_mm,
        volume_ml=volume_ml,
        volume_ci95_ml=volume_interval(volume_ml, envelope, crop.spacing_mm, mass.score),
        calcified_volume_ml=float(envelope.calcified.sum(dtype=np.float64) * size),
        calcium_mass_mg=calcium.mg,
        calcium_mass_ci95_mg=calcium.ci95_mg,
        max_diameter_mm=extent.max_mm,
        perpendicular_diameter_mm=extent.perpendicular_mm,
        diameter_ends_lps_mm=extent.ends_lps_mm,
        hu=_statistics(own_hu[envelope.mask]),
        locules=count_locules(hu, envelope.mask, crop.spacing_mm),
        fluid_levels=levels.levels,
        sedimentation_sign=levels.sedimentation_sign,
        bone=bone,
        skin_distance_mm=skin_distance_mm(around.skin, mass.box, here),
        confidence=confidence,
        remarks=remarks,
        perpendicular_ends_lps_mm=extent.perpendicular_ends_lps_mm,
    )


def _doubts(
    around: Surroundings, mass: FoundMass, number: int, confidence: float, bone: BoneRelation
) -> tuple[str, ...]:
    """What a seed would settle of a mass that none asked for; a given skeleton settles the cut."""
    if mass.seeded:
        return ()
    cut = (bone.contact_mm2 > 0 or bone.meets_across_slices) and not around.given
    crop = around.body.volume.crop(mass.box)
    return settled_by_seed(crop, mass.envelope.mask, number, confidence, cut_from_bone=cut)


def _statistics(hu: NDArray[np.float32]) -> HounsfieldStatistics:
    p5, p50, p95 = (float(v) for v in np.percentile(hu, [5, 50, 95]))
    return HounsfieldStatistics(float(hu.mean()), p5, p50, p95)


def _bone_of(around: Surroundings, mass: FoundMass, number: int) -> BoneRelation:
    """How the mass lies to bone, and which bone is nearest.

    The built-in cut may take bone with the mass, so a missing piece may be the cut's fault. Only
    cortex lost against the other side of the body, or where the bone's smooth continuation runs,
    is called erosion then.
    """
    body = around.body
    near = body.volume.grow(mass.box, _BONE_REACH_MM)
    labelled, skeleton = body.labels[near] == number, body.skeleton[near]
    bone = relate_to_bone(
        body.volume.crop(near), labelled, skeleton, own_cut=not around.given, body=body
    )
    far = bone.distance_mm is None or bone.distance_mm > _BONE_REACH_MM
    if far and labelled.any() and body.skeleton.any():
        surface = places(rim(labelled))
        surface += [extent.start for extent in near]
        bone = apart(distance_far_mm(body.volume, surface, body.skeleton))
    outline = places(rim(mass.envelope.mask))
    some = outline[:: len(outline) // _RIM_POINTS + 1]
    some_lps_mm = body.volume.crop(mass.box).to_lps(some)
    return replace(bone, nearest=name_nearest(around.landmarks, some_lps_mm))


def _remarks_on_bone(bone: BoneRelation, *, given: bool) -> tuple[str, ...]:
    """What the reader should know of contact and erosion; `given`: the user brought the skeleton.

    Beside a cut of our own making a defect alone proves no erosion.
    """
    if bone.meets_across_slices:
        return (_ACROSS_SLICES,)
    if given or bone.eroded is False or (bone.eroded is None and bone.contact_mm2 == 0):
        return ()
    if bone.eroded is None:
        return (_OPEN,)
    short = "" if bone.contact_mm2 else ", though the outline stops short of it"
    remark = (
        f"Erosion: the cortex is lost{short}. Measured against: "
        f"{bone.expected_surface}. Beside the program's own cut depth is an "
        "estimate and volume the least that is sure; a skeleton mask (--skeleton FILE) "
        "measures them."
    )
    return (remark,)
