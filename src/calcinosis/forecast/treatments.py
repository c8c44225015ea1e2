"""From prescriptions to a timeline of constant controls."""

from collections.abc import Sequence
from math import ceil, exp, log, log1p
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calcinosis.forecast.dialysis import (
    DIURESIS_H,
    Exchange,
    exchange,
    fluid_gain_l_h,
    is_session_day,
)
from calcinosis.forecast.model import LEAST_GFR, working_tissue
from calcinosis.forecast.parameters import CA_MG_PER_MMOL, P_MG_PER_MMOL, Parameters
from calcinosis.forecast.prescription import CALCIUM_SHARE, Prescription
from calcinosis.forecast.scenario import Binder, Haemodialysis, PeritonealDialysis
from calcinosis.forecast.states import Array, Controls

# Phosphorus bound per gram at saturation (mg). Sevelamer binds 0.75 of what calcium salts bind
# (Phosphate Binder Equivalent Dose, Daugirdas 2011). 4.9 g of it lower phosphate by 2.0 (1.5 to
# 2.5) mg/dL (84 patients, prescribing information), 2.4 g bind 60 mg of a meal's 282 (Martin 2011).
# Lanthanum: between that review's 2.0 x calcium carbonate (90) and the 227 of Martin 2011; at 3 g/d
# it must lower urine phosphate by 236-468 mg/d (Ren Fail 34:263).
# Aluminium hydroxide 1.5 and heavy magnesium carbonate 1.3 times calcium carbonate, that review.
# Sucroferric oxyhydroxide, per gram of iron, from three trials against sevelamer (what each arm
# would need here for its fall of phosphate): 123 (doi:10.1038/ki.2014.58), 158
# (doi:10.1159/000531869), 149 (doi:10.1111/nep.12891). Ferric citrate: between 97 (1.5 and 3 g
# against placebo, doi:10.1159/000344008) and 37 (6 and 8 g, doi:10.1053/j.ajkd.2012.11.041).
BOUND_MG_PER_G = {
    "sevelamer": 34.0,
    "lanthanum": 165.0,
    "sucroferric_oxyhydroxide": 145.0,
    "ferric_citrate": 60.0,
    "calcium_acetate": 45.0,
    "calcium_carbonate": 45.0,
    "magnesium_carbonate": 59.0,
    "aluminium_hydroxide": 68.0,
}
# Usual care after parathyroidectomy, where calcium is so low that all of it is given
# (`model.need_of_calcium`): elemental calcium that 42 dialysis patients needed in the first week
# (PMID 18758187), here between meals, and half the calcitriol allowed by KDOQI 2003, guideline 14.
# What a patient takes of it differs: `care_taken` of parameters.yaml.
CARE_CALCIUM_G_D = 3.2
CARE_VITAMIN_D_UG_PER_WEEK = 7.0
HEALTHY_GFR_ML_MIN = 100.0  # per 1.73 m2, as laboratories state it
SETTLED_GRAFT = 1e-6  # of its change is still to come: from then on its weeks are alike


class Timeline(NamedTuple):
    """Stretches of constant control, one after the other.

    Attributes:
        hours: length of each, [k].
        controls: [k, fields of `Controls`]; the ultrafiltration column holds the rate (1/h) at
            which fluid excess is shed, 0 for none: the volume is known only on the way; that of
            the gland the share left in place: how it works differs between patients.
        day: start of each in days from day 0, [k].
        session: whether a session starts there, [k].
        phase: index of its phase, [k].
        repeats: where a week begins that repeats the one before: its number of stretches; else 0.
    """

    hours: Array
    controls: Array
    day: Array
    session: NDArray[np.bool_]
    phase: NDArray[np.int64]
    repeats: NDArray[np.int64]


def bound_mg(binders: Sequence[Binder]) -> float:
    """Phosphorus (mg a day) that binders hold at saturation, together."""
    return sum(BOUND_MG_PER_G[binder.drug] * binder.g_per_day for binder in binders)


def gland_tissue(prescription: Prescription, p: Parameters) -> float:
    """Working parathyroid tissue of a patient on this prescription; see `model.working_tissue`."""
    return float(working_tissue(prescription.remnant_fraction, p))


def timeline(
    prescriptions: Sequence[Prescription],
    p: Parameters,
    *,
    start_day: int = 0,
    detail_h: float | None = None,
) -> Timeline:
    """Lay prescriptions out on the calendar.

    Args:
        prescriptions: one after the other.
        p: whose dialyser and graft parameters apply.
        start_day: calendar day (0 = Wednesday) of the first.
        detail_h: longest stretch within a session, for the curve within.
    """
    lived: list[tuple[_Day, int, int]] = []  # kind of day, calendar day, phase
    day = start_day
    for phase, prescription in enumerate(prescriptions):
        kinds: dict[tuple[bool, int], _Day] = {}
        changes = _days_of_change(prescription, p)
        for since in range(prescription.days):
            kind = _is_session_day(prescription, day), min(since, changes)
            if kind not in kinds:
                kinds[kind] = _day(prescription, p, *kind, detail_h)
            lived.append((kinds[kind], day, phase))
            day += 1
    hours, controls, clock, sessions = (
        np.concatenate([kind[i] for kind, _, _ in lived]) for i in range(4)
    )
    lengths = [len(kind.hours) for kind, _, _ in lived]
    days = np.repeat([float(day) for _, day, _ in lived], lengths) + clock / 24.0
    phases = np.repeat([phase for _, _, phase in lived], lengths)
    repeats = repeated_weeks(hours, controls, days, phases)
    return Timeline(hours, controls, days, sessions, phases, repeats)


