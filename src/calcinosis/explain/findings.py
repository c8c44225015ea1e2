"""From a case and from what CT measured to findings: coded, each present, absent or unknown.

A numeric finding is ``present`` with its `value` in the canonical unit of the knowledge base;
a lab known only in words is a finding such as ``phosphate_high``.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from calcinosis.analyte import Level, is_judged_at, phosphate_interval, reference_interval
from calcinosis.finding import Finding, State
from calcinosis.patient import NORMAL_ALBUMIN_G_DL, corrected_for_albumin

if TYPE_CHECKING:
    from calcinosis.measure.mass import CtMeasurement, Mass

_KIDNEY = {
    "dialysis_hd": "dialysis",
    "dialysis_pd": "dialysis",
    "dialysis_unspecified": "dialysis",
    "ckd_unspecified": "chronic_kidney_disease",
    "ckd_nondialysis": "ckd_without_dialysis",
    "transplant": "kidney_transplant",
    "none": "normal_kidney_function",
}
_HISTORY_NUMBERS = {
    "age_years": ("age", "years", "history"),
    "symptom_duration_months": ("symptom_duration_months", "months", "history"),
    "dialysis_vintage_years": ("dialysis_vintage_years", "years", "history"),
    "max_diameter_cm": ("max_diameter_cm", "cm", "CT"),
}
_HISTORY_SIGNS = {"family_history": "family_history", "bilateral_or_multiple": "multiple"}
_CONDITIONS = ("connective_tissue_disease", "sarcoidosis", "gout", "tuberculosis", "trauma")
# Two words for one sign become one code; the modality keeps them apart for the reader.
_IMAGING: dict[str, tuple[str, dict[str, str]]] = {
    "radiograph": (
        "radiograph",
        {
            "multilobulated": "multilobulated",
            "amorphous_or_cystic": "amorphous_or_cystic",
            "periarticular": "periarticular",
            "fluid_level": "fluid_calcium_level",
            "joint_bodies": "joint_bodies",
            "rings_and_arcs": "rings_and_arcs",
        },
    ),
    "ct": (
        "CT",
        {
            "fluid_calcium_level": "fluid_calcium_level",
            "cystic_loculated": "cystic_loculated",
            "bone_erosion_or_osteolysis": "bone_erosion",
            "cortical_continuity_with_bone": "cortical_continuity",
            "soft_tissue_component_enhancing": "enhancing_soft_tissue",
            "zonal_peripheral_ossification": "zonal_ossification",
            "joint_bodies": "joint_bodies",
            "rings_and_arcs": "rings_and_arcs",
        },
    ),
    "mri": (
        "MRI",
        {
            "t1_low": "t1_low",
            "t2_heterogeneous": "t2_heterogeneous",
            "t2_high": "t2_high",
            "enhancement": "mri_enhancement",
        },
    ),
    "us": (
        "ultrasound",
        {
            "calcified_shell_with_fluid": "calcified_shell_with_fluid",
            "echogenic_lobulated": "multilobulated",
        },
    ),
    "scintigraphy": ("scintigraphy", {"uptake": "tracer_uptake"}),
}
_LABS = {
    "phosphate_mg_dl": ("phosphate", "mg/dL"),
    "pth_pg_ml": ("pth", "pg/mL"),
    "alp_u_l": ("alp", "U/L"),
    "vit_d25_ng_ml": ("vitamin_d_25", "ng/mL"),
    "vit_d125_pg_ml": ("vitamin_d_125", "pg/mL"),
    "creatinine_mg_dl": ("creatinine", "mg/dL"),
    "urate_mg_dl": ("urate", "mg/dL"),
    "crp_mg_l": ("crp", "mg/L"),
}
# Ionised calcium has its own scale; it is placed on the scale of total calcium by the ratio of
# the middles of the two reference ranges, 9.5 mg/dL and 1.24 mmol/L.
TOTAL_MG_DL_PER_IONISED_MMOL_L = 9.5 / 1.24
# How near to a joint a mass must lie to be called periarticular on our own CT. Chosen: the
# bursae of the hip reach about 3 cm beyond the joint line.
PERIARTICULAR_MM = 30.0
FAR_FROM_JOINT_MM = 80.0
LOBULATED_FROM_LOCULES = 3


def findings_of_case(case: Mapping[str, Any] | Any) -> tuple[Finding, ...]:  # noqa: ANN401 - the pydantic Case or its plain dict
    """Read the findings a case file states; what it leaves out is not mentioned at all.

    Args:
        case: a validated `Case`, or the plain mapping it came from (DESIGN section 5).
    """
    fields = _fields(case)
    return (
        *_history(fields),
        *_imaging(_fields(fields.get("imaging"))),
        *_laboratory(fields),
    )


def _fields(stated: Any) -> Mapping[str, Any]:  # noqa: ANN401 - a part of a case, or None
    return stated if isinstance(stated, Mapping) else vars(stated) if stated is not None else {}


def _state(value: bool) -> State:
    return "present" if value else "absent"


def _history(fields: Mapping[str, Any]) -> Iterator[Finding]:
    kidney = fields.get("ckd")
    if kidney is not None:
        yield Finding(_KIDNEY[kidney], "present", "reported", "history")
    if fields.get("sex") in {"F", "M"}:
        yield Finding("female", _state(fields["sex"] == "F"), "reported", "history")
    for field, (code, unit, modality) in _HISTORY_NUMBERS.items():
        if fields.get(field) is not None:
            yield Finding(code, "present", "reported", modality, float(fields[field]), unit)
    for field, code in _HISTORY_SIGNS.items():
        if fields.get(field) is not None:
            yield Finding(code, _state(fields[field]), "reported", "history")
    for site in fields.get("sites") or ():
        yield Finding(f"site_{site}", "present", "reported", "history")
    conditions = _fields(fields.get("history"))
    told = {code: conditions.get(code) for code in _CONDITIONS}
    for code, value in (told | dict(_fields(fields.get("symptoms")))).items():
        if value is not None:
            yield Finding(code, _state(value), "reported", "history")


def _imaging(imaging: Mapping[str, Any]) -> Iterator[Finding]:
    for study, (modality, signs) in _IMAGING.items():
        stated = _fields(imaging.get(study))
        for field, code in signs.items():
            if stated.get(field) is not None:
                yield Finding(code, _state(stated[field]), "reported", modality)


def _laboratory(fields: Mapping[str, Any]) -> Iterator[Finding]:
    if fields.get("calcified_or_ossified") is not None:
        yield Finding(fields["calcified_or_ossified"], "present", "reported", "CT")
    words = {k: v for k, v in _fields(fields.get("labs_qualitative")).items() if v is not None}
    numbers = _lab_numbers(fields)
    for code, (value, unit) in numbers.items():
        yield Finding(code, "present", "reported", "laboratory", value, unit)
    for code, word in words.items():
        if code == "ca_p_product" and "phosphate" in {*numbers, *words}:
            continue  # its factor says it already
        if code not in numbers or _belies(code, word, numbers[code][0]):
            yield Finding(f"{code}_{word}", "present", "reported", "laboratory")
    product = _fields(fields.get("labs")).get("ca_p_product_mg2_dl2")
    if product is not None and _belies_product(product, fields):
        yield Finding("ca_p_product", "present", "reported", "laboratory", product, "mg²/dL²")
    fgf23_word = _fgf23_word(_fields(fields.get("labs")).get("fgf23"))
    if fgf23_word is not None:
        yield Finding(f"fgf23_{fgf23_word}", "present", "reported", "laboratory")


def _belies(code: str, word: Level, value: float) -> bool:
    """Whether a value contradicts the word for it, and is not merely judged by another range.

    Our parameters: the other half of the reference interval for "high" and "low", more than half an
    interval outside for "normal". PTH is called low and normal by the limits of dialysis too.
    """
    low, high = reference_interval(code, None) or (None, None)
    if low is None or high is None or (code == "pth" and word != "high"):
        return False
    middle, half = (low + high) / 2, (high - low) / 2
    if word == "normal":
        return not low - half <= value <= high + half
    return value < middle if word == "high" else value > middle


def _belies_product(product: float, fields: Mapping[str, Any]) -> bool:
    """Whether a stated Ca×P is further from calcium times phosphate than correction can bring it.

    Our parameter: a quarter; calcium corrected for an albumin of 2 g/dL moves it by less.
    """
    labs = {k: v for k, v in _fields(fields.get("labs")).items() if v is not None}
    calcium, phosphate = _calcium_mg_dl(labs), labs.get("phosphate_mg_dl")
    if calcium is None or phosphate is None:
        return False
    return not 1 / 1.25 <= product / (calcium * phosphate) <= 1.25


def _lab_numbers(fields: Mapping[str, Any]) -> dict[str, tuple[float, str]]:
    """Labs as code → (value, unit); a range enters by its geometric middle.

    The knowledge base speaks of adults: what cannot be judged at the patient's age is left out.
    """
    labs = {k: v for k, v in _fields(fields.get("labs")).items() if v is not None}
    for name, bounds in (fields.get("labs_range") or {}).items():
        if bounds is not None and labs.get(name) is None:
            labs[name] = math.sqrt(max(bounds[0], 1e-3) * max(bounds[1], 1e-3))
    age_years = fields.get("age_years")
    numbers = {
        code: (float(labs[field]), unit)
        for field, (code, unit) in _LABS.items()
        if field in labs and is_judged_at(code, age_years)
    }
    fgf23 = labs.get("fgf23")
    if isinstance(fgf23, int | float):
        numbers["fgf23"] = (float(fgf23), "pg/mL")
    calcium = _calcium_mg_dl(labs)
    product = labs.get("ca_p_product_mg2_dl2")
    if calcium is None and product is not None and "phosphate" in numbers:
        calcium = product / numbers["phosphate"][0]
    if calcium is not None:
        numbers["calcium"] = (calcium, "mg/dL")
        if product is not None and "phosphate" not in numbers:
            numbers["phosphate"] = (product / calcium, "mg/dL")
    elif product is not None and "phosphate" not in numbers:
        numbers["ca_p_product"] = (float(product), "mg²/dL²")
    return _phosphate_for_age(numbers, age_years)


def _calcium_mg_dl(labs: Mapping[str, Any]) -> float | None:
    """Ionised calcium before corrected, as `Patient.level` judges it."""
    if "ionized_ca_mmol_l" in labs:
        return float(labs["ionized_ca_mmol_l"] * TOTAL_MG_DL_PER_IONISED_MMOL_L)
    if "corrected_calcium_mg_dl" in labs:
        return float(labs["corrected_calcium_mg_dl"])
    if "calcium_mg_dl" in labs:
        albumin_g_dl = labs.get("albumin_g_dl", NORMAL_ALBUMIN_G_DL)
        return float(corrected_for_albumin(labs["calcium_mg_dl"], albumin_g_dl))
    return None


def _phosphate_for_age(
    numbers: dict[str, tuple[float, str]], age_years: float | None
) -> dict[str, tuple[float, str]]:
    """Scale a child's phosphate so that the upper limit of its age meets the adult one."""
    limit, adult = phosphate_interval(age_years)[1], phosphate_interval(None)[1]
    if "phosphate" not in numbers or limit == adult:
        return numbers
    measured = numbers["phosphate"][0]
    unit = f"mg/dL in adult terms (measured {measured:.3g})"
    return numbers | {"phosphate": (measured * adult / limit, unit)}


