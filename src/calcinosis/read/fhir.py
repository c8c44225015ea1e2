"""A patient from a FHIR R4 Bundle: Patient, Observation, Condition, Procedure.

Observations, alone or as components of a panel, are read by LOINC code; conditions and procedures
by SNOMED CT, ICD-10 or CPT code, else by their English name. Resources of other kinds are passed
over. Names and identifiers of the patient are not kept.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Literal

from calcinosis.analyte import is_known
from calcinosis.errors import InputError
from calcinosis.lab_result import LabResult
from calcinosis.patient import Ckd, Patient, Sex
from calcinosis.read.labs import without_twins

_Resource = Mapping[str, Any]

# A graft that has ended: ICD-10-CM T86.12, or by name.
_GRAFT_FAILURE = (
    ("T86.12",),
    (
        "kidney transplant failure",
        "renal transplant failure",
        "kidney graft failure",
        "renal graft failure",
        "renal allograft failure",
        "failed kidney transplant",
        "failed renal transplant",
        "failure of kidney transplant",
        "failure of renal transplant",
        "failure of transplanted kidney",
    ),
)

# Kidney status, the most telling first. Codes as found in published FHIR value sets (SNOMED CT;
# ICD-10 N18, Z94.0, Z99.2; CPT 90935-90999). Names are matched where no code is known.
_KIDNEY: tuple[tuple[Ckd, tuple[str, ...], tuple[str, ...]], ...] = (
    ("dialysis_pd", ("71192002", "90945", "90947"), ("peritoneal dialysis",)),
    (
        "dialysis_hd",
        ("302497006", "90935", "90937"),
        ("haemodialysis", "hemodialysis", "hemodiafiltration", "haemodiafiltration"),
    ),
    (
        "dialysis_unspecified",
        ("265764009", "714152005", "Z99.2"),
        ("renal dialysis", "on dialysis", "dialysis dependent"),
    ),
    (
        "transplant",
        ("70536003", "714153000", "Z94.0", "50360", "50365"),
        ("kidney transplant", "renal transplant", "transplant of kidney"),
    ),
    (
        "ckd_unspecified",
        ("46177005", "433146000", "N18.5", "N18.6", *_GRAFT_FAILURE[0]),
        ("end-stage renal", *_GRAFT_FAILURE[1]),
    ),
    (
        "ckd_nondialysis",
        (
            *("431857002", "433144002", "700378005", "700379002", "431856006", "431855005"),
            *("N18.1", "N18.2", "N18.3", "N18.4"),
        ),
        (),
    ),
    (
        "ckd_unspecified",
        ("709044004", "N18"),
        ("chronic kidney disease", "chronic renal failure", "end stage renal"),
    ),
)
_HISTORY: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("parathyroidectomy", ("60500", "60502", "60505"), ("parathyroidectomy",)),
    ("transplantation", ("70536003", "Z94.0", "50360", "50365"), ("kidney transplant",)),
    ("calciphylaxis", (), ("calciphylaxis", "calcific uremic arteriolopathy")),
    ("long_qt", ("9651007", "I45.81"), ("long qt", "prolonged qt")),
    (
        "connective_tissue_disease",
        ("M32", "M33", "M34", "M35.1"),
        ("systemic sclerosis", "scleroderma", "dermatomyositis", "lupus erythematosus"),
    ),
    ("sarcoidosis", ("D86",), ("sarcoidosis",)),
    ("gout", ("M10",), ("gout",)),
    ("tuberculosis", ("A15", "A16", "A17", "A18", "A19"), ("tuberculosis",)),
    ("malignancy", tuple(f"C{number:02d}" for number in range(98)), ("sarcoma",)),
)
_NOT_TRUE = {"entered-in-error", "cancelled"}
# The code system of bundles that this program wrote (`write.fhir`): masses that it measured, and
# analytes by their own names where LOINC has no code.
OWN_CODES = "urn:oid:2.25.235949905264795422103768850485526243782"
OWN_MASS, DERIVED = "MASS", " (derived)"
DATE_UNKNOWN = {
    "extension": [
        {
            "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
            "valueCode": "unknown",
        }
    ]
}
# A procedure that was not carried through: whether what it is for was reached is not known.
_UNFINISHED = {"preparation", "on-hold", "stopped"}
# Words beside a name that speak of it without its being there.
_ONLY_SPOKEN_OF = re.compile(
    r"\b(await|waiting|candidate|planned|evaluation|donor|donat|declin|refus|family history"
    r"|screening|suspect|exposure|contact with|risk|rule out|vaccin|immuni[sz]"
    r"|no (evidence|history|signs?) of|(fistula|graft|access) for \w*dialysis)"
)
_DENIED = r"(?<!\bno )(?<!\bnot )(?<!\bnon[- ])(?<!\bwithout )"  # before a name


def is_bundle(data: object) -> bool:
    """Whether parsed JSON is a FHIR Bundle."""
    return isinstance(data, dict) and data.get("resourceType") == "Bundle"


def patient_of_bundle(bundle: object, where: str) -> Patient:
    """The patient of a FHIR R4 Bundle, parsed from JSON; `where` is named in errors.

    Raises:
        InputError: not a Bundle, several patients, or an observation that cannot be (no unit,
            impossible value, future date, twice the same), named by its place in the bundle.
    """
    if not is_bundle(bundle):
        raise InputError(f"{where}: is not a FHIR Bundle; expected resourceType Bundle")
    resources = list(_resources(bundle, where))
    people = [r for _, r in resources if r["resourceType"] == "Patient"]
    known_as = _names_of_patient(bundle)
    subjects = {s for _, r in resources if (s := _subject(r))} - known_as
    count = max(len(people), len(subjects) + bool(known_as))
    if count > 1:
        raise InputError(f"{where}: holds {count} patients; expected one")
    results: list[tuple[str, LabResult]] = []
    passed_over: list[str] = []
    for place, resource in resources:
        if (
            resource["resourceType"] == "Observation"
            and str(resource.get("status")) not in _NOT_TRUE
        ):
            results += _observed(resource, place, where, passed_over)
    labs = without_twins(results, where)
    person = people[0] if people else {}
    try:
        patient = _with_conditions(_person(person, labs), [r for _, r in resources])
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    return replace(patient, passed_over=tuple(dict.fromkeys(passed_over)))


def _resources(bundle: Any, where: str) -> Iterator[tuple[str, _Resource]]:  # noqa: ANN401 - JSON
    entries = bundle.get("entry") or []
    if not isinstance(entries, list):
        raise InputError(f"{where}: entry: found {type(entries).__name__}, expected a list")
    for number, entry in enumerate(entries):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict) and isinstance(resource.get("resourceType"), str):
            yield f"entry {number} ({resource['resourceType']})", resource


def _names_of_patient(bundle: Any) -> set[str]:  # noqa: ANN401 - JSON
    """The id and address by which resources of a bundle refer to its Patient."""
    names = [
        name
        for entry in bundle.get("entry") or []
        if isinstance(entry, dict) and isinstance(person := entry.get("resource"), dict)
        if person.get("resourceType") == "Patient"
        for name in (person.get("id"), entry.get("fullUrl"))
    ]
    return {_id_in(str(name)) for name in names if name}


def _subject(resource: _Resource) -> str | None:
    subject = resource.get("subject")
    return _id_in(str(subject.get("reference") or "")) if isinstance(subject, dict) else None


def _id_in(reference: str) -> str:
    """``4711`` of ``https://record/Patient/4711/_history/2``; other references as they are."""
    told = re.search(r"(?:^|/)Patient/([^/]+)", reference)
    return told[1] if told else reference


