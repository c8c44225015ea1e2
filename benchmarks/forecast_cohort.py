"""A virtual population on one treatment for five years: seconds in parallel, and the error.

    python benchmarks/forecast_cohort.py [PATIENTS]

Progress goes to standard error. The error is that of the last midweek PTH of a hundred patients
against steps three times as fine without weeks passed over.
"""

import sys
import time
from dataclasses import replace

import numpy as np
from forecast_cohorts import USUAL

from calcinosis.forecast.cohort import simulate_cohort, virtual_patients
from calcinosis.forecast.prescription import before_day_0
from calcinosis.forecast.scenario import parse_scenario
from calcinosis.forecast.simulate import simulate, starting_state
from calcinosis.forecast.treatments import timeline

DAYS = 1826
CHECKED = 100


def main() -> None:
    """Run, time, compare."""
    many = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    scenario = parse_scenario({"phases": [USUAL]})
    before = before_day_0(scenario.patient, scenario.phases[0])[-1]
    plan = [replace(before, days=DAYS)]
    patients = virtual_patients(many)
    simulate_cohort(patients[:2], before, plan)  # compile

    def progress(done: int, of: int) -> None:
        if done % max(1, of // 100) == 0:
            print(f"{done} of {of}", end="\r", file=sys.stderr, flush=True)

    began, worked = time.perf_counter(), time.process_time()
    ends = simulate_cohort(patients, before, plan, progress=progress)
    passed, worked = time.perf_counter() - began, time.process_time() - worked
    print(f"{many} patients x 5 years: {passed:.0f} s, {worked:.0f} s of processor time")
    course = timeline(plan, patients[0])
    last = int(np.flatnonzero(course.day % 7 == 0)[-1])
    every = course._replace(repeats=np.zeros_like(course.repeats))
    errors = [
        abs(pth / simulate(starting_state(p, before), p, every, fineness=3.0).pth[last] - 1)
        for p, pth in zip(patients[:CHECKED], ends["pth_pg_ml"], strict=False)
    ]
    print(f"PTH differs by {np.median(errors):.1e} in the median, {max(errors):.1e} at most")


if __name__ == "__main__":
    main()
