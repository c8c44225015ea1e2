"""The film, and the mass from close by."""

import numpy as np
from numpy.typing import NDArray

from calcinosis.explain.radiograph import RadiographReading
from calcinosis.write.report.drawing import (
    Figure,
    figure,
    line,
    orientation_letters,
    outline,
    scale_bar,
    text,
)
from calcinosis.write.report.numbers import colour

SIDE = 520.0  # figure units of either picture's longer side
PIXELS = 1040  # most along a side
ROOM = 1.8  # of a close look, in extents of the mass
CLOSE_CUT = 0.005  # share of the close look's pixels that is clipped at either end

Marks = list[str]


def whole_film(reading: RadiographReading) -> Figure:
    """All of the film as its header shows it, the mass outlined."""
    film = reading.film
    rows, columns = film.shown.shape
    unit = SIDE / max(rows, columns)
    size = columns * unit, rows * unit
    curve = _on_figure(reading.mass.outline, (0, 0), unit)
    marks = [outline([curve], colour(1)), *_letters(size, film.letters)]
    marks += scale_bar(size, unit / film.scale.pixel_mm)
    return figure(
        _thinned(film.shown),
        size,
        marks,
        alt="The radiograph, the mass outlined.",
        caption="The film as its header shows it.",
    )


def close_look(reading: RadiographReading, *, marked: bool) -> Figure:
    """The mass and its surroundings, between the densities found there."""
    film, mass = reading.film, reading.mass
    low, high = mass.outline.min(axis=0), mass.outline.max(axis=0)
    half = int(np.ceil(ROOM * (high - low).max() / 2)) + 2
    middle = np.rint((low + high) / 2).astype(int)
    start = np.maximum(middle - half, 0)
    part = film.density[start[0] : middle[0] + half, start[1] : middle[1] + half]
    bounds = np.quantile(part, (CLOSE_CUT, 1 - CLOSE_CUT))
    scaled = (part - bounds[0]) / max(float(bounds[1] - bounds[0]), 1e-9)
    grey = np.asarray(np.clip(scaled, 0, 1) * 255, np.uint8)
    unit = SIDE / max(part.shape)
    size = part.shape[1] * unit, part.shape[0] * unit
    marks = (
        _letters(size, film.letters)
        + _gravity(film.gravity.way)
        + scale_bar(size, unit / film.scale.pixel_mm)
    )
    if marked:
        marks = _measures(reading, (start[0], start[1]), unit) + marks
    told = "outline and diameters" if marked else "without marks"
    return figure(
        _thinned(grey), size, marks, alt=f"The mass, {told}.", caption=f"The mass, {told}."
    )


def _measures(reading: RadiographReading, start: tuple[int, int], unit: float) -> Marks:
    mass = reading.mass
    marks = [outline([_on_figure(mass.outline, start, unit)], colour(1))]
    for ends in (mass.ends, mass.perpendicular_ends):
        first, second = _on_figure(np.array(ends), start, unit)
        marks.append(line(first.tolist(), second.tolist(), kind="bar"))
    return marks


def _gravity(way: tuple[int, int] | None) -> Marks:
    """An arrow at the upper left that points down, where that is known."""
    if way is None:
        return []
    x, y = 34.0, 34.0
    tip = x + 18 * way[1], y + 18 * way[0]
    left, right = (
        (tip[0] - 7 * way[1] + side * way[0], tip[1] - 7 * way[0] + side * way[1])
        for side in (-5, 5)
    )
    return [
        line((x - 18 * way[1], y - 18 * way[0]), tip, kind="bar"),
        line(left, tip, kind="bar"),
        line(right, tip, kind="bar"),
        text(62, 38, "gravity", anchor="start", kind="small"),
    ]


def _on_figure(
    places: NDArray[np.float64], start: tuple[int, int], unit: float
) -> NDArray[np.float64]:
    """(row, column) on the film to (x, y) in figure units."""
    return np.asarray((places[:, ::-1] - np.array(start[::-1]) + 0.5) * unit)


def _thinned(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """No more pixels than can be seen."""
    from PIL import Image

    picture = Image.fromarray(grey)
    picture.thumbnail((PIXELS, PIXELS), Image.Resampling.BOX)
    return np.asarray(picture)


def _letters(size: tuple[float, float], letters: tuple[str, str, str, str]) -> Marks:
    return orientation_letters(size, "".join(letters)) if all(letters) else []
