"""The edge of what a picture shows, as curves of few points."""

import numpy as np
from numba import njit
from numpy.typing import NDArray


def edges(inside: NDArray[np.floating], tolerance: float) -> list[NDArray[np.float64]]:
    """Where `inside` passes one half: closed curves [n, 2] of (row, column).

    Args:
        inside: 0…1 at each pixel; 0 beyond them.
        tolerance: how far, in pixels, a point that is left out may lie from its curve.
    """
    from skimage.measure import find_contours

    curves = find_contours(np.pad(inside, 1), 0.5)
    kept = (curve[_needed(curve, tolerance)] - 1 for curve in curves)
    return [curve for curve in kept if len(curve) > 3]


@njit(cache=True)
def _needed(curve, tolerance):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Which points stay (Douglas & Peucker 1973, doi:10.3138/FM57-6770-U75U-7727)."""
    needed = np.zeros(len(curve), np.bool_)
    needed[0] = needed[-1] = True
    pending = [(0, len(curve) - 1)]
    while pending:
        first, last = pending.pop()
        farthest, distance = first, tolerance
        for index in range(first + 1, last):
            away = _distance(curve[index], curve[first], curve[last])
            if away > distance:
                farthest, distance = index, away
        if farthest > first:
            needed[farthest] = True
            pending.append((first, farthest))
            pending.append((farthest, last))
    return needed


@njit(cache=True)
def _distance(point, start, end):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """From a point to the line between two others."""
    down, right = end[0] - start[0], end[1] - start[1]
    y, x = point[0] - start[0], point[1] - start[1]
    squared = down * down + right * right
    share = min(max((y * down + x * right) / squared, 0.0), 1.0) if squared > 0 else 0.0
    return np.hypot(y - share * down, x - share * right)
