"""Virtual patients x 5 years per second, and the ratio to scipy's LSODA on one core.

    python benchmarks/forecast_speed.py [PATIENTS] [LSODA_PATIENTS]

Both integrate the same compiled right-hand side from the same starting states over the same five
years of three sessions a week; LSODA restarts at every change of control, as it must. Error: PTH
before every midweek session against LSODA at 1e-8.
"""

import sys
import time
from dataclasses import replace

import numpy as np
from forecast_cohorts import USUAL
from numba import njit
from scipy.integrate import odeint

from calcinosis.forecast.cohort import virtual_patients
from calcinosis.forecast.model import parathyroid_hormone, rates
from calcinosis.forecast.parameters import Parameters, solve
from calcinosis.forecast.prescription import before_day_0
from calcinosis.forecast.scenario import parse_scenario
from calcinosis.forecast.simulate import controls_of, simulate, starting_state
from calcinosis.forecast.states import N_STATES, VOLUME, Array, Controls
from calcinosis.forecast.treatments import Timeline, timeline

DAYS = 1826


def lsoda(start: Array, p: Parameters, course: Timeline, tolerance: float) -> tuple[Array, float]:
    """PTH at the start of every stretch, [k], and seconds of processor time."""
    s = solve(p)

    @njit
    def slope(y: Array, _t: float, u: Controls) -> Array:
        dy = np.empty(N_STATES)
        rates(y, u, p, s, dy)
        return dy

    slope(start, 0.0, controls_of(course.controls[0], start[VOLUME], p))
    y, pth = start.copy(), []
    began = time.process_time()
    for hours, row in zip(course.hours, course.controls, strict=True):
        u = controls_of(row, y[VOLUME], p)
        pth.append(parathyroid_hormone(y, u, p, s))
        y = odeint(slope, y, [0.0, hours], args=(u,), rtol=tolerance, atol=tolerance, mxstep=5000)[
            1
        ]
    return np.array(pth), time.process_time() - began


def main() -> None:
    """Time both, compare."""
    many, few = (int(a) for a in [*sys.argv[1:], "24", "2"][:2])
    scenario = parse_scenario({"phases": [USUAL]})
    before = before_day_0(scenario.patient, scenario.phases[0])[-1]
    patients = virtual_patients(many)
    course = timeline([replace(before, days=DAYS)], patients[0])
    midweek = np.flatnonzero(course.session & (course.day % 7 == 0))
    starts = [starting_state(p, before) for p in patients]
    simulate(starts[0], patients[0], course)
    began = time.process_time()
    runs = [simulate(y, p, course) for y, p in zip(starts, patients, strict=True)]
    own = (time.process_time() - began) / many
    print(f"ours: {1 / own:.1f} patients x 5 years per second of one core")
    for tolerance in (1e-8, 1e-6):
        seconds, errors = [], []
        for y, p, run in list(zip(starts, patients, runs, strict=True))[:few]:
            pth, spent = lsoda(y, p, course, tolerance)
            seconds.append(spent)
            errors.append(np.abs(run.pth[midweek] / pth[midweek] - 1).max())
        print(
            f"LSODA {tolerance:g}: {1 / np.mean(seconds):.2f} per second; ratio "
            f"{np.mean(seconds) / own:.0f}; our PTH differs by at most {max(errors):.1e}"
        )


if __name__ == "__main__":
    main()
