"""One laboratory value: any unit in, its canonical unit out."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Literal

from calcinosis.analyte import ANALYTES, find_analyte, in_si, to_canonical
from calcinosis.errors import InputError

# What a slip of unit makes of a usual value mostly lies outside these, in canonical units. Our own
# parameters, wide of the 105 published cases that knowledge was learned from: there calcium is 8.1
# to 12.2 mg/dL, ionised calcium at least 0.66 mmol/L, phosphate at most 11.5 mg/dL, PTH at most
# 2362 pg/mL, creatinine at most 12.3 mg/dL. No reference intervals, and nothing is refused by them.
_LIKELY = {
    "calcium": (5.0, 18.0),
    "corrected_calcium": (5.0, 18.0),
    "ionized_calcium": (0.5, 2.5),
    "phosphate": (0.8, 15.0),
    "pth": (0.0, 5000.0),
    "creatinine": (0.2, 30.0),
}


@dataclass(frozen=True)
class LabResult:
    """One laboratory value in its canonical unit.

    Attributes:
        analyte: key of `calcinosis.analyte.ANALYTES`.
        value: in the analyte's canonical unit.
        taken: when the blood was drawn; midnight where only the day is known; None where undated.
        comparator: ``<`` or ``>`` where the laboratory gave only a bound.
    """

    analyte: str
    value: float
    taken: datetime | None = None
    comparator: Literal["", "<", ">"] = ""

    @classmethod
    def measured(
        cls,
        analyte: str,
        value: float,
        unit: str | None,
        taken: datetime | date | str | None = None,
        comparator: Literal["", "<", ">"] = "",
    ) -> "LabResult":
        """Take a value as the laboratory wrote it.

        Args:
            analyte: name or LOINC code.
            value: in `unit`.
            unit: conventional or SI.
            taken: a date, a time, ISO 8601 text, or None.
            comparator: ``<`` or ``>`` for a bound.

        Raises:
            InputError: unknown analyte, missing or wrong unit, impossible value, future date.
        """
        canonical = to_canonical(analyte, value, unit)
        return cls(find_analyte(analyte).name, canonical, _moment(taken), comparator)

    @property
    def day(self) -> date | None:
        """The day the blood was drawn."""
        return self.taken.date() if self.taken else None

    @property
    def unit(self) -> str:
        """The canonical unit."""
        return ANALYTES[self.analyte].unit

    @property
    def moment(self) -> datetime:
        """When it was drawn, for sorting: undated comes first."""
        return self.taken or datetime.min  # noqa: DTZ901 - never shown


def doubts_about(results: Iterable[LabResult]) -> tuple[str, ...]:
    """Values so extreme that their unit may be another, one sentence for each analyte."""
    results = tuple(results)
    found = []
    for name, (low, high) in _LIKELY.items():
        beyond = [r for r in results if r.analyte == name and not low <= r.value <= high]
        if beyond:
            others = f" and {len(beyond) - 1} more" if len(beyond) > 1 else ""
            found.append(
                f"{_in_both_units(beyond[0])}{others}: outside {low:g} to {high:g} "
                f"{beyond[0].unit}, which holds every published case with room to spare. Is the "
                "value right, and its unit?"
            )
    return tuple(found)


def _in_both_units(result: LabResult) -> str:
    """``Phosphate 22.9 mg/dL (7.4 mmol/L)``."""
    label, si = ANALYTES[result.analyte].label, in_si(result.analyte, result.value)
    beside = f" ({si[0]:.3g} {si[1]})" if si else ""
    return f"{label[:1].upper()}{label[1:]} {result.value:.4g} {result.unit}{beside}"


def _moment(taken: datetime | date | str | None) -> datetime | None:
    """Local clock time without zone; refuses what is not a date or lies in the future."""
    if taken is None:
        return None
    if isinstance(taken, str):
        try:
            taken = datetime.fromisoformat(taken.strip())
        except ValueError:
            raise InputError(f"date {taken!r} is not a date; expected YYYY-MM-DD") from None
    if isinstance(taken, datetime):
        moment = taken.replace(tzinfo=None)
    else:
        moment = datetime.combine(taken, time())
    today = datetime.now().astimezone().date()
    if moment.date() > today:
        raise InputError(f"date {moment.date()} lies in the future (today is {today})")
    return moment
