"""The forecast an analysed study adds: this patient's labs, the measured deposit, usual options."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from calcinosis.forecast.outlook import Outlook, forecast
from calcinosis.forecast.parameters import REFERENCE_WEIGHT_KG
from calcinosis.forecast.scenario import parse_scenario
from calcinosis.forecast.usual_options import UsualOption, is_child, options_for
from calcinosis.patient import Patient

SERUM = ("calcium", "corrected_calcium", "phosphate", "pth", "alp")
DAYS_AHEAD = 730
DAYS_BACK = 365  # older results belong to another treatment; assumed


def forecast_for(
    patient: Patient,
    deposit_calcium_g: float,
    *,
    dry_weight_kg: float | None = None,
    ensemble: int = 48,
) -> Outlook | None:
    """Forecast the usual options for a dialysis patient with a measured deposit.

    Args:
        patient: labs in canonical units; undated results count as of today, those of the last
            year are fitted to.
        deposit_calcium_g: calcium of all masses together, from CT.
        dry_weight_kg: by the header of the images; 70 is assumed where it is not known.
        ensemble: conceivable patients per option.

    Returns:
        None unless the patient is dialysed, no child, and calcium and phosphate are known. The
        prescription is not known to an analysis: the typical one is assumed, and the outlook says
        so.
    """
    labs = _labs(patient)
    named = {lab["analyte"].removeprefix("corrected_") for lab in labs}
    known = {"calcium", "phosphate"} <= named
    if not patient.on_dialysis or is_child(patient) or not known:
        return None
    now, *others = options_for(patient)
    scenario = parse_scenario(
        {
            "patient": {
                "dry_weight_kg": dry_weight_kg or REFERENCE_WEIGHT_KG,
                "labs": labs,
                "deposit_calcium_g": deposit_calcium_g,
            },
            "phases": _lasting(now),
            "compare": [{"name": other.name, "phases": _lasting(other)} for other in others],
        }
    )
    outlook = forecast(scenario, ensemble=ensemble)
    said = [f"{o.name[:1].upper()}{o.name[1:]}: {o.meaning}." for o in (now, *others)]
    assumptions = (*said, weight_assumed(dry_weight_kg), *outlook.assumptions)
    return replace(outlook, assumptions=assumptions)


def weight_assumed(dry_weight_kg: float | None) -> str:
    """The sentence that tells it."""
    if dry_weight_kg is None:
        return f"Dry weight {REFERENCE_WEIGHT_KG:g} kg."
    return f"Dry weight {dry_weight_kg:g} kg, the weight in the header of the images."


def _lasting(option: UsualOption) -> list[dict[str, Any]]:
    """Its phases, named, the last until the end of the forecast."""
    *early, last = option.phases
    rest = {"days": DAYS_AHEAD - sum(phase["days"] for phase in early)}
    named = {} if early else {"name": option.name}
    return [*early, {**named, **rest, **last}]


def _labs(patient: Patient) -> list[dict[str, Any]]:
    """Dated series; without one, the undated value as of the last dated day."""
    days = [result.day for result in patient.labs if result.day]
    today = max(days, default=date(2000, 1, 1))  # only differences between days count
    corrected = patient.series("corrected_calcium") or patient.latest("corrected_calcium")
    wanted = [name for name in SERUM if not (name == "calcium" and corrected)]
    found = [
        result
        for name in wanted
        for result in patient.series(name) or (patient.latest(name),)
        if result
    ]
    return [
        {
            "date": day,
            "analyte": r.analyte,
            "value": r.value,
            "unit": r.unit,
            "comparator": r.comparator,
        }
        for result in found
        for r in [patient.corrected(result) if result.analyte == "calcium" else result]
        for day in [r.day or today]
        if r.value > 0 and today - day <= timedelta(DAYS_BACK)
    ]
