"""Flat cuts through the patient, whatever way the voxels lie."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from calcinosis.measure.mass import FluidLevel, Labels, Mass, Point
from calcinosis.volume import Volume
from calcinosis.write.report.drawing import (
    Figure,
    figure,
    line,
    orientation_letters,
    outline,
    ring,
    scale_bar,
    text,
    windowed,
)
from calcinosis.write.report.edges import edges
from calcinosis.write.report.numbers import colour, number
from calcinosis.write.report.trilinear import square

WINDOW_HU = (300.0, 1500.0)  # level and width, the bone window the masses are read in
SIDE = 360.0  # figure units, about as large as it is shown
CLOSE_SIDE = 240.0  # the same for close looks
LEVEL_WINDOW_HU = (350.0, 1100.0)  # tells fluid, sediment and paste apart
PLACE_SIDE_MM = 110.0  # a place with what lies around it
PIXELS = 540  # image pixels along a side
AIR_HU = -1024.0

# Name, right and down direction of the picture in LPS, letters at left, right, top, bottom.
PLANES = (
    ("Axial", (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), "RLAP"),
    ("Coronal", (1.0, 0.0, 0.0), (0.0, 0.0, -1.0), "RLHF"),
    ("Sagittal", (0.0, 1.0, 0.0), (0.0, 0.0, -1.0), "APHF"),
)


@dataclass(frozen=True, eq=False)
class Plane:
    """A square cut: its centre, the directions right and down (LPS), and its side in mm."""

    centre: Point
    right: tuple[float, float, float]
    down: tuple[float, float, float]
    side_mm: float
    side: float = SIDE

    @cached_property
    def corners(self) -> NDArray[np.float64]:
        """LPS positions of the first pixel, the last below it, the last beside it, and the last."""
        reach_mm = (0.5 - 0.5 / PIXELS) * self.side_mm
        down, right = reach_mm * np.array(self.down), reach_mm * np.array(self.right)
        away = (-down - right, down - right, right - down, down + right)
        return np.asarray(np.array(self.centre) + away)

    @property
    def unit_per_mm(self) -> float:
        """Figure units per millimetre."""
        return self.side / self.side_mm

    def sample(
        self, volume: Volume, values: NDArray[np.generic], outside: float
    ) -> NDArray[np.float32]:
        """`values` on the volume's grid, read at each pixel by linear interpolation."""
        first, below, beside, _ = volume.to_indices(self.corners)
        down, right = (below - first) / (PIXELS - 1), (beside - first) / (PIXELS - 1)
        return np.asarray(square(values, first, down, right, PIXELS, outside))

    def contours(self, volume: Volume, mask: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
        """Edges of a mask on the volume's grid, as curves [n, 2] (x, y) in figure units."""
        curves = edges(self.sample(volume, mask.view(np.uint8), 0.0), 0.35)
        return [(curve[:, ::-1] + 0.5) * self.side / PIXELS for curve in curves]


def mass_planes(volume: Volume, labels: Labels, mass: Mass, extent_mm: float) -> list[Figure]:
    """The three planes through the centre of a mass `extent_mm` large, every mass outlined."""
    side_mm = float(np.clip(1.7 * extent_mm, 110.0, 500.0))
    centre = mass.centroid_lps_mm
    return [
        _cut(volume, labels, mass, Plane(centre, right, down, side_mm), name, letters)
        for name, right, down, letters in PLANES
    ]


def around(volume: Volume, labels: Labels, plane: Plane) -> tuple[Volume, Labels]:
    """The part of the scan that a plane's pixels lie in."""
    corners = volume.to_indices(plane.corners)
    low = np.clip(np.floor(corners.min(axis=0)), 0, np.array(volume.shape) - 1).astype(int)
    high = np.maximum(np.ceil(corners.max(axis=0)).astype(int) + 1, low + 1)
    box = (slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2]))
    return volume.crop(box), labels[box]


