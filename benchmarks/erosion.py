"""Bone erosion on phantoms: depth error, sensitivity and specificity.

    python benchmarks/erosion.py [FIRST_SEED LAST_SEED]

Even seeds touch bone without eroding it; odd seeds eat a pit of 3–9 mm. The skeleton is the true
one, the envelope imperfect as in mass_block.py.
"""

import sys
from collections import Counter

import numpy as np
from mass_block import draw_block

from calcinosis.measure.erosion import relate_to_bone
from calcinosis.phantom.masses import MassOptions

ERODED_MM = 3.0


def main() -> None:
    """Run the seeds and print the figures."""
    first, last = (int(a) for a in sys.argv[1:3]) if len(sys.argv) > 2 else (0, 20)
    counts: Counter[str] = Counter()
    errors = []
    for seed in range(first, last):
        rng = np.random.default_rng([seed, 6])
        wanted = float(rng.uniform(3, 9)) if seed % 2 else 0.0
        options = MassOptions(float(rng.uniform(10, 60)), contact="touching", erosion_mm=wanted)
        block = draw_block(seed, options, margin_mm=30.0)
        if not block.truth.masses:
            continue
        erosion = block.truth.masses[0].erosion
        depth = erosion.depth_mm if erosion else 0.0
        read = relate_to_bone(block.volume, block.segmented, block.truth.skeleton)
        print(
            f"seed {seed}: {block.imperfection}, true {depth:.1f} mm, read {read.erosion_depth_mm}"
            f" eroded {read.eroded}, contact {read.contact_mm2:.0f} mm²"
        )
        counts[f"{'eroded' if depth >= ERODED_MM else 'intact'}, called {read.eroded}"] += 1
        if depth >= ERODED_MM and read.erosion_depth_mm is not None:
            errors.append(abs(read.erosion_depth_mm - depth))
    print(dict(counts))
    if errors:
        print(f"depth error median {np.median(errors):.1f} mm, worst {max(errors):.1f} mm")


if __name__ == "__main__":
    main()
