"""The cut through the point in every series, the mass outlined, and muscle it was held against."""

import numpy as np

from calcinosis.explain.mri import MriReading
from calcinosis.measure.mri_grid import Cut
from calcinosis.volume import Volume
from calcinosis.write.mri_page.wording import ROLES
from calcinosis.write.report.drawing import (
    Figure,
    figure,
    orientation_letters,
    outline,
    ring,
    scale_bar,
)
from calcinosis.write.report.edges import edges
from calcinosis.write.report.numbers import PALETTE

SIDE = 420.0  # figure units
PIXELS = 420
ROOM = 2.4  # side of a cut, in diameters of the mass
NARROWEST_MM = 90.0
BRIGHTEST = 0.995  # quantile of the signal that is white
MASS, MUSCLE = PALETTE[0], PALETTE[4]


def pictures(reading: MriReading) -> list[Figure]:
    """Every series with its marks, then every one without."""
    mass = reading.mass
    side_mm = max(ROOM * mass.max_diameter_mm, NARROWEST_MM)
    cut = Cut.through(reading.point, mass.centroid_lps_mm, reading.main, side_mm, PIXELS)
    return [
        _picture(reading, cut, role, volume, marked=marked)
        for marked in (True, False)
        for role, volume in reading.volumes.items()
    ]


def _picture(reading: MriReading, cut: Cut, role: str, volume: Volume, *, marked: bool) -> Figure:
    signal = cut.of(volume.voxels, volume.affine)
    lit = signal[signal > 0]
    white = max(float(np.quantile(lit, BRIGHTEST)) if lit.size else 1.0, 1e-6)
    grey = np.asarray(np.clip(signal / white, 0, 1) * 255 + 0.5, np.uint8)
    unit = SIDE / cut.count
    marks = _marks(reading, cut, unit) if marked else []
    size = (SIDE, SIDE)
    marks += orientation_letters(size, cut.letters) + scale_bar(size, unit / cut.pixel_mm)
    told = "outlined" if marked else "without marks"
    name = ROLES[role]
    return figure(grey, size, marks, alt=f"{name}: the mass, {told}.", caption=f"{name}, {told}")


def _marks(reading: MriReading, cut: Cut, unit: float) -> list[str]:
    mass = reading.mass
    marks = []
    if mass.muscle is not None:
        share = cut.of(mass.muscle.mask.astype(np.float32), mass.around.affine)
        marks.append(_curves(share, MUSCLE, unit))
    share = cut.of(mass.mask.astype(np.float32), mass.block.affine)
    marks.append(_curves(share, MASS, unit))
    x, y = cut.place(reading.point)
    return [*marks, ring((x + 0.5) * unit, (y + 0.5) * unit, 4, kind="bar")]


def _curves(share: np.ndarray, stroke: str, unit: float) -> str:
    curves = [(curve[:, ::-1] + 0.5) * unit for curve in edges(share, 0.4)]
    return outline(curves, stroke)
