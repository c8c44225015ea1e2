"""The measuring of a CT, from voxels to masses: the main path through this room."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calcinosis.measure.array_order import ArrayOrder
from calcinosis.measure.bone_site import distance_far_mm
from calcinosis.measure.calcium import calcium_mass, calibration_for
from calcinosis.measure.closing import CLOSING_MM
from calcinosis.measure.doubts import (
    remarks_on_doubts,
    remarks_on_slices,
    told_by_levels,
    unclassified_places,
)
from calcinosis.measure.erosion import apart, relate_to_bone
from calcinosis.measure.joint import Joint
from calcinosis.measure.joints import Landmarks, find_landmarks, name_nearest, nearest
from calcinosis.measure.level_fluid import with_fluid
from calcinosis.measure.locules import count_locules
from calcinosis.measure.masks import grown, places, rim
from calcinosis.measure.mass import (
    BoneRelation,
    Calibration,
    CtMeasurement,
    HounsfieldStatistics,
    LevelReading,
    Mass,
    Point,
)
from calcinosis.measure.masses import (
    FoundMass,
    find_masses,
    possible_masses,
)
from calcinosis.measure.mirror_side import Body
from calcinosis.measure.organs import (
    Content,
    content_of,
    organ_around,
    remarks_on_contents,
    remarks_on_place,
)
from calcinosis.measure.other import is_bone, name_specks
from calcinosis.measure.seed import seed_voxels, settled_by_seed
from calcinosis.measure.shells import shells_as_masses
from calcinosis.measure.size import diameters
from calcinosis.measure.skeleton import override_skeleton, remarks_on_given, skeleton_on_scan
from calcinosis.measure.skin import Skin, find_skin, skin_distance_mm
from calcinosis.measure.specks import Speck, find_specks
from calcinosis.measure.tissue import TissueMap, classify, look_closer
from calcinosis.measure.uncertainty import confidence_of, cut_off, volume_interval
from calcinosis.measure.working_grid import GRID_MM, Box, WorkingGrid, resample
from calcinosis.memory import give_small_pieces_back
from calcinosis.read.geometry import canonical
from calcinosis.volume import Study, Volume

_BONE = 128  # network score, of 255
_RIM_POINTS = 2000  # of a mass's surface are enough to tell which bone is nearest
_BONE_REACH_MM = 40.0  # bone farther than this is looked for in the whole scan
_ACROSS_SLICES = (
    "Mass and bone meet across slices that are too thick to tell by how much: neither contact nor "
    "erosion can be judged."
)
METHOD = (
    (
        f"The scan was resampled to {GRID_MM:g} mm and a small network, trained on masses drawn "
        "into real scans, told mass, skeleton and the rest apart."
    ),
    (
        "Each mass was then outlined on the scan's own voxels at half of the brightness its edge "
        f"reaches, closed with a {CLOSING_MM:g} mm ball, and cut from bone."
    ),
    "Volumes count voxels at the edge by the share they fill. Diameters are true Feret extents.",
    "Fluid–calcium levels were sought as flat interfaces perpendicular to gravity.",
)


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What lies around the masses of a scan.

    Attributes:
        body: the scan, its masses and its bones.
        given: whether the user brought the skeleton.
        landmarks: joints and the names of bones, read off the skeleton.
        skin: where the air outside begins.
    """

    body: Body
    given: bool
    landmarks: Landmarks
    skin: Skin


