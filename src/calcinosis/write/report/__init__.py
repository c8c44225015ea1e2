"""One self-contained page that shows what was found, how, and how sure."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from calcinosis import __version__
from calcinosis.analysis import Analysis
from calcinosis.measure.calcium import GIVEN_BY_THE_USER
from calcinosis.measure.mass import Mass
from calcinosis.measure.seed import seed_options, seeds_named, told_of_doubt
from calcinosis.write.explanation.view import view_of
from calcinosis.write.report import wording
from calcinosis.write.report.doubts import doubt_views
from calcinosis.write.report.drawing import Figure
from calcinosis.write.report.numbers import colour, hydroxyapatite, number, quantity
from calcinosis.write.report.planes import LEVEL_WINDOW_HU, WINDOW_HU, level_view, mass_planes
from calcinosis.write.report.projection import projections
from calcinosis.write.report.surface import surface_views
from calcinosis.write.told import told_of

PICTURED = 12  # masses shown in pictures, the largest; all are in the tables
LEVELS_PICTURED = 4  # fluid levels shown per mass, the largest
LEVELS_LISTED = 10


@dataclass(frozen=True)
class MassView:
    """One mass as the page shows it."""

    mass: Mass
    colour: str
    title: str
    measures: list[tuple[str, str]]
    levels: list[tuple[str, ...]]
    planes: list[Figure]
    level_figures: list[Figure]
    remarks: list[str]
    doubt: str
    seed_option: str


def render_report(analysis: Analysis) -> str:
    """The report as HTML: no script, nothing fetched from anywhere."""
    environment = Environment(
        loader=PackageLoader("calcinosis.write.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "quantity": quantity,
        "hydroxyapatite": hydroxyapatite,
        "remark": wording.remark,
        "css_text": _css_text,
    }
    return environment.get_template("report.html.j2").render(_context(analysis))


def _css_text(text: str) -> Markup:
    """A text as a style sheet takes it, each character by its number: it can end nothing."""
    numbers = "".join(f"\\{ord(character):x} " for character in text)
    return Markup(f'"{numbers}"')  # noqa: S704 - nothing but digits


def _context(analysis: Analysis) -> dict[str, Any]:
    volume, measurement = analysis.study.volume, analysis.measurement
    masses = _mass_views(analysis)
    chances, forecast, forecast_style = _forecast(analysis)
    return {
        "version": __version__,
        "study": analysis.study,
        "volume": volume,
        "measurement": measurement,
        "own_calibration": measurement.calibration.source == GIVEN_BY_THE_USER,
        "remarks": told_of(analysis).remarks,
        "identity": wording.identity(analysis.study.subject),
        "summary": wording.summary(measurement),
        "others_in_brief": wording.others_in_brief(measurement),
        "kinds": wording.kinds(measurement.other_calcifications),
        "overview": projections(volume, measurement)
        + (surface_views(volume, measurement) if measurement.masses else []),
        "masses": masses,
        "doubts": doubt_views(analysis),
        "explanation": analysis.explanation and view_of(analysis.explanation, chances),
        "forecast": forecast,
        "forecast_style": forecast_style,
        "too_young": _too_young(analysis),
        "site": wording.site,
        "window": WINDOW_HU,
        "level_window": LEVEL_WINDOW_HU,
        "pictured": PICTURED,
    }


def _forecast(analysis: Analysis) -> tuple[dict[str, str], Markup, Markup]:
    """Chances by option of the plan, the section, and its style; empty without a forecast."""
    if not analysis.outlook:
        return {}, Markup(), Markup()
    from calcinosis.forecast.usual_options import simulated_by
    from calcinosis.write.forecast_page import page

    courses = {course.name: page.chances(course) for course in analysis.outlook.courses}
    plan = analysis.explanation.plan if analysis.explanation else ()
    answered = {option.option: simulated_by(option.option) for option in plan}
    chances = {code: courses[name] for code, name in answered.items() if name in courses}
    part = Markup(page.part(analysis.outlook))  # noqa: S704 - escaped by its own templates
    return chances, part, Markup(page.style())  # noqa: S704 - our own file


def _too_young(analysis: Analysis) -> bool:
    """Whether a forecast is missing because the patient is a child."""
    from calcinosis.forecast.usual_options import is_child

    patient = analysis.patient
    return patient is not None and bool(patient.on_dialysis) and is_child(patient)


def _mass_views(analysis: Analysis) -> list[MassView]:
    from scipy.ndimage import find_objects

    from calcinosis.measure.masks import bounds
    from calcinosis.measure.working_grid import on_whole_grid

    measurement = analysis.measurement
    around = bounds(measurement.labels > 0)
    boxes = [on_whole_grid(box, around) for box in find_objects(measurement.labels[around])]
    return [_mass_view(analysis, mass, boxes[mass.id - 1]) for mass in measurement.masses]


def _mass_view(analysis: Analysis, mass: Mass, box: tuple[slice, slice, slice]) -> MassView:
    volume, labels = analysis.study.volume, analysis.measurement.labels
    shown = mass.id <= PICTURED
    levels = sorted(mass.fluid_levels, key=lambda level: -level.area_mm2)
    doubt = next((remark for remark in mass.remarks if seeds_named(remark)), "")
    return MassView(
        mass=mass,
        colour=colour(mass.id),
        title=wording.site(mass),
        measures=wording.measures(mass),
        levels=[wording.level_row(level) for level in levels[:LEVELS_LISTED]],
        planes=mass_planes(volume, labels, mass, _extent_mm(analysis, box)) if shown else [],
        level_figures=[
            level_view(volume, labels, mass, level, order)
            for order, level in enumerate(levels[:LEVELS_PICTURED], start=1)
            if shown
        ],
        remarks=[remark for remark in mass.remarks if remark != doubt],
        doubt=told_of_doubt(doubt),
        seed_option=" ".join(seed_options(seeds_named(doubt))),
    )


def _extent_mm(analysis: Analysis, box: tuple[slice, slice, slice]) -> float:
    """The largest extent of a box of voxels along a patient axis."""
    corners = np.array(np.meshgrid(*[[side.start, side.stop] for side in box])).reshape(3, -1).T
    return float(np.ptp(analysis.study.volume.to_lps(corners), axis=0).max())