def _fgf23_word(stated: object) -> str | None:
    """Read "elevated" or "13.6 ng/L (ref 23.2-95.4)": assays differ, so their own range rules."""
    if not isinstance(stated, str):
        return None
    lowered = stated.lower()
    numbers = [float(n) for n in re.findall(r"\d+(?:\.\d+)?", lowered.replace("fgf23", ""))]
    if len(numbers) == 3 and "ref" in lowered:
        value, low, high = numbers
        return "low" if value < low else "high" if value > high else "normal"
    for word, meanings in {
        "high": ("high", "elevated", "raised", "increased"),
        "low": ("low", "decreased", "reduced", "undetectable"),
        "normal": ("normal",),
    }.items():
        if any(meaning in lowered for meaning in meanings):
            return word
    return None


def findings_of_masses(measurement: "CtMeasurement") -> tuple[Finding, ...]:
    """State what our own CT measurement shows, mass by mass; what it cannot judge is unknown.

    One scan covers one region: a single mass on it does not prove there is no other.
    """
    findings = [finding for mass in measurement.masses for finding in _of_mass(mass)]
    if len(measurement.masses) > 1:
        findings.append(Finding("multiple", "present", "measured", "CT"))
    return tuple(findings)


# Joints as measured, by the vocabulary's name for the place; the others have the same name.
_SITE_OF_JOINT = {
    "lumbar spine": "spine_lumbar",
    "thoracic spine": "spine_thoracic",
    "sacroiliac": "sacrum",
    "pubic symphysis": "pubis",
}


