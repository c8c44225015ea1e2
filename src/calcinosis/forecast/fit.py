"""Fit the patient in hand: maximum a posteriori on a laboratory series, then Laplace's spread.

What may move, and by how much between patients, stands in ``parameters.yaml`` (`patient_sd`). A
parameter whose spread the data shrink by less than 30 %, and whose interval holds the typical
value, is reported as prior: the data say little.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray

from calcinosis.errors import InputError
from calcinosis.forecast.dialysis import arterial_share
from calcinosis.forecast.ensemble import LINEAR, Member, Past, antithetic, live, moved, past_of
from calcinosis.forecast.labs import CLOSE_LOOK_DAYS, SCATTER, WANDER, laboratory
from calcinosis.forecast.parameters import Parameters, patient_spread, population, table
from calcinosis.forecast.scenario import MOST_DEPOSIT_CALCIUM_G, Lab, Phase, ScenarioPatient
from calcinosis.forecast.simulate import Trajectory
from calcinosis.forecast.states import GLAND, Array, Controls
from calcinosis.forecast.treatments import Timeline, timeline
from calcinosis.lab_result import LabResult

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
MOST_YEARS_BACK = 50.0  # between results: ours, more is a slip of the date
MISSED_BY = 2.5  # SD of a result around what the fit makes of it: of 80 results one by chance
NORMAL_ALP_U_L = 75.0  # mid-normal
ALP_SD = 0.35  # of the logarithm, between healthy people; all results of a patient share it
# Analytes of the laboratory, of the scenario file, and the forecast's column they belong to.
COLUMNS = {
    "calcium": "calcium_mg_dl",
    "corrected_calcium": "calcium_mg_dl",
    "phosphate": "phosphate_mg_dl",
    "pth": "pth_pg_ml",
    "alp": "alp_relative",
}
BOUND = {"": 0, ">": 1, "<": -1}
Residuals = Callable[[Array], Array]
RULED_OUT = 1e-3  # share of conceivable patients that fit so badly: ours
HALVINGS = 6
NEWTON_STEPS = 20  # most fits settle in five; a mass that vanished takes more than ten
DIFFERENCE = 0.05


@dataclass(frozen=True)
class Observation:
    """One result: days from today (negative), column, value, SD of its logarithm.

    `bound`: 1 where the laboratory gave only that it is more, -1 less, 0 where the value is known.
    """

    day: int
    column: str
    value: float
    sd: float
    after_session: bool = False
    bound: int = 0


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


def observations(labs: Sequence[Lab]) -> tuple[list[Observation], date]:
    """Results in the forecast's units, and the day of the last, which counts as today.

    Raises:
        InputError: a result whose analyte, unit or value cannot be used.
    """
    today = max(lab.date for lab in labs)
    found = []
    for number, lab in enumerate(labs, start=1):
        try:
            found.append(_observation(lab, (lab.date - today).days))
        except InputError as error:
            raise InputError(f"patient.labs: result {number}: {error}") from error
    return found, today


def _observation(lab: Lab, day: int) -> Observation:
    if -day > 365.25 * MOST_YEARS_BACK:
        raise InputError(
            f"date {lab.date} lies more than {MOST_YEARS_BACK:g} years before the last result"
        )
    if lab.analyte == "deposit_calcium":
        if lab.unit != "g":
            raise InputError(f"deposit_calcium in {lab.unit!r}; expected 'g'")
        if lab.value > MOST_DEPOSIT_CALCIUM_G:
            raise InputError(
                f"deposit_calcium {lab.value:g} g; expected at most {MOST_DEPOSIT_CALCIUM_G:g}"
            )
        if lab.date > datetime.now().astimezone().date():
            raise InputError(f"date {lab.date} lies in the future")
        column = "deposit_calcium_g"
        return Observation(day, column, lab.value, SCATTER[column], bound=BOUND[lab.comparator])
    after = lab.analyte == "phosphate_post"
    name = "phosphate" if after else lab.analyte
    result = LabResult.measured(name, lab.value, lab.unit, lab.date)
    if result.analyte not in COLUMNS:
        known = ", ".join([*COLUMNS, "phosphate_post", "deposit_calcium"])
        raise InputError(f"analyte {lab.analyte!r} is not fitted; expected one of {known}")
    column = COLUMNS[result.analyte]
    sd = float(np.hypot(SCATTER[column], WANDER[column]))
    value = result.value / NORMAL_ALP_U_L if column == "alp_relative" else max(result.value, 0.1)
    return Observation(day, column, value, sd, after, BOUND[lab.comparator])


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

    def excess(steps: Array) -> Array:
        """Of each result over what a patient would have, on the logarithm."""
        p, gland = patient_at(steps)
        _, course, trajectory = live(p, past, gland=gland)
        expected = _expected(observed, rows, course, trajectory, p)
        expected[alp] *= own_bone(p, centre)
        return np.asarray(np.log(values) - np.log(expected), dtype=np.float64)

    def residuals(steps: Array) -> Array:
        misses = np.asarray(np.linalg.solve(scatter, excess(steps)), dtype=np.float64)
        return np.concatenate([beyond_bounds(misses, bound), steps])

    best, covariance = posterior(residuals, np.zeros(len(free) + 1))
    hidden = _hiding(residuals, best, list(free))
    draws = best + antithetic(n, len(best)) @ np.linalg.cholesky(covariance).T
    others = {k: sd for k, sd in patient_spread().items() if k not in free}
    unknown = antithetic(n, len(others), seed=7)

    def member(index: int) -> Member:
        p, gland = patient_at(best if index < 0 else hidden(draws[index]))
        if index >= 0:
            p = moved(p, others, unknown[index])
        return live(p, past, gland=gland)[0]

    with ThreadPoolExecutor() as pool:
        members = list(pool.map(member, range(-1, n)))
    findings = _findings(centre, free, typical_gland, best, covariance)
    return Fit(members, findings, past, missed(patient.labs, observed, excess(best)))


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


def joint_scatter(observed: Sequence[Observation]) -> Array:
    """Square root of the covariance of the results' logarithms, [results, results].

    Each result scatters for itself. How far a patient's ALP is from others' for no reason of bone
    stays the same from day to day: many tell hardly more of its level than one, but of its trend.
    """
    alp = np.array([o.column == "alp_relative" for o in observed], dtype=np.float64)
    own = np.diag([o.sd**2 for o in observed])
    return np.linalg.cholesky(own + ALP_SD**2 * np.outer(alp, alp)).astype(np.float64)


def beyond_bounds(misses: Array, bound: NDArray[np.int64]) -> Array:
    """Misses as they are, but of a bound only what it tells: how unlikely a value beyond it is.

    Half the square is minus the logarithm of that probability, so next to nothing far beyond.
    """
    from scipy.special import log_ndtr

    unlikely = np.sqrt(-2.0 * log_ndtr(-bound * misses))
    return np.where(bound == 0, misses, unlikely)


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
    """Gauss-Newton with damping: most probable point and Laplace covariance, in prior SDs.

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
    return at, np.asarray(np.linalg.inv(jacobian.T @ jacobian), dtype=np.float64)


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
