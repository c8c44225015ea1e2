"""The bone beside a mass, continued smoothly under it, on grids; and how dense its cortex is."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.measure.bone_site import Site
from calcinosis.measure.bone_surface import Bridge, SurfacePoints, continuation
from calcinosis.measure.masks import grown
from calcinosis.measure.working_grid import Box

Array = NDArray[np.float64]

NEAR_MM = 25.0  # bone this far around the mass shapes the expected surface
SPARE_MM = 2.5  # surface this close to the mass may be eroded
AROUND_MM = 15.0  # the cortex up to here tells how dense the bone's cortex is
CORTEX_MIN_HU = 250.0  # a surface fainter than this shows no cortex that could be lost
# Of the median around, intact contacts keep ≥ 0.55 in 98 % of their points, and pits of ≥ 2.7 mm
# fall below 0.2 somewhere: 18 phantoms, seeds 100–117 of benchmarks/erosion.py.
LOST_SHARE = 0.45
SURFACE_POINTS_MIN = 40
PATCH_GAP_MM = 2.0  # surface points this close, or neighbours on a coarse grid, are one patch
COARSE_MM = 2.0


def around_contact(points: SurfacePoints) -> NDArray[np.bool_]:
    """The surface points whose cortex tells what the contact's was."""
    return np.asarray((points.to_mass_mm > SPARE_MM) & (points.to_mass_mm < AROUND_MM))


def usual_cortex_hu(points: SurfacePoints) -> float | None:
    """How dense the cortex around the contact is; None: too little of it, or too faint."""
    around = around_contact(points)
    if np.count_nonzero(around) < SURFACE_POINTS_MIN:
        return None
    usual_hu = float(np.median(points.cortex_hu[around]))
    return usual_hu if usual_hu >= CORTEX_MIN_HU else None


def expected_surface(site: Site, trusted: SurfacePoints, most: int, draw: int = 0) -> Bridge:
    """The bone's surface, continued smoothly through points that are trusted: so many at most.

    Another `draw` takes other ones of them.
    """
    few = np.random.default_rng(draw).permutation(len(trusted))[:most]
    return continuation(trusted[few], site.to_bone_mm, site.spacing_mm)


def sampled(bridge: Bridge, site: Site, near: Site, box: Box) -> NDArray[np.float32]:
    """The bridge on the native grid in a box of the site."""
    to_coarse = np.asarray(site.spacing_mm) / COARSE_MM
    fine = ndimage.affine_transform(
        np.nan_to_num(on_coarse_grid(bridge, site, COARSE_MM), nan=NEAR_MM),
        to_coarse,
        offset=to_coarse * [extent.start for extent in box],
        output_shape=near.mass.shape,
        order=1,
        mode="nearest",
    )
    return np.asarray(fine, dtype=np.float32)


def on_coarse_grid(bridge: Bridge, site: Site, reach_mm: float) -> Array:
    """The bridge so far around the mass, near bone; NaN elsewhere."""
    spacing = np.asarray(site.spacing_mm)
    extent = np.asarray(site.mass.shape) * spacing
    nodes = np.meshgrid(*[np.arange(0, e + COARSE_MM, COARSE_MM) for e in extent], indexing="ij")
    index = tuple(
        np.minimum(np.round(node / step).astype(int), size - 1)
        for node, step, size in zip(nodes, spacing, site.mass.shape, strict=True)
    )
    close = (site.to_bone_mm[index] < NEAR_MM / 2) & (site.to_mass_mm[index] < reach_mm)
    needed = grown(close, 2)
    coarse = np.full(nodes[0].shape, np.nan)
    coarse[needed] = bridge(np.stack([node[needed] for node in nodes], axis=1))
    return coarse
