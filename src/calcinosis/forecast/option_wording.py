"""What each option of a scenario consists of, in words."""

from collections.abc import Iterator

from calcinosis.forecast.prescription import Prescription, before_day_0, prescribe
from calcinosis.forecast.scenario import Event, Option, Phase, Scenario
from calcinosis.forecast.wording import USUAL_CARE, dialysis_in_words, drugs_in_words


def options_in_words(scenario: Scenario) -> tuple[str, ...]:
    """A sentence for each: its phases, and what each changes of what was given before it."""
    today = before_day_0(scenario.patient, scenario.phases[0])[-1]
    return tuple(
        f"{option.name[:1].upper()}{option.name[1:]}: {'; '.join(_phases(option, today))}."
        for option in scenario.options()
    )


def _phases(option: Option, before: Prescription) -> Iterator[str]:
    day = 0
    for phase in option.phases:
        (now,) = prescribe(before, [phase])
        told = ", ".join(_changes(before, now, phase)) or ("as before" if day else "as today")
        yield f"from day {day} {told}" if day else told
        before, day = now, day + now.days


def _changes(before: Prescription, now: Prescription, phase: Phase) -> Iterator[str]:
    yield from _events(phase.event or Event())
    if now.dialysis != before.dialysis:
        said, usual = dialysis_in_words(now.dialysis) if now.dialysis else (("no dialysis",), ())
        yield from (*said, *usual)
    drugs = drugs_in_words(before.treatment()), drugs_in_words(now.treatment())
    yield from (new for old, new in zip(*drugs, strict=True) if new != old)
    yield from _care(before, now, phase.event or Event())
    if (now.diet_p_mg_d, now.diet_ca_mg_d) != (before.diet_p_mg_d, before.diet_ca_mg_d):
        yield f"{now.diet_p_mg_d:.0f} mg phosphorus and {now.diet_ca_mg_d:.0f} mg calcium eaten"


def _care(before: Prescription, now: Prescription, event: Event) -> Iterator[str]:
    """Usual care, where it is not as expected: given after an operation, else as before."""
    expected = event.parathyroidectomy is not None or before.postoperative_care
    if now.postoperative_care != expected:
        yield USUAL_CARE if now.postoperative_care else f"no {USUAL_CARE}"


def _events(event: Event) -> Iterator[str]:
    if event.parathyroidectomy:
        left = 100 * event.parathyroidectomy.remnant_fraction
        yield f"parathyroidectomy that leaves {left:g} % of the tissue"
    if event.transplantation:
        yield f"a graft that settles at {event.transplantation.graft_gfr_ml_min:g} mL/min"
    if event.graft_failure:
        yield f"the graft fails and leaves {event.graft_failure.gfr_ml_min:g} mL/min"
