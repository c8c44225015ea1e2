"""Small charts of an archive, drawn by hand: a bar for each row, its count beside it."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from html import escape
from itertools import pairwise

from markupsafe import Markup

Rows = Sequence[tuple[str, int]]

_WIDTH, _ROW = 520.0, 27.0
_LABELS = 0.66 * _WIDTH  # the longest; what does not fit ends in …
_FIGURE = 96.0  # kept free for the count and what follows it
_LETTER = 8.4  # width of one in the labels, in a wide face
# Edges in thirds of a decade: volumes and masses of calcium spread over several.
VOLUMES_ML = (2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
CALCIUM_G = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)


def bars(rows: Rows, alt: str, *, of: int | None = None) -> Markup:
    """Bars one below the other.

    Args:
        rows: what is counted, and how many there are.
        alt: what the chart says, for those who cannot see it.
        of: all, of which shares are told; bars are as long as their share then.
    """
    labels = max((len(label) for label, _ in rows), default=0) * _LETTER + 14
    labels = min(labels, _LABELS)
    longest = of or max((count for _, count in rows), default=0) or 1
    marks = [
        mark
        for at, (label, count) in enumerate(rows)
        for mark in _bar(at * _ROW, labels, label, count, longest, shares=of is not None)
    ]
    said = f"{alt}: {', '.join(f'{label} {count}' for label, count in rows)}"
    svg = (
        f'<svg class="bars" role="img" viewBox="0 0 {_WIDTH:.0f} {_ROW * len(rows):.0f}" '
        f'aria-label="{escape(said)}">{"".join(marks)}</svg>'
    )
    return Markup(svg)  # noqa: S704 - every text is escaped above


def _bar(
    y: float, x: float, label: str, count: int, longest: int, *, shares: bool
) -> Iterable[str]:
    length = (_WIDTH - x - _FIGURE) * count / longest
    share = f" ({100 * count / longest:.0f} %)" if shares and 0 < count < longest else ""
    shown = label if len(label) * _LETTER <= x else f"{label[: int(x / _LETTER) - 2]}…"
    whole = f"<title>{escape(label)}</title>" if shown != label else ""
    told = f"{escape(shown)}{whole}"
    yield f'<text x="{x - 12:.1f}" y="{y + 18:.1f}" text-anchor="end">{told}</text>'
    size = f'width="{max(length, 1.5):.1f}" height="{_ROW - 10:.0f}"'
    if count:
        yield f'<rect x="{x:.1f}" y="{y + 5:.1f}" {size}/>'
    yield f'<text class="count" x="{x + length + 7:.1f}" y="{y + 18:.1f}">{count}{share}</text>'


def histogram(values: Iterable[float], edges: Sequence[float], unit: str) -> Rows:
    """How many values lie between edges; empty ranges at either end are left out."""
    counts = [0] * (len(edges) + 1)
    for value in values:
        counts[bisect_right(edges, value)] += 1
    told = [f"{edge:g}" for edge in edges]
    names = [
        f"below {told[0]} {unit}",
        *(f"{low}–{high} {unit}" for low, high in pairwise(told)),
        f"{told[-1]} {unit} and more",
    ]
    held = [at for at, count in enumerate(counts) if count]
    if not held:
        return []
    return list(zip(names, counts, strict=True))[held[0] : held[-1] + 1]
