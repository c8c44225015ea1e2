"""From phases and events to what holds in each: nothing left open.

What the user leaves out follows the typical haemodialysis patient, and `assumptions` says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from calcinosis.errors import InputError
from calcinosis.forecast.parameters import REFERENCE_WEIGHT_KG
from calcinosis.forecast.scenario import (
    Binder,
    Calcimimetic,
    Diet,
    Event,
    Haemodialysis,
    PeritonealDialysis,
    Phase,
    ScenarioPatient,
    Treatment,
)

CALCIUM_SHARE = {"calcium_acetate": 0.253, "calcium_carbonate": 0.400}  # by formula weight
# Below each filtration (mL/min), dietary phosphorus and calcium (mg/d) of 70 kg; by weight.
# Kidney patients eat less protein, and with it less phosphorus and calcium; assumed.
DIALYSIS_PHOSPHORUS_MG_D = 1000.0
TYPICAL_DIET_MG_D = (
    (30.0, DIALYSIS_PHOSPHORUS_MG_D, 800.0),
    (60.0, 1050.0, 1000.0),
    (1e9, 1200.0, 1000.0),
)
TYPICAL_GFR_ML_MIN = 1.0
DIALYSIS_BELOW_GFR_ML_MIN = 15.0  # without a word on dialysis, it is assumed below this
# Own kidneys that filter so much need none: early starts are at 10 to 14 (doi:10.1056/
# NEJMoa1000552), so twice that is a slip: ours.
NO_DIALYSIS_FROM_GFR_ML_MIN = 30.0


@dataclass(frozen=True)
class Prescription:
    """Everything that holds during one phase, nothing left open."""

    days: int
    name: str
    dialysis: Haemodialysis | PeritonealDialysis | None
    binders: tuple[Binder, ...]
    vitamin_d_ug_per_week: float
    calcimimetic: Calcimimetic | None
    postoperative_care: bool
    diet_p_mg_d: float
    diet_ca_mg_d: float
    gfr_ml_min: float
    remnant_fraction: float = 1.0
    graft_day: int | None = None  # days since transplantation at the start of the phase
    graft_gfr_ml_min: float = 0.0

    def treatment(self) -> Treatment:
        """Dialysis and drugs, as a phase would name them."""
        return Treatment(
            dialysis=self.dialysis,
            binder=self.binders or None,
            active_vitamin_d_ug_per_week=self.vitamin_d_ug_per_week,
            calcimimetic=self.calcimimetic,
        )


def typical(patient: ScenarioPatient) -> Prescription:
    """What is assumed before the first phase says otherwise."""
    gfr = TYPICAL_GFR_ML_MIN if patient.gfr_ml_min is None else patient.gfr_ml_min
    dialysed = gfr < DIALYSIS_BELOW_GFR_ML_MIN
    size = patient.dry_weight_kg / REFERENCE_WEIGHT_KG
    diet_p, diet_ca = next((p, ca) for below, p, ca in TYPICAL_DIET_MG_D if gfr < below)
    open_start = Prescription(
        days=0,
        name="",
        dialysis=Haemodialysis() if dialysed else None,
        binders=(),
        vitamin_d_ug_per_week=0.0,
        calcimimetic=None,
        postoperative_care=False,
        diet_p_mg_d=diet_p * size,
        diet_ca_mg_d=diet_ca * size,
        gfr_ml_min=gfr,
    )
    return _eating(open_start, patient.diet)


def _eating(before: Prescription, diet: Diet | None) -> Prescription:
    if diet is None:
        return before
    p, ca = diet.phosphorus_mg_d, diet.calcium_mg_d
    return replace(
        before,
        diet_p_mg_d=before.diet_p_mg_d if p is None else p,
        diet_ca_mg_d=before.diet_ca_mg_d if ca is None else ca,
    )


def prescribe(before: Prescription, phases: Sequence[Phase]) -> list[Prescription]:
    """Resolve each phase against the one before: absent means unchanged, ``null`` means none."""
    resolved = []
    for phase in phases:
        before = _next(before, phase)
        resolved.append(before)
    return resolved


def _next(before: Prescription, phase: Phase) -> Prescription:
    graft_day = None if before.graft_day is None else before.graft_day + before.days
    now = replace(before, days=round(phase.days), name=phase.name, graft_day=graft_day)
    event = phase.event or Event()
    if event.graft_failure is not None:
        now = _without_graft(now, event.graft_failure.gfr_ml_min)
    if event.transplantation is not None:
        # a working graft ends what dialysis needed, unless the phase says otherwise
        now = replace(
            now,
            graft_day=0,
            graft_gfr_ml_min=event.transplantation.graft_gfr_ml_min,
            dialysis=None,
            binders=(),
            vitamin_d_ug_per_week=0.0,
            calcimimetic=None,
        )
    if event.parathyroidectomy is not None:
        left = before.remnant_fraction * event.parathyroidectomy.remnant_fraction
        now = replace(now, remnant_fraction=left, postoperative_care=True)
    said = phase.model_fields_set
    if "dialysis" in said:
        now = replace(now, dialysis=phase.dialysis)
    if "binder" in said:
        now = replace(now, binders=phase.binders)
        if any(one.drug in CALCIUM_SHARE and one.g_per_day > 0 for one in phase.binders):
            now = replace(now, postoperative_care=False)  # the user gives the salts
    if "active_vitamin_d_ug_per_week" in said:
        now = replace(now, vitamin_d_ug_per_week=phase.active_vitamin_d_ug_per_week or 0.0)
    if "calcimimetic" in said:
        now = replace(now, calcimimetic=phase.calcimimetic)
    if "postoperative_care" in said:
        now = replace(now, postoperative_care=phase.postoperative_care is not None)
    return _eating(now, phase.diet)


def goes_on(before: Prescription, now: Prescription) -> bool:
    """Whether a phase treats the patient as the one before it did."""
    graft_day = None if before.graft_day is None else before.graft_day + before.days
    return now == replace(before, days=now.days, name=now.name, graft_day=graft_day)


def _without_graft(before: Prescription, gfr_ml_min: float) -> Prescription:
    """After the graft failed: dialysed again where that is usual."""
    dialysis = Haemodialysis() if gfr_ml_min < DIALYSIS_BELOW_GFR_ML_MIN else None
    return replace(before, graft_day=None, gfr_ml_min=gfr_ml_min, dialysis=dialysis)


class Filtration(NamedTuple):
    """What own kidneys filter (mL/min), and a graft that works; None without one."""

    own_ml_min: float
    graft_ml_min: float | None = None


def check_kidneys(phases: Sequence[Phase], where: str, before: Filtration) -> Filtration:
    """Refuse what contradicts the kidneys: dialysis beside good ones, the failure of no graft.

    Args:
        phases: one after the other.
        where: the field that holds them.
        before: what filters before them.

    Returns:
        What filters at the end.
    """
    own, graft = before
    for number, phase in enumerate(phases):
        event = phase.event or Event()
        if event.graft_failure is not None and (graft is None or event.transplantation):
            raise InputError(
                f"{where}.{number}.event.graft_failure: found no graft that could fail; expected "
                "a transplantation in an earlier phase or in patient.history"
            )
        if event.graft_failure is not None:
            own, graft = event.graft_failure.gfr_ml_min, None
        if event.transplantation is not None:  # it may need dialysis at first
            graft = event.transplantation.graft_gfr_ml_min
        elif phase.dialysis and graft is not None and graft >= DIALYSIS_BELOW_GFR_ML_MIN:
            raise InputError(
                f"{where}.{number}.dialysis: found while a graft filters {graft:g} mL/min; "
                "expected the event graft_failure, or no dialysis"
            )
        elif phase.dialysis and graft is None and own >= NO_DIALYSIS_FROM_GFR_ML_MIN:
            raise InputError(
                f"{where}.{number}.dialysis: found while own kidneys filter {own:g} mL/min; "
                f"expected gfr_ml_min below {NO_DIALYSIS_FROM_GFR_ML_MIN:g}, or no dialysis"
            )
    return Filtration(own, graft)


def before_day_0(patient: ScenarioPatient, first: Phase) -> list[Prescription]:
    """What the patient was on until today: the stated history, else the first phase less its event.

    A history that begins with an event has before it what that phase is without the event.
    """
    start = typical(patient)
    if not patient.history:
        return [_long_before(start, first)]
    history = prescribe(start, patient.history)
    earliest = patient.history[0]
    if earliest.event is None:
        return history
    return [replace(_long_before(start, earliest), days=0), *history]


def _long_before(start: Prescription, first: Phase) -> Prescription:
    """What was given before a phase began: the same, but for its event and the care after it.

    A transplantation says nothing of the dialysis before it: then the typical.
    """
    if first.event is None:
        return _next(start, first)
    if first.event.transplantation is not None:
        return start
    return _next(start, first.model_copy(update={"event": None, "postoperative_care": None}))
