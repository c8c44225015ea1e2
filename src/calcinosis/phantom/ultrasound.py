"""B-mode pictures with known truth: speckle, attenuation, shells and their shadows.

Unresolved scatterers are complex white noise along beams, weighted by how strongly a tissue
scatters and blurred by a pulse that widens away from the focus: the envelope is fully developed
speckle (Rayleigh; Wagner et al. 1983, doi:10.1109/T-SU.1983.31404). Smooth surfaces add echoes that
fade as they turn from the beam. Along each beam echoes are weakened by all that lies before them.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Kind = Literal["shelled", "cyst", "solid", "abscess", "node", "bone", "none"]

# Attenuation, dB/cm at 1 MHz and taken in proportion to frequency: doi:10.3390/diagnostics13050855
# table 4 (adipose tissue, skeletal muscle across its fibres, skin, connective tissue, bone, blood
# for fluids rich in protein).
SKIN_DB, FAT_DB, MUSCLE_DB, FASCIA_DB, BONE_DB, FLUID_DB = 0.35, 0.63, 0.96, 1.57, 15.0, 0.15
TGC_DB = 0.7  # per cm, MHz and way: what a machine makes good; between fat and muscle
SAMPLE_MM = 0.1  # along a beam
BEAMS = 224
NOTHING_DB = -60.0


@dataclass(frozen=True)
class Recipe:
    """What to draw; what is left open the seed decides.

    Attributes:
        kind: what lies at the middle; none: tissue alone, bone: a bone's surface.
        convex: a fan from a curved probe, else straight beams.
        frequency_mhz: of the pulse.
        depth_mm: that the picture shows.
        range_db: from black to white.
        gain_db: added to all.
        shell_share: of the rim that is calcified, where shelled.
        shell_loss_db: that the shell takes on the way there and back, for each crossing.
        locules: of what is shelled.
        fluid_db: echoes of the fluid against muscle.
        layered: whether chalk has settled in the locules.
        radius_mm: of the whole, about.
    """

    kind: Kind = "shelled"
    convex: bool = False
    frequency_mhz: float = 9.0
    depth_mm: float = 50.0
    range_db: float = 60.0
    gain_db: float = 0.0
    shell_share: float = 1.0
    shell_loss_db: float = 12.0
    locules: int = 4
    fluid_db: float = -45.0
    layered: bool = False
    radius_mm: float = 11.0


@dataclass(frozen=True, eq=False)
class Sonograph:
    """A picture and its truth.

    Attributes:
        grey: uint8 [row, column].
        pixel_mm: side of a pixel.
        sector: what the probe sees.
        mass: the whole of what was drawn, shell and all; empty where nothing was.
        locules: drawn.
        at: (row, column) in it, or of the place where nothing is.
        apex: (row, column) where the beams meet; None: they run straight down.
    """

    grey: NDArray[np.uint8]
    pixel_mm: float
    sector: Mask
    mass: Mask
    locules: int
    at: tuple[int, int]
    apex: tuple[float, float] | None


@dataclass(frozen=True)
class _Probe:
    """Where beams run: x to the right and z into depth (mm), [sample, beam]."""

    convex: bool
    depth_mm: float
    radius_mm: float = 45.0
    half_width_mm: float = 22.0
    half_angle: float = 0.55

    @cached_property
    def depths(self) -> Array:
        return np.arange(0, self.depth_mm, SAMPLE_MM)

    @cached_property
    def places(self) -> tuple[Array, Array]:
        if not self.convex:
            x, z = np.meshgrid(np.linspace(-1, 1, BEAMS) * self.half_width_mm, self.depths)
            return x, z
        angle, radius = np.meshgrid(
            np.linspace(-1, 1, BEAMS) * self.half_angle, self.radius_mm + self.depths
        )
        return radius * np.sin(angle), radius * np.cos(angle) - self.radius_mm

    def index(self, x: Array, z: Array) -> tuple[Array, Array]:
        """Sample and beam of places."""
        if not self.convex:
            return z / SAMPLE_MM, (x / self.half_width_mm + 1) * (BEAMS - 1) / 2
        radius = np.hypot(x, z + self.radius_mm) - self.radius_mm
        angle = np.arctan2(x, z + self.radius_mm)
        return radius / SAMPLE_MM, (angle / self.half_angle + 1) * (BEAMS - 1) / 2


@dataclass
class _Scene:
    """What lies where along the beams, [sample, beam]: dB against muscle, dB of loss per sample."""

    scatter_db: Array
    loss_db: Array
    surface_db: Array

    def put(self, where: Mask, scatter_db: float, loss_db_cm: float) -> None:
        self.scatter_db[where] = scatter_db
        self.surface_db[where] = NOTHING_DB
        self.loss_db[where] = 2 * loss_db_cm * SAMPLE_MM / 10


def random_recipe(seed: int, kind: Kind | None = None) -> Recipe:
    """One of all that may come, with settings as machines have them."""
    rng = np.random.default_rng(seed)
    kinds: tuple[Kind, ...] = ("shelled", "shelled", "cyst", "solid", "abscess", "node", "bone")
    convex = bool(rng.random() < 0.4)
    chosen = kinds[int(rng.integers(len(kinds)))]
    return Recipe(
        kind=kind or chosen,
        convex=convex,
        frequency_mhz=float(rng.uniform(3, 5) if convex else rng.uniform(6, 13)),
        depth_mm=float(rng.uniform(70, 110) if convex else rng.uniform(38, 55)),
        range_db=float(rng.uniform(40, 80)),
        gain_db=float(rng.uniform(-6, 6)),
        shell_share=float(rng.uniform(0.6, 1.0)),
        shell_loss_db=float(rng.uniform(4, 25)),
        locules=int(rng.integers(1, 8)),
        fluid_db=float(rng.choice([rng.uniform(-50, -30), rng.uniform(-20, -3)], p=[0.7, 0.3])),
        layered=bool(rng.random() < 0.3),
        radius_mm=float(rng.uniform(9, 22) if convex else rng.uniform(6, 12)),
    )


def draw(recipe: Recipe, seed: int = 0, pixel_mm: float | None = None) -> Sonograph:
    """Draw a picture."""
    rng = np.random.default_rng(seed)
    probe = _Probe(recipe.convex, recipe.depth_mm)
    x, z = probe.places
    scene = _tissue(recipe, x, z, rng)
    centre = np.array([rng.uniform(-4, 4), recipe.depth_mm * rng.uniform(0.36, 0.48)])
    shape = _shape(recipe, centre, rng)
    inside = _put(recipe, scene, shape, x, z, rng)
    grey = _seen(recipe, scene, rng)
    return _converted(recipe, probe, grey, inside, shape, pixel_mm or recipe.depth_mm / 460)


def _tissue(recipe: Recipe, x: Array, z: Array, rng: np.random.Generator) -> _Scene:
    """Skin, fat with septa, muscle with fibres; each layer wavy."""
    f = recipe.frequency_mhz
    scene = _Scene(*(np.full(x.shape, value) for value in (0.0, 0.0, NOTHING_DB)))
    wave = rng.uniform(0.5, 1.5) * np.sin(x / rng.uniform(6, 15) + rng.uniform(0, 6))
    fat_from, muscle_from = rng.uniform(1.5, 2.5), recipe.depth_mm * rng.uniform(0.1, 0.25)
    second = recipe.depth_mm * rng.uniform(0.6, 0.8) + rng.uniform(-0.1, 0.1) * x
    scene.put(z >= 0, 4.0, SKIN_DB * f)
    scene.put(z > fat_from, rng.uniform(-6, 0), FAT_DB * f)
    scene.put(z > muscle_from + wave, 0.0, MUSCLE_DB * f)
    scene.put(z > second + wave, rng.uniform(-3, 3), MUSCLE_DB * f)
    for depth in (muscle_from + wave, second + wave):
        scene.put(np.abs(z - depth) < 0.4, 5.0, FASCIA_DB * f)
        _surface(scene, z - depth, 14.0)
    for _ in range(int(rng.integers(3, 9))):  # septa of fat, fibres of muscle
        depth = rng.uniform(fat_from, recipe.depth_mm) + rng.uniform(-0.15, 0.15) * x
        part = np.abs(x - rng.uniform(-20, 20)) < rng.uniform(3, 20)
        _surface(scene, np.where(part, z - depth, 99.0), rng.uniform(4, 12))
    scene.scatter_db += rng.uniform(1, 2) * _blotches(x.shape, rng)
    return scene


def _blotches(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Slow changes of tissue, of unit standard deviation."""
    field = gaussian_filter(rng.normal(size=shape), (50, 20))
    return np.asarray(field / field.std())


