"""Masses of plain solids in plain bodies: phantoms that resemble neither other generator.

Balls, clusters, capsules, single cysts and ellipsoids cut by planes lie beside tubes of bone in a
body of muscle and fat. Everything is drawn on a grid twice as fine as the scan, blurred, averaged
and given noise. The envelope is the solids closed with a 3 mm ball, never bone.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import edt
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from calcinosis.phantom.truth import MassTruth, Truth
from calcinosis.volume import Volume

Kind = Literal["ball", "cluster", "cyst", "cysts", "planes", "capsules", "chalk"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Field = NDArray[np.float32]
Mask = NDArray[np.bool_]
BODY_MM = (120.0, 200.0, 220.0)
FINE = 2
CLOSING_MM = 3.0
CALCIFIED_HU = 160.0
MUSCLE_HU, FAT_HU = 52.0, -100.0


@dataclass(frozen=True, eq=False)
class Grid:
    """Coordinates (z, y, x) in mm of the fine grid, to be broadcast; the scan's centre is 0."""

    spacing_mm: tuple[float, float, float]  # of the scan
    shape: tuple[int, int, int]  # of the scan
    axes: list[Field]

    @staticmethod
    def of(spacing_mm: tuple[float, float, float]) -> "Grid":
        """The grid of a body of `BODY_MM`."""
        z, y, x = (int(size / step) for size, step in zip(BODY_MM, spacing_mm, strict=True))
        lines = [
            ((np.arange(n * FINE) + 0.5) / FINE - n / 2) * step
            for n, step in zip((z, y, x), spacing_mm, strict=True)
        ]
        axes = np.meshgrid(*(line.astype(np.float32) for line in lines), indexing="ij", sparse=True)
        return Grid(spacing_mm, (z, y, x), list(axes))

    def ball(self, centre: NDArray[np.float64], radius_mm: float, stretch: Field | float) -> Field:
        """Millimetres from the surface of a ball or ellipsoid, negative inside (about)."""
        widths = np.broadcast_to(stretch, 3)
        squares = [((a - c) / w) ** 2 for a, c, w in zip(self.axes, centre, widths, strict=True)]
        return np.asarray(np.sqrt(sum(squares)) - radius_mm, dtype=np.float32)

    def rod(
        self, middle: NDArray[np.float64], course: Field, half_mm: float, radius_mm: float
    ) -> Field:
        """Millimetres from the surface of a rod with round ends."""
        away = [a - c for a, c in zip(self.axes, middle, strict=True)]
        along = np.clip(sum(a * c for a, c in zip(away, course, strict=True)), -half_mm, half_mm)
        squares = [(a - along * c) ** 2 for a, c in zip(away, course, strict=True)]
        return np.asarray(np.sqrt(sum(squares)) - radius_mm, dtype=np.float32)

    def averaged(self, fine: NDArray[np.generic]) -> Field:
        """Mean over the fine voxels of each of the scan's."""
        z, y, x = self.shape
        blocks = fine.reshape(z, FINE, y, FINE, x, FINE)
        return np.asarray(blocks.mean((1, 3, 5), dtype=np.float32))

    @property
    def fine_mm(self) -> tuple[float, float, float]:
        """Spacing of the fine grid."""
        z, y, x = (step / FINE for step in self.spacing_mm)
        return z, y, x


