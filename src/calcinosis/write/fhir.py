"""The result as a FHIR R4 Bundle, for a hospital's record.

A transaction: sent twice, it updates what the first one made. The patient is only created where the
record does not know them, and never changed.
"""

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from calcinosis import __version__
from calcinosis.analyte import ANALYTES
from calcinosis.lab_result import LabResult
from calcinosis.measure.mass import CtMeasurement, Mass
from calcinosis.patient import Patient
from calcinosis.read.fhir import DATE_UNKNOWN, DERIVED, OWN_MASS
from calcinosis.read.fhir import OWN_CODES as OWN
from calcinosis.read.subject import written_name
from calcinosis.write import dicom_codes
from calcinosis.write.dicom_source import SourceImages, derived_uid, derived_uuid
from calcinosis.write.measures import measures_of
from calcinosis.write.told import DISCLAIMER, Told
from calcinosis.write.tracking import Tracking, tracking_of

if TYPE_CHECKING:
    from pydicom import Dataset

Resource = dict[str, Any]

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
DICOM_CODES = "http://dicom.nema.org/resources/ontology/DCM"
DICOM_UID = "urn:dicom:uid"
_SYSTEMS = {"SCT": SNOMED, "DCM": DICOM_CODES, dicom_codes.SCHEME: OWN}
_HL7 = "http://terminology.hl7.org/CodeSystem"
_GENDER = {"M": "male", "F": "female", "O": "other"}
_UCUM_OF = {"mg²/dL²": "mg2/dL2", "mL/min/1.73 m²": "mL/min/{1.73_m2}"}


def bundle(
    source: SourceImages,
    measurement: CtMeasurement,
    told: Told,
    patient: Patient | None = None,
) -> Resource:
    """Everything measured, with the laboratory results where there are any.

    Args:
        source: the images; their header says who the patient is. Where it does not, a placeholder
            that says so stands for them.
        measurement: what was measured on them.
        told: what is said of the whole scan; becomes the report's conclusion.
        patient: laboratory results, given and derived.
    """
    header = source.headers[0]
    who, study, device = _patient(header), _imaging_study(header, len(source.headers)), _device()
    about = {"subject": _reference(who), "device": _reference(device)}
    when = _when(header)
    tracking = tracking_of(measurement.masses, source)
    places, masses = [], []
    for mass in measurement.masses:
        place = {**_body_structure(mass, tracking[mass.id]), "patient": _reference(who)}
        seen = {**about, "focus": [_reference(place)], **when, "derivedFrom": [_reference(study)]}
        places.append(place)
        masses.append({**_mass(mass, tracking[mass.id], source), **seen})
    labs = [{**lab, "subject": _reference(who)} for lab in _labs(patient, str(who["id"]))]
    report = {
        **_report(header, measurement, told),
        "subject": _reference(who),
        **when,
        "imagingStudy": [_reference(study)],
        "result": [_reference(one) for one in (*masses, *labs)],
    }
    study["subject"] = _reference(who)
    resources = [who, device, study, *places, *masses, *labs, report]
    return {
        "resourceType": "Bundle",
        "id": str(derived_uuid("bundle", source.series_instance_uid)),
        "type": "transaction",
        "entry": [_entry(resource) for resource in resources],
    }


def _entry(resource: Resource) -> Resource:
    kind, key = resource["resourceType"], resource["id"]
    request = {"method": "PUT", "url": f"{kind}/{key}"}
    if kind == "Patient":
        known = resource["identifier"][0]
        search = f"identifier={quote(known['system'])}|{quote(known['value'], safe='')}"
        request = {"method": "POST", "url": kind, "ifNoneExist": search}
    return {"fullUrl": f"urn:uuid:{key}", "resource": resource, "request": request}


def _reference(resource: Resource) -> Resource:
    return {"reference": f"urn:uuid:{resource['id']}"}


def _concept(system: str, code: str, display: str) -> Resource:
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


def _quantity(value: float, unit: str) -> Resource:
    code = _UCUM_OF.get(unit, unit)
    return {"value": float(f"{value:.6g}"), "unit": unit, "system": UCUM, "code": code}


def _text(sentence: str) -> Resource:
    escaped = sentence.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {
        "status": "generated",
        "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{escaped}</div>',
    }


def _iso_day(dicom_date: str) -> str | None:
    try:
        return date.fromisoformat(dicom_date).isoformat()
    except ValueError:
        return None


def _when(header: "Dataset") -> Resource:
    """The day of the study; its time has no zone, so FHIR cannot take it."""
    day = _iso_day(str(header.StudyDate))
    return {"effectiveDateTime": day} if day else {}


