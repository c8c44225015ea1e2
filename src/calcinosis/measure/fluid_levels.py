"""The sedimentation sign: flat, level interfaces between fluid and settled calcium.

The mass is resampled upright (axis 0 points down). In every vertical column we look for steps from
fluid to sediment, join neighbouring steps into surfaces, and ask of each surface what only a fluid
level answers: is it flat, is its freely fitted plane perpendicular to gravity, is there an even
sediment below and fluid above? The locules themselves need not be found first.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.measure.mass import FluidLevel, LevelReading, Point
from calcinosis.volume import Volume

# The thresholds below were chosen on our own phantoms (benchmarks/fluid_levels.py) unless noted.
DOWN_STEP_MM = 0.5
ACROSS_STEP_MM = 1.0
MARGIN_MM = 6.0
REACH_MM = 3.5  # how far above and below a step its two plateaus are sought
KNEE = 0.35
FLUID_HU = (-70.0, 160.0)
SEDIMENT_MIN_HU = 170.0
STEP_MIN_HU = 110.0
LINK_MM = 0.8  # neighbouring columns of one surface differ by less
SURFACE_SLOPE_MAX_DEG = 20.0
SEPTUM_DIP = 0.15  # a narrow line along which the step is this much weaker is a septum
SEPTUM_WIDTH_MM = 3.0
STEP_REACH_MM = 6.0  # a column's step is compared with the strongest this near
AREA_MIN_MM2 = 14.0
ROUGHNESS_MAX_MM = 0.25
SAGITTA_MAX_MM = 0.40
TILT_MAX_DEG = 5.0
UNEVENNESS_MAX = 0.25
FLAT_PARTS_MAX = 3
FALLING_RIM_MAX = 0.25
LAYER_MIN_MM = 2.25
VOXEL_ALONG_GRAVITY_MAX_MM = 3.0  # thicker slices lying parallel to the level blur it away
LAYER_VOXELS = 3
LOCULE_MIN_ML = 0.5


@dataclass(frozen=True, eq=False)
class _Upright:
    """The neighbourhood of a mass resampled so that axis 0 points down (HU, float32)."""

    hu: NDArray[np.float32]
    inside: NDArray[np.bool_]
    origin_lps: NDArray[np.float64]
    axes_lps: NDArray[np.float64]  # columns: down, across, across
    noise_hu: float

    def to_lps(self, point_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Millimetres along (down, across, across) to LPS."""
        return np.asarray(self.origin_lps + self.axes_lps @ point_mm, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class _Surface:
    """One candidate: height (mm, downwards) over a small grid of columns."""

    corner: tuple[int, int]
    height_mm: NDArray[np.float64]
    present: NDArray[np.bool_]
    sheet: NDArray[np.bool_]  # the columns of the sheet it was cut from


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
            f"sedimentation sign cannot be judged: slices of {along_mm:.1f} mm lie parallel to a "
            f"fluid level (at most {VOXEL_ALONG_GRAVITY_MAX_MM:g} mm can show one)"
        )
        return LevelReading((), None, (reason,))
    upright = _stand_upright(volume, envelope)
    levels = tuple(
        level
        for sheet in _surfaces(upright, along_mm)
        for surface in _flat_parts(sheet)
        if (level := _level(surface, upright, along_mm)) is not None
    )
    levels = tuple(sorted(levels, key=lambda level: -level.area_mm2))
    if levels:
        return LevelReading(levels, sedimentation_sign=True, remarks=())
    reason_too_small = _too_small(volume, envelope, along_mm, upright)
    if reason_too_small:
        return LevelReading((), None, (reason_too_small,))
    return LevelReading((), sedimentation_sign=False, remarks=())


def _voxel_along_gravity_mm(volume: Volume) -> float:
    """The extent of a voxel along gravity (root mean square over its axes)."""
    down = volume.direction_in_indices(volume.gravity_lps)
    return float(np.linalg.norm(down * np.asarray(volume.spacing_mm)))


