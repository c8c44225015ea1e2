"""An explanation for the terminal."""

from collections.abc import Iterator
from textwrap import wrap

from calcinosis.explain.differential import Diagnosis
from calcinosis.explain.explanation import Explanation
from calcinosis.lab_result import doubts_about
from calcinosis.write.explanation import wording

_WIDTH = 96
_EVIDENCE_SHOWN = 6


def summary(explanation: Explanation, case_id: str | int | None = None) -> str:
    """One page of text: red flags, differential, next tests, options."""
    lines = [f"Case {case_id}", ""] if case_id is not None else []
    lines += [*_flags(explanation), *_differential(explanation)]
    lines += [*_tests(explanation), *_plan(explanation)]
    for doubt in doubts_about(explanation.patient.labs):
        lines += [*_hung("", doubt, 2), ""]
    if explanation.patient.passed_over:
        lines += [*_hung("", wording.passed_over(explanation.patient), 2), ""]
    lines.append("For research and teaching; not a medical device.")
    return "\n".join(lines)


def one_line(explanation: Explanation, name: str) -> str:
    """A case of many: name, first diagnosis, red flags."""
    first = explanation.differential.diagnoses[0]
    flags = ", ".join(flag.label.lower() for flag in explanation.red_flags)
    alarm = f"  ! {flags}" if flags else ""
    return f"{name:<12} {wording.percent(first.probability):>9}  {first.label}{alarm}"


def _flags(explanation: Explanation) -> Iterator[str]:
    for flag in explanation.red_flags:
        yield from _hung("! ", f"{flag.label}{flag.seen}. {flag.action}", 2)
    if explanation.red_flags:
        yield ""


def _differential(explanation: Explanation) -> Iterator[str]:
    yield "Most likely"
    units = wording.units(explanation)
    for diagnosis in wording.shown_diagnoses(explanation):
        share = f"{wording.percent(diagnosis.probability):>10}"
        spread = f"{100 * diagnosis.low:.0f}–{100 * diagnosis.high:.0f}\u00a0%"
        yield f"{share}  {diagnosis.label} ({spread})"
        for sign, text in _evidence(diagnosis, units):
            yield from _hung(f"{'':12}{sign} ", text, 14)
    yield f"{'':12}{wording.rest(explanation)}"
    labels = {d.diagnosis: d.label for d in explanation.differential.diagnoses}
    if explanation.differential.beside:
        both = ", ".join(labels[name] for name in explanation.differential.beside)
        yield from _hung(f"{'':12}may coexist with the first: ", both, 14)
    for dispute in explanation.differential.contradictions:
        told = wording.contradiction(dispute)
        yield from _hung(f"{'':12}contradicted, so without weight: ", told, 14)
    yield ""


def _evidence(diagnosis: Diagnosis, units: dict[str, wording.Unit]) -> Iterator[tuple[str, str]]:
    for sign, wanted in (("for", 1), ("against", -1)):
        told = [
            f"{wording.said(e, units)} ({wording.decibans(e.weight_db)})"
            for e in diagnosis.evidence
            if e.weight_db * wanted >= 1
        ]
        if told:
            yield sign, ", ".join(told[:_EVIDENCE_SHOWN])


def _tests(explanation: Explanation) -> Iterator[str]:
    if not explanation.next_tests:
        return
    yield "Would sharpen it most, cheapest first"
    labels = {d.diagnosis: d.label for d in explanation.differential.diagnoses}
    for test in explanation.next_tests:
        yield from _hung(f"  {test.label}: ", wording.outcomes(test, labels), 4)
    yield ""


def _plan(explanation: Explanation) -> Iterator[str]:
    yield "Options"
    for standing, title in wording.STANDINGS.items():
        options = [o for o in explanation.plan if o.standing == standing]
        if standing == "not_indicated":
            for name, are_open in ((wording.OPEN, True), (title, False)):
                labels = [o.label for o in options if o.is_open is are_open]
                if labels:
                    yield from _hung(f"  {name}: ", ", ".join(labels), 4)
            continue
        for option in options:
            yield from _hung(
                f"  {title}: {option.label}. ", " ".join(map(_ended, option.because)), 4
            )
            for hazard in option.hazards:
                yield from _hung("    Mind: ", hazard, 6)
    asked = wording.questions(explanation)
    if asked:
        yield from _hung("  To be measured or examined: ", "; ".join(asked), 4)
    yield ""


def _ended(text: str) -> str:
    sentence = text[:1].upper() + text[1:]
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."


def _hung(first: str, text: str, indent: int) -> list[str]:
    return wrap(
        first + text,
        _WIDTH,
        initial_indent="",
        subsequent_indent=" " * indent,
        drop_whitespace=True,
    )
