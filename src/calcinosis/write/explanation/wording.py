"""The words an explanation is told in, shared by terminal and page."""

from collections.abc import Mapping
from typing import NamedTuple

from calcinosis.explain.differential import Diagnosis, Evidence
from calcinosis.explain.explanation import Explanation
from calcinosis.explain.findings import Contradiction
from calcinosis.explain.next_tests import NextTest
from calcinosis.explain.tables import load_tables
from calcinosis.patient import Patient

STANDINGS = {
    "suggested": "Suggested",
    "consider": "Consider",
    "advised_against": "Advised against",
    "not_indicated": "Not indicated",
}
OPEN = "Open until more is known"  # options that nothing known speaks for, and something may
COSTS = {
    1: "history, examination or blood test",
    2: "radiograph or ultrasound",
    3: "CT",
    4: "MRI or bone scan",
}
# What is not there, by its own name.
_ABSENT = {"female": "Male", "phosphate_stated": "Phosphate not known"}
_OUTCOMES = {
    "dialysis": "on dialysis",
    "ckd": "kidney disease without dialysis",
    "transplant": "a kidney graft",
    "none": "no kidney disease",
}
_ANALYTES = {"vitamin_d_25": "vit_d25", "vitamin_d_125": "vit_d125"}  # findings by other names
_DIAGNOSES_SHOWN = 6
_LEAST_SHOWN = 0.01


def percent(probability: float) -> str:
    """97 %, 0.4 %, below 0.1 %; never 100 % or 0 %."""
    if probability > 0.995:
        return "over 99\u00a0%"
    if probability < 0.001:
        return "below 0.1\u00a0%"
    return f"{100 * probability:.{1 if probability < 0.01 else 0}f}\u00a0%"


def decibans(weight_db: float) -> str:
    """+4.2 dB or −3.0 dB."""
    return f"{'+' if weight_db > 0 else '−'}{abs(weight_db):.1f} dB"


def shown_diagnoses(explanation: Explanation) -> tuple[Diagnosis, ...]:
    """The likeliest diagnoses, those below 1 % left out."""
    ranked = explanation.differential.diagnoses
    return tuple(
        d
        for at, d in enumerate(ranked[:_DIAGNOSES_SHOWN])
        if d.probability >= _LEAST_SHOWN or not at
    )


def rest(explanation: Explanation) -> str:
    """What the diagnoses not shown add up to."""
    shown = shown_diagnoses(explanation)
    others = explanation.differential.diagnoses[len(shown) :]
    return f"{len(others)} others together {percent(sum(d.probability for d in others))}"


def contradiction(dispute: Contradiction) -> str:
    """Who says what of a sign, or which values contradict a word or a product.

    ``Fluid-calcium level (sedimentation sign): CT (measured) says present, radiograph (reported)
    says absent``; ``Phosphate high: contradicted by Phosphate 3 mg/dL``.
    """
    labels = load_tables().labels
    name = labels.get(dispute.code, dispute.code)
    values = ", ".join(
        f"{labels.get(finding.code, finding.code)} {finding.value:.3g} {finding.unit}"
        for finding in dispute.says_absent
        if finding.value is not None
    )
    if values:
        return f"{name}: contradicted by {values}"
    present, absent = (
        " and ".join(sorted({f"{finding.modality} ({finding.origin})" for finding in side}))
        for side in (dispute.says_present, dispute.says_absent)
    )
    return f"{name}: {present} says present, {absent} says absent"


def headline(explanation: Explanation) -> str:
    """The first line: what it most likely is, and the alarm if there is one."""
    first, second = explanation.differential.diagnoses[:2]
    text = f"{first.label}: {percent(first.probability)}"
    if first.probability < 0.5:
        label = second.label[:1].lower() + second.label[1:]
        text = f"Undecided. {text}; {label}: {percent(second.probability)}"
    return f"{text}."


class Unit(NamedTuple):
    """The unit of a value, and ``<`` or ``>`` where the value is only a bound."""

    unit: str
    comparator: str = ""


def units(explanation: Explanation) -> dict[str, Unit]:
    """The unit of each finding that has a value."""
    bound = explanation.patient.comparator
    return {
        f.code: Unit(f.unit, bound(_ANALYTES.get(f.code, f.code)))
        for f in explanation.findings
        if f.unit
    }


def said(evidence: Evidence, unit_of: Mapping[str, Unit]) -> str:
    """``PTH >2000 pg/mL``, ``Fluid–calcium level: absent``, ``Age 63 years``."""
    if evidence.value is not None and evidence.finding == "age":
        return f"{evidence.label} {evidence.value:.{0 if evidence.value >= 2 else 1}f} years"
    if evidence.value is not None:
        unit, bound = unit_of.get(evidence.finding, Unit(""))
        unit = unit.removesuffix("s") if evidence.value == 1 else unit
        shown = f"{evidence.value:.0f}" if evidence.value >= 100 else f"{evidence.value:.3g}"
        return f"{evidence.label} {bound}{shown} {unit}".strip()
    if evidence.state != "absent":
        return evidence.label
    return _ABSENT.get(evidence.finding, f"{evidence.label}: absent")


def seen_on(evidence: Evidence, explanation: Explanation) -> str:
    """The images that show it: `` (CT, ultrasound)``; empty for what no image shows."""
    told = {(f.code, f.state, f.modality) for f in explanation.findings}
    shown = {m for code, state, m in told if (code, state) == (evidence.finding, evidence.state)}
    images = ", ".join(sorted(shown - {"history", "laboratory"}))
    return f" ({images})" if images else ""


def outcomes(test: NextTest, labels: Mapping[str, str]) -> str:
    """``if present (31 %): … 95 %; if absent (69 %): … 60 %``."""
    return "; ".join(
        f"if {_OUTCOMES.get(o.outcome, o.outcome)} ({percent(o.probability)}): "
        f"{labels.get(o.leads, o.leads)} {percent(o.leads_with)}"
        for o in test.outcomes
    )


def passed_over(patient: Patient) -> str:
    """``Given but not used: potassium, calcuim``."""
    return f"Given but not used: {', '.join(patient.passed_over)}"


def questions(explanation: Explanation) -> tuple[str, ...]:
    """What is not known and would change or secure the plan, once each."""
    asked = [ask for option in explanation.plan for ask in option.measure]
    return tuple(dict.fromkeys(asked))
