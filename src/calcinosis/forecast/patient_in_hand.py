"""The patient in hand: what was measured, how it came about, and how far anyone would miss it.

What may move, and by how much between patients, stands in ``parameters.yaml`` (`patient_sd`).
Patients are told apart by their steps from the typical one: of each free parameter, then of the
parathyroid mass at the beginning, in standard deviations between patients.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calcinosis.errors import InputError
from calcinosis.forecast.dialysis import arterial_share
from calcinosis.forecast.ensemble import Member, Past, live, moved, past_of
from calcinosis.forecast.labs import CLOSE_LOOK_DAYS, laboratory
from calcinosis.forecast.observed import (
    Observation,
    beyond_bounds,
    joint_scatter,
    observations,
)
from calcinosis.forecast.parameters import Parameters, patient_spread, population
from calcinosis.forecast.scenario import Phase, ScenarioPatient
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


@dataclass(frozen=True, eq=False)
class PatientInHand:
    """What the fit goes by.

    Attributes:
        observed: the results.
        rows: of the past's trajectory, one for each result.
        past: treatment until today.
        centre: the typical patient of this weight.
        typical_gland: parathyroid mass of the typical patient at the beginning, 1 = normal.
        free: parameters the data could move, with their spread between patients.
        scatter: of the results' logarithms, see `joint_scatter`.
    """

    observed: tuple[Observation, ...]
    rows: NDArray[np.int64]
    past: Past
    centre: Parameters
    typical_gland: float
    free: dict[str, float]
    scatter: Array

    def at(self, steps: Array) -> tuple[Parameters, float]:
        """Parameters and parathyroid mass of a patient so many standard deviations away."""
        gland = self.typical_gland * float(np.exp(GLAND_SD * steps[-1]))
        return moved(self.centre, self.free, steps[:-1]), gland

    def lived(self, p: Parameters, gland: float) -> tuple[Member, Array]:
        """Such a patient today, and the excess of each result over what it had, logarithms."""
        member, course, trajectory = live(p, self.past, gland=gland)
        expected = _expected(self.observed, self.rows, course, trajectory, p)
        alp = np.array([one.column == "alp_relative" for one in self.observed])
        expected[alp] *= own_bone(p, self.centre)
        values = np.array([one.value for one in self.observed])
        return member, np.asarray(np.log(values) - np.log(expected), dtype=np.float64)

    def misses(self, excess: Array) -> Array:
        """The excess of each result in its standard deviation, of bounds what they tell."""
        alone = np.asarray(np.linalg.solve(self.scatter, excess), dtype=np.float64)
        return beyond_bounds(alone, np.array([one.bound for one in self.observed]))

    def residuals(self, steps: Array) -> Array:
        """Misses of the data, then the steps themselves: what the fit makes small."""
        return np.concatenate([self.misses(self.lived(*self.at(steps))[1]), steps])


def patient_in_hand(patient: ScenarioPatient, first: Phase) -> PatientInHand:
    """A scenario's patient with results, about to begin its first phase.

    Raises:
        InputError: a result that cannot be used.
    """
    observed = tuple(observations(patient.labs)[0])
    past = _past(patient, first, observed)
    centre = population(patient.dry_weight_kg, patient.deposit_masses)
    return PatientInHand(
        observed,
        sample_rows(observed, timeline(past.prescriptions, centre, start_day=-past.days)),
        past,
        centre,
        float(live(centre, beginning(past))[0].start[GLAND]),
        _free(observed, past),
        joint_scatter(observed),
    )


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