def measure_ct(
    study: Study,
    *,
    seeds_lps_mm: Sequence[Point] = (),
    skeleton: NDArray[np.bool_] | None = None,
    calibration: Calibration | None = None,
    progress: Callable[[float], None] | None = None,
) -> CtMeasurement:
    """Measure every calcified soft-tissue mass apart from the skeleton.

    Args:
        study: a CT volume in Hounsfield units.
        seeds_lps_mm: points on calcification that must be taken as a mass and cut from bone.
        skeleton: mask on the volume's grid that replaces the built-in skeleton.
        calibration: from Hounsfield units to calcium, instead of the one for the tube voltage.
        progress: called with 0…1.

    Raises:
        InputError: a seed point outside the scan or not on calcification.
    """
    order = ArrayOrder.of(study.volume)
    calibration = calibration or calibration_for(study.tube_voltage_kv)
    if order.usual:
        return _measure(study.volume, seeds_lps_mm, skeleton, calibration, progress)
    voxels, affine = canonical(study.volume.voxels, study.volume.affine)
    volume = replace(study.volume, voxels=voxels, affine=affine)
    if skeleton is not None:
        skeleton, _ = canonical(skeleton, study.volume.affine)
    return order.measurement_turned_back(
        _measure(volume, seeds_lps_mm, skeleton, calibration, progress)
    )


def _measure(
    volume: Volume,
    seeds_lps_mm: Sequence[Point],
    skeleton: NDArray[np.bool_] | None,
    calibration: Calibration,
    progress: Callable[[float], None] | None,
) -> CtMeasurement:
    """As `measure_ct`, of voxels whose axes run head, back, left."""
    found = _find(volume, seeds_lps_mm, skeleton, progress)
    masses: tuple[Mass, ...] = ()
    anything = found.outlined or found.specks
    landmarks = find_landmarks(volume, found.skeleton) if anything else None
    joints = landmarks.joints if landmarks else ()
    contents: list[Content] = []
    if found.outlined:
        skin = find_skin(volume)
        found, contents = _without_contents(volume, found, joints, skin)
    if found.outlined and landmarks:
        body = Body(volume, found.labels, found.skeleton)
        around = Surroundings(body, skeleton is not None, landmarks, skin)
        give_small_pieces_back()  # comparing both sides needs as much
        masses = tuple(
            measure_mass(around, mass, levels, number, calibration)
            for number, (mass, levels) in enumerate(found.outlined, start=1)
        )
    others = name_specks(found.specks, joints)
    unsure = [*found.unsure_lps_mm, *unclassified_places(volume, others, found.unsure_lps_mm)]
    others += [(content.calcification, content.where) for content in contents]
    others.sort(key=lambda other: -other[0].volume_ml)
    return CtMeasurement(
        masses,
        found.labels,
        np.packbits(found.skeleton),
        tuple(other for other, _ in others),
        calibration,
        METHOD,
        (
            *remarks_on_slices(volume.spacing_mm),
            *found.remarks,
            *remarks_on_doubts(unsure),
            *remarks_on_contents(contents),
        ),
        other_places=tuple(where for _, where in others),
    )


def _without_contents(
    volume: Volume, found: "_Found", joints: Sequence[Joint], skin: Skin
) -> tuple["_Found", list[Content]]:
    """What was found, less what organs hold.

    The label map is changed in place, box by box: a second one would need as much memory.
    """
    kept, contents = [], []
    for number, (mass, levels) in enumerate(found.outlined, start=1):
        organ = organ_around(volume, mass, levels, joints, skin)
        if organ:
            contents.append(content_of(organ, volume, mass, levels))
        else:
            remarks = (*levels.remarks, *remarks_on_place(volume, mass, joints))
            kept.append((mass, replace(levels, remarks=remarks)))
        if contents:
            labels = found.labels[mass.box]
            labels[labels == number] = 0 if organ else len(kept)
    return replace(found, outlined=kept), contents


@dataclass(frozen=True, eq=False)
class _Found:
    """What the working grid tells of a scan; masses with their levels, largest first.

    `unsure_lps_mm` are places of what may be a mass or bone, `remarks` tell of a given skeleton.
    """

    outlined: list[tuple[FoundMass, LevelReading]]
    specks: list[Speck]
    labels: NDArray[np.uint8]
    skeleton: NDArray[np.bool_]
    unsure_lps_mm: list[Point]
    remarks: tuple[str, ...] = ()


