"""How a mass lies to bone: distance, contact, and the defect it has pressed or eaten into cortex.

A natural hollow keeps a dense line of cortex towards the mass; an eroded bone has lost it. Where
the line is lost, the expected surface is the bone's own smooth continuation: what surrounds the
loss is bridged (`bone_surface`). What the bone lacks below the bridge is the defect, also where the
envelope lacks the soft part of the mass in it: lost cortex is followed from the mass down the pit.

Where the other side of the body is in the picture and fits, it tells better what was there
(`mirror_side`, `mirror_defect`): it goes before all this.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from calcinosis.measure.bone_site import (
    CONTACT_GAP_MM,
    Site,
    box_around,
    contact_mm2,
    distance_far_mm,
    filled,
    gap_mm,
    site_of,
)
from calcinosis.measure.bone_surface import (
    Bridge,
    SurfacePoints,
    at_places,
    continuation,
    crossings,
    far_from,
    largest_patch,
    patches,
    surface_points,
)
from calcinosis.measure.masks import grown, places, rim
from calcinosis.measure.mass import CONTINUATION, MIRROR, BoneRelation
from calcinosis.measure.mirror_defect import defect_against
from calcinosis.measure.mirror_side import Body, MirrorSide, find_mirror_side
from calcinosis.measure.working_grid import Box
from calcinosis.volume import Volume

Array = NDArray[np.float64]

NEAR_MM = 25.0  # bone this far around the mass shapes the expected surface
SPARE_MM = 2.5  # surface this close to the mass may be eroded
AROUND_MM = 15.0  # the cortex up to here tells how dense the bone's cortex is
CORTEX_MIN_HU = 250.0  # a surface fainter than this shows no cortex that could be lost
# Of the median around, intact contacts keep ≥ 0.55 in 98 % of their points, and pits of ≥ 2.7 mm
# fall below 0.2 somewhere: 18 phantoms, seeds 100–117 of benchmarks/erosion.py.
LOST_SHARE = 0.45
LOST_AREA_MIN_MM2 = 6.0
FAINT_AROUND_MAX = 0.25  # where so much of the cortex around is faint too, it tells nothing
BESIDE_MM = 3.0  # surface this close to the loss may be the wall of the defect
FAR_MM = 12.0  # so may covered surface this close to it
PIT_REACH_MM = 12.0  # lost cortex hangs together up to here from the mass
GAP_MM = 3.0  # an envelope may stop this far above the floor of the defect
EROSION_MIN_MM = 2.0  # shallower defects are within the spread of the method (docs/accuracy.md)
SURFACE_POINTS = 400
SURFACE_POINTS_MIN = 40
SLOPE_MIN = 0.75  # where a bridge rises by less than this per mm, two surfaces lie close together
DEEPEST_PERCENT = 99  # depth: this share of the surface that lost its cortex is shallower
SHALLOW_MM = 0.5  # volume: shallower is surface roughness
COARSE_MM = 2.0
# Beside the program's own cut of mass from bone the cut itself proves nothing. Cortex is then
# looked for where the bone's smooth continuation runs. The largest patch where it is fainter than
# LOST_SHARE had at most 32 mm² under 18 intact contacts, and 34 mm² or more under 15 of 21 pits of
# 2.6–8.2 mm. Where it had less than 10 mm² though bone lacked, 0.02 mL at most was missing deeper
# than 2 mm under four intact contacts, 0.78 mL in a pit full of paste as dense as cortex (predicted
# masses, seeds 100–123, 1000–1015, cellular 2000–2007). Bone whose cortex is so faint in a tenth of
# its surface is not judged.
OWN_CUT_SPARE_MM = 4.0
OWN_CUT_POINTS = 250
OWN_CUT_DEEPEST_MM = 10.0  # farther from the bone that is left, its continuation may be wrong
OWN_CUT_LOST_MM2, OWN_CUT_DOUBT_MM2, OWN_CUT_SHAVED_ML = 35.0, 10.0, 0.1
OWN_CUT_FAINTEST = (10, 0.5)  # percentile, share of the usual
CORTEX_OFFSETS_MM = np.arange(-5.0, 1.01, 0.5)  # outwards from the continuation: its own error
ROOM_MM = 6.0
PATCH_GAP_MM = 2.0  # surface points this close, or neighbours on a coarse grid, are one patch
_DEPTHS_MM = np.arange(0.0, 15.0, 0.5)  # how far below it remaining bone is looked for


def relate_to_bone(
    volume: Volume,
    envelope: NDArray[np.bool_],
    skeleton: NDArray[np.bool_],
    *,
    own_cut: bool = False,
    body: Body | None = None,
) -> BoneRelation:
    """Distance and contact to the nearest bone, and erosion of the cortex facing the mass.

    Args:
        volume: CT in HU.
        envelope: the mass, on the same grid [z, y, x], apart from the skeleton.
        skeleton: bone on the same grid; marrow may or may not be filled.
        own_cut: the skeleton was cut from the mass by this program, so that bone it lacks may be
            the cut's fault.
        body: the whole scan, to compare with its other side.

    Returns:
        `nearest` is left None: names of bones are read elsewhere. `distance_mm` is None without
        any bone in the image. Erosion is judged only where mass and bone touch; it is None where
        too little surface surrounds the contact, or its cortex is too faint to be missed, or bone
        is missing that the program's own cut may have taken. Beside an own cut depth and volume
        are the least that is sure, and None where the cut leaves nothing to measure, or erosion
        is not judged.
    """
    if not envelope.any() or not skeleton.any():
        return BoneRelation(None, None, 0.0, None, None, None)
    box = box_around(envelope, volume.spacing_mm, NEAR_MM)
    if not skeleton[box].any():
        surface = places(rim(envelope))
        return apart(distance_far_mm(volume, surface, skeleton))
    bone = filled(skeleton[box], envelope[box], volume.spacing_mm)
    mass = envelope[box] & ~bone
    distance = gap_mm(mass, bone, volume.spacing_mm)
    if distance >= CONTACT_GAP_MM + max(volume.spacing_mm):
        return apart(distance)
    site = site_of(volume.crop(box), mass, bone)
    contact = contact_mm2(site)
    if contact == 0.0:
        return apart(distance)
    points = surface_points(
        site.hu, site.to_bone_mm, site.to_mass_mm, site.spacing_mm, reach_mm=NEAR_MM
    )
    touching = BoneRelation(None, distance, contact, None, None, None)
    side = find_mirror_side(body, volume.crop(box), site, points) if body else None
    return _judged(touching, site, points, side, own_cut=own_cut)


def _judged(
    touching: BoneRelation,
    site: Site,
    points: SurfacePoints,
    side: MirrorSide | None,
    *,
    own_cut: bool,
) -> BoneRelation:
    """Erosion by the other side where that decides, else by the bone's own continuation."""
    against = defect_against(site, side, own_cut=own_cut) if side else None
    if against and not 0 < against[0] < EROSION_MIN_MM:
        return _with_defect(touching, against, MIRROR)
    seen = _with_defect(touching, _defect(site, points))
    if not own_cut:
        return seen
    seen = _beside_own_cut(site, points, seen)
    return _left_open(seen) if side and seen.eroded is False else seen  # the sides differ


