"""What must be looked into whatever the ranking says: no probability can silence a red flag.

The flags stand in ``knowledge/red_flags.yaml``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from calcinosis.errors import InputError
from calcinosis.explain.circumstance import Circumstance
from calcinosis.explain.circumstances import circumstances
from calcinosis.explain.knowledge import read_yaml
from calcinosis.explain.management import load_rulebook
from calcinosis.patient import Patient


@dataclass(frozen=True)
class RedFlag:
    """One alarm.

    Attributes:
        flag: its code.
        label: its name for the reader.
        shown: the circumstances that raised it.
        because: why it matters.
        action: what to do.
        sources: citations.
    """

    flag: str
    label: str
    shown: tuple[str, ...]
    because: str
    action: str
    sources: tuple[str, ...]

    @property
    def seen(self) -> str:
        """What raised it, after a colon; nothing where that only says the label again."""
        told = "; ".join(self.shown)
        return "" if told.lower() == self.label.lower() else f": {told}"


@dataclass(frozen=True)
class _Entry:
    flag: str
    label: str
    when: tuple[str, ...]
    because: str
    action: str
    sources: tuple[str, ...]


def red_flags(facts: Mapping[str, Circumstance]) -> tuple[RedFlag, ...]:
    """The flags raised by the circumstances that hold (from `management.circumstances_of`)."""
    raised = []
    for entry in _load():
        shown = tuple(facts[name].text for name in entry.when if facts[name].holds)
        if shown:
            raised.append(
                RedFlag(entry.flag, entry.label, shown, entry.because, entry.action, entry.sources)
            )
    return tuple(raised)


@cache
def _load() -> tuple[_Entry, ...]:
    rulebook = load_rulebook()
    known = circumstances(Patient(), (), {}, rulebook.thresholds)
    return tuple(_entry(entry, known, rulebook.sources) for entry in _entries())


def _entries() -> list[dict[str, Any]]:
    content: Any = read_yaml("red_flags.yaml")
    entries: list[dict[str, Any]] = content["flags"]
    return entries


def _entry(
    entry: Mapping[str, Any], known: Mapping[str, Circumstance], sources: Mapping[str, str]
) -> _Entry:
    unknown = (set(entry["when"]) - set(known)) | (set(entry["sources"]) - set(sources))
    if unknown:
        raise InputError(f"red flags: {entry['flag']}: unknown {', '.join(sorted(unknown))}")
    return _Entry(
        entry["flag"],
        entry["label"],
        tuple(entry["when"]),
        entry["because"],
        entry["action"],
        tuple(sources[key] for key in entry["sources"]),
    )