def _surface(scene: _Scene, distance: Array, strength_db: float) -> None:
    """A smooth surface at distance 0: its echo fades as it turns from the beam."""
    down, right = np.gradient(distance)
    norm = np.hypot(down, right) + 1e-9
    facing = np.abs(down) / norm  # in samples, so flatter than it looks: the pulse is wide
    thin = np.abs(distance) < 0.12
    echo = strength_db + 30 * np.log10(np.maximum(facing, 0.05))
    scene.surface_db = np.where(thin, np.maximum(scene.surface_db, echo), scene.surface_db)


@dataclass(frozen=True)
class _Shape:
    """Balls whose union is the mass: their centres (x, z) and radii, mm."""

    centres: Array
    radii: Array

    def distance(self, x: Array, z: Array) -> Array:
        """To the surface of each, negative inside, [ball, ...]."""
        flat = [
            np.hypot(x - c[0], z - c[1]) - r for c, r in zip(self.centres, self.radii, strict=True)
        ]
        return np.stack(flat)


def _shape(recipe: Recipe, centre: Array, rng: np.random.Generator) -> _Shape:
    count = recipe.locules if recipe.kind == "shelled" else 1
    if recipe.kind in ("solid", "abscess", "node"):
        count = int(rng.integers(2, 4))
    size = recipe.radius_mm / (1 + 0.45 * (count - 1) ** 0.6)
    centres = [centre]
    while len(centres) < count:
        from_ = centres[int(rng.integers(len(centres)))]
        angle = rng.uniform(0, 2 * np.pi)
        step = 1.5 if recipe.kind == "shelled" else 0.6
        new = from_ + size * step * np.array([np.cos(angle), np.sin(angle)])
        near = min(np.hypot(*(new - other)) for other in centres)
        off = abs(new - centre) / (1.2, 0.8)
        if near > 0.8 * size * step and np.hypot(*off) < recipe.radius_mm:
            centres.append(new)
    return _Shape(np.array(centres), size * rng.uniform(0.85, 1.1, len(centres)))


