"""The record's card: for the dialysis patient with a mass and a high product, and nobody else."""

import copy
import json
from pathlib import Path
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from starlette.applications import Starlette
from starlette.testclient import TestClient

from calcinosis.serve import cds_hooks

SCHEMA = json.loads(Path(__file__).with_name("cds_schema.json").read_text())
LOINC, SNOMED, UCUM = "http://loinc.org", "http://snomed.info/sct", "http://unitsofmeasure.org"
VIEW, SELECT = "calcinosis-patient-view", "calcinosis-order-select"
PLANTED = "Rosalind-Planted"


def conforms(part, data):
    Draft202012Validator({"$ref": f"#/$defs/{part}", "$defs": SCHEMA["$defs"]}).validate(data)


def of_patient(resource, patient="P1"):
    return {**resource, "subject": {"reference": f"Patient/{patient}"}}


def lab(code, value, unit, day="2024-10-05"):
    return of_patient(
        {
            "resourceType": "Observation",
            "status": "final",
            "code": {"coding": [{"system": LOINC, "code": code}]},
            "effectiveDateTime": day,
            "valueQuantity": {"value": value, "code": unit, "system": UCUM},
        }
    )


def condition(text, code="x", **more):
    concept = {"coding": [{"system": SNOMED, "code": code}], "text": text}
    return of_patient({"resourceType": "Condition", "code": concept, **more})


def searchset(*resources):
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": r} for r in resources],
    }


DIALYSIS = of_patient(
    {
        "resourceType": "Procedure",
        "status": "completed",
        "code": {"coding": [{"system": SNOMED, "code": "302497006", "display": "Hemodialysis"}]},
        "performedPeriod": {"start": "2019-03-01"},
    }
)
MASS = condition("Mass of soft tissue of left hip", "444905003", onsetDateTime="2024-08-12")
HIGH = (lab("17861-6", 9.6, "mg/dL"), lab("2777-1", 7.4, "mg/dL"))
PERSON = {
    "resourceType": "Patient",
    "id": "P1",
    "name": [{"family": PLANTED}],
    "gender": "female",
    "birthDate": "1964-01-02",
}


def view(conditions=(MASS,), procedures=(DIALYSIS,), labs=HIGH, **prefetch):
    return {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/7", "patientId": "P1"},
        "prefetch": {
            "patient": PERSON,
            "conditions": searchset(*conditions),
            "procedures": searchset(*procedures),
            "labs": searchset(*labs),
            "imaging": None,
            **prefetch,
        },
    }


def select(words, kind="MedicationRequest", selected=True):
    concept = {"text": words}
    named = "medicationCodeableConcept" if kind == "MedicationRequest" else "code"
    order = of_patient({"resourceType": kind, "id": "17", "status": "draft", named: concept})
    context = {
        "userId": "Practitioner/7",
        "patientId": "P1",
        "selections": [f"{kind}/17" if selected else "ServiceRequest/other"],
        "draftOrders": {"resourceType": "Bundle", "entry": [{"resource": order}]},
    }
    return {**view(), "hook": "order-select", "context": context}


@pytest.fixture(scope="module")
def client():
    with TestClient(Starlette(routes=cds_hooks.cds_routes())) as opened:
        yield opened


def answer(client, request, service=VIEW):
    response = client.post(f"/cds-services/{service}", json=request)
    assert response.status_code == 200, response.text
    conforms("response", response.json())
    return response.json()["cards"]


def refusal(client, request, service=VIEW):
    response = client.post(f"/cds-services/{service}", json=request)
    line = response.json()["error"]
    assert line
    assert "\n" not in line
    return response.status_code, line


def test_discovery_offers_both_hooks_and_follows_the_specification(client):
    found = client.get("/cds-services").json()
    conforms("discovery", found)
    assert [service["hook"] for service in found["services"]] == ["patient-view", "order-select"]


def test_dialysis_mass_and_high_product_give_one_card_with_values_and_dates(client):
    (card,) = answer(client, view())
    assert card["summary"].startswith("Consider tumoral calcinosis")
    assert card["indicator"] == "info"
    for evidence in (
        "left hip, 2024-08-12",
        "71 mg²/dL²",
        "2024-10-05",
        "calcium 9.6 mg/dL",
        "phosphate 7.4 mg/dL",
        "haemodialysis since 2019-03-01",
    ):
        assert evidence in card["detail"]
    assert card["links"][0]["url"] == "http://testserver/about/tumoral-calcinosis"
    assert PLANTED not in json.dumps(card)


