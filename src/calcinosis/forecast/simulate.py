"""March a patient through a timeline: classical Runge–Kutta, fixed steps bounded per patient.

Where treatment repeats week by week and the patient hardly changes, weeks are passed over: all
amounts go on along the parabola through the last three week starts (projective integration, Gear
and Kevrekidis 2003, doi:10.1137/S1064827501388157). Sums are kept, so nothing is lost by it.

numba's cache watches this file alone: after an edit of ``model.py`` or ``deposit.py`` touch this
file too.
"""

from dataclasses import replace
from math import ceil, log, sqrt
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from calcinosis.forecast.deposit import apatite_product
from calcinosis.forecast.model import healthy_state, parathyroid_hormone, rates, working_tissue
from calcinosis.forecast.parameters import Parameters, Solved, records, solve
from calcinosis.forecast.prescription import Prescription
from calcinosis.forecast.states import (
    CA_ABSORBED,
    CA_OWED,
    CA_PLASMA,
    DEPOSIT_LABILE,
    DEPOSIT_MATURE,
    GLAND,
    LN_FGF23,
    N_STATES,
    P_DEEP,
    P_DRIVE,
    P_PLASMA,
    SET_POINT,
    VOLUME,
    Array,
    Controls,
)
from calcinosis.forecast.treatments import Timeline, gland_tissue, timeline

# Longest step (h) while dialysed and between, and the largest step x fastest rate of the patient:
# explicit Runge-Kutta is stable to 2.8, accurate well below. All set by PTH within 1e-3 of LSODA.
SESSION_STEP_H, IDLE_STEP_H = 0.5, 3.0
SESSION_STEP_RATE, IDLE_STEP_RATE = 0.8, 1.3
NEAR_GROWTH = 0.6  # of the product at which a deposit grows: from there on idle steps are shorter,
NEAR_GROWTH_SHARE = 0.7  # by so much, for growth adds up what each crossing is wrong by
REBOUND_CARE = 6.0  # 2 is the linear rate of mobilisation under its drive; more shortens steps
PASS_TOLERANCE = 3e-5  # largest share of an amount by which the parabola may be wrong
PASS_BEND = 30.0  # and by which it may bend, in such tolerances
DEPOSIT_COARSENESS = 50.0  # so much more for the deposit, which nothing but itself follows closely
PASS_SHRINKAGE = 0.2  # largest share by which an amount may shrink over weeks passed
PASS_WEEKS = 14  # passed over at once, at most
SETTLING_WEEKS = 6  # lived through before weeks are passed over (again): what a jump stirs rests
RUN_IN_DAYS = 420  # after that every state but gland and skeleton has settled
SCRATCH_ROWS = 5
GLAND_HASTE = 25.0  # while finding the start, the gland lives this much faster,
BONE_HASTE = 10.0  # and young bone fills in so much sooner, at the same rate once settled


class Trajectory(NamedTuple):
    """What a patient goes through.

    Attributes:
        states: at the start of each stretch of the timeline and at the end, [k + 1, N_STATES].
        pth: PTH (pg/mL) there, under the treatment until then, [k + 1].
    """

    states: Array
    pth: Array


@njit(cache=True, nogil=True)
def controls_of(row: Array, volume: float, p: Parameters) -> Controls:
    """One row of a timeline as this patient's controls; see `Timeline.controls`.

    A higher set point is as if the receptor had less calcium before it.
    """
    shed, gain = row[11], row[12]
    ultrafiltration = gain + shed * max(0.0, volume - p.ecf_volume) if shed > 0.0 else 0.0
    return Controls(
        row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7] - log(p.set_point),
        row[8], row[9], row[10], ultrafiltration, gain, working_tissue(row[13], p), row[14],
        row[15], row[16], row[17],
    )  # fmt: skip


@njit(cache=True, nogil=True)
def fastest_rate(y: Array, u: Controls, p: Parameters) -> float:
    """How fast (1/h) plasma phosphate or calcium relaxes in this patient now, so treated.

    Bounds each step: a large deposit pulls hard. Phosphate with its lagging mobilisation is a
    damped oscillator, the stiffer the further plasma is below the deep pool: steps are short in a
    session and in the hours after it, long for the rest of the week.
    """
    central = p.p_volume_share * p.ecf_volume
    deep = max(y[P_DEEP], 1e-6) / p.p_deep_volume
    refill = p.mobilisation * (
        1.0 + REBOUND_CARE * p.mobilisation_rise * max(0.0, y[P_DRIVE]) / deep
    )
    oscillation = sqrt((u.p_clearance + refill) / (central * p.mobilisation_lag))
    decay = u.p_clearance / central + 1.0 / p.mobilisation_lag
    overdamped = sqrt(max(0.0, 0.25 * decay**2 - oscillation**2))
    calcium = (u.ca_dialysance * p.ca_diffusible + 1.5 * p.exchange) / p.ecf_volume
    mass = max(0.0, y[DEPOSIT_LABILE] + y[DEPOSIT_MATURE]) / p.deposit_ref + p.nucleation
    pace = (p.growth_rate + p.dissolution_rate / p.dissolution_share) * p.deposit_ref
    ca_plasma, p_plasma = max(y[CA_PLASMA], 1e-6), max(y[P_PLASMA], 1e-6)
    product = apatite_product(ca_plasma / p.ecf_volume, p_plasma / central, p)
    steepest = product * max(1.0 / p_plasma, p.mineral_ca_per_p / ca_plasma)
    pull = pace * mass ** (2.0 / 3.0) * steepest / p.growth_product
    return float(max(calcium, oscillation, 0.5 * decay + overdamped) + pull)