def _days_of_change(prescription: Prescription, p: Parameters) -> int:
    """On how many days of a phase controls still change: a young graft's do daily."""
    if prescription.graft_day is None:
        return 0
    return max(0, ceil(-log(SETTLED_GRAFT) * p.graft_onset_days) - prescription.graft_day)


def repeated_weeks(
    hours: Array, controls: Array, day: Array, phase: NDArray[np.int64]
) -> NDArray[np.int64]:
    """`Timeline.repeats`; weeks are counted from the first day of each phase."""
    found = np.zeros(len(hours), dtype=np.int64)
    begins = np.searchsorted(phase, phase)  # first row of each row's phase
    week = (day - day[begins]) // 7
    starts = np.flatnonzero(np.diff(phase * 1e6 + week, prepend=-1.0))
    for before, here, after in zip(starts, starts[1:], [*starts[2:], len(hours)], strict=False):
        same = here - before == after - here and phase[before] == phase[here]
        earlier, later = slice(before, here), slice(here, after)
        if same and np.array_equal(hours[earlier], hours[later]):
            found[here] = (after - here) * np.array_equal(controls[earlier], controls[later])
    return found


class _Day(NamedTuple):
    """Stretches of a day: length (h), controls, start (h after 08:00), whether a session starts."""

    hours: Array
    controls: Array
    start: Array
    session: NDArray[np.bool_]


def _is_session_day(prescription: Prescription, day: int) -> bool:
    dialysis = prescription.dialysis
    return isinstance(dialysis, Haemodialysis) and is_session_day(day, dialysis.sessions_per_week)


def _day(
    prescription: Prescription,
    p: Parameters,
    session: bool,
    since: int,
    detail_h: float | None,
) -> _Day:
    idle = _controls(prescription, p, since)
    dialysis = prescription.dialysis
    edges, controls = [0.0, 24.0], [idle]
    if dialysis is None:
        controls = [idle._replace(ultrafiltration=1.0 / DIURESIS_H)]
    elif isinstance(dialysis, PeritonealDialysis):
        controls = [_working(idle, exchange(dialysis, p), 1.0 / DIURESIS_H)]
    elif session:
        edges = session_edges(dialysis.hours, detail_h)
        works = exchange(dialysis, p)
        controls = [_working(idle, works, 1.0 / (dialysis.hours - start)) for start in edges[:-1]]
        controls.append(idle)
        edges.append(24.0)
    starts = np.array([session and start == 0.0 for start in edges[:-1]])
    return _Day(np.diff(edges), np.array(controls), np.array(edges[:-1]), starts)


def session_edges(hours: float, detail_h: float | None = None) -> list[float]:
    """Where the stretches of a session begin and end, in hours; one stretch without detail."""
    fine = np.arange(0.0, hours, detail_h).tolist() if detail_h else [0.0]
    return sorted({*fine, hours})


def _working(idle: Controls, works: Exchange, shed_rate: float) -> Controls:
    return idle._replace(
        p_clearance=works.p_clearance,
        ca_dialysance=works.ca_dialysance,
        dialysate_ca=works.dialysate_ca,
        ultrafiltration=shed_rate,
    )


def _controls(prescription: Prescription, p: Parameters, since: int) -> Controls:
    mimetic, shift = prescription.calcimimetic, 0.0
    care = float(prescription.postoperative_care)
    salt_calcium_g = sum(
        CALCIUM_SHARE.get(one.drug, 0.0) * one.g_per_day for one in prescription.binders
    )
    if mimetic is not None:
        shifts = {"etelcalcetide": p.etelcalcetide_shift, "cinacalcet": p.cinacalcet_shift}
        shift = shifts[mimetic.drug] * mimetic.strength
    gfr = prescription.gfr_ml_min
    if prescription.graft_day is not None:
        days = prescription.graft_day + since + 0.5
        gfr += (prescription.graft_gfr_ml_min - gfr) * (1.0 - exp(-days / p.graft_onset_days))
    return Controls(
        gfr=gfr / HEALTHY_GFR_ML_MIN * p.gfr_ref,
        ln_gfr=log(max(gfr / HEALTHY_GFR_ML_MIN, LEAST_GFR)),
        diet_ca=prescription.diet_ca_mg_d / CA_MG_PER_MMOL / 24.0,
        diet_p=prescription.diet_p_mg_d / P_MG_PER_MMOL / 24.0,
        binder_capacity=bound_mg(prescription.binders) / P_MG_PER_MMOL / 24.0,
        binder_ca=1000.0 * salt_calcium_g / CA_MG_PER_MMOL / 24.0,
        drug_calcitriol=p.calcitriol_per_dose * prescription.vitamin_d_ug_per_week,
        ln_receptor_shift=log1p(shift),
        p_clearance=0.0,
        ca_dialysance=0.0,
        dialysate_ca=0.0,
        ultrafiltration=0.0,
        fluid_gain=fluid_gain_l_h(prescription.dialysis),
        gland_tissue=prescription.remnant_fraction,
        gland_rate=1.0,
        deposit_rate=1.0,
        care_ca=care * 1000.0 * CARE_CALCIUM_G_D / CA_MG_PER_MMOL / 24.0,
        care_calcitriol=care * p.calcitriol_per_dose * CARE_VITAMIN_D_UG_PER_WEEK,
    )
