"""Candidates for fluid levels: flat pieces of the sheets where fluid lies on something dense."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.measure.level_steps import find_steps, link, storeys
from calcinosis.measure.masks import grown
from calcinosis.measure.upright import ACROSS_STEP_MM, DOWN_STEP_MM, Upright

# The thresholds below were chosen on our own phantoms (benchmarks/fluid_levels.py).
REACH_MM = 3.5  # how far above and below a step its two plateaus are sought
LINK_MM = 0.8  # neighbouring columns of one surface differ by less
SURFACE_SLOPE_MAX_DEG = 20.0
SEPTUM_DIP = 0.2  # two levels part where the step between them is this much weaker: a septum
STEP_REACH_MM = 6.0  # a column's step is compared with the strongest this near
AREA_CALLED_MIN_MM2 = 18.0  # smaller flat patches are as often ledges of paste
AREA_MIN_MM2 = 14.0  # of a flat patch beside which a larger one may lie
FLAT_PARTS_MAX = 3
ONE_HEIGHT_MM = 0.4  # columns of one level lie this near its height


@dataclass(frozen=True, eq=False)
class Surface:
    """One candidate over a small grid of columns.

    Attributes:
        corner: where the grid begins among all columns.
        height_mm: where each column's step lies, downwards.
        rise_hu: how high the step is.
        present: the columns of this candidate.
        sheet: the columns of the sheet it was cut from.
    """

    corner: tuple[int, int]
    height_mm: NDArray[np.float64]
    rise_hu: NDArray[np.float64]
    present: NDArray[np.bool_]
    sheet: NDArray[np.bool_]

    @property
    def area_mm2(self) -> float:
        """Of the columns of this candidate."""
        return _area_mm2(self.present)


def surfaces(upright: Upright, along_mm: float) -> Iterator[Surface]:
    """Gently sloped sheets of fluid-over-sediment steps."""
    reach = round(max(REACH_MM, 2 * along_mm) / DOWN_STEP_MM)
    profile = ndimage.uniform_filter1d(upright.hu, 3, axis=0, mode="nearest")
    near_mass = grown(upright.inside, 4)
    columns, steps = find_steps(profile, near_mass, reach)
    if len(steps) == 0:
        return
    labels = link(columns, steps[:, 0], LINK_MM / DOWN_STEP_MM, upright.hu.shape[1:])
    order = np.argsort(labels, kind="stable")
    bounds = np.flatnonzero(np.diff(labels[order])) + 1
    least = AREA_CALLED_MIN_MM2 / ACROSS_STEP_MM**2
    for linked in (part for part in np.split(order, bounds) if len(part) >= least):
        for members in storeys(linked, columns[linked]):
            if len(members) >= least:
                yield from _gentle_parts(_sheet(columns[members], steps[members]))


def _sheet(columns: NDArray[np.int64], steps: NDArray[np.float64]) -> Surface:
    """Linked steps on their grid, the faded ones among them."""
    corner = columns.min(axis=0)
    maps = np.zeros((2, *(columns.max(axis=0) - corner + 1)))
    u, v = (columns - corner).T
    maps[:, u, v] = steps.T
    height, rise = maps
    return Surface(
        corner=(int(corner[0]), int(corner[1])),
        height_mm=height * DOWN_STEP_MM,
        rise_hu=rise,
        present=rise > 0,
        sheet=rise > 0,
    )


def _strong(rise: NDArray[np.float64], columns: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Columns whose step does not fade: blurred beyond a wall it keeps its height, but halves."""
    strongest = ndimage.grey_dilation(_blur(rise, columns), footprint=_disc(STEP_REACH_MM))
    return np.asarray(columns & (rise > 0.5 * strongest))


def _gentle_parts(sheet: Surface) -> Iterator[Surface]:
    """A sheet cut where it slopes: a level runs into the paste beside it, but does not slope."""
    gentle = sheet.present & (_slope_deg(sheet.height_mm, sheet.present) < SURFACE_SLOPE_MAX_DEG)
    whole = ndimage.binary_opening(gentle, np.ones((2, 2)))
    members = [
        member
        for part in _wide_enough(_joined(whole))
        for piece in _wide_enough(_strong_pieces(sheet, part))
        for member in _wide_enough(_between_septa(piece, sheet.rise_hu))
    ]
    if members:
        sheet = replace(sheet, sheet=_strong(sheet.rise_hu, sheet.present))
    for member in members:
        yield replace(sheet, present=member)


def _strong_pieces(sheet: Surface, part: NDArray[np.bool_]) -> Iterator[NDArray[np.bool_]]:
    """The joined columns of a part whose steps do not fade."""
    return _joined(ndimage.binary_opening(_strong(sheet.rise_hu, part), np.ones((2, 2))))


def _joined(columns: NDArray[np.bool_]) -> Iterator[NDArray[np.bool_]]:
    """The parts of some columns that share sides."""
    parts = cc3d.connected_components(columns, connectivity=4)
    return (parts == number for number in range(1, int(parts.max()) + 1))


def _wide_enough(parts: Iterable[NDArray[np.bool_]]) -> Iterator[NDArray[np.bool_]]:
    """Those of some parts that cover as much as a level does."""
    return (part for part in parts if _area_mm2(part) >= AREA_CALLED_MIN_MM2)