def test_calcium_is_corrected_for_albumin_and_si_units_are_understood(client):
    labs = (
        lab("2000-8", 2.3, "mmol/L"),
        lab("14879-1", 2.1, "mmol/L"),
        lab("1751-7", 2.5, "g/dL"),
    )
    (card,) = answer(client, view(labs=labs))
    assert "corrected calcium 10.4 mg/dL" in card["detail"]
    assert answer(client, view(labs=labs[:2]))[0]["summary"].endswith("60 mg²/dL²")


def test_the_latest_product_decides(client):
    better = (lab("17861-6", 9.2, "mg/dL", "2024-11-02"), lab("2777-1", 4.4, "mg/dL", "2024-11-02"))
    assert answer(client, view(labs=(*HIGH, *better))) == []


@pytest.mark.parametrize(
    "request_",
    [
        view(conditions=()),
        view(procedures=()),
        view(labs=()),
        view(labs=HIGH[1:]),
        view(labs=(lab("17861-6", 9.0, "mg/dL"), lab("2777-1", 6.0, "mg/dL"))),
        view(conditions=(condition("Tumoral calcinosis of hip"), MASS)),
        view(conditions=(condition("Soft tissue mass", clinicalStatus={"coding": [
            {"code": "resolved"}]}),)),
        view(conditions=(condition("Soft tissue mass", verificationStatus={"coding": [
            {"code": "refuted"}]}),)),
        view(patient={**PERSON, "deceasedBoolean": True}),
        view(conditions=(), labs=(), patient=None, procedures=()),
    ],
    ids=[
        "no mass", "no dialysis", "no labs", "no calcium", "product 54", "already known",
        "mass resolved", "mass refuted", "has died", "nothing at all",
    ],
)  # fmt: skip
def test_otherwise_it_is_silent(client, request_):
    assert answer(client, request_) == []


@pytest.mark.parametrize(
    "words",
    [
        "Calcification of coronary artery",
        "Aortic valve calcification",
        "Vascular calcification",
        "Nephrocalcinosis",
        "Breast calcification",
        "Chondrocalcinosis of knee",
        "Loss of muscle mass of leg",
        "Malignant tumour of soft tissue of thigh",
        "Leg swelling",
        "Abdominal mass",
        "Calciphylaxis",
    ],
)
def test_calcium_and_lumps_elsewhere_are_not_meant(client, words):
    assert answer(client, view(conditions=(condition(words),))) == []


@pytest.mark.parametrize(
    "words",
    [
        "Calcified mass, right shoulder",
        "Calcinosis",
        "Soft-tissue calcification",
        "Lump on elbow",
        "Periarticular mass",
        "Calcific bursitis of hip",
    ],
)
def test_masses_and_calcifications_are_known_by_name(client, words):
    assert words.split(",")[0] in answer(client, view(conditions=(condition(words),)))[0]["detail"]


def test_a_mass_may_stand_in_an_imaging_observation_and_not_where_it_says_absent(client):
    seen = of_patient(
        {
            "resourceType": "Observation",
            "status": "final",
            "code": {"text": "Calcified soft-tissue mass"},
            "bodySite": {"text": "left hip"},
        }
    )
    assert len(answer(client, view(conditions=(), imaging=searchset(seen)))) == 1
    absent = {**seen, "valueBoolean": False}
    assert answer(client, view(conditions=(), imaging=searchset(absent))) == []


@pytest.mark.parametrize("words", ["Calcitriol 0.5 µg", "Calcium carbonate 500 mg tablets"])
def test_an_order_that_raises_calcium_is_warned_of(client, words):
    (card,) = answer(client, select(words), SELECT)
    assert card["indicator"] == "warning"
    assert "can raise the product" in card["detail"]


def test_an_excision_and_an_indifferent_order(client):
    (cut,) = answer(client, select("Excision of mass of hip", "ServiceRequest"), SELECT)
    (other,) = answer(client, select("Sevelamer 800 mg"), SELECT)
    (beside,) = answer(client, select("Calcitriol", selected=False), SELECT)
    assert "came back" in cut["detail"]
    assert (other["indicator"], beside["indicator"]) == ("info", "info")


