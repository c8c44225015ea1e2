"""Treatments side by side: what each would do to this patient, with 90 % bands.

An ensemble of conceivable patients carries what is not known: without labs the spread between
patients, with labs what they leave open. The central course is that of the most probable patient.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calcinosis.errors import InputError
from calcinosis.forecast.assumptions import assumptions, doubt_in_words
from calcinosis.forecast.ensemble import Member, past_of, population_members
from calcinosis.forecast.fit import Finding, fit
from calcinosis.forecast.hazards import (
    ADYNAMIC_PTH_PG_ML,
    HUNGRY_BONE_MG_DL,
    chance_of,
    lasting_hypercalcaemia,
    left_out,
    warnings_of,
)
from calcinosis.forecast.labs import ANALYTES, CLOSE_LOOK_DAYS, SCATTER, WANDER, laboratory
from calcinosis.forecast.parameters import population
from calcinosis.forecast.prescription import (
    Filtration,
    Prescription,
    check_kidneys,
    goes_on,
    prescribe,
    typical,
)
from calcinosis.forecast.scenario import Option, Scenario
from calcinosis.forecast.session import Session, last_sessions
from calcinosis.forecast.simulate import simulate
from calcinosis.forecast.states import Array
from calcinosis.forecast.treatments import Timeline, timeline

Progress = Callable[[int, int], None]
ENSEMBLE = 64
YEAR = 365.0
PRODUCT_LIMIT = 55.0  # mg2/dL2, KDOQI 2005
MEASUREMENTS = 15  # each member stands for so many, at even quantiles of their scatter
_QUANTILES = np.array([NormalDist().inv_cdf((i + 0.5) / MEASUREMENTS) for i in range(MEASUREMENTS)])


@dataclass(frozen=True)
class Course:
    """What one option does.

    Attributes:
        name: of the option.
        day: days from today, [n].
        phase: name of the phase at each, [n].
        central: by analyte, the most probable patient, [n].
        low: 5th percentile of a single measurement, by analyte, [n].
        high: 95th percentile.
        phases: day and name of each phase.
        changes: day and name of those in which treatment is not as before.
        sessions: the last dialysis session of each phase, central patient; None without.
        outcomes: chances and levels within a year (or the horizon, if shorter).
        warnings: what to watch.
        left_out: why it is not to be named best, whatever it does to the deposit; else empty.
    """

    name: str
    day: Array
    phase: tuple[str, ...]
    central: dict[str, Array]
    low: dict[str, Array]
    high: dict[str, Array]
    phases: tuple[tuple[float, str], ...]
    changes: tuple[tuple[float, str], ...]
    sessions: tuple[Session | None, ...]
    outcomes: dict[str, float | None]
    warnings: tuple[str, ...]
    left_out: str


LIMITS = (
    "The model is an adult's: bone that grows is not in it, nor a child's normal values.",
    "Not in the model: pH, magnesium, pyrophosphate, fetuin-A, T50, local tissue factors, meals.",
    "Vascular is not told from periarticular calcification.",
    "Deposit kinetics are an order of magnitude from case reports, and differ between patients.",
    "PTH assays differ; the model speaks of intact PTH.",
    "Doses stay as written; only calcium after parathyroidectomy follows need, if none is written.",
)


@dataclass(frozen=True)
class Outlook:
    """A forecast.

    Attributes:
        courses: one per option, the plan first.
        assumptions: what the scenario left open, and how it was filled.
        fit: what the laboratory told of this patient; empty without results.
        limits: what the model cannot say.
        doubts: those of the assumptions that make all of it less sure.
    """

    courses: tuple[Course, ...]
    assumptions: tuple[str, ...]
    fit: tuple[Finding, ...] = ()
    limits: tuple[str, ...] = LIMITS
    doubts: tuple[str, ...] = ()


def forecast(
    scenario: Scenario, *, ensemble: int = ENSEMBLE, progress: Progress | None = None
) -> Outlook:
    """Forecast every option of a scenario.

    Args:
        scenario: see `scenario.read_scenario`.
        ensemble: conceivable patients simulated per option.
        progress: told how many options are done, of how many.

    Raises:
        InputError: a laboratory result that cannot be used, masses without calcium, or a plan that
            contradicts the kidneys.
    """
    patient, first = scenario.patient, scenario.phases[0]
    _check(scenario)
    findings: tuple[Finding, ...] = ()
    doubts: tuple[str, ...] = ()
    if patient.labs:
        fitted = fit(patient, first, ensemble)
        members, findings, past = fitted.members, fitted.findings, fitted.past
        doubts = tuple(doubt_in_words(*one, patient.labs) for one in fitted.missed)
    else:
        past = past_of(patient, first)
        centre = population(patient.dry_weight_kg, patient.deposit_masses)
        members = population_members(past, centre, ensemble)
    options = scenario.options()
    courses = []
    for done, option in enumerate(options, start=1):
        courses.append(_course(option, past.now, members))
        if progress:
            progress(done, len(options))
    said = (*doubts, *assumptions(scenario, past.now))
    return Outlook(tuple(courses), said, findings, doubts=doubts)


def _check(scenario: Scenario) -> None:
    """Refuse plans that contradict the kidneys, and masses that hold nothing."""
    patient = scenario.patient
    if patient.deposit_masses > 1 and not patient.bears_deposit:
        raise InputError(
            f"patient.deposit_masses: found {patient.deposit_masses:g} without their calcium; "
            "expected deposit_calcium_g, or results deposit_calcium"
        )
    own = Filtration(typical(patient).gfr_ml_min)
    today = check_kidneys(patient.history, "patient.history", own)
    check_kidneys(scenario.phases, "phases", today)
    for number, other in enumerate(scenario.compare):
        check_kidneys(other.phases, f"compare.{number}.phases", today)


def _course(option: Option, before: Prescription, members: Sequence[Member]) -> Course:
    prescriptions = prescribe(before, option.phases)
    centre = members[0].parameters
    course = timeline(prescriptions, centre)
    pairs = enumerate(pairwise([before, *prescriptions]))
    going_on = [number for number, pair in pairs if goes_on(*pair)]
    rows = reported_rows(course, [number for number in going_on if number > 0])

    def run(member: Member) -> tuple[Array, Array]:
        trajectory = simulate(member.start, member.parameters, course, tissue=member.tissue)
        trajectory.pth[0] = member.pth  # drawn before anything that is new was given
        if member is members[0]:
            return trajectory
        return trajectory.states[rows], trajectory.pth[rows]

    with ThreadPoolExecutor() as pool:
        (states, pth), *others = pool.map(run, members)
    central = laboratory(states[rows], pth[rows], centre)
    runs = [laboratory(*o, m.parameters) for o, m in zip(others, members[1:], strict=True)]
    low, high = _bands(runs)
    day = course.day[rows]
    names = [p.name for p in prescriptions]
    last = prescriptions[-1]
    dialysed, grafted = last.dialysis is not None, last.graft_day is not None
    starts = np.cumsum([0, *[p.days for p in prescriptions]])[:-1].tolist()
    phases = tuple(zip(starts, names, strict=True))
    return Course(
        name=option.name,
        day=day,
        phase=tuple(names[i] for i in course.phase[rows]),
        central=central,
        low=low,
        high=high,
        phases=phases,
        changes=tuple(one for number, one in enumerate(phases) if number not in going_on),
        sessions=last_sessions(prescriptions, course, states, centre),
        outcomes=_outcomes(day, central, runs),
        warnings=warnings_of(day, central, runs, dialysed=dialysed, grafted=grafted),
        left_out=left_out(day, central, grafted=grafted),
    )


def reported_rows(course: Timeline, going_on: Sequence[int] = ()) -> NDArray[np.int64]:
    """Rows of a timeline where blood is drawn: before sessions, else at 08:00; weekly at last.

    `going_on`: phases in which nothing changes, so that nobody looks more closely.
    """
    phases = int(course.phase.max()) + 1
    dialysed = np.zeros(phases, dtype=bool)
    np.logical_or.at(dialysed, course.phase, course.session)
    drawn = (course.day == np.floor(course.day)) & (course.session | ~dialysed[course.phase])
    first = np.full(phases, np.inf)
    np.minimum.at(first, course.phase, course.day)
    for phase in going_on:
        first[phase] = first[phase - 1]
    recent = course.day - first[course.phase] <= CLOSE_LOOK_DAYS
    weekly = (course.day % 7 == 0) | (course.day == 0)
    return np.flatnonzero(drawn & (recent | weekly))


def _bands(runs: Sequence[dict[str, Array]]) -> tuple[dict[str, Array], dict[str, Array]]:
    low, high = {}, {}
    for name in ANALYTES:
        levels = np.array([run[name] for run in runs])
        scatter = np.exp(np.hypot(SCATTER[name], WANDER.get(name, 0.0)) * _QUANTILES)
        sample = (levels[:, None, :] * scatter[None, :, None]).reshape(-1, levels.shape[1])
        low[name], high[name] = np.percentile(sample, [5, 95], axis=0)
    return low, high


class _Year(NamedTuple):
    """Levels of one conceivable patient within the first year."""

    product: float  # mean of the last four weeks, mg2/dL2
    calcium: float
    phosphate: float
    pth: float
    lowest_calcium: float
    lowest_deposit: float  # relative to today
    last_deposit: float


def _year(day: Array, run: dict[str, Array]) -> _Year:
    within = day <= YEAR
    late = within & (day > day[within][-1] - 28)
    deposit = run["deposit_calcium_g"][within]
    relative = deposit / deposit[0] if deposit[0] > 0 else np.full_like(deposit, np.nan)
    return _Year(
        product=float(run["ca_p_product_mg2_dl2"][late].mean()),
        calcium=float(run["calcium_mg_dl"][late].mean()),
        phosphate=float(run["phosphate_mg_dl"][late].mean()),
        pth=float(run["pth_pg_ml"][late].mean()),
        lowest_calcium=float(run["calcium_mg_dl"][within].min()),
        lowest_deposit=float(relative.min()),
        last_deposit=float(relative[-1]),
    )


def _outcomes(
    day: Array, central: dict[str, Array], runs: Sequence[dict[str, Array]]
) -> dict[str, float | None]:
    years = [_year(day, run) for run in runs]
    centre = _year(day, central)
    bears = bool(central["deposit_calcium_g"][0] > 0)
    last = [y.last_deposit for y in years]

    def chance(test: Callable[[_Year], bool]) -> float:
        return chance_of([test(year) for year in years])

    return {
        "horizon_days": float(min(YEAR, day[-1])),
        "calcium_mg_dl": centre.calcium,
        "phosphate_mg_dl": centre.phosphate,
        "ca_p_product_mg2_dl2": centre.product,
        "pth_pg_ml": centre.pth,
        "lowest_calcium_mg_dl": centre.lowest_calcium,
        "chance_product_below_55": chance(lambda y: y.product < PRODUCT_LIMIT),
        "chance_phosphate_above_5_5": chance(lambda y: y.phosphate > 5.5),
        "chance_pth_above_300": chance(lambda y: y.pth > 300.0),
        "chance_pth_below_100": chance(lambda y: y.pth < ADYNAMIC_PTH_PG_ML),
        "chance_calcium_below_7_5": chance(lambda y: y.lowest_calcium < HUNGRY_BONE_MG_DL),
        "chance_calcium_above_10_2": chance_of([lasting_hypercalcaemia(day, run) for run in runs]),
        "chance_deposit_halved": chance(lambda y: y.lowest_deposit <= 0.5) if bears else None,
        "chance_deposit_grows": chance(lambda y: y.last_deposit > 1.0) if bears else None,
        "deposit_relative": centre.last_deposit if bears else None,
        "deposit_relative_low": float(np.percentile(last, 5)) if bears else None,
        "deposit_relative_high": float(np.percentile(last, 95)) if bears else None,
    }