def apart(distance_mm: float) -> BoneRelation:
    """A mass that touches no bone."""
    return BoneRelation(None, distance_mm, 0.0, 0.0, 0.0, eroded=False)


def _beside_own_cut(site: Site, points: SurfacePoints, seen: BoneRelation) -> BoneRelation:
    """Erosion only where lost cortex proves it; open where bone lacks or some cortex is faint."""
    loss = _lost_patch(site, points)
    area_mm2 = len(loss.patch) * loss.point_mm2 if loss else 0.0
    if not loss or area_mm2 < OWN_CUT_DOUBT_MM2:
        if not seen.eroded:
            return seen
        shaved = loss and _missing_ml(loss) < OWN_CUT_SHAVED_ML
        return _with_defect(seen, (0.0, 0.0)) if shaved else _left_open(seen)
    if area_mm2 < OWN_CUT_LOST_MM2:
        return _left_open(seen)
    depth_mm, volume_ml = _least_defect(loss)
    if not 0 < depth_mm <= OWN_CUT_DEEPEST_MM:  # at 0 the continuation runs inside what is left
        return _left_open(seen)
    found = _with_defect(seen, (depth_mm, volume_ml))
    if found.eroded:
        return found
    return replace(found, erosion_depth_mm=None, erosion_volume_ml=None, eroded=True)


def _left_open(relation: BoneRelation) -> BoneRelation:
    """Of an erosion that cannot be judged nothing is measured."""
    return BoneRelation(relation.nearest, relation.distance_mm, relation.contact_mm2, *[None] * 3)


def _with_defect(
    relation: BoneRelation, defect: tuple[float, float] | None, surface: str = CONTINUATION
) -> BoneRelation:
    """A relation with depth (mm) and volume (mL) of a defect; unchanged where none can be told."""
    if defect is None:
        return relation
    depth, volume_ml = defect
    if depth == 0 and surface == CONTINUATION:
        surface = "the bone's own cortex, unbroken under the contact"
    return replace(
        relation,
        erosion_depth_mm=depth,
        erosion_volume_ml=volume_ml,
        eroded=depth >= EROSION_MIN_MM,
        expected_surface=surface,
    )