def _patient(header: "Dataset") -> Resource:
    stated = str(header.PatientID)
    key = stated or str(header.StudyInstanceUID)
    issuer = [str(header.IssuerOfPatientID)] if "IssuerOfPatientID" in header else []
    resource: Resource = {
        "resourceType": "Patient",
        "id": str(derived_uuid("patient", key, *issuer)),
        "identifier": [{"system": f"urn:oid:{derived_uid('placeholder patient')}", "value": key}],
    }
    if not stated:
        resource["text"] = _text("Placeholder: the images do not say who the patient is.")
        return resource
    resource["identifier"][0]["system"] = f"urn:oid:{derived_uid('DICOM patient ID', *issuer)}"
    if name := _human_name(written_name(str(header.PatientName))):
        resource["name"] = [name]
    if str(header.PatientSex) in _GENDER:
        resource["gender"] = _GENDER[str(header.PatientSex)]
    born = _iso_day(str(header.PatientBirthDate))
    if born:
        resource["birthDate"] = born
    return resource


def _human_name(person_name: str) -> Resource:
    """A name as DICOM writes it: family^given^middle^prefix^suffix (PS3.5 6.2.1.1)."""
    family, given, middle, prefix, suffix, *_ = [*person_name.split("^"), *[""] * 5]
    parts: Resource = {"family": family.strip()}
    parts["given"] = [*given.split(), *middle.split()]
    parts["prefix"], parts["suffix"] = prefix.split(), suffix.split()
    return {part: value for part, value in parts.items() if value}


def _device() -> Resource:
    return {
        "resourceType": "Device",
        "id": str(derived_uuid("device", __version__)),
        "manufacturer": dicom_codes.MANUFACTURER,
        "deviceName": [{"name": dicom_codes.MODEL, "type": "model-name"}],
        "version": [{"value": __version__}],
        "note": [{"text": DISCLAIMER}],
    }


def _imaging_study(header: "Dataset", instances: int) -> Resource:
    modality = {"system": DICOM_CODES, "code": "CT", "display": "Computed Tomography"}
    uid, day = str(header.StudyInstanceUID), _iso_day(str(header.StudyDate))
    return {
        "resourceType": "ImagingStudy",
        "id": str(derived_uuid("study", uid)),
        "status": "available",
        "identifier": [{"system": DICOM_UID, "value": f"urn:oid:{uid}"}, *_accession(header)],
        **({"started": day} if day else {}),
        "modality": [modality],
        "series": [
            {
                "uid": str(header.SeriesInstanceUID),
                "modality": modality,
                "numberOfInstances": instances,
            }
        ],
    }


def _accession(header: "Dataset") -> list[Resource]:
    """The number by which the radiology department knows the study."""
    number = str(header.AccessionNumber)
    kind = {"coding": [{"system": f"{_HL7}/v2-0203", "code": "ACSN"}]}
    return [{"type": kind, "value": number}] if number else []


def _report(
    header: "Dataset",
    measurement: CtMeasurement,
    told: Told,
) -> Resource:
    key = str(derived_uuid("report", str(header.SeriesInstanceUID)))
    codes = [_concept(OWN, each.diagnosis, each.label) for each in told.diagnoses]
    return {
        "resourceType": "DiagnosticReport",
        "id": key,
        "identifier": [{"system": OWN, "value": key}],
        "status": "preliminary",
        "category": [_concept(f"{_HL7}/v2-0074", "RAD", "Radiology")],
        "code": _concept(LOINC, "25045-6", "CT unspecified body region"),
        "conclusion": " ".join(_conclusion(measurement, told)),
        **({"conclusionCode": codes} if codes else {}),
    }


def _conclusion(measurement: CtMeasurement, told: Told) -> Iterator[str]:
    masses = measurement.masses
    if masses:
        several = f"es, {sum(mass.volume_ml for mass in masses):.1f} mL in all"
        named = (f"{dicom_codes.place(mass.site)}, {mass.volume_ml:.1f} mL" for mass in masses)
        found = f"{len(masses)} calcified soft-tissue mass{several if len(masses) > 1 else ''}"
        yield f"{found}: {'; '.join(named)}."
    else:
        yield "No calcified soft-tissue mass of 1 mL or more."
    yield from told.red_flags
    if told.diagnoses:
        weighed = "; ".join(
            f"{each.label}, {dicom_codes.percent(each.probability)} %" for each in told.diagnoses
        )
        yield f"Differential: {weighed}."
    yield DISCLAIMER
    yield from told.remarks


def _body_structure(mass: Mass, known_as: Tracking) -> Resource:
    """The mass itself, the same at follow-up; what was measured of it are Observations."""
    code, place = dicom_codes.region(mass.site)
    side = dicom_codes.laterality(mass.site)
    return {
        "resourceType": "BodyStructure",
        "id": str(derived_uuid("body structure", known_as.uid)),
        "identifier": [{"system": DICOM_UID, "value": f"urn:oid:{known_as.uid}"}],
        "active": True,
        "morphology": _concept(SNOMED, "18115005", "Pathologic calcification"),
        "location": _concept(SNOMED, code, place),
        **({"locationQualifier": [_concept(SNOMED, *side)]} if side else {}),
        "description": known_as.identifier,
    }


