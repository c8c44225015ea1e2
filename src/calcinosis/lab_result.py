"""One laboratory value: any unit in, its canonical unit out."""

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Literal

from calcinosis.analyte import ANALYTES, find_analyte, to_canonical
from calcinosis.errors import InputError


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
