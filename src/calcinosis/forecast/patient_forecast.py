"""The forecast an analysed study adds: this patient's labs, the measured deposit, usual options."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from calcinosis.forecast.deposit import equal_masses
from calcinosis.forecast.given_prescription import GivenPrescription, prescription_for
from calcinosis.forecast.outlook import Outlook, forecast
from calcinosis.forecast.parameters import REFERENCE_WEIGHT_KG
from calcinosis.forecast.scenario import Diet, Scenario, parse_scenario
from calcinosis.forecast.usual_options import UsualOption, is_child, options_for
from calcinosis.lab_result import LabResult
from calcinosis.patient import Patient

SERUM = ("corrected_calcium", "calcium", "phosphate", "pth", "alp")  # stated corrected ones first
_HIDDEN = {
    r"^Dry weight \S+ kg, (.*)\.$": r"Dry weight \1; it is not told here.",
    r"^Diet \d.*$": "Diet, where not given, typical for the dry weight; it is not told here.",
    r"^(Not reached by the fit: .*) of \d{4}-\d\d-\d\d(?=, )": r"\1",
}
DAYS_AHEAD = 730
DAYS_BACK = 365  # older results belong to another treatment; assumed
_SAME_TREATMENT = (
    "Between the two scans treatment is taken to have been as it is today: if it was not, what the "
    "masses did is put down to the wrong one. The history in a prescription tells the true one."
)


@dataclass(frozen=True)
class MeasuredBefore:
    """The same masses in an earlier scan.

    Attributes:
        days: before the scan of today.
        relative: their calcium then, as a share of today's; more than 0.
        today: day of the scan of today, where known.
    """

    days: int
    relative: float
    today: date | None = None


def forecast_for(
    patient: Patient,
    masses_calcium_g: Sequence[float],
    *,
    header_weight_kg: float | None = None,
    prescription: GivenPrescription | None = None,
    before: MeasuredBefore | None = None,
    ensemble: int = 48,
) -> Outlook | None:
    """Forecast the usual options for a dialysis patient with a measured deposit.

    Args:
        patient: labs in canonical units; undated results count as of today, those of the last
            year are fitted to.
        masses_calcium_g: calcium of each mass, from CT.
        header_weight_kg: by the images; 70 is assumed where no weight is known.
        prescription: today's; without one the usual is assumed, and the outlook says so.
        before: what an earlier scan showed; the deposit is then fitted to what it did since.
        ensemble: conceivable patients per option.

    Returns:
        None unless the patient is dialysed, no child, and calcium and phosphate are known.

    Raises:
        InputError: the prescription contradicts the kidney status.
    """
    if prescription:
        prescription = prescription_for(patient, prescription)
    given = prescription or GivenPrescription()
    results = labs_of(patient, before.today if before else None)
    named = {lab["analyte"].removeprefix("corrected_") for lab in results}
    known = {"calcium", "phosphate"} <= named
    if not patient.on_dialysis or is_child(patient) or not known:
        return None
    weight_kg = given.dry_weight_kg or header_weight_kg or REFERENCE_WEIGHT_KG
    results += _followed(before, sum(masses_calcium_g), results)
    today = max(result["date"] for result in results)
    options = options_for(since_operation(patient, given, today), prescription, weight_kg)
    body = {
        "dry_weight_kg": weight_kg,
        "gfr_ml_min": given.gfr_ml_min,
        "diet": given.diet or Diet(),
        "labs": results,
        "deposit_calcium_g": 0 if before else sum(masses_calcium_g),
        "deposit_masses": equal_masses(masses_calcium_g),
        "history": until_today(given, options[0]),
    }
    outlook = forecast(_scenario(body, options), ensemble=ensemble)
    unsure = (_SAME_TREATMENT,) if before and not given.history else ()
    said = [f"{o.name[:1].upper()}{o.name[1:]}: {o.meaning}." for o in options]
    assumptions = (
        *unsure,
        *said,
        *_of_both_scans(before),
        *_body_as_told(given, header_weight_kg),
        *outlook.assumptions,
    )
    return replace(outlook, assumptions=assumptions, doubts=(*unsure, *outlook.doubts))


def _scenario(patient: dict[str, Any], options: Sequence[UsualOption]) -> Scenario:
    now, *others = options
    return parse_scenario(
        {
            "patient": patient,
            "phases": _lasting(now),
            "compare": [{"name": other.name, "phases": _lasting(other)} for other in others],
        }
    )


def _of_both_scans(before: MeasuredBefore | None) -> Iterator[str]:
    if before:
        yield (
            f"The masses are fitted to what they did in the {before.days} days between two scans: "
            f"then they held {100 * before.relative:.0f} % of today's calcium."
        )


def without_weight_and_days(outlook: Outlook) -> Outlook:
    """The same forecast, silent about weight, what tells it, and the days of results."""

    def hidden(lines: tuple[str, ...]) -> tuple[str, ...]:
        for told, instead in _HIDDEN.items():
            lines = tuple(re.sub(told, instead, line) for line in lines)
        return lines

    return replace(outlook, assumptions=hidden(outlook.assumptions), doubts=hidden(outlook.doubts))


def _body_as_told(given: GivenPrescription, header_weight_kg: float | None) -> Iterator[str]:
    """Weight, filtration and diet, where from; `outlook.assumptions` says what was not given."""
    diet = given.diet or Diet()
    if given.dry_weight_kg is not None:
        yield f"Dry weight {given.dry_weight_kg:g} kg, as given."
    elif header_weight_kg is not None:
        yield f"Dry weight {header_weight_kg:g} kg, as in the header of the images."
    else:
        yield f"Dry weight {REFERENCE_WEIGHT_KG:g} kg."
    if given.gfr_ml_min is not None:
        yield f"Residual filtration {given.gfr_ml_min:g} mL/min, as given."
    if diet.phosphorus_mg_d is not None:
        yield f"Phosphorus eaten {diet.phosphorus_mg_d:g} mg a day, as given."
    if diet.calcium_mg_d is not None:
        yield f"Calcium eaten {diet.calcium_mg_d:g} mg a day, as given."


def _lasting(option: UsualOption) -> list[dict[str, Any]]:
    """Its one phase, until the end of the forecast."""
    return [{"days": DAYS_AHEAD, "name": option.name, **option.phase}]


def since_operation(patient: Patient, given: GivenPrescription, today: date) -> Patient:
    """The patient without the PTH of before a parathyroidectomy, which is no reason to treat."""
    operated = days = 0
    for phase in reversed(given.history):
        days += round(phase.days)
        if not operated and phase.event and phase.event.parathyroidectomy:
            operated = days
    if not operated:
        return patient
    day = today - timedelta(operated)
    kept = (r for r in patient.labs if r.analyte != "pth" or r.day is None or r.day > day)
    return replace(patient, labs=tuple(kept))


def until_today(given: GivenPrescription, now: UsualOption) -> list[dict[str, Any]]:
    """The phases that end today; what the first does not name was as it is now."""
    if not given.history:
        return []
    first, *later = (phase.model_dump(exclude_unset=True) for phase in given.history)
    event = given.history[0].event
    grafted = event is not None and event.transplantation is not None
    return [first if grafted else {**now.phase, **first}, *later]


def _followed(
    before: MeasuredBefore | None, deposit_g: float, labs: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The masses on both days, as results of a scenario."""
    if before is None:
        return []
    today = before.today or max(lab["date"] for lab in labs)
    return [
        {"date": day, "analyte": "deposit_calcium", "value": value, "unit": "g"}
        for day, value in (
            (today - timedelta(before.days), deposit_g * before.relative),
            (today, deposit_g),
        )
    ]


def labs_of(patient: Patient, scanned: date | None = None) -> list[dict[str, Any]]:
    """Dated series; without one, the undated value as of the last dated day, or of the scan."""
    days = [result.day for result in patient.labs if result.day]
    today = max(days, default=scanned or date(2000, 1, 1))  # only differences between days count
    return [
        {
            "date": day,
            "analyte": r.analyte,
            "value": r.value,
            "unit": r.unit,
            "comparator": r.comparator,
        }
        for r in _serum(patient)
        for day in [r.day or today]
        if r.value > 0 and today - day <= timedelta(DAYS_BACK)
    ]


def _serum(patient: Patient) -> Iterator[LabResult]:
    """Of each day the first result, for dialysis lowers later ones; calcium corrected if can be."""
    seen = set()
    for name in SERUM:
        for result in patient.series(name) or (patient.latest(name),):
            day = (name.removeprefix("corrected_"), result and result.day)
            if result and day not in seen:
                seen.add(day)
                yield patient.corrected(result) if name == "calcium" else result