def _put(
    recipe: Recipe, scene: _Scene, shape: _Shape, x: Array, z: Array, rng: np.random.Generator
) -> Mask:
    """Lay the mass into the tissue; what it covers."""
    if recipe.kind == "none":
        return np.zeros(x.shape, np.bool_)
    if recipe.kind == "bone":
        return _put_bone(scene, shape, recipe, x, z)
    each = shape.distance(x, z)
    outer = each.min(axis=0)
    inside = np.asarray(outer < 0)
    f = recipe.frequency_mhz
    if recipe.kind == "shelled":
        _put_shelled(recipe, scene, shape, x, z, rng)
    elif recipe.kind == "cyst":
        scene.put(inside, rng.uniform(-50, -35), FLUID_DB * f)
        _surface(scene, outer, 16.0)
    elif recipe.kind == "abscess":
        scene.put(inside, rng.uniform(-16, -6), 0.3 * f)
        scene.put(inside & (outer > -1.5), rng.uniform(-2, 4), MUSCLE_DB * f)
        scene.scatter_db[inside] += 3 * _blotches(x.shape, rng)[inside]
    else:
        level = rng.uniform(-14, -7)
        scene.put(inside, level, MUSCLE_DB * f)
        if recipe.kind == "node":
            middle = each.max(axis=0) < -0.45 * shape.radii.min()
            scene.put(middle, 2.0, FAT_DB * f)
        scene.scatter_db[inside] += 1.5 * _blotches(x.shape, rng)[inside]
        _surface(scene, outer, 4.0)
    return inside


