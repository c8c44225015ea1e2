"""A phantom with one mass, or the block around it alone: a fraction of the body's cost."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.phantom.anatomy import build_anatomy
from calcinosis.phantom.grid import Grid
from calcinosis.phantom.labels import LabelMaps
from calcinosis.phantom.masses import MassOptions, radius_mm
from calcinosis.phantom.patient import (
    PhantomOptions,
    add_mass,
    find_sites,
    make_phantom,
    scan_body,
    scan_grid,
)
from calcinosis.phantom.tissue import fill_body
from calcinosis.phantom.truth import Truth
from calcinosis.volume import GRAVITY_LPS, Volume


@dataclass(frozen=True, eq=False)
class Block:
    """A scan and what it holds; `segmented` is the envelope as a segmentation gives it.

    `imperfection` says how far that is from the truth, or names the real scan it was drawn into.
    """

    volume: Volume
    truth: Truth
    segmented: NDArray[np.bool_]
    imperfection: str


def draw_block(
    seed: int,
    mass: MassOptions,
    margin_mm: float = 18.0,
    pixels_mm: tuple[float, float] = (0.4, 1.0),
) -> Block:
    """Anatomy, position, spacing (slices 0.5–3 mm, pixels between two), noise, kernel by seed."""
    rng = np.random.default_rng([seed, 77])
    options = _options(seed, mass, rng, pixels_mm)
    anatomy = build_anatomy(options.anatomy, np.random.default_rng([seed, 1]))
    gravity = np.asarray(GRAVITY_LPS[options.patient_position])
    coarse = scan_grid(replace(options, pixel_mm=4.0, slice_spacing_mm=4.0), anatomy)
    site = find_sites(options, anatomy, coarse, gravity, rng)[0]
    reach = radius_mm(site.volume_ml) * 1.6 + margin_mm
    axes = scan_grid(replace(options, pixel_mm=4.0, slice_spacing_mm=4.0), anatomy).affine[:3, :3]
    steps = np.array([options.slice_spacing_mm, options.pixel_mm, options.pixel_mm])
    affine = np.eye(4)
    affine[:3, :3] = axes / 4.0 * steps
    size = np.ceil(2 * reach / steps).astype(int)
    affine[:3, 3] = np.asarray(site.centre) - affine[:3, :3] @ (size / 2)
    grid = Grid((int(size[0]), int(size[1]), int(size[2])), affine)
    tissue = fill_body(anatomy, grid, bone_density=0.8, bulges=(site.bulge(),), rng=rng)
    labels = LabelMaps.empty(grid.shape)
    add_mass(site, options, tissue, labels, gravity, rng)
    volume = Volume(scan_body(tissue, options, rng), affine, options.patient_position)
    x, y, z = gravity
    truth = labels.truth(tissue.bone_fraction >= 0.5, (), (float(x), float(y), float(z)))
    segmented, kind = imperfect(truth.envelope > 0, volume, rng)
    return Block(volume, truth, segmented & ~truth.skeleton, kind)


def draw_whole(seed: int, mass: MassOptions) -> Block:
    """The same choices, but the whole body and its other side, in voxels of 0.7 mm and more."""
    rng = np.random.default_rng([seed, 77])
    options = _options(seed, mass, rng, (0.7, 1.0))
    options = replace(options, slice_spacing_mm=max(1.0, options.slice_spacing_mm))
    phantom = make_phantom(options)
    truth = phantom.truth
    segmented, kind = imperfect(truth.envelope > 0, phantom.volume, rng)
    return Block(phantom.volume, truth, segmented & ~truth.skeleton, kind)


def _options(
    seed: int, mass: MassOptions, rng: np.random.Generator, pixels_mm: tuple[float, float]
) -> PhantomOptions:
    return PhantomOptions(
        seed=seed,
        anatomy=str(rng.choice(["hips", "knees", "shoulders"])),  # type: ignore[arg-type]
        masses=(mass,),
        decoys=(),
        patient_position=str(rng.choice(list(GRAVITY_LPS))),
        pixel_mm=float(rng.uniform(*pixels_mm)),
        slice_spacing_mm=float(rng.uniform(0.5, 3.0)),
        noise_hu=float(rng.uniform(10, 30)),
        kernel=str(rng.choice(["soft", "standard", "sharp"])),  # type: ignore[arg-type]
        rotation_deg=float(rng.choice([0, 0, 15])),
    )


def imperfect(
    envelope: NDArray[np.bool_], volume: Volume, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], str]:
    """The envelope exact, thinned, without its fluid halves, or ragged by about 1 mm."""
    kind = str(rng.choice(["exact", "thinned", "dense only", "ragged"]))
    spacing = volume.spacing_mm
    if kind == "thinned":
        return ndimage.distance_transform_edt(envelope, sampling=spacing) > 1.0, kind
    if kind == "dense only":
        smooth = ndimage.gaussian_filter(volume.voxels.astype(np.float32), 1.0)
        return ndimage.binary_opening(envelope & (smooth > 130)), kind
    if kind == "ragged":
        distance = ndimage.distance_transform_edt(envelope, sampling=spacing)
        distance -= ndimage.distance_transform_edt(~envelope, sampling=spacing)
        noise = ndimage.gaussian_filter(rng.normal(size=envelope.shape), [3 / s for s in spacing])
        return distance > noise / noise.std(), kind
    return envelope, kind