def _defect(site: Site, points: SurfacePoints) -> tuple[float, float] | None:
    """Depth (mm) and volume (mL) of what is missing under lost cortex; None: cannot tell."""
    around = (points.to_mass_mm > SPARE_MM) & (points.to_mass_mm < AROUND_MM)
    usual_hu = _usual_cortex_hu(points, around)
    if usual_hu is None:
        return None
    faint = (points.cortex_hu < LOST_SHARE * usual_hu) & ~points.beside_air
    if np.mean(faint[around]) > FAINT_AROUND_MAX:
        return None
    voxel_mm3 = float(np.prod(site.spacing_mm))
    fewest = LOST_AREA_MIN_MM2 * max(site.spacing_mm) / voxel_mm3
    lost = _grown_loss(points, faint, fewest, PATCH_GAP_MM + max(site.spacing_mm))
    if not lost.any():
        return 0.0, 0.0
    trusted = _trusted(points, faint)
    if np.count_nonzero(trusted) < SURFACE_POINTS_MIN:
        return None
    bridge = _expected_surface(site, points[trusted])
    gone = points.places[lost]
    below = gone[bridge(gone) < 0]
    coarse = _on_coarse_grid(bridge, site, PIT_REACH_MM)
    surface = crossings(coarse, COARSE_MM)
    if len(below) == 0 or len(surface) == 0:
        return 0.0, 0.0
    away_mm, _ = cKDTree(surface).query(below)
    depths_mm = np.minimum(away_mm, -bridge(below) / SLOPE_MIN)
    missing_mm3 = _missing_voxels(coarse, site, gone) * voxel_mm3
    return float(np.percentile(depths_mm, DEEPEST_PERCENT)), missing_mm3 / 1000


def _grown_loss(
    points: SurfacePoints, faint: NDArray[np.bool_], fewest: float, gap_mm: float
) -> NDArray[np.bool_]:
    """Patches of faint points, of which at least the fewest lie at the mass.

    An envelope may lack the soft part of the mass, and then stops far above the floor of a pit.
    """
    candidates = np.flatnonzero(faint & (points.to_mass_mm < PIT_REACH_MM))
    patch = patches(points.places[candidates], gap_mm)
    at_mass = np.bincount(patch[points.to_mass_mm[candidates] < SPARE_MM], minlength=len(patch))
    lost = np.zeros(len(points), dtype=bool)
    lost[candidates[at_mass[patch] >= fewest]] = True
    return lost


def _usual_cortex_hu(points: SurfacePoints, around: NDArray[np.bool_]) -> float | None:
    """How dense the cortex around the contact is; None: too little of it, or too faint."""
    if np.count_nonzero(around) < SURFACE_POINTS_MIN:
        return None
    usual_hu = float(np.median(points.cortex_hu[around]))
    return usual_hu if usual_hu >= CORTEX_MIN_HU else None


@dataclass(frozen=True, eq=False)
class _Loss:
    """Where a bone's smooth continuation has no cortex: signed distance to it (mm), its points."""

    near: Site
    expected_mm: NDArray[np.float32]
    patch: SurfacePoints
    point_mm2: float


def _lost_patch(site: Site, points: SurfacePoints) -> _Loss | None:
    """The largest patch of lost cortex on the bone's continuation; None: it cannot be judged."""
    around = (points.to_mass_mm > SPARE_MM) & (points.to_mass_mm < AROUND_MM)
    usual_hu = _usual_cortex_hu(points, around)
    percent, share = OWN_CUT_FAINTEST
    if usual_hu is None or np.percentile(points.cortex_hu[around], percent) < share * usual_hu:
        return None
    whole = points.cortex_hu >= LOST_SHARE * usual_hu
    trusted = np.flatnonzero(whole & (points.to_mass_mm > OWN_CUT_SPARE_MM))
    if len(trusted) < SURFACE_POINTS_MIN:
        return None
    few = np.random.default_rng(0).permutation(trusted)[:OWN_CUT_POINTS]
    bridge = continuation(points[few], site.to_bone_mm, site.spacing_mm)
    box = box_around(site.mass, site.spacing_mm, ROOM_MM)
    near = site.crop(box)
    expected = _sampled(bridge, site, near, box)
    beside = surface_points(near.hu, expected, near.to_mass_mm, site.spacing_mm, reach_mm=SPARE_MM)
    faint = _brightest_near(near.hu, beside, site.spacing_mm) < LOST_SHARE * usual_hu
    gap_mm = max(PATCH_GAP_MM, 1.01 * max(site.spacing_mm))
    point_mm2 = float(np.prod(site.spacing_mm)) / max(site.spacing_mm)
    return _Loss(near, expected, largest_patch(beside[faint], gap_mm), point_mm2)


