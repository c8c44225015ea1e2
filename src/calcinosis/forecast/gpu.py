"""The march of ``simulate.py`` on a graphics processor: one thread per patient, the same code.

Needs the extra ``gpu`` (numba-cuda) and an NVIDIA driver. So far it was compiled for such a device
and run in numba's simulator; it has not run on one.
"""

from collections.abc import Callable, Sequence
from importlib.util import find_spec

import numpy as np
from numba import cuda
from numpy.typing import NDArray

from calcinosis.forecast.parameters import Parameters, records, solve
from calcinosis.forecast.simulate import SCRATCH_ROWS, march
from calcinosis.forecast.states import N_STATES, Array
from calcinosis.forecast.treatments import Timeline

THREADS = 64  # per block; each holds some two kilobytes of its own
MEMORY_SHARE = 0.8  # of what is free on the device


def at_hand() -> bool:
    """Whether a device is there, and numba-cuda, which compiles for it (numba alone does not)."""
    return find_spec("numba_cuda") is not None and bool(cuda.is_available())


@cuda.jit
def _march_each(  # noqa: PLR0913, PLR0917  # a kernel takes arrays, not objects
    starts: Array,
    patients: NDArray[np.record],
    solved: NDArray[np.record],
    tissue: Array,
    hours: Array,
    controls: Array,
    repeats: NDArray[np.int64],
    row: int,
    states: Array,
    pth: Array,
    ends: Array,
    ends_pth: Array,
) -> None:
    i = cuda.grid(1)  # type: ignore[attr-defined]  # numba makes these three when it starts
    if i < len(tissue):
        y = cuda.local.array(N_STATES, np.float64)  # type: ignore[attr-defined]
        scratch = cuda.local.array((SCRATCH_ROWS, N_STATES), np.float64)  # type: ignore[attr-defined]
        for j in range(N_STATES):
            y[j] = starts[i, j]
        march(
            y, patients[i], solved[i], hours, controls, repeats, tissue[i], 1.0,
            states[i], pth[i], scratch,
        )  # fmt: skip
        for j in range(N_STATES):
            ends[i, j] = states[i, row, j]
        ends_pth[i] = pth[i, row]


def march_each(
    starts: Array,
    patients: Sequence[Parameters],
    tissue: Array,
    course: Timeline,
    row: int,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Array, Array]:
    """Simulate many patients on one course, as many at once as the device has memory for.

    Args:
        starts: states at the start, [patients, N_STATES].
        patients: their parameters.
        tissue: parathyroid tissue in place before, [patients].
        course: the treatment.
        row: of the timeline, whose state is wanted.
        progress: told how many patients are done, of how many.

    Returns:
        States [patients, N_STATES] and PTH [patients] at that row.
    """
    rows = len(course.hours) + 1
    free = cuda.current_context().get_memory_info().free
    many = max(1, int(min(len(starts), MEMORY_SHARE * free / (8 * rows * (N_STATES + 1)))))
    own = starts, records(patients), records([solve(p) for p in patients]), tissue
    treatment = [cuda.to_device(a) for a in (course.hours, course.controls, course.repeats)]
    states, pth = cuda.device_array((many, rows, N_STATES)), cuda.device_array((many, rows))
    ends, ends_pth = np.empty((len(starts), N_STATES)), np.empty(len(starts))
    for first in range(0, len(starts), many):
        batch = slice(first, first + many)
        given = [cuda.to_device(a[batch]) for a in own]
        found = [cuda.device_array_like(a[batch]) for a in (ends, ends_pth)]
        blocks = -(-len(tissue[batch]) // THREADS)
        _march_each[blocks, THREADS](*given, *treatment, row, states, pth, *found)
        ends[batch], ends_pth[batch] = (one.copy_to_host() for one in found)
        if progress:
            progress(min(first + many, len(starts)), len(starts))
    return ends, ends_pth
