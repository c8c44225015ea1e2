"""Is a candidate surface a fluid level? Its plane, its rim, and what lies above and below it."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import expit

from calcinosis.measure.level_steps import FLUID_HU, SEDIMENT_MIN_HU, STEP_MIN_HU
from calcinosis.measure.level_surfaces import Surface
from calcinosis.measure.mass import Point
from calcinosis.measure.upright import ACROSS_STEP_MM, DOWN_STEP_MM, Upright

# The thresholds below were chosen on our own phantoms (benchmarks/fluid_levels.py).
TILT_MAX_DEG = 4.0
TILT_SLACK_DEG_MM = 8.0  # the tilt of a small surface is less sure: this over its radius
# That of a large one is surer yet: of 82 levels from 80 mm² on none was tilted by more than 0.85
# of this and so much over its area; flat ledges of paste are.
LARGE_TILT_MAX_DEG, LARGE_TILT_SLACK_DEG_MM2 = 1.5, 250.0
TILT_CALLED_MAX_DEG = 5.0  # however small the surface
TILTED_MAX_DEG = 15.0  # steeper ones are seldom whole
CONFIDENCE_MIN = 0.65  # share of levels among surfaces like it
SAGITTA_MAX_MM = 0.5
# Of confidence: constant, share of the tilt allowed, roughness, sagitta, falling rim, and the
# logarithms of area, rise and voxels across.
WEIGHTS = (-10.1, -2.4, -8.0, -3.1, -11.8, 1.3, 1.3, 1.8)
# Where voxels are longer than this along gravity, steps lock to them and every dome has a flat top.
# Then: constant, falling rim, and the logarithms of area in voxels, of rise, and of the heights of
# fluid and sediment in voxels: what lies in a locule has a roof and a floor, a dome has not.
COARSE_MM, COARSE_WEIGHTS = 1.2, (-10.8, -3.6, 2.1, 1.6, -1.0, -1.8)
DOME_VOXELS = 1.5  # above and below a coarse step: what lies there tells where the dense begins
LAYER_MAX_MM = 12.0  # no layer counts as higher
FAT_HU = -40.0  # fluid is denser
BLURRED_SHARE = 0.5  # shallow fluid between dense paste looks as dense as this share of it
LAYER_MIN_MM, SEDIMENT_LAYER_MIN_MM = 2.0, 3.2  # the floor of a calcified rim is thinner
# Such a floor bulges: a ball's, as far as it slopes by 20°, by 0.1 of the root of its area. Shallow
# sediment, if it is wide enough to tell, does not.
SHALLOW_SEDIMENT_MIN_MM, SHALLOW_BULGE_MAX, SHALLOW_AREA_MIN_MM2 = 2.5, 0.012, 30.0
SAME_DEPTH_MM = 1.5
SAME_SHARE = 0.3
SAME_HEIGHT_MM = 0.4  # two pieces of one interface: right ones differed by up to 0.26 mm
JOINED_SHARE = 0.8  # and the step between them keeps this share of its height
REACH = 80  # samples up and down from a surface in which its layers are always sought
BESIDE_INTERFACE_MM = (0.75, 2.25)  # above and below it, where fluid and sediment are looked for


@dataclass(frozen=True)
class Layers:
    """What lies above and below a surface."""

    hu_above: float
    hu_below: float
    sediment_depth_mm: float
    fluid_height_mm: float
    share_in_mass: float


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that is known of one surface; its columns (n, 2), and how far down its centre lies.

    `dome_mm` tells in coarse voxels what `sagitta_mm` cannot.
    """

    centroid_lps_mm: Point
    columns: NDArray[np.int64]
    depth_mm: float
    area_mm2: float
    voxel_down_mm: float
    voxels_across: float
    tilt_deg: float
    roughness_mm: float
    sagitta_mm: float
    dome_mm: float
    falling_rim: float
    layers: Layers

    def tilt_strain(self) -> float:
        """Tilt as a share of what is allowed."""
        radius_mm = float(np.sqrt(self.area_mm2 / np.pi))
        small = TILT_MAX_DEG + TILT_SLACK_DEG_MM / radius_mm
        large = LARGE_TILT_MAX_DEG + LARGE_TILT_SLACK_DEG_MM2 / self.area_mm2
        return self.tilt_deg / min(small, large)

    def is_level(self) -> bool:
        """Flat, and square to gravity."""
        return (
            self.tilt_strain() <= 1
            and self.tilt_deg <= TILT_CALLED_MAX_DEG
            and max(self.sagitta_mm, self.dome_mm) <= SAGITTA_MAX_MM
        )

    def confidence(self) -> float:
        """Share of levels among surfaces like this one, fitted on our phantoms (logistic).

        A level is square to gravity, smooth, flat, and nowhere falls away at its rim; of a small or
        faint one, or one that few voxels show, we are less sure.
        """
        rise = np.log(max(self.layers.hu_below - self.layers.hu_above, 1.0))
        if self.voxel_down_mm > COARSE_MM:
            fluid, sediment = (
                np.log(min(layer_mm, LAYER_MAX_MM) / self.voxel_down_mm)
                for layer_mm in (self.layers.fluid_height_mm, self.layers.sediment_depth_mm)
            )
            area = np.log(self.area_mm2 / self.voxel_down_mm**2)
            coarse = (1.0, self.falling_rim, area, rise, fluid, sediment)
            return float(expit(np.dot(COARSE_WEIGHTS, coarse)))
        evidence = (
            1.0,
            self.tilt_strain(),
            self.roughness_mm,
            self.sagitta_mm,
            self.falling_rim,
            np.log(self.area_mm2),
            rise,
            np.log(self.voxels_across),
        )
        return float(expit(np.dot(WEIGHTS, evidence)))

    def is_tilted_level(self, along_mm: float) -> bool:
        """Whether it would be called a level, if only it were square to gravity."""
        return (
            TILT_CALLED_MAX_DEG < self.tilt_deg < TILTED_MAX_DEG
            and self.sagitta_mm <= SAGITTA_MAX_MM
            and replace(self, tilt_deg=0.0).confidence() >= CONFIDENCE_MIN
            and self.holds_fluid_on_sediment(along_mm)
        )

    def repeats(self, other: "Evidence") -> bool:
        """Whether this is another reading of the same interface."""
        if abs(self.depth_mm - other.depth_mm) > SAME_DEPTH_MM:
            return False
        both = np.concatenate([self.columns, other.columns])
        shared = len(both) - len(np.unique(both, axis=0))
        return shared > SAME_SHARE * min(len(self.columns), len(other.columns))

    def holds_fluid_on_sediment(self, along_mm: float) -> bool:
        """Fluid over sediment, both thick enough, and part of this mass."""
        thinnest = max(LAYER_MIN_MM, 1.5 * along_mm)
        layers = self.layers
        return (
            FAT_HU < layers.hu_above < max(FLUID_HU[1], BLURRED_SHARE * layers.hu_below)
            and layers.hu_below > SEDIMENT_MIN_HU
            and layers.hu_below - layers.hu_above > STEP_MIN_HU
            and layers.sediment_depth_mm >= max(self._least_sediment_mm(), 2.25 * along_mm)
            and layers.fluid_height_mm >= thinnest
            and layers.share_in_mass >= 0.5
        )

    def _least_sediment_mm(self) -> float:
        """How deep sediment must be not to be the floor of a rim."""
        flat = self.sagitta_mm <= SHALLOW_BULGE_MAX * np.sqrt(self.area_mm2)
        wide = self.area_mm2 >= SHALLOW_AREA_MIN_MM2
        return SHALLOW_SEDIMENT_MIN_MM if flat and wide else SEDIMENT_LAYER_MIN_MM


