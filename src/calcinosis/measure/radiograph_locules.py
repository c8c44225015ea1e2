"""Rounded densities of a mass on a radiograph, as far as they are told apart."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

# Blobs of the Laplacian of Gaussians over scales (Lindeberg 1998, doi:10.1023/A:1008045108935).
STANDS_OUT = 0.15  # of the mass's contrast, response of a blob that counts
LEAST_PIXELS = 1.5  # standard deviation of the smallest blob
LARGEST_SHARE = 0.14  # of the mass's extent, standard deviation of the largest: two fifths wide
_SCALES = 8
_OVERLAP = 0.3  # of two blobs' areas, from which they are one


@dataclass(frozen=True)
class RoundedDensity:
    """A rounded or oval density: its middle on the film (row, column), and how wide it is."""

    centre: tuple[float, float]
    diameter_mm: float


def rounded_densities(
    density: Float,
    mask: NDArray[np.bool_],
    lift: float,
    step_mm: float,
    to_film: tuple[tuple[float, float], float],
) -> tuple[RoundedDensity, ...]:
    """What stands out inside the mass, largest first. What lies behind each other counts once.

    Args:
        density: around the mass, bright where dense.
        mask: the mass, same shape.
        lift: density of the mass above its surroundings.
        step_mm: from one place to the next.
        to_film: (row, column) of the first place, and pixels of the film from one to the next.
    """
    from skimage.feature import blob_log

    rows, columns = np.nonzero(mask)
    extent = float(max(np.ptp(rows), np.ptp(columns)) + 1)
    relative = np.clip((density - np.median(density[mask])) / max(lift, 1e-9), -3, 3)
    blobs = blob_log(
        relative.astype(np.float64),
        min_sigma=LEAST_PIXELS,
        max_sigma=max(LARGEST_SHARE * extent, LEAST_PIXELS + 1),
        num_sigma=_SCALES,
        threshold=STANDS_OUT,
        overlap=_OVERLAP,
    )
    start, step = to_film
    found = [
        RoundedDensity(
            (start[0] + float(row) * step, start[1] + float(column) * step),
            float(2 * np.sqrt(2) * width * step_mm),
        )
        for row, column, width in blobs
        if mask[int(row), int(column)]
    ]
    return tuple(sorted(found, key=lambda one: -one.diameter_mm))
