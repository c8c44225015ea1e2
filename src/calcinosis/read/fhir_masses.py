"""Soft-tissue masses and calcifications that a FHIR R4 record already names.

What dialysis patients have in other places (vessels, valves, kidneys, breast) is not meant, and a
mass whose diagnosis is tumoral calcinosis is told apart: nothing is left to consider there.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from calcinosis.read.fhir import codings, is_one_of, is_over, recorded_state, words_of

# SNOMED CT: mass of soft tissue. ICD-10: calcification of muscle, tendon, bursa, shoulder, skin;
# localised mass of skin and subcutaneous tissue (R22).
_CODES = ("444905003", "M61", "M65.2", "M71.4", "M75.3", "L94.2", "R22")
_CALCIFIED = re.compile(r"calcinosis|calcif|calcium deposit", re.IGNORECASE)
_MASS = re.compile(r"\b(mass|masses|lump|tumou?r)\b", re.IGNORECASE)
_SOFT_TISSUE = re.compile(
    r"soft[ -]tissue|peri-?articular|subcutaneous|\bmuscle|\b(hip|buttock|gluteal|trochanter\w*|"
    r"thigh|groin|shoulder|scapula\w*|axilla|upper arm|arm|elbow|forearm|wrist|hand|knee|leg|calf|"
    r"ankle|foot|limb|chest wall)\b",
    re.IGNORECASE,
)
_ELSEWHERE = re.compile(
    r"nephrocalcin|chondrocalcin|vascul|arter|vein|vessel|aort|coronar|valv|mitral|cardia|myocard|"
    r"heart|breast|mammogra|renal|kidney|ureter|bladder|prostat|pineal|cerebr|intracranial|brain|"
    r"basal ganglia|choroid|pulmonary|lung|pleura|hepat|liver|splen|pancrea|thyroid|lymph|disc\b|"
    r"ligament|cartilage|menisc|dental|tooth|decalcif|arteriolopathy|calciphylaxis|"
    r"(muscle|body|bone|lean|fat) mass|malignan|sarcoma|carcinoma|metastas",
    re.IGNORECASE,
)
_DIAGNOSED = re.compile(r"tumou?ral calcinosis", re.IGNORECASE)
# SNOMED CT: absent, negative, not detected, no, unknown; LOINC: absent, no, not detected, negative.
_ABSENT = {
    *("2667000", "260385009", "260415000", "373067005", "261665006"),
    *("LA9634-2", "LA32-8", "LA11883-8", "LA6577-6"),
}
_ABSENT_WORDS = re.compile(
    r"\W*(no|not|none|nil|absent|negative|unknown|unremarkable)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class RecordedMass:
    """One entry of the record: its words, the day it was noted, and whether it is diagnosed."""

    words: str
    day: date | None
    tumoral_calcinosis: bool


def recorded_masses(resources: Iterable[Mapping[str, Any]]) -> tuple[RecordedMass, ...]:
    """Masses and calcifications that Conditions and Observations state as present, latest first."""
    found = [_mass(resource) for resource in resources if _is_stated(resource)]
    masses = {mass for mass in found if mass is not None}
    return tuple(sorted(masses, key=lambda m: (m.day or date.min, m.words), reverse=True))


def _is_stated(resource: Mapping[str, Any]) -> bool:
    kind = resource.get("resourceType")
    if kind == "Condition":
        return recorded_state(resource) is True and not is_over(resource)
    if kind != "Observation" or str(resource.get("status")) in {"entered-in-error", "cancelled"}:
        return False
    if "valueQuantity" in resource or "dataAbsentReason" in resource:
        return False  # a measurement, not a finding; or nothing
    answer = resource.get("valueCodeableConcept")
    absent = {code for _, code, _ in codings(answer)} & _ABSENT
    said = words_of(answer) or str(resource.get("valueString") or "")
    return resource.get("valueBoolean") is not False and not (absent or _ABSENT_WORDS.match(said))


def _mass(resource: Mapping[str, Any]) -> RecordedMass | None:
    words = words_of(resource.get("code"))
    if resource["resourceType"] == "Observation":
        words = " ".join(w for w in (words, words_of(resource.get("valueCodeableConcept"))) if w)
    if _ELSEWHERE.search(words):
        return None
    place = resource.get("bodySite")
    sites = place if isinstance(place, list) else [place]
    where = " ".join(w for w in (words_of(site) for site in sites) if w)
    if not is_one_of(resource, _CODES, ()):
        named = _CALCIFIED.search(words) or (
            _MASS.search(words) and _SOFT_TISSUE.search(f"{words} {where}")
        )
        if not named or _ELSEWHERE.search(where):
            return None
    code = next((code for _, code, _ in codings(resource.get("code"))), "")
    return RecordedMass(
        words=words or code, day=_day(resource), tumoral_calcinosis=bool(_DIAGNOSED.search(words))
    )


def _day(resource: Mapping[str, Any]) -> date | None:
    for field in ("onsetDateTime", "effectiveDateTime", "recordedDate", "issued"):
        try:
            return date.fromisoformat(str(resource.get(field) or "")[:10])
        except ValueError:
            continue
    return None
