"""Fit the patient in hand: maximum a posteriori on a laboratory series, then Laplace's spread.

A parameter whose spread the data shrink by less than 30 %, and whose interval holds the typical
value, is reported as prior: the data say little.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from calcinosis.forecast.ensemble import LINEAR, Member, Past
from calcinosis.forecast.likely import conceivable
from calcinosis.forecast.observed import ALP_SD, Observation
from calcinosis.forecast.parameters import table
from calcinosis.forecast.patient_in_hand import GLAND_SD, PatientInHand, patient_in_hand
from calcinosis.forecast.scenario import Lab, Phase, ScenarioPatient
from calcinosis.forecast.states import Array

MOVED_BELOW = 0.7  # posterior / prior spread
MISSED_BY = 2.5  # SD of a result around what the fit makes of it: of 80 results one by chance
Residuals = Callable[[Array], Array]
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
    mine = patient_in_hand(patient, first)
    best, jacobian = posterior(mine.residuals, np.zeros(len(mine.free) + 1))
    covariance = np.asarray(np.linalg.inv(jacobian.T @ jacobian), dtype=np.float64)
    most_probable, excess = mine.lived(*mine.at(best))
    members = conceivable(mine, best, jacobian, covariance, n)
    findings = _findings(mine, best, covariance)
    told = missed(patient.labs, mine.observed, excess)
    return Fit([most_probable, *members], findings, mine.past, told)


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


def _findings(mine: PatientInHand, best: Array, covariance: Array) -> tuple[Finding, ...]:
    rows, free = table(), mine.free
    spread = np.sqrt(np.diag(covariance))
    names = [*free, "gland"]
    units = {name: rows[name]["unit"] for name in free}
    meaning = {
        name: rows[name]["what"] + (f", {unit}" if unit != "-" else "")
        for name, unit in units.items()
    } | {"gland": "parathyroid mass where history or results begin, 1 = normal"}
    typical = {name: getattr(mine.centre, name) for name in free} | {"gland": mine.typical_gland}
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
