"""The forecast an analysed study adds: this patient's labs, the measured deposit, usual options."""

from datetime import date
from typing import Any

from calcinosis.forecast.outlook import Outlook, forecast
from calcinosis.forecast.scenario import parse_scenario
from calcinosis.patient import LabResult, Patient

SERUM = ("calcium", "corrected_calcium", "phosphate", "pth", "alp")
YEARS_AHEAD = 2
PTX_ABOVE_PG_ML = 300.0  # below, nobody would remove the glands; KDOQI 2003 upper target
LOW_CALCIUM: dict[str, Any] = {
    "dialysis": {"dialysate_calcium_mmol_l": 1.25},
    "binder": {"drug": "sevelamer", "g_per_day": 7.2},
    "active_vitamin_d_ug_per_week": 0,
}
DAILY: dict[str, Any] = {
    **LOW_CALCIUM,
    "dialysis": {
        "sessions_per_week": 6,
        "hours": 3,
        "dialysate_calcium_mmol_l": 1.25,
        "ultrafiltration_l": 1.3,
    },
}


def forecast_for(
    patient: Patient, deposit_calcium_g: float, *, dry_weight_kg: float = 70.0, ensemble: int = 48
) -> Outlook | None:
    """Forecast the usual options for a dialysis patient with a measured deposit.

    Args:
        patient: labs in canonical units; undated results count as of today.
        deposit_calcium_g: calcium of all masses together, from CT.
        dry_weight_kg: 70 unless known.
        ensemble: conceivable patients per option.

    Returns:
        None unless the patient is dialysed and calcium and phosphate are known. The prescription
        is not known to an analysis: the typical one is assumed, and the outlook says so.
    """
    labs = _labs(patient)
    named = {lab["analyte"].removeprefix("corrected_") for lab in labs}
    if not patient.on_dialysis or not {"calcium", "phosphate"} <= named:
        return None
    now: dict[str, Any] = {"name": "as now", "dialysis": {}}
    if patient.ckd == "dialysis_pd":
        now["dialysis"] = {"modality": "pd"}
    scenario = parse_scenario(
        {
            "patient": {
                "dry_weight_kg": dry_weight_kg,
                "labs": labs,
                "deposit_calcium_g": deposit_calcium_g,
            },
            "phases": [_lasting(now)],
            "compare": _options(patient),
        }
    )
    return forecast(scenario, ensemble=ensemble)


def _options(patient: Patient) -> list[dict[str, Any]]:
    low = LOW_CALCIUM
    if patient.ckd == "dialysis_pd":
        low = {**low, "dialysis": {"modality": "pd", "dialysate_calcium_mmol_l": 1.0}}
    options = [
        {"name": "low-calcium dialysate and sevelamer", "phases": [_lasting(low)]},
        {"name": "daily haemodialysis", "phases": [_lasting(DAILY)]},
    ]
    if (patient.value("pth") or 0.0) > PTX_ABOVE_PG_ML:
        cut = {"event": {"parathyroidectomy": {"remnant_fraction": 0.05}}}
        options.append({"name": "parathyroidectomy", "phases": [_lasting(cut)]})
    graft = {"event": {"transplantation": {"graft_gfr_ml_min": 50}}}
    options.append({"name": "transplantation", "phases": [_lasting(graft)]})
    return options


def _lasting(phase: dict[str, Any]) -> dict[str, Any]:
    return {"days": 365 * YEARS_AHEAD, **phase}


def _labs(patient: Patient) -> list[dict[str, Any]]:
    """Dated series; without one, the undated value as of the last dated day."""
    days = [result.day for result in patient.labs if result.day]
    today = max(days, default=date(2000, 1, 1))  # only differences between days count
    corrected = patient.series("corrected_calcium") or patient.latest("corrected_calcium")
    wanted = [name for name in SERUM if not (name == "calcium" and corrected)]
    found: list[LabResult] = []
    for name in wanted:
        latest = patient.latest(name)
        found += patient.series(name) or ((latest,) if latest else ())
    return [
        {"date": r.day or today, "analyte": r.analyte, "value": r.value, "unit": r.unit}
        for r in found
        if not r.comparator and r.value > 0
    ]
