"""What can be done: each option suggested, to consider, not indicated or advised against.

The rules stand in ``knowledge/management.yaml``, to be read by a clinician. They act on findings,
patient and differential through named circumstances; one that is not known makes a rule wait and
says what to measure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal, get_args

from calcinosis.errors import InputError
from calcinosis.explain.circumstance import Circumstance
from calcinosis.explain.circumstances import circumstances
from calcinosis.explain.knowledge import read_yaml
from calcinosis.finding import Finding
from calcinosis.patient import Patient

Standing = Literal["suggested", "consider", "advised_against", "not_indicated"]
_FOR = ("suggested", "consider")
_ORDER: dict[str, int] = {standing: at for at, standing in enumerate(get_args(Standing))}


@dataclass(frozen=True)
class Option:
    """One thing that could be done.

    Attributes:
        option: its code.
        label: its name for the reader.
        standing: suggested, consider, advised_against or not_indicated.
        because: the circumstances and the reasons.
        hazards: what to mind if it is done.
        measure: what is not known and would change or secure the standing.
        sources: citations of reasons and hazards; "expert opinion" where there is none.
    """

    option: str
    label: str
    standing: Standing
    because: tuple[str, ...]
    hazards: tuple[str, ...]
    measure: tuple[str, ...]
    sources: tuple[str, ...]

    @property
    def is_open(self) -> bool:
        """Not indicated only as long as something is not known that could speak for it."""
        return self.standing == "not_indicated" and bool(self.measure)


@dataclass(frozen=True)
class _Rule:
    when: tuple[tuple[str, bool], ...]
    standing: Standing
    text: str
    sources: tuple[str, ...]
    alone: bool = False

    @property
    def is_for(self) -> bool:
        """Whether the option is worth thinking of where the rule holds."""
        return self.standing in _FOR

    def holds(self, facts: Mapping[str, Circumstance]) -> bool | None:
        """True, False, or None while a circumstance it needs is not known."""
        answer: bool | None = True
        for name, wanted in self.when:
            state = facts[name].holds
            if state is None:
                answer = None
            elif state is not wanted:
                return False
        return answer

    def asks(self, facts: Mapping[str, Circumstance]) -> list[str]:
        """What would tell the circumstances that are not known."""
        unknown = [facts[name] for name, _ in self.when if facts[name].holds is None]
        return [fact.ask for fact in unknown if fact.ask]


@dataclass(frozen=True)
class _Verdict:
    """An option where circumstances stand and are asked for so, and those to tell in words."""

    option: Option
    told: tuple[str, ...]


@dataclass(frozen=True)
class _Entry:
    option: str
    label: str
    rules: tuple[_Rule, ...]
    otherwise: str
    hazards: tuple[_Rule, ...]
    names: tuple[str, ...]
    verdicts: dict[tuple[bool | str, ...], _Verdict] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Rulebook:
    """The rules of management as loaded: options, named numbers, citations."""

    options: tuple[_Entry, ...]
    thresholds: Mapping[str, float]
    sources: Mapping[str, str]


@cache
def load_rulebook() -> Rulebook:
    """Load and check the rules that ship with the package."""
    return rulebook_from(read_yaml("management.yaml"))


def rulebook_from(content: Mapping[str, Any]) -> Rulebook:
    """Check a rulebook: known circumstances, standings and sources; every reason sourced.

    Raises:
        InputError: names the option at fault.
    """
    thresholds = {name: float(entry["value"]) for name, entry in content["thresholds"].items()}
    sources: Mapping[str, str] = content["sources"]
    known = set(circumstances(Patient(), (), {}, thresholds))
    cited = {entry["source"] for entry in content["thresholds"].values()}
    entries = []
    for option in content["options"]:
        rules = tuple(_rule(r, r["standing"], "because") for r in option["rules"])
        hazards = tuple(_rule(h, "consider", "text") for h in option.get("hazards", ()))
        for rule in (*rules, *hazards):
            unknown = {name for name, _ in rule.when} - known
            if unknown:
                raise InputError(f"management: {option['option']}: unknown {', '.join(unknown)}")
            if not rule.sources:
                raise InputError(f"management: {option['option']}: a reason without source")
            cited.update(rule.sources)
        names = _once(name for rule in (*rules, *hazards) for name, _ in rule.when)
        entries.append(
            _Entry(option["option"], option["label"], rules, option["otherwise"], hazards, names)
        )
    if cited - set(sources):
        raise InputError(f"management: no source named {', '.join(sorted(cited - set(sources)))}")
    return Rulebook(tuple(entries), thresholds, sources)


def _rule(entry: Mapping[str, Any], standing: str, text: str) -> _Rule:
    if standing not in _ORDER:
        raise InputError(f"management: unknown standing {standing!r}")
    when = tuple(
        (name.removeprefix("not "), not name.startswith("not ")) for name in entry.get("when", ())
    )
    alone = bool(entry.get("alone", False))
    return _Rule(when, standing, entry[text], tuple(entry["sources"]), alone)  # type: ignore[arg-type]


def circumstances_of(
    patient: Patient, findings: Iterable[Finding], probabilities: Mapping[str, float]
) -> dict[str, Circumstance]:
    """The circumstances of a patient, judged with the thresholds of the rulebook."""
    return circumstances(patient, findings, probabilities, load_rulebook().thresholds)


def plan(facts: Mapping[str, Circumstance]) -> tuple[Option, ...]:
    """Every option with its standing, the suggested first; `facts` from `circumstances_of`."""
    rulebook = load_rulebook()
    options = [_judged(entry, facts, rulebook.sources) for entry in rulebook.options]
    return tuple(sorted(options, key=lambda option: _ORDER[option.standing]))


def _judged(entry: _Entry, facts: Mapping[str, Circumstance], sources: Mapping[str, str]) -> Option:
    told = [facts[name] for name in entry.names]
    states = tuple([fact.ask if fact.holds is None else fact.holds for fact in told])
    verdict = entry.verdicts.get(states)
    if verdict is None:  # the same for every patient of whom this is known; the words are not
        verdict = entry.verdicts[states] = _verdict(entry, facts, sources)
    if not verdict.told:
        return verdict.option
    words = [facts[name].text for name in verdict.told]
    return replace(verdict.option, because=_once([*words, *verdict.option.because]))


def _verdict(
    entry: _Entry, facts: Mapping[str, Circumstance], sources: Mapping[str, str]
) -> _Verdict:
    states = [rule.holds(facts) for rule in entry.rules]
    deciding = next((at for at, state in enumerate(states) if state), len(states))
    waiting = [
        rule for rule, state in zip(entry.rules[:deciding], states, strict=False) if state is None
    ]
    if deciding == len(states) and not any(rule.is_for for rule in waiting):
        waiting = []  # nothing could speak for it: what would speak against it need not be asked
    measure = [ask for rule in waiting for ask in rule.asks(facts)]
    if deciding == len(states):
        otherwise = (entry.otherwise,)
        option = Option(
            entry.option, entry.label, "not_indicated", otherwise, (), _once(measure), ()
        )
        return _Verdict(option, ())
    standing = entry.rules[deciding].standing
    holding = [
        rule
        for at, (rule, state) in enumerate(zip(entry.rules, states, strict=True))
        if state and rule.standing == standing and (at == deciding or not rule.alone)
    ]
    minded = entry.hazards if standing in _FOR else ()
    hazards = [rule for rule in minded if rule.holds(facts) is not False]
    measure += [ask for rule in hazards for ask in rule.asks(facts)]
    option = Option(
        entry.option,
        entry.label,
        standing,
        _once(rule.text for rule in holding),
        tuple(rule.text for rule in hazards),
        _once(measure),
        _once(sources[key] for rule in (*holding, *hazards) for key in rule.sources),
    )
    return _Verdict(option, _once(name for rule in holding for name, _ in rule.when))


def _once(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))
