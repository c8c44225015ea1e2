"""The slices a learner scrolls through, and where on them a click is right."""

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calcinosis.measure.mass import CtMeasurement
from calcinosis.phantom.truth import Truth
from calcinosis.volume import Volume
from calcinosis.write.report.edges import edges
from calcinosis.write.report.planes import AIR_HU
from calcinosis.write.report.trilinear import square

MOST_SLICES = 72
MOST_PIXELS = 400  # along a side; phantoms have 256
ROOM_MM = 70.0  # shown above and below the masses of a study, at least
QUALITY = 74  # WebP; noise costs more than the anatomy beyond it
TISSUE_HU = -300.0  # what is denser belongs to the body, for cropping
# Grey levels hold Hounsfield units so that the page can window them: most for soft tissue (3.3 HU a
# step) and for calcium and bone (10 HU), few for air, which is black in every window.
LEVELS_HU = ((0.0, -500.0), (15.0, -160.0), (135.0, 240.0), (255.0, 1440.0))
LEAST_AREA = 6.0  # pixels of a piece of outline that can be aimed at

Curves = list[list[list[float]]]  # outlines of (x, y) in pixels


@dataclass(frozen=True, eq=False)
class Slices:
    """Axial slices from head to feet, the patient's right on the left of the picture.

    Attributes:
        images: as WebP data URIs; grey levels as `LEVELS_HU` tells.
        pixels: along each side.
        pixel_mm: side of one.
        z_mm: of each slice, LPS.
        first: the slice shown first.
        drawn: by target (mass, level, erosion), for each slice, where it was drawn.
        measured: the same as the program measured it.
    """

    images: tuple[str, ...]
    pixels: int
    pixel_mm: float
    z_mm: tuple[float, ...]
    first: int
    drawn: dict[str, list[Curves]]
    measured: dict[str, list[Curves]]


@dataclass(frozen=True, eq=False)
class _Frame:
    """The square of the patient that every slice shows."""

    volume: Volume
    left_mm: float
    top_mm: float
    side_mm: float
    pixels: int

    @property
    def pixel_mm(self) -> float:
        return self.side_mm / self.pixels

    def sample(
        self, values: NDArray[np.generic], z_mm: float, outside: float
    ) -> NDArray[np.float32]:
        """`values` on the volume's grid at each pixel of one slice."""
        half, step = self.pixel_mm / 2, self.pixel_mm
        corner = np.array([self.left_mm + half, self.top_mm + half, z_mm])
        beside, below = np.array([step, 0, 0]), np.array([0, step, 0])
        corners = np.array([corner, corner + beside, corner + below])
        first, right, down = self.volume.to_indices(corners)
        return np.asarray(square(values, first, down - first, right - first, self.pixels, outside))


def slices_of(volume: Volume, measured: CtMeasurement, truth: Truth | None) -> Slices:
    """Cut a scan for the page; all of it, or what lies around the masses where that is long."""
    frame = _frame(volume)
    z_mm = _heights(volume, measured)
    own = {"mass": _outlines(frame, measured.labels > 0, z_mm)}
    own["level"] = [_measured_levels(frame, measured, z, _step(z_mm)) for z in z_mm]
    drawn = own
    if truth is not None:
        drawn = {name: _outlines(frame, mask, z_mm) for name, mask in _drawn(truth).items()}
    return Slices(
        images=tuple(_image(frame, z) for z in z_mm),
        pixels=frame.pixels,
        pixel_mm=frame.pixel_mm,
        z_mm=tuple(z_mm),
        first=0,
        drawn=drawn,
        measured=own,
    )


def _drawn(truth: Truth) -> dict[str, NDArray[np.bool_]]:
    """Masks of what was drawn; a level is a sheet, made as thick as a click can hit."""
    from scipy.ndimage import binary_dilation

    return {
        "mass": truth.envelope > 0,
        "level": np.asarray(binary_dilation(truth.levels > 0, iterations=1)),
        "erosion": truth.erosion > 0,
    }


