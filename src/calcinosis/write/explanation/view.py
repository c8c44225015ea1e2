"""An explanation as the page shows it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from markupsafe import Markup

from calcinosis.explain.explanation import Explanation
from calcinosis.explain.knowledge import load_knowledge
from calcinosis.explain.management import Option
from calcinosis.explain.red_flags import RedFlag
from calcinosis.write.explanation import wording
from calcinosis.write.explanation.charts import evidence_chart, probability_chart

_COMPARED = 3  # diagnoses in the evidence chart


@dataclass(frozen=True)
class ExplanationView:
    """What the templates need, in words."""

    headline: str
    flags: tuple[RedFlag, ...]
    probabilities: Markup
    rest: str
    evidence: Markup
    sources: list[tuple[str, str, str]]
    references: list[str]
    leading: str
    beside: str
    contradictions: list[str]
    tests: list[tuple[str, str, str]]
    glance: list[tuple[str, str, list[str]]]
    options: list[tuple[str, str, Option]]
    rest_of_options: list[tuple[str, list[Option]]]
    questions: tuple[str, ...]
    labs: list[tuple[str, str]]
    chances: Mapping[str, str]


def view_of(
    explanation: Explanation, chances: Mapping[str, str] = MappingProxyType({})
) -> ExplanationView:
    """Everything the page says about one case; `chances` by option, where it was forecast."""
    ranked = explanation.differential.diagnoses
    units, labels = wording.units(explanation), {d.diagnosis: d.label for d in ranked}
    unadvised = [o for o in explanation.plan if o.standing == "not_indicated"]
    return ExplanationView(
        headline=wording.headline(explanation),
        flags=explanation.red_flags,
        probabilities=probability_chart(wording.shown_diagnoses(explanation)),
        rest=wording.rest(explanation),
        evidence=evidence_chart(ranked[:_COMPARED], units),
        sources=[
            (
                wording.said(e, units) + wording.seen_on(e, explanation),
                wording.decibans(e.weight_db),
                e.source,
            )
            for e in ranked[0].evidence
        ],
        references=_references(e.source for e in ranked[0].evidence),
        leading=ranked[0].label,
        beside=", ".join(labels[name] for name in explanation.differential.beside),
        contradictions=[
            f"{wording.contradiction(dispute)}. It weighs nothing."
            for dispute in explanation.differential.contradictions
        ],
        tests=[
            (test.label, wording.COSTS[test.cost], wording.outcomes(test, labels))
            for test in explanation.next_tests
        ],
        glance=[
            (standing, title, [o.label for o in explanation.plan if o.standing == standing])
            for standing, title in wording.STANDINGS.items()
            if standing != "not_indicated"
        ],
        options=[
            (option.standing, wording.STANDINGS[option.standing], option)
            for option in explanation.plan
            if option.standing != "not_indicated"
        ],
        rest_of_options=[
            (title, [o for o in unadvised if o.is_open is are_open])
            for title, are_open in ((wording.OPEN, True), ("Not indicated here", False))
        ],
        questions=wording.questions(explanation),
        labs=_labs(explanation),
        chances=chances,
    )


def _references(sources: Iterable[str]) -> list[str]:
    """The papers behind the weights, by the keys that stand beside them."""
    told = " ".join(sources)
    papers = load_knowledge().sources
    return [
        f"{key}: {paper.citation}" + (f", doi:{paper.doi}" if paper.doi else "")
        for key, paper in papers.items()
        if key in told
    ]


def _labs(explanation: Explanation) -> list[tuple[str, str]]:
    """Calcium, phosphate, their product with its time above the limits, and PTH; SI beside."""
    known = explanation.patient.derived()
    rows = []
    for name, shown in known["labs"].items():
        si = f" ({shown['si_value']:.3g} {shown['si_unit']})" if shown["si_unit"] else ""
        when = f", {shown['date']}" if shown["date"] else ""
        trend = known["trends"].get(name)
        moving = f", {trend['direction']}" if trend else ""
        value = f"{shown['comparator']}{shown['value']:.4g} {shown['unit']}{si}{moving}{when}"
        rows.append((shown["label"], value))
    if known["corrected_calcium_mg_dl"] is not None and "corrected_calcium" not in known["labs"]:
        corrected = known["corrected_calcium_mg_dl"]
        rows.append(("Albumin-corrected calcium", f"{corrected:.3g} mg/dL"))
    product = known["ca_p_product_mg2_dl2"]
    if product is not None and "ca_p_product" not in known["labs"]:
        rows.append(("Calcium × phosphate", f"{product:.3g} mg²/dL² (limits 55 and 70)"))
    if known["ca_p_days_observed"]:
        observed = known["ca_p_days_observed"]
        above = f"{known['ca_p_days_above_55']:.0f} days above 55, "
        above += f"{known['ca_p_days_above_70']:.0f} above 70, of {observed:.0f} observed"
        rows.append(("Time above the limits", above))
    if known["dialysis_vintage_years"] is not None:
        rows.append(("On dialysis for", f"{known['dialysis_vintage_years']:.3g} years"))
    if known["passed_over"]:
        rows.append(("Given but not used", ", ".join(known["passed_over"])))
    return rows