def _put_shelled(
    recipe: Recipe, scene: _Scene, shape: _Shape, x: Array, z: Array, rng: np.random.Generator
) -> None:
    """Locules of fluid, walls between them, chalk that has settled, a shell around all."""
    each = shape.distance(x, z)
    outer = each.min(axis=0)
    inside, f = outer < 0, recipe.frequency_mhz
    scene.put(inside, recipe.fluid_db, FLUID_DB * f)
    if recipe.layered:
        bottoms = shape.centres[each.argmin(axis=0), 1]
        level = bottoms + rng.uniform(0.1, 0.5) * shape.radii.mean()
        scene.put(inside & (z > level), rng.uniform(0, 8), 3.0 * f)
        _surface(scene, np.where(inside, z - level, 99.0), 8.0)
    ordered = np.sort(each, axis=0)
    if len(each) > 1:
        walls = inside & (ordered[1] - ordered[0] < 0.8) & (ordered[1] < 0)
        scene.put(walls, rng.uniform(2, 8), FASCIA_DB * f)
    thick = rng.uniform(0.6, 1.4)
    around = np.arctan2(z - shape.centres[:, 1].mean(), x - shape.centres[:, 0].mean())
    gaps = np.sin(around * rng.integers(2, 6) + rng.uniform(0, 6))
    shell = inside & (outer > -thick) & (gaps <= np.cos(np.pi * (1 - recipe.shell_share)))
    soft = inside & (outer > -thick) & ~shell
    scene.put(soft, 2.0, MUSCLE_DB * f)
    scene.put(shell, rng.uniform(12, 20), recipe.shell_loss_db / 2 / (thick / 10))
    _surface(scene, np.where(shell, outer + thick / 2, 99.0), rng.uniform(22, 32))


def _put_bone(scene: _Scene, shape: _Shape, recipe: Recipe, x: Array, z: Array) -> Mask:
    """A shaft or a flat surface, with all its shadow."""
    top = shape.centres[0, 1]
    bend = recipe.radius_mm * 6 if recipe.locules % 2 else recipe.radius_mm * 1.3
    distance = np.hypot(x - shape.centres[0, 0], z - top - bend) - bend
    inside = distance < 0
    scene.put(inside, 8.0, BONE_DB * recipe.frequency_mhz)
    _surface(scene, distance, 34.0)
    return np.asarray(inside)


def _seen(recipe: Recipe, scene: _Scene, rng: np.random.Generator) -> Array:
    """Envelope along the beams, compressed to grey levels, [sample, beam]."""
    shape = scene.scatter_db.shape
    amplitude = 10 ** (scene.scatter_db / 20)
    scatter = amplitude * (rng.normal(size=shape) + 1j * rng.normal(size=shape))
    pulse = 1.5 / recipe.frequency_mhz * 0.6 / SAMPLE_MM  # standard deviation, samples
    focus = shape[0] * rng.uniform(0.35, 0.55)
    narrow = 1.4 + recipe.frequency_mhz * 0.04
    bands = [_blurred(scatter, pulse, narrow * wide) for wide in (1.0, 1.6, 2.4)]
    depth = np.arange(shape[0])[:, None]
    which = np.clip(np.abs(depth - focus) / focus * 1.6, 0, 1.999)
    echo = np.zeros(shape, complex)
    for number, band in enumerate(bands):
        echo += np.maximum(1 - np.abs(which - number), 0) * band
    surfaces = 10 ** (scene.surface_db / 20) * np.exp(1j * rng.uniform(0, 2 * np.pi))
    rough = 1 + 0.5 * _blotches((shape[0], shape[1]), rng)
    echo += gaussian_filter(np.abs(surfaces) * rough, (pulse, narrow)) * 1.4
    lost_db = gaussian_filter(np.cumsum(scene.loss_db, axis=0), (0, narrow))
    tgc_db = 2 * TGC_DB * recipe.frequency_mhz * depth * SAMPLE_MM / 10
    tgc_db = np.minimum(tgc_db + _knobs(shape[0], rng)[:, None], 80.0)
    echo *= 10 ** ((tgc_db - lost_db) / 20)
    noise = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    echo += 10 ** ((tgc_db - rng.uniform(85, 105)) / 20) * noise
    echo_db = 20 * np.log10(np.abs(echo) + 1e-9) + recipe.gain_db
    white_db = recipe.range_db * 0.5 + 3  # muscle is a middle grey, whatever the range
    return np.clip((echo_db - white_db + recipe.range_db) / recipe.range_db, 0, 1) * 255


