"""Many virtual patients on one treatment, in parallel, with progress."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from calcinosis.forecast.ensemble import draw
from calcinosis.forecast.labs import ANALYTES, laboratory
from calcinosis.forecast.model import Array
from calcinosis.forecast.parameters import Parameters, population
from calcinosis.forecast.simulate import run_in, simulate, starting_state
from calcinosis.forecast.treatments import Prescription, gland_tissue, timeline


def virtual_patients(n: int, *, weight_kg: float = 70.0, seed: int = 0) -> list[Parameters]:
    """Draw `n` patients from the spread between patients."""
    return draw(population(weight_kg), n, seed=seed)


def simulate_cohort(
    patients: Sequence[Parameters],
    before: Prescription,
    plan: Sequence[Prescription],
    *,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Array]:
    """Simulate every patient from its own starting state.

    Args:
        patients: their parameters; those of dialyser, drugs and graft are taken from the first.
        before: the treatment that led to the starting state.
        plan: the treatment to simulate.
        threads: as many as there are cores, unless given; the kernel leaves Python's lock alone.
        progress: told how many patients are done, of how many.

    Returns:
        Laboratory values before the last midweek session (or the last week's, without sessions),
        by column of `labs.ANALYTES`, [patients].
    """
    course = timeline(plan, patients[0])
    settled = run_in(patients[0], before)
    last = int(np.flatnonzero(course.day % 7 == 0)[-1])

    def end_of(p: Parameters) -> dict[str, Array]:
        start = starting_state(p, before, course=settled)
        states, pth = simulate(start, p, course, tissue=gland_tissue(before, p))
        return laboratory(states[last], pth[last], p)

    ends = []
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        for done, end in enumerate(pool.map(end_of, patients), start=1):
            ends.append(end)
            if progress:
                progress(done, len(patients))
    return {name: np.array([end[name] for end in ends]) for name in ANALYTES}
