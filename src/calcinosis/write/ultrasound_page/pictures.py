"""The picture around the mass: plain, with its outline, and with what was compared."""

import numpy as np
from numpy.typing import NDArray

from calcinosis.measure.ultrasound import SonographicMass
from calcinosis.write.report.drawing import Figure, figure, line, outline, scale_bar, text
from calcinosis.write.report.edges import edges
from calcinosis.write.report.numbers import PALETTE

WIDTH = 400.0  # of a picture, figure units
MOST_HEIGHT = 460.0
ROOM = 0.6  # shown around the mass, in extents of it
MASS, BEHIND, BESIDE, LOCULE = PALETTE[0], PALETTE[1], PALETTE[3], PALETTE[4]

Window = tuple[slice, slice]
Marks = list[str]


def plain(mass: SonographicMass, *, tissue_only: bool) -> Figure:
    """The mass as the machine shows it."""
    return _drawn(mass, [], "without marks", tissue_only=tissue_only)


def outlined(mass: SonographicMass, *, tissue_only: bool) -> Figure:
    """Outline, diameters and chambers."""
    place = _Place(mass)
    marks = []
    for number in range(mass.content.locule_count):
        marks += place.curves(mass.content.locules == number + 1, LOCULE)
    marks.append(outline([place.at(mass.outline.border)], MASS))
    for name, ends in (("A", mass.ends), ("B", mass.perpendicular_ends)):
        first, second = place.at(np.array(ends)).tolist()
        marks += [line(first, second, kind="bar"), text(second[0] + 8, second[1], name)]
    return _drawn(mass, marks, "outline and diameters A and B", tissue_only=tissue_only)


def compared(mass: SonographicMass, *, tissue_only: bool) -> Figure:
    """The strip behind the mass, and those beside it."""
    place = _Place(mass)
    marks = [outline([place.at(mass.outline.border)], MASS)]
    marks += place.curves(mass.strips.beside, BESIDE) + place.curves(mass.strips.behind, BEHIND)
    return _drawn(
        mass, marks, "what lies behind it, and what that was compared with", tissue_only=tissue_only
    )


class _Place:
    """From the sector's pixels to the figure."""

    def __init__(self, mass: SonographicMass) -> None:
        self.mass = mass
        self.window = _window(mass)
        rows, columns = (part.stop - part.start for part in self.window)
        down_mm, right_mm = mass.sector.step_mm
        self.unit_per_mm = min(WIDTH / (columns * right_mm), MOST_HEIGHT / (rows * down_mm))
        self.units = down_mm * self.unit_per_mm, right_mm * self.unit_per_mm
        self.size = columns * self.units[1], rows * self.units[0]

    def at(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """(row, column) to (x, y)."""
        first = np.array([part.start for part in self.window])
        return np.asarray(((places - first + 0.5) * self.units)[:, ::-1])

    def curves(self, mask: NDArray[np.bool_], stroke: str) -> Marks:
        """The edges of what a mask holds."""
        found = edges(mask[self.window].astype(float), 0.5)
        first = np.array([part.start for part in self.window])
        return [outline([self.at(curve + first) for curve in found], stroke)]


def _window(mass: SonographicMass) -> Window:
    """What holds the mass and the strips, with room, within the region."""
    shown = mass.outline.mask | mass.strips.behind | mass.strips.beside
    rows, columns = np.nonzero(mass.outline.mask)
    slices = []
    for axis, places in enumerate((rows, columns)):
        room = int(ROOM * np.ptp(places)) + 4
        held = np.flatnonzero(shown.any(axis=1 - axis))
        first = min(int(places.min()) - room, int(held[0]) - 4)
        last = max(int(places.max()) + room, int(held[-1]) + 4)
        slices.append(slice(max(first, 0), min(last + 1, shown.shape[axis])))
    return slices[0], slices[1]


def _drawn(mass: SonographicMass, marks: Marks, told: str, *, tissue_only: bool) -> Figure:
    place = _Place(mass)
    grey = mass.sector.grey
    if tissue_only:
        grey = np.where(mass.sector.inside, grey, 0.0)
    pixels = np.asarray(np.clip(np.rint(grey[place.window]), 0, 255), np.uint8)
    bar = scale_bar(place.size, place.unit_per_mm) if mass.calibrated else []
    words = f"The mass, {told}."
    return figure(pixels, place.size, [*marks, *bar], alt=words, caption=words)
