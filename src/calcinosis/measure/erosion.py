"""How a mass lies to bone: distance, contact, and the defect it has pressed or eaten into cortex.

A natural hollow keeps a dense line of cortex towards the mass; an eroded bone has lost it. Where
the line is lost, the expected surface is the bone's own smooth continuation: what surrounds the
loss is bridged (`bone_surface`). What the bone lacks below the bridge is the defect, also where the
envelope lacks the soft part of the mass in it: lost cortex is followed from the mass down the pit.

Where the other side of the body is in the picture and fits, it tells better what was there
(`mirror_side`, `mirror_defect`): it goes before all this. Beside the program's own cut of mass from
bone more is asked (`own_cut`).
"""

from dataclasses import replace

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from calcinosis.measure.bone_continuation import (
    COARSE_MM,
    LOST_SHARE,
    NEAR_MM,
    PATCH_GAP_MM,
    SPARE_MM,
    SURFACE_POINTS_MIN,
    around_contact,
    expected_surface,
    on_coarse_grid,
    usual_cortex_hu,
)
from calcinosis.measure.bone_site import (
    CONTACT_GAP_MM,
    Site,
    box_around,
    contact_mm2,
    distance_far_mm,
    filled,
    gap_mm,
    hides_contact,
    site_of,
)
from calcinosis.measure.bone_surface import (
    SurfacePoints,
    crossings,
    far_from,
    patches,
    surface_points,
)
from calcinosis.measure.masks import places, rim
from calcinosis.measure.mass import CONTINUATION, MIRROR, BoneRelation
from calcinosis.measure.mirror_defect import defect_against
from calcinosis.measure.mirror_side import Body, MirrorSide, find_mirror_side
from calcinosis.measure.own_cut import CUT_ROUNDED_MM, cortex_beside_cut
from calcinosis.volume import Volume

Array = NDArray[np.float64]

LOST_AREA_MIN_MM2 = 6.0
FAINT_AROUND_MAX = 0.25  # where so much of the cortex around is faint too, it tells nothing
BESIDE_MM = 3.0  # surface this close to the loss may be the wall of the defect
FAR_MM = 12.0  # so may covered surface this close to it
PIT_REACH_MM = 12.0  # lost cortex hangs together up to here from the mass
GAP_MM = 3.0  # an envelope may stop this far above the floor of the defect
EROSION_MIN_MM = 2.0  # shallower defects are within the spread of the method (docs/accuracy.md)
ACROSS_MM = 4.0  # this near a bone an outline may lack the soft part of a mass in a pit
# So much may it stop short of the part of a pit that shows. Of 20 intact contacts that read whole
# (phantoms 4000 to 4022, even; drawn 20 to 26 into two scans, 38 and 40 into one) none was called
# for looking so far; one that stays open would be, so only what reads whole is looked at again.
SHORT_MM = 2.5
SURFACE_POINTS = 400
SLOPE_MIN = 0.75  # where a bridge rises by less than this per mm, two surfaces lie close together
DEEPEST_PERCENT = 99  # depth: this share of the surface that lost its cortex is shallower
# Beside an own cut every draw of points of the bone around must show the loss: of six pits called
# five were by eight of eight draws, one by five, of five intact contacts none by more than six.
DRAWS = 5
SHALLOW_MM = 0.5  # volume: shallower is surface roughness


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
        any bone in the image, and 0 without contact where both meet across thick slices. Erosion
        is judged where mass and bone touch, and, by the other side alone, where an own cut parts
        them by less than `ACROSS_MM`; it is None in such slices, where too little
        surface surrounds the contact, or its cortex is too faint to be missed, or bone is missing
        that the program's own cut may have taken. Beside an own cut the volume is the least that
        is sure.
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
    if distance >= max(CONTACT_GAP_MM + max(volume.spacing_mm), ACROSS_MM):
        return apart(distance)
    site = site_of(volume.crop(box), mass, bone)
    contact = contact_mm2(site)
    if contact == 0.0:
        across = distance == 0.0 and hides_contact(volume.spacing_mm)
        told = BoneRelation(None, 0.0, 0.0, None, None, None) if across else apart(distance)
        return _across_gap(told, volume.crop(box), site, body) if own_cut and body else told
    points = _surface(site)
    touching = BoneRelation(None, distance, contact, None, None, None)
    side = find_mirror_side(body, volume.crop(box), site, points) if body else None
    return _judged(touching, site, points, side, own_cut=own_cut)


def _surface(site: Site) -> SurfacePoints:
    """The bone's surface around the mass."""
    return surface_points(
        site.hu, site.to_bone_mm, site.to_mass_mm, site.spacing_mm, reach_mm=NEAR_MM
    )


def _across_gap(told: BoneRelation, crop: Volume, site: Site, body: Body) -> BoneRelation:
    """Erosion where the outline stops short of bone that the other side shows to be lost."""
    closer = _closer(site, told.distance_mm or 0.0)
    side = find_mirror_side(body, crop, closer, _surface(closer))
    defect = defect_against(closer, side, own_cut=True) if side else None
    return _with_defect(told, defect, MIRROR) if defect and defect[0] >= EROSION_MIN_MM else told


