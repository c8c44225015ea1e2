"""What is right, and why: from the patient as drawn, and from what the program makes of it."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from random import Random
from typing import Any

from calcinosis.explain.differential import Evidence
from calcinosis.explain.knowledge import load_knowledge
from calcinosis.explain.management import Option
from calcinosis.forecast.outlook import Course
from calcinosis.write.explanation import wording as told
from calcinosis.write.explanation.charts import evidence_chart, probability_chart
from calcinosis.write.lesson import script
from calcinosis.write.lesson.asked import Asked, Block, Choice
from calcinosis.write.lesson.pictures import both_scans, levels, planes
from calcinosis.write.lesson.words import Words
from calcinosis.write.report import wording
from calcinosis.write.report.numbers import number

CLEARLY_DB = 3.0  # a finding that weighs less by so much (half the odds) is a wrong answer
_LEAST_DB = 0.5  # a weight below moves nothing worth telling
CHOICES = 4
IMAGES = {"radiograph", "CT", "MRI", "ultrasound", "scintigraphy"}
# What is no finding of the patient: whether something is told at all.
_OF_THE_TELLING = {"phosphate_stated", "untold"}
_EDGE = 0.02  # an outcome so near to the bound of a range belongs to neither
_APART = 0.05  # two treatments whose outcomes are nearer are not told apart
_VOLUME_STEP = 2.8  # between the choices of a volume: by so much nobody misjudges one
_PANELS = ("ca_p_product_mg2_dl2", "pth_pg_ml", "calcium_mg_dl", "deposit_calcium_g")
COURSES = ("shrunk", "no sure change", "grown")


def asked(question: script.Question, words: Words) -> Asked | None:
    """The question with its answer; None where this case does not answer it."""
    return _BUILDERS[type(question)](question, words)


def _place(question: script.Place, words: Words) -> Asked | None:
    analysis = words.taught.analysis
    mass = analysis.measurement.masses[0]
    if question.target == "level" and not mass.fluid_levels:
        return None
    if question.target == "erosion" and not mass.bone.eroded:
        return None
    pictures = levels(words.taught) if question.target == "level" else planes(words.taught)
    blocks = [Block("pictures", {"pictures": pictures, "drawn": words.taught.truth is not None})]
    volume_is_asked = any(isinstance(q, script.HowLarge) for q in words.taught.script.questions)
    if question.target != "level" and not volume_is_asked:
        blocks.append(Block("measures", {"rows": wording.measures(mass)}))
    return Asked(
        "place",
        words.fill(question.ask),
        target=question.target,
        answer=words.fill(question.answer),
        blocks=tuple(blocks),
    )


def _diagnosis(question: script.WhichDiagnosis, words: Words) -> Asked:
    ranked = words.explanation.differential.diagnoses
    right = words.taught.diagnosis or ranked[0].diagnosis
    names = list(question.options) or [d.diagnosis for d in ranked[:CHOICES]]
    if right not in names:
        names[-1] = right
    _shuffle(names)
    shares = {name: told.percent(words.diagnosis(name).probability) for name in names}
    choices = tuple(
        Choice(words.diagnosis(n).label, n == right, f"The program: {shares[n]}.") for n in names
    )
    return Asked(
        "one",
        words.fill(question.ask),
        choices,
        answer=words.fill(question.answer),
        blocks=(
            Block(
                "differential",
                {
                    "probabilities": probability_chart(told.shown_diagnoses(words.explanation)),
                    "rest": told.rest(words.explanation),
                    "flags": words.explanation.red_flags,
                },
            ),
        ),
    )


def _finding(question: script.WhichFinding, words: Words) -> Asked | None:
    """The heaviest finding among others that weigh clearly less."""
    sign = 1 if question.speaks == "for" else -1
    evidence = [e for e in words.leading.evidence if _may_be_asked(e, question.among)]
    evidence.sort(key=lambda e: -sign * e.weight_db)
    if not evidence or sign * evidence[0].weight_db <= 0:
        return None
    best = evidence[0]
    lighter = [e for e in evidence if sign * (best.weight_db - e.weight_db) >= CLEARLY_DB]
    if len(lighter) < 2:
        return None
    picked = [best, *_spread(lighter, CHOICES - 1)]
    units = told.units(words.explanation)
    _shuffle(picked)
    choices = tuple(
        Choice(told.said(e, units), e is best, f"{told.decibans(e.weight_db)}.") for e in picked
    )
    return Asked(
        "one",
        words.fill(question.ask),
        choices,
        answer=words.fill(question.answer),
        blocks=(_weights(words),),
    )


def _weights(words: Words) -> Block:
    """What speaks for and against the two likeliest, and the sources of the first one's weights."""
    ranked, units = words.explanation.differential.diagnoses, told.units(words.explanation)
    rows = [
        (
            told.said(e, units),
            told.decibans(e.weight_db),
            words.bibliography.of_evidence(e.source),
        )
        for e in words.leading.evidence
        if abs(e.weight_db) >= _LEAST_DB and e.finding not in _OF_THE_TELLING
    ]
    values = {
        "rows": rows,
        "leading": words.leading.label,
        "evidence": evidence_chart(ranked[:2], units),
    }
    return Block("weights", values)


