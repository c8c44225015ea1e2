"""Many virtual patients on one treatment, in parallel, with progress."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from calcinosis.forecast import gpu
from calcinosis.forecast.ensemble import draw
from calcinosis.forecast.labs import ANALYTES, laboratory
from calcinosis.forecast.parameters import Parameters, population
from calcinosis.forecast.prescription import Prescription
from calcinosis.forecast.simulate import (
    Trajectory,
    in_haste,
    run_in,
    settle,
    simulate,
    starting_state,
    unsettled_state,
)
from calcinosis.forecast.states import Array
from calcinosis.forecast.treatments import gland_tissue, timeline

Progress = Callable[[int, int], None]


def virtual_patients(n: int, *, weight_kg: float = 70.0, seed: int = 0) -> list[Parameters]:
    """Draw `n` patients from the spread between patients."""
    return draw(population(weight_kg), n, seed=seed)


def simulate_cohort(
    patients: Sequence[Parameters],
    before: Prescription,
    plan: Sequence[Prescription],
    *,
    threads: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Array]:
    """Simulate every patient from its own starting state.

    Args:
        patients: their parameters; those of dialyser, drugs and graft are taken from the first.
        before: the treatment that led to the starting state.
        plan: the treatment to simulate.
        threads: as many as there are cores, unless given; the kernel leaves Python's lock alone.
        progress: told how many patients are done, of how many; on a graphics processor, which is
            used where there is one (`gpu.at_hand`), batch by batch.

    Returns:
        Laboratory values before the last midweek session (or the last week's, without sessions),
        by column of `labs.ANALYTES`, [patients].
    """
    course = timeline(plan, patients[0])
    settled = run_in(patients[0], before)
    last = int(np.flatnonzero(course.day % 7 == 0)[-1])

    tissue = np.array([gland_tissue(before, p) for p in patients])
    if gpu.at_hand():
        hasty = [in_haste(p) for p in patients]
        start = np.array([unsettled_state(p, t) for p, t in zip(hasty, tissue, strict=True)])
        start, _ = gpu.march_each(start, hasty, tissue, settled, len(settled.hours))
        settle(start)
        states, pth = gpu.march_each(start, patients, tissue, course, last, progress)
    else:
        states, pth = _by_threads(
            lambda p: simulate(
                starting_state(p, before, course=settled), p, course, tissue=gland_tissue(before, p)
            ),
            patients, last, threads or os.cpu_count(), progress,
        )  # fmt: skip
    found = zip(states, pth, patients, strict=True)
    ends = [laboratory(state, level, p) for state, level, p in found]
    return {name: np.array([end[name] for end in ends]) for name in ANALYTES}


def _by_threads(
    life: Callable[[Parameters], Trajectory],
    patients: Sequence[Parameters],
    row: int,
    threads: int | None,
    progress: Progress | None,
) -> tuple[Array, Array]:
    """State and PTH of every patient at one row; nothing else of the trajectories is kept."""

    def end_of(p: Parameters) -> tuple[Array, float]:
        states, pth = life(p)
        return states[row].copy(), float(pth[row])

    ends = []
    with ThreadPoolExecutor(threads) as pool:
        for done, end in enumerate(pool.map(end_of, patients), start=1):
            ends.append(end)
            if progress:
                progress(done, len(patients))
    states, pth = zip(*ends, strict=True)
    return np.array(states), np.array(pth)
