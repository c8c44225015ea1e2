"""Maximum-intensity projections: the whole scan at a glance, masses coloured and numbered."""

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calcinosis.measure.mass import CtMeasurement, Point
from calcinosis.volume import Volume
from calcinosis.write.report.drawing import (
    Figure,
    figure,
    fitting,
    orientation_letters,
    outline,
    ring,
    scale_bar,
    text,
    windowed,
)
from calcinosis.write.report.edges import edges
from calcinosis.write.report.numbers import colour, plural

WINDOW_HU = (500.0, 1400.0)
MARKED = 60  # other calcifications that get a ring, largest first

# Name; patient axis looked along, shown left to right, and shown top to bottom (0 x, 1 y, 2 z).
VIEWS = (("Coronal", 1, 0, "RLHF"), ("Sagittal", 0, 1, "APHF"))


@dataclass(frozen=True, eq=False)
class View:
    """A projection along the array axis nearest to a patient axis.

    Attributes:
        axes: array axes looked along, shown downwards, shown to the right.
        flips: whether the down and right array axes run against the picture.
        size: width and height in figure units.
    """

    volume: Volume
    axes: tuple[int, int, int]
    flips: tuple[bool, bool]
    size: tuple[float, float]

    def flatten(self, values: NDArray[Any]) -> NDArray[Any]:
        """The greatest value along each line of sight, [down, right]."""
        along, down, right = self.axes
        flat = values.max(axis=along)
        upright = flat if down < right else flat.T
        backwards = tuple(axis for axis in (0, 1) if self.flips[axis])
        return np.asarray(np.flip(upright, backwards))

    def place(
        self, rows: NDArray[np.floating], columns: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """Row and column indices of the flat picture to figure units (x, y)."""
        shape = self.volume.shape
        height, width = shape[self.axes[1]], shape[self.axes[2]]
        x = (columns + 0.5) * self.size[0] / width
        y = (rows + 0.5) * self.size[1] / height
        return np.stack([x, y], axis=-1)

    def locate(self, point_lps_mm: Point) -> NDArray[np.float64]:
        """Where a point of the patient lies in the picture."""
        index = self.volume.to_indices(point_lps_mm)
        row, column = (
            self.volume.shape[axis] - 1 - index[axis] if flip else index[axis]
            for axis, flip in zip(self.axes[1:], self.flips, strict=True)
        )
        return self.place(np.asarray(row), np.asarray(column))


def projections(volume: Volume, measurement: CtMeasurement) -> list[Figure]:
    """Coronal and sagittal projection with the masses outlined and numbered."""
    return [
        _projection(_view(volume, along, right), volume, measurement, name, letters)
        for name, along, right, letters in VIEWS
    ]


def _view(volume: Volume, along: int, right: int) -> View:
    axes = _nearest_array_axes(volume)
    cosines = volume.affine[:3, :3]
    flips = (bool(cosines[2, axes[2]] > 0), bool(cosines[right, axes[right]] < 0))
    extent = [volume.shape[axis] * volume.spacing_mm[axis] for axis in axes]
    scale = fitting(extent[right], extent[2])
    size = (extent[right] * scale, extent[2] * scale)
    return View(volume, (axes[along], axes[2], axes[right]), flips, size)


def _nearest_array_axes(volume: Volume) -> tuple[int, int, int]:
    """The array axes that run closest to the patient's x, y and z."""
    cosines = np.abs(volume.affine[:3, :3]) / volume.spacing_mm
    x, y, z = max(permutations(range(3)), key=lambda axes: cosines[range(3), axes].sum())
    return x, y, z


def _projection(
    view: View, volume: Volume, measurement: CtMeasurement, name: str, letters: str
) -> Figure:
    grey = _resized(windowed(view.flatten(volume.voxels).astype(np.float32), *WINDOW_HU), view.size)
    scale = view.size[1] / (volume.shape[view.axes[1]] * volume.spacing_mm[view.axes[1]])
    marks = _other_marks(view, measurement) + _mass_marks(view, measurement)
    marks += orientation_letters(view.size, letters) + scale_bar(view.size, scale)
    alt = (
        f"{name} maximum-intensity projection of the whole scan with "
        f"{plural(len(measurement.masses), 'calcified mass', 'calcified masses')} outlined."
    )
    return figure(grey, view.size, marks, alt=alt, caption=f"{name} projection")


def _mass_marks(view: View, measurement: CtMeasurement) -> list[str]:
    flat = view.flatten(measurement.labels)
    outlines, numbers = [], []
    for mass in measurement.masses:
        curves = edges((flat == mass.id).astype(np.float32), 0.3)
        places = [view.place(curve[:, 0], curve[:, 1]) for curve in curves]
        outlines.append(outline(places, colour(mass.id), fill_opacity=0.28))
        x, y = view.locate(mass.centroid_lps_mm)
        numbers.append(text(x, y + 5, str(mass.id), kind="number"))
    return outlines + numbers


def _other_marks(view: View, measurement: CtMeasurement) -> list[str]:
    places = [view.locate(other.centroid_lps_mm) for other in measurement.other_calcifications]
    return [ring(x, y, 3.5, kind="other") for x, y in places[:MARKED]]


def _resized(grey: NDArray[np.uint8], size: tuple[float, float]) -> NDArray[np.uint8]:
    """Square pixels, two and a half per figure unit."""
    from PIL import Image

    pixels = (round(size[0] * 2.5), round(size[1] * 2.5))
    return np.asarray(Image.fromarray(grey).resize(pixels, Image.Resampling.BICUBIC))