def _find(
    volume: Volume,
    seeds_lps_mm: Sequence[Point],
    skeleton: NDArray[np.bool_] | None,
    progress: Callable[[float], None] | None,
) -> _Found:
    """Tell mass, skeleton and the rest apart, and outline them on the scan's own voxels."""
    grid = resample(volume.voxels, volume.spacing_mm)
    seeds = seed_voxels(volume, grid, seeds_lps_mm)
    tissue = classify(grid, seeds, progress)
    look_closer(grid, tissue, possible_masses(grid, tissue, seeds), seeds)
    open_shells = shells_as_masses(grid, tissue, seeds)
    remarks = () if skeleton is None else remarks_on_given(grid, tissue, skeleton)
    if skeleton is not None:
        tissue = override_skeleton(grid, tissue, skeleton)
        open_shells = []
    found = find_masses(volume, grid, tissue, seeds)
    outlined = [_with_fluid(volume, grid, tissue, mass) for mass in found.masses]
    doubtful = (
        (one.place_lps_mm, *_with_fluid(volume, grid, tissue, one.mass)) for one in found.unsure
    )
    by_level, unsure = told_by_levels(doubtful, volume.voxel_volume_ml)
    outlined += by_level
    unsure += [volume.point_lps(np.array(place) * grid.step) for place in open_shells]
    del found  # the outlines before fluid was added
    outlined.sort(key=lambda pair: -float(pair[0].envelope.occupancy.sum()))
    outlines = [mass for mass, _ in outlined]
    body, scores = tissue.body, tissue.skeleton
    del tissue  # its memory is needed
    specks = find_specks(volume, grid, body, scores, _around_masses(grid, outlines))
    np.multiply(scores, body, out=scores)  # the table is no bone
    del body
    give_small_pieces_back()  # a fifth of the scan's own memory
    labels = _label_map(volume, outlines)
    unsure = [place for place in unsure if not labels[_voxel(volume, place)]]
    if skeleton is None:
        bones = skeleton_on_scan(volume, grid, scores, labels)
        for speck in filter(is_bone, specks):
            bones[speck.where.box] |= speck.where.mask
        specks = [speck for speck in specks if not is_bone(speck)]
    else:
        seeded = [number for number, mass in enumerate(outlines, start=1) if mass.seeded]
        bones = skeleton & ~np.isin(labels, seeded) if seeded else skeleton
    return _Found(outlined, specks, labels, bones, unsure, remarks)


def _with_fluid(
    volume: Volume, grid: WorkingGrid, tissue: TissueMap, mass: FoundMass
) -> tuple[FoundMass, LevelReading]:
    """A mass with the fluid on its levels, which marrow on cortex is none of."""
    return with_fluid(volume, mass, grid.to_native(tissue.skeleton, mass.box) > _BONE)


def _voxel(volume: Volume, place_lps_mm: Point) -> tuple[int, int, int]:
    """The voxel of a place in the scan, or the nearest to it."""
    indices = np.rint(volume.to_indices(place_lps_mm)).astype(int)
    z, y, x = np.clip(indices, 0, np.array(volume.shape) - 1).tolist()
    return z, y, x


def _label_map(volume: Volume, found: Sequence[FoundMass]) -> NDArray[np.uint8]:
    """Masses on the volume's grid; where two meet, the larger keeps the voxel."""
    labels = np.zeros(volume.shape, np.uint8)
    for number, mass in reversed(list(enumerate(found, start=1))):
        labels[mass.box][mass.envelope.mask] = number
    return labels


def _around_masses(grid: WorkingGrid, found: Sequence[FoundMass]) -> NDArray[np.bool_]:
    """Working voxels in masses or within two of them: rims that are no finding of their own."""
    result = np.zeros(grid.hu.shape, bool)
    for mass in found:
        box = grid.grow(grid.box_of(mass.box), 2)
        inside = grid.hits(mass.box, mass.envelope.mask, box)
        result[box] |= grown(inside, 2)
    return result


