"""What a mass takes up, in words and table rows."""

from collections.abc import Iterator

from calcinosis.measure.scintigraphy import Ratio, Uptake
from calcinosis.write.report.numbers import length, number, quantity


def summary(uptake: Uptake) -> str:
    """The first line."""
    soft = f"{ratio(uptake.to_soft_tissue)} the counts of soft tissue beside it"
    if uptake.state == "absent":
        return f"No uptake: the place has {soft}."
    other = uptake.to_other_side
    also = f" and {ratio(other)} those of the other side" if other else ""
    head = "Uptake" if uptake.state == "present" else "Uptake in doubt"
    return f"{head}: the place has {soft}{also}."


def ratio(told: Ratio) -> str:
    """``3.5 times [3.3–3.6]``."""
    low, high = (number(bound) for bound in told.ci95)
    return f"{number(told.value)}\u00a0times [{low}–{high}]"


def rows(uptake: Uptake) -> Iterator[tuple[str, str]]:
    """What was measured, with its unit and 95 % interval."""
    place = "Outline at half of the peak" if uptake.stands_out else "Disk at the point"
    size = f"{quantity(uptake.area_cm2, 'cm²')}, {length(uptake.diameter_mm)} across"
    yield place, size
    yield "Counts in it", number(uptake.counts, 0)
    yield "To soft tissue beside it", ratio(uptake.to_soft_tissue)
    if uptake.to_other_side:
        yield "To the other side", ratio(uptake.to_other_side)
    else:
        yield "To the other side", "none to compare with"