def evidence_for(surface: Surface, upright: Upright, along_mm: float) -> Evidence:
    """Fit the free plane and look at both sides of it."""
    member = surface.present
    core = ndimage.binary_erosion(member)
    core = core if np.count_nonzero(core) >= 12 else member
    u, v = np.nonzero(core)
    points = np.stack([surface.height_mm[core], u * ACROSS_STEP_MM, v * ACROSS_STEP_MM], axis=1)
    clear = (surface.rise_hu[core] / surface.rise_hu[core].max()) ** 2  # blur with a rim halves it
    plane, roughness = _fit_plane(points, clear)
    columns = np.stack([u, v], axis=1) + np.asarray(surface.corner)
    covered = np.argwhere(member) + np.asarray(surface.corner)
    x, y, z = upright.to_lps(np.array([plane[0], *(columns.mean(axis=0) * ACROSS_STEP_MM)]))
    return Evidence(
        centroid_lps_mm=(float(x), float(y), float(z)),
        columns=covered,
        depth_mm=float(plane[0]),
        area_mm2=surface.area_mm2,
        voxel_down_mm=along_mm,
        voxels_across=float(np.sqrt(surface.area_mm2)) / upright.voxel_across_mm,
        tilt_deg=float(np.degrees(np.arctan(np.hypot(plane[1], plane[2])))),
        roughness_mm=roughness,
        sagitta_mm=_sagitta_mm(points, clear, float(np.sqrt(len(points) / np.pi))),
        dome_mm=_dome_mm(upright, covered, float(plane[0]), along_mm),
        falling_rim=_falling_rim(surface, member, points, plane),
        layers=_layers(upright, columns, points[:, 0], along_mm),
    )


