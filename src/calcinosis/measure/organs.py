"""What organs hold, which is no mass: contrast agent, stones, nodules of a lung, granulomas.

The first two, in pelvis and abdomen, are evenly dense, or a shell around what is not dense.
Contrast agent may lie in a layer under urine: a true level, but not of a mass. Limits were chosen
on phantoms and a labelled scan with bladders and bowels filled and stones drawn (docs/accuracy.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from calcinosis.measure.beside import touching_hu
from calcinosis.measure.chest import IN_CHEST, lies_between_lungs, lies_in_lung
from calcinosis.measure.distance import distance_within
from calcinosis.measure.gaussian import gaussian
from calcinosis.measure.joint import Joint
from calcinosis.measure.masks import places
from calcinosis.measure.mass import (
    CalcificationKind,
    LevelReading,
    OtherCalcification,
    Patch,
    Point,
)
from calcinosis.measure.masses import FoundMass
from calcinosis.measure.seed import seed_options
from calcinosis.measure.skin import Skin, skin_distance_mm
from calcinosis.measure.upright import noise_hu
from calcinosis.volume import Volume

# The cavity of the pelvis: shares of the way from the midline to the hips, below its brim and
# above; from the symphysis down, to the front, to the brim, and up.
_INWARDS, _BETWEEN_ILIA = 0.75, 1.25
_BELOW_MM, _BEFORE_MM, _BRIM_MM, _ABOVE_MM = 10.0, 25.0, 60.0, 160.0
# That of the abdomen: below and above the lower end of a spine, beside it and behind its middle;
# where the lungs leave the lower end of the picture, no abdomen is seen.
_SPINE_MM = {"lumbar spine": (60.0, 180.0), "thoracic spine": (160.0, 20.0)}
_ASIDE_OF_SPINE_MM, _BEHIND_SPINE_MM = 125.0, 10.0
_SHARE, _PLACES = 0.9, 20_000  # of a density that lies there; told by so many of its voxels
_DEEP_MM = 4.0  # inside the outline: what a blurred wall does not touch
_BESIDE_LEVEL_MM = 3.0
_EVEN_SHARE = 0.85  # of the dense voxels are as dense as those around, but for noise and shade
_AROUND_MM = 4.0  # standard deviation of the mean over dense voxels alone
_NOISES, _SHADE = 3.0, 0.08  # standard deviations; share of the density (beam hardening)
_DENSE_HU, _HALF = 150.0, 0.5
_SEEN_SHARE = 0.1  # so much of a mass must lie deep, away from levels: locules leave less
_HOLLOW_SHARE = 0.05  # of what is deep inside a shell may be dense
_POOL_ML = 15.0  # larger is contrast agent, not a stone; a named parameter
# Small, in the fat under the skin: a granuloma, as injections leave; drawn ones read up to 1.4 mL.
_GRANULOMA_ML, _FAT_HU, _UNDER_SKIN_MM = 1.5, -45.0, 50.0
Organ = Literal["lung", "subcutis", "viscus"]
_IN_CAVITY = (
    "It lies in the cavity of pelvis or abdomen, where stones, nodes and fibroids calcify: it is "
    "measured like a mass beside a joint, but may be one of these."
)
_TAKEN_FOR: dict[Organ, str] = {
    "lung": "What lies in a lung was taken for a nodule or granuloma",
    "subcutis": "What is small and lies in the fat under the skin was taken for a granuloma",
    "viscus": "What is evenly dense, or a shell, in pelvis or abdomen was taken for contrast agent "
    "or a stone in an organ",
}


@dataclass(frozen=True, eq=False)
class Content:
    """What an organ holds: the organ, what it is reported as, its voxels, and its densest place."""

    organ: Organ
    calcification: OtherCalcification
    where: Patch
    densest_lps_mm: Point


def organ_around(
    volume: Volume, mass: FoundMass, levels: LevelReading, joints: Sequence[Joint], skin: Skin
) -> Organ | None:
    """The kind of organ that holds what was found; None for a mass, and where a seed asks for one.

    Args:
        volume: the whole CT.
        mass: as outlined.
        levels: its fluid levels.
        joints: of the scan.
        skin: of the scan.
    """
    if mass.seeded:
        return None
    if lies_in_lung(volume, mass):
        return "lung"
    if _is_granuloma(volume, mass, skin):
        return "subcutis"
    in_viscus = lies_in_cavity(volume, mass, joints) and is_content(volume, mass, levels)
    return "viscus" if in_viscus else None


def _is_granuloma(volume: Volume, mass: FoundMass, skin: Skin) -> bool:
    """Whether what was found is small and lies in the fat under the skin."""
    if float(mass.envelope.occupancy.sum()) * volume.voxel_volume_ml > _GRANULOMA_ML:
        return False
    depth_mm = skin_distance_mm(skin, mass.box, mass.envelope.mask)
    under_skin = depth_mm is not None and depth_mm < _UNDER_SKIN_MM
    return under_skin and bool(np.median(touching_hu(volume, mass)) < _FAT_HU)


def remarks_on_place(volume: Volume, mass: FoundMass, joints: Sequence[Joint]) -> tuple[str, ...]:
    """What to know of a mass that lies where other things calcify, too."""
    if lies_in_cavity(volume, mass, joints):
        return (_IN_CAVITY,)
    return (IN_CHEST,) if lies_between_lungs(volume, mass, joints) else ()


def lies_in_cavity(volume: Volume, mass: FoundMass, joints: Sequence[Joint]) -> bool:
    """Whether a mass lies in the cavity of pelvis or abdomen, as far as the joints tell.

    Args:
        volume: the whole CT.
        mass: as outlined.
        joints: of the scan; without hips or spine the place is not known, and the answer is no.
    """
    inside = places(mass.envelope.mask)
    some = volume.crop(mass.box).to_lps(inside[:: len(inside) // _PLACES + 1])
    return bool(np.mean(_in_cavity(some, joints)) >= _SHARE)


def is_content(volume: Volume, mass: FoundMass, levels: LevelReading) -> bool:
    """Whether what lies in that cavity looks like contrast agent or a stone.

    Args:
        volume: the whole CT.
        mass: as outlined.
        levels: its fluid levels.
    """
    crop = volume.crop(mass.box)
    deep = distance_within(mass.envelope.mask, _DEEP_MM, crop.spacing_mm) >= _DEEP_MM
    deep &= mass.envelope.mask
    for level in levels.levels:
        deep &= np.abs(_below_mm(crop, level.centroid_lps_mm)) > _BESIDE_LEVEL_MM
    if np.count_nonzero(deep) < _SEEN_SHARE * np.count_nonzero(mass.envelope.mask):
        return False
    dense = deep & (crop.voxels > _DENSE_HU)
    if np.count_nonzero(dense) < _HOLLOW_SHARE * np.count_nonzero(deep):
        return True
    return _is_even(crop, dense, noise_hu(crop.voxels, mass.envelope.mask))


def content_of(organ: Organ, volume: Volume, mass: FoundMass, levels: LevelReading) -> Content:
    """What an organ holds; with a level, or larger than a stone, it is contrast agent."""
    dense = mass.envelope.calcified
    where = Patch(mass.box, dense > _HALF)
    volume_ml = float(dense.sum(dtype=np.float64) * volume.voxel_volume_ml)
    pool = organ == "viscus" and (volume_ml > _POOL_ML or bool(levels.sedimentation_sign))
    kind: CalcificationKind = "granuloma" if organ == "subcutis" else "unclassified"
    centre = mass.centroid_lps_mm(volume)
    other = OtherCalcification("contrast" if pool else kind, volume_ml, centre)
    return Content(organ, other, where, where.densest_lps_mm(volume))


def remarks_on_contents(contents: Sequence[Content]) -> tuple[str, ...]:
    """What the reader can do where densities were taken for contents of organs."""
    remarks = []
    for organ, told in _TAKEN_FOR.items():
        places_lps_mm = [content.densest_lps_mm for content in contents if content.organ == organ]
        if places_lps_mm:
            seeds = "; ".join(seed_options(places_lps_mm))
            remarks.append(f"{told}; a seed measures it as a mass: {seeds}.")
    return tuple(remarks)


def _in_cavity(places_lps_mm: NDArray[np.float64], joints: Sequence[Joint]) -> NDArray[np.bool_]:
    """Which places lie in the cavity of pelvis or abdomen, as far as the joints tell."""
    inside = _in_pelvis(places_lps_mm, joints)
    for joint in joints:
        if joint.name in _SPINE_MM and not joint.goes_on:
            below_mm, above_mm = _SPINE_MM[joint.name]
            x, y, z = (places_lps_mm - joint.centre_lps_mm).T
            before = (np.abs(x) < _ASIDE_OF_SPINE_MM) & (y < _BEHIND_SPINE_MM)
            inside |= before & (z > -below_mm) & (z < above_mm)
    return inside


def _in_pelvis(places_lps_mm: NDArray[np.float64], joints: Sequence[Joint]) -> NDArray[np.bool_]:
    """Which places lie between the hips, or higher up between the ilia, before the sacrum."""
    hips = [joint.centre_lps_mm[0] for joint in joints if joint.name == "hip" and joint.side]
    front = next((j.centre_lps_mm for j in joints if j.name == "pubic symphysis"), None)
    back = [joint.centre_lps_mm[1] for joint in joints if joint.name == "sacroiliac"]
    if not hips or not back or front is None:
        return np.zeros(len(places_lps_mm), bool)
    x, y, z = (places_lps_mm - front).T
    share = np.abs(x) / min(abs(hip - front[0]) for hip in hips)
    low = (z > -_BELOW_MM) & (z < _BRIM_MM) & (share < _INWARDS)
    high = (z >= _BRIM_MM) & (z < _ABOVE_MM) & (share < _BETWEEN_ILIA)
    return np.asarray((low | high) & (y > -_BEFORE_MM) & (y < min(back) - front[1]))


def _is_even(crop: Volume, dense: NDArray[np.bool_], noise: float) -> bool:
    """Whether what is dense is as dense as what lies around it, as in a solution."""
    sigma = [_AROUND_MM / step for step in crop.spacing_mm]
    hu, weight = (
        gaussian(field.astype(np.float32), sigma, truncate=2.0)
        for field in (np.where(dense, crop.voxels, 0), dense)
    )
    usual = hu[dense] / weight[dense]
    allowed = np.maximum(_NOISES * noise, _SHADE * usual)
    return bool(np.mean(np.abs(crop.voxels[dense] - usual) < allowed) >= _EVEN_SHARE)


def _below_mm(volume: Volume, place_lps_mm: Point) -> NDArray[np.float64]:
    """How far down from a place each voxel lies."""
    z, y, x = np.ogrid[tuple(slice(size) for size in volume.shape)]
    down = volume.gravity_lps @ volume.affine[:3, :3]
    start = float((volume.affine[:3, 3] - place_lps_mm) @ volume.gravity_lps)
    return np.asarray(start + down[0] * z + down[1] * y + down[2] * x)
