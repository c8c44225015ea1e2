"""The measuring of a CT, from voxels to masses: the main path through this room."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calcinosis.measure.array_order import ArrayOrder
from calcinosis.measure.calcium import as_at_120_kv, brightness_share, calibration_for
from calcinosis.measure.closing import CLOSING_MM
from calcinosis.measure.doubts import (
    remarks_on_doubts,
    remarks_on_slices,
    told_by_levels,
    unclassified_places,
)
from calcinosis.measure.joint import Joint
from calcinosis.measure.joints import find_landmarks
from calcinosis.measure.level_fluid import with_fluid
from calcinosis.measure.masks import grown
from calcinosis.measure.mass import (
    Calibration,
    CtMeasurement,
    Labels,
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
from calcinosis.measure.one_mass import Surroundings, measure_mass
from calcinosis.measure.organs import (
    Content,
    content_of,
    organ_around,
    remarks_on_contents,
    remarks_on_place,
)
from calcinosis.measure.other import is_bone, name_specks
from calcinosis.measure.seed import seed_voxels
from calcinosis.measure.shells import shells_as_masses
from calcinosis.measure.skeleton import (
    fitting_skeleton,
    override_skeleton,
    remarks_on_given,
    skeleton_on_scan,
)
from calcinosis.measure.skin import Skin, find_skin
from calcinosis.measure.specks import Speck, find_specks
from calcinosis.measure.tissue import Index, TissueMap, classify, look_closer
from calcinosis.measure.unasked import Unasked, bone_unasked
from calcinosis.measure.working_grid import GRID_MM, WorkingGrid, resample
from calcinosis.memory import give_small_pieces_back
from calcinosis.read.geometry import canonical
from calcinosis.volume import Study, Volume

_BONE = 128  # network score, of 255
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
AS_AT_120_KV = (
    "To tell masses and to outline them, what is denser than soft tissue was brought to the "
    "Hounsfield units that calcium has at 120 kV; attenuation is told as scanned."
)


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
        calibration: from Hounsfield units to calcium, instead of the one for the X-rays used.
        progress: called with 0…1.

    Raises:
        InputError: a seed outside the scan or not on calcification, or a mask of another shape.
    """
    if skeleton is not None:
        skeleton = fitting_skeleton(study.volume, skeleton)
    calibration = calibration or _calibration_of(study)
    order = ArrayOrder.of(study.volume)
    if order.usual:
        return _measure(study, seeds_lps_mm, skeleton, calibration, progress)
    voxels, affine = canonical(study.volume.voxels, study.volume.affine)
    turned = replace(study, volume=replace(study.volume, voxels=voxels, affine=affine))
    if skeleton is not None:
        skeleton, _ = canonical(skeleton, study.volume.affine)
    return order.measurement_turned_back(
        _measure(turned, seeds_lps_mm, skeleton, calibration, progress)
    )


def _calibration_of(study: Study) -> Calibration:
    return calibration_for(
        study.tube_voltage_kv,
        tin_filter=study.tin_filter,
        photon_energy_kev=study.photon_energy_kev,
    )


def _as_at_120_kv(study: Study) -> Volume:
    """The scan with calcium as bright as at the tube voltage that all limits were set at."""
    share = brightness_share(_calibration_of(study))
    if share == 1:
        return study.volume
    return replace(study.volume, voxels=as_at_120_kv(study.volume.voxels, share))


