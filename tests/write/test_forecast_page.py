"""The lines of the forecast page can be seen."""

import pytest

from calcinosis.write.forecast_page.chart import COLOURS, swatch


def luminance(colour):
    """Relative luminance of #rrggbb (WCAG 2)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("paper", ["#ffffff", "#14171b"])
@pytest.mark.parametrize("colour", COLOURS)
def test_every_line_stands_out_from_paper_and_from_a_dark_screen(colour, paper):
    """WCAG 2 asks 3 of lines."""
    dark, light = sorted((luminance(colour), luminance(paper)))
    assert (light + 0.05) / (dark + 0.05) >= 3


def test_no_two_of_many_options_look_alike():
    drawn = {swatch(index) for index in range(2 * len(COLOURS))}
    assert len(drawn) == 2 * len(COLOURS)
