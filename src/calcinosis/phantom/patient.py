"""A whole phantom: anatomy, masses, decoys and scanner from one set of options."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calcinosis.errors import InputError
from calcinosis.phantom.anatomy import ANATOMY_NAMES, Anatomy, AnatomyName, Joint, build_anatomy
from calcinosis.phantom.decoys import DECOY_NAMES, DecoyName, Scene, add_decoys
from calcinosis.phantom.drawing import DrawnMass, Surroundings, draw_mass, fit_volume
from calcinosis.phantom.grid import Grid
from calcinosis.phantom.labels import LabelMaps
from calcinosis.phantom.masses import MassOptions, plan_mass, radius_mm
from calcinosis.phantom.placement import find_room, pit_towards_bone, place_mass
from calcinosis.phantom.scanner import (
    KERNELS,
    METAL_HU,
    KernelName,
    blur,
    digitise,
    noise,
    streaks,
)
from calcinosis.phantom.shapes import Ellipsoid, Point, Shape, as_point
from calcinosis.phantom.tissue import Tissue, fill_body
from calcinosis.phantom.truth import MassTruth, Truth
from calcinosis.volume import GRAVITY_LPS, Volume

MAXIMUM_VOXELS = 400_000_000


@dataclass(frozen=True)
class PhantomOptions:
    """What may be asked of a phantom. The same options give the same bytes.

    Attributes:
        seed: decides everything left open.
        anatomy: hips, knees, shoulders, thorax or arm.
        masses: one entry per mass.
        decoys: kinds of dense things that are no mass.
        patient_position: DICOM patient position; sediment lies accordingly.
        pixel_mm: in-plane spacing; None fits the field of view to `matrix`.
        matrix: pixels per row and column when `pixel_mm` is None.
        slice_spacing_mm: distance between slices.
        slice_thickness_mm: thickness of a slice; None equals the spacing.
        z_range_mm: extent along the body; None takes the anatomy's.
        noise_hu: standard deviation of the noise in soft tissue.
        kernel: reconstruction kernel.
        bone_density: 1 healthy, 0.4 severe osteoporosis; None lets the seed choose.
        rotation_deg: turns the scan's grid about the body axis (oblique images).
    """

    seed: int = 0
    anatomy: AnatomyName = "hips"
    masses: tuple[MassOptions, ...] = (MassOptions(),)
    decoys: tuple[DecoyName, ...] = ("vessel", "phlebolith")
    patient_position: str = "HFS"
    pixel_mm: float | None = None
    matrix: int = 256
    slice_spacing_mm: float = 1.5
    slice_thickness_mm: float | None = None
    z_range_mm: tuple[float, float] | None = None
    noise_hu: float = 15.0
    kernel: KernelName = "standard"
    bone_density: float | None = None
    rotation_deg: float = 0.0

    def __post_init__(self) -> None:
        _one_of("anatomy", self.anatomy, ANATOMY_NAMES)
        _one_of("patient position", self.patient_position, tuple(GRAVITY_LPS))
        _one_of("kernel", self.kernel, tuple(KERNELS))
        for name in self.decoys:
            _one_of("decoy", name, DECOY_NAMES)
        _within("pixel spacing (mm)", self.pixel_mm, 0.3, 5)
        _within("slice spacing (mm)", self.slice_spacing_mm, 0.3, 10)
        _within("slice thickness (mm)", self.slice_thickness_mm, 0.3, 10)
        _within("noise (HU)", self.noise_hu, 0, 100)
        _within("bone density", self.bone_density, 0.2, 1.3)
        _within("matrix", self.matrix, 32, 1024)
        _within("seed", self.seed, 0, 2**63)

    @property
    def thickness_mm(self) -> float:
        """Slice thickness."""
        return self.slice_thickness_mm or self.slice_spacing_mm


@dataclass(frozen=True, eq=False)
class Phantom:
    """A scan and what it really holds."""

    options: PhantomOptions
    volume: Volume
    truth: Truth


def make_phantom(options: PhantomOptions) -> Phantom:
    """Build the patient, draw the masses, scan.

    Raises:
        InputError: the options ask for what does not fit.
    """
    streams = np.random.SeedSequence(options.seed).spawn(5)
    build, texture, masses, decoys, scan = (np.random.default_rng(s) for s in streams)
    anatomy = build_anatomy(options.anatomy, build)
    density = options.bone_density or float(build.uniform(0.45, 1.0))
    grid = scan_grid(options, anatomy)
    gravity = np.asarray(GRAVITY_LPS[options.patient_position])
    sites = find_sites(options, anatomy, grid, gravity, masses)
    tissue = fill_body(
        anatomy, grid, bone_density=density, bulges=tuple(s.bulge() for s in sites), rng=texture
    )
    labels = LabelMaps.empty(grid.shape)
    for site in sites:
        add_mass(site, options, tissue, labels, gravity, masses)
    found = add_decoys(options.decoys, Scene(anatomy, tissue, as_point(gravity), decoys))
    voxels = scan_body(tissue, options, scan)
    return Phantom(
        options=options,
        volume=Volume(voxels, grid.affine, options.patient_position),
        truth=labels.truth(tissue.bone_fraction >= 0.5, found, as_point(gravity)),
    )


def demo_phantom() -> Phantom:
    """A dialysis patient: a multilocular mass with levels at the left hip, vessel decoys."""
    return make_phantom(
        PhantomOptions(
            seed=7,
            masses=(MassOptions(110, "touching", "hip", "left", texture="sedimented"),),
            noise_hu=14,
        )
    )


def scan_grid(options: PhantomOptions, anatomy: Anatomy) -> Grid:
    """The scan's voxels: rows run along gravity, as the patient lies on the table.

    Raises:
        InputError: more voxels than a scanner would give.
    """
    pixel = options.pixel_mm or anatomy.field_mm / options.matrix
    low, high = options.z_range_mm or anatomy.z_range_mm
    if high - low < options.slice_spacing_mm:
        raise InputError(f"the scan's extent is empty: found z from {low} to {high} mm")
    side = round(anatomy.field_mm / pixel)
    slices = max(2, round((high - low) / options.slice_spacing_mm))
    if side * side * slices > MAXIMUM_VOXELS:
        raise InputError(
            f"{slices} × {side} × {side} voxels are too many; expected coarser spacing"
        )
    column = np.asarray(GRAVITY_LPS[options.patient_position])
    row = np.cross(column, [0.0, 0.0, 1.0])
    angle = np.deg2rad(options.rotation_deg)
    row, column = (
        np.cos(angle) * row + np.sin(angle) * column,
        np.cos(angle) * column - np.sin(angle) * row,
    )
    affine = np.eye(4)
    affine[:3, 0] = [0, 0, options.slice_spacing_mm]
    affine[:3, 1], affine[:3, 2] = column * pixel, row * pixel
    affine[:3, 3] = -(column + row) * pixel * (side - 1) / 2 + [0, 0, low]
    return Grid((slices, side, side), affine)


@dataclass(frozen=True)
class Site:
    """Where a mass will grow."""

    options: MassOptions
    joint: Joint | None
    centre: Point
    volume_ml: float

    def bulge(self) -> Shape:
        """The swelling that keeps skin over the mass."""
        radius = radius_mm(self.volume_ml) + 6
        return Ellipsoid(self.centre, (radius, radius, radius))


def find_sites(
    options: PhantomOptions,
    anatomy: Anatomy,
    grid: Grid,
    gravity: NDArray[np.float64],
    rng: np.random.Generator,
) -> tuple[Site, ...]:
    """Choose a place for every mass on a coarse copy of the body."""
    factor = np.maximum(1, np.floor(4.0 / grid.spacing_mm))
    shape = np.maximum(1, np.ceil(np.asarray(grid.shape) / factor)).astype(int)
    affine = grid.affine.copy()
    affine[:3, :3] = affine[:3, :3] * factor
    coarse = Grid((int(shape[0]), int(shape[1]), int(shape[2])), affine)
    tissue = fill_body(
        anatomy, coarse, bone_density=1.0, bulges=(), rng=np.random.default_rng(options.seed)
    )
    avoid = tissue.soft_hu < -200
    around = _surroundings(tissue, gravity)
    sites: list[Site] = []
    for wanted in options.masses:
        volume = wanted.volume_ml or float(np.exp(rng.uniform(np.log(3), np.log(300))))
        contact = wanted.contact or ("apart", "touching")[rng.integers(2)]
        if wanted.erosion_mm:
            contact = "touching"
        joint = _choose_joint(wanted, anatomy, grid, rng)
        radius = radius_mm(volume)
        centre = wanted.centre_lps_mm
        if centre is None:
            near = None if joint is None else (joint.centre, joint.radius_mm + radius + 15)
            centre = place_mass(
                find_room(around, avoid),
                radius_mm=radius,
                contact=contact,
                near_lps_mm=near,
                rng=rng,
            )
        sites.append(Site(replace(wanted, contact=contact), joint, centre, volume))
        ball = Ellipsoid(centre, (radius + 6,) * 3)
        avoid = avoid | (ball.distance(*coarse.coordinates()) < 0)
    return tuple(sites)


def _choose_joint(
    wanted: MassOptions, anatomy: Anatomy, grid: Grid, rng: np.random.Generator
) -> Joint | None:
    if wanted.centre_lps_mm is not None:
        gaps = [np.linalg.norm(np.subtract(j.centre, wanted.centre_lps_mm)) for j in anatomy.joints]
        return anatomy.joints[int(np.argmin(gaps))]
    scanned = [j for j in anatomy.joints if grid.box(j.centre, j.centre) is not None]
    fitting = [
        joint
        for joint in scanned
        if wanted.joint in (None, joint.name) and wanted.side in (None, joint.side)
    ]
    if not fitting and (wanted.joint or wanted.side):
        have = ", ".join(f"{joint.side} {joint.name}" for joint in scanned) or "none"
        raise InputError(
            f"no {wanted.side or ''} {wanted.joint or 'joint'} in this scan; it holds: {have}"
        )
    return fitting[rng.integers(len(fitting))] if fitting else None


def _surroundings(tissue: Tissue, gravity: NDArray[np.float64]) -> Surroundings:
    return Surroundings(tissue.grid, tissue.bone_distance_mm, tissue.body_distance_mm, gravity)


def add_mass(
    site: Site,
    options: PhantomOptions,
    tissue: Tissue,
    labels: LabelMaps,
    gravity: NDArray[np.float64],
    rng: np.random.Generator,
) -> None:
    """Draw one mass into the body and its answers into the label maps."""
    around = _surroundings(tissue, gravity)
    plan = plan_mass(
        site.options, centre=site.centre, volume_ml=site.volume_ml, gravity_lps=gravity, rng=rng
    )
    pit = None
    if site.options.erosion_mm:
        pit = pit_towards_bone(
            around, site.centre, radius_mm(site.volume_ml), site.options.erosion_mm, rng
        )
    plan = fit_volume(plan, around, pit)
    slab = min(1.0, options.thickness_mm / options.slice_spacing_mm)
    drawn = draw_mass(plan, around, ids=labels.next_ids(), pit=pit, slab=slab)
    if drawn is None:
        return
    _compose(tissue, drawn, pit)
    joint = site.joint
    named = _name_bone(drawn.truth, tissue, drawn)
    if joint is not None:
        named = replace(named, joint=joint.name, side=joint.side)
    labels.add(drawn, named)


def _compose(tissue: Tissue, drawn: DrawnMass, pit: Ellipsoid | None) -> None:
    """Bone first gives way where it was eaten; the mass then takes its part of the soft rest."""
    box = drawn.box
    bone = tissue.bone_fraction[box]
    bone[:] = np.maximum(bone - drawn.eroded_fraction, 0)
    if pit is not None:
        hollow = -pit.distance(*tissue.grid.coordinates(box))
        distance = tissue.bone_distance_mm[box]
        np.maximum(distance, hollow, out=distance)
    share = np.clip(drawn.fraction / np.maximum(1 - bone, 0.05), 0, 1)
    soft = tissue.soft_hu[box]
    soft += share * (drawn.attenuation_hu - soft)


def _name_bone(truth: MassTruth, tissue: Tissue, drawn: DrawnMass) -> MassTruth:
    index = tissue.bone_index[drawn.box]
    distance = np.where((index > 0) & drawn.envelope, tissue.bone_distance_mm[drawn.box], np.inf)
    nearest = int(index.flat[distance.argmin()]) if np.isfinite(distance).any() else 0
    name = None
    if nearest:
        bone = tissue.bones[nearest - 1]
        name = f"{bone.side} {bone.name}" if bone.side else bone.name
    erosion = truth.erosion and replace(truth.erosion, bone=name or "")
    return replace(truth, bone=name, erosion=erosion)


def scan_body(
    tissue: Tissue, options: PhantomOptions, rng: np.random.Generator
) -> NDArray[np.int16]:
    """Blur, streak, add noise and digitise."""
    kernel, spacing = KERNELS[options.kernel], tissue.grid.spacing_mm
    hu = tissue.attenuation_hu()
    metal = hu > METAL_HU
    hu = blur(hu, spacing, options.thickness_mm, kernel)
    if metal.any():
        hu += streaks(metal, float(spacing[1]), rng)
    if options.noise_hu:
        grain = noise(tissue.grid.shape, spacing, options.thickness_mm, kernel, rng)
        hu += np.float32(options.noise_hu) * grain
    return digitise(hu)


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(f"{name} {value!r} is unknown; expected one of {', '.join(allowed)}")


def _within(name: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not low <= value <= high:
        raise InputError(f"{name} must lie between {low} and {high}; found {value}")