def _measure(
    study: Study,
    seeds_lps_mm: Sequence[Point],
    skeleton: NDArray[np.bool_] | None,
    calibration: Calibration,
    progress: Callable[[float], None] | None,
) -> CtMeasurement:
    """As `measure_ct`, of voxels whose axes run head, back, left."""
    volume = _as_at_120_kv(study)
    found = _find(volume, seeds_lps_mm, skeleton, progress)
    masses: tuple[Mass, ...] = ()
    contents: list[Content] = []
    anything = found.outlined or found.specks
    landmarks = find_landmarks(volume, found.skeleton) if anything else None
    joints = landmarks.joints if landmarks else ()
    if found.outlined and landmarks:
        skin = find_skin(volume)
        found, contents = _without_contents(volume, found, joints, skin)
        body = Body(volume, found.labels, found.skeleton)
        around = Surroundings(body, skeleton is not None, landmarks, skin, study)
        give_small_pieces_back()  # comparing both sides needs as much
        masses = tuple(
            measure_mass(around, mass, levels, number, calibration)
            for number, (mass, levels) in enumerate(found.outlined, start=1)
        )
    others = name_specks(found.specks, joints)
    unsure = [*found.unsure_lps_mm, *unclassified_places(volume, others, found.unsure_lps_mm)]
    others += [(content.calcification, content.where) for content in contents]
    others.sort(key=lambda other: -other[0].volume_ml)
    on_slices = remarks_on_slices(volume.spacing_mm, study.slice_thickness_mm)
    remarks = (*on_slices, *found.remarks)
    return CtMeasurement(
        masses,
        found.labels,
        np.packbits(found.skeleton),
        tuple(other for other, _ in others),
        calibration,
        METHOD if volume is study.volume else (*METHOD, AS_AT_120_KV),
        (*remarks, *remarks_on_doubts(unsure), *remarks_on_contents(contents)),
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
    labels: Labels
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
    unasked = bone_unasked(grid, tissue, seeds, skeleton)
    if skeleton is not None:
        tissue = override_skeleton(grid, tissue, skeleton)
        open_shells = []
    outlined, unsure = _outlined(volume, grid, tissue, seeds, unasked)
    outlines = [mass for mass, _ in outlined]
    unsure += [volume.point_lps(np.array(place) * grid.step) for place in open_shells]
    body, scores = tissue.body, tissue.skeleton
    del tissue  # its memory is needed
    specks = find_specks(volume, grid, body, scores, _around_masses(grid, outlines))
    np.multiply(scores, body, out=scores)  # the table is no bone
    del body
    give_small_pieces_back()  # a fifth of the scan's own memory
    labels = label_map(volume, outlines)
    unsure = [place for place in unsure if not labels[_voxel(volume, place)]]
    if skeleton is None:
        bones = skeleton_on_scan(volume, grid, scores, labels)
        for speck in filter(is_bone, specks):
            bones[speck.where.box] |= speck.where.mask
        specks = [speck for speck in specks if not is_bone(speck)]
    else:
        bones = _without_seeded(skeleton, labels, outlines)
    return _Found(outlined, specks, labels, bones, unsure, remarks)


def _outlined(
    volume: Volume,
    grid: WorkingGrid,
    tissue: TissueMap,
    seeds: Sequence[Index],
    unasked: Sequence[Unasked],
) -> tuple[list[tuple[FoundMass, LevelReading]], list[Point]]:
    """Masses with their levels, largest first, and the places of what may be one."""
    found = find_masses(volume, grid, tissue, seeds, unasked)
    outlined = [_with_fluid(volume, grid, tissue, mass) for mass in found.masses]
    doubtful = (
        (one.place_lps_mm, *_with_fluid(volume, grid, tissue, one.mass)) for one in found.unsure
    )
    by_level, unsure = told_by_levels(doubtful, volume.voxel_volume_ml)
    outlined += by_level
    outlined.sort(key=lambda pair: -float(pair[0].envelope.occupancy.sum()))
    return outlined, unsure


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


def label_map(volume: Volume, found: Sequence[FoundMass]) -> Labels:
    """Masses on the volume's grid; where two meet, the larger keeps the voxel."""
    labels = np.zeros(volume.shape, np.min_scalar_type(len(found)))
    for number, mass in reversed(list(enumerate(found, start=1))):
        labels[mass.box][mass.envelope.mask] = number
    return labels


def _without_seeded(
    skeleton: NDArray[np.bool_], labels: Labels, found: Sequence[FoundMass]
) -> NDArray[np.bool_]:
    """A given skeleton without the masses that seeds ask for: there the seed is believed."""
    seeded = [number for number, mass in enumerate(found, start=1) if mass.seeded]
    return skeleton & ~np.isin(labels, seeded) if seeded else skeleton


def _around_masses(grid: WorkingGrid, found: Sequence[FoundMass]) -> NDArray[np.bool_]:
    """Working voxels in masses or within two of them: rims that are no finding of their own."""
    result = np.zeros(grid.hu.shape, bool)
    for mass in found:
        box = grid.grow(grid.box_of(mass.box), 2)
        inside = grid.hits(mass.box, mass.envelope.mask, box)
        result[box] |= grown(inside, 2)
    return result