def _too_small(
    volume: Volume, envelope: NDArray[np.bool_], along_mm: float, upright: _Upright
) -> str | None:
    """Why no locule of this mass could show a level, or None if one could."""
    needed_mm = 2 * LAYER_VOXELS * along_mm
    if np.count_nonzero(envelope) * volume.voxel_volume_ml < LOCULE_MIN_ML:
        return (
            "sedimentation sign cannot be judged: "
            f"the mass is smaller than the {LOCULE_MIN_ML:g} mL a locule needs"
        )
    gradient = np.sqrt(
        sum(
            (ndimage.gaussian_filter1d(upright.hu, 1.0, axis=axis, order=1) / step) ** 2
            for axis, step in enumerate((DOWN_STEP_MM, ACROSS_STEP_MM, ACROSS_STEP_MM))
        )
    )
    uniform = (gradient < 60.0 + 2 * upright.noise_hu) & upright.inside
    depth = ndimage.distance_transform_edt(
        np.pad(uniform, 1), sampling=(DOWN_STEP_MM, ACROSS_STEP_MM, ACROSS_STEP_MM)
    )
    locule_mm = 2 * float(depth.max())
    if locule_mm < needed_mm / 2:
        return (
            "sedimentation sign cannot be judged: the largest even region is "
            f"{locule_mm:.1f} mm wide; two layers of {LAYER_VOXELS} voxels need {needed_mm:.1f} mm"
        )
    return None


# --- standing upright -----------------------------------------------------------------------------


def _stand_upright(volume: Volume, envelope: NDArray[np.bool_]) -> _Upright:
    """Resample the surroundings of the envelope with axis 0 along gravity."""
    axes = _upright_axes(volume)
    shell = np.argwhere(envelope & ~ndimage.binary_erosion(envelope))
    placed = volume.to_lps(shell) @ axes
    low, high = placed.min(axis=0) - MARGIN_MM, placed.max(axis=0) + MARGIN_MM
    across = 0.5 if min(volume.spacing_mm) < 0.75 else ACROSS_STEP_MM
    steps = np.array([DOWN_STEP_MM, across, across])
    shape = tuple(int(n) for n in np.ceil((high - low) / steps).astype(int) + 1)
    to_index = np.linalg.inv(volume.affine[:3, :3])
    start = to_index @ (axes @ low - volume.affine[:3, 3])
    matrix = to_index @ axes * steps
    hu = _sample(volume.voxels, start, matrix, shape)
    inside = _sample_nearest(envelope, start, matrix, shape)
    noise = _noise_hu(volume.voxels, envelope)
    sigma_mm = 0.6 if noise < 14 else 0.8 if noise < 26 else 1.0
    for axis in (1, 2):
        hu = ndimage.gaussian_filter1d(hu, sigma_mm / across, axis=axis, mode="nearest")
    thin = round(ACROSS_STEP_MM / across)
    return _Upright(hu[:, ::thin, ::thin], inside[:, ::thin, ::thin], axes @ low, axes, noise)


def _upright_axes(volume: Volume) -> NDArray[np.float64]:
    """Orthonormal columns in LPS: down, and two across, the first near an array axis."""
    down = volume.gravity_lps
    directions = (volume.affine[:3, :3] / np.linalg.norm(volume.affine[:3, :3], axis=0)).T
    flattest = directions[np.argmin(np.abs(directions @ down))]
    across = flattest - (flattest @ down) * down
    across /= np.linalg.norm(across)
    return np.stack([down, across, np.cross(down, across)], axis=1)


def _noise_hu(voxels: NDArray[np.int16], envelope: NDArray[np.bool_]) -> float:
    """Noise (standard deviation) in the soft tissue around the mass.

    Differences of voxels three apart in the image plane, where kernels no longer correlate them.
    """
    box = tuple(
        slice(max(0, int(extent.start) - 10), int(extent.stop) + 10)
        for extent in ndimage.find_objects(envelope.astype(np.uint8))[0]
    )
    around = voxels[box].astype(np.float32)
    first, second = around[:, :, :-3], around[:, :, 3:]
    soft = (np.abs(first) < 150) & (np.abs(second) < 150)
    if np.count_nonzero(soft) < 100:
        return 20.0
    return float(np.median(np.abs(first - second)[soft]) / 0.6745 / np.sqrt(2))


