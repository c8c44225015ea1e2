"""Where one `--seed` point would settle what the measurement could not."""

import numpy as np
from numpy.typing import NDArray

from calcinosis.measure.mass import Mass, Point
from calcinosis.volume import Volume

UNCERTAIN = 0.8  # confidence below which the reader is asked to look


def needs_seed(mass: Mass) -> bool:
    """Whether a reader's point would add certainty: doubtful, or cut from bone."""
    return mass.confidence < UNCERTAIN or mass.bone.contact_mm2 > 0


def seed_point(
    volume: Volume, labels: NDArray[np.uint8], mass: Mass, box: tuple[slice, ...]
) -> Point:
    """A densely calcified voxel of the mass, the nearest such to its centre."""
    inside = np.argwhere(labels[box] == mass.id) + [extent.start for extent in box]
    hounsfield = volume.voxels[tuple(inside.T)]
    dense = inside[hounsfield >= np.percentile(hounsfield, 75)]
    places = volume.to_lps(dense)
    distance = np.linalg.norm(places - np.asarray(mass.centroid_lps_mm), axis=1)
    x, y, z = places[int(distance.argmin())]
    return float(x), float(y), float(z)
