"""A mass on an ultrasound picture in words and table rows."""

from collections.abc import Iterator
from dataclasses import replace

from calcinosis.explain.ultrasound import SonogramReading
from calcinosis.measure.ultrasound import SonographicMass, State
from calcinosis.write.report import wording as report
from calcinosis.write.report.numbers import length, number, plural

# What one picture leaves open, whatever the machine.
LIMITS = (
    "One plane tells neither the volume of the mass nor its greatest diameter in space.",
    (
        "How the machine compressed echoes into grey is not told: differences are in grey levels, "
        "and in dB by the spread of speckle (5.6 dB where nothing filters it; filters make it seem "
        "more)."
    ),
    (
        "A shadow is thrown by chalk, bone and gas alike, and hides what lies in it. The side of a "
        "bone that you point at may be outlined like a mass."
    ),
    "Where gravity points is not told: whether chalk has settled is left to the reader.",
    "Only the mass at the point was looked at: nothing in the picture was searched for.",
)
_HEADS: dict[State, str] = {
    "present": "Mass with a calcified shell around fluid",
    "absent": "Mass without a calcified shell around fluid",
    "unknown": "Mass; whether it is a calcified shell around fluid cannot be told",
}
_STATES: dict[State, str] = {"present": "yes", "absent": "no", "unknown": "cannot be told"}


def summary(reading: SonogramReading) -> str:
    """The first line."""
    mass = reading.mass
    unit = "mm" if mass.calibrated else "pixels"
    across = number(mass.perpendicular_diameter, 0)
    size = f"{number(mass.max_diameter, 0)} × {across}\u00a0{unit} in this plane"
    return f"{_HEADS[mass.shell_with_fluid.state]}: {size}."


def identity(reading: SonogramReading) -> str:
    """Whose picture it is, and of which day, to match a printed page."""
    subject = reading.sonogram.subject
    who = report.identity(replace(subject, study_date=None))
    day = subject.study_date
    return " · ".join(filter(None, (who, f"Ultrasound of {day.isoformat()}" if day else "")))


def rows(mass: SonographicMass) -> Iterator[tuple[str, str]]:
    """What was measured, each with its words."""
    yield "Greatest diameter", _size(mass, mass.max_diameter, mass.max_ci95)
    yield "Across it", _size(mass, mass.perpendicular_diameter, mass.perpendicular_ci95)
    unit = "mm" if mass.calibrated else "pixels"
    yield "Below the probe", f"{number(mass.depth, 0)}\u00a0{unit}"
    yield "Border that shows", _percent(mass.confidence)
    rim = mass.rim
    share = f"{_percent(rim.bright_share)} [{number(100 * rim.ci95[0], 0)}–"
    share += f"{number(100 * rim.ci95[1], 0)}]"
    yield "Bright rim", f"{share} of the border that sound reaches ({_percent(rim.judged_share)})"
    yield "Behind the mass", _behind(mass)
    yield "Content", _content(mass)
    yield "Chambers in this plane", _locules(mass)


def verdicts(mass: SonographicMass) -> Iterator[tuple[str, str, str]]:
    """The findings: what, whether, why."""
    for name, told in (
        ("Calcified shell around fluid", mass.shell_with_fluid),
        ("Echogenic, lobulated", mass.echogenic_lobulated),
    ):
        yield name, _STATES[told.state], told.because


def _size(mass: SonographicMass, value: float, interval: tuple[float, float]) -> str:
    low, high = (number(bound, 0) for bound in interval)
    told = length(value) if mass.calibrated else f"{number(value, 0)}\u00a0pixels"
    return f"{told} [{low}–{high}]"


def _percent(share: float) -> str:
    return f"{number(100 * share, 0)}\u00a0%"


def _behind(mass: SonographicMass) -> str:
    strips = mass.strips
    if strips.grey is None or strips.ci95 is None or strips.decibels is None:
        return f"{strips.state}: {strips.reason}"
    low, high = (number(bound, 0) for bound in strips.ci95)
    way = "darker" if strips.grey < 0 else "brighter"
    grey = f"{number(abs(strips.grey), 0)} grey levels {way} than beside it"
    if strips.grey < 0:
        low, high = (number(-bound, 0) for bound in strips.ci95[::-1])
    told = f"{strips.state}: {grey} [{low}–{high}], about {number(abs(strips.decibels), 0)}\u00a0dB"
    return f"{told}. {strips.reason}".rstrip(". ")


def _content(mass: SonographicMass) -> str:
    content = mass.content
    if content.reason:
        return content.reason
    return (
        f"{_percent(content.like_fluid)} as dark as fluid, {_percent(content.low_echo)} darker and "
        f"{_percent(content.bright)} brighter than tissue, of the "
        f"{_percent(content.reached_share)} that sound reaches"
    )


def _locules(mass: SonographicMass) -> str:
    count = mass.content.locule_count
    if mass.content.reason:
        return "cannot be told"
    chambers = plural(count, "dark chamber")
    return (
        chambers if count < 2 else f"{chambers}, {plural(mass.content.walls, 'wall')} between them"
    )


def in_brief(reading: SonogramReading) -> Iterator[str]:
    """Lines for the terminal."""
    yield summary(reading)
    yield reading.mass.shell_with_fluid.because
    yield from reading.mass.remarks
    yield from reading.remarks
