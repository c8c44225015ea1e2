"""Fluid–calcium levels on phantoms: sensitivity, precision, tilt, and tilted layers not called.

    python benchmarks/fluid_levels.py [FIRST_SEED LAST_SEED]

Each seed draws its own anatomy, mass, position, spacing (slices 0.5–3 mm, pixels 0.4–1 mm), noise
(10–30 HU), kernel and obliquity. Levels are sought inside an imperfect envelope, as a segmentation
would give it (mass_block.py). Judged are levels in
locules of at least 0.5 mL with at least three voxels of each layer; smaller ones are neither missed
nor false. A false call is one within no level's own locule.
"""

import sys
from collections import Counter

import numpy as np
from mass_block import draw_block

from calcinosis.measure.fluid_levels import find_fluid_levels
from calcinosis.phantom.masses import MassOptions

LOCULE_MIN_ML = 0.5
LAYER_VOXELS = 3


def judge(seed: int) -> tuple[Counter[str], list[float]]:
    """Counts of one phantom, and the tilt errors of its levels."""
    rng = np.random.default_rng([seed, 5])
    block = draw_block(seed, MassOptions(float(rng.uniform(6, 60)), texture="sedimented"))
    if not block.truth.masses:
        return Counter(), []
    mass, crop, locules = block.truth.masses[0], block.volume, block.truth.locules
    levels = list(find_fluid_levels(crop, block.segmented).levels)
    down = crop.direction_in_indices(crop.gravity_lps)
    along = float(np.linalg.norm(down * np.asarray(crop.spacing_mm)))
    counts: Counter[str] = Counter()
    tilts = []
    for truth in mass.levels:
        best = min(levels, key=lambda f: gap(f, truth), default=None)
        hit = best is not None and gap(best, truth) < max(3.0, 0.5 * np.sqrt(truth.area_mm2 / 3.14))
        height = np.ptp(crop.to_lps(np.argwhere(locules == truth.locule)) @ crop.gravity_lps)
        layers = min(truth.sediment_depth_mm, height - truth.sediment_depth_mm)
        judged = truth.locule_volume_ml >= LOCULE_MIN_ML and layers >= LAYER_VOXELS * along
        if judged:
            counts["found" if hit else "missed"] += 1
        if hit and best is not None:
            levels.remove(best)
            tilts.append(best.tilt_deg)
        if judged and not hit:
            print("   missed", seed, block.imperfection, truth, f"layers {layers:.1f} {along=:.2f}")
    counts["tilted"] += sum(t.locule_volume_ml >= LOCULE_MIN_ML for t in mass.not_levels)
    for level in levels:
        on_tilted = any(gap(level, t) < np.sqrt(t.area_mm2 / 3.14) for t in mass.not_levels)
        counts["tilted called" if on_tilted else "false"] += 1
        print("   false", seed, block.imperfection, level)
    return counts, tilts


def gap(level, truth) -> float:  # noqa: ANN001  # two records with a centroid
    """Distance between two centroids."""
    return float(np.linalg.norm(np.subtract(level.centroid_lps_mm, truth.centroid_lps_mm)))


def main() -> None:
    """Run the seeds and print the figures."""
    first, last = (int(a) for a in sys.argv[1:3]) if len(sys.argv) > 2 else (0, 40)
    total: Counter[str] = Counter()
    tilts: list[float] = []
    for seed in range(first, last):
        counts, found = judge(seed)
        total += counts
        tilts += found
    found, missed = total["found"], total["missed"]
    wrong = total["false"] + total["tilted called"]
    print(f"levels judged {found + missed}, sensitivity {found / max(1, found + missed):.3f}")
    print(f"precision {len(tilts) / max(1, len(tilts) + wrong):.3f} ({wrong} false calls)")
    print(f"tilted layers called {total['tilted called']} of {total['tilted']}")
    print(f"tilt error median {np.median(tilts):.2f}°, p95 {np.percentile(tilts, 95):.2f}°")


if __name__ == "__main__":
    main()
