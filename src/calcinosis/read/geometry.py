"""Slices in space: do they make one volume, and what must be done so that they do.

Every affine here maps array indices [slice, row, column] to LPS millimetres.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from calcinosis.errors import GeometryError
from calcinosis.read.dicom import MOST_VOXELS, Plane

Kind = TypeVar("Kind", bound=np.generic)

FEWEST_SLICES = 3  # two slices have one gap: nothing tells whether a slice is missing between
SAME_DIRECTION = 1e-3  # direction cosines are written with as few as four digits
SAME_PLACE_MM = 0.01
EVEN_TO = 0.1  # of the spacing; positions are often rounded to 0.1 mm
GAP_RATIO = 1.75  # a lone gap this much wider than its neighbours lacks a slice
FEWEST_DOUBLED = 5  # so many equal gaps of whole multiples are meant; fewer may be slices lost
WIDEST_SPACING_MM = 10.0  # a 1 mL sphere (12 mm across) could hide between wider slices
STEEPEST_DEG = 45  # gantries tilt to 30°
SHEAR_TOLERATED = 0.5  # pixels of sideways drift over the whole stack


@dataclass(frozen=True, eq=False)
class Stack:
    """Planes in order along their common normal.

    Attributes:
        planes: lowest (feet, back or right) first.
        along_mm: distance of each plane along the normal.
        normal: of all planes, upwards, shape (3,).
        ascent: change of place per millimetre along the normal, shape (3,); the normal itself,
            and the sideways drift of a tilted gantry.
    """

    planes: tuple[Plane, ...]
    along_mm: NDArray[np.float64]
    normal: NDArray[np.float64]
    ascent: NDArray[np.float64]

    @property
    def spacing_mm(self) -> float:
        """Distance between neighbouring slices; the smallest one where it varies."""
        gaps = np.diff(self.along_mm)
        return float(np.mean(gaps) if self.even else np.min(gaps))

    @property
    def even(self) -> bool:
        """Whether all slices lie at one spacing."""
        regular = np.linspace(self.along_mm[0], self.along_mm[-1], len(self.along_mm))
        mean = (self.along_mm[-1] - self.along_mm[0]) / (len(self.along_mm) - 1)
        return bool(np.abs(self.along_mm - regular).max() <= EVEN_TO * mean)

    @property
    def extent_mm(self) -> float:
        """From the first to the last slice."""
        return float(self.along_mm[-1] - self.along_mm[0])

    @property
    def affine(self) -> NDArray[np.float64]:
        """Of the evenly spaced slices; sheared where the gantry was tilted."""
        first = self.planes[0]
        row_mm, column_mm = first.pixel_spacing_mm
        affine = np.eye(4)
        affine[:3, 0] = self.ascent * self.spacing_mm
        affine[:3, 1] = np.asarray(first.orientation[3:]) * row_mm
        affine[:3, 2] = np.asarray(first.orientation[:3]) * column_mm
        affine[:3, 3] = first.position_lps_mm
        return affine


def arrange(planes: Sequence[Plane]) -> Stack:
    """Order planes along their normal and check that they make a volume.

    Raises:
        GeometryError: too few, of different size or direction, at the same place, missing, too
            far apart, or drifting sideways; names the file at fault.
    """
    if len(planes) < FEWEST_SLICES:
        raise GeometryError(
            f"{planes[0].name}: the series has {len(planes)} slice{'s' * (len(planes) > 1)}; "
            f"expected at least {FEWEST_SLICES} contiguous ones"
        )
    normal = _common_normal(planes)
    positions = np.array([plane.position_lps_mm for plane in planes])
    order = np.argsort(positions @ normal, kind="stable")
    planes = [planes[index] for index in order]
    positions = positions[order]
    along = positions @ normal
    _check_same_matrix(planes)
    _check_size(planes)
    _check_gaps(planes, along)
    drift = _drift(planes, positions, along, normal)
    return Stack(tuple(planes), along, normal, normal + drift)


def one_at_each_place(planes: Sequence[Plane]) -> bool:
    """Whether planes have one direction and size, and no two lie in one place."""
    try:
        normal = _common_normal(planes)
        _check_same_matrix(planes)
    except GeometryError:
        return False
    along = np.sort(np.array([plane.position_lps_mm for plane in planes]) @ normal)
    return len(planes) == 1 or _closest(np.diff(along)) is None


def _common_normal(planes: Sequence[Plane]) -> NDArray[np.float64]:
    first = np.asarray(planes[0].orientation)
    rows, columns = first[:3], first[3:]
    lengths = np.linalg.norm(rows), np.linalg.norm(columns)
    if max(abs(lengths[0] - 1), abs(lengths[1] - 1), abs(rows @ columns)) > 10 * SAME_DIRECTION:
        raise GeometryError(
            f"{planes[0].name}: ImageOrientationPatient is {planes[0].orientation}; "
            "expected two perpendicular unit vectors"
        )
    turned = np.abs(np.array([plane.orientation for plane in planes]) - first).max(axis=1)
    if turned.max() > SAME_DIRECTION:
        plane = planes[int((turned > SAME_DIRECTION).argmax())]
        raise GeometryError(
            f"{plane.name}: ImageOrientationPatient is {plane.orientation}; "
            f"expected {planes[0].orientation} as in {planes[0].name}"
        )
    normal = np.cross(rows, columns)
    normal /= np.linalg.norm(normal)
    upward = np.sign(normal[np.abs(normal).argmax()])
    return np.asarray(normal * upward, dtype=np.float64)


def _check_same_matrix(planes: Sequence[Plane]) -> None:
    first = planes[0]
    for plane in planes:
        if (plane.pixels.rows, plane.pixels.columns) != (first.pixels.rows, first.pixels.columns):
            raise GeometryError(
                f"{plane.name}: the slice has {plane.pixels.rows}×{plane.pixels.columns} pixels; "
                f"expected {first.pixels.rows}×{first.pixels.columns} as in {first.name}"
            )
    pixels_mm = np.array([plane.pixel_spacing_mm for plane in planes])
    other = ~np.isclose(pixels_mm, first.pixel_spacing_mm, rtol=1e-3).all(axis=1)
    if other.any():
        plane = planes[int(other.argmax())]
        raise GeometryError(
            f"{plane.name}: PixelSpacing is {plane.pixel_spacing_mm} mm; "
            f"expected {first.pixel_spacing_mm} mm as in {first.name}"
        )


def _check_size(planes: Sequence[Plane]) -> None:
    pixels = planes[0].pixels
    if len(planes) * pixels.rows * pixels.columns > MOST_VOXELS:
        raise GeometryError(
            f"{planes[0].name}: {len(planes)} slices of {pixels.rows}×{pixels.columns} pixels; "
            "expected at most 2³¹ voxels"
        )


def _check_gaps(planes: Sequence[Plane], along: NDArray[np.float64]) -> None:
    gaps = np.diff(along)
    apart = gaps[gaps > SAME_PLACE_MM]
    if FEWEST_SLICES <= len(apart) + 1 <= len(planes) / 2:
        raise GeometryError(
            f"{planes[0].name}: {len(planes)} slices lie at {len(apart) + 1} positions, as those "
            "of several phases or reconstructions do, and nothing in their headers tells these "
            "apart; expected one slice per position"
        )
    index = _closest(gaps)
    if index is not None:
        raise GeometryError(
            f"{planes[index + 1].name}: lies {gaps[index]:.2f} mm from {planes[index].name} "
            f"(at {along[index]:.2f} mm); expected one slice per position"
        )
    missing = _lone_gap(gaps)
    if missing is not None:
        usual = float(np.median(gaps))
        raise GeometryError(
            f"a slice is missing between {planes[missing].name} ({along[missing]:.2f} mm) and "
            f"{planes[missing + 1].name} ({along[missing + 1]:.2f} mm): found a gap of "
            f"{gaps[missing]:.2f} mm, expected {usual:.2f} mm"
        )
    if gaps.max() > WIDEST_SPACING_MM + SAME_PLACE_MM:
        index = int(gaps.argmax())
        raise GeometryError(
            f"{planes[index + 1].name}: lies {gaps[index]:.2f} mm from {planes[index].name}; "
            f"expected at most {WIDEST_SPACING_MM:.0f} mm, so that no mass falls between slices"
        )


def _closest(gaps: NDArray[np.float64]) -> int | None:
    """Index of the gap that is none."""
    none = gaps.min() < max(SAME_PLACE_MM, EVEN_TO * float(np.median(gaps)))
    return int(gaps.argmin()) if none else None


def _lone_gap(gaps: NDArray[np.float64]) -> int | None:
    """Index of a gap that lacks slices; long runs of equal wider gaps are meant so."""
    edges = [0, *(np.flatnonzero(np.abs(np.diff(gaps)) > EVEN_TO * gaps[:-1]) + 1), len(gaps)]
    runs = list(pairwise(edges))
    usual = float(np.median(gaps))
    for number, (start, stop) in enumerate(runs):
        if len(runs) == 1:
            return None
        beside = [
            gaps[runs[other][0]] for other in (number - 1, number + 1) if 0 <= other < len(runs)
        ]
        multiple = gaps[start] / usual
        whole = abs(multiple - round(multiple)) < EVEN_TO and stop - start < FEWEST_DOUBLED
        lone = gaps[start] > GAP_RATIO * max(beside) and stop - start < FEWEST_SLICES
        if lone or (multiple > GAP_RATIO and whole):
            return int(start)
    return None


def _drift(
    planes: Sequence[Plane],
    positions: NDArray[np.float64],
    along: NDArray[np.float64],
    normal: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Sideways movement of the slices per millimetre along the normal (gantry tilt), (3,)."""
    sideways = positions - along[:, None] * normal
    drift = (sideways[-1] - sideways[0]) / (along[-1] - along[0])
    expected = sideways[0] + (along - along[0])[:, None] * drift
    error = np.linalg.norm(sideways - expected, axis=1)
    tolerated = SHEAR_TOLERATED * min(planes[0].pixel_spacing_mm)
    if error.max() > tolerated:
        index = int(error.argmax())
        raise GeometryError(
            f"{planes[index].name}: the slice lies {error[index]:.2f} mm sideways of the line "
            f"through the others; expected at most {tolerated:.2f} mm"
        )
    aslant = np.degrees(np.arctan(np.linalg.norm(drift)))
    if aslant > STEEPEST_DEG:
        raise GeometryError(
            f"{planes[-1].name}: the slices run {aslant:.0f}° aslant of their normal; "
            f"expected at most {STEEPEST_DEG}°"
        )
    total = np.linalg.norm(drift) * (along[-1] - along[0])
    return drift if total > tolerated else np.zeros(3)


