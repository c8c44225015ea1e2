"""The sedimentation sign: flat, level interfaces between fluid and settled calcium.

The mass is resampled upright (axis 0 points down). In every vertical column we look for steps from
fluid to sediment, join neighbouring steps into surfaces, and ask of each surface what only a fluid
level answers: is it flat, is its freely fitted plane perpendicular to gravity, is there an even
sediment below and fluid above? The locules themselves need not be found first.
"""

from collections.abc import Sequence

import edt
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.measure.level_evidence import (
    CONFIDENCE_MIN,
    SAME_HEIGHT_MM,
    Evidence,
    evidence_for,
    one_interface,
)
from calcinosis.measure.level_surfaces import (
    AREA_CALLED_MIN_MM2,
    Surface,
    at_two_heights,
    flat_parts,
    surfaces,
)
from calcinosis.measure.masks import bounds, widened
from calcinosis.measure.mass import FluidLevel, LevelReading
from calcinosis.measure.upright import ACROSS_STEP_MM, DOWN_STEP_MM, Upright, stand_upright
from calcinosis.measure.working_grid import Box, box_within
from calcinosis.volume import Volume

VOXEL_ALONG_GRAVITY_MAX_MM = 3.0  # thicker slices lying parallel to the level blur it away
SLICE_ELONGATION = 1.5  # voxels that are so much longer than wide lie in slices
LAYER_VOXELS = 3
# At least one level of a mass: tops of scattered chondroid pieces and of cysts' rims reach 0.85 in
# one of eighteen masses without a level, 0.65 in one of two (docs/accuracy.md).
SIGN_CONFIDENCE_MIN = 0.85
# Two levels taken for one: from this tilt on, and halves that keep less than this share of it.
# Chosen on 84 phantoms, where two pairs were so joined; 1.5° and 0.6 to 1 part the same.
TILT_OF_TWO_MIN_DEG, TILT_LEFT_SHARE_MAX = 2.0, 0.7
HALF_AREA_MIN_MM2 = 60.0  # of one that is a level alone: of seven, false ones had 27 to 53
# Cloudy paste has flat ledges at all tilts, and some are level by chance: in 14 such masses 15 or
# more ledges were tilted, of 1.6 times the area of the level ones and more; in 29 masses with
# levels at most four, of 0.5 times, but for one (2.8 times, four ledges).
TILTED_MIN, TILTED_SHARE_MAX = 6, 1.25
ON_BONE_MM = 2.0  # under a surface; the calcium of a level is deeper
LOCULE_MIN_ML = 0.5
SLAB = 32  # samples down: such parts of a mass are looked at one by one
GRADIENT_REACH = 4  # samples: as far as a Gaussian of one sample is followed


def find_fluid_levels(
    volume: Volume, envelope: NDArray[np.bool_], bone: NDArray[np.bool_] | None = None
) -> LevelReading:
    """Find every fluid–calcium level in one mass.

    Args:
        volume: CT in HU, whole or cropped to the mass and its surroundings.
        envelope: the mass on the same grid [z, y, x]; ragged edges and a missed fluid half are
            tolerated, because columns are followed a few millimetres beyond it.
        bone: what is bone on that grid: marrow on cortex looks like fluid on sediment.

    Returns:
        Levels, largest first; whether the sign is present (None when this CT cannot show it) and
        why.
    """
    along_mm = _voxel_along_gravity_mm(volume)
    if along_mm > VOXEL_ALONG_GRAVITY_MAX_MM + 0.01:
        slices = along_mm > SLICE_ELONGATION * min(volume.spacing_mm)
        reason = (
            "Sedimentation sign cannot be judged: "
            f"{'slices' if slices else 'voxels'} of {along_mm:.1f} mm "
            f"{'lie parallel to a fluid level' if slices else 'blur a fluid level away'} "
            f"(at most {VOXEL_ALONG_GRAVITY_MAX_MM:g} mm can show one)."
        )
        return LevelReading((), None, (reason,))
    upright = stand_upright(volume, envelope)
    candidates = _candidates(upright, along_mm)
    if bone is not None:
        candidates = [one for one in candidates if not _lies_on_bone(volume, bone, one)]
    tilted = [evidence for evidence in candidates if evidence.is_tilted_level(along_mm)]
    convincing = _convincing(candidates, upright, along_mm)
    if convincing:
        return _judged(convincing, tilted)
    reason_too_small = _too_small(volume, envelope, along_mm, upright)
    if reason_too_small:
        return LevelReading((), None, (reason_too_small,))
    return LevelReading((), sedimentation_sign=False, remarks=())


def _judged(convincing: Sequence[Evidence], tilted: Sequence[Evidence]) -> LevelReading:
    """Whether surfaces like fluid levels prove the sign, where so many tilted ones lie beside."""
    count, reason = len(convincing), "Sedimentation sign cannot be judged: "
    area, tilted_area = (sum(one.area_mm2 for one in ones) for ones in (convincing, tilted))
    if len(tilted) >= TILTED_MIN and tilted_area > TILTED_SHARE_MAX * area:
        reason += (
            f"of flat surfaces of fluid on calcium {count} are level and {len(tilted)} tilted; "
            "these may be level by chance."
        )
        return LevelReading((), None, (reason,))
    levels = tuple(sorted(map(_report, convincing), key=lambda level: -level.area_mm2))
    if any(level.confidence >= SIGN_CONFIDENCE_MIN for level in levels):
        return LevelReading(levels, sedimentation_sign=True, remarks=())
    reason += (
        f"flat, level surfaces are there ({count}), but none is sure; "
        "tops of calcified pieces can look like them."
    )
    return LevelReading((), None, (reason,))