def _of_mass(mass: "Mass") -> Iterator[Finding]:
    def sign(code: str, value: bool | None) -> Finding:
        state: State = "unknown" if value is None else _state(value)
        return Finding(code, state, "measured", "CT", mass_id=mass.id)

    if mass.site is not None:
        yield Finding(
            f"site_{_SITE_OF_JOINT.get(mass.site.joint, mass.site.joint)}",
            "present",
            "measured",
            "CT",
            mass_id=mass.id,
        )
    away_mm = mass.site.distance_mm if mass.site else None
    if away_mm is None or PERIARTICULAR_MM < away_mm <= FAR_FROM_JOINT_MM:
        yield sign("periarticular", None)
    else:
        yield sign("periarticular", away_mm <= PERIARTICULAR_MM)
    yield Finding(
        "max_diameter_cm",
        "present",
        "measured",
        "CT",
        mass.max_diameter_mm / 10,
        "cm",
        mass.id,
    )
    yield sign("calcified", True)  # noqa: FBT003 - it was found by its calcium
    yield sign("fluid_calcium_level", mass.sedimentation_sign)
    yield sign("bone_erosion", mass.bone.eroded)
    yield sign("cystic_loculated", mass.locules >= LOBULATED_FROM_LOCULES)


@dataclass(frozen=True)
class Contradiction:
    """One sign, two voices: both are kept, and together they weigh nothing.

    Of a value and what contradicts it (a word, a product) the value counts.
    """

    code: str
    says_present: tuple[Finding, ...]
    says_absent: tuple[Finding, ...]