@njit(cache=True)
def _sample(voxels, start, matrix, shape):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Trilinear samples at start + matrix @ (i, j, k); the edge voxel continues outside."""
    out = np.empty(shape, dtype=np.float32)
    nz, ny, nx = voxels.shape
    for i in range(shape[0]):
        for j in range(shape[1]):
            for k in range(shape[2]):
                z = start[0] + matrix[0, 0] * i + matrix[0, 1] * j + matrix[0, 2] * k
                y = start[1] + matrix[1, 0] * i + matrix[1, 1] * j + matrix[1, 2] * k
                x = start[2] + matrix[2, 0] * i + matrix[2, 1] * j + matrix[2, 2] * k
                z, y, x = (
                    min(max(z, 0.0), nz - 1.0),
                    min(max(y, 0.0), ny - 1.0),
                    min(max(x, 0.0), nx - 1.0),
                )
                z0, y0, x0 = int(z), int(y), int(x)
                z1, y1, x1 = min(z0 + 1, nz - 1), min(y0 + 1, ny - 1), min(x0 + 1, nx - 1)
                fz, fy, fx = z - z0, y - y0, x - x0
                near = (voxels[z0, y0, x0] * (1 - fx) + voxels[z0, y0, x1] * fx) * (1 - fy) + (
                    voxels[z0, y1, x0] * (1 - fx) + voxels[z0, y1, x1] * fx
                ) * fy
                far = (voxels[z1, y0, x0] * (1 - fx) + voxels[z1, y0, x1] * fx) * (1 - fy) + (
                    voxels[z1, y1, x0] * (1 - fx) + voxels[z1, y1, x1] * fx
                ) * fy
                out[i, j, k] = near * (1 - fz) + far * fz
    return out


@njit(cache=True)
def _sample_nearest(mask, start, matrix, shape):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The mask at the voxel nearest to start + matrix @ (i, j, k); False outside."""
    out = np.zeros(shape, dtype=np.bool_)
    nz, ny, nx = mask.shape
    for i in range(shape[0]):
        for j in range(shape[1]):
            for k in range(shape[2]):
                z = round(start[0] + matrix[0, 0] * i + matrix[0, 1] * j + matrix[0, 2] * k)
                y = round(start[1] + matrix[1, 0] * i + matrix[1, 1] * j + matrix[1, 2] * k)
                x = round(start[2] + matrix[2, 0] * i + matrix[2, 1] * j + matrix[2, 2] * k)
                if 0 <= z < nz and 0 <= y < ny and 0 <= x < nx:
                    out[i, j, k] = mask[z, y, x]
    return out


# --- candidate surfaces ---------------------------------------------------------------------------


def _surfaces(upright: _Upright, along_mm: float) -> Iterator[_Surface]:
    """Gently sloped sheets of fluid-over-sediment steps."""
    reach = round(max(REACH_MM, 2 * along_mm) / DOWN_STEP_MM)
    profile = ndimage.uniform_filter1d(upright.hu, 3, axis=0, mode="nearest")
    near_mass = ndimage.binary_dilation(upright.inside, iterations=4)
    columns, heights, rises = _scan(
        profile, near_mass, reach, KNEE, STEP_MIN_HU, SEDIMENT_MIN_HU, FLUID_HU[0], FLUID_HU[1]
    )
    if len(heights) == 0:
        return
    labels = _link(columns, heights, LINK_MM / DOWN_STEP_MM, upright.hu.shape[1:])
    order = np.argsort(labels, kind="stable")
    bounds = np.flatnonzero(np.diff(labels[order])) + 1
    for members in np.split(order, bounds):
        if len(members) * ACROSS_STEP_MM**2 >= AREA_MIN_MM2:
            yield from _gentle_parts(
                columns[members], heights[members] * DOWN_STEP_MM, rises[members]
            )


