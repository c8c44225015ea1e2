"""What the laboratory says of kidneys, minerals and parathyroids, by the limits of the rules."""

from collections.abc import Mapping

from calcinosis.analyte import ANALYTES, Level, in_si
from calcinosis.explain.circumstance import Circumstance, Named
from calcinosis.explain.findings import TOTAL_MG_DL_PER_IONISED_MMOL_L
from calcinosis.patient import Patient

ASK_KIDNEY = "kidney function (creatinine, dialysis?)"
# Calcium that may itself impair kidneys: from 3.0 mmol/L (Walsh 2016, doi:10.1530/EC-16-0055).
HARMS_KIDNEYS_MG_DL = 12.0


def on_dialysis(patient: Patient) -> bool | None:
    """As stated; not where the kidneys are healthy; None where not known."""
    if patient.on_dialysis is None and kidney_disease(patient) is False:
        return False
    return patient.on_dialysis


def kidney_disease(patient: Patient) -> bool | None:
    """As stated, else by filtration rate or creatinine; None where not known.

    Where calcium is very high, low filtration may be its doing and tells nothing.
    """
    if patient.kidney_disease is not None:
        return patient.kidney_disease
    filtration, creatinine = patient.level("egfr"), patient.level("creatinine")
    if filtration is None and creatinine is None:
        return None
    failing = filtration == "low" if filtration else creatinine == "high"
    return None if failing and (patient.calcium_mg_dl or 0.0) >= HARMS_KIDNEYS_MG_DL else failing


_ASKED_LEVELS = (
    (
        "calcium",
        "calcium with albumin, or ionised calcium",
        (
            ("calcium_low", ("low",)),
            ("calcium_high", ("high",)),
            ("calcium_normal_or_high", ("normal", "high")),
        ),
    ),
    (
        "phosphate",
        "phosphate",
        (
            ("phosphate_low", ("low",)),
            ("phosphate_normal", ("normal",)),
            ("phosphate_high", ("high",)),
        ),
    ),
    ("alp", "alkaline phosphatase", (("alp_high", ("high",)),)),
    ("bicarbonate", "bicarbonate", (("bicarbonate_low", ("low",)),)),
    ("crp", "C-reactive protein", (("crp_high", ("high",)),)),
)


def blood(patient: Patient, thresholds: Mapping[str, float]) -> Named:
    """Calcium, phosphate, their product and what else has levels, by the patient's own limits."""
    for analyte, ask, asked in _ASKED_LEVELS:
        level = patient.level(analyte)
        text = _said(patient, analyte) if level else ""
        for name, wanted in asked:
            holds = None if level is None else level in wanted
            yield name, Circumstance(holds, text, ask)
    yield from _severe_calcium(patient, thresholds)
    product, ask = patient.ca_p_product_mg2_dl2, "calcium and phosphate of one day"
    text = _said(patient, "ca_p_product")
    level = patient.level("ca_p_product")
    above = None if level is None else level == "high"
    yield "product_above_target", Circumstance(above, text, ask)
    above = None if product is None else product > thresholds["ca_p_precipitation_mg2_dl2"]
    yield "product_above_precipitation", Circumstance(above, text, ask)


def _severe_calcium(patient: Patient, thresholds: Mapping[str, float]) -> Named:
    """Calcium that does not wait; ionised calcium is judged on the scale of total calcium."""
    ionised, value = patient.ionized_calcium_mmol_l, patient.calcium_mg_dl
    if ionised is not None:
        value = ionised * TOTAL_MG_DL_PER_IONISED_MMOL_L
    text, ask = _said(patient, "calcium"), "calcium with albumin, or ionised calcium"
    low, high, crisis = (
        thresholds[f"calcium_{name}_mg_dl"] for name in ("severely_low", "very_high", "crisis")
    )
    for name, holds in (
        ("calcium_severely_low", value is not None and value < low),
        ("calcium_very_high", value is not None and high <= value <= crisis),
        ("calcium_crisis", value is not None and value > crisis),
    ):
        yield name, Circumstance(None if value is None else holds, text, ask)


def _said(patient: Patient, analyte: str) -> str:
    """A value with its unit and SI, or a word for it: ``calcium 11.2 mg/dL (2.79 mmol/L)``."""
    name, value = analyte, patient.value(analyte)
    if analyte == "calcium":
        ionized, corrected = patient.ionized_calcium_mmol_l, patient.corrected_calcium_mg_dl
        if ionized is not None:
            name, value = "ionized_calcium", ionized
        elif corrected is not None:
            name, value = "corrected_calcium", corrected
    label = {"ca_p_product": "Ca×P", "pth": "PTH"}.get(name, ANALYTES[name].label)
    if value is None:
        level = patient.level(analyte)
        return f"{label} {level}" if level else label
    si, bound = in_si(name, value), patient.comparator(name)
    beside = f" ({bound}{si[0]:.3g} {si[1]})" if si else ""
    shown = f"{value:.0f}" if value >= 100 else f"{value:.3g}"
    return f"{label} {bound}{shown} {ANALYTES[name].unit}{beside}"


def parathyroid(patient: Patient, thresholds: Mapping[str, float]) -> Named:
    """PTH against the limits of dialysis, or those of everyone else (KDIGO 2017, 4.2.1 and 4.2.3).

    On dialysis it runs high by nature: 2 to 9 times the upper limit is KDIGO's range. Before
    dialysis, and with a graft, the limits of the assay hold. Where nobody says whether there is
    dialysis, what holds by both holds.
    """
    value, level = patient.value("pth"), patient.level("pth")
    dialysis = on_dialysis(patient)
    text, ask = _said(patient, "pth"), "intact PTH"
    judged = [
        _parathyroid_limits(value, level, thresholds, on_dialysis=where)
        for where in ((True, False) if dialysis is None else (dialysis,))
    ]
    low, high = (
        states[0] if len(set(states)) == 1 else None for states in zip(*judged, strict=True)
    )
    very: bool | None = None
    if value is not None:
        very = value > thresholds["pth_very_high_pg_ml"]
    elif level is not None and level != "high":  # a word: how high "high" is, it does not say
        very = False
    open_ = ASK_KIDNEY if value is not None and dialysis is None else ask
    yield "pth_high", Circumstance(high, text, open_)
    yield "pth_low", Circumstance(low, text, open_)
    yield "pth_very_high", Circumstance(very, text, f"{ask} as a value" if level else ask)
    word = None if value is None and level is None else value is None and level == "high"
    yield "pth_high_without_value", Circumstance(word, text, ask)


def _parathyroid_limits(
    value: float | None,
    level: Level | None,
    thresholds: Mapping[str, float],
    *,
    on_dialysis: bool,
) -> tuple[bool | None, bool | None]:
    """Whether PTH is low, and whether it is high."""
    if value is not None and on_dialysis:
        upper = thresholds["pth_upper_limit_pg_ml"]
        low = value < thresholds["pth_low_on_dialysis_times"] * upper
        return low, value > thresholds["pth_high_on_dialysis_times"] * upper
    if level is None:
        return None, None
    if on_dialysis:  # a word may be by the limits of everyone else or by those of dialysis
        return {"low": True, "normal": None, "high": False}[level], level == "high" or None
    return level == "low", level == "high"