def one_interface(first: Evidence, second: Evidence, upright: Upright) -> bool:
    """Whether two pieces at one height are joined by fluid lying on sediment: no septum between."""
    if abs(first.depth_mm - second.depth_mm) > SAME_HEIGHT_MM:
        return False
    height = round((first.depth_mm + second.depth_mm) / 2 / DOWN_STEP_MM)
    near, far = (round(mm / DOWN_STEP_MM) for mm in BESIDE_INTERFACE_MM)
    above = upright.hu[max(0, height - far) : max(1, height - near + 1)].mean(axis=0)
    below = upright.hu[height + near : height + far + 1].mean(axis=0)
    rise = below - above
    usual = min(np.percentile(rise[tuple(e.columns.T)], 75) for e in (first, second))
    joined, _ = ndimage.label(rise > JOINED_SHARE * usual)
    here, there = (np.bincount(joined[tuple(e.columns.T)])[1:] for e in (first, second))
    shared = min(len(here), len(there))
    return bool(np.any((here[:shared] > 0) & (there[:shared] > 0)))


def _falling_rim(
    surface: Surface,
    member: NDArray[np.bool_],
    points: NDArray[np.float64],
    plane: NDArray[np.float64],
) -> float:
    """Share of the rim beyond which the sheet falls away.

    Chalk cannot: settled sediment ends at a wall or at paste that rises above it. Domes do.
    """
    wide = np.pad(member, 2)
    rim = ndimage.binary_dilation(wide, iterations=2) & ~wide
    centre = points[:, 1:].mean(axis=0)
    u, v = np.nonzero(rim[2:-2, 2:-2] & surface.sheet)
    expected = plane[0] + (np.stack([u, v], axis=1) * ACROSS_STEP_MM - centre) @ plane[1:]
    falls = surface.height_mm[u, v] - expected > 0.35
    return float(np.count_nonzero(falls) / np.count_nonzero(rim))