@njit(cache=True)
def _scan(  # type: ignore[no-untyped-def]  # noqa: ANN202, PLR0912
    profile,  # noqa: ANN001
    near_mass,  # noqa: ANN001
    reach,  # noqa: ANN001
    knee,  # noqa: ANN001
    step_min,  # noqa: ANN001
    sediment_min,  # noqa: ANN001
    fluid_low,  # noqa: ANN001
    fluid_high,  # noqa: ANN001
):
    """Half-height crossings of every step from fluid down to sediment, column by column.

    A step's two plateaus begin where the profile flattens to the share `knee` of its slope.
    """
    depth, rows, cols = profile.shape
    found_columns = []
    found_heights = []
    found_rises = []
    for u in range(rows):
        for v in range(cols):
            k = 1
            while k < depth - 1:
                rise = profile[k + 1, u, v] - profile[k, u, v]
                steepest = rise > 0 and near_mass[k, u, v]
                if steepest:
                    for other in range(max(0, k - 3), min(depth - 1, k + 4)):
                        if profile[other + 1, u, v] - profile[other, u, v] > rise:
                            steepest = False
                            break
                if not steepest:
                    k += 1
                    continue
                above, below = k, k + 1
                while above > max(0, k - reach) and (
                    profile[above, u, v] - profile[above - 1, u, v] > knee * rise
                ):
                    above -= 1
                while below < min(depth - 1, k + reach) and (
                    profile[below + 1, u, v] - profile[below, u, v] > knee * rise
                ):
                    below += 1
                low, high = profile[above, u, v], profile[below, u, v]
                if (
                    high - low > step_min
                    and high > sediment_min
                    and low > fluid_low
                    and low < fluid_high
                ):
                    half = (low + high) / 2
                    at = k
                    while at > max(0, k - reach) and profile[at, u, v] > half:
                        at -= 1
                    while at < min(depth - 2, k + reach) and profile[at + 1, u, v] < half:
                        at += 1
                    gap = profile[at + 1, u, v] - profile[at, u, v]
                    if gap > 0:
                        found_columns.append((u, v))
                        found_heights.append(at + (half - profile[at, u, v]) / gap)
                        found_rises.append(high - low)
                k += 3
    columns = np.empty((len(found_columns), 2), dtype=np.int64)
    heights = np.empty(len(found_heights), dtype=np.float64)
    rises = np.empty(len(found_heights), dtype=np.float64)
    for n in range(len(found_heights)):
        columns[n, 0], columns[n, 1] = found_columns[n]
        heights[n], rises[n] = found_heights[n], found_rises[n]
    return columns, heights, rises