def _blurred(field: NDArray[Any], along: float, across: float) -> Array:
    blurred = np.stack(
        [gaussian_filter(part, (along, across)) for part in (field.real, field.imag)]
    )
    return np.asarray(
        (blurred[0] + 1j * blurred[1])
        / np.sqrt((blurred**2).mean() * 2)
        * np.sqrt((np.abs(field) ** 2).mean() / 2)
    )


def _knobs(samples: int, rng: np.random.Generator) -> Array:
    """Gain by depth as someone set it: eight slides, dB."""
    slides = np.cumsum(rng.normal(0, 1.2, 8))
    at = np.linspace(0, 7, samples)
    return np.asarray(np.interp(at, np.arange(8), slides - slides.mean()))


def _converted(
    recipe: Recipe,
    probe: _Probe,
    grey: Array,
    inside: Mask,
    shape: _Shape,
    pixel_mm: float,
) -> Sonograph:
    """From beams to a picture, black around what the probe sees."""
    half = probe.half_width_mm
    if recipe.convex:
        half = (probe.radius_mm + recipe.depth_mm) * np.sin(probe.half_angle)
    margin = 6
    first = probe.radius_mm * (np.cos(probe.half_angle) - 1) if recipe.convex else 0.0
    rows = int((recipe.depth_mm - first) / pixel_mm) + 2 * margin
    columns = int(2 * half / pixel_mm) + 2 * margin
    z, x = np.mgrid[:rows, :columns].astype(float)
    z, x = (z - margin) * pixel_mm + first, (x - columns / 2) * pixel_mm
    sample, beam = probe.index(x, z)
    sector = (sample >= 0) & (sample <= len(grey) - 1) & (beam >= 0) & (beam <= BEAMS - 1)
    picture = np.where(sector, map_coordinates(grey, [sample, beam], order=1, mode="nearest"), 0)
    mass = sector & (map_coordinates(inside.astype(float), [sample, beam], order=1) > 0.5)
    middle = shape.centres[0]
    if recipe.kind == "bone":
        row, column = (
            (middle[1] + 3 - first) / pixel_mm + margin,
            middle[0] / pixel_mm + columns / 2,
        )
    elif mass.any():
        depth = distance_transform_edt(mass & (np.hypot(x - middle[0], z - middle[1]) < 99))
        row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    else:
        row, column = (middle[1] - first) / pixel_mm + margin, middle[0] / pixel_mm + columns / 2
    apex = (margin - (probe.radius_mm + first) / pixel_mm, columns / 2) if recipe.convex else None
    return Sonograph(
        grey=np.asarray(np.rint(picture), np.uint8),
        pixel_mm=pixel_mm,
        sector=np.asarray(sector),
        mass=np.asarray(mass),
        locules=recipe.locules if recipe.kind == "shelled" else int(recipe.kind == "cyst"),
        at=(int(row), int(column)),
        apex=apex,
    )
