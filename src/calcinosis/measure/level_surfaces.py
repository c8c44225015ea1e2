"""Candidates for fluid levels: flat pieces of the sheets where fluid lies on something dense."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.measure.upright import ACROSS_STEP_MM, DOWN_STEP_MM, Upright

# The thresholds below were chosen on our own phantoms (benchmarks/fluid_levels.py).
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
FLAT_PARTS_MAX = 3


@dataclass(frozen=True, eq=False)
class Surface:
    """One candidate: height (mm, downwards) over a small grid of columns."""

    corner: tuple[int, int]
    height_mm: NDArray[np.float64]
    present: NDArray[np.bool_]
    sheet: NDArray[np.bool_]  # the columns of the sheet it was cut from


def surfaces(upright: Upright, along_mm: float) -> Iterator[Surface]:
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
) -> Iterator[Surface]:
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
                yield Surface((int(corner[0]), int(corner[1])), height, member, present & strong)


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


def flat_parts(surface: Surface) -> Iterator[Surface]:
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
