"""Laboratory results typed into a form, kept as the FHIR bundle that the analysis reads.

What was there before stays: rows of a CSV table become Observations of the bundle. A value entered
again for the same day takes the earlier one's place.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from calcinosis.analyte import ANALYTES, in_si
from calcinosis.errors import InputError
from calcinosis.lab_result import LabResult
from calcinosis.read.fhir import codings, is_bundle, recorded_state
from calcinosis.read.labs import number_with_comparator
from calcinosis.serve.given import LabsKind, read_given

Resource = dict[str, Any]

ENTERED = (
    "calcium",
    "albumin",
    "phosphate",
    "pth",
    "alp",
    "vit_d25",
    "vit_d125",
    "creatinine",
    "urate",
    "crp",
)
_CKD = "709044004"
KIDNEYS = {
    "dialysis_hd": ("Haemodialysis", "Procedure", "302497006"),
    "dialysis_pd": ("Peritoneal dialysis", "Procedure", "71192002"),
    "transplant": ("Kidney transplant", "Procedure", "70536003"),
    "ckd_unspecified": ("Chronic kidney disease", "Condition", _CKD),
    "none": ("Healthy", "Condition", _CKD),  # chronic kidney disease, refuted
}
EARLIEST_BIRTH_YEAR = 1900
SEXES = {"female": "Female", "male": "Male"}
_DECIMAL_COMMA = re.compile(r"[<>]?=?\s*(0,\d+|\d+,(\d{1,2}|\d{4,}))")  # 1,250 may be thousands
_LOINC, _SNOMED = "http://loinc.org", "http://snomed.info/sct"
_VERIFIED = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_PERSON, _KIDNEYS = "entered-patient", "entered-kidneys"


@dataclass(frozen=True)
class Entered:
    """What the form shows as it stands.

    Attributes:
        results: all results, the latest first.
        person: born, sex, kidneys and dialysis_since as entered in the form.
        own_person: whether an uploaded bundle says who the patient is; the form then does not ask.
        is_case: whether a case file was uploaded, to which a form cannot add.
    """

    results: tuple[LabResult, ...] = ()
    person: Mapping[str, str] | None = None
    own_person: bool = False
    is_case: bool = False


def entered(text: str | None, kind: LabsKind | None) -> Entered:
    """What was entered for a study so far."""
    if not text or kind is None:
        return Entered(person={})
    labs = read_given(text, kind).patient.labs
    results = tuple(sorted(labs, key=lambda r: str(r.taken or ""), reverse=True))
    if kind == "csv":
        return Entered(results, {})
    data = json.loads(text)
    if not is_bundle(data):
        return Entered(results, {}, is_case=True)
    resources = _resources(data)
    others = any(r["resourceType"] == "Patient" and r.get("id") != _PERSON for r in resources)
    return Entered(results, _person_of(resources), own_person=others)


def with_form(
    text: str | None,
    kind: LabsKind | None,
    form: Mapping[str, str],
    study_date: date | None = None,
) -> str:
    """What was entered so far together with a filled form, as the JSON of a FHIR bundle.

    Args:
        text: entered so far, or None.
        kind: of `text`.
        form: born (year), sex, kidneys, dialysis_since, drawn (dates), and for each analyte
            value_NAME and unit_NAME; empty where not known.
        study_date: nobody is born or begins dialysis later; today where it is not known.

    Raises:
        InputError: names the field that cannot be used.
    """
    before = _before(text, kind)
    latest = study_date or datetime.now().astimezone().date()
    new = [*_person(form, before, latest), *_kidneys(form, latest), *_observations(form)]
    replaced = {_PERSON, _KIDNEYS, *(str(resource["id"]) for resource in new)}
    kept = [resource for resource in before if resource.get("id") not in replaced]
    entries = [{"resource": resource} for resource in (*kept, *new)]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    return json.dumps(bundle, indent=1, ensure_ascii=False)


def _before(text: str | None, kind: LabsKind | None) -> list[Resource]:
    if not text or kind is None:
        return []
    if kind == "csv":
        return [_observation(result) for result in read_given(text, kind).patient.labs]
    data = json.loads(text)
    if not is_bundle(data):
        raise InputError("a case file was uploaded; add to that file and upload it again")
    return _resources(data)


def _resources(bundle: Mapping[str, Any]) -> list[Resource]:
    found = [entry.get("resource") for entry in bundle.get("entry") or []]
    return [r for r in found if isinstance(r, dict) and isinstance(r.get("resourceType"), str)]


def _person(form: Mapping[str, str], before: Iterable[Resource], latest: date) -> list[Resource]:
    if any(r["resourceType"] == "Patient" and r.get("id") != _PERSON for r in before):
        return []
    born, sex = form.get("born", "").strip(), form.get("sex", "")
    if born and not re.fullmatch("[0-9]{4}", born):
        raise InputError(f"year of birth: found {born[:20]!r}, expected four digits")
    if born and not EARLIEST_BIRTH_YEAR <= int(born) <= latest.year:
        raise InputError(
            f"year of birth: found {born}, expected {EARLIEST_BIRTH_YEAR} to {latest.year}, "
            "the year of the CT"
        )
    if sex and sex not in SEXES:
        raise InputError(f"sex: expected one of {', '.join(SEXES)}")
    person = {"birthDate": born, "gender": sex}
    given = {name: value for name, value in person.items() if value}
    return [{"resourceType": "Patient", "id": _PERSON, **given}] if given else []


def _kidneys(form: Mapping[str, str], latest: date) -> list[Resource]:
    state, since = form.get("kidneys", ""), form.get("dialysis_since", "").strip()
    if not state:
        if since:
            raise InputError("dialysis since: was given without the kind of dialysis")
        return []
    if state not in KIDNEYS:
        raise InputError(f"kidneys: expected one of {', '.join(KIDNEYS)}")
    if since and state == "none":
        raise InputError("since: was given for healthy kidneys; expected none")
    if since and _day(since) > latest:
        raise InputError(f"since: found {since}, expected a day up to {latest}, that of the CT")
    label, kind, code = KIDNEYS[state]
    if state == "none":
        label = KIDNEYS["ckd_unspecified"][0]
    concept = {"coding": [{"system": _SNOMED, "code": code, "display": label}]}
    resource: Resource = {"resourceType": kind, "id": _KIDNEYS, "code": concept}
    if kind == "Procedure":
        resource["status"] = "in-progress" if state.startswith("dialysis") else "completed"
    if state == "none":
        resource["verificationStatus"] = {"coding": [{"system": _VERIFIED, "code": "refuted"}]}
    if since:
        resource["performedPeriod"] = {"start": since}
    return [resource]


def _observations(form: Mapping[str, str]) -> list[Resource]:
    values = {name: form.get(f"value_{name}", "").strip() for name in ENTERED}
    given = {name: value for name, value in values.items() if value}
    drawn = form.get("drawn", "").strip()
    if given and not drawn:
        raise InputError("drawn on: the day is missing; expected YYYY-MM-DD")
    return [
        _observation(_result(name, value, form.get(f"unit_{name}", ""), drawn))
        for name, value in given.items()
    ]


def _result(name: str, value: str, unit: str, drawn: str) -> LabResult:
    comma = _DECIMAL_COMMA.fullmatch(value) is not None
    number, comparator = number_with_comparator(value, ANALYTES[name].label, decimal_comma=comma)
    return LabResult.measured(name, number, unit, drawn, comparator)


def _observation(result: LabResult) -> Resource:
    analyte = ANALYTES[result.analyte]
    if not analyte.loinc:
        raise InputError(f"{analyte.label} was uploaded, which a form cannot take over (no LOINC)")
    value, unit = result.value, analyte.unit
    code, kind = analyte.loinc[0]
    if kind == "moles" and (si := in_si(result.analyte, value)):
        value, unit = si
    quantity: Resource = {"value": value, "unit": unit, "code": unit}
    if result.comparator:
        quantity["comparator"] = result.comparator
    taken = _written(result.taken)
    return {
        "resourceType": "Observation",
        "id": f"entered-{result.analyte}-{taken}",
        "status": "final",
        "code": {"coding": [{"system": _LOINC, "code": code, "display": analyte.label}]},
        "effectiveDateTime": taken,
        "valueQuantity": quantity,
    }


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"since: found {text[:20]!r}, expected YYYY-MM-DD") from None


def _written(taken: datetime | None) -> str:
    if taken is None:
        raise InputError("a result without a date cannot stand beside those of the form")
    midnight = (taken.hour, taken.minute, taken.second) == (0, 0, 0)
    return taken.date().isoformat() if midnight else taken.isoformat()


def _person_of(resources: Iterable[Resource]) -> dict[str, str]:
    by_id = {str(resource.get("id")): resource for resource in resources}
    person, kidneys = by_id.get(_PERSON, {}), by_id.get(_KIDNEYS, {})
    code = next((code for _, code, _ in codings(kidneys.get("code"))), "")
    period = kidneys.get("performedPeriod")
    healthy = recorded_state(kidneys) is False
    states = {
        listed: state for state, (_, _, listed) in KIDNEYS.items() if (state == "none") == healthy
    }
    return {
        "born": person.get("birthDate", ""),
        "sex": person.get("gender", ""),
        "kidneys": states.get(code, ""),
        "dialysis_since": period.get("start", "") if isinstance(period, dict) else "",
    }