def _voxel_along_gravity_mm(volume: Volume) -> float:
    """The extent of a voxel along gravity (root mean square over its axes)."""
    down = volume.direction_in_indices(volume.gravity_lps)
    return float(np.linalg.norm(down * np.asarray(volume.spacing_mm)))


def _too_small(
    volume: Volume, envelope: NDArray[np.bool_], along_mm: float, upright: Upright
) -> str | None:
    """Why no locule of this mass could show a level, or None if one could."""
    needed_mm = 2 * LAYER_VOXELS * along_mm
    if np.count_nonzero(envelope) * volume.voxel_volume_ml < LOCULE_MIN_ML:
        return (
            "Sedimentation sign cannot be judged: "
            f"the mass is smaller than the {LOCULE_MIN_ML:g} mL a locule needs."
        )
    down, u, v = bounds(upright.inside)
    for top in range(down.start, down.stop, SLAB):  # most masses show one soon
        slab = slice(top, min(top + SLAB, down.stop))
        if _widest_even_mm(upright, (slab, u, v)) >= needed_mm / 2:
            return None
    locule_mm = _widest_even_mm(upright, (down, u, v))
    if locule_mm < needed_mm / 2:
        return (
            "Sedimentation sign cannot be judged: the largest even region is "
            f"{locule_mm:.1f} mm wide; two layers of {LAYER_VOXELS} voxels need {needed_mm:.1f} mm."
        )
    return None


def _widest_even_mm(upright: Upright, box: Box) -> float:
    """Width of the largest even region of a mass in a part of its box."""
    steps_mm = (DOWN_STEP_MM, ACROSS_STEP_MM, ACROSS_STEP_MM)
    room = widened(box, [GRADIENT_REACH] * 3)  # what the filter sees of it
    gradient = np.sqrt(
        sum(
            (ndimage.gaussian_filter1d(upright.hu[room], 1.0, axis=axis, order=1) / step) ** 2
            for axis, step in enumerate(steps_mm)
        )
    )[box_within(box, room)]
    uniform = (gradient < 60.0 + 2 * upright.noise_hu) & upright.inside[box]
    return 2 * float(edt.edt(uniform, anisotropy=steps_mm, black_border=True, parallel=1).max())


def _candidates(upright: Upright, along_mm: float) -> list[Evidence]:
    """All flat pieces of gentle sheets."""
    return [
        evidence
        for sheet in surfaces(upright, along_mm)
        for part in flat_parts(sheet)
        for evidence in _one_or_two(part, upright, along_mm)
    ]


def _one_or_two(part: Surface, upright: Upright, along_mm: float) -> list[Evidence]:
    """A flat piece; or its halves, where both are levels and squarer to gravity than the whole.

    Of a piece that is no level a large half that is: a level may run into a ledge at its rim.
    """
    whole = evidence_for(part, upright, along_mm)
    if whole.tilt_deg < TILT_OF_TWO_MIN_DEG:
        return [whole]
    halves = [evidence_for(half, upright, along_mm) for half in at_two_heights(part)]
    apart = halves and abs(halves[0].depth_mm - halves[1].depth_mm) > SAME_HEIGHT_MM
    if apart and all(
        _convinces(half, along_mm) and half.tilt_deg < TILT_LEFT_SHARE_MAX * whole.tilt_deg
        for half in halves
    ):
        return halves
    if _convinces(whole, along_mm):
        return [whole]
    large = [half for half in halves if half.area_mm2 >= HALF_AREA_MIN_MM2]
    return [half for half in large if _convinces(half, along_mm)] or [whole]


def _convinces(evidence: Evidence, along_mm: float) -> bool:
    """Whether a surface can only be a level."""
    return (
        evidence.area_mm2 >= AREA_CALLED_MIN_MM2
        and evidence.is_level()
        and evidence.confidence() >= CONFIDENCE_MIN
        and evidence.holds_fluid_on_sediment(along_mm)
    )


def _lies_on_bone(volume: Volume, bone: NDArray[np.bool_], evidence: Evidence) -> bool:
    """Whether the middle of a surface, or what lies close under it, is bone."""
    under_mm = np.array([0.0, ON_BONE_MM / 2, ON_BONE_MM])[:, None]
    places = volume.to_indices(evidence.centroid_lps_mm + under_mm * volume.gravity_lps)
    z, y, x = np.clip(np.round(places).astype(int), 0, np.array(bone.shape) - 1).T
    return bool(bone[z, y, x].any())


def _convincing(
    candidates: Sequence[Evidence], upright: Upright, along_mm: float
) -> list[Evidence]:
    """The surfaces that can only be levels, each once, in its larger and flatter reading."""
    chosen: list[Evidence] = []
    for evidence in sorted(candidates, key=_worth, reverse=True):
        if _convinces(evidence, along_mm) and not any(
            evidence.repeats(other) or one_interface(evidence, other, upright) for other in chosen
        ):
            chosen.append(evidence)
    return chosen


def _worth(evidence: Evidence) -> float:
    return evidence.area_mm2 * evidence.confidence()


def _report(evidence: Evidence) -> FluidLevel:
    """A level as it is told."""
    return FluidLevel(
        centroid_lps_mm=evidence.centroid_lps_mm,
        area_mm2=evidence.area_mm2,
        sediment_depth_mm=evidence.layers.sediment_depth_mm,
        hu_above=evidence.layers.hu_above,
        hu_below=evidence.layers.hu_below,
        tilt_deg=evidence.tilt_deg,
        confidence=round(evidence.confidence(), 3),
    )
