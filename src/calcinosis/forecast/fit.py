"""Fit the patient in hand: maximum a posteriori on a laboratory series, then Laplace's spread.

What may move, and by how much between patients, stands in ``parameters.yaml`` (`patient_sd`). A
parameter whose spread the data shrink by less than 30 %, and whose interval holds the typical
value, is reported as prior: the data say little.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calcinosis.errors import InputError
from calcinosis.forecast.dialysis import arterial_share
from calcinosis.forecast.ensemble import LINEAR, Member, Past, antithetic, live, moved, past_of
from calcinosis.forecast.labs import CLOSE_LOOK_DAYS, laboratory
from calcinosis.forecast.likely import CANDIDATES, likely
from calcinosis.forecast.observed import (
    ALP_SD,
    Observation,
    beyond_bounds,
    followed_masses,
    joint_scatter,
    observations,
)
from calcinosis.forecast.parameters import Parameters, patient_spread, population, table
from calcinosis.forecast.scenario import Lab, Phase, ScenarioPatient
from calcinosis.forecast.simulate import Trajectory
from calcinosis.forecast.states import GLAND, Array, Controls
from calcinosis.forecast.treatments import Timeline, timeline

FITTED = (
    "p_intake_factor",
    "mobilisation",
    "gland_tendency",
    "ca_absorption_odds",
    "calcium_offset",
    "calcium_binding",
    "set_point",
)
FITTED_TO_DEPOSIT = ("growth_product", "growth_rate", "dissolution_rate")
FITTED_TO_ALP = ("turnover",)
FITTED_TO_OPERATION = ("remnant_function", "overlooked_tissue")
GLAND_SD = 1.0  # of ln parathyroid mass at the start of the past, around the average patient's
MOVED_BELOW = 0.7  # posterior / prior spread
MISSED_BY = 2.5  # SD of a result around what the fit makes of it: of 80 results one by chance
Residuals = Callable[[Array], Array]
RULED_OUT = 1e-3  # share of conceivable patients that fit so badly: ours
HALVINGS = 6
NEWTON_STEPS = 20  # most fits settle in five; a mass that vanished takes more than ten
DIFFERENCE = 0.05


@dataclass(frozen=True)
class Finding:
    """What the data say of one parameter: typical value, this patient's with its 90 % interval."""

    name: str
    meaning: str
    typical: float
    value: float
    low: float
    high: float
    moved: bool


@dataclass(frozen=True)
class Fit:
    """The patient in hand: most probable first, then as many as were drawn; and what was learnt."""

    members: list[Member]
    findings: tuple[Finding, ...]
    past: Past
    missed: tuple[tuple[Lab, float], ...]  # results that do not fit, and fitted / measured


def fit(patient: ScenarioPatient, first: Phase, n: int) -> Fit:
    """Fit a scenario's patient to the labs, then draw `n` patients the labs leave possible."""
    observed, _ = observations(patient.labs)
    past = _past(patient, first, observed)
    centre = population(patient.dry_weight_kg, patient.deposit_masses)
    rows = sample_rows(observed, timeline(past.prescriptions, centre, start_day=-past.days))
    free = _free(observed, past)
    alp = np.array([o.column == "alp_relative" for o in observed])
    values = np.array([o.value for o in observed])
    bound = np.array([o.bound for o in observed])
    scatter = joint_scatter(observed)
    typical_gland = float(live(centre, beginning(past))[0].start[GLAND])

    def patient_at(steps: Array) -> tuple[Parameters, float]:
        own = moved(centre, free, steps[:-1])
        return own, typical_gland * float(np.exp(GLAND_SD * steps[-1]))

    def excess(p: Parameters, course: Timeline | None, lived: Trajectory | None) -> Array:
        """Of each result over what a patient would have, on the logarithm."""
        expected = _expected(observed, rows, course, lived, p)
        expected[alp] *= own_bone(p, centre)
        return np.asarray(np.log(values) - np.log(expected), dtype=np.float64)

    def excess_at(steps: Array) -> Array:
        p, gland = patient_at(steps)
        _, course, trajectory = live(p, past, gland=gland)
        return excess(p, course, trajectory)

    def misses(excess: Array) -> Array:
        alone = np.asarray(np.linalg.solve(scatter, excess), dtype=np.float64)
        return beyond_bounds(alone, bound)

    def residuals(steps: Array) -> Array:
        return np.concatenate([misses(excess_at(steps)), steps])

    best, jacobian = posterior(residuals, np.zeros(len(free) + 1))
    covariance = np.asarray(np.linalg.inv(jacobian.T @ jacobian), dtype=np.float64)
    hidden = _hiding(residuals, best, list(free))
    followed = followed_masses(observed)
    drawn = n * CANDIDATES if followed.any() else n
    draws = best + antithetic(drawn, len(best)) @ np.linalg.cholesky(covariance).T
    others = {k: sd for k, sd in patient_spread().items() if k not in free}
    unknown = antithetic(drawn, len(others), seed=7)

    def member(index: int) -> tuple[Member, Array]:
        """A conceivable patient, and by how much it misses the masses that were measured again."""
        p, gland = patient_at(best if index < 0 else hidden(draws[index]))
        if index >= 0:
            p = moved(p, others, unknown[index])
        one, course, trajectory = live(p, past, gland=gland)
        return one, misses(excess(p, course, trajectory))[followed]

    with ThreadPoolExecutor() as pool:
        (most_probable, _), *conceivable = pool.map(member, range(-1, drawn))
    members = [one for one, _ in conceivable]
    if followed.any():
        straight = residuals(best)[: len(observed)] + (draws - best) @ jacobian[: len(observed)].T
        kept = likely(np.array([off for _, off in conceivable]), straight[:, followed], n)
        members = [members[index] for index in kept]
    findings = _findings(centre, free, typical_gland, best, covariance)
    told = missed(patient.labs, observed, excess_at(best))
    return Fit([most_probable, *members], findings, past, told)


