"""The words of a case, filled with what was drawn, measured, weighed and forecast."""

from functools import cached_property
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined, UndefinedError
from markupsafe import Markup

from calcinosis.explain.differential import Diagnosis
from calcinosis.explain.explanation import Explanation
from calcinosis.forecast.outlook import Course
from calcinosis.write.explanation.wording import percent
from calcinosis.write.lesson.references import Bibliography
from calcinosis.write.lesson.taught import DisagreementError, Taught
from calcinosis.write.report import wording
from calcinosis.write.report.numbers import hydroxyapatite, length, number, plural, quantity


class Words:
    """Fills texts of one case, and tells what they may speak of."""

    def __init__(self, taught: Taught, bibliography: Bibliography) -> None:
        self.taught, self.bibliography = taught, bibliography
        self._texts = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701 - `cited` escapes
        self._texts.filters |= {
            "percent": percent,
            "quantity": quantity,
            "mm": length,
            "number": number,
            "plural": plural,
            "hydroxyapatite": hydroxyapatite,
        }

    def fill(self, text: str) -> Markup:
        """A text of the file as HTML, with its citations as numbers.

        Raises:
            DisagreementError: it speaks of what this case does not have.
        """
        try:
            filled = self._texts.from_string(text).render(self._values)
        except UndefinedError as error:
            raise DisagreementError(f"lesson, {self.taught.script.title}: {error}") from error
        return self.bibliography.cited(" ".join(filled.split()))

    @property
    def explanation(self) -> Explanation:
        """Of the case, which has a mass."""
        explanation = self.taught.analysis.explanation
        assert explanation is not None  # noqa: S101 - a case without a mass is refused before
        return explanation

    @property
    def leading(self) -> Diagnosis:
        """What the program ranks first."""
        return self.explanation.differential.diagnoses[0]

    def diagnosis(self, name: str) -> Diagnosis:
        """One diagnosis of the vocabulary, as the program ranks it."""
        return next(d for d in self.explanation.differential.diagnoses if d.diagnosis == name)

    def course(self, name: str) -> Course | None:
        """One treatment of the forecast; None where it was not forecast."""
        outlook = self.taught.analysis.outlook
        return next((c for c in outlook.courses if c.name == name), None) if outlook else None

    def _left_after(self, course: str, days: float) -> float:
        """The share of the deposit's calcium that a treatment leaves after so many days."""
        found = self.course(course)
        if found is None:
            raise UndefinedError(f"no forecast of {course}")
        deposit_g = found.central["deposit_calcium_g"]
        return float(np.interp(days, found.day, deposit_g) / deposit_g[0])

    @cached_property
    def _values(self) -> dict[str, Any]:
        analysis, truth = self.taught.analysis, self.taught.truth
        masses = analysis.measurement.masses
        patient = self.explanation.patient
        follow = self.taught.follow
        return {
            "mass": masses[0],
            "masses": masses,
            "site": wording.site(masses[0]),
            "drawn": max(truth.masses, key=lambda mass: mass.volume_ml) if truth else None,
            "known": self.taught.diagnosis is not None,
            "true_name": self.taught.diagnosis,
            "first_name": self.leading.diagnosis,
            "probability": lambda name: percent(self.diagnosis(name).probability),
            "label": lambda name: lowered(self.diagnosis(name).label),
            "lab": lambda name: patient.derived()["labs"].get(name, {}).get("value"),
            "product": patient.ca_p_product_mg2_dl2,
            "calcium": patient.calcium_mg_dl,
            "course": self.course,
            "left_after": self._left_after,
            "followed": follow.masses[0] if follow else None,
            "days": follow.days if follow else None,
        }


def lowered(label: str) -> str:
    """A label within a sentence."""
    return label[:1].lower() + label[1:] if label[1:2].islower() else label