@njit(cache=True, nogil=True)
def weeks_to_pass(
    y: Array, first: Array, curve: Array, twist: Array, most: int, tolerance: float
) -> int:
    """How many weeks may be passed over, from three differences of week starts.

    The third is what the parabola leaves out; the second must stay small beside the amount itself.
    """
    weeks = most
    deposit = DEPOSIT_COARSENESS * (y[DEPOSIT_LABILE] + y[DEPOSIT_MATURE] + 1.0)
    for j in range(CA_ABSORBED):
        signed = j in (P_DRIVE, LN_FGF23, SET_POINT)
        scale = 1.0 if signed else y[j] + 1e-3
        if j in (DEPOSIT_LABILE, DEPOSIT_MATURE):
            scale = deposit
        loss = 0.0 if signed else -first[j] / (y[j] + 1e-9)
        while weeks > 0 and (
            weeks * (weeks + 1) * (weeks + 2) / 6.0 * abs(twist[j]) > tolerance * scale
            or 0.5 * weeks * (weeks + 1) * abs(curve[j]) > PASS_BEND * tolerance * scale
            or weeks * loss > PASS_SHRINKAGE
        ):
            weeks -= 1
    return weeks


@njit(cache=True, nogil=True)
def pass_over(
    states: Array, y: Array, row: int, repeats: NDArray[np.int64], fineness: float, scratch: Array
) -> int:
    """Fill in `states` of the weeks passed over from `row` on, and move `y`; the rows filled."""
    rows = repeats[row]
    first, curve, twist = scratch[0], scratch[1], scratch[2]
    for j in range(N_STATES):
        last, one, two, three = (
            y[j],
            states[row - rows, j],
            states[row - 2 * rows, j],
            states[row - 3 * rows, j],
        )
        first[j] = last - one
        curve[j] = last - 2.0 * one + two
        twist[j] = last - 3.0 * one + 3.0 * two - three
    most = 1
    while (
        most < PASS_WEEKS
        and row + most * rows < len(repeats)
        and repeats[row + most * rows] == rows
    ):
        most += 1
    weeks = weeks_to_pass(y, first, curve, twist, most, PASS_TOLERANCE / fineness**2)
    for week in range(1, weeks + 1):
        bend = 0.5 * week * (week + 1)
        for r in range(row - rows, row):
            for j in range(N_STATES):
                step = states[r, j] - states[r - rows, j]
                states[r + week * rows, j] = states[r, j] + week * step + bend * curve[j]
    for j in range(N_STATES):
        y[j] += weeks * first[j] + 0.5 * weeks * (weeks + 1) * curve[j]
    return int(weeks * rows)


@njit(cache=True, nogil=True)
def advance(
    y: Array, hours: float, u: Controls, p: Parameters, s: Solved, fineness: float, scratch: Array
) -> None:
    """Runge–Kutta's classical steps through a stretch; `y` is changed in place."""
    k1, k2, k3, k4, mid = scratch[0], scratch[1], scratch[2], scratch[3], scratch[4]
    dialysed = u.p_clearance > 1.0
    limit = SESSION_STEP_RATE if dialysed else IDLE_STEP_RATE
    longest = SESSION_STEP_H if dialysed else IDLE_STEP_H
    left = hours
    while left > 0.0:
        serum_p = max(y[P_PLASMA], 0.0) / (p.p_volume_share * y[VOLUME])
        product = apatite_product(max(y[CA_PLASMA], 0.0) / y[VOLUME], serum_p, p)
        share = NEAR_GROWTH_SHARE if product > NEAR_GROWTH * p.growth_product else 1.0
        steps = ceil(fineness * left / min(longest, share * limit / fastest_rate(y, u, p)))
        h = left / steps
        left = left - h if steps > 1 else 0.0
        rates(y, u, p, s, k1)
        for j in range(N_STATES):
            mid[j] = y[j] + 0.5 * h * k1[j]
        rates(mid, u, p, s, k2)
        for j in range(N_STATES):
            mid[j] = y[j] + 0.5 * h * k2[j]
        rates(mid, u, p, s, k3)
        for j in range(N_STATES):
            mid[j] = y[j] + h * k3[j]
        rates(mid, u, p, s, k4)
        for j in range(N_STATES):
            y[j] += h / 6.0 * (k1[j] + 2.0 * k2[j] + 2.0 * k3[j] + k4[j])