def _person(person: _Resource, labs: tuple[LabResult, ...]) -> Patient:
    sexes: dict[str, Sex] = {"female": "F", "male": "M"}
    birth = _date(person.get("birthDate"), "Patient.birthDate")
    last = max((r.day for r in labs if r.day), default=datetime.now().astimezone().date())
    return Patient(
        age_years=max(0.0, (last - birth).days / 365.25) if birth else None,
        birth_date=birth,
        sex=sexes.get(str(person.get("gender"))),
        labs=labs,
    )


def _observed(
    resource: _Resource, place: str, where: str, passed_over: list[str]
) -> Iterator[tuple[str, LabResult]]:
    """The laboratory values of an Observation, each with its place: its own, or its components'."""
    components = resource.get("component")
    panel: list[tuple[str, _Resource]] = [
        (f"{place} component {number}", part)
        for number, part in enumerate(components if isinstance(components, list) else [])
        if isinstance(part, dict)
    ]
    if "valueQuantity" in resource or not any(_analyte_code(part) for _, part in panel):
        panel = [(place, resource)]
    for at, told in panel:
        result = _value(told, resource, f"{where}: {at}", passed_over)
        if result:
            yield at, result


def _analyte_code(told: _Resource) -> str | None:
    """The LOINC code, or our own, of an analyte we know."""
    for system, code, display in codings(told.get("code")):
        if "loinc" in system and is_known(code):
            return code
        if system == OWN_CODES and is_known(code) and not display.endswith(DERIVED):
            return code
    return None


