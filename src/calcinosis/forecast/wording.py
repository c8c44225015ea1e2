"""A treatment in words, with units."""

from collections.abc import Sequence

from calcinosis.forecast.scenario import (
    Binder,
    Calcimimetic,
    Haemodialysis,
    PeritonealDialysis,
    Treatment,
)

USUAL_CARE = "usual care after parathyroidectomy"
_GRAMS = {"sucroferric_oxyhydroxide": "g of iron"}
_HAEMODIALYSIS = {
    "sessions_per_week": "{:g} × a week",
    "hours": "{:g} hours a session",
    "phosphate_clearance_ml_min": "phosphate clearance {:g} mL/min",
    "dialysate_calcium_mmol_l": "dialysate calcium {:g} mmol/L",
    "ultrafiltration_l": "ultrafiltration {:g} L a session",
}
_PERITONEAL = {
    "phosphate_clearance_ml_min": "phosphate clearance {:g} mL/min",
    "dialysate_calcium_mmol_l": "dialysate calcium {:g} mmol/L",
    "ultrafiltration_l": "ultrafiltration {:g} L a day",
}


def dialysis_in_words(
    dialysis: Haemodialysis | PeritonealDialysis,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What was said of it, the modality first; and what was not and is as usual."""
    peritoneal = isinstance(dialysis, PeritonealDialysis)
    words = {
        field: said.format(getattr(dialysis, field))
        for field, said in (_PERITONEAL if peritoneal else _HAEMODIALYSIS).items()
    }
    said = dialysis.model_fields_set
    return (
        (
            "peritoneal dialysis" if peritoneal else "haemodialysis",
            *(told for field, told in words.items() if field in said),
        ),
        tuple(told for field, told in words.items() if field not in said),
    )


def drugs_in_words(treatment: Treatment) -> tuple[str, ...]:
    """Binder, active vitamin D and calcimimetic, given or not."""
    return (
        binders_in_words(treatment.binders),
        vitamin_d_in_words(treatment.active_vitamin_d_ug_per_week),
        calcimimetic_in_words(treatment.calcimimetic),
    )


def binders_in_words(binders: Sequence[Binder]) -> str:
    """Drugs and doses."""
    said = [
        f"{binder.drug.replace('_', ' ')} {binder.g_per_day:g} {_GRAMS.get(binder.drug, 'g')}"
        for binder in binders
    ]
    return f"{' and '.join(said)} a day" if said else "no binder"


def vitamin_d_in_words(ug_per_week: float | None) -> str:
    """The dose, for active vitamin D."""
    return f"active vitamin D {ug_per_week:g} µg a week" if ug_per_week else "no active vitamin D"


def calcimimetic_in_words(calcimimetic: Calcimimetic | None) -> str:
    """Drug and dose."""
    if calcimimetic is None:
        return "no calcimimetic"
    if calcimimetic.mg_per_day is not None:
        return f"{calcimimetic.drug} {calcimimetic.mg_per_day:g} mg a day"
    if calcimimetic.mg_per_week is not None:
        return f"{calcimimetic.drug} {calcimimetic.mg_per_week:g} mg a week"
    times = "" if calcimimetic.relative_dose == 1 else f"{calcimimetic.relative_dose:.3g} times "
    return f"{calcimimetic.drug} at {times}the mean dose of its trials"