@njit(cache=True)
def _link(columns, heights, tolerance, shape):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Label of each crossing: crossings of neighbouring columns at similar height are one sheet."""
    count = len(heights)
    parent = np.arange(count)
    first = np.full((shape[0] + 1, shape[1] + 1), -1)
    for n in range(count - 1, -1, -1):
        first[columns[n, 0], columns[n, 1]] = n
    for n in range(count):
        u, v = columns[n]
        for du, dv in ((1, 0), (0, 1)):
            m = first[u + du, v + dv]
            while 0 <= m < count and columns[m, 0] == u + du and columns[m, 1] == v + dv:
                if abs(heights[m] - heights[n]) <= tolerance:
                    a, b = n, m
                    while parent[a] != a:
                        parent[a] = parent[parent[a]]
                        a = parent[a]
                    while parent[b] != b:
                        parent[b] = parent[parent[b]]
                        b = parent[b]
                    parent[max(a, b)] = min(a, b)
                m += 1
    for n in range(count):
        root = n
        while parent[root] != root:
            root = parent[root]
        parent[n] = root
    return parent


def _gentle_parts(
    columns: NDArray[np.int64], height_mm: NDArray[np.float64], rise_hu: NDArray[np.float64]
) -> Iterator[_Surface]:
    """A sheet cut where it slopes or fades.

    A level runs into the paste beside it, but does not slope; blurred beyond the wall of its locule
    it keeps its height, but loses half its step.
    """
    corner = columns.min(axis=0)
    shape = columns.max(axis=0) - corner + 1
    height, rise = np.zeros(shape), np.zeros(shape)
    present = np.zeros(shape, dtype=bool)
    u, v = (columns - corner).T
    height[u, v], rise[u, v], present[u, v] = height_mm, rise_hu, True
    strongest = ndimage.grey_dilation(_blur(rise, present), footprint=_disc(STEP_REACH_MM))
    strong = rise > 0.5 * strongest
    gentle = present & strong
    gentle &= _slope_deg(height, present) < SURFACE_SLOPE_MAX_DEG
    gentle = ndimage.binary_opening(gentle, np.ones((2, 2)))
    parts, count = ndimage.label(gentle)
    for part in range(1, count + 1):
        for member in _between_septa(parts == part, rise):
            if np.count_nonzero(member) * ACROSS_STEP_MM**2 >= AREA_MIN_MM2:
                yield _Surface((int(corner[0]), int(corner[1])), height, member, present & strong)


def _between_septa(
    member: NDArray[np.bool_], rise: NDArray[np.float64]
) -> Iterator[NDArray[np.bool_]]:
    """Split levels that meet at a septum: a narrow valley in the height of the step."""
    from skimage.segmentation import watershed

    smooth = _blur(rise, member)
    closed = ndimage.grey_closing(smooth, footprint=_disc(SEPTUM_WIDTH_MM))
    whole = member & (smooth > (1 - SEPTUM_DIP) * closed)
    parts, count = ndimage.label(ndimage.binary_opening(whole, np.ones((2, 2))))
    areas = np.bincount(parts.ravel(), minlength=count + 1)[1:] * ACROSS_STEP_MM**2
    large = np.isin(parts, 1 + np.flatnonzero(areas >= AREA_MIN_MM2))
    markers, count = ndimage.label(large)
    if count < 2:
        yield member
        return
    grown = watershed(-smooth, markers, mask=member)
    for part in range(1, count + 1):
        yield grown == part


def _disc(radius_mm: float) -> NDArray[np.bool_]:
    """A disc of columns."""
    reach = int(radius_mm / ACROSS_STEP_MM)
    u, v = np.mgrid[-reach : reach + 1, -reach : reach + 1] * ACROSS_STEP_MM
    return np.asarray(u**2 + v**2 <= radius_mm**2)


def _blur(values: NDArray[np.float64], present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Gaussian mean (1 mm) over the columns that are present; 0 elsewhere."""
    weight = ndimage.gaussian_filter(present.astype(float), 1.0 / ACROSS_STEP_MM, mode="constant")
    total = ndimage.gaussian_filter(values * present, 1.0 / ACROSS_STEP_MM, mode="constant")
    return np.asarray(np.where(present, total / np.maximum(weight, 1e-6), 0.0))