def _name_of_unused(told: _Resource) -> str:
    """What an Observation is called that is not used; nothing for what follows from others."""
    system, code, display = next(iter(codings(told.get("code"))), ("", "", ""))
    if system == OWN_CODES:
        return "an earlier measurement by this program" if code == OWN_MASS else ""
    return display or code or words_of(told.get("code"))


def _value(
    told: _Resource, whole: _Resource, where: str, passed_over: list[str]
) -> LabResult | None:
    """The value of an Observation or of a component of it; the whole says when it was taken."""
    code = _analyte_code(told)
    if code is None:
        name = _name_of_unused(told)
        passed_over.extend([name] if name else [])
        return None
    quantity = told.get("valueQuantity")
    if not isinstance(quantity, dict):
        if "dataAbsentReason" in told:
            return None
        quantity = {}
    value = quantity.get("value")
    if not isinstance(value, int | float) or isinstance(value, bool) or abs(value) > 1e9:
        raise InputError(f"{where}: valueQuantity.value: found {value!r:.40}, expected a number")
    written = str(quantity.get("comparator") or "")[:1]
    comparator: Literal["", "<", ">"] = "<" if written == "<" else ">" if written == ">" else ""
    unit = str(quantity.get("code") or quantity.get("unit") or "")
    taken = _effective(whole)
    if taken is None and whole.get("_effectiveDateTime") != DATE_UNKNOWN:
        raise InputError(f"{where}: has no effectiveDateTime; expected when the blood was drawn")
    try:
        return LabResult.measured(code, value, unit, taken, comparator)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _effective(resource: _Resource) -> str | None:
    period = resource.get("effectivePeriod")
    start = period.get("start") if isinstance(period, dict) else None
    at = resource.get("effectiveDateTime") or resource.get("effectiveInstant")
    taken = at or start or resource.get("issued")
    return str(taken) if taken else None


def _with_conditions(patient: Patient, resources: list[_Resource]) -> Patient:
    told = [r for r in resources if r["resourceType"] in {"Condition", "Procedure"}]
    history: dict[str, bool] = {}
    for resource in told:
        state = recorded_state(resource)
        for key, codes, names in _HISTORY:
            if state is not None and is_one_of(resource, codes, names):
                history[key] = history.get(key, False) or state
    kidney, since = _kidney([r for r in told if recorded_state(r) and not is_over(r)])
    if kidney is None and any(_is_refuted_kidney_disease(r) for r in told):
        kidney = "none"
    return replace(patient, ckd=kidney, dialysis_start=since, history=history)


