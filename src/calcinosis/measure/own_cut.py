"""The cortex under a mass that this program itself has cut from bone.

The cut may have taken bone with the mass, so that missing bone proves nothing. Cortex is looked for
where the bone's smooth continuation runs under the mass: lost, it proves erosion.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calcinosis.measure.bone_continuation import (
    LOST_SHARE,
    PATCH_GAP_MM,
    SPARE_MM,
    SURFACE_POINTS_MIN,
    expected_surface,
    sampled,
    usual_cortex_hu,
)
from calcinosis.measure.bone_site import Site, box_around
from calcinosis.measure.bone_surface import (
    SurfacePoints,
    at_places,
    largest_patch,
    surface_points,
)

# Measured beside predicted masses, 129 intact contacts and 117 pits of 3 mm and more: phantoms,
# seeds 5000–5059 and 3500–3529, cellular 5100–5135 and 3530–3555; drawn into scans with slices of
# 3.3 mm, seeds 5200–5211, cellular 5212–5223 (sts_015, 038, 047), 40–45 (sts_001 … 040). With all
# that is asked 55 of the pits are called eroded and 11 intact, of the contacts 3 and 76.
LOST_MM2 = 40.0  # the largest patch without cortex
# Where the cut took more bone the continuation may be wrong; where a tenth of the cortex is fainter
# than this share of the usual, though no pit reaches there, a faint patch proves nothing.
MISSING_ML, AWAY_MM, FAINTEST_PERCENT, FAINTEST_SHARE = 1.0, 8.0, 10, 0.5
# Called unbroken: patches smaller than the first where the bone's own surface shows a defect, than
# the second where it does not, and less bone missing than the cut shaves off.
DOUBT_MM2, UNBROKEN_MM2, SHAVED_ML = 10.0, 22.0, 0.1
# In slices so thick pits hide in a thick cortex: the dense line must be seen at its own depth, too,
# where it keeps a greater share (else 18 pits were called unbroken, and 37 contacts).
THICK_SLICE_MM, THINNED_SHARE, THINNED_MM2 = 3.0, 0.6, 10.0
CUT_ROUNDED_MM = 1.3  # the cut rounds a pit's floor off: median of 29 pits of 2.6–8.3 mm
_TRUSTED_MM, _POINTS, _ROOM_MM = 4.0, 250, 6.0
_CORTEX_MM = np.arange(-3.5, 1.01, 0.5)  # outwards from the continuation: its own error
_SURFACE_MM = np.arange(-2.0, -0.49, 0.5)
_DEEPER_MM, _BESIDE_MM = 2.0, 3.0  # of missing bone: deeper than roughness, this near the mass


@dataclass(frozen=True)
class CortexBesideCut:
    """What the bone's continuation shows under a mass.

    Attributes:
        lost_mm2: the largest patch with hardly any cortex near it.
        thinned_mm2: the largest patch with little at its own depth; 0 in slices thin enough.
        missing_ml: bone that is lacking below it.
        faint_elsewhere: the bone's cortex is faint also where no pit reaches.
    """

    lost_mm2: float
    thinned_mm2: float
    missing_ml: float
    faint_elsewhere: bool

    def lost(self) -> bool:
        """Whether cortex is surely lost."""
        doubtful = self.faint_elsewhere or self.missing_ml > MISSING_ML
        return self.lost_mm2 >= LOST_MM2 and not doubtful

    def unbroken(self, *, deep: bool) -> bool:
        """Whether it is surely not; `deep`: the surface that the cut left shows a defect."""
        largest_mm2 = DOUBT_MM2 if deep else UNBROKEN_MM2
        whole = self.lost_mm2 < largest_mm2 and self.thinned_mm2 < THINNED_MM2
        return whole and self.missing_ml < SHAVED_ML


def cortex_beside_cut(site: Site, points: SurfacePoints, draw: int = 0) -> CortexBesideCut | None:
    """Look for cortex on the bone's continuation; None: too little of it tells what it was."""
    usual_hu = usual_cortex_hu(points)
    if usual_hu is None:
        return None
    whole = points.cortex_hu >= LOST_SHARE * usual_hu
    trusted = np.flatnonzero(whole & (points.to_mass_mm > _TRUSTED_MM))
    if len(trusted) < SURFACE_POINTS_MIN:
        return None
    bridge = expected_surface(site, points[trusted], _POINTS, draw)
    box = box_around(site.mass, site.spacing_mm, _ROOM_MM)
    near = site.crop(box)
    expected = sampled(bridge, site, near, box)
    beside = surface_points(near.hu, expected, near.to_mass_mm, site.spacing_mm, reach_mm=SPARE_MM)
    lost = _brightest(near, beside, _CORTEX_MM) < LOST_SHARE * usual_hu
    thinned = _brightest(near, beside, _SURFACE_MM) < THINNED_SHARE * usual_hu
    thick = max(site.spacing_mm) >= THICK_SLICE_MM
    return CortexBesideCut(
        _largest_mm2(near, beside[lost]),
        _largest_mm2(near, beside[thinned]) if thick else 0.0,
        _missing_ml(near, expected),
        _faint_elsewhere(points, usual_hu),
    )


def _brightest(
    site: Site, points: SurfacePoints, outwards_mm: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The brightest HU on a short line through each point."""
    line = points.places[:, None] + points.normals[:, None] * outwards_mm[:, None]
    values = at_places(site.hu, line.reshape(-1, 3), site.spacing_mm)
    return np.asarray(values.reshape(line.shape[:2]).max(axis=1))


def _largest_mm2(site: Site, points: SurfacePoints) -> float:
    """Area of the largest patch of surface points."""
    longest = max(site.spacing_mm)
    patch = largest_patch(points, max(PATCH_GAP_MM, 1.01 * longest))
    return len(patch) * float(np.prod(site.spacing_mm)) / longest


def _missing_ml(site: Site, expected_mm: NDArray[np.float32]) -> float:
    """What the bone lacks at the mass below its continuation, whose signed distance is given."""
    missing = ~site.bone & (expected_mm < -_DEEPER_MM) & (site.to_mass_mm < _BESIDE_MM)
    return float(np.count_nonzero(missing) * np.prod(site.spacing_mm) / 1000)


def _faint_elsewhere(points: SurfacePoints, usual_hu: float) -> bool:
    """Whether a tenth of the cortex is faint where no pit reaches, or too little of it is seen."""
    away = points.cortex_hu[points.to_mass_mm > AWAY_MM]
    few = len(away) < SURFACE_POINTS_MIN
    return few or bool(np.percentile(away, FAINTEST_PERCENT) < FAINTEST_SHARE * usual_hu)