def plain_phantom(number: int) -> tuple[Volume, Truth]:
    """The phantom of this number; the same number gives the same bytes.

    Returns:
        HU on slices of 0.9–3 mm with noise of 6–28 HU, patient supine; and what it holds.
    """
    rng = np.random.default_rng([12, number])
    kind = KINDS[number % len(KINDS)]
    steps = [(0.9, 0.9, 0.9), (1.25, 0.7, 0.7), (1.5, 0.8, 0.8), (2.0, 0.9, 0.9), (3.0, 0.98, 0.98)]
    grid = Grid.of(steps[rng.integers(len(steps))])
    hu, bone_depth_mm = _body(rng, grid)
    touching = bool(rng.random() < 0.5)
    radius_mm = float(rng.uniform(13, 29))
    centre = _place(rng, grid, bone_depth_mm, radius_mm, touching=touching)
    solids, content = _mass(rng, grid, kind, centre, radius_mm)
    allowed = bone_depth_mm < (0 if touching else -4)
    allowed &= grid.ball(np.zeros(3), 1.0, np.float32([1e4, 90, 100])) < 0
    solids &= allowed
    hu[solids] = content[solids]
    envelope = _closed(solids, grid.fine_mm) & allowed
    scan = grid.averaged(_blurred(hu, rng.uniform(0.3, 0.9), grid.fine_mm))
    grain = ndimage.gaussian_filter(rng.standard_normal(grid.shape), rng.uniform(0.4, 0.8))
    scan += (grain / grain.std() * rng.uniform(6, 28)).astype(np.float32)
    z, y, x = grid.spacing_mm
    affine = np.array([[0, 0, x, 0], [0, y, 0, 0], [z, 0, 0, 0], [0, 0, 0, 1]], dtype=np.float64)
    volume = Volume(np.clip(scan, -1024, 3071).astype(np.int16), affine)
    calcified = solids & (hu > CALCIFIED_HU)
    return volume, _truth(grid, kind, envelope, calcified, bone_depth_mm, hu, touching=touching)


def _body(rng: np.random.Generator, grid: Grid) -> tuple[Field, Field]:
    """Muscle in fat with bones in it; and millimetres below the surface of bone, negative outside.

    Either two tubes side by side, or the ball, shaft and plate of a joint.
    """
    fine = tuple(n * FINE for n in grid.shape)
    hu = np.full(fine, -1000, np.float32)
    hu[grid.ball(np.zeros(3), 1, np.float32([1e4, 96, 106])) < 0] = FAT_HU
    muscle = grid.ball(np.zeros(3), 1, np.float32([1e4, 85, 95])) < 0
    hu[muscle] = MUSCLE_HU
    if rng.random() < 0.5:
        tilts = rng.uniform(-0.15, 0.15, (2, 2))
        places = [np.array([0, rng.uniform(-20, 20), x]) for x in (-45, 45)]
        surfaces = [
            grid.rod(place, np.float32([1, *tilt]) / np.hypot(1, np.hypot(*tilt)), 1e3, radius)
            for place, tilt, radius in zip(places, tilts, rng.uniform(11, 20, 2), strict=True)
        ]
    else:
        z, y, x = head = np.array([rng.uniform(0, 25), rng.uniform(-15, 15), rng.uniform(-25, 0)])
        course = np.float32([-1, 0, 0.3]) / np.hypot(1, 0.3)
        surfaces = [
            grid.ball(head, 22, 1.0),
            grid.rod(head + 100 * course, course, 100, 13),
            grid.ball(np.array([z + 40, y, x]), 1, np.float32([10, 32, 36])) * 10,
        ]
        for angle, shift in zip(rng.uniform(0, np.pi, 4), rng.uniform(-60, 60, 4), strict=True):
            layer = grid.axes[1] * np.sin(angle) + grid.axes[2] * np.cos(angle) - shift
            hu[(np.abs(layer) < 1.2) & muscle] = FAT_HU
    depth_mm = np.max([-surface for surface in surfaces], axis=0)
    marrow_hu, cortex_hu = rng.uniform(-60, 330), rng.uniform(750, 1400)
    bone = depth_mm > 0
    hu[bone] = np.where(depth_mm < rng.uniform(1.5, 4.5), cortex_hu, marrow_hu)[bone]
    return hu, depth_mm