def _hiding(residuals: Residuals, best: Array, free: list[str]) -> Callable[[Array], Array]:
    """What turns a draw into one with no more tissue overlooked than the results could hide.

    Until it outweighs the remnant it does nothing, so a spread taken at `best` knows no bound.
    """
    from scipy.special import chdtri

    if FITTED_TO_OPERATION[1] not in free:
        return lambda draw: draw
    column, misses = free.index(FITTED_TO_OPERATION[1]), residuals(best)
    allowed = misses @ misses + chdtri(len(best), RULED_OUT)

    def hidden(draw: Array) -> Array:
        drawn = draw.copy()
        for _ in range(HALVINGS):
            misses = residuals(drawn)
            if misses @ misses <= allowed or drawn[column] <= best[column]:
                break
            drawn[column] = (drawn[column] + best[column]) / 2.0
        return drawn

    return hidden


def missed(
    labs: Sequence[Lab], observed: Sequence[Observation], excess: Array
) -> tuple[tuple[Lab, float], ...]:
    """Results that the fit does not reach: they contradict each other, the treatment or us."""
    found = []
    for lab, one, logarithm in zip(labs, observed, excess, strict=True):
        alone = np.hypot(one.sd, ALP_SD if one.column == "alp_relative" else 0.0)
        wrong_side = one.bound == 0 or logarithm * one.bound > 0
        if wrong_side and abs(logarithm) > MISSED_BY * alone:
            found.append((lab, float(np.exp(-logarithm))))
    return tuple(found)


def own_bone(p: Parameters, centre: Parameters) -> float:
    """What this patient's bone turns over in health, relative to others': ALP shows it too."""
    return p.turnover / centre.turnover


def beginning(past: Past) -> Past:
    """A past that ends where this one begins: the first prescription, long before any result."""
    return replace(past, prescriptions=(replace(past.prescriptions[0], days=0),))


def _past(patient: ScenarioPatient, first: Phase, observed: Sequence[Observation]) -> Past:
    past = past_of(patient, first, days=-min(o.day for o in observed) + 7)
    masses = sorted((o.day, o.value) for o in observed if o.column == "deposit_calcium_g")
    if masses and patient.deposit_calcium_g:
        raise InputError(
            f"patient.deposit_calcium_g: found {patient.deposit_calcium_g:g} beside results "
            "deposit_calcium, expected one or the other"
        )
    if len(masses) > 1:
        day, mass = masses[0]
        return replace(past, deposit_g=mass, deposit_today_g=None, deposit_from=day)
    if masses:
        return replace(past, deposit_g=masses[0][1], deposit_today_g=masses[0][1])
    return past


def _free(observed: Sequence[Observation], past: Past) -> dict[str, float]:
    """Parameters the data could move, with their spread between patients."""
    columns = [o.column for o in observed]
    deposit = FITTED_TO_DEPOSIT if columns.count("deposit_calcium_g") > 1 else ()
    bone = FITTED_TO_ALP if "alp_relative" in columns else ()
    operated = past.now.remnant_fraction < 1.0
    operation = FITTED_TO_OPERATION if operated and "pth_pg_ml" in columns else ()
    spread = patient_spread()
    return {name: spread[name] for name in (*FITTED, *deposit, *bone, *operation)}


