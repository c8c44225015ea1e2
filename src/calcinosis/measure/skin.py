"""How deep a mass lies under the skin."""

import edt
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.measure.working_grid import Box
from calcinosis.volume import Volume

AIR_HU = -300  # between fat (about -100) and air (-1000)
GRID_MM = 1.5  # in-plane grid of the search; finer scans are thinned to it
REACH_MM = (60.0, 300.0)
COVER_MM = 4.0  # sheets, blankets and table shells are thinner


def skin_distance_mm(volume: Volume, box: Box, envelope: NDArray[np.bool_]) -> float | None:
    """Shortest way from the envelope to the air outside the body, in mm (to about 1 mm).

    Args:
        volume: the scan.
        box: where in it the envelope lies.
        envelope: voxels of the mass in that box.

    Air inside (bowel, lung) does not count: only air that reaches the edge of its axial slice does.
    None when no outside air is in the image, or the mass is empty.
    """
    if not envelope.any():
        return None
    thin = max(1, round(GRID_MM / min(volume.spacing_mm[1:])))
    spacing = (volume.spacing_mm[0], volume.spacing_mm[1] * thin, volume.spacing_mm[2] * thin)
    places = np.argwhere(envelope) + [extent.start for extent in box]
    places = np.unique(places // [1, thin, thin], axis=0)
    for reach in REACH_MM:
        z, y, x = (
            slice(max(0, int(low - reach / step)), int(high + reach / step) + 2)
            for low, high, step in zip(places.min(0), places.max(0), spacing, strict=True)
        )
        outside = _outside_air(volume.voxels[z, ::thin, ::thin] > AIR_HU, spacing)[:, y, x]
        if not outside.any():
            continue
        to_air = edt.edt(np.ascontiguousarray(~outside), anisotropy=spacing, parallel=1)
        inside = places - [z.start, y.start, x.start]
        distance = float(to_air[tuple(inside.T)].min()) - spacing[1] / 2
        if distance <= reach:
            return max(0.0, distance)
    return None


def _outside_air(
    body: NDArray[np.bool_], spacing_mm: tuple[float, float, float]
) -> NDArray[np.bool_]:
    """Air connected to the edge of its slice, thin covers removed."""
    radius = max(1, round(COVER_MM / 2 / spacing_mm[1]))
    disc = np.hypot(*np.mgrid[-radius : radius + 1, -radius : radius + 1]) <= radius
    outside = np.zeros_like(body)
    for solid, result in zip(body, outside, strict=True):
        padded = np.pad(solid, radius, mode="edge")
        opened = ndimage.binary_opening(padded, disc)[radius:-radius, radius:-radius]
        labels, count = ndimage.label(~opened)
        reached = np.zeros(count + 1, bool)
        for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
            reached[edge] = True
        reached[0] = False
        result[:] = reached[labels]
    return outside
