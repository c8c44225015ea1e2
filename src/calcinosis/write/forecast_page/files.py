"""What the ``forecast`` command writes: forecast.html, forecast.json, forecast.csv."""

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

from calcinosis import __version__
from calcinosis.analyte import is_known
from calcinosis.forecast.labs import ANALYTES
from calcinosis.forecast.option_wording import options_in_words
from calcinosis.forecast.outlook import Course, Outlook, forecast
from calcinosis.forecast.scenario import Scenario, read_scenario
from calcinosis.forecast.session import Session
from calcinosis.lab_result import LabResult, doubts_about
from calcinosis.write.explanation.wording import percent

Progress = Callable[[int, int], None]


def write_forecast(
    path: Path, output: Path, *, force: bool = False, progress: Progress | None = None
) -> Outlook:
    """Read a scenario, forecast it, and write the three files into `output`.

    Raises:
        InputError: the scenario cannot be used; the field is named.
        OutputError: `output` is a file, is not empty (without `force`), or cannot be written.
    """
    from calcinosis.write.files import result_folder
    from calcinosis.write.forecast_page.page import render

    scenario = read_scenario(path)
    with result_folder(output, force=force) as folder:
        outlook = forecast(scenario, progress=progress)
        rests_on = (*outlook.assumptions, *_not_from_today(scenario))
        doubts = _doubts(scenario)
        told = (*doubts, *rests_on, *options_in_words(scenario))
        outlook = replace(outlook, assumptions=told, doubts=(*doubts, *outlook.doubts))
        record = json.dumps(as_record(outlook), indent=1, ensure_ascii=False) + "\n"
        (folder / "forecast.json").write_text(record, encoding="utf-8")
        (folder / "forecast.csv").write_text(as_csv(outlook), encoding="utf-8")
        (folder / "forecast.html").write_text(render(outlook), encoding="utf-8")
    return outlook


def _doubts(scenario: Scenario) -> tuple[str, ...]:
    """Laboratory values before dialysis whose unit may be another."""
    labs = (lab for lab in scenario.patient.labs if is_known(lab.analyte))
    return doubts_about(LabResult.measured(lab.analyte, lab.value, lab.unit) for lab in labs)


def _not_from_today(scenario: Scenario) -> tuple[str, ...]:
    """That the drugs of the first phase are read as long taken, where no history tells."""
    first = scenario.phases[0]
    drugs = (first.binder, first.active_vitamin_d_ug_per_week, first.calcimimetic)
    if scenario.patient.history or first.event or not any(drugs):
        return ()
    return ("A drug that is to begin only today needs a history without it.",)


def as_record(outlook: Outlook) -> dict[str, Any]:
    """A forecast as the object that forecast.json holds."""
    return {
        "schema": "calcinosis-forecast/1",
        "version": __version__,
        "assumptions": list(outlook.assumptions),
        "fit": [vars(finding) for finding in outlook.fit],
        "options": [_option(course) for course in outlook.courses],
        "limits": list(outlook.limits),
    }


def _option(course: Course) -> dict[str, Any]:
    return {
        "name": course.name,
        "phases": [
            {"day": day, "name": name, "last_session": session and _session(session)}
            for (day, name), session in zip(course.phases, course.sessions, strict=True)
        ],
        "outcomes": {key: _rounded(value) for key, value in course.outcomes.items()},
        "warnings": list(course.warnings),
        "left_out": course.left_out,
        "course": {
            "day": course.day.tolist(),
            **{
                name: {
                    "value": _series(course.central[name]),
                    "low": _series(course.low[name]),
                    "high": _series(course.high[name]),
                }
                for name in ANALYTES
            },
        },
    }


def _session(session: Session) -> dict[str, Any]:
    return {
        name: value if isinstance(value, float) else _series(value)
        for name, value in vars(session).items()
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _series(values: Any) -> list[float | None]:  # noqa: ANN401  # a numpy array of floats
    return [_rounded(float(value)) for value in values]


def as_csv(outlook: Outlook) -> str:
    """One row per option and day: value, 5th and 95th percentile of every analyte."""
    text = StringIO()
    table = csv.writer(text, lineterminator="\n")
    bands = [f"{name}{end}" for name in ANALYTES for end in ("", "_low", "_high")]
    table.writerow(["day", "name", "phase", *bands])
    for course in outlook.courses:
        table.writerows(_rows(course))
    return text.getvalue()


def _rows(course: Course) -> Iterator[list[str]]:
    for i, (day, phase) in enumerate(zip(course.day, course.phase, strict=True)):
        values = [
            f"{series[name][i]:.4g}"
            for name in ANALYTES
            for series in (course.central, course.low, course.high)
        ]
        yield [f"{day:g}", course.name, phase, *values]


def summary(outlook: Outlook) -> Iterator[str]:
    """For the terminal: what makes all less sure, a few lines per option, what they rest on."""
    yield from outlook.doubts
    for course in outlook.courses:
        seen = course.outcomes
        line = (
            f"{course.name}: Ca {seen['calcium_mg_dl']:.1f}, P {seen['phosphate_mg_dl']:.1f} mg/dL,"
            f" Ca×P {seen['ca_p_product_mg2_dl2']:.0f} mg²/dL², PTH {seen['pth_pg_ml']:.0f} pg/mL"
            f" on day {seen['horizon_days']:.0f};"
            f" chance of Ca×P below 55: {percent(seen['chance_product_below_55'] or 0.0)}"
        )
        halved = seen["chance_deposit_halved"]
        if halved is not None:
            line += f"; of half the deposit gone: {percent(halved)}"
        yield line
        yield from (f"  {warning}" for warning in course.warnings)
    yield "This rests on:"
    yield from (f"  {told}" for told in outlook.assumptions if told not in outlook.doubts)