def _between_septa(
    member: NDArray[np.bool_], rise: NDArray[np.float64]
) -> Iterator[NDArray[np.bool_]]:
    """Split levels that meet at a septum: a valley in the height of the step."""
    from skimage.morphology import h_maxima
    from skimage.segmentation import watershed

    smooth = _blur(rise, member)
    height = np.log(np.maximum(smooth, 1.0))
    peaks, count = ndimage.label(h_maxima(height, -np.log(1 - SEPTUM_DIP)), np.ones((3, 3)))
    if count < 2:
        yield member
        return
    grown = watershed(-smooth, peaks, mask=member)
    for part in range(1, count + 1):
        yield grown == part


def _area_mm2(columns: NDArray[np.bool_]) -> float:
    """How much the columns cover."""
    return float(np.count_nonzero(columns)) * ACROSS_STEP_MM**2


def _disc(radius_mm: float) -> NDArray[np.bool_]:
    """A disc of columns."""
    reach = int(radius_mm / ACROSS_STEP_MM)
    u, v = np.mgrid[-reach : reach + 1, -reach : reach + 1] * ACROSS_STEP_MM
    return np.asarray(u**2 + v**2 <= radius_mm**2)


def _blur(values: NDArray[np.float64], present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Gaussian mean (1 mm) over the columns that are present; 0 elsewhere."""
    weight, total = _spread([present.astype(float), values * present], 1.0)
    return np.asarray(np.where(present, total / np.maximum(weight, 1e-6), 0.0))


def _spread(maps: Sequence[NDArray[np.float64]], sigma_mm: float) -> NDArray[np.float64]:
    """Several maps of columns, each with a Gaussian of this standard deviation; 0 lies around."""
    across = sigma_mm / ACROSS_STEP_MM
    return np.asarray(ndimage.gaussian_filter(maps, (0, across, across), mode="constant"))


def _slope_deg(height: NDArray[np.float64], present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Slope of the plane fitted around every column (Gaussian weight, 1.25 mm)."""
    u, v = np.mgrid[: height.shape[0], : height.shape[1]] * ACROSS_STEP_MM
    weight = present.astype(float)
    products = (u, v, height, u * u, v * v, u * v, u * height, v * height)
    total, *sums = _spread([weight, *(product * weight for product in products)], 1.25)
    mu, mv, mh, muu, mvv, muv, muh, mvh = (part / np.maximum(total, 1e-6) for part in sums)
    uu, vv, uv = muu - mu**2, mvv - mv**2, muv - mu * mv
    uh, vh = muh - mu * mh, mvh - mv * mh
    determinant = np.maximum(uu * vv - uv**2, 1e-6)
    slope_u, slope_v = (vv * uh - uv * vh) / determinant, (uu * vh - uv * uh) / determinant
    return np.asarray(np.degrees(np.arctan(np.hypot(slope_u, slope_v))), dtype=np.float64)


def flat_parts(surface: Surface) -> Iterator[Surface]:
    """The flat pieces of a gentle sheet: one level may run into the next at another height."""
    left = surface.present.copy()
    for _ in range(FLAT_PARTS_MAX):
        if _area_mm2(left) < AREA_CALLED_MIN_MM2:
            return
        member = _consensus(surface.height_mm, left)
        area_mm2 = _area_mm2(member)
        if area_mm2 < AREA_MIN_MM2:
            return
        if area_mm2 >= AREA_CALLED_MIN_MM2:
            yield replace(surface, present=member)
        left &= ~grown(member)


def at_two_heights(surface: Surface) -> list[Surface]:
    """The upper and the lower half of a flat piece, each near its own height; both or none.

    Two levels across a thin septum, at different heights, may pass for one that is tilted.
    """
    from skimage.filters import threshold_otsu

    height, present = surface.height_mm, surface.present
    if np.ptp(height[present]) < ONE_HEIGHT_MM:
        return []
    upper = height <= threshold_otsu(height[present])
    halves = []
    for half in (upper, ~upper):
        near = _near_median(height, present & half)
        if _area_mm2(near) < AREA_MIN_MM2:
            return []
        halves.append(replace(surface, present=near))
    return halves


def _near_median(height: NDArray[np.float64], columns: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest joined part of some columns that lies near their median height."""
    near = columns & (np.abs(height - np.median(height[columns])) < ONE_HEIGHT_MM)
    return _largest_part(ndimage.binary_opening(near, np.ones((2, 2))))


def _largest_part(columns: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The joined columns that are most; none where there are none."""
    parts = cc3d.connected_components(columns, connectivity=4)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray(columns & (parts == sizes.argmax()))


def _consensus(height: NDArray[np.float64], columns: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The columns that lie on the plane most of them share, joined.

    The search begins at the commonest height, but the plane is free to tilt.
    """
    heights = height[columns]
    edges = np.arange(heights.min() - 0.75, heights.max() + 1.25, 0.5)
    count, _ = np.histogram(heights, edges)
    common = edges[int(np.argmax(np.convolve(count, [1, 1, 1], mode="same")))] + 0.25
    member: NDArray[np.bool_] = columns & (np.abs(height - common) < 0.75)
    u, v = np.mgrid[: height.shape[0], : height.shape[1]] * ACROSS_STEP_MM
    for _ in range(4):
        design = np.stack([np.ones(np.count_nonzero(member)), u[member], v[member]], axis=1)
        plane, *_rest = np.linalg.lstsq(design, height[member], rcond=None)
        residual = np.abs(height - plane[0] - plane[1] * u - plane[2] * v)
        spread = float(np.median(residual[member])) / 0.6745
        member = _largest_part(columns & (residual <= np.clip(2.5 * spread, 0.3, 0.5)))
        if not member.any():
            break
    return member
