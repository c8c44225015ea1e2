"""The lines of the forecast page can be seen, and what is doubtful of the labs is said."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest

from calcinosis.write.forecast_page.chart import COLOURS, LABEL, PANELS, panel_svg, swatch
from calcinosis.write.forecast_page.files import summary, write_forecast


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


def test_a_value_whose_unit_may_be_another_is_doubted_first(tmp_path):
    day = {"date": "2024-01-05"}
    labs = [
        {**day, "analyte": "calcium", "value": 2.4, "unit": "mmol/L"},
        {**day, "analyte": "phosphate", "value": 7.4, "unit": "mmol/L"},
    ]
    scenario = {"patient": {"labs": labs}, "phases": [{"days": 7, "dialysis": {}}]}
    (tmp_path / "scenario.json").write_text(json.dumps(scenario), encoding="utf-8")
    printed = [*summary(write_forecast(tmp_path / "scenario.json", tmp_path / "out"))]
    told = json.loads((tmp_path / "out/forecast.json").read_text(encoding="utf-8"))
    doubt = "Phosphate 22.92 mg/dL (7.4 mmol/L): outside 0.8 to 15 mg/dL"
    assert told["assumptions"][0].startswith(doubt)
    assert printed[0].startswith(doubt)


def test_a_drug_of_the_first_phase_is_said_to_be_taken_before_today(tmp_path):
    """Who writes "cinacalcet from today" without a history learns that it is read otherwise."""
    phase = {"days": 7, "dialysis": {}, "calcimimetic": {"drug": "cinacalcet"}}
    (tmp_path / "scenario.json").write_text(json.dumps({"phases": [phase]}), encoding="utf-8")
    printed = [*summary(write_forecast(tmp_path / "scenario.json", tmp_path / "out"))]
    (told,) = (line for line in printed if "Until today" in line)
    assert "cinacalcet" in told
    assert "  A drug that is to begin only today needs a history without it." in printed


@pytest.mark.parametrize("highest", [305.0, 330.0, 900.0])
def test_the_text_of_a_limit_is_never_cut_off_at_the_top(highest):
    panel = next(panel for panel in PANELS if panel.analyte == "pth_pg_ml")
    levels = {panel.analyte: np.array([100.0, highest / 1.2])}
    course = SimpleNamespace(
        name="one", day=np.array([0.0, 7.0]), central=levels, low=levels, high=levels, changes=()
    )
    drawn = panel_svg(panel, [course])
    heights = [float(y) for y in re.findall(r'y="([\d.]+)" class="end limit"', drawn)]
    assert heights
    assert min(heights) >= LABEL
    assert drawn.rindex("<polyline") < drawn.index('class="end limit"'), "texts lie on top"