def _least_defect(loss: _Loss) -> tuple[float, float]:
    """Depth (mm) and volume (mL) between the lost patch and what the cut left of the bone."""
    site, lost = loss.near, loss.patch
    inwards = lost.places[:, None] - lost.normals[:, None] * _DEPTHS_MM[:, None]
    solid = at_places(site.to_bone_mm, inwards.reshape(-1, 3), site.spacing_mm) < 0
    gap = np.argmax(solid.reshape(len(lost), -1), axis=1) * (_DEPTHS_MM[1] - _DEPTHS_MM[0])
    depth = float(np.percentile(gap, DEEPEST_PERCENT))
    below = ~site.bone & (loss.expected_mm < -SHALLOW_MM) & (site.to_mass_mm < GAP_MM)
    missing = np.argwhere(below) * np.asarray(site.spacing_mm)
    under = ~far_from(missing, lost.places, depth + SPARE_MM)
    return depth, float(np.count_nonzero(under) * np.prod(site.spacing_mm) / 1000)


def _missing_ml(loss: _Loss) -> float:
    """What the bone lacks at the mass, deeper below its continuation than roughness explains."""
    site = loss.near
    missing = ~site.bone & (loss.expected_mm < -EROSION_MIN_MM) & (site.to_mass_mm < GAP_MM)
    return float(np.count_nonzero(missing) * np.prod(site.spacing_mm) / 1000)


def _brightest_near(
    hu: NDArray[np.int16], points: SurfacePoints, spacing_mm: tuple[float, float, float]
) -> NDArray[np.float64]:
    """The brightest HU on a short line through each point, most of it into the bone."""
    line = points.places[:, None] + points.normals[:, None] * CORTEX_OFFSETS_MM[:, None]
    values = at_places(hu, line.reshape(-1, 3), spacing_mm).reshape(line.shape[:2])
    return np.asarray(values.max(axis=1))


def _trusted(points: SurfacePoints, lost: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Points that still lie where the bone's surface was: away from lost cortex."""
    gone = points.places[lost]
    free = (points.to_mass_mm > SPARE_MM) & far_from(points.places, gone, BESIDE_MM)
    return np.asarray(free | far_from(points.places, gone, FAR_MM))


def _expected_surface(site: Site, trusted: SurfacePoints) -> Bridge:
    """The bone's surface, continued smoothly through points that are trusted."""
    few = np.random.default_rng(0).permutation(len(trusted))[:SURFACE_POINTS]
    return continuation(trusted[few], site.to_bone_mm, site.spacing_mm)


def _missing_voxels(coarse: Array, site: Site, lost: Array) -> int:
    """Voxels below the bridge that are no bone, in the mass, just under it, or by the loss."""
    spacing = np.asarray(site.spacing_mm)
    near = (site.to_mass_mm < PIT_REACH_MM) & (site.to_bone_mm < PIT_REACH_MM)
    voxels = np.argwhere(near & ~site.bone)
    above = np.nan_to_num(coarse, nan=NEAR_MM)
    height = ndimage.map_coordinates(above, (voxels * (spacing / COARSE_MM)).T, order=1)
    voxels = voxels[height < -SHALLOW_MM]
    beside = site.to_mass_mm[tuple(voxels.T)] < GAP_MM
    return int(np.count_nonzero(beside | ~far_from(voxels * spacing, lost, GAP_MM)))


def _sampled(bridge: Bridge, site: Site, near: Site, box: Box) -> NDArray[np.float32]:
    """The bridge on the native grid in a box of the site."""
    to_coarse = np.asarray(site.spacing_mm) / COARSE_MM
    fine = ndimage.affine_transform(
        np.nan_to_num(_on_coarse_grid(bridge, site, COARSE_MM), nan=NEAR_MM),
        to_coarse,
        offset=to_coarse * [extent.start for extent in box],
        output_shape=near.mass.shape,
        order=1,
        mode="nearest",
    )
    return np.asarray(fine, dtype=np.float32)


def _on_coarse_grid(bridge: Bridge, site: Site, reach_mm: float) -> Array:
    """The bridge so far around the mass, near bone; NaN elsewhere."""
    spacing = np.asarray(site.spacing_mm)
    extent = np.asarray(site.mass.shape) * spacing
    nodes = np.meshgrid(*[np.arange(0, e + COARSE_MM, COARSE_MM) for e in extent], indexing="ij")
    index = tuple(
        np.minimum(np.round(node / step).astype(int), size - 1)
        for node, step, size in zip(nodes, spacing, site.mass.shape, strict=True)
    )
    close = (site.to_bone_mm[index] < NEAR_MM / 2) & (site.to_mass_mm[index] < reach_mm)
    needed = grown(close, 2)
    coarse = np.full(nodes[0].shape, np.nan)
    coarse[needed] = bridge(np.stack([node[needed] for node in nodes], axis=1))
    return coarse
