"""What the rules of management and the red flags ask about: each holds, does not, or is not known.

A circumstance that is not known never counts as absent; it says what would tell.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from calcinosis.analyte import ANALYTES, Level, in_si
from calcinosis.explain.findings import TOTAL_MG_DL_PER_IONISED_MMOL_L
from calcinosis.finding import Finding
from calcinosis.patient import Patient

PRIMARY = (
    "tc_primary_hyperphosphatemic",
    "tc_primary_normophosphatemic",
    "tc_primary_unspecified",
)
TUMORAL = ("tc_uremic", *PRIMARY, "tc_secondary_other")
MALIGNANT = (
    "chondrosarcoma_soft_tissue",
    "synovial_sarcoma_calcified",
    "osteosarcoma_soft_tissue",
)
CALCIUM_LOAD = ("milk_alkali", "vitamin_d_intoxication", "sarcoidosis_calcinosis")


class Circumstance(NamedTuple):
    """One fact a rule asks about.

    Attributes:
        holds: True, False, or None where it is not known.
        text: how it stands, for the reader.
        ask: what to measure or examine to know it.
    """

    holds: bool | None
    text: str
    ask: str = ""


def circumstances(
    patient: Patient,
    findings: Iterable[Finding],
    probabilities: Mapping[str, float],
    thresholds: Mapping[str, float],
) -> dict[str, Circumstance]:
    """All circumstances of a patient, by name.

    Args:
        patient: kidney status, history and laboratory.
        findings: reported and measured signs.
        probabilities: of each diagnosis of the vocabulary; empty where none was weighed.
        thresholds: the numbers in ``management.yaml``.
    """
    signs = _Signs(findings)
    return dict(
        [
            *_person(patient, thresholds),
            *_blood(patient, thresholds),
            *_parathyroid(patient, thresholds),
            *_complaints(signs),
            *_sarcoma_signs(signs, thresholds),
            *_diagnoses(patient, signs, probabilities, thresholds),
        ]
    )


_Named = Iterator[tuple[str, Circumstance]]
_ASK_KIDNEY = "kidney function (creatinine, dialysis?)"


class _Signs:
    """Signs by code; one voice that calls a sign present is enough for caution."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self._states: dict[str, bool] = {}
        self._values: dict[str, float] = {}
        self._reported: set[str] = set()
        self._denied: set[str] = set()
        for finding in findings:
            code, value = finding.code, finding.value
            if finding.state == "present":
                self._states[code] = True
                if finding.origin == "reported":
                    self._reported.add(code)
            elif finding.state == "absent":
                self._states.setdefault(code, False)
                self._denied.add(code)
            if value is not None:
                self._values[code] = max(value, self._values.get(code, value))

    def state(self, code: str) -> bool | None:
        return self._states.get(code)

    @property
    def sites(self) -> list[str]:
        """Codes of the sites told."""
        return [code for code in self._states if code.startswith("site_")]

    def any_of(self, *codes: str) -> bool | None:
        states = [self.state(code) for code in codes]
        return True if True in states else False if all(s is False for s in states) else None

    def is_reported(self, code: str) -> bool:
        """Whether a reader called a sign present: what only we measured does not count."""
        return code in self._reported

    def is_undisputed(self, code: str) -> bool:
        """Whether no voice calls the sign absent."""
        return code not in self._denied

    def value(self, code: str) -> float | None:
        return self._values.get(code)


def _person(patient: Patient, thresholds: Mapping[str, float]) -> _Named:
    kidney, dialysis = _kidney_disease(patient), _on_dialysis(patient)
    yield (
        "on_dialysis",
        Circumstance(dialysis, "on dialysis" if dialysis else "not on dialysis", _ASK_KIDNEY),
    )
    text = "chronic kidney disease" if kidney else "no kidney disease"
    yield "kidney_disease", Circumstance(kidney, text, _ASK_KIDNEY)
    grafted = patient.ckd == "transplant" if patient.ckd else None
    yield "transplanted", Circumstance(grafted, "kidney transplant", _ASK_KIDNEY)
    done = patient.history.get("parathyroidectomy")
    yield (
        "parathyroidectomy_done",
        Circumstance(done, "parathyroidectomy in the past", "history of parathyroidectomy"),
    )
    age = patient.age_years
    child = None if age is None else age < 18
    yield "child", Circumstance(child, f"{age:.0f} years old" if age is not None else "", "age")
    family = patient.family_history
    text = "relatives affected" if family else "no relatives affected"
    yield "family_history", Circumstance(family, text, "family history")
    qtc, told = patient.value("qtc"), patient.history.get("long_qt")
    long_qt = told if told or qtc is None else qtc > thresholds["qtc_long_ms"]
    text = f"QTc {qtc:.0f} ms" if qtc is not None else "long QT"
    yield "long_qt", Circumstance(long_qt, text, "ECG (QTc)")


