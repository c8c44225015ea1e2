"""Steps from fluid down to something dense, column by column, and which of them belong together."""

from collections.abc import Iterator

import numpy as np
from numba import njit
from numpy.typing import NDArray

# Chosen on our own phantoms (benchmarks/fluid_levels.py). numba reads them when it compiles.
KNEE = 0.35  # a step's plateau begins where the profile flattens to this share of its slope
FLANK = 3  # samples either side of the steepest one that tell where it lies
BELL_SAMPLES = 1.5  # standard deviation of a blurred step's slope
FLUID_HU = (-70.0, 160.0)
MIXED_SHARE = 0.55  # fluid blurred with a rim beside it may look as dense as this share of sediment
SEDIMENT_MIN_HU = 170.0
STEP_MIN_HU = 110.0


def _bell() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights that read the height of a bell, and height times shift, off slopes on a line."""
    at = np.arange(-FLANK, FLANK + 1, dtype=np.float64)
    bell = np.exp(-0.5 * (at / BELL_SAMPLES) ** 2)
    moved = bell * at / BELL_SAMPLES**2
    height = np.linalg.pinv(np.stack([bell, np.ones_like(at)], axis=1))[0]
    return height, np.linalg.pinv(np.stack([moved, at], axis=1))[0]


BELL, SHIFT = _bell()


@njit(cache=True)
def find_steps(profile, near_mass, reach):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Every step from fluid down to sediment: its column (n, 2), and (n, 2) where and how high."""
    depth, rows, cols = profile.shape
    columns = []
    steps = []
    for u in range(rows):
        for v in range(cols):
            k = 1
            while k < depth - 1:
                if not (near_mass[k, u, v] and _steepest(profile[:, u, v], k)):
                    k += 1
                    continue
                step = _measure(profile[:, u, v], k, reach)
                if step[1] > 0:
                    columns.append((u, v))
                    steps.append(step)
                k += 3
    found_columns = np.empty((len(columns), 2), dtype=np.int64)
    found_steps = np.empty((len(columns), 2), dtype=np.float64)
    for n in range(len(columns)):
        found_columns[n, 0], found_columns[n, 1] = columns[n]
        found_steps[n, 0], found_steps[n, 1] = steps[n]
    return found_columns, found_steps


@njit(cache=True)
def _steepest(column, k):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Whether the column rises after k, and nowhere more within three samples."""
    rise = column[k + 1] - column[k]
    if rise <= 0:
        return False
    for other in range(max(0, k - 3), min(len(column) - 1, k + 4)):
        if column[other + 1] - column[other] > rise:
            return False
    return True


@njit(cache=True)
def _measure(column, k, reach):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Place (in samples) and rise of the step at k; a rise of 0 when it is none."""
    last, rise = len(column) - 1, column[k + 1] - column[k]
    above, below = k, k + 1
    while above > max(0, k - reach) and column[above] - column[above - 1] > KNEE * rise:
        above -= 1
    while below < min(last, k + reach) and column[below + 1] - column[below] > KNEE * rise:
        below += 1
    low, high = column[above], column[below]
    fluid = FLUID_HU[0] < low < max(FLUID_HU[1], MIXED_SHARE * high)
    if not fluid or high < SEDIMENT_MIN_HU or high - low < STEP_MIN_HU:
        return 0.0, 0.0
    return k + 0.5 + _off_centre(column, k), high - low


@njit(cache=True)
def _off_centre(column, k):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """How far from k the slope peaks: a bell of known width on a straight line, least squares.

    What lies beside the column adds a gradual slope to the blurred step, which the line takes up.
    """
    if k < FLANK or k + 1 + FLANK >= len(column):
        return 0.0
    height, moment = 0.0, 0.0
    for n in range(2 * FLANK + 1):
        slope = column[k - FLANK + n + 1] - column[k - FLANK + n]
        height += BELL[n] * slope
        moment += SHIFT[n] * slope
    return min(max(moment / height, -1.0), 1.0) if height > 0 else 0.0


@njit(cache=True)
def link(columns, heights, tolerance, shape):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Label of each crossing: crossings of neighbouring columns at similar height are one sheet."""
    count = len(heights)
    parent = np.arange(count)
    first = np.full((shape[0] + 1, shape[1] + 1), -1)
    for n in range(count - 1, -1, -1):
        first[columns[n, 0], columns[n, 1]] = n
    for n in range(count):
        u, v = columns[n]
        for du, dv in ((1, 0), (0, 1)):
            m = first[u + du, v + dv]
            while 0 <= m < count and columns[m, 0] == u + du and columns[m, 1] == v + dv:
                if abs(heights[m] - heights[n]) <= tolerance:
                    a, b = n, m
                    while parent[a] != a:
                        parent[a] = parent[parent[a]]
                        a = parent[a]
                    while parent[b] != b:
                        parent[b] = parent[parent[b]]
                        b = parent[b]
                    parent[max(a, b)] = min(a, b)
                m += 1
    for n in range(count):
        root = n
        while parent[root] != root:
            root = parent[root]
        parent[n] = root
    return parent


def storeys(linked: NDArray[np.int64], columns: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Linked crossings, one per column: the uppermost of each, the next below, and so on.

    Where sediment lies on denser paste, the two steps meet at the edge and are linked there.
    """
    while len(linked):
        _, first = np.unique(columns, axis=0, return_index=True)
        yield linked[first]
        linked, columns = np.delete(linked, first), np.delete(columns, first, axis=0)
