"""Drawing a mass into a real scan: its anatomy, noise and resolution stay."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from calcinosis.errors import InputError
from calcinosis.phantom.appearance import (
    METAL_HU,
    blur_sigma_mm,
    body_mask,
    bone_mask,
    noise_model,
    signed_distance_mm,
)
from calcinosis.phantom.drawing import DrawnMass, Surroundings, draw_mass, fit_volume
from calcinosis.phantom.grid import Box, Float, Grid
from calcinosis.phantom.labels import LabelMaps
from calcinosis.phantom.masses import Contact, MassOptions, Style, Texture, plan_mass, radius_mm
from calcinosis.phantom.placement import find_room, pit_towards_bone, place_mass
from calcinosis.phantom.shapes import Point, as_point
from calcinosis.phantom.truth import Truth
from calcinosis.volume import Volume

COARSE_MM = 3.0
MARGIN_MM = 30.0  # around the mass: room to see whole bones and their marrow
BONE_REACH_MM = 8.0


def insert_mass(  # noqa: PLR0913  # what may be asked of a mass, by keyword only
    volume: Volume,
    *,
    seed: int,
    near_bone: Contact | None = None,
    centre_lps_mm: Point | None = None,
    volume_ml: float | None = None,
    texture: Texture | None = None,
    style: Style = "packed",
    erosion_mm: float = 0.0,
    avoid: NDArray[np.bool_] | None = None,
) -> tuple[Volume, Truth]:
    """Draw one mass into soft tissue.

    Args:
        volume: a CT; not changed.
        seed: the same seed draws the same mass.
        near_bone: "apart" (≥ 4 mm), "touching", or None for either; with a pit, touching.
        centre_lps_mm: where; None finds a place.
        volume_ml: envelope aimed at; None: 3–150 mL.
        texture: what fills it; None leaves it to the seed.
        style: which generator draws it.
        erosion_mm: depth of the pit in the bone it touches.
        avoid: voxels to stay away from, shape of the volume.

    Returns:
        The new volume, and the truth on its grid; `skeleton` holds bone seen near the mass.

    Raises:
        InputError: no soft tissue has room for it.
    """
    rng = np.random.default_rng([seed, 71])
    contact: Contact = near_bone or ("apart", "touching")[rng.integers(2)]
    if erosion_mm and near_bone is None:
        contact = "touching"
    size_ml = volume_ml or float(np.exp(rng.uniform(np.log(3), np.log(150))))
    if centre_lps_mm is None:
        centre_lps_mm = _find_place(volume, contact, radius_mm(size_ml), avoid, rng)
    box = _box_around(volume, centre_lps_mm, radius_mm(size_ml) * 1.6 + MARGIN_MM)
    scene = _look(volume, box)
    options = MassOptions(size_ml, contact, texture=texture, style=style, erosion_mm=erosion_mm)
    plan = plan_mass(
        options,
        centre=centre_lps_mm,
        volume_ml=size_ml,
        gravity_lps=volume.gravity_lps,
        rng=rng,
    )
    pit = None
    if erosion_mm:
        pit = pit_towards_bone(scene.around, centre_lps_mm, radius_mm(size_ml), erosion_mm, rng)
    plan = fit_volume(plan, scene.around, pit)
    labels = LabelMaps.empty(scene.around.grid.shape)
    drawn = draw_mass(plan, scene.around, ids=labels.next_ids(), pit=pit)
    if drawn is None:
        raise InputError(f"the scan holds no tissue at {centre_lps_mm}; expected a place inside it")
    labels.add(drawn, drawn.truth)
    voxels = volume.voxels.copy()
    voxels[box] = _compose(scene, drawn, rng)
    skeleton = (scene.around.bone_distance_mm < 0) & (labels.erosion == 0)
    truth = _onto(volume.shape, box, labels.truth(skeleton, (), as_point(volume.gravity_lps)))
    return replace(volume, voxels=voxels), truth


@dataclass(frozen=True, eq=False)
class _Scene:
    """A block of the scan and what is seen in it."""

    hu: Float
    around: Surroundings


def _look(volume: Volume, box: Box) -> _Scene:
    part = volume.crop(box)
    hu = part.voxels.astype(np.float32)
    grid = Grid(part.shape, part.affine)
    body = body_mask(hu, grid.voxel_ml)
    bone = signed_distance_mm(bone_mask(hu, grid.spacing_mm), grid.spacing_mm)
    around = Surroundings(
        grid=grid,
        bone_distance_mm=np.minimum(bone, np.float32(BONE_REACH_MM)),
        body_distance_mm=signed_distance_mm(body & (hu > -400), grid.spacing_mm),
        gravity_lps=volume.gravity_lps,
    )
    return _Scene(hu, around)


def _find_place(
    volume: Volume,
    contact: Contact,
    radius: float,
    avoid: NDArray[np.bool_] | None,
    rng: np.random.Generator,
) -> Point:
    """Look for room on a copy of about `COARSE_MM`; gas and metal are kept at a distance."""
    spacing = np.asarray(volume.spacing_mm)
    step = np.maximum(1, np.floor(COARSE_MM / spacing)).astype(int)
    thin = tuple(slice(int(s) // 2, None, int(s)) for s in step)
    smooth = np.maximum(step / 2.5, 1e-3) * (step > 1)
    hu = gaussian_filter(volume.voxels.astype(np.float32), smooth, truncate=2)[thin]
    affine = volume.affine.copy()
    affine[:3, :3] = affine[:3, :3] * step
    affine[:3, 3] = volume.to_lps([s // 2 for s in step])
    grid = Grid((hu.shape[0], hu.shape[1], hu.shape[2]), affine)
    body = body_mask(hu, grid.voxel_ml)
    bone = signed_distance_mm(bone_mask(hu, grid.spacing_mm), grid.spacing_mm)
    distance = [
        signed_distance_mm(unwanted, grid.spacing_mm) < reach
        for unwanted, reach in ((body & (hu < -350), 4.0), (hu > METAL_HU, 12.0))
        if unwanted.any()
    ]
    taken = np.logical_or.reduce([np.zeros(hu.shape, np.bool_), *distance])
    if avoid is not None:
        taken |= avoid[thin]
    around = Surroundings(grid, bone, signed_distance_mm(body, grid.spacing_mm), volume.gravity_lps)
    return place_mass(
        find_room(around, taken), radius_mm=radius, contact=contact, near_lps_mm=None, rng=rng
    )


def _box_around(volume: Volume, centre: Point, reach_mm: float) -> Box:
    c = np.asarray(centre)
    box = Grid(volume.shape, volume.affine).box(c - reach_mm, c + reach_mm)
    if box is None:
        raise InputError(f"{centre} lies outside the scan")
    return box


def _compose(scene: _Scene, drawn: DrawnMass, rng: np.random.Generator) -> NDArray[np.int16]:
    """Exchange tissue for mass.

    The scan is taken apart into tissue (smooth, bone left out) and the rest: noise, fine
    structure, the blurred flank of bone. The mass, blurred as the scan blurs, replaces the tissue.
    The rest stays near bone; deep in the mass noise of the same grain and strength takes its place.
    """
    hu, spacing = scene.hu, scene.around.grid.spacing_mm
    bone_mm = scene.around.bone_distance_mm
    fraction, amount = np.zeros_like(hu), np.zeros_like(hu)
    fraction[drawn.box] = drawn.fraction
    amount[drawn.box] = drawn.fraction * drawn.attenuation_hu
    sigma = np.sqrt(np.maximum(blur_sigma_mm(hu, spacing) ** 2 - spacing**2 / 12, 0)) / spacing
    fraction, amount = (gaussian_filter(a, sigma, truncate=3) for a in (fraction, amount))
    eroded = np.zeros_like(hu)
    eroded[drawn.box] = drawn.eroded_fraction
    soft = (np.abs(hu) < 350) & (bone_mm > 1.0)
    tissue = _smooth_within(hu, soft, 2.0 / spacing)
    gone = gaussian_filter(eroded, sigma, truncate=3)
    tissue += np.clip(gone * 1.5, 0, 1) * (hu - tissue)  # eaten bone goes with all its density
    rest = hu - tissue
    model = noise_model(hu, (hu > -180) & (hu < 160) & (bone_mm > 3), float(spacing[1]))
    away = np.clip((bone_mm - 1.5) / 2.5, 0, 1)
    swapped = np.clip(fraction, 0, 1) * np.maximum(away, np.clip(gone, 0, 1))
    grain = model.sample((hu.shape[0], hu.shape[1], hu.shape[2]), rng)
    rest = rest * (1 - swapped) + grain * np.sqrt(np.maximum(1 - (1 - swapped) ** 2, 0))
    mixed = tissue * (1 - fraction) + amount + rest
    changed = fraction > 1e-3
    return np.where(changed, np.clip(np.rint(mixed), -1024, 32767), hu).astype(np.int16)


def _smooth_within(hu: Float, mask: NDArray[np.bool_], sigma: NDArray[np.float64]) -> Float:
    """Gaussian mean over the mask alone; reaches into what it leaves out."""
    weight = gaussian_filter(mask.astype(np.float32), sigma, truncate=3)
    total = gaussian_filter(np.where(mask, hu, 0), sigma, truncate=3)
    wide_weight = gaussian_filter(mask.astype(np.float32), 3 * sigma) + np.float32(1e-4)
    wide = gaussian_filter(np.where(mask, hu, 0), 3 * sigma) / wide_weight
    near = weight > 0.05
    return np.asarray(np.where(near, total / np.maximum(weight, 1e-4), wide), np.float32)


def _onto(shape: tuple[int, int, int], box: Box, truth: Truth) -> Truth:
    """The block's masks on the whole scan's grid."""
    masks: dict[str, Any] = {}
    for name in ("envelope", "locules", "levels", "erosion", "skeleton"):
        part = getattr(truth, name)
        masks[name] = np.zeros(shape, part.dtype)
        masks[name][box] = part
    return replace(truth, **masks)