def evenly_spaced(voxels: NDArray[np.int16], stack: Stack) -> NDArray[np.int16]:
    """Slices at varying distances, interpolated linearly onto the smallest of them."""
    if stack.even:
        return voxels
    count = int(stack.extent_mm / stack.spacing_mm + 1e-6) + 1
    wanted = stack.along_mm[0] + stack.spacing_mm * np.arange(count)
    place = np.interp(wanted, stack.along_mm, np.arange(len(stack.along_mm)))
    below = np.minimum(place.astype(int), len(voxels) - 2)
    weight = (place - below).astype(np.float32)
    result = np.empty((count, *voxels.shape[1:]), dtype=np.int16)
    for index in range(count):
        lower, upper = voxels[below[index]], voxels[below[index] + 1]
        result[index] = np.rint(lower + weight[index] * (upper.astype(np.float32) - lower))
    return result


def straightened(
    voxels: NDArray[np.int16], affine: NDArray[np.float64], fill: int
) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Undo a shear of the slice axis: every slice is moved in its own plane (linear, 1 pass).

    The volume grows sideways so that nothing is lost; new corners hold `fill`. Rows and columns
    must be perpendicular to each other.

    Returns:
        Voxels and their affine with three perpendicular axes.
    """
    from scipy.ndimage import shift

    step, down, across = (affine[:3, axis] for axis in range(3))
    normal = np.cross(down, across)
    normal /= np.linalg.norm(normal)
    height = float(step @ normal)
    drift = np.array([step @ down / (down @ down), step @ across / (across @ across)])
    total = drift * (len(voxels) - 1)
    before = np.maximum(np.ceil(-total), 0).astype(int)
    after = np.maximum(np.ceil(total), 0).astype(int)
    size = (len(voxels), *(np.array(voxels.shape[1:]) + before + after))
    result = np.full(size, fill, dtype=np.int16)
    pad = list(zip(before, after, strict=True))
    for index, image in enumerate(voxels):
        wide = np.pad(image.astype(np.float32), pad, constant_values=fill)
        result[index] = np.rint(shift(wide, drift * index, order=1, cval=fill))
    new = affine.copy()
    new[:3, 0] = height * normal
    new[:3, 3] -= before[0] * down + before[1] * across
    return result, new


def shear_deg(affine: NDArray[np.float64]) -> float:
    """Angle between the slice axis and the normal of the slices, in degrees."""
    normal = np.cross(affine[:3, 1], affine[:3, 2])
    cosine = abs(normal @ affine[:3, 0]) / np.linalg.norm(normal) / np.linalg.norm(affine[:3, 0])
    return float(np.degrees(np.arccos(min(cosine, 1.0))))


def axis_order(affine: NDArray[np.float64]) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """Which array axes run nearest to head, back and left, and which of them backwards."""
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    upward = directions[::-1]  # rows S, P, L
    order = max(permutations(range(3)), key=lambda p: sum(abs(upward[i, p[i]]) for i in range(3)))
    return order, tuple(bool(upward[i, order[i]] < 0) for i in range(3))


def canonical(
    voxels: NDArray[Kind], affine: NDArray[np.float64]
) -> tuple[NDArray[Kind], NDArray[np.float64]]:
    """Axes exchanged and turned, without resampling, so that [z, y, x] run head, back, left."""
    order, backwards = axis_order(affine)
    turned = affine[:, [*order, 3]].copy()
    result = voxels.transpose(order)
    for axis in (axis for axis in range(3) if backwards[axis]):
        turned[:3, 3] += (result.shape[axis] - 1) * turned[:3, axis]
        turned[:3, axis] *= -1
        result = np.flip(result, axis)
    return np.ascontiguousarray(result), turned
