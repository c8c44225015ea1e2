"""Two charts, drawn by hand: how likely each diagnosis is, and what pushed where."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from re import sub
from textwrap import wrap

from markupsafe import Markup

from calcinosis.explain.differential import Diagnosis
from calcinosis.write.explanation import wording

_ROWS = 14  # findings shown; the rest hardly move anything
_FULL_DB = 20.0  # a bar of full length: odds times a hundred
_LEAST_DB = 0.5  # a bar shorter than this is no bar

_LABEL_LENGTH = 42
_LABELS, _COLUMN, _HALF, _ROW, _HEAD = 300.0, 246.0, 82.0, 26.0, 78.0


def evidence_chart(diagnoses: Sequence[Diagnosis], units: Mapping[str, wording.Unit]) -> Markup:
    """Findings down, diagnoses across: bars to the right speak for, to the left against."""
    rows = _rows(diagnoses, units)
    width = _LABELS + _COLUMN * len(diagnoses)
    height = _HEAD + _ROW * len(rows) + 6
    marks = [mark for at, d in enumerate(diagnoses) for mark in _column(d, at, len(rows))]
    for place, (name, said) in enumerate(rows):
        y = _HEAD + _ROW * place
        if place % 2 == 0:
            marks.insert(0, _rectangle(0, y, width, _ROW, "stripe"))
        marks.append(_text(_LABELS - 14, y + 17.5, _shortened(said), "end"))
        for at, diagnosis in enumerate(diagnoses):
            weight = next((e.weight_db for e in diagnosis.evidence if e.finding == name), 0.0)
            marks += _bar(_LABELS + _COLUMN * (at + 0.5), y, weight)
    alt = "Weight of each finding for and against the leading diagnoses, in decibans"
    return _svg(width, height, marks, alt)


def probability_chart(diagnoses: Sequence[Diagnosis]) -> Markup:
    """A row per diagnosis: its name, a bar with the 90 % spread as a line, its probability."""
    rows = "".join(
        f"<li{'' if place else ' class=strong'}><span>{escape(d.label)}</span>{_probability(d)}"
        f"<b>{escape(wording.percent(d.probability))}</b></li>"
        for place, d in enumerate(diagnoses)
    )
    return Markup(f'<ol class="ranks">{rows}</ol>')  # noqa: S704 - every text is escaped above


def _probability(diagnosis: Diagnosis) -> str:
    share, low, high = (
        1000 * value for value in (diagnosis.probability, diagnosis.low, diagnosis.high)
    )
    alt = (
        f"{diagnosis.label}: {wording.percent(diagnosis.probability)}, 90 % spread "
        f"{wording.percent(diagnosis.low)} to {wording.percent(diagnosis.high)}"
    )
    return (
        f'<svg class="chart" role="img" viewBox="0 0 1000 18" preserveAspectRatio="none" '
        f'aria-label="{escape(alt)}">{_rectangle(0, 0, 1000, 18, "track")}'
        f"{_rectangle(0, 0, max(2.0, share), 18, 'for')}"
        f'<path class="spread" d="M{low:.1f} 9H{high:.1f}"/></svg>'
    )


def _rows(
    diagnoses: Sequence[Diagnosis], units: Mapping[str, wording.Unit]
) -> list[tuple[str, str]]:
    """Findings that move any of the diagnoses, the strongest first."""
    strongest: dict[str, float] = {}
    said: dict[str, str] = {}
    for evidence in (e for d in diagnoses for e in d.evidence):
        weight = max(abs(evidence.weight_db), strongest.get(evidence.finding, 0.0))
        strongest[evidence.finding] = weight
        said[evidence.finding] = wording.said(evidence, units)
    moving = [name for name, weight in strongest.items() if weight >= _LEAST_DB]
    moving.sort(key=lambda name: -strongest[name])
    return [(name, said[name]) for name in moving[:_ROWS]]


def _shortened(said: str) -> str:
    """Without what stands in brackets, where it would not fit beside the chart."""
    return said if len(said) <= _LABEL_LENGTH else sub(r" \([^)]*\)", "", said)


def _column(diagnosis: Diagnosis, at: int, rows: int) -> Iterable[str]:
    middle = _LABELS + _COLUMN * (at + 0.5)
    for line, part in enumerate(wrap(diagnosis.label, 30)[:3]):
        yield _text(middle, 14 + 16 * line, part, "middle", "strong")
    yield _text(middle, 66, wording.percent(diagnosis.probability), "middle", "soft")
    bottom = _HEAD + _ROW * rows
    yield f'<path class="axis" d="M{middle:.1f} {_HEAD:.1f}V{bottom:.1f}"/>'


def _bar(middle: float, y: float, weight_db: float) -> list[str]:
    if abs(weight_db) < _LEAST_DB:
        return []
    length = _HALF * min(abs(weight_db), _FULL_DB) / _FULL_DB
    speaks_for = weight_db > 0
    start = middle if speaks_for else middle - length
    end = middle + length + 5 if speaks_for else middle - length - 5
    figure = f"{'+' if speaks_for else '−'}{int(abs(weight_db) + 0.5)}"
    return [
        _rectangle(start, y + 6, length, _ROW - 12, "for" if speaks_for else "against"),
        _text(end, y + 17.5, figure, "start" if speaks_for else "end", "soft"),
    ]


def _rectangle(x: float, y: float, width: float, height: float, kind: str) -> str:
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'
    )


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(width: float, height: float, marks: Iterable[str], alt: str) -> Markup:
    svg = (
        f'<svg class="chart" role="img" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'aria-label="{escape(alt)}"><title>{escape(alt)}</title>{"".join(marks)}</svg>'
    )
    return Markup(svg)  # noqa: S704 - every text is escaped above
