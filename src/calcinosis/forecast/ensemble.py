"""Conceivable patients: drawn from the spread between patients, each led to the state of today."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from calcinosis.forecast.parameters import (
    CA_MG_PER_MMOL,
    Parameters,
    patient_spread,
)
from calcinosis.forecast.prescription import Prescription, before_day_0
from calcinosis.forecast.scenario import Phase, ScenarioPatient
from calcinosis.forecast.simulate import Trajectory, simulate, starting_state
from calcinosis.forecast.states import (
    CA_ABSORBED,
    DEPOSIT_LABILE,
    DEPOSIT_MATURE,
    Array,
    Controls,
)
from calcinosis.forecast.treatments import Timeline, gland_tissue, repeated_weeks, timeline

SEED = 20
LINEAR = ("calcium_offset",)  # spreads on its own scale; all others on the logarithmic


@dataclass(frozen=True)
class Member:
    """One conceivable patient: parameters, the state today, parathyroid tissue in place.

    `pth`: today's (pg/mL), under the treatment until now.
    """

    parameters: Parameters
    start: Array
    tissue: float
    pth: float


@dataclass(frozen=True)
class Past:
    """How a patient was treated until today, in whole weeks; the first phase began long before."""

    prescriptions: tuple[Prescription, ...]
    deposit_g: float  # at its beginning
    deposit_today_g: float | None  # None: as the simulated past leaves it
    deposit_from: int = 0  # day; before it the deposit is held, as in the starting state

    @property
    def days(self) -> int:
        """Length, a multiple of 7 so that today is a Wednesday."""
        return sum(one.days for one in self.prescriptions)

    @property
    def now(self) -> Prescription:
        """What holds today."""
        return self.prescriptions[-1]


def past_of(patient: ScenarioPatient, first: Phase, *, days: int = 0) -> Past:
    """The past of a scenario's patient, long enough to hold `days` of laboratory results."""
    known = before_day_0(patient, first)
    if not patient.history:
        known = [replace(known[0], days=0)]
    days += -days % 7
    length = max(days, sum(one.days for one in known))
    length += -length % 7
    missing = length - sum(one.days for one in known)
    known[0] = replace(known[0], days=known[0].days + missing)
    mass = patient.deposit_calcium_g
    return Past(tuple(known), mass, mass, deposit_from=-days)


def live(
    p: Parameters, past: Past, *, gland: float | None = None
) -> tuple[Member, Timeline | None, Trajectory | None]:
    """Lead a patient through the past: who stands here today, and how it went."""
    start = starting_state(
        p, past.prescriptions[0], deposit_mmol=past.deposit_g * 1000.0 / CA_MG_PER_MMOL, gland=gland
    )
    tissue = gland_tissue(past.prescriptions[0], p)
    course = trajectory = None
    if past.days:
        course = _calendar(past, p)
        trajectory = simulate(start, p, course, tissue=tissue)
        start = trajectory.states[-1].copy()
        start[CA_ABSORBED:] = 0.0
        pth = float(trajectory.pth[-1])
    else:
        as_now = timeline([replace(past.now, days=1)], p)
        pth = float(simulate(start, p, as_now, tissue=tissue).pth[0])
    if past.deposit_today_g is not None:
        half = past.deposit_today_g * 1000.0 / CA_MG_PER_MMOL / 2.0
        start[DEPOSIT_LABILE] = start[DEPOSIT_MATURE] = half
    return Member(p, start, gland_tissue(past.now, p), pth), course, trajectory


def _calendar(past: Past, p: Parameters) -> Timeline:
    """The past day by day; until a mass was measured nobody knows how it got there."""
    course = timeline(past.prescriptions, p, start_day=-past.days)
    held = course.day < past.deposit_from
    if not held.any():
        return course
    controls = course.controls.copy()
    controls[held, Controls._fields.index("deposit_rate")] = 0.0
    repeats = repeated_weeks(course.hours, controls, course.day, course.phase)
    return course._replace(controls=controls, repeats=repeats)


def population_members(past: Past, centre: Parameters, n: int) -> list[Member]:
    """The average patient first, then `n` drawn from the spread between patients."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda p: live(p, past)[0], [centre, *draw(centre, n)]))


def draw(centre: Parameters, n: int, *, seed: int = SEED) -> list[Parameters]:
    """Draw `n` patients around `centre`, antithetic so that few stand evenly on both sides."""
    spread = patient_spread()
    return [moved(centre, spread, row) for row in antithetic(n, len(spread), seed=seed)]


def antithetic(n: int, dimensions: int, *, seed: int = SEED) -> Array:
    """Standard normal draws [n, dimensions] in mirrored pairs."""
    half = np.random.default_rng(seed).standard_normal(((n + 1) // 2, dimensions))
    return np.vstack([half, -half])[:n]


def moved(
    centre: Parameters, spread: dict[str, float], steps: Sequence[float] | Array
) -> Parameters:
    """Move parameters by so many standard deviations each."""
    values = {}
    for (name, sd), step in zip(spread.items(), steps, strict=True):
        at = getattr(centre, name)
        values[name] = float(at + sd * step if name in LINEAR else at * np.exp(sd * step))
    return centre._replace(**values)