def _fit_plane(
    points: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Height at the centre and slopes (mm/mm) of the free plane; rms distance from it."""
    across = points[:, 1:] - points[:, 1:].mean(axis=0)
    design = np.column_stack([np.ones(len(points)), across])
    plane, *_rest = np.linalg.lstsq(design * weight[:, None], points[:, 0] * weight, rcond=None)
    residual = points[:, 0] - design @ plane
    return np.asarray(plane, np.float64), float(np.sqrt(np.average(residual**2, weights=weight**2)))


def _sagitta_mm(
    points: NDArray[np.float64], weight: NDArray[np.float64], radius_mm: float
) -> float:
    """How far the best quadric bulges between centre and rim."""
    return float(np.abs(_bulges_mm(points, weight, radius_mm)).max())


def _bulges_mm(
    points: NDArray[np.float64], weight: NDArray[np.float64], radius_mm: float
) -> NDArray[np.float64]:
    """How far the best quadric falls away from centre to rim: least and most of all directions."""
    u, v = (points[:, 1:] - points[:, 1:].mean(axis=0)).T
    design = np.column_stack([np.ones(len(u)), u, v, u * u, u * v, v * v])
    fit, *_rest = np.linalg.lstsq(design * weight[:, None], points[:, 0] * weight, rcond=None)
    curvature = np.linalg.eigvalsh([[fit[3], fit[4] / 2], [fit[4] / 2, fit[5]]])
    return np.asarray(curvature * radius_mm**2, dtype=np.float64)


def _dome_mm(
    upright: Upright, columns: NDArray[np.int64], depth_mm: float, along_mm: float
) -> float:
    """How far a surface in coarse voxels falls away from its middle to every side; else 0.

    Its steps lock to the voxels, so that the top of a ball looks flat. How much of each column is
    dense does not: a voxel that the surface passes shows its share, wherever the surface lies.
    """
    if along_mm <= COARSE_MM:
        return 0.0
    reach = round(DOME_VOXELS * along_mm / DOWN_STEP_MM)
    at = round(depth_mm / DOWN_STEP_MM) + np.arange(-reach, reach + 1)
    at = np.clip(at, 0, upright.hu.shape[0] - 1)[:, None]
    profile = upright.hu[at, columns[:, 0], columns[:, 1]].astype(np.float64)
    above, below = profile[:2].mean(axis=0), profile[-2:].mean(axis=0)
    rise = np.maximum(below - above, STEP_MIN_HU)
    empty_mm = -(profile - above).sum(axis=0) / rise * DOWN_STEP_MM
    points = np.column_stack([empty_mm, columns * ACROSS_STEP_MM])
    return float(_bulges_mm(points, rise, float(np.sqrt(len(columns) / np.pi)))[0])


def _layers(
    upright: Upright,
    columns: NDArray[np.int64],
    height_mm: NDArray[np.float64],
    along_mm: float,
) -> Layers:
    """Measure the columns through a surface."""
    reach = np.arange(-REACH, REACH + 1)
    at = np.round(height_mm / DOWN_STEP_MM).astype(int)[:, None] + reach
    at = np.clip(at, 0, upright.hu.shape[0] - 1)
    u, v = columns[:, :1], columns[:, 1:]
    profile = upright.hu[at, u, v]
    offset_mm = reach * DOWN_STEP_MM
    near, far = max(1.0, along_mm), max(3.0, 2 * along_mm)
    above = profile[:, (offset_mm <= -near) & (offset_mm >= -far)]
    below = profile[:, (offset_mm >= near) & (offset_mm <= near + along_mm + DOWN_STEP_MM)]
    clearest = np.median(above, axis=1)
    clearest = np.sort(clearest)[: max(1, len(clearest) // 2)]  # the rest may be blurred with a rim
    hu_above, hu_below = float(np.median(clearest)), float(np.median(below.max(axis=1)))
    half = (hu_above + hu_below) / 2
    down, up = profile[:, offset_mm > 0] > half, profile[:, offset_mm < 0][:, ::-1] < half
    sediment = _run_mm(down[:, 1:])
    if sediment.max() > REACH * DOWN_STEP_MM - DOWN_STEP_MM:
        sediment = _run_mm(np.hstack([down[:, 1:], _sediment_deeper(upright, u, v, at, half)]))
    fluid = _run_mm(up[:, 1:])
    inside = upright.inside[at, u, v][:, (offset_mm >= 0) & (offset_mm <= far)]
    return Layers(
        hu_above=hu_above,
        hu_below=hu_below,
        sediment_depth_mm=float(np.percentile(sediment, 90)),
        fluid_height_mm=float(np.percentile(fluid, 75)),
        share_in_mass=float(np.mean(inside.any(axis=1))),
    )


def _sediment_deeper(
    upright: Upright,
    u: NDArray[np.int64],
    v: NDArray[np.int64],
    at: NDArray[np.int64],
    half_hu: float,
) -> NDArray[np.bool_]:
    """Below the samples `at`: what is as dense and in the mass, for there bone is near as well."""
    further = at[:, -1:] + np.arange(1, upright.hu.shape[0])
    within = further < upright.hu.shape[0]
    further = np.minimum(further, upright.hu.shape[0] - 1)
    return np.asarray(
        within & upright.inside[further, u, v] & (upright.hu[further, u, v] > half_hu)
    )


def _run_mm(holds: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Length of the first unbroken run of each row, plus the half step before it."""
    ends = np.argmin(np.pad(holds, ((0, 0), (0, 1))), axis=1)
    return np.asarray((ends + 1) * DOWN_STEP_MM, dtype=np.float64)