def _judged(
    touching: BoneRelation,
    site: Site,
    points: SurfacePoints,
    side: MirrorSide | None,
    *,
    own_cut: bool,
) -> BoneRelation:
    """Erosion by the other side where that decides, else by the bone's own continuation."""
    against = _against(site, side, own_cut=own_cut) if side else None
    if against and not 0 < against[0] < EROSION_MIN_MM:
        return _with_defect(touching, against, MIRROR)
    seen = _worst(
        [_by_continuation(touching, site, bone, own_cut=own_cut) for bone in _bones(site, points)]
    )
    return touching if own_cut and side and seen.eroded is False else seen  # the sides differ


def _against(site: Site, side: MirrorSide, *, own_cut: bool) -> tuple[float, float] | None:
    """The defect; beside an own cut also where the outline stops a little short of it."""
    defect = defect_against(site, side, own_cut=own_cut)
    if not own_cut or not defect or defect[0] > 0:
        return defect
    beyond = defect_against(_closer(site, SHORT_MM), side, own_cut=True)
    return beyond if beyond and beyond[0] >= EROSION_MIN_MM else defect


def _closer(site: Site, gap_mm: float) -> Site:
    """As if the mass reached farther by so much."""
    return replace(site, to_mass_mm=np.maximum(site.to_mass_mm - np.float32(gap_mm), 0))


def _bones(site: Site, points: SurfacePoints) -> list[SurfacePoints]:
    """The points of each bone that the mass touches, but splinters: none continues in another."""
    number = cc3d.connected_components(site.bone, connectivity=6)[tuple(points.voxels.T)]
    near = points.to_mass_mm < CONTACT_GAP_MM + max(site.spacing_mm)
    touched = [points[number == bone] for bone in np.unique(number[near])]
    return [bone for bone in touched if len(bone) >= SURFACE_POINTS_MIN] or [points]


def _worst(bones: list[BoneRelation]) -> BoneRelation:
    """Of several bones the one that is eroded most; else one that may be."""
    return max(bones, key=lambda bone: (bone.eroded is not False, bone.erosion_depth_mm or 0.0))


def _by_continuation(
    touching: BoneRelation, site: Site, points: SurfacePoints, *, own_cut: bool
) -> BoneRelation:
    """Erosion of one bone by its own continuation."""
    if not own_cut:
        return _with_defect(touching, _defect(site, points))
    seen = _beside_own_cut(site, points, touching)
    if not seen.eroded:
        return seen
    others = [_beside_own_cut(site, points, touching, draw) for draw in range(1, DRAWS)]
    return seen if all(other.eroded for other in others) else touching


def apart(distance_mm: float) -> BoneRelation:
    """A mass that touches no bone."""
    return BoneRelation(None, distance_mm, 0.0, 0.0, 0.0, eroded=False)


def _beside_own_cut(
    site: Site, points: SurfacePoints, touching: BoneRelation, draw: int = 0
) -> BoneRelation:
    """Erosion only where lost cortex proves it, none only where cortex is unbroken; else open.

    The bone that the cut has left must show the defect, too.
    """
    cortex, defect = cortex_beside_cut(site, points, draw), _defect(site, points, draw)
    if not cortex or not defect:
        return touching
    depth_mm, volume_ml = defect
    deep = depth_mm >= EROSION_MIN_MM
    if deep and cortex.lost():
        return _with_defect(touching, (depth_mm + CUT_ROUNDED_MM, volume_ml))
    if cortex.unbroken(deep=deep):
        return _with_defect(touching, (0.0, 0.0) if deep else defect)
    return touching


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


def _defect(site: Site, points: SurfacePoints, draw: int = 0) -> tuple[float, float] | None:
    """Depth (mm) and volume (mL) of what is missing under lost cortex; None: cannot tell."""
    usual_hu = usual_cortex_hu(points)
    if usual_hu is None:
        return None
    faint = (points.cortex_hu < LOST_SHARE * usual_hu) & ~points.beside_air
    if np.mean(faint[around_contact(points)]) > FAINT_AROUND_MAX:
        return None
    voxel_mm3 = float(np.prod(site.spacing_mm))
    fewest = LOST_AREA_MIN_MM2 * max(site.spacing_mm) / voxel_mm3
    lost = _grown_loss(points, faint, fewest, PATCH_GAP_MM + max(site.spacing_mm))
    if not lost.any():
        return 0.0, 0.0
    trusted = _trusted(points, faint)
    if np.count_nonzero(trusted) < SURFACE_POINTS_MIN:
        return None
    bridge = expected_surface(site, points[trusted], SURFACE_POINTS, draw)
    gone = points.places[lost]
    below = gone[bridge(gone) < 0]
    coarse = on_coarse_grid(bridge, site, PIT_REACH_MM)
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


def _trusted(points: SurfacePoints, lost: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Points that still lie where the bone's surface was: away from lost cortex."""
    gone = points.places[lost]
    free = (points.to_mass_mm > SPARE_MM) & far_from(points.places, gone, BESIDE_MM)
    return np.asarray(free | far_from(points.places, gone, FAR_MM))


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