def _may_be_asked(evidence: Evidence, among: str) -> bool:
    if evidence.finding in _OF_THE_TELLING:
        return False
    if among == "all":
        return True
    vocabulary = load_knowledge().vocabulary
    known: Any = vocabulary.signs.get(evidence.finding) or vocabulary.quantities.get(
        evidence.finding
    )
    return evidence.finding.startswith("site_") or (known is not None and known.modality in IMAGES)


def _spread(sequence: Sequence[Evidence], count: int) -> list[Evidence]:
    """So many of a sequence, from its first to its last."""
    count = min(count, len(sequence))
    if count < 2:
        return list(sequence[:count])
    return [sequence[round(i * (len(sequence) - 1) / (count - 1))] for i in range(count)]


def _plan(question: script.WhatNext, words: Words) -> Asked | None:
    plan = {option.option: option for option in words.explanation.plan}
    names = list(question.options) or _worth_asking(words.explanation.plan, question.standing)
    right = [name for name in names if plan[name].standing in question.standing]
    if not right or len(right) == len(names):
        return None
    _shuffle(names)
    choices = tuple(
        Choice(plan[n].label, n in right, told.STANDINGS[plan[n].standing]) for n in names
    )
    rows = [
        (
            plan[name].standing,
            told.STANDINGS[plan[name].standing],
            plan[name],
            words.bibliography.of_option(plan[name].sources),
        )
        for name in sorted(names, key=list(plan).index)
    ]
    return Asked(
        "many",
        words.fill(question.ask),
        choices,
        answer=words.fill(question.answer),
        blocks=(Block("plan", {"rows": rows}),),
    )


def _worth_asking(plan: Sequence[Option], standing: Sequence[str]) -> list[str]:
    """Up to four that are right and three that are not, the plan's first ones."""
    right = [option.option for option in plan if option.standing in standing][:4]
    against = [o.option for o in plan if o.standing == "advised_against"]
    others = [o.option for o in plan if o.standing == "not_indicated" and not o.is_open]
    return [*right, *(against + others)[:3]]


def _forecast(question: script.WhatBecomes, words: Words) -> Asked | None:
    course = words.course(question.course)
    value = course.outcomes.get(question.outcome) if course else None
    if value is not None and question.unit == "%":
        value *= 100
    if value is None or any(abs(value / bound - 1) < _EDGE for bound in question.bounds):
        return None
    bounds = [f"{bound:g}" for bound in question.bounds]
    texts = [f"below {bounds[0]}"]
    texts += [f"{low} to {high}" for low, high in pairwise(bounds)]
    texts += [f"{bounds[-1]} or more"]
    place = sum(value >= bound for bound in question.bounds)
    choices = tuple(
        Choice(f"{text} {question.unit}".strip(), at == place) for at, text in enumerate(texts)
    )
    return Asked(
        "one",
        words.fill(question.ask),
        choices,
        answer=words.fill(question.answer),
        blocks=(_outlook(words, course),),
    )


