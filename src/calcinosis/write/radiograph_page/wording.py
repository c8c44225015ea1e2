"""A mass on a radiograph in words and table rows."""

from collections.abc import Iterator
from dataclasses import replace

from calcinosis.explain.radiograph import RadiographReading
from calcinosis.write.report import wording as report
from calcinosis.write.report.numbers import length, number

# What one projection leaves open, whatever the film.
LIMITS = (
    "One projection tells no depth: neither the volume of the mass nor its calcium.",
    (
        "Where the mass lies over bone, the film does not tell whether it touches or erodes it; "
        "a second view or CT does. What is dense may be calcium, bone or metal."
    ),
    (
        "Content, rim and locules, which lie behind each other, are not judged: what you see "
        "counts if the patient file says so (imaging.radiograph.multilobulated)."
    ),
    "Only the mass at the point was looked at: nothing on the film was searched for.",
)


def summary(reading: RadiographReading) -> str:
    """The first line."""
    mass = reading.mass
    across = number(mass.perpendicular_diameter_mm, 0)
    return f"Dense mass of {number(mass.max_diameter_mm, 0)} × {across}\u00a0mm."


def identity(reading: RadiographReading) -> str:
    """Whose film it is, and of which day, to match a printed page."""
    subject = reading.film.subject
    who = report.identity(replace(subject, study_date=None))
    day = subject.study_date
    dated = f"Radiograph of {day.isoformat()}" if day else ""
    return " · ".join(filter(None, (who, dated)))


def rows(reading: RadiographReading) -> Iterator[tuple[str, str]]:
    """What was measured, each with its words."""
    mass = reading.mass
    yield "Greatest diameter", _within(mass.max_diameter_mm, mass.max_diameter_ci95_mm)
    across = mass.perpendicular_diameter_mm, mass.perpendicular_diameter_ci95_mm
    yield "Across it", _within(*across)
    low, high = (number(area / 100, 1) for area in mass.area_ci95_mm2)
    yield "Area of the shadow", f"{number(mass.area_mm2 / 100, 1)}\u00a0cm² [{low}–{high}]"
    yield "Lobules and locules", "left to the reader"
    yield "Fluid–calcium level", _level(reading)
    yield "Confidence of the outline", f"{number(100 * mass.confidence, 0)}\u00a0%"


def _within(millimetres: float, interval: tuple[float, float]) -> str:
    low, high = (number(bound, 0) for bound in interval)
    return f"{length(millimetres)} [{low}–{high}]"


def _level(reading: RadiographReading) -> str:
    if reading.film.gravity.way is None:
        return "cannot be judged on this film"
    return "left to the reader"


def of_levels(reading: RadiographReading) -> str:
    """What the film can show of levels, and who tells."""
    gravity = reading.film.gravity
    if gravity.way is None:
        return gravity.because
    return (
        f"{gravity.because} A fluid–calcium level would be the flat top of a density, square to "
        "it. The program calls none on films; one that you see counts if the patient file says so "
        "(imaging.radiograph.fluid_level)."
    )


def in_brief(reading: RadiographReading) -> Iterator[str]:
    """Lines for the terminal."""
    yield summary(reading)
    yield from reading.mass.remarks
    yield from reading.remarks