def _place(
    rng: np.random.Generator, grid: Grid, bone_depth_mm: Field, radius_mm: float, *, touching: bool
) -> NDArray[np.float64]:
    """A centre whose ball just touches bone, or lies well apart from it, inside the body."""
    coarse = (slice(None, None, 6),) * 3
    to_bone_mm = -bone_depth_mm[coarse]
    low, high = (0.75, 0.95) if touching else (1.25, 1.8)
    fits = (to_bone_mm > low * radius_mm) & (to_bone_mm < high * radius_mm + 6 * (not touching))
    axes = [axis[coarse] for axis in grid.axes]
    fits &= np.abs(axes[0]) < BODY_MM[0] / 2 - radius_mm
    fits &= (axes[1] / (92 - radius_mm)) ** 2 + (axes[2] / (102 - radius_mm)) ** 2 < 1
    options = np.argwhere(fits)
    chosen = options[rng.integers(len(options))]
    return np.array([axis.ravel()[n] for axis, n in zip(axes, chosen, strict=True)], dtype=float)


def _mass(
    rng: np.random.Generator,
    grid: Grid,
    kind: Kind,
    centre: NDArray[np.float64],
    radius_mm: float,
) -> tuple[Mask, Field]:
    """Where a mass is, and its HU there, on the fine grid."""
    paste_hu = float(rng.uniform(230, 1000))
    whole = grid.ball(centre, radius_mm, np.exp(rng.normal(0, 0.17, 3)).astype(np.float32))
    if kind == "ball":
        return whole < 0, np.full(whole.shape, paste_hu, np.float32)
    if kind == "chalk":
        steps = [round(BODY_MM[axis] / 12) for axis in range(3)]
        lumps, grains = (
            ndimage.zoom(
                rng.standard_normal(steps),
                [n / m for n, m in zip(whole.shape, steps, strict=True)],
                order=1,
            ).astype(np.float32)
            for _ in range(2)
        )
        return whole + 0.25 * radius_mm * lumps < 0, paste_hu * np.exp(0.3 * grains)
    if kind == "planes":
        return _cut_by_planes(rng, grid, whole, centre, radius_mm, paste_hu)
    parts = [whole] if kind == "cyst" else _parts(rng, grid, kind, centre, radius_mm)
    return _filled(rng, grid, parts, paste_hu, cystic=kind.startswith("cyst"))


def _parts(
    rng: np.random.Generator,
    grid: Grid,
    kind: Kind,
    centre: NDArray[np.float64],
    radius_mm: float,
) -> list[Field]:
    """Surfaces of several balls or capsules about a centre."""
    parts = []
    for _ in range(int(rng.integers(3, 10))):
        place = centre + rng.normal(0, 0.42 * radius_mm, 3)
        own_mm = radius_mm * rng.uniform(0.3, 0.55)
        course = rng.standard_normal(3)
        course = (course / np.linalg.norm(course)).astype(np.float32)
        half_mm = radius_mm * rng.uniform(0.1, 0.5) if kind == "capsules" else 0.0
        parts.append(grid.rod(place, course, half_mm, own_mm))
    return parts


def _filled(
    rng: np.random.Generator, grid: Grid, parts: list[Field], paste_hu: float, *, cystic: bool
) -> tuple[Mask, Field]:
    """Parts with a thin wall or none, filled with paste, fluid, or sediment under fluid."""
    solids = np.zeros(parts[0].shape, np.bool_)
    content = np.zeros(parts[0].shape, np.float32)
    wall_mm = rng.uniform(0.5, 2) if cystic or rng.random() < 0.5 else 0.0
    wall_hu = rng.choice([60.0, 60.0, float(rng.uniform(250, 700))])
    for surface in parts:
        new = (surface < 0) & ~solids
        own_hu = paste_hu * rng.uniform(0.75, 1.25)
        layered = len(parts) == 1 or rng.random() < (0.6 if cystic else 0.2)
        fluid = cystic and not layered and rng.random() < 0.3
        content[new] = rng.uniform(0, 35) if fluid else own_hu
        if layered:
            _settle(rng, grid, new, content)
        content[new & (surface > -wall_mm)] = wall_hu
        solids |= new
    return solids, content


def _settle(rng: np.random.Generator, grid: Grid, cavity: Mask, content: Field) -> None:
    """Fluid over sediment in a cavity: the patient lies supine."""
    if not cavity.any():
        return
    height = np.broadcast_to(grid.axes[1], cavity.shape)
    level_mm = np.quantile(height[cavity], rng.uniform(0.25, 0.75))
    content[cavity & (height < level_mm)] = rng.uniform(0, 40)