def _on_dialysis(patient: Patient) -> bool | None:
    if patient.on_dialysis is None and _kidney_disease(patient) is False:
        return False
    return patient.on_dialysis


def _kidney_disease(patient: Patient) -> bool | None:
    if patient.kidney_disease is not None:
        return patient.kidney_disease
    level = patient.level("egfr")
    if level is not None:
        return level == "low"
    level = patient.level("creatinine")
    return None if level is None else level == "high"


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


def _blood(patient: Patient, thresholds: Mapping[str, float]) -> _Named:
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


def _severe_calcium(patient: Patient, thresholds: Mapping[str, float]) -> _Named:
    """Calcium that does not wait; ionised calcium is judged on the scale of total calcium."""
    ionised, value = patient.value("ionized_calcium"), patient.calcium_mg_dl
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
    """A value with its unit and SI, or the report's word: ``calcium 11.2 mg/dL (2.79 mmol/L)``."""
    name, value = analyte, patient.value(analyte)
    if analyte == "calcium":
        ionized, corrected = patient.value("ionized_calcium"), patient.corrected_calcium_mg_dl
        if ionized is not None:
            name, value = "ionized_calcium", ionized
        elif corrected is not None:
            name, value = "corrected_calcium", corrected
    label = {"ca_p_product": "Ca×P", "pth": "PTH"}.get(name, ANALYTES[name].label)
    if value is None:
        level = patient.levels.get(analyte)
        return f"{label} {level}" if level else label
    si, bound = in_si(name, value), patient.comparator(name)
    beside = f" ({bound}{si[0]:.3g} {si[1]})" if si else ""
    shown = f"{value:.0f}" if value >= 100 else f"{value:.3g}"
    return f"{label} {bound}{shown} {ANALYTES[name].unit}{beside}"


def _parathyroid(patient: Patient, thresholds: Mapping[str, float]) -> _Named:
    """PTH against the limits of dialysis, or those of everyone else (KDIGO 2017, 4.2.1 and 4.2.3).

    On dialysis it runs high by nature: 2 to 9 times the upper limit is KDIGO's range. Before
    dialysis, and with a graft, the limits of the assay hold. Where nobody says whether there is
    dialysis, what holds by both holds.
    """
    value, level = patient.value("pth"), patient.level("pth")
    dialysis = _on_dialysis(patient)
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
    open_ = _ASK_KIDNEY if value is not None and dialysis is None else ask
    yield "pth_high", Circumstance(high, text, open_)
    yield "pth_low", Circumstance(low, text, open_)
    yield "pth_very_high", Circumstance(very, text, f"{ask} as a value")
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
    if on_dialysis:  # a laboratory's word is by the limits of everyone else
        return level != "high", True if level == "high" else None
    return level == "low", level == "high"


def _complaints(signs: _Signs) -> _Named:
    compression = signs.any_of("nerve_compression", "vascular_compression")
    pressed = [
        name
        for name, code in (("nerve", "nerve_compression"), ("vessel", "vascular_compression"))
        if signs.state(code)
    ]
    text = f"{' and '.join(pressed)} compression" if pressed else "no nerve or vessel compression"
    ask = "examination for nerve and vessel compression"
    yield "compression", Circumstance(compression, text, ask)
    yield "spinal_compression", _spinal_compression(signs)
    for code, present, absent in (
        ("fever", "fever", "no fever"),
        ("skin_ulcer_or_fistula", "skin ulcer or fistula", "skin intact"),
        ("limited_motion", "limited motion", "free motion"),
        ("pain", "pain", "no pain"),
    ):
        state = signs.state(code)
        yield code, Circumstance(state, present if state else absent, f"examination: {present}")
    for code, present in (
        ("nerve_compression", "nerve compression"),
        ("vascular_compression", "vessel compression"),
    ):
        yield code, Circumstance(signs.state(code), present, ask)


def _spinal_compression(signs: _Signs) -> Circumstance:
    nerve = signs.state("nerve_compression")
    spinal = any("spine" in site for site in signs.sites) if signs.sites else None
    holds = False if False in (nerve, spinal) else True if nerve and spinal else None
    ask = "site of the mass" if nerve else "examination for nerve and vessel compression"
    return Circumstance(holds, "nerve compression at the spine", ask)


