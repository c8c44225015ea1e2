"""Steps from fluid down to something dense, column by column, and which of them belong together."""

from collections.abc import Iterator

import numpy as np
from numba import njit
from numpy.typing import NDArray

# Chosen on our own phantoms (benchmarks/fluid_levels.py). numba reads them when it compiles.
KNEE = 0.35  # a step's plateau begins where the profile flattens to this share of its slope
APART = 3  # samples between two steps of one column
FLANK_WIDTHS = 2.0  # how many widths of the blur either side of a step tell where it lies
WIDTH_SAMPLES = (1.2, 3.0)  # least and most blur of a step: standard deviation of its slope
SHARPEST_PERCENTILE = 25  # of the widths of the strong steps: slanting walls look wider
STRONG_PERCENTILE = 60
FLUID_HU = (-70.0, 160.0)
MIXED_SHARE = 0.55  # fluid blurred with a rim beside it may look as dense as this share of sediment
SEDIMENT_MIN_HU = 170.0
STEP_MIN_HU = 110.0


def find_steps(
    profile: NDArray[np.float32], near_mass: NDArray[np.bool_], reach: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Every step from fluid down to sediment, sought with the blur that this scan shows.

    Args:
        profile: HU with axis 0 down.
        near_mass: where steps are looked for.
        reach: samples above and below a step in which its plateaus are sought.

    Returns:
        Their columns (n, 2), and (n, 2) where each lies (in samples) and how high it is (HU).
    """
    columns, steps = _find(profile, near_mass, reach, *_bell(WIDTH_SAMPLES[0]))
    if len(steps) == 0:
        return columns, steps[:, :2]
    strong = steps[:, 1] >= np.percentile(steps[:, 1], STRONG_PERCENTILE)
    width = np.percentile(steps[strong, 1] / steps[strong, 2], SHARPEST_PERCENTILE)
    width = float(np.clip(width / np.sqrt(2 * np.pi), *WIDTH_SAMPLES))
    columns, steps = _find(profile, near_mass, reach, *_bell(width))
    return columns, steps[:, :2]


def _bell(width: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights that read the height of a bell, and height times shift, off slopes on a line."""
    flank = round(FLANK_WIDTHS * width)
    at = np.arange(-flank, flank + 1, dtype=np.float64)
    bell = np.exp(-0.5 * (at / width) ** 2)
    moved = bell * at / width**2
    height = np.linalg.pinv(np.stack([bell, np.ones_like(at)], axis=1))[0]
    return height, np.linalg.pinv(np.stack([moved, at], axis=1))[0]


@njit(cache=True)
def _find(profile, near_mass, reach, bell, shift):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Columns (n, 2) of the steps, and (n, 3) where each lies, its rise and its steepest slope."""
    depth, rows, cols = profile.shape
    columns = []
    steps = []
    for u in range(rows):
        for v in range(cols):
            if not near_mass[:, u, v].any():
                continue
            column = profile[:, u, v]
            matched = _matched(column, bell)
            k = 1
            while k < depth - 1:
                if not (near_mass[k, u, v] and _steepest(column, matched, k)):
                    k += 1
                    continue
                rise = _rise(column, k, matched[k], reach)
                if rise > 0:
                    columns.append((u, v))
                    place = k + 0.5 + _off_centre(column, k, matched[k], shift)
                    steps.append((place, rise, column[k + 1] - column[k]))
                k += APART
    found_columns = np.empty((len(columns), 2), dtype=np.int64)
    found_steps = np.empty((len(columns), 3), dtype=np.float64)
    for n in range(len(columns)):
        found_columns[n, 0], found_columns[n, 1] = columns[n]
        found_steps[n, 0], found_steps[n, 1], found_steps[n, 2] = steps[n]
    return found_columns, found_steps


@njit(cache=True)
def _matched(column, bell):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Height of the bell that fits the slope around each sample best; 0 near the ends."""
    flank, last = len(bell) // 2, len(column) - 1
    height = np.zeros(len(column))
    for k in range(flank, last - flank):
        for n in range(len(bell)):
            at = k - flank + n
            height[k] += bell[n] * (column[at + 1] - column[at])
    return height


@njit(cache=True)
def _steepest(column, matched, k):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Whether the column rises after k, and nowhere more within three samples."""
    if matched[k] <= 0 or column[k + 1] <= column[k]:
        return False
    for other in range(max(0, k - APART), min(len(matched), k + APART + 1)):
        if matched[other] > matched[k]:
            return False
    return True


@njit(cache=True)
def _rise(column, k, slope, reach):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """How high the step at k is; 0 when it does not lead from fluid to sediment."""
    last = len(column) - 1
    above, below = k, k + 1
    while above > max(0, k - reach) and column[above] - column[above - 1] > KNEE * slope:
        above -= 1
    while below < min(last, k + reach) and column[below + 1] - column[below] > KNEE * slope:
        below += 1
    low, high = column[above], column[below]
    fluid = FLUID_HU[0] < low < max(FLUID_HU[1], MIXED_SHARE * high)
    return high - low if fluid and high >= SEDIMENT_MIN_HU and high - low >= STEP_MIN_HU else 0.0


@njit(cache=True)
def _off_centre(column, k, height, shift):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """How far from k the slope peaks: a bell of known width on a straight line, least squares.

    What lies beside the column adds a gradual slope to the blurred step, which the line takes up.
    """
    flank, moment = len(shift) // 2, 0.0
    for n in range(len(shift)):
        at = k - flank + n
        moment += shift[n] * (column[at + 1] - column[at])
    return min(max(moment / height, -1.0), 1.0)


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
    places = columns[:, 0] * (columns[:, 1].max() + 1) + columns[:, 1]
    while len(linked):
        _, first = np.unique(places, return_index=True)
        yield linked[first]
        linked, places = np.delete(linked, first), np.delete(places, first)
