"""What the rules of management and the red flags ask about: each holds, does not, or is not known.

A circumstance that is not known never counts as absent; it says what would tell.
"""

from collections.abc import Iterable, Mapping

from calcinosis.explain.blood import ASK_KIDNEY, blood, kidney_disease, on_dialysis, parathyroid
from calcinosis.explain.circumstance import Circumstance, Named
from calcinosis.explain.signs import Signs, complaints, sarcoma_signs
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
    signs = Signs(findings)
    return dict(
        [
            *_person(patient, thresholds),
            *blood(patient, thresholds),
            *parathyroid(patient, thresholds),
            *complaints(signs),
            *sarcoma_signs(signs, thresholds),
            *_diagnoses(patient, signs, probabilities, thresholds),
        ]
    )


def _person(patient: Patient, thresholds: Mapping[str, float]) -> Named:
    kidney, dialysis = kidney_disease(patient), on_dialysis(patient)
    yield (
        "on_dialysis",
        Circumstance(dialysis, "on dialysis" if dialysis else "not on dialysis", ASK_KIDNEY),
    )
    failing = "chronic kidney disease" if patient.kidney_disease else "kidney function reduced"
    text = failing if kidney else "no kidney disease"
    yield "kidney_disease", Circumstance(kidney, text, ASK_KIDNEY)
    grafted = patient.ckd == "transplant" if patient.ckd else None
    yield "transplanted", Circumstance(grafted, "kidney transplant", ASK_KIDNEY)
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


_POSSIBLE, _LIKELY = ("possible", "possible"), ("likely", "likely")
_GROUPS = (
    ("uremic", ("tc_uremic",), "uremic tumoral calcinosis", (_POSSIBLE, _LIKELY)),
    ("primary", PRIMARY, "primary tumoral calcinosis", (_POSSIBLE, _LIKELY)),
    ("tumoral_calcinosis", TUMORAL, "tumoral calcinosis", (_POSSIBLE, _LIKELY)),
    ("malignancy", MALIGNANT, "sarcoma", (("possible", "malignancy_possible"),)),
    ("calcium_load", CALCIUM_LOAD, "calcium or vitamin D excess", (_POSSIBLE,)),
    ("calciphylaxis", ("calciphylaxis",), "calciphylaxis", (_POSSIBLE,)),
)


def _diagnoses(
    patient: Patient,
    signs: Signs,
    probabilities: Mapping[str, float],
    thresholds: Mapping[str, float],
) -> Named:
    for name, members, words, degrees in _GROUPS:
        total = sum([probabilities.get(member, 0.0) for member in members])
        text = f"{words} {100 * min(total, 0.99):.0f}\u00a0%" if probabilities else words
        for degree, limit in degrees:
            holds = total >= thresholds[limit] if probabilities else None
            yield f"{name}_{degree}", Circumstance(holds, text, "more findings")
    necrosis = patient.history.get("calciphylaxis")
    ulcer, kidney = signs.state("skin_ulcer_or_fistula"), kidney_disease(patient)
    if necrosis is None:
        necrosis = False if False in (ulcer, kidney) else True if ulcer and kidney else None
    ask = ASK_KIDNEY if ulcer else "examination: skin ulcer or fistula"
    yield (
        "skin_necrosis_in_kidney_disease",
        Circumstance(necrosis, "skin ulcer with kidney disease", ask),
    )