def sample_rows(observed: Sequence[Observation], course: Timeline) -> NDArray[np.int64]:
    """The row of the past's trajectory nearest to each result, under the treatment of its day.

    A midweek sample; in the two weeks after a change, when levels move fast, any before a session.
    On the day of a change blood is drawn before it, but `after_session` after it.

    Raises:
        InputError: a result after a session where there is none.
    """
    day = np.append(course.day, 0.0)
    until = np.append(course.phase[:1], course.phase)
    since = np.append(course.phase, course.phase[-1])
    session = np.append(course.session, False)  # today's is not in the past
    drawn = session | ((day == np.floor(day)) & ~np.isin(until, course.phase[course.session]))
    drawn[-1] = True
    rows = []
    for number, one in enumerate(observed, start=1):
        phases = since if one.after_session else until
        phase = phases[np.searchsorted(day, one.day)]
        mine = phases == phase
        settled = phase == 0 or one.day - day[mine][0] > CLOSE_LOOK_DAYS
        fit_for = mine & (session if one.after_session else drawn)
        if one.after_session and not fit_for.any():
            raise InputError(
                f"patient.labs: result {number}: phosphate_post without haemodialysis at that "
                "time; expected phosphate"
            )
        midweek = fit_for & (day % 7 == 0)
        choices = midweek if settled and midweek.any() else fit_for if fit_for.any() else mine
        found = np.flatnonzero(choices)
        rows.append(found[np.abs(day[found] - one.day).argmin()])
    return np.array(rows)


def _expected(
    observed: Sequence[Observation],
    rows: NDArray[np.int64],
    course: Timeline | None,
    trajectory: Trajectory | None,
    p: Parameters,
) -> Array:
    """The simulated value of every result."""
    if course is None or trajectory is None:
        raise ValueError("results need a past to fall into")
    after = np.array([o.after_session for o in observed])
    index = rows + after
    values = laboratory(trajectory.states[index], trajectory.pth[index], p)
    treated = course.controls[np.minimum(rows, len(course.hours) - 1)]
    cleared = treated[:, Controls._fields.index("p_clearance")] * after
    drawn = [arterial_share(clearance, p) for clearance in cleared]
    return np.maximum([values[o.column][i] * drawn[i] for i, o in enumerate(observed)], 1e-9)


def posterior(
    residuals: Residuals, start: Array, *, rounds: int = NEWTON_STEPS
) -> tuple[Array, Array]:
    """Gauss-Newton with damping: most probable point and the misses' slopes there, in prior SDs.

    Args:
        residuals: misses of the data in their SD, then the steps themselves, of steps from prior.
        start: steps from the prior to begin with.
        rounds: attempts at most.
    """
    at = start
    here = residuals(at)
    damping = 0.1
    jacobian = _jacobian(residuals, at, here)
    for _ in range(rounds):
        curvature = jacobian.T @ jacobian
        step = np.linalg.solve(curvature + damping * np.eye(len(at)), -jacobian.T @ here)
        step /= max(1.0, np.abs(step).max() / 2.0)
        there = residuals(at + step)
        if there @ there < here @ here:
            small = np.abs(step).max() < 0.02
            at, here, damping = at + step, there, damping / 4.0
            jacobian = _jacobian(residuals, at, here)
            if small:
                break
        else:
            damping *= 6.0
    return at, jacobian


def _jacobian(residuals: Residuals, at: Array, here: Array) -> Array:
    columns = [(residuals(at + DIFFERENCE * unit) - here) / DIFFERENCE for unit in np.eye(len(at))]
    return np.stack(columns, axis=1)


def _findings(
    centre: Parameters, free: dict[str, float], gland: float, best: Array, covariance: Array
) -> tuple[Finding, ...]:
    rows = table()
    spread = np.sqrt(np.diag(covariance))
    names = [*free, "gland"]
    units = {name: rows[name]["unit"] for name in free}
    meaning = {
        name: rows[name]["what"] + (f", {unit}" if unit != "-" else "")
        for name, unit in units.items()
    } | {"gland": "parathyroid mass where history or results begin, 1 = normal"}
    typical = {name: getattr(centre, name) for name in free} | {"gland": gland}
    scale = {**free, "gland": GLAND_SD}
    found = []
    for name, step, sd in zip(names, best, spread, strict=True):
        at = [step, step - 1.645 * sd, step + 1.645 * sd]
        value, low, high = (
            typical[name] + scale[name] * x
            if name in LINEAR
            else typical[name] * np.exp(scale[name] * x)
            for x in at
        )
        found.append(
            Finding(name, meaning[name], typical[name], float(value), float(low), float(high),
                    bool(sd < MOVED_BELOW or abs(step) > 1.645 * sd))
        )  # fmt: skip
    return tuple(found)