def test_what_the_record_says_cannot_become_markup(client):
    hostile = condition("Soft tissue mass [click](http://evil.example) <script>x</script> **" * 9)
    (card,) = answer(client, view(conditions=(hostile,)))
    first = card["detail"].splitlines()[0]
    assert not set("[]<>") & set(first)
    assert first.count("**") == 2
    assert len(first) < 130


@pytest.mark.parametrize("key", ["conditions", "labs"])
def test_data_not_sent_is_412_and_data_that_do_not_exist_are_silence(client, key):
    lacking = view()
    del lacking["prefetch"][key]
    status, line = refusal(client, lacking)
    assert status == 412
    assert key in line
    lacking["prefetch"][key] = {"resourceType": "OperationOutcome", "issue": []}
    assert refusal(client, lacking)[0] == 412
    lacking["prefetch"][key] = None
    assert answer(client, lacking) == []


def without(field):
    request = view()
    del request[field]
    return request


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"hook": NaN}', "not JSON"),
        (b"[]", "the request"),
        (json.dumps(without("hook")).encode(), "hook"),
        (json.dumps(without("context")).encode(), "context"),
        (json.dumps({**view(), "hook": "order-select"}).encode(), "expected patient-view"),
        (json.dumps({**view(), "prefetch": [1]}).encode(), "prefetch"),
        (json.dumps(view(labs=(lab("2777-1", 7, None),))).encode(), "no unit"),
        (json.dumps(view(labs=(lab("2777-1", 700, "mg/dL"),))).encode(), "impossible"),
    ],
)
def test_a_bad_request_is_400_with_one_line(client, body, said):
    response = client.post(f"/cds-services/{VIEW}", content=body)
    assert response.status_code == 400
    assert said in response.json()["error"]
    assert "\n" not in response.json()["error"]


@pytest.mark.parametrize(
    "reference",
    ["Patient/P2", "https://record.test/fhir/Patient/P2", "Patient/P2/_history/1"],
)
def test_another_patients_data_are_refused(client, reference):
    foreign = copy.deepcopy(MASS)
    foreign["subject"]["reference"] = reference
    status, line = refusal(client, view(conditions=(foreign,)))
    assert status == 400
    assert "another patient" in line


def test_other_answers_are_clear_too(client):
    assert client.post("/cds-services/unknown", json=view()).status_code == 404
    assert client.get(f"/cds-services/{VIEW}").status_code == 405
    large = b" " * (cds_hooks.MAX_REQUEST_BYTES + 1)
    assert client.post(f"/cds-services/{VIEW}", content=large).status_code == 413
    bare = select("Calcitriol")
    bare["context"].pop("selections")
    assert refusal(client, bare, SELECT)[0] == 400


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["resourceType", "entry", "resource", "code", "coding", "subject", "id"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def places(value, path=()):
    yield path
    for key, inner in (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    ):
        yield from places(inner, (*path, key))


@settings(max_examples=40)
@given(st.data(), values)
def test_whatever_one_field_holds_the_answer_is_cards_or_one_line(client, data, value):
    request = json.loads(json.dumps(view()))
    *way, last = data.draw(st.sampled_from([place for place in places(request) if place]))
    holder = request
    for key in way:
        holder = holder[key]
    holder[last] = value
    response = client.post(f"/cds-services/{VIEW}", content=json.dumps(request))
    assert response.status_code in {200, 400, 412}
    if response.status_code == 200:
        conforms("response", response.json())
    assert PLANTED not in response.text


def test_a_long_record_is_answered_within_the_half_second_a_client_waits(client):
    days = [f"20{year:02d}-{month:02d}-03" for year in range(20, 26) for month in range(1, 13)]
    labs = [
        lab(code, value, "mg/dL", day)
        for day in days
        for code, value in (("17861-6", 9.6), ("2777-1", 7.4))
    ]
    request = view(labs=labs, conditions=[MASS, *[condition(f"Finding {n}") for n in range(300)]])
    began = perf_counter()
    assert len(answer(client, request)) == 1
    assert perf_counter() - began < 0.5
