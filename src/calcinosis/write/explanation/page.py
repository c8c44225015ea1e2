"""The page ``diagnose --output`` writes: self-contained, nothing fetched from anywhere."""

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from calcinosis import __version__
from calcinosis.explain.explanation import Explanation
from calcinosis.lab_result import doubts_about
from calcinosis.write.explanation import wording
from calcinosis.write.explanation.view import view_of

# Not by way of the package: the report's drawing code would be loaded with it.
_TEMPLATES = Path(__file__).parents[1] / "report" / "templates"

Named = tuple[str | int | None, Explanation]


def render_case(case_id: str | int | None, explanation: Explanation) -> str:
    """One case as a page."""
    template = _environment().get_template("diagnosis.html.j2")
    return template.render(
        version=__version__,
        case_id=case_id,
        doubts=doubts_about(explanation.patient.labs),
        explanation=view_of(explanation),
    )


def render_cases(answers: Sequence[Named]) -> str:
    """Many cases as a table: first diagnoses, red flags, suggested options."""
    rows = [
        {
            "name": name if name is not None else number,
            "ranked": [
                (d.label, wording.percent(d.probability))
                for d in wording.shown_diagnoses(explanation)[:3]
            ],
            "flags": [flag.label for flag in explanation.red_flags],
            "suggested": [o.label for o in explanation.plan if o.standing == "suggested"],
        }
        for number, (name, explanation) in enumerate(answers, start=1)
    ]
    return _environment().get_template("diagnoses.html.j2").render(version=__version__, rows=rows)


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
