"""Bone erosion on phantoms: depth error, sensitivity and specificity.

    python benchmarks/erosion.py [FIRST_SEED LAST_SEED] [--style packed|cellular] [--predicted]

Even seeds touch bone without eroding it; odd seeds eat a pit of 3–9 mm. The skeleton is the true
one, the envelope imperfect as in mass_block.py; with --predicted both are the program's own, and a
case whose mass it does not find is left out. Pits that come out shallower than 3 mm (bone too
thin) count for depth alone.
"""

import argparse
from collections import Counter

import numpy as np
from mass_block import Block, draw_block

from calcinosis.measure.ct import measure_ct
from calcinosis.measure.erosion import relate_to_bone
from calcinosis.measure.mass import BoneRelation
from calcinosis.phantom.masses import MassOptions
from calcinosis.volume import Study

ERODED_MM = 3.0
MARGIN_MM = 20.0


def given_reading(block: Block) -> BoneRelation:
    """Beside the true skeleton."""
    return relate_to_bone(block.volume, block.segmented, block.truth.skeleton)


def own_reading(block: Block) -> BoneRelation | None:
    """What `measure_ct` says of the mass that overlaps the true one most."""
    result = measure_ct(Study(block.volume))
    overlap = np.bincount(result.labels[block.truth.envelope > 0], minlength=2)[1:]
    return result.masses[int(overlap.argmax())].bone if overlap.any() else None


def main() -> None:
    """Run the seeds and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("seeds", nargs="*", type=int, default=[0, 40])
    parser.add_argument("--style", choices=["packed", "cellular"], default="packed")
    parser.add_argument("--predicted", action="store_true")
    asked = parser.parse_args()
    counts: Counter[str] = Counter()
    errors = []
    for seed in range(*asked.seeds):
        rng = np.random.default_rng([seed, 6])
        wanted = float(rng.uniform(3, 9)) if seed % 2 else 0.0
        volume_ml = float(rng.uniform(10, 60))
        mass = MassOptions(volume_ml, contact="touching", erosion_mm=wanted, style=asked.style)
        block = draw_block(seed, mass, MARGIN_MM)
        if not block.truth.masses:
            continue
        erosion = block.truth.masses[0].erosion
        depth = erosion.depth_mm if erosion else 0.0
        read = own_reading(block) if asked.predicted else given_reading(block)
        if read is None:
            counts["mass not found"] += 1
            continue
        print(
            f"seed {seed}: {block.imperfection}, true {depth:.1f} mm, read {read.erosion_depth_mm}"
            f" eroded {read.eroded}, contact {read.contact_mm2:.0f} mm²"
        )
        if depth == 0 or depth >= ERODED_MM:
            counts[f"{'eroded' if depth else 'intact'}, called {read.eroded}"] += 1
        if depth and read.erosion_depth_mm is not None:
            errors.append(read.erosion_depth_mm - depth)
    print(dict(counts))
    if errors:
        off = np.abs(errors)
        close = np.mean(off <= 1.5)
        print(
            f"depth off by {np.median(off):.1f} mm (median), within 1.5 mm in {close:.0%}, "
            f"worst {max(off):.1f} mm; bias {np.median(errors):+.1f} mm"
        )


if __name__ == "__main__":
    main()
