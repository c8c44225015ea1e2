"""Two charts, drawn by hand as SVG: how likely each diagnosis is, and what pushed where."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from textwrap import wrap

from markupsafe import Markup

from calcinosis.explain.differential import Diagnosis
from calcinosis.write.explanation import wording

_ROWS = 14  # findings shown; the rest hardly move anything
_FULL_DB = 20.0  # a bar of full length: odds times a hundred
_LEAST_DB = 0.5  # a bar shorter than this is no bar

_LABELS, _COLUMN, _HALF, _ROW, _HEAD = 300.0, 246.0, 82.0, 26.0, 78.0


def evidence_chart(diagnoses: Sequence[Diagnosis], units: Mapping[str, str]) -> Markup:
    """Findings down, diagnoses across: bars to the right speak for, to the left against."""
    rows = _rows(diagnoses, units)
    width = _LABELS + _COLUMN * len(diagnoses)
    height = _HEAD + _ROW * len(rows) + 6
    marks = [mark for at, d in enumerate(diagnoses) for mark in _column(d, at, len(rows))]
    for place, (name, said) in enumerate(rows):
        y = _HEAD + _ROW * place
        if place % 2 == 0:
            marks.insert(0, _rectangle(0, y, width, _ROW, "stripe"))
        marks.append(_text(_LABELS - 14, y + 17.5, said, "end"))
        for at, diagnosis in enumerate(diagnoses):
            weight = next((e.weight_db for e in diagnosis.evidence if e.finding == name), 0.0)
            marks += _bar(_LABELS + _COLUMN * (at + 0.5), y, weight)
    alt = "Weight of each finding for and against the leading diagnoses, in decibans"
    return _svg(width, height, marks, alt)


def probability_chart(diagnoses: Sequence[Diagnosis]) -> Markup:
    """A bar per diagnosis, with the 90 % spread of its probability as a line."""
    left, right, row = 420.0, 90.0, 34.0
    span = 1038.0 - left - right
    marks: list[str] = []
    for place, d in enumerate(diagnoses):
        y = row * place
        label = wrap(d.label, 56)
        for line, part in enumerate(label[:2]):
            shift = 21 if len(label) == 1 else 14 + 15 * line
            marks.append(_text(left - 14, y + shift, part, "end", "strong" if not place else ""))
        marks.append(_rectangle(left, y + 8, span, 18, "track"))
        marks.append(_rectangle(left, y + 8, max(1.5, span * d.probability), 18, "for"))
        low, high = left + span * d.low, left + span * d.high
        marks.append(f'<path class="spread" d="M{low:.1f} {y + 17}H{high:.1f}"/>')
        marks.append(
            _text(left + span + 10, y + 22, wording.percent(d.probability), "start", "strong")
        )
    alt = "; ".join(f"{d.label} {wording.percent(d.probability)}" for d in diagnoses)
    return _svg(1038, row * len(diagnoses) + 4, marks, alt)


def _rows(diagnoses: Sequence[Diagnosis], units: Mapping[str, str]) -> list[tuple[str, str]]:
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
    figure = f"{'+' if speaks_for else '−'}{abs(weight_db):.0f}"
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
