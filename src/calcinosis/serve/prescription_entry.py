"""Today's prescription typed into a form, kept as the JSON of `analyze --prescription`.

A field of the form is named as in that file: ``dialysis.hours``; there two binders stand in a list,
and what happened before today is a phase of the history. What no field holds stays as it was.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from calcinosis.errors import InputError
from calcinosis.forecast.given_prescription import (
    GivenPrescription,
    parse_prescription,
    prescription_for,
)
from calcinosis.forecast.scenario import Phase
from calcinosis.patient import Patient
from calcinosis.read.json_file import parsed
from calcinosis.serve.given import LabsKind, read_given, read_given_prescription
from calcinosis.serve.lab_entry import KIDNEYS
from calcinosis.serve.typed_number import typed_number


@dataclass(frozen=True)
class Asked:
    """One field of the form: a number, or one of `choices` (value and label) or `none`."""

    name: str
    label: str
    choices: tuple[tuple[str, str], ...] = ()
    none: str = "none"


_KIND = Asked(
    "dialysis.modality",
    "Kind",
    (("hd", "Haemodialysis"), ("pd", "Peritoneal dialysis")),
    none="as usual",
)
_BINDERS = (
    ("sevelamer", "Sevelamer"),
    ("lanthanum", "Lanthanum"),
    ("sucroferric_oxyhydroxide", "Sucroferric oxyhydroxide (g of iron)"),
    ("ferric_citrate", "Ferric citrate"),
    ("calcium_acetate", "Calcium acetate"),
    ("calcium_carbonate", "Calcium carbonate"),
    ("magnesium_carbonate", "Magnesium carbonate"),
    ("aluminium_hydroxide", "Aluminium hydroxide"),
)
FORM: dict[str, tuple[Asked, ...]] = {
    "Dialysis": (
        _KIND,
        Asked("dialysis.sessions_per_week", "Sessions a week"),
        Asked("dialysis.hours", "Hours a session"),
        Asked("dialysis.dialysate_calcium_mmol_l", "Dialysate calcium, mmol/L"),
        Asked("dialysis.phosphate_clearance_ml_min", "Phosphate clearance, mL/min"),
        Asked("dialysis.ultrafiltration_l", "Ultrafiltration, L (PD: a day)"),
    ),
    "Drugs": (
        Asked("binder.drug", "Phosphate binder", _BINDERS),
        Asked("binder.g_per_day", "Binder, g a day"),
        Asked("second_binder.drug", "Second binder", _BINDERS),
        Asked("second_binder.g_per_day", "Second binder, g a day"),
        Asked(
            "active_vitamin_d_ug_per_week",
            "Calcitriol, µg a week (of alfacalcidol half, of paricalcitol a quarter)",
        ),
        Asked(
            "calcimimetic.drug",
            "Calcimimetic",
            (("cinacalcet", "Cinacalcet"), ("etelcalcetide", "Etelcalcetide")),
        ),
        Asked("calcimimetic.mg_per_day", "Cinacalcet, mg a day"),
        Asked("calcimimetic.mg_per_week", "Etelcalcetide, mg a week"),
        Asked("calcimimetic.relative_dose", "Or its dose relative to trials (1: as much)"),
    ),
    "Body and diet": (
        Asked("dry_weight_kg", "Dry weight, kg"),
        Asked("gfr_ml_min", "Residual filtration, mL/min"),
        Asked("diet.phosphorus_mg_d", "Phosphorus eaten, mg a day"),
        Asked("diet.calcium_mg_d", "Calcium eaten, mg a day"),
    ),
}
_DAYS_AGO, _REMNANT = "parathyroidectomy.days", "parathyroidectomy.remnant_fraction"
PAST = (
    Asked(_DAYS_AGO, "Parathyroidectomy, days ago"),
    Asked(_REMNANT, "Share of the parathyroids left (0 to 1)"),
)
_ASKED = tuple(asked for group in FORM.values() for asked in group)


def prescription_of(form: Mapping[str, str], before: str | None = None) -> str:
    """What a filled form prescribes, as JSON; empty where no field is filled.

    Args:
        form: the fields as they were typed.
        before: what was entered before, as JSON: what no field holds stays.

    Raises:
        InputError: names the field that cannot be used.
    """
    content: dict[str, Any] = {}
    for asked in _ASKED:
        if text := form.get(asked.name, "").strip():
            *above, last = asked.name.split(".")
            place = content.setdefault(above[0], {}) if above else content
            place[last] = text if asked.choices else typed_number(text, asked.label)
    kept = json.loads(before or "{}")
    if binders := _binders(content, kept) if content else []:
        content["binder"] = binders[0] if len(binders) == 1 else binders
    history = _past(form) if _DAYS_AGO in form else kept.get("history")
    if content and history:
        content["history"] = history
    try:
        parse_prescription(content)
    except InputError as error:
        raise InputError(_in_words_of_the_form(str(error))) from None
    return json.dumps(content) if content else ""


def _binders(content: dict[str, Any], kept: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Those of the form, taken out of its content, and of what was kept those beyond the second."""
    typed = [content.pop(place) for place in ("binder", "second_binder") if place in content]
    drugs = {binder.get("drug") for binder in typed}
    return typed + [binder for binder in _further(kept) if binder["drug"] not in drugs]


