"""A mass on MRI in words and table rows."""

from collections.abc import Iterator

from calcinosis.explain.mri import MriReading
from calcinosis.measure.mri_signal import Ratio, Shares
from calcinosis.write.report import wording as report
from calcinosis.write.report.numbers import length, number, quantity

ROLES = {"t1": "T1", "t2": "T2", "enhanced": "T1 after contrast agent"}
_SIGNS = {
    "t1_low": ("dark on T1", "not dark on T1"),
    "t2_high": ("bright on T2", "not bright on T2"),
    "t2_heterogeneous": ("heterogeneous on T2", "even on T2"),
    "mri_enhancement": ("takes up contrast agent", "takes up no contrast agent"),
}
SIGN_LABELS = {
    "t1_low": "Low signal on T1",
    "t2_high": "High signal on T2",
    "t2_heterogeneous": "Heterogeneous on T2",
    "mri_enhancement": "Enhancement",
}
# What these series leave open, whatever the study.
LIMITS = (
    (
        "MRI does not show calcium as such: fibrous tissue, gas, old blood and metal are dark too. "
        "What the mass most likely is, is told as of a calcified one; CT or a radiograph shows "
        "whether it is."
    ),
    (
        "Fluid–fluid levels, locules and contact with bone are left to the reader: what you see "
        "counts if the patient file says so."
    ),
    "Only the mass at the point was looked at: nothing in the study was searched for.",
    "Series are laid over each other by their places: where the patient moved between them, not.",
)


def summary(reading: MriReading) -> str:
    """The first line."""
    mass = reading.mass
    along, across = (number(v, 0) for v in (mass.max_diameter_mm, mass.perpendicular_diameter_mm))
    told = [
        _SIGNS[code][sign.state == "absent"]
        for code, sign in mass.signs.items()
        if sign.state != "unknown"
    ]
    signs = f": {', '.join(told)}" if told else ""
    return f"Mass of {along} × {across}\u00a0mm, {quantity(mass.volume_ml, 'mL')}{signs}."


def identity(reading: MriReading) -> str:
    """Whose study it is, and of which day, to match a printed page."""
    return report.identity(reading.subject, "MRI")


def rows(reading: MriReading) -> Iterator[tuple[str, str]]:
    """What was measured, each with its words."""
    mass = reading.mass
    yield "Volume", quantity(mass.volume_ml, "mL", mass.volume_ci95_ml)
    yield "Greatest diameter", _within(mass.max_diameter_mm, mass.max_diameter_ci95_mm)
    across = mass.perpendicular_diameter_mm, mass.perpendicular_diameter_ci95_mm
    yield "Across it", _within(*across)
    x, y, z = mass.centroid_lps_mm
    yield "Middle (LPS, mm)", f"{number(x, 0)}, {number(y, 0)}, {number(z, 0)}"
    if mass.t1_to_muscle:
        yield "T1, to muscle", ratio(mass.t1_to_muscle)
    if mass.t2_to_muscle:
        yield "T2, to muscle", ratio(mass.t2_to_muscle)
    if mass.t2_shares:
        yield from _of_shares(mass.t2_shares)
    if mass.enhanced_share:
        low, high = (percent(share) for share in mass.enhanced_share)
        yield "Takes up contrast agent", f"{low if low == high else f'{low} to {high}'} of it"
    yield "Confidence of the outline", percent(mass.confidence)


def signs(reading: MriReading) -> Iterator[tuple[str, str, str]]:
    """Each sign with its state, and why where it is not known."""
    for code, sign in reading.mass.signs.items():
        yield SIGN_LABELS[code], sign.state, sign.reason


def series(reading: MriReading) -> Iterator[tuple[str, str]]:
    """What was looked at, and as what."""
    choice = reading.choice
    for role, found in (("t1", choice.t1), ("t2", choice.t2), ("enhanced", choice.enhanced)):
        if found is None:
            yield ROLES[role], "none"
            continue
        main = "; the mass was outlined on its slices" if found is choice.main else ""
        slices = f"{len(found.stack.planes)} slices every {number(found.slice_mm, 1)}\u00a0mm"
        yield ROLES[role], f"{found.told}, {slices}{main}"


def _of_shares(shares: Shares) -> Iterator[tuple[str, str]]:
    yield (
        "Brighter than 1.5 times muscle on T2",
        (f"{percent(shares.bright)} to {percent(shares.bright_most)} of it"),
    )
    if shares.dark is not None:
        yield "Darker than half of muscle on T2", f"{percent(shares.dark)} of it"


def ratio(told: Ratio) -> str:
    """``0.62 [0.51–0.75]``."""
    low, high = (number(bound) for bound in told.ci95)
    return f"{number(told.value)} [{low}–{high}]"


def percent(share: float) -> str:
    """``12 %``."""
    return f"{number(100 * share, 0)}\u00a0%"


def _within(millimetres: float, interval: tuple[float, float]) -> str:
    low, high = (number(bound, 0) for bound in interval)
    return f"{length(millimetres)} [{low}–{high}]"


def in_brief(reading: MriReading) -> Iterator[str]:
    """Lines for the terminal."""
    yield summary(reading)
    yield from reading.mass.remarks
    yield from reading.remarks
