"""What is usually weighed for a dialysis patient with a deposit, ready to be simulated.

Schedules are what a nephrologist might write, not advice. Of the assumed prescription, most
patients take a binder (82 %) and active vitamin D (71 %): doi:10.1038/s41598-018-29757-0. Dialysate
calcium 1.25 mmol/L is the lower end of KDIGO 2017, 4.1.4; after parathyroidectomy follows the usual
care of `treatments`; the other doses are assumed.
"""

from dataclasses import dataclass
from typing import Any

from calcinosis.patient import Patient

PTH_TO_TREAT_PG_ML = 300.0  # below, nobody would press PTH down; KDOQI 2003 upper target
ADULT_YEARS = 18.0
Phase = dict[str, Any]


@dataclass(frozen=True)
class UsualOption:
    """One option.

    Attributes:
        name: in the forecast.
        meaning: what is given, in words.
        phases: as a scenario file would hold them; the last lasts to the end.
        plan: options of the plan (`explain.management`) that it answers.
        presses_pth: makes sense only where PTH is high.
    """

    name: str
    meaning: str
    phases: tuple[Phase, ...]
    plan: tuple[str, ...] = ()
    presses_pth: bool = False


USUAL_DRUGS: Phase = {
    "binder": {"drug": "sevelamer", "g_per_day": 4.8},
    "active_vitamin_d_ug_per_week": 2,
}
LESS_CALCIUM: Phase = {
    "binder": {"drug": "sevelamer", "g_per_day": 9.6},
    "active_vitamin_d_ug_per_week": 0,
}
DAILY = {
    "sessions_per_week": 6,
    "hours": 3,
    "dialysate_calcium_mmol_l": 1.25,
    "ultrafiltration_l": 1.3,
}
NOW_HAEMODIALYSIS = UsualOption(
    "as now",
    "today's prescription was not given, so the usual one: three sessions of four hours a week, "
    "dialysate calcium 1.5 mmol/L, sevelamer 4.8 g a day, active vitamin D 2 µg a week; "
    "a scenario file takes the true one",
    ({"dialysis": {}, **USUAL_DRUGS},),
)
NOW_PERITONEAL = UsualOption(
    "as now",
    "today's prescription was not given, so the usual one: peritoneal dialysis with calcium "
    "1.25 mmol/L, sevelamer 4.8 g a day, active vitamin D 2 µg a week; "
    "a scenario file takes the true one",
    ({"dialysis": {"modality": "pd"}, **USUAL_DRUGS},),
)
LOW_CALCIUM = "low-calcium dialysate and sevelamer"
LOW_CALCIUM_PLAN = ("low_calcium_dialysate", "binders", "calcium_and_vitamin_d_stopped")
LOW_CALCIUM_HAEMODIALYSIS = UsualOption(
    LOW_CALCIUM,
    "dialysate calcium 1.25 mmol/L, sevelamer doubled, no active vitamin D",
    ({"dialysis": {"dialysate_calcium_mmol_l": 1.25}, **LESS_CALCIUM},),
    LOW_CALCIUM_PLAN,
)
LOW_CALCIUM_PERITONEAL = UsualOption(
    LOW_CALCIUM,
    "dialysate calcium 1.0 mmol/L, sevelamer doubled, no active vitamin D",
    ({"dialysis": {"modality": "pd", "dialysate_calcium_mmol_l": 1.0}, **LESS_CALCIUM},),
    LOW_CALCIUM_PLAN,
)
OTHERS = (
    UsualOption(
        "daily haemodialysis",
        "six sessions of three hours a week, dialysate calcium 1.25 mmol/L, sevelamer doubled, "
        "no active vitamin D",
        ({"dialysis": DAILY, **LESS_CALCIUM},),
        ("intensified_dialysis",),
    ),
    UsualOption(
        "calcimimetic",
        "etelcalcetide at the mean dose of its trials, all else as now",
        ({"calcimimetic": {"drug": "etelcalcetide", "relative_dose": 1}},),
        ("calcimimetic",),
        presses_pth=True,
    ),
    UsualOption(
        "parathyroidectomy",
        "five per cent of the tissue left; calcium and calcitriol for as long as calcium is low, "
        "all else as now",
        ({"event": {"parathyroidectomy": {"remnant_fraction": 0.05}}},),
        ("parathyroidectomy",),
        presses_pth=True,
    ),
    UsualOption(
        "transplantation",
        "a graft that settles at 50 mL/min; no binder, no vitamin D",
        ({"event": {"transplantation": {"graft_gfr_ml_min": 50}}},),
        ("transplantation",),
    ),
)


def is_child(patient: Patient) -> bool:
    """Whether the model does not hold: its bone does not grow, its figures are those of adults."""
    return patient.age_years is not None and patient.age_years < ADULT_YEARS


def options_for(patient: Patient) -> tuple[UsualOption, ...]:
    """Treatment as now, then those that make sense for this patient."""
    high = (patient.value("pth") or 0.0) > PTH_TO_TREAT_PG_ML
    first = (NOW_HAEMODIALYSIS, LOW_CALCIUM_HAEMODIALYSIS)
    if patient.ckd == "dialysis_pd":
        first = (NOW_PERITONEAL, LOW_CALCIUM_PERITONEAL)
    return (*first, *(option for option in OTHERS if high or not option.presses_pth))


def simulated_by(plan_option: str) -> str | None:
    """Name of the forecast option that answers an option of the plan."""
    every = (LOW_CALCIUM_HAEMODIALYSIS, *OTHERS)
    return next((option.name for option in every if plan_option in option.plan), None)