def _kidney(told: list[_Resource]) -> tuple[Ckd | None, date | None]:
    """Kidney status, and since when on dialysis.

    Of dialysis and transplant the one that began last holds; without dates, dialysis. So does the
    later of two kinds of dialysis; without dates, peritoneal. A failed graft is none.
    """
    failed = [r for r in told if is_one_of(r, *_GRAFT_FAILURE)]
    ended = max((s for r in failed if (s := _start(r))), default=date.max) if failed else None
    starts: dict[Ckd, list[date]] = {}
    for status, codes, names in _KIDNEY:
        matching = [r for r in told if is_one_of(r, codes, names)]
        if status == "transplant" and ended:  # only a graft after the failed one still works
            matching = [r for r in matching if r not in failed and (_start(r) or ended) > ended]
        if matching:
            starts.setdefault(status, []).extend(s for r in matching if (s := _start(r)))
    if not starts:
        return None, None
    kidney = next(iter(starts))
    if kidney == "dialysis_pd" and starts[kidney] and (later := starts.get("dialysis_hd")):
        kidney = "dialysis_hd" if max(later) > max(starts[kidney]) else kidney
    on_dialysis = [s for status in starts if status.startswith("dialysis") for s in starts[status]]
    grafted = starts.get("transplant")
    if grafted and on_dialysis and max(grafted) > max(on_dialysis):
        kidney = "transplant"
    since = min(on_dialysis, default=None) if kidney.startswith("dialysis") else None
    return kidney, since


def _is_refuted_kidney_disease(resource: _Resource) -> bool:
    """Any chronic kidney disease, not one stage of it."""
    named = {code for _, code, _ in codings(resource.get("code"))}
    return recorded_state(resource) is False and bool(named & {"709044004", "N18"})


def is_over(resource: _Resource) -> bool:
    """Whether a condition is no longer there."""
    clinical = {code for _, code, _ in codings(resource.get("clinicalStatus"))}
    ended = any(name.startswith("abatement") for name in resource)
    return ended or bool(clinical & {"inactive", "remission", "resolved"})


def recorded_state(resource: _Resource) -> bool | None:
    """True, False (refuted, not done), or None where the resource says nothing."""
    verification = {code for _, code, _ in codings(resource.get("verificationStatus"))}
    status = str(resource.get("status") or "")
    if verification & {"entered-in-error"} or status in {"entered-in-error", *_UNFINISHED}:
        return None
    if verification & {"unconfirmed", "provisional", "differential"}:
        return None
    return not (verification & {"refuted"} or status == "not-done")


def _start(resource: _Resource) -> date | None:
    period = resource.get("onsetPeriod") or resource.get("performedPeriod")
    start = period.get("start") if isinstance(period, dict) else None
    text = resource.get("onsetDateTime") or resource.get("performedDateTime") or start
    named = words_of(resource.get("code")) or "without a name"
    return _date(text, f"{resource['resourceType']} ({named})")


def is_one_of(resource: _Resource, codes: tuple[str, ...], names: tuple[str, ...]) -> bool:
    """Whether a resource bears one of the codes, or one below it, or one of the names."""
    for _, found, _ in codings(resource.get("code")):
        if any(found == c or found.startswith(f"{c}.") for c in codes):
            return True
        if any(len(c) > 3 and "." in c and found.startswith(c) for c in codes):
            return True
    written = words_of(resource.get("code")).lower()
    if _ONLY_SPOKEN_OF.search(written):
        return False
    return any(re.search(f"{_DENIED}{re.escape(name)}", written) for name in names)


def words_of(concept: object) -> str:
    """Text and displays of a CodeableConcept."""
    text = str(concept.get("text") or "") if isinstance(concept, dict) else ""
    displays = [display for _, _, display in codings(concept)]
    return " ".join(dict.fromkeys(word for word in (text, *displays) if word))


def codings(concept: object) -> list[tuple[str, str, str]]:
    """(system, code, display) of a CodeableConcept."""
    found = concept.get("coding") if isinstance(concept, dict) else None
    return [
        (str(c.get("system") or ""), str(c.get("code") or ""), str(c.get("display") or ""))
        for c in (found if isinstance(found, list) else [])
        if isinstance(c, dict)
    ]


def _date(text: object, where: str) -> date | None:
    """A FHIR date; of a year or a month its middle is taken, or today where that is yet to come."""
    if text is None:
        return None
    written = str(text)
    try:
        first, middle = (
            datetime.fromisoformat(written + more.get(len(written), "")).date()
            for more in ({4: "-01-01", 7: "-01"}, {4: "-07-01", 7: "-15"})
        )
    except ValueError:
        raise InputError(f"{where}: found {written!r}, expected a date") from None
    today = datetime.now().astimezone().date()
    if first > today:
        raise InputError(f"{where}: {written} lies in the future")
    return min(middle, today)
