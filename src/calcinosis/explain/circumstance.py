"""One fact that the rules of management and the red flags ask about."""

from collections.abc import Iterator
from typing import NamedTuple


class Circumstance(NamedTuple):
    """One fact a rule asks about.

    Attributes:
        holds: True, False, or None where it is not known.
        text: how it stands, for the reader.
        ask: what to measure or examine to know it.
    """

    holds: bool | None
    text: str
    ask: str = ""


Named = Iterator[tuple[str, Circumstance]]
