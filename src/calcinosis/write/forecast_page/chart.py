"""Small multiples as SVG: one panel per analyte, one colour per option, bands shaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

import numpy as np

from calcinosis.forecast.outlook import Course
from calcinosis.forecast.states import Array

# After Okabe and Ito, whom every kind of colour vision can follow; orange, sky blue and purple are
# darker, so that each line has a contrast of 3 and more on white paper and on a dark screen.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#c4709f", "#b97f00", "#2f93cc", "#7f7f7f")
DASHES = ("", "7 3", "2 3", "9 3 2 3")
WIDTH, HEIGHT = 520, 258
LABEL = 16  # height of a text, at most: print and telephones draw it large
LEFT, RIGHT, TOP, BOTTOM = 46, 12, LABEL + 4, 34
DENSEST_BAND, ALL_BANDS = 0.13, 0.36  # opacity of one, and of all where they lie over each other
SHORTEST_DAYS = 1.0  # of an axis: a plan may end before a second sample is due


@dataclass(frozen=True)
class Panel:
    """One analyte: its title, unit, lines worth knowing, linear or logarithmic."""

    analyte: str
    title: str
    unit: str
    limits: tuple[tuple[float, str], ...] = ()
    logarithmic: bool = False


PANELS = (
    Panel("calcium_mg_dl", "Calcium", "mg/dL", ((8.4, "8.4"), (10.2, "10.2"))),
    Panel("phosphate_mg_dl", "Phosphate", "mg/dL", ((5.5, "5.5"),)),
    Panel("ca_p_product_mg2_dl2", "Ca × P", "mg²/dL²", ((55, "55"), (70, "70"))),
    Panel("pth_pg_ml", "PTH", "pg/mL", ((150, "150"), (300, "300")), logarithmic=True),
    Panel("deposit_calcium_g", "Calcium in the deposit", "g"),
)


class _Axes:
    """From days and values to pixels."""

    def __init__(self, panel: Panel, days: float, low: float, high: float) -> None:
        self.log = panel.logarithmic
        self.days = days
        self.low, self.high = (log10(low), log10(high)) if self.log else (low, high)

    def x(self, day: Array | float) -> Array:
        share = np.asarray(day, dtype=float) / self.days
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: Array | float) -> Array:
        values = np.asarray(value, dtype=float)
        values = np.log10(np.maximum(values, 1e-9)) if self.log else values
        share = np.clip((values - self.low) / (self.high - self.low), 0.0, 1.0)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def ticks(self) -> list[float]:
        if self.log:
            ten = range(floor(self.low), ceil(self.high) + 1)
            found = [m * 10.0**k for k in ten for m in (1, 3)]
            return [v for v in found if 10**self.low <= v <= 10**self.high]
        step = 10 ** floor(log10(max(self.high - self.low, 1e-9)))
        while (self.high - self.low) / step < 4:
            step /= 2
        return [float(v) for v in np.arange(ceil(self.low / step) * step, self.high, step)]


def panel_svg(panel: Panel, courses: Sequence[Course]) -> str:
    """Draw one panel; a lone sample is a dot."""
    axes = _axes(panel, courses)
    parts = [_grid(axes, panel)]
    shade = min(DENSEST_BAND, ALL_BANDS / len(courses))
    bands = "".join(_band(axes, panel, course, i) for i, course in enumerate(courses))
    parts.append(f'<g fill-opacity="{shade:.2f}">{bands}</g>')
    parts += [_changes(axes, course, i) for i, course in enumerate(courses)]
    parts += [_line(axes, panel, course, i) for i, course in enumerate(courses)]
    parts.append(_limit_texts(axes, panel))
    label = f"{panel.title} in {panel.unit} over time"
    return (
        f'<svg class="course-chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def _axes(panel: Panel, courses: Sequence[Course]) -> _Axes:
    name = panel.analyte
    highest = max(float(np.percentile(course.high[name], 97)) for course in courses)
    lowest = min(float(np.percentile(course.low[name], 3)) for course in courses)
    if panel.logarithmic:
        lowest, highest = max(lowest, 1.0) / 1.2, highest * 1.2
    else:
        room = 0.06 * (highest - lowest) or 1.0
        lowest, highest = max(0.0, lowest - room), highest + room
    days = max(SHORTEST_DAYS, *(float(course.day[-1]) for course in courses))
    return _Axes(panel, days, lowest, highest)


def _grid(axes: _Axes, panel: Panel) -> str:
    right, base = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for value in axes.ticks():
        y = float(axes.y(value))
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" class="end">{value:g}</text>')
    for month in _months(axes.days):
        x = float(axes.x(month * 365.25 / 12))
        parts.append(f'<text x="{x:.1f}" y="{base + 16}" class="middle">{month:g}</text>')
    parts.append(f'<text x="{right}" y="{base + 30}" class="end">months</text>')
    parts += [
        f'<line class="limit" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        for y, _ in _limits(axes, panel)
    ]
    return "".join(parts)


def _limits(axes: _Axes, panel: Panel) -> list[tuple[float, str]]:
    """Height and text of the limits that are in sight."""
    limits = [(float(axes.y(value)), text) for value, text in panel.limits]
    return [(y, text) for y, text in limits if TOP < y < HEIGHT - BOTTOM]


def _limit_texts(axes: _Axes, panel: Panel) -> str:
    """Above each line; on top of all that is drawn."""
    return "".join(
        f'<text x="{WIDTH - RIGHT}" y="{y - 4:.1f}" class="end limit">{text}</text>'
        for y, text in _limits(axes, panel)
    )


def _months(days: float) -> list[float]:
    months = days / (365.25 / 12)
    step = next((s for s in (1, 2, 3, 6, 12, 24, 60) if months / s <= 8), 120)
    return [float(m) for m in range(0, floor(months + 0.05) + 1, step)]


def _band(axes: _Axes, panel: Panel, course: Course, index: int) -> str:
    x = axes.x(course.day)
    high, low = axes.y(course.high[panel.analyte]), axes.y(course.low[panel.analyte])
    outline = [*zip(x, high, strict=True), *reversed([*zip(x, low, strict=True)])]
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in outline)
    return f'<polygon points="{points}" fill="{_colour(index)}"/>'


def _line(axes: _Axes, panel: Panel, course: Course, index: int) -> str:
    x, y = axes.x(course.day), axes.y(course.central[panel.analyte])
    title = f"<title>{escape(course.name)}</title>"
    if len(x) == 1:
        at = f'cx="{x[0]:.1f}" cy="{y[0]:.1f}"'
        return f'<circle {at} r="3" fill="{_colour(index)}">{title}</circle>'
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    dash = dash_of(index)
    return (
        f'<polyline points="{points}" stroke="{_colour(index)}" stroke-dasharray="{dash}" '
        f'class="course">{title}</polyline>'
    )


def _changes(axes: _Axes, course: Course, index: int) -> str:
    """A mark at the foot of the panel where treatment changes."""
    base = HEIGHT - BOTTOM
    return "".join(
        f'<path d="M{x:.1f} {base} l-4 -8 h8 z" fill="{_colour(index)}">'
        f"<title>{escape(course.name)}: {escape(name or 'change')}</title></path>"
        for day, name in course.changes
        if day > 0
        for x in [float(axes.x(day))]
    )


def _colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def dash_of(index: int) -> str:
    """The dashes of an option: other ones when the colours begin anew."""
    again, colour = divmod(index, len(COLOURS))
    return DASHES[(colour + again) % len(DASHES)]


def swatch(index: int) -> str:
    """The line of an option, for the legend and the table."""
    dash = dash_of(index)
    line = (
        f'<line x1="1" x2="33" y1="5" y2="5" stroke="{_colour(index)}" stroke-width="3" '
        f'stroke-dasharray="{dash}"/>'
    )
    return f'<svg class="course-key" viewBox="0 0 34 10" aria-hidden="true">{line}</svg>'
