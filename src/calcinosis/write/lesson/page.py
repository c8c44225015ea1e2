"""lesson.html: all cases on one page that runs offline, in a course, and without script as text."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from calcinosis import __version__
from calcinosis.write.explanation.view import view_of
from calcinosis.write.lesson.answers import asked
from calcinosis.write.lesson.asked import Asked
from calcinosis.write.lesson.pictures import key_slice
from calcinosis.write.lesson.references import Bibliography
from calcinosis.write.lesson.script import Opening
from calcinosis.write.lesson.stack import LEVELS_HU, Slices, slices_of
from calcinosis.write.lesson.taught import DisagreementError, Taught
from calcinosis.write.lesson.words import Words
from calcinosis.write.report.planes import WINDOW_HU

TOLERANCE_MM = 6.0  # a click so far off still hits: about a fingertip on a telephone
_TOLD_BESIDE = {"laboratory"}  # in a table of its own, with the years on dialysis
SCRIPTS = ("viewer.js", "course.js", "lesson.js")
WINDOWS_HU = {"bone": WINDOW_HU, "soft tissue": (60.0, 400.0)}  # level, width


def render(lesson: Sequence[Taught], opening: Opening, *, artificial: bool = True) -> str:
    """Draw the page.

    Args:
        lesson: the cases.
        opening: what stands before and after them.
        artificial: whether the patients are ours; else a study of somebody's own.

    Raises:
        DisagreementError: a built-in case does not answer one of its questions.
    """
    from jinja2 import Environment, PackageLoader, PrefixLoader, StrictUndefined

    loader = PrefixLoader(
        {
            "own": PackageLoader("calcinosis.write.lesson", "templates"),
            "house": PackageLoader("calcinosis.write.report", "templates"),
            "forecast": PackageLoader("calcinosis.write.forecast_page", "templates"),
        }
    )
    page = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    bibliography = Bibliography()
    cases = [_case(taught, bibliography) for taught in lesson]
    points = [bibliography.cited(point) for point in opening.points]
    return page.get_template("own/lesson.html.j2").render(
        version=__version__,
        opening=opening,
        artificial=artificial,
        points=points,
        cases=cases,
        references=bibliography.references(),
        scripts=[Markup(_own(name)) for name in SCRIPTS],  # noqa: S704 - our own files
        data=_data(cases),
        forecasts=any(taught.analysis.outlook for taught in lesson),
    )


def _own(name: str) -> str:
    return (files("calcinosis.write.lesson") / "templates" / name).read_text("utf-8")


def _case(taught: Taught, bibliography: Bibliography) -> dict[str, Any]:
    words = Words(taught, bibliography)
    questions = [(question, asked(question, words)) for question in taught.script.questions]
    for question, answered in questions:
        if answered is None and taught.truth is not None:
            raise DisagreementError(
                f"lesson, {taught.script.title}: no answer to {question.ask.split('.')[0]!r}"
            )
    return {
        "title": taught.script.title,
        "story": words.fill(taught.script.story),
        "told": _told(taught),
        "labs": view_of(words.explanation).labs,
        "slice": key_slice(taught),
        "questions": [answered for _, answered in questions if answered],
        "points": [words.fill(point) for point in taught.script.points],
        "scans": _scans(taught),
    }


def _told(taught: Taught) -> list[str]:
    """What a study of somebody's own came with, where there is no story."""
    from calcinosis.write.explanation.wording import said, units

    if taught.script.patient:
        return []
    explanation = taught.analysis.explanation
    assert explanation is not None  # noqa: S101 - refused before where there is no mass
    told = {
        finding.code
        for finding in explanation.findings
        if finding.origin == "reported" and finding.modality not in _TOLD_BESIDE
    }
    leading = explanation.differential.diagnoses[0].evidence
    return [
        said(evidence, units(explanation))
        for evidence in leading
        if evidence.finding in told - {"dialysis_vintage_years"}
    ]


def _scans(taught: Taught) -> list[tuple[str, Slices]]:
    """The stacks a case shows: one scan, or both by their names."""
    first = taught.analysis
    slices = slices_of(first.study.volume, first.measurement, taught.truth)
    if not taught.follow:
        return [("", slices)]
    later = taught.follow.later
    second = slices_of(later.volume, later.measurement, taught.later_truth)
    return [("Before", slices), ("After", second)]


def _data(cases: list[dict[str, Any]]) -> Markup:
    """What the script needs, as JSON that cannot end its element."""
    record = {
        "tolerance_mm": TOLERANCE_MM,
        "levels_hu": LEVELS_HU,
        "windows_hu": WINDOWS_HU,
        "cases": [
            {
                "scans": [{"name": name, **asdict(slices)} for name, slices in case["scans"]],
                "questions": [_question(question) for question in case["questions"]],
            }
            for case in cases
        ],
    }
    text = json.dumps(record, separators=(",", ":"), ensure_ascii=False)
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 - no "<" is left


def _question(question: Asked) -> dict[str, Any]:
    return {"kind": question.kind, "target": question.target, "right": question.right}