@njit(cache=True, nogil=True)
def record(
    y: Array, row: int, u: Controls, p: Parameters, s: Solved, states: Array, pth: Array
) -> None:
    """Keep state and PTH of this moment."""
    for j in range(N_STATES):
        states[row, j] = y[j]
    pth[row] = parathyroid_hormone(y, u, p, s)


@njit(cache=True, nogil=True)
def march(  # noqa: PLR0913, PLR0917  # compiled code takes arrays, not objects
    y: Array,
    p: Parameters,
    s: Solved,
    hours: Array,
    controls: Array,
    repeats: NDArray[np.int64],
    tissue: float,
    fineness: float,
    states: Array,
    pth: Array,
    scratch: Array,
) -> None:
    """Integrate `y` (changed in place) through all stretches into `states` and `pth`.

    See `Trajectory`. Nothing is allocated, so that a thread of a graphics processor can do it:
    `scratch`, [`SCRATCH_ROWS`, N_STATES], is overwritten.
    """
    k = len(hours)
    u = controls_of(controls[0], y[VOLUME], p)
    i = lived_from = 0
    while i < k:
        rows = repeats[i]
        if rows > 0 and repeats[i - rows] == rows and i - SETTLING_WEEKS * rows >= lived_from:
            passed = pass_over(states, y, i, repeats, fineness, scratch)
            for row in range(i, i + passed):
                pth[row] = parathyroid_hormone(states[row], u, p, s)
            i += passed
            if passed > 0:
                lived_from = i
                continue
        record(y, i, u, p, s, states, pth)
        u = controls_of(controls[i], y[VOLUME], p)
        if u.gland_tissue < tissue:
            y[GLAND] *= u.gland_tissue / tissue
        tissue = u.gland_tissue
        advance(y, hours[i], u, p, s, fineness, scratch)
        i += 1
    record(y, k, u, p, s, states, pth)


def simulate(
    start: Array,
    p: Parameters,
    course: Timeline,
    *,
    tissue: float = 1.0,
    fineness: float = 1.0,
) -> Trajectory:
    """Simulate one patient.

    Args:
        start: state at the start, [N_STATES]; left unchanged.
        p: the patient's parameters.
        course: the treatment.
        tissue: share of parathyroid tissue in place before.
        fineness: divides the steps; 2 halves them.
    """
    rows = len(course.hours) + 1
    states, pth = np.empty((rows, N_STATES)), np.empty(rows)
    march(
        start.copy(),
        records([p])[0],
        records([solve(p)])[0],
        course.hours,
        course.controls,
        course.repeats,
        tissue,
        float(fineness),
        states,
        pth,
        np.empty((SCRATCH_ROWS, N_STATES)),
    )
    return Trajectory(states, pth)


def starting_state(
    p: Parameters,
    before: Prescription,
    *,
    deposit_mmol: float = 0.0,
    gland: float | None = None,
    course: Timeline | None = None,
) -> Array:
    """Find the state of a patient long on one prescription, on a Wednesday before the session.

    Without `gland` the parathyroids grow to their equilibrium (in haste); with it they are held at
    that mass, which a measured PTH identifies. The deposit is as measured and held, half matured.
    `course`: the patient's `run_in`, where it is at hand.
    """
    course = course or run_in(p, before, hold_gland=gland is not None)
    tissue = gland_tissue(before, p)
    hasty = in_haste(p)
    y = unsettled_state(hasty, tissue if gland is None else gland, deposit_mmol)
    end: Array = simulate(y, hasty, course, tissue=tissue).states[-1]
    settle(end)
    return end


def in_haste(p: Parameters) -> Parameters:
    """The patient while a starting state is sought: one whose young bone settles soon."""
    return p._replace(late_mineral_days=p.late_mineral_days / BONE_HASTE)


def settle(states: Array) -> None:
    """Take found states [..., N_STATES], in place, out of their haste; the counters start today."""
    states[..., CA_OWED] *= BONE_HASTE
    states[..., CA_ABSORBED:] = 0.0


def unsettled_state(p: Parameters, gland: float, deposit_mmol: float = 0.0) -> Array:
    """Where the search for a starting state begins: health with this gland and deposit."""
    y = healthy_state(p)
    y[GLAND] = gland
    y[DEPOSIT_LABILE] = y[DEPOSIT_MATURE] = deposit_mmol / 2.0
    return y


def run_in(p: Parameters, before: Prescription, *, hold_gland: bool = False) -> Timeline:
    """A prescription for so long that a patient settles; deposit held, gland in haste or held."""
    course = timeline(
        [replace(before, days=RUN_IN_DAYS, graft_day=None)], p, start_day=-RUN_IN_DAYS
    )
    controls = course.controls.copy()
    columns = Controls._fields
    controls[:, columns.index("gland_rate")] = 0.0 if hold_gland else GLAND_HASTE
    controls[:, columns.index("deposit_rate")] = 0.0
    return course._replace(controls=controls)
