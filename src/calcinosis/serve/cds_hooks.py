"""CDS Hooks 2.0: one card in the record of a dialysis patient, or none.

The card says "consider tumoral calcinosis" where the record names a soft-tissue mass or
calcification, the patient is on dialysis and calcium × phosphate is above its target. It is made
from what the request brings; nothing is fetched, kept or logged.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from calcinosis.errors import CalcinosisError, InputError
from calcinosis.lab_result import LabResult
from calcinosis.patient import CA_P_TARGET_MG2_DL2, Patient
from calcinosis.read.fhir import codings, patient_of_bundle, words_of
from calcinosis.read.fhir_masses import RecordedMass, recorded_masses
from calcinosis.serve.cds_clients import CdsTrust, UntrustedError

Resource = Mapping[str, Any]
Card = dict[str, Any]

MAX_REQUEST_BYTES = 8_000_000  # a record's worth of JSON; ours is a limit on memory, not of the API
_ABOUT = "/about/tumoral-calcinosis"

# What the calcium × phosphate product is made of: total and corrected calcium, albumin, phosphate.
_LOINC = ("17861-6", "2000-8", "29265-6", "1751-7", "54347-0", "2777-1", "14879-1")
_NEEDED = {"conditions": "Condition", "labs": "Observation"}
_REFERENCE = re.compile(r"(?:^|/)Patient/([^/#?]+)")  # perhaps absolute, perhaps with a version
_PATIENT = "patient={{context.patientId}}"
_PREFETCH = {
    "patient": "Patient/{{context.patientId}}",
    "conditions": f"Condition?{_PATIENT}",
    "procedures": f"Procedure?{_PATIENT}",
    "labs": f"Observation?{_PATIENT}&code={','.join(f'http://loinc.org|{c}' for c in _LOINC)}"
    "&_sort=-date&_count=100",
    "imaging": f"Observation?{_PATIENT}&category=imaging",
}
_OUTCOME = "OperationOutcome"  # what a client sends where its own query failed
_HOOKS = {
    "calcinosis-patient-view": "patient-view",
    "calcinosis-order-select": "order-select",
}

# What an order can do to calcium and phosphate, and what surgery does while they are high.
_RAISES = re.compile(
    r"calcitriol|alfacalcidol|paricalcitol|doxercalciferol|maxacalcitol|falecalcitriol|calcifediol|"
    r"ergocalciferol|cholecalciferol|colecalciferol|vitamin d|calcium (carbonate|acetate|gluconate|"
    r"citrate|chloride|lactate)",
    re.IGNORECASE,
)
_CUTS = re.compile(r"excision|resection|removal of mass|debulking", re.IGNORECASE)
_NEXT_STEP = (
    "CT shows fluid–calcium levels and what bone does; sarcoma and infection are excluded first"
)


class _Context(BaseModel):
    model_config = ConfigDict(extra="allow")
    patientId: str = Field(min_length=1, max_length=200)  # noqa: N815 - the specification's name
    selections: list[str] = []
    draftOrders: dict[str, Any] = {}  # noqa: N815


class HookRequest(BaseModel):
    """What a CDS client posts, as far as it is used here."""

    model_config = ConfigDict(extra="allow")
    hook: Literal["patient-view", "order-select"]
    hookInstance: str = Field(min_length=1, max_length=200)  # noqa: N815
    context: _Context
    prefetch: dict[str, dict[str, Any] | None] = {}


class IncompleteError(CalcinosisError):
    """The request lacks what the answer rests on: HTTP 412."""


def cds_routes(trust: CdsTrust | None = None) -> list[Route]:
    """Discovery, open to all, and one endpoint for each hook.

    Args:
        trust: who may ask, and from which pages; anyone, and none, unless given.
    """
    trust = trust or CdsTrust()

    async def service(request: Request) -> JSONResponse:
        return await _service(request, trust)

    across = Middleware(
        CORSMiddleware,
        allow_origins=trust.origins,
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type"],
    )
    crossed, asked = ([across], ["OPTIONS"]) if trust.origins else ([], [])
    return [
        Route("/cds-services", _discovery, methods=["GET", *asked], middleware=crossed),
        Route("/cds-services/{service}", service, methods=["POST", *asked], middleware=crossed),
    ]


def services() -> dict[str, Any]:
    """What discovery tells: the services and the data each wants beforehand."""
    return {
        "services": [
            {
                "hook": hook,
                "id": service,
                "title": "Calcinosis: masses of dialysis patients",
                "description": (
                    "Says when a dialysis patient's soft-tissue mass or calcification, together "
                    "with a high calcium × phosphate product, may be tumoral calcinosis."
                ),
                "prefetch": _PREFETCH,
            }
            for service, hook in _HOOKS.items()
        ]
    }


def cards(request: HookRequest, link: str) -> list[Card]:
    """The card for this patient, or nothing.

    Args:
        request: as checked by `parse_request`.
        link: absolute URL of the page that explains the card.

    Raises:
        IncompleteError: conditions or laboratory were not sent.
        InputError: resources of another patient, or a laboratory value that cannot be.
    """
    resources = _resources(request)
    bundle = {"resourceType": "Bundle", "entry": [{"resource": r} for r in _used(resources)]}
    patient = patient_of_bundle(bundle, "prefetch")
    product = next(iter(reversed(patient.ca_p_series())), None)
    masses = recorded_masses(resources)
    if (
        not patient.on_dialysis
        or product is None
        or product.value <= CA_P_TARGET_MG2_DL2
        or not masses
        or any(mass.tumoral_calcinosis for mass in masses)
        or _has_died(resources)
    ):
        return []
    warnings = list(_about_orders(request.context))
    return [_card(patient, product, masses, warnings, link)]


def parse_request(body: bytes, hook: str) -> HookRequest:
    """Check a posted body.

    Raises:
        InputError: not JSON, not a CDS Hooks request, or meant for another hook; one line without
            anything the body said of the patient.
    """
    try:
        data = json.loads(body, parse_constant=_refuse)
        request = HookRequest.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"][:2]) or "the request"
        raise InputError(f"{place}: {first['msg'][:1].lower()}{first['msg'][1:]}") from None
    except (ValueError, RecursionError):
        raise InputError("the body is not JSON; expected a CDS Hooks request") from None
    if request.hook != hook:
        raise InputError(f"hook: found {request.hook}, expected {hook}")
    if hook == "order-select" and not (request.context.selections and request.context.draftOrders):
        raise InputError("context: order-select needs selections and draftOrders")
    return request


def _refuse(_constant: str) -> None:
    raise ValueError


async def _discovery(_request: Request) -> JSONResponse:
    return JSONResponse(services())


async def _service(request: Request, trust: CdsTrust) -> JSONResponse:
    hook = _HOOKS.get(request.path_params["service"])
    if hook is None:
        return _error(404, f"no such service; expected one of {', '.join(_HOOKS)}")
    token = request.headers.get("authorization", "")
    try:
        await run_in_threadpool(trust.check, token, request.url.path)
    except UntrustedError as error:
        return _error(401, str(error))
    body = await _body(request)
    if body is None:
        return _error(413, f"the request is larger than {MAX_REQUEST_BYTES} bytes")
    link = (trust.web_url or str(request.base_url).rstrip("/")) + _ABOUT
    try:
        found = await run_in_threadpool(lambda: cards(parse_request(body, hook), link))
    except IncompleteError as error:
        return _error(412, str(error))
    except CalcinosisError as error:
        return _error(400, str(error))
    return JSONResponse({"cards": found})


async def _body(request: Request) -> bytes | None:
    """The body, or None where it is too large; no more than the limit is ever held."""
    held = bytearray()
    async for chunk in request.stream():
        held += chunk
        if len(held) > MAX_REQUEST_BYTES:
            return None
    return bytes(held)


def _error(status: int, line: str) -> JSONResponse:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse({"error": " ".join(line.split())}, status_code=status, headers=headers)


def _resources(request: HookRequest) -> list[Resource]:
    """Every resource that was sent, once, each of this patient."""
    sent = [value for value in request.prefetch.values() if value]
    entries = [
        entry.get("resource") if isinstance(entry, dict) else None
        for value in sent
        if value.get("resourceType") == "Bundle" and isinstance(value.get("entry"), list)
        for entry in value["entry"]
    ]
    found = {
        json.dumps(each, sort_keys=True): each
        for each in (*sent, *entries)
        if isinstance(each, dict) and isinstance(each.get("resourceType"), str)
    }
    resources = [_of_patient(each, request.context.patientId) for each in found.values()]
    kinds = {each["resourceType"] for each in resources}
    failed = {k for k, v in request.prefetch.items() if v and v.get("resourceType") == _OUTCOME}
    for key, kind in _NEEDED.items():
        if kind not in kinds and (key not in request.prefetch or key in failed):
            raise IncompleteError(
                f"prefetch: {key} is missing; expected the answer to {_PREFETCH[key]}, or null "
                "where there is none"
            )
    return resources


def _of_patient(resource: dict[str, Any], patient_id: str) -> Resource:
    """The resource without its reference to the patient, once that is seen to be the right one."""
    stated = None
    if resource["resourceType"] == "Patient":
        stated = resource.get("id")
    elif isinstance(subject := resource.get("subject"), dict):
        named = _REFERENCE.search(str(subject.get("reference") or ""))
        stated = named and named[1]
    if stated is not None and stated != patient_id.rpartition("/")[2]:
        raise InputError(
            f"prefetch: holds a {resource['resourceType']:.40} of another patient than "
            "context.patientId"
        )
    return {name: value for name, value in resource.items() if name != "subject"}


def _used(resources: Sequence[Resource]) -> Iterator[Resource]:
    """What the patient is read from: of the observations only calcium, albumin and phosphate."""
    for resource in resources:
        codes = {code for _, code, _ in codings(resource.get("code"))}
        if resource["resourceType"] != "Observation" or codes & set(_LOINC):
            yield resource


def _has_died(resources: Sequence[Resource]) -> bool:
    return any(
        resource.get("deceasedBoolean") is True or "deceasedDateTime" in resource
        for resource in resources
        if resource["resourceType"] == "Patient"
    )


def _card(
    patient: Patient,
    product: LabResult,
    masses: Sequence[RecordedMass],
    warnings: Sequence[str],
    link: str,
) -> Card:
    lines = [
        f"**Mass**: {_plain(masses[0].words)}" + (f", {masses[0].day}" if masses[0].day else ""),
        _product_line(patient, product),
        _dialysis_line(patient),
        *warnings,
        _NEXT_STEP,
    ]
    return {
        "summary": (
            "Consider tumoral calcinosis: on dialysis, soft-tissue mass or calcification, "
            f"Ca×P {product.value:.0f} mg²/dL²"
        ),
        "detail": "\n".join(f"- {line}" for line in lines),
        "indicator": "warning" if warnings else "info",
        "source": {"label": "Calcinosis (research and teaching)", "url": link},
        "links": [{"label": "What speaks for it, what to do", "url": link, "type": "absolute"}],
    }


def _product_line(patient: Patient, product: LabResult) -> str:
    phosphate = next(r for r in patient.series("phosphate") if r.taken == product.taken)
    calcium = product.value / phosphate.value
    measured = any(abs(r.value - calcium) < 1e-9 for r in patient.series("calcium"))
    return (
        f"**Calcium × phosphate {product.value:.0f} mg²/dL²**, {product.day}: "
        f"{'' if measured else 'corrected '}calcium {calcium:.1f} mg/dL, "
        f"phosphate {phosphate.value:.1f} mg/dL; K/DOQI 2003 asks for "
        f"{CA_P_TARGET_MG2_DL2:.0f} at most"
    )


def _dialysis_line(patient: Patient) -> str:
    kinds = {"dialysis_hd": "haemodialysis", "dialysis_pd": "peritoneal dialysis"}
    since = f" since {patient.dialysis_start}" if patient.dialysis_start else ""
    return f"**Kidneys**: {kinds.get(patient.ckd or '', 'dialysis')}{since}"


def _about_orders(context: _Context) -> Iterator[str]:
    """What the selected orders would do to the product or the mass."""
    entries = context.draftOrders.get("entry")
    for entry in entries if isinstance(entries, list) else []:
        order = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(order, dict):
            continue
        if f"{order.get('resourceType')}/{order.get('id')}" not in context.selections:
            continue
        words = words_of(order.get("medicationCodeableConcept")) or words_of(order.get("code"))
        if found := _RAISES.search(words):
            yield (
                f"**This order**: {found.group().lower()} can raise the product further; calcium "
                "and active vitamin D are withheld while it is high (KDIGO 2017)"
            )
        elif _CUTS.search(words):
            yield (
                "**This order**: masses cut out while the product was high came back "
                "(doi:10.3389/fendo.2023.1249680); lower it first where nerve and vessel can wait"
            )


def _plain(words: str) -> str:
    """Words of the record as plain Markdown text, shortened."""
    bare = " ".join(re.sub(r"[^\w\s.,;:/()×%–-]", " ", words).split())
    return bare if len(bare) <= 100 else bare[:99] + "…"