def measure_mass(
    around: Surroundings,
    mass: FoundMass,
    levels: LevelReading,
    number: int,
    calibration: Calibration,
) -> Mass:
    """All measures of one mass, whose number is its value in the label map."""
    labels, envelope = around.body.labels, mass.envelope
    crop = around.body.volume.crop(mass.box)
    hu = crop.voxels.astype(np.float32)
    extent = diameters(crop, envelope.occupancy)
    size = crop.voxel_volume_ml
    volume_ml = float(envelope.occupancy.sum(dtype=np.float64) * size)
    calcium = calcium_mass(hu, envelope.calcified, size, calibration)
    centroid_lps_mm = mass.centroid_lps_mm(around.body.volume)
    confidence, remarks = confidence_of(mass, own_cut=not around.given)
    remarks += cut_off(mass, around.body.volume.shape)
    bone, bone_remarks = _bone_of(around, mass.box, number)
    surface = places(rim(envelope.mask))
    some = surface[:: len(surface) // _RIM_POINTS + 1]
    bone = replace(bone, nearest=name_nearest(around.landmarks, crop.to_lps(some)))
    doubts = _doubts(around, mass, number, confidence, bone)
    return Mass(
        id=number,
        site=nearest(around.landmarks.joints, centroid_lps_mm),
        centroid_lps_mm=centroid_lps_mm,
        volume_ml=volume_ml,
        volume_ci95_ml=volume_interval(volume_ml, envelope, crop.spacing_mm, mass.score),
        calcified_volume_ml=float(envelope.calcified.sum(dtype=np.float64) * size),
        calcium_mass_mg=calcium.mg,
        calcium_mass_ci95_mg=calcium.ci95_mg,
        max_diameter_mm=extent.max_mm,
        perpendicular_diameter_mm=extent.perpendicular_mm,
        diameter_ends_lps_mm=extent.ends_lps_mm,
        hu=_statistics(hu[envelope.mask]),
        locules=count_locules(hu, envelope.mask, crop.spacing_mm),
        fluid_levels=levels.levels,
        sedimentation_sign=levels.sedimentation_sign,
        bone=bone,
        skin_distance_mm=skin_distance_mm(around.skin, mass.box, labels[mass.box] == number),
        confidence=confidence,
        remarks=(*remarks, *levels.remarks, *bone_remarks, *doubts),
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


def _bone_of(around: Surroundings, box: Box, number: int) -> tuple[BoneRelation, tuple[str, ...]]:
    """How the mass lies to bone. A defect beside a cut of our own making proves no erosion.

    The built-in cut may take bone with the mass, so a missing piece may be the cut's fault. Only
    cortex lost against the other side of the body, or where the bone's smooth continuation runs,
    is called erosion then.
    """
    body = around.body
    near = body.volume.grow(box, _BONE_REACH_MM)
    mass, skeleton = body.labels[near] == number, body.skeleton[near]
    bone = relate_to_bone(
        body.volume.crop(near), mass, skeleton, own_cut=not around.given, body=body
    )
    far = bone.distance_mm is None or bone.distance_mm > _BONE_REACH_MM
    if far and mass.any() and body.skeleton.any():
        surface = places(rim(mass))
        surface += [extent.start for extent in near]
        bone = apart(distance_far_mm(body.volume, surface, body.skeleton))
    if bone.meets_across_slices:
        return bone, (_ACROSS_SLICES,)
    if around.given or bone.eroded is False or bone.contact_mm2 == 0:
        return bone, ()
    if bone.eroded:
        remark = (
            "Erosion: the cortex is lost. Measured against: "
            f"{bone.expected_surface}. Beside the program's own cut depth is an "
            "estimate and volume the least that is sure; a skeleton mask (--skeleton FILE) "
            "measures them."
        )
        return bone, (remark,)
    remark = (
        "Some cortex facing the mass is missing or faint, by erosion or by the program's cut: "
        "erosion cannot be judged. A skeleton mask (--skeleton FILE) settles it."
    )
    return bone, (remark,)
