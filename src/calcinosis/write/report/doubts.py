"""Densities that may be masses, but are not called: how each looks, and how to measure it."""

from dataclasses import dataclass

from calcinosis.analysis import Analysis
from calcinosis.measure.seed import seed_options, seeds_named, told_of_doubt
from calcinosis.write.report.drawing import Figure
from calcinosis.write.report.planes import place_view

PICTURED = 12  # places of one remark that are shown; all are in the remark


@dataclass(frozen=True)
class PlaceView:
    """One place as the page shows it, and the option of the command line that asks for it."""

    figure: Figure
    option: str


@dataclass(frozen=True)
class DoubtView:
    """What a remark leaves open, and its places; how many of them are not shown."""

    told: str
    places: list[PlaceView]
    left_out: int


def doubt_views(analysis: Analysis) -> list[DoubtView]:
    """What the remarks on a measurement leave open, in pictures."""
    return [
        _doubt_view(analysis, remark)
        for remark in analysis.measurement.remarks
        if seeds_named(remark)
    ]


def _doubt_view(analysis: Analysis, remark: str) -> DoubtView:
    volume, labels = analysis.study.volume, analysis.measurement.labels
    named = seeds_named(remark)
    shown = [
        PlaceView(place_view(volume, labels, place), seed_options([place])[0])
        for place in named[:PICTURED]
    ]
    return DoubtView(told_of_doubt(remark), shown, len(named) - len(shown))