def _mass(mass: Mass, known_as: Tracking, source: SourceImages) -> Resource:
    name = dicom_codes.label(mass.id, mass.site)
    code, place = dicom_codes.region(mass.site)
    side = mass.site.side if mass.site else None
    key = derived_uuid("observation", source.series_instance_uid, known_as.uid)
    return {
        "resourceType": "Observation",
        "id": str(key),
        "identifier": [{"system": OWN, "value": str(key)}],
        "status": "preliminary",
        "category": [_concept(f"{_HL7}/observation-category", "imaging", "Imaging")],
        "code": {**_concept(OWN, OWN_MASS, "Calcified soft-tissue mass"), "text": name},
        "bodySite": {
            **_concept(SNOMED, code, place),
            "text": f"{side} {place.lower()}" if side else place,
        },
        "component": list(_components(mass)),
        **({"note": [{"text": remark} for remark in mass.remarks]} if mass.remarks else {}),
    }


def _components(mass: Mass) -> Iterator[Resource]:
    """Every measure that could be taken; what could not be judged is left out."""
    for one in measures_of(mass):
        value = (
            {"valueInteger": one.value}
            if isinstance(one.value, int)
            else {"valueQuantity": _quantity(one.value, one.unit)}
        )
        yield {"code": _concept(_SYSTEMS[one.scheme], one.code, one.meaning), **value}
    yield {
        "code": _concept(DICOM_CODES, "112181", "Mean Attenuation Coefficient"),
        "valueQuantity": _quantity(mass.hu.mean, "[hnsf'U]"),
    }
    for code, display, interval, unit in (
        ("VOLUME_CI95", "Volume, 95 % interval", mass.volume_ci95_ml, "mL"),
        (
            "HA_CI95",
            "Mass of calcium hydroxyapatite, 95 % interval",
            mass.calcium_mass_ci95_mg,
            "mg",
        ),
    ):
        low, high = (_quantity(value, unit) for value in interval)
        yield {"code": _concept(OWN, code, display), "valueRange": {"low": low, "high": high}}
    for code, display, state in (
        ("SEDIMENTATION", "Sedimentation sign", mass.sedimentation_sign),
        ("BONE_EROSION", "Erosion of bone", mass.bone.eroded),
    ):
        if state is not None:
            yield {"code": _concept(OWN, code, display), "valueBoolean": state}
    bone = dicom_codes.nearest_bone(mass.bone)
    if bone:
        nearest = _concept(OWN, "NEAREST_BONE", "Nearest bone")
        yield {"code": nearest, "valueCodeableConcept": _concept(SNOMED, *bone)}


def _labs(patient: Patient | None, patient_key: str) -> Iterator[Resource]:
    """The latest result of each analyte, then what was derived from them."""
    if patient is None:
        return
    for name, analyte in ANALYTES.items():
        result = patient.latest(name)
        if result is not None:
            yield _lab(result, _lab_code(name, analyte.unit), patient_key)
    calcium, products = patient.latest("calcium"), patient.ca_p_series()
    for name, value, of in (
        ("corrected_calcium", patient.corrected_calcium_mg_dl, calcium),
        ("ca_p_product", patient.ca_p_product_mg2_dl2, products[-1] if products else None),
    ):
        if value is not None and patient.latest(name) is None:
            taken = of.taken if of else None
            derived = LabResult(name, value, taken, patient.comparator(name))
            code = _concept(OWN, name.upper(), f"{ANALYTES[name].label}{DERIVED}")
            yield _lab(derived, code, patient_key)


def _lab_code(name: str, unit: str) -> Resource:
    analyte = ANALYTES[name]
    kind = "moles" if "mol" in unit else "mass"
    codes = [code for code, of in analyte.loinc if of in (kind, "")]
    if codes:
        return _concept(LOINC, codes[0], analyte.label)
    return _concept(OWN, name.upper(), analyte.label)


def _lab(result: LabResult, code: Resource, patient_key: str) -> Resource:
    day = result.day.isoformat() if result.day else None
    quantity = _quantity(result.value, result.unit)
    if result.comparator:
        quantity["comparator"] = result.comparator
    return {
        "resourceType": "Observation",
        "id": str(derived_uuid("lab", patient_key, result.analyte, day or "undated")),
        "status": "final",
        "category": [_concept(f"{_HL7}/observation-category", "laboratory", "Laboratory")],
        "code": code,
        "valueQuantity": quantity,
        **({"effectiveDateTime": day} if day else {"_effectiveDateTime": DATE_UNKNOWN}),
    }