def _sarcoma_signs(signs: _Signs, thresholds: Mapping[str, float]) -> _Named:
    destruction = _destruction(signs)
    enhancing = Circumstance(
        signs.any_of("enhancing_soft_tissue", "mri_enhancement"),
        "enhancing soft tissue",
        "CT or MRI with contrast",
    )
    growth = _growth(signs, thresholds)
    continuity = Circumstance(
        signs.state("cortical_continuity"),
        "continuity with cortex and medulla",
        "CT (relation to cortex and medulla)",
    )
    yield "bone_destruction_without_fluid_level", destruction
    yield "enhancing_soft_tissue", enhancing
    yield "fast_growth", growth
    yield "cortical_continuity", continuity
    told = (destruction, enhancing, growth, continuity)
    shown = [sign.text for sign in told if sign.holds]
    settled = all(sign.holds is False for sign in told)
    yield (
        "sarcoma_sign",
        Circumstance(
            True if shown else False if settled else None,
            "; ".join(shown) or "no sign of sarcoma",
            "CT, or MRI with contrast",
        ),
    )


def _destruction(signs: _Signs) -> Circumstance:
    """Bone destruction; only a fluid level that a reader reported and none denies excuses it."""
    eroded, level = signs.state("bone_erosion"), "fluid_calcium_level"
    if not signs.is_undisputed(level):
        seen = "fluid level disputed" if signs.state(level) else "no fluid level"
    elif signs.is_reported(level):
        seen = "fluid level reported"
    else:
        measured = "measured, " if signs.state(level) else ""
        seen = f"fluid level {measured}not reported"
    destroyed = eroded and seen != "fluid level reported"
    text = f"bone erosion or osteolysis, {seen}"
    return Circumstance(destroyed, text, "CT (bone, fluid levels)")


def _growth(signs: _Signs, thresholds: Mapping[str, float]) -> Circumstance:
    size, months = signs.value("max_diameter_cm"), signs.value("symptom_duration_months")
    if size is None or months is None:
        return Circumstance(None, "growth not known", "diameter now and when first noticed")
    rate = size / max(months, 0.25)
    fast = (
        size >= thresholds["suspicious_diameter_cm"]
        and rate >= thresholds["fast_growth_cm_per_month"]
    )
    return Circumstance(
        fast,
        f"{size:.3g} cm within {months:.3g} month{'' if months == 1 else 's'}",
        "earlier images",
    )


_POSSIBLE, _LIKELY = ("possible", "possible"), ("likely", "likely")
_GROUPS = (
    ("uremic", ("tc_uremic",), "uremic tumoral calcinosis", (_POSSIBLE, _LIKELY)),
    ("primary", PRIMARY, "primary tumoral calcinosis", (_POSSIBLE, _LIKELY)),
    ("tumoral_calcinosis", TUMORAL, "tumoral calcinosis", (_POSSIBLE,)),
    ("malignancy", MALIGNANT, "sarcoma", (("possible", "malignancy_possible"),)),
    ("calcium_load", CALCIUM_LOAD, "calcium or vitamin D excess", (_POSSIBLE,)),
    ("calciphylaxis", ("calciphylaxis",), "calciphylaxis", (_POSSIBLE,)),
)


def _diagnoses(
    patient: Patient,
    signs: _Signs,
    probabilities: Mapping[str, float],
    thresholds: Mapping[str, float],
) -> _Named:
    for name, members, words, degrees in _GROUPS:
        total = sum([probabilities.get(member, 0.0) for member in members])
        text = f"{words} {100 * min(total, 0.99):.0f}\u00a0%" if probabilities else words
        for degree, limit in degrees:
            holds = total >= thresholds[limit] if probabilities else None
            yield f"{name}_{degree}", Circumstance(holds, text, "more findings")
    calciphylaxis = patient.history.get("calciphylaxis")
    ulcer, kidney = signs.state("skin_ulcer_or_fistula"), _kidney_disease(patient)
    if calciphylaxis is None and ulcer is False:
        calciphylaxis = False
    elif calciphylaxis is None and ulcer and kidney is not None:
        calciphylaxis = kidney
    yield (
        "skin_necrosis_in_kidney_disease",
        Circumstance(
            calciphylaxis, "skin ulcer with kidney disease", "skin examination, kidney function"
        ),
    )