def _frame(volume: Volume) -> _Frame:
    """The smallest square around the body, its pixels as fine as the scan's, or 400 a side."""
    body = np.argwhere(volume.voxels[::2, ::4, ::4] > TISSUE_HU) * [2, 4, 4]
    places = volume.to_lps(body if len(body) else np.argwhere(volume.voxels[:, ::8, ::8] > -5000))
    low, high = places[:, :2].min(axis=0) - 10, places[:, :2].max(axis=0) + 10
    side_mm = float((high - low).max())
    left, top = ((low + high) / 2 - side_mm / 2).tolist()
    pixels = round(min(MOST_PIXELS, side_mm / min(volume.spacing_mm[1:])))
    return _Frame(volume, left, top, side_mm, pixels)


def _heights(volume: Volume, measured: CtMeasurement) -> list[float]:
    """Heights of the slices, head first."""
    corners = np.array(np.meshgrid(*[[0, n - 1] for n in volume.shape])).reshape(3, -1).T
    z = volume.to_lps(corners)[:, 2]
    low, high = float(z.min()), float(z.max())
    if measured.masses and high - low > 4 * ROOM_MM:
        places = volume.to_lps(np.argwhere(measured.labels[:, ::2, ::2] > 0) * [1, 2, 2])[:, 2]
        low = max(low, float(places.min()) - ROOM_MM)
        high = min(high, float(places.max()) + ROOM_MM)
    step = max(min(volume.spacing_mm[0], 10.0), (high - low) / (MOST_SLICES - 1))
    count = int((high - low) / step + 1e-6) + 1
    return [high - step * number for number in range(count)]


def _step(z_mm: list[float]) -> float:
    return abs(z_mm[0] - z_mm[1]) if len(z_mm) > 1 else 1.0


def _image(frame: _Frame, z_mm: float) -> str:
    from PIL import Image

    levels, hounsfield = zip(*LEVELS_HU, strict=True)
    grey = np.interp(frame.sample(frame.volume.voxels, z_mm, AIR_HU), hounsfield, levels)
    buffer = io.BytesIO()
    Image.fromarray((grey + 0.5).astype(np.uint8)).save(buffer, "WEBP", quality=QUALITY, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _outlines(frame: _Frame, mask: NDArray[np.bool_], z_mm: list[float]) -> list[Curves]:
    """The outlines of a mask on every slice; empty where the slice does not reach it."""
    if not mask.any():
        return [[] for _ in z_mm]
    height_mm = frame.volume.to_lps(np.argwhere(mask))[:, 2]
    reach_mm = max(frame.volume.spacing_mm)
    low, high = float(height_mm.min()) - reach_mm, float(height_mm.max()) + reach_mm
    return [_curves(frame, mask, z) if low <= z <= high else [] for z in z_mm]


def _curves(frame: _Frame, mask: NDArray[np.bool_], z_mm: float) -> Curves:
    inside = frame.sample(mask.view(np.uint8), z_mm, 0.0)
    if not inside.any():
        return []
    return [
        np.round(curve[:, ::-1] + 0.5, 1).tolist()
        for curve in edges(inside, 0.4)
        if _area(curve) >= LEAST_AREA
    ]


def _area(curve: NDArray[np.float64]) -> float:
    y, x = curve.T
    return abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))) / 2


def _measured_levels(frame: _Frame, measured: CtMeasurement, z_mm: float, step_mm: float) -> Curves:
    """Each measured level as a flat strip of its width, on the slices that it reaches."""
    return [
        strip
        for mass in measured.masses
        for level in mass.fluid_levels
        for strip in _strip(frame, level.centroid_lps_mm, level.area_mm2, z_mm, step_mm)
    ]


def _strip(
    frame: _Frame, centre: tuple[float, float, float], area_mm2: float, z_mm: float, step_mm: float
) -> Iterator[list[list[float]]]:
    radius = float(np.sqrt(area_mm2 / np.pi))
    away = abs(z_mm - centre[2])
    if away > max(radius, step_mm / 2):
        return
    half = float(np.sqrt(max(radius**2 - away**2, 1.0)))
    across = np.cross(frame.volume.gravity_lps, [0.0, 0.0, 1.0])[:2]
    down = frame.volume.gravity_lps[:2]
    middle = np.array(centre[:2]) - [frame.left_mm, frame.top_mm]
    corners = [
        middle + a * half * across + b * 1.5 * down for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    ]
    yield [np.round(corner / frame.pixel_mm, 1).tolist() for corner in corners]
