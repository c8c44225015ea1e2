"""How deep a mass lies under the skin."""

import edt
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.volume import Volume

AIR_HU = -300  # between fat (about -100) and air (-1000)
GRID_MM = 1.5  # in-plane grid of the search; finer scans are thinned to it
REACH_MM = (60.0, 300.0)
COVER_MM = 4.0  # sheets, blankets and table shells are thinner


def skin_distance_mm(volume: Volume, envelope: NDArray[np.bool_]) -> float | None:
    """Shortest way from the envelope to the air outside the body, in mm (to about 1 mm).

    Air inside (bowel, lung) does not count: only air that reaches the edge of its axial slice does.
    None when no outside air is in the image, or the mass is empty.
    """
    if not envelope.any():
        return None
    spacing = volume.spacing_mm
    extents = ndimage.find_objects(envelope.astype(np.uint8))[0]
    thin = max(1, int(GRID_MM / min(spacing[1:])))
    for reach in REACH_MM:
        z, y, x = (
            slice(max(0, int(e.start - reach / step)), int(e.stop + reach / step) + 1)
            for e, step in zip(extents, spacing, strict=True)
        )
        steps = (spacing[0], spacing[1] * thin, spacing[2] * thin)
        outside = _outside_air(volume.voxels[z, ::thin, ::thin] > AIR_HU, steps)
        inner = (
            slice(None),
            slice(y.start // thin, y.stop // thin + 1),
            slice(x.start // thin, x.stop // thin + 1),
        )
        mass = envelope[z, ::thin, ::thin][inner]
        if not outside[inner].any() or not mass.any():
            continue
        to_air = edt.edt(np.ascontiguousarray(~outside[inner]), anisotropy=steps, parallel=1)
        distance = float(to_air[mass].min()) - steps[1] / 2
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
        labels, _ = ndimage.label(~opened)
        rim = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
        np.copyto(result, np.isin(labels, rim[rim > 0]))
    return outside