def _cut_by_planes(
    rng: np.random.Generator,
    grid: Grid,
    whole: Field,
    centre: NDArray[np.float64],
    radius_mm: float,
    paste_hu: float,
) -> tuple[Mask, Field]:
    """An ellipsoid that two to five planes divide; soft or calcified septa and wall."""
    solids, content = whole < 0, np.full(whole.shape, paste_hu, np.float32)
    cell, septum_mm = np.zeros(whole.shape, np.int32), np.full(whole.shape, 99, np.float32)
    for n in range(int(rng.integers(2, 6))):
        course = rng.standard_normal(3)
        course /= np.linalg.norm(course)
        away = [(a - c) * d for a, c, d in zip(grid.axes, centre, course, strict=True)]
        plane_mm = np.float32(sum(away) - rng.uniform(-0.5, 0.5) * radius_mm)
        cell += (plane_mm > 0).astype(np.int32) << n
        septum_mm = np.minimum(septum_mm, np.abs(plane_mm))
    for n in np.unique(cell[solids]):
        cavity, draw = solids & (cell == n), rng.random()
        if draw < 0.45:
            _settle(rng, grid, cavity, content)
        elif draw > 0.8:
            content[cavity] = rng.uniform(0, 35)
    content[septum_mm < rng.uniform(0.5, 1.2)] = rng.choice([60.0, 400.0])
    content[whole > -rng.uniform(0.5, 2)] = rng.choice([60.0, 65.0, 450.0])
    return solids, content


def _closed(mask: Mask, spacing_mm: tuple[float, float, float]) -> Mask:
    """Closing with a ball of `CLOSING_MM`."""
    near = edt.edt(~mask, anisotropy=spacing_mm) <= CLOSING_MM
    return np.asarray((edt.edt(near, anisotropy=spacing_mm) > CLOSING_MM) | mask)


def _blurred(hu: Field, sigma_mm: float, spacing_mm: tuple[float, float, float]) -> Field:
    """The scanner's blur."""
    return ndimage.gaussian_filter(hu, [sigma_mm / step for step in spacing_mm], truncate=3)


def _truth(
    grid: Grid,
    kind: Kind,
    envelope: Mask,
    calcified: Mask,
    bone_depth_mm: Field,
    hu: Field,
    *,
    touching: bool,
) -> Truth:
    """The answers, in the words that other phantoms use; locules and levels are not listed."""
    fine_ml = float(np.prod(grid.fine_mm)) / 1000
    places = np.argwhere(envelope)
    mm = np.column_stack([axis.ravel()[n] for axis, n in zip(grid.axes, places.T, strict=True)])
    z, y, x = (float(value) for value in mm.mean(axis=0))
    half = grid.averaged(envelope) > 0.5
    mass = MassTruth(
        id=1,
        style="plain",
        texture=kind,
        joint=None,
        side=None,
        centroid_lps_mm=(x, y, z),
        volume_ml=len(places) * fine_ml,
        calcified_volume_ml=float(np.count_nonzero(calcified)) * fine_ml,
        excess_hu_ml=float((hu[envelope] - 40).sum()) * fine_ml,
        max_diameter_mm=float(pdist(mm[ConvexHull(mm).vertices]).max()),
        mean_hu=float(hu[envelope].mean()),
        bone=None,
        bone_distance_mm=0.0 if touching else float(-bone_depth_mm[envelope].max()),
        contact_mm2=0.0,
        locules=(),
        levels=(),
        not_levels=(),
        erosion=None,
    )
    return Truth(
        masses=(mass,),
        decoys=(),
        envelope=half.astype(np.uint8),
        locules=np.zeros(grid.shape, np.uint16),
        levels=np.zeros(grid.shape, np.uint16),
        erosion=np.zeros(grid.shape, np.uint8),
        skeleton=grid.averaged(bone_depth_mm > 0) > 0.5,
        gravity_lps=(0.0, 1.0, 0.0),
    )