def contradictions(findings: Iterable[Finding]) -> tuple[Contradiction, ...]:
    """Find signs called present by one source and absent by another, and values that do not agree.

    Masses measured on one CT may differ from each other; that is no contradiction, nor does the
    one without the sign deny what is told of the other.
    """
    findings = tuple(findings)
    states = {(finding.code, finding.state) for finding in findings}
    found = []
    for code in [
        code for code, state in states if state == "present" and (code, "absent") in states
    ]:
        present = tuple(f for f in findings if f.code == code and f.state == "present")
        absent = tuple(f for f in findings if f.code == code and f.state == "absent")
        voices, denying = ({(f.origin, f.modality) for f in side} for side in (present, absent))
        if denying - voices:
            found.append(Contradiction(code, present, absent))
    found += _of_values({f.code: f for f in findings if f.modality == "laboratory"})
    return tuple(sorted(found, key=lambda dispute: dispute.code))


def _of_values(labs: Mapping[str, Finding]) -> Iterator[Contradiction]:
    """A word beside the value that contradicts it, and a stated Ca×P beside its two factors."""
    for code, told in labs.items():
        measured = labs.get(code.rsplit("_", 1)[0])
        if told.value is None and measured is not None and measured.code != "ca_p_product":
            yield Contradiction(code, (told,), (measured,))
    if {"ca_p_product", "calcium", "phosphate"} <= labs.keys():
        factors = (labs["calcium"], labs["phosphate"])
        yield Contradiction("ca_p_product", (labs["ca_p_product"],), factors)
