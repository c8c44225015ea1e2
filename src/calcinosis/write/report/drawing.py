"""A figure: a picture with vector marks over it, as one inline SVG."""

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

# Of overviews, in figure units: about as large as they are shown.
HEIGHT, WIDEST = 300.0, 420.0
NARROWEST, TALLEST = 110.0, 800.0  # where a limb is many times as long as thick
QUALITY = 86  # WebP: no visible loss of CT grey levels at a third of PNG's size


@dataclass(frozen=True)
class Figure:
    """An inline SVG with the words that stand for it."""

    svg: Markup
    caption: str
    width: float
    height: float


def figure(
    pixels: NDArray[np.uint8],
    size: tuple[float, float],
    marks: Iterable[str],
    *,
    alt: str,
    caption: str,
) -> Figure:
    """Lay `marks` (SVG elements) over `pixels` ([y, x], [y, x, 3] or [y, x, 4])."""
    width, height = size
    body = "".join(marks)
    svg = (
        f'<svg class="picture" role="img" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'aria-label="{escape(alt)}"><title>{escape(alt)}</title>'
        f'<image width="{width:.0f}" height="{height:.0f}" preserveAspectRatio="none" '
        f'href="{data_uri(pixels)}"/>{body}</svg>'
    )
    return Figure(Markup(svg), caption, width, height)  # noqa: S704 - every text is escaped above


def fitting(width: float, height: float) -> float:
    """Figure units for each unit of an overview: as high as its neighbours, but wide enough."""
    return max(
        min(HEIGHT / height, WIDEST / width),
        min(TALLEST / height, NARROWEST / width),
    )


def data_uri(pixels: NDArray[np.uint8]) -> str:
    """An image as a WebP data URI."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=QUALITY, method=2)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def windowed(hounsfield: NDArray[np.floating], centre: float, width: float) -> NDArray[np.uint8]:
    """Hounsfield units to grey levels."""
    scaled = (hounsfield - (centre - width / 2)) / width
    return np.asarray(np.clip(scaled, 0, 1) * 255 + 0.5, dtype=np.uint8)


def outline(
    curves: Iterable[NDArray[np.floating]], stroke: str, *, fill_opacity: float = 0.0
) -> str:
    """Closed curves [n, 2] as (x, y) in figure units, dark-edged so they show on any grey."""
    parts = []
    for curve in curves:
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in curve)
        parts.append(f"M{points}Z")
    if not parts:
        return ""
    path = "".join(parts)
    return (
        f'<path d="{path}" class="halo"/>'
        f'<path d="{path}" fill="{stroke}" fill-opacity="{fill_opacity:g}" fill-rule="evenodd" '
        f'stroke="{stroke}" stroke-width="1.4" stroke-linejoin="round"/>'
    )


def text(
    x: float, y: float, words: str, *, anchor: str = "middle", kind: str = "letter", fill: str = ""
) -> str:
    """Words on a picture."""
    colour = f' style="fill:{fill}"' if fill else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}"{colour}>'
        f"{escape(words)}</text>"
    )


def line(start: Sequence[float], end: Sequence[float], *, kind: str) -> str:
    """A straight mark, dark-edged so that it shows on any grey."""
    path = f"M{start[0]:.1f},{start[1]:.1f}L{end[0]:.1f},{end[1]:.1f}"
    return f'<path d="{path}" class="halo"/><path d="{path}" class="{kind}"/>'


def ring(x: float, y: float, radius: float, *, kind: str) -> str:
    """A small circle."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" class="{kind}"/>'


def orientation_letters(size: tuple[float, float], letters: str) -> list[str]:
    """Letters at the left, right, top and bottom edge, e.g. ``RLAP``."""
    width, height = size
    left, right, top, bottom = tuple(letters)
    return [
        text(12, height / 2 + 5, left),
        text(width - 12, height / 2 + 5, right),
        text(width / 2, 18, top),
        text(width / 2, height - 8, bottom),
    ]


def scale_bar(size: tuple[float, float], unit_per_mm: float) -> list[str]:
    """A bar of a round length, about a quarter of the width, bottom right."""
    width, height = size
    length_mm = next((mm for mm in (200, 100, 50, 20, 10, 5) if mm * unit_per_mm <= width * 0.3), 5)
    end = width - 14
    start = end - length_mm * unit_per_mm
    words = f"{length_mm // 10} cm" if length_mm >= 10 else f"{length_mm} mm"
    y = height - 14
    return [
        line((start, y), (end, y), kind="bar"),
        text((start + end) / 2, y - 6, words, kind="small"),
    ]