def place_view(volume: Volume, labels: Labels, place: Point) -> Figure:
    """The axial plane through a place, which is ringed, every mass outlined."""
    name, right, down, letters = PLANES[0]
    plane = Plane(place, right, down, PLACE_SIDE_MM, CLOSE_SIDE)
    grey, marks = with_masses(volume, labels, plane, letters)
    marks.append(ring(plane.side / 2, plane.side / 2, 20, kind="other"))
    axes = zip("xyz", place, strict=True)
    where = ", ".join(f"{axis} {number(value, 0)}" for axis, value in axes) + " mm"
    alt = f"{name} CT plane at {where}, the place ringed."
    return figure(grey, (plane.side, plane.side), marks, alt=alt, caption=where)


def with_masses(
    volume: Volume, labels: Labels, plane: Plane, letters: str
) -> tuple[NDArray[np.uint8], list[str]]:
    """A plane in the bone window, and its marks: every mass in its colour, sides and scale."""
    near, near_labels = around(volume, labels, plane)
    grey = windowed(plane.sample(near, near.voxels, AIR_HU), *WINDOW_HU)
    marks = [
        outline(plane.contours(near, near_labels == label), colour(int(label)))
        for label in np.unique(near_labels[near_labels > 0])
    ]
    size = (plane.side, plane.side)
    marks += orientation_letters(size, letters) + scale_bar(size, plane.unit_per_mm)
    return grey, marks


def _cut(
    volume: Volume, labels: Labels, mass: Mass, plane: Plane, name: str, letters: str
) -> Figure:
    grey, marks = with_masses(volume, labels, plane, letters)
    axis = next(i for i in range(3) if plane.right[i] == plane.down[i] == 0)
    place = f"{'xyz'[axis]} = {number(plane.centre[axis], 0)} mm"
    alt = (
        f"{name} CT plane through the centre of mass {mass.id} at {place}, "
        f"window level {WINDOW_HU[0]:.0f} width {WINDOW_HU[1]:.0f}, mass outlined."
    )
    return figure(grey, (plane.side, plane.side), marks, alt=alt, caption=f"{name}, {place}")


def level_view(volume: Volume, labels: Labels, mass: Mass, level: FluidLevel, order: int) -> Figure:
    """A close look at one fluid level, turned so that gravity points down the picture."""
    down = volume.gravity_lps
    right = np.cross((0.0, 0.0, 1.0), down) * -1.0
    side_mm = float(np.clip(3.2 * np.sqrt(level.area_mm2), 25.0, 90.0))
    plane = Plane(level.centroid_lps_mm, tuple(right), tuple(down), side_mm, CLOSE_SIDE)
    near, near_labels = around(volume, labels, plane)
    grey = windowed(plane.sample(near, near.voxels, AIR_HU), *LEVEL_WINDOW_HU)
    size = (CLOSE_SIDE, CLOSE_SIDE)
    marks = [outline(plane.contours(near, near_labels == mass.id), colour(mass.id))]
    marks += _level_marks(level, plane) + scale_bar(size, plane.unit_per_mm)
    alt = (
        f"Fluid level {order} of mass {mass.id} in an axial cut turned so that gravity points "
        f"down: fluid of {number(level.hu_above, 0)} HU above sediment of "
        f"{number(level.hu_below, 0)} HU."
    )
    caption = f"Level {order}, z = {number(level.centroid_lps_mm[2], 0)} mm"
    return figure(grey, size, marks, alt=alt, caption=caption)


def _level_marks(level: FluidLevel, plane: Plane) -> list[str]:
    """The level, drawn beside the interface rather than over it, and the HU on both sides."""
    middle = plane.side / 2
    half = 0.5 * np.sqrt(4 / np.pi * level.area_mm2) * plane.unit_per_mm
    left, right = middle - half, middle + half
    return [
        line((8, middle), (left - 4, middle), kind="level"),
        line((right + 4, middle), (plane.side - 8, middle), kind="level"),
        text(10, middle - 8, f"{number(level.hu_above, 0)} HU", anchor="start", kind="small"),
        text(10, middle + 18, f"{number(level.hu_below, 0)} HU", anchor="start", kind="small"),
        line((middle, 10), (middle, 27), kind="bar"),
        f'<path d="M{middle - 5:g},23L{middle:g},33L{middle + 5:g},23Z" class="arrow"/>',
        text(middle + 12, 26, "gravity", anchor="start", kind="small"),
    ]
