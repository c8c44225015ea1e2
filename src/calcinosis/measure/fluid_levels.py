"""The sedimentation sign: flat, level interfaces between fluid and settled calcium.

The mass is resampled upright (axis 0 points down). In every vertical column we look for steps from
fluid to sediment, join neighbouring steps into surfaces, and ask of each surface what only a fluid
level answers: is it flat, is its freely fitted plane perpendicular to gravity, is there an even
sediment below and fluid above? The locules themselves need not be found first.
"""

import edt
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.measure.level_evidence import Evidence, evidence_for, one_interface
from calcinosis.measure.level_surfaces import flat_parts, surfaces
from calcinosis.measure.masks import bounds, widened
from calcinosis.measure.mass import FluidLevel, LevelReading
from calcinosis.measure.upright import ACROSS_STEP_MM, DOWN_STEP_MM, Upright, stand_upright
from calcinosis.volume import Volume

VOXEL_ALONG_GRAVITY_MAX_MM = 3.0  # thicker slices lying parallel to the level blur it away
LAYER_VOXELS = 3
CONFIDENCE_MIN = 0.65  # share of levels among surfaces like it
# At least one level of a mass: tops of scattered chondroid pieces and of cysts' rims reach 0.85 in
# one of eighteen masses without a level, 0.65 in one of two (docs/accuracy.md).
SIGN_CONFIDENCE_MIN = 0.85
AREA_CALLED_MIN_MM2 = 18.0  # smaller flat patches are as often ledges of paste
LOCULE_MIN_ML = 0.5
GRADIENT_REACH = 4  # samples: as far as a Gaussian of one sample is followed


def find_fluid_levels(volume: Volume, envelope: NDArray[np.bool_]) -> LevelReading:
    """Find every fluid–calcium level in one mass.

    Args:
        volume: CT in HU, whole or cropped to the mass and its surroundings.
        envelope: the mass on the same grid [z, y, x]; ragged edges and a missed fluid half are
            tolerated, because columns are followed a few millimetres beyond it.

    Returns:
        Levels, largest first; whether the sign is present (None when this CT cannot show it) and
        why.
    """
    along_mm = _voxel_along_gravity_mm(volume)
    if along_mm > VOXEL_ALONG_GRAVITY_MAX_MM + 0.01:
        reason = (
            f"Sedimentation sign cannot be judged: slices of {along_mm:.1f} mm lie parallel to a "
            f"fluid level (at most {VOXEL_ALONG_GRAVITY_MAX_MM:g} mm can show one)."
        )
        return LevelReading((), None, (reason,))
    upright = stand_upright(volume, envelope)
    levels = tuple(_report(evidence) for evidence in _convincing(upright, along_mm))
    levels = tuple(sorted(levels, key=lambda level: -level.area_mm2))
    if any(level.confidence >= SIGN_CONFIDENCE_MIN for level in levels):
        return LevelReading(levels, sedimentation_sign=True, remarks=())
    if levels:
        reason = (
            "Sedimentation sign cannot be judged: flat, level surfaces are there "
            f"({len(levels)}), but none is sure; tops of calcified pieces can look like them."
        )
        return LevelReading((), None, (reason,))
    reason_too_small = _too_small(volume, envelope, along_mm, upright)
    if reason_too_small:
        return LevelReading((), None, (reason_too_small,))
    return LevelReading((), sedimentation_sign=False, remarks=())


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
    steps_mm = (DOWN_STEP_MM, ACROSS_STEP_MM, ACROSS_STEP_MM)
    room = widened(bounds(upright.inside), [GRADIENT_REACH] * 3)  # what the filter sees of it
    gradient = np.sqrt(
        sum(
            (ndimage.gaussian_filter1d(upright.hu[room], 1.0, axis=axis, order=1) / step) ** 2
            for axis, step in enumerate(steps_mm)
        )
    )
    uniform = (gradient < 60.0 + 2 * upright.noise_hu) & upright.inside[room]
    depth = edt.edt(uniform, anisotropy=steps_mm, black_border=True, parallel=1)
    locule_mm = 2 * float(depth.max())
    if locule_mm < needed_mm / 2:
        return (
            "Sedimentation sign cannot be judged: the largest even region is "
            f"{locule_mm:.1f} mm wide; two layers of {LAYER_VOXELS} voxels need {needed_mm:.1f} mm."
        )
    return None


def _convincing(upright: Upright, along_mm: float) -> list[Evidence]:
    """The surfaces that can only be levels, each once, in its larger and flatter reading."""
    candidates = [
        evidence_for(part, upright, along_mm)
        for sheet in surfaces(upright, along_mm)
        for part in flat_parts(sheet)
    ]
    chosen: list[Evidence] = []
    for evidence in sorted(candidates, key=_worth, reverse=True):
        if (
            evidence.area_mm2 >= AREA_CALLED_MIN_MM2
            and evidence.is_level()
            and evidence.confidence() >= CONFIDENCE_MIN
            and evidence.holds_fluid_on_sediment(along_mm)
            and not any(
                evidence.repeats(other) or one_interface(evidence, other, upright)
                for other in chosen
            )
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