def _treatment(question: script.WhichTreatment, words: Words) -> Asked | None:
    courses = [course for name in question.options if (course := words.course(name))]
    sign = 1 if question.best == "lowest" else -1
    values = {course.name: course.outcomes.get(question.outcome) for course in courses}
    sound = {course.name for course in courses if not course.left_out}
    known = sorted(
        (sign * v, name) for name, v in values.items() if name in sound and v is not None
    )
    if len(courses) < 2 or not known:
        return None
    if len(known) > 1 and known[1][0] - known[0][0] < _APART * abs(known[0][0]):
        return None
    names = [course.name for course in courses]
    _shuffle(names)
    left_out = {course.name: course.left_out for course in courses}
    choices = tuple(Choice(_begun(n), n == known[0][1], _begun(left_out[n])) for n in names)
    return Asked(
        "one",
        words.fill(question.ask),
        choices,
        answer=words.fill(question.answer),
        blocks=(_outlook(words),),
    )


def _begun(text: str) -> str:
    return text[:1].upper() + text[1:]


def _outlook(words: Words, only: Course | None = None) -> Block:
    """All treatments side by side, or one: the others would answer what is asked next."""
    from calcinosis.write.forecast_page.chart import PANELS, panel_svg, swatch
    from calcinosis.write.forecast_page.page import headline, within

    outlook = words.taught.analysis.outlook
    assert outlook is not None  # noqa: S101 - a course was found in it
    courses = [only] if only else outlook.courses
    panels = [panel for name in _PANELS for panel in PANELS if panel.analyte == name]
    values = {
        "title": "" if only else headline(outlook),
        "panels": [(p.title, p.unit, panel_svg(p, courses)) for p in panels],
        "rows": [(swatch(at), course) for at, course in enumerate(courses)],
        "within": within(outlook),
        "doubts": outlook.doubts,
    }
    return Block("forecast", values)


def _volume(question: script.HowLarge, words: Words) -> Asked:
    mass = words.taught.analysis.measurement.masses[0]
    truth = words.taught.truth
    volume_ml = max(m.volume_ml for m in truth.masses) if truth else mass.volume_ml
    place = Random(words.taught.script.title).randrange(3)  # noqa: S311 - an order, no secret
    choices = tuple(
        Choice(f"about {_rounded(volume_ml * _VOLUME_STEP ** (at - place))} mL", at == place)
        for at in range(3)
    )
    return Asked(
        "one",
        words.fill(question.ask),
        choices,
        answer=words.fill(question.answer),
        blocks=(Block("measures", {"rows": wording.measures(mass)}),),
    )


def _rounded(volume_ml: float) -> str:
    """To two digits: a choice, not a measurement."""
    return number(float(f"{volume_ml:.2g}"), 0)


def _change(question: script.WhatChanged, words: Words) -> Asked:
    from calcinosis.write.follow_page.wording import rows, sentence

    taught = words.taught
    assert taught.follow is not None  # noqa: S101 - such a case has two scans
    followed = taught.follow.masses[0]
    texts = {
        "shrunk": "It has shrunk.",
        "no sure change": "It has not changed for sure.",
        "grown": "It has grown.",
    }
    choices = tuple(Choice(texts[course], course == followed.course) for course in COURSES)
    block = Block(
        "change",
        {
            "sentence": sentence(followed, taught.follow.days),
            "rows": list(rows(followed)),
            "pictures": both_scans(taught.follow),
            "remarks": followed.remarks,
        },
    )
    answer = words.fill(question.answer)
    return Asked("one", words.fill(question.ask), choices, answer=answer, blocks=(block,))


def _fact(question: script.WhatHolds, words: Words) -> Asked:
    choices = [Choice(words.fill(o.text), o.right, words.fill(o.because)) for o in question.options]
    _shuffle(choices)
    several = sum(choice.right for choice in choices) > 1
    return Asked(
        "many" if several else "one",
        words.fill(question.ask),
        tuple(choices),
        answer=words.fill(question.answer),
    )


def _shuffle(things: list[Any]) -> None:
    """An order that tells nothing, alike on every run."""
    Random(repr(things)).shuffle(things)  # noqa: S311 - an order, no secret


_BUILDERS: dict[type, Callable[[Any, Words], Asked | None]] = {
    script.Place: _place,
    script.WhichDiagnosis: _diagnosis,
    script.WhichFinding: _finding,
    script.WhatNext: _plan,
    script.WhatBecomes: _forecast,
    script.WhichTreatment: _treatment,
    script.HowLarge: _volume,
    script.WhatChanged: _change,
    script.WhatHolds: _fact,
}