def _slope_deg(height: NDArray[np.float64], present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Slope of the plane fitted around every column (Gaussian weight, 1.25 mm)."""
    u, v = np.mgrid[: height.shape[0], : height.shape[1]] * ACROSS_STEP_MM
    weight = present.astype(float)

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        blurred = ndimage.gaussian_filter(values * weight, 1.25 / ACROSS_STEP_MM, mode="constant")
        return np.asarray(blurred / np.maximum(total, 1e-6), dtype=np.float64)

    total = ndimage.gaussian_filter(weight, 1.25 / ACROSS_STEP_MM, mode="constant")
    mu, mv, mh = mean(u), mean(v), mean(height)
    uu, vv, uv = mean(u * u) - mu**2, mean(v * v) - mv**2, mean(u * v) - mu * mv
    uh, vh = mean(u * height) - mu * mh, mean(v * height) - mv * mh
    determinant = np.maximum(uu * vv - uv**2, 1e-6)
    slope_u, slope_v = (vv * uh - uv * vh) / determinant, (uu * vh - uv * uh) / determinant
    return np.asarray(np.degrees(np.arctan(np.hypot(slope_u, slope_v))), dtype=np.float64)


# --- judging a surface ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Layers:
    """What lies above and below a surface."""

    hu_above: float
    hu_below: float
    unevenness: float
    sediment_depth_mm: float
    fluid_height_mm: float
    share_in_mass: float


@dataclass(frozen=True)
class _Evidence:
    """All that is known of one surface."""

    centroid_lps_mm: Point
    area_mm2: float
    tilt_deg: float
    roughness_mm: float
    sagitta_mm: float
    falling_rim: float
    layers: _Layers

    def strain(self) -> float:
        """How far the surface is from a perfect level; beyond 1 it is none."""
        return max(
            self.roughness_mm / ROUGHNESS_MAX_MM,
            self.sagitta_mm / SAGITTA_MAX_MM,
            self.tilt_deg / TILT_MAX_DEG,
            self.falling_rim / FALLING_RIM_MAX,
            self.layers.unevenness / UNEVENNESS_MAX,
        )

    def holds_fluid_on_sediment(self, along_mm: float) -> bool:
        """Fluid over sediment, both thick enough, and part of this mass."""
        thinnest = max(LAYER_MIN_MM, 1.5 * along_mm)
        layers = self.layers
        return (
            FLUID_HU[0] < layers.hu_above < FLUID_HU[1]
            and layers.hu_below > SEDIMENT_MIN_HU
            and layers.hu_below - layers.hu_above > STEP_MIN_HU
            and layers.sediment_depth_mm >= thinnest
            and layers.fluid_height_mm >= thinnest
            and layers.share_in_mass >= 0.5
        )


def _level(surface: _Surface, upright: _Upright, along_mm: float) -> FluidLevel | None:
    """The level a surface shows, or None when it is not flat, not level or not fluid on chalk."""
    evidence = _evidence(surface, upright, along_mm)
    smallest = AREA_MIN_MM2 * (1.5 if upright.noise_hu > 30 else 1.0)
    strain = evidence.strain()
    if evidence.area_mm2 < smallest or strain > 1 or not evidence.holds_fluid_on_sediment(along_mm):
        return None
    return FluidLevel(
        centroid_lps_mm=evidence.centroid_lps_mm,
        area_mm2=evidence.area_mm2,
        sediment_depth_mm=evidence.layers.sediment_depth_mm,
        hu_above=evidence.layers.hu_above,
        hu_below=evidence.layers.hu_below,
        tilt_deg=evidence.tilt_deg,
        confidence=round(1 - 0.5 * strain**2, 3),
    )


def _evidence(surface: _Surface, upright: _Upright, along_mm: float) -> _Evidence:
    """Fit the free plane and look at both sides of it."""
    member = surface.present
    core = ndimage.binary_erosion(member)
    core = core if np.count_nonzero(core) >= 12 else member
    u, v = np.nonzero(core)
    points = np.stack([surface.height_mm[core], u * ACROSS_STEP_MM, v * ACROSS_STEP_MM], axis=1)
    plane, roughness = _fit_plane(points)
    columns = np.stack([u, v], axis=1) + np.asarray(surface.corner)
    x, y, z = upright.to_lps(np.array([plane[0], *(columns.mean(axis=0) * ACROSS_STEP_MM)]))
    return _Evidence(
        centroid_lps_mm=(float(x), float(y), float(z)),
        area_mm2=float(np.count_nonzero(member)) * ACROSS_STEP_MM**2,
        tilt_deg=float(np.degrees(np.arctan(np.hypot(plane[1], plane[2])))),
        roughness_mm=roughness,
        sagitta_mm=_sagitta_mm(points, float(np.sqrt(len(points) / np.pi))),
        falling_rim=_falling_rim(surface, member, points, plane),
        layers=_layers(upright, columns, points[:, 0], along_mm),
    )


def _flat_parts(surface: _Surface) -> Iterator[_Surface]:
    """The flat pieces of a gentle sheet: one level may run into the next at another height."""
    left = surface.present.copy()
    for _ in range(FLAT_PARTS_MAX):
        if np.count_nonzero(left) * ACROSS_STEP_MM**2 < AREA_MIN_MM2:
            return
        member = _consensus(surface.height_mm, left)
        if np.count_nonzero(member) * ACROSS_STEP_MM**2 < AREA_MIN_MM2:
            return
        yield replace(surface, present=member)
        left &= ~ndimage.binary_dilation(member)


def _consensus(height: NDArray[np.float64], columns: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The columns that lie on the plane most of them share, joined.

    The search begins at the commonest height, but the plane is free to tilt.
    """
    heights = height[columns]
    edges = np.arange(heights.min() - 0.75, heights.max() + 1.25, 0.5)
    count, _ = np.histogram(heights, edges)
    common = edges[int(np.argmax(np.convolve(count, [1, 1, 1], mode="same")))] + 0.25
    member = columns & (np.abs(height - common) < 0.75)
    u, v = np.mgrid[: height.shape[0], : height.shape[1]] * ACROSS_STEP_MM
    for _ in range(4):
        design = np.stack([np.ones(np.count_nonzero(member)), u[member], v[member]], axis=1)
        plane, *_rest = np.linalg.lstsq(design, height[member], rcond=None)
        residual = np.abs(height - plane[0] - plane[1] * u - plane[2] * v)
        spread = float(np.median(residual[member])) / 0.6745
        parts, found = ndimage.label(columns & (residual <= np.clip(2.5 * spread, 0.3, 0.5)))
        if found == 0:
            return np.zeros_like(columns)
        member = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    return np.asarray(member, dtype=np.bool_)


def _falling_rim(
    surface: _Surface,
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


def _fit_plane(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Height at the centre and slopes (mm/mm) of the free plane; rms distance from it."""
    across = points[:, 1:] - points[:, 1:].mean(axis=0)
    design = np.column_stack([np.ones(len(points)), across])
    plane, *_rest = np.linalg.lstsq(design, points[:, 0], rcond=None)
    residual = points[:, 0] - design @ plane
    return plane, float(np.sqrt(np.mean(residual**2)))


def _sagitta_mm(points: NDArray[np.float64], radius_mm: float) -> float:
    """How far the best quadric bulges between centre and rim."""
    u, v = (points[:, 1:] - points[:, 1:].mean(axis=0)).T
    design = np.column_stack([np.ones(len(u)), u, v, u * u, u * v, v * v])
    fit, *_rest = np.linalg.lstsq(design, points[:, 0], rcond=None)
    curvature = np.linalg.eigvalsh([[fit[3], fit[4] / 2], [fit[4] / 2, fit[5]]])
    return float(np.abs(curvature).max() * radius_mm**2)


def _layers(
    upright: _Upright,
    columns: NDArray[np.int64],
    height_mm: NDArray[np.float64],
    along_mm: float,
) -> _Layers:
    """Measure the columns through a surface."""
    reach = np.arange(-80, 81)
    at = np.round(height_mm / DOWN_STEP_MM).astype(int)[:, None] + reach
    at = np.clip(at, 0, upright.hu.shape[0] - 1)
    u, v = columns[:, :1], columns[:, 1:]
    profile = upright.hu[at, u, v]
    offset_mm = reach * DOWN_STEP_MM
    near, far = max(1.0, along_mm), max(3.0, 2 * along_mm)
    above = profile[:, (offset_mm <= -near) & (offset_mm >= -far)]
    below = profile[:, (offset_mm >= near) & (offset_mm <= near + along_mm + DOWN_STEP_MM)]
    hu_above, hu_below = float(np.median(above)), float(np.median(below.max(axis=1)))
    half = (hu_above + hu_below) / 2
    down, up = profile[:, offset_mm > 0] > half, profile[:, offset_mm < 0][:, ::-1] < half
    sediment = _run_mm(down[:, 1:])
    fluid = _run_mm(up[:, 1:])
    inside = upright.inside[at, u, v][:, (offset_mm >= 0) & (offset_mm <= far)]
    spread = np.subtract(*np.percentile(below.max(axis=1), [84, 16])) / 2
    return _Layers(
        hu_above=hu_above,
        hu_below=hu_below,
        unevenness=float(spread / (hu_below - min(hu_above, hu_below - 1))),
        sediment_depth_mm=float(np.percentile(sediment, 90)),
        fluid_height_mm=float(np.percentile(fluid, 75)),
        share_in_mass=float(np.mean(inside.any(axis=1))),
    )


def _run_mm(holds: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Length of the first unbroken run of each row, plus the half step before it."""
    ends = np.argmin(np.pad(holds, ((0, 0), (0, 1))), axis=1)
    return np.asarray((ends + 1) * DOWN_STEP_MM, dtype=np.float64)
