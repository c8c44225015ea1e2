"""Still pictures of the answers: where the mass was drawn, and where the program measured it."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from calcinosis.follow.follow_up import FollowUp
from calcinosis.write.follow_page.pictures import pictures
from calcinosis.write.lesson.taught import Taught
from calcinosis.write.report.drawing import Figure, figure
from calcinosis.write.report.planes import PLANES, Plane, level_view, with_masses

LEVELS_SHOWN = 3
_ROOM = 1.7
_LEAST_MM = 110.0


def planes(taught: Taught) -> list[Figure]:
    """Axial and coronal cut through the largest mass, what was drawn outlined in white."""
    measurement, volume = taught.analysis.measurement, taught.analysis.study.volume
    mass = measurement.masses[0]
    box = find_objects((measurement.labels == mass.id).astype(np.uint8))[0]
    extent_mm = max(
        (side.stop - side.start) * step for side, step in zip(box, volume.spacing_mm, strict=True)
    )
    return [
        _cut(
            taught,
            Plane(mass.centroid_lps_mm, right, down, max(_ROOM * extent_mm, _LEAST_MM)),
            name,
            letters,
        )
        for name, right, down, letters in PLANES[:2]
    ]


def _cut(taught: Taught, plane: Plane, name: str, letters: str) -> Figure:
    measurement, volume = taught.analysis.measurement, taught.analysis.study.volume
    grey, marks = with_masses(volume, measurement.labels, plane, letters)
    drawn = ""
    if taught.truth:
        marks += _dotted(plane.contours(volume, taught.truth.envelope > 0))
        drawn = "; as drawn, dotted in white"
    size = (plane.side, plane.side)
    alt = f"{name} CT plane through the mass, outlined as measured{drawn}."
    return figure(grey, size, marks, alt=alt, caption=f"{name}: as measured, in colour{drawn}")


def _dotted(curves: list[NDArray[np.float64]]) -> list[str]:
    parts = ["M" + " ".join(f"{x:.1f},{y:.1f}" for x, y in curve) + "Z" for curve in curves]
    return [f'<path d="{"".join(parts)}" class="drawn"/>'] if parts else []


def levels(taught: Taught) -> list[Figure]:
    """The largest fluid levels, turned so that gravity points down."""
    measurement, volume = taught.analysis.measurement, taught.analysis.study.volume
    mass = measurement.masses[0]
    found = sorted(mass.fluid_levels, key=lambda level: -level.area_mm2)[:LEVELS_SHOWN]
    return [
        level_view(volume, measurement.labels, mass, level, order)
        for order, level in enumerate(found, start=1)
    ]


def both_scans(follow: FollowUp) -> list[Figure]:
    """The same axial and coronal cut in both scans."""
    return [one for pair in pictures(follow, follow.masses[0]) for one in pair]


def key_slice(taught: Taught) -> Figure:
    """The axial cut through the largest mass, nothing marked: what the page shows unscripted."""
    volume = taught.analysis.study.volume
    mass = taught.analysis.measurement.masses[0]
    name, right, down, letters = PLANES[0]
    plane = Plane(mass.centroid_lps_mm, right, down, 260.0)
    none = np.zeros_like(taught.analysis.measurement.labels)
    grey, marks = with_masses(volume, none, plane, letters)
    alt = f"{name} CT slice of the case."
    return figure(grey, (plane.side, plane.side), marks, alt=alt, caption=f"{name} slice")