def _further(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The binders for which the form has no field."""
    binders = content.get("binder")
    return binders[2:] if isinstance(binders, list) else []


def _past(form: Mapping[str, str]) -> list[dict[str, Any]]:
    """An operation before today, as the phases of a history."""
    if not any(form.get(asked.name, "").strip() for asked in PAST):
        return []
    days, remnant = (typed_number(form.get(asked.name, ""), asked.label) for asked in PAST)
    return [{"days": days, "event": {"parathyroidectomy": {"remnant_fraction": remnant}}}]


def prescription_in_file(text: str) -> str:
    """What a file of `analyze --prescription` prescribes, as JSON.

    Raises:
        NotReadableError: it is no JSON.
        InputError: names the field that cannot be used.
    """
    content = parsed(text, "prescription")
    parse_prescription(content)
    return json.dumps(content)


def history_lines(prescription: str | None) -> list[str]:
    """The phases before today that the form has no fields for, a line each."""
    given = read_given_prescription(prescription)
    if given is None or _past_fields(json.loads(prescription or "{}")) is not None:
        return []
    return [
        f"{phase.days:g} days" + (f": {told}" if (told := _told(phase)) else "")
        for phase in given.history
    ]


def form_of(prescription: str | None) -> dict[str, tuple[Asked, ...]]:
    """The groups of fields; the past is asked for where the form has fields for it."""
    past = _past_fields(json.loads(prescription or "{}"))
    return FORM if past is None else {**FORM, "Before today": PAST}


def further_binders(prescription: str | None) -> list[str]:
    """The binders that the form has no fields for, in words."""
    names = dict(_BINDERS)
    return [
        f"{names[binder['drug']]} {binder['g_per_day']:g} g a day"
        for binder in _further(json.loads(prescription or "{}"))
    ]


def _past_fields(content: Mapping[str, Any]) -> dict[str, str] | None:
    """The history as the form has it; None where it has no fields for it."""
    match content.get("history") or []:
        case []:
            return {}
        case [{"days": days, "event": {"parathyroidectomy": {**removed}, **more}, **others}]:
            if not more and not others:
                return {
                    _DAYS_AGO: _as_typed(days),
                    _REMNANT: _as_typed(removed["remnant_fraction"]),
                }
    return None


def _told(phase: Phase) -> str:
    events = phase.event.model_fields_set if phase.event else ()
    return phase.name or ", ".join(sorted(events)).replace("_", " ")


def check_given(labs: str | None, kind: LabsKind | None, prescription: str | None) -> None:
    """Refuse laboratory and prescription that cannot be used, or contradict each other.

    Raises:
        InputError: names the row or field.
    """
    patient = read_given(labs, kind).patient if labs and kind else None
    given = read_given_prescription(prescription)
    if patient and given:
        try:
            prescription_for(patient, given)
        except InputError as error:
            raise InputError(_contradiction(error, given, patient)) from None


def filled_fields(prescription: str | None) -> dict[str, str]:
    """The fields of the form as they were filled."""
    content = json.loads(prescription or "{}")
    past = _past_fields(content) or {}
    content.pop("history", None)
    if isinstance(content.get("binder"), list):
        content |= dict(zip(("binder", "second_binder"), content["binder"], strict=False))
    return dict(_fields(content)) | past


def _fields(content: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in content.items():
        if value is None or isinstance(value, list):
            continue  # a file may hold what the form does not
        if isinstance(value, dict):
            yield from _fields(value, f"{name}.")
        else:
            yield above + name, _as_typed(value)


def _as_typed(value: Any) -> str:  # noqa: ANN401  # JSON
    return value if isinstance(value, str) else f"{value:g}"


def _contradiction(error: InputError, given: GivenPrescription, patient: Patient) -> str:
    """The two fields that do not go together, whichever of them was entered last."""
    kidneys, *_ = KIDNEYS.get(patient.ckd or "", ("dialysis",))
    if given.dialysis and "modality" not in given.dialysis.model_fields_set:
        told = f"{_KIND.label} is {_KIND.none}, and Kidneys is {kidneys}"
        return f"{_in_words_of_the_form(str(error))}: {told}"
    chosen = dict(_KIND.choices)[given.dialysis.modality] if given.dialysis else "none"
    return (
        f"Dialysis, {_KIND.label}: found {chosen} in today's prescription, "
        f"but {kidneys} under Kidneys; expected the same in both"
    )


def _in_words_of_the_form(error: str) -> str:
    """An error with the label of its field, where it has one."""
    for number, place in enumerate(("binder", "second_binder")):
        error = error.replace(f"prescription: binder.{number}.", f"prescription: {place}.")
    error = error.replace("prescription: calcimimetic: ", "Calcimimetic: ")
    for asked in (*_ASKED, *PAST):
        place = f"history.0.event.{_REMNANT}" if asked.name == _REMNANT else asked.name
        place = "history.0.days" if asked.name == _DAYS_AGO else place
        error = error.replace(f"prescription: {place}: ", f"{asked.label}: ")
    return error
