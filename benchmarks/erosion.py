"""Bone erosion on phantoms: depth error, sensitivity and specificity.

    python benchmarks/erosion.py [FIRST_SEED LAST_SEED] [--style packed|cellular] [--predicted]
                                 [--whole | --into SCAN ...]

Even seeds touch bone without eroding it; odd seeds eat a pit of 3–9 mm. The skeleton is the true
one, the envelope imperfect as in mass_block.py; with --predicted both are the program's own, and a
case whose mass it does not find is left out. With --whole the other side of the body is drawn too;
with --into the mass is drawn into real scans, always --predicted. Pits that come out shallower
than 3 mm (bone too thin) count for depth alone.
"""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from mass_block import Block, draw_block, draw_whole

from calcinosis.errors import InputError
from calcinosis.measure.ct import measure_ct
from calcinosis.measure.erosion import relate_to_bone
from calcinosis.measure.mass import MIRROR, BoneRelation
from calcinosis.measure.mirror_side import Body
from calcinosis.phantom.insert import insert_mass
from calcinosis.phantom.masses import MassOptions, Style
from calcinosis.read.study import read_study
from calcinosis.volume import Study

ERODED_MM = 3.0
MARGIN_MM = 20.0


def given_reading(case: Block) -> BoneRelation:
    """Beside the true skeleton."""
    body = Body(case.volume, case.segmented.astype(np.uint8), case.truth.skeleton)
    return relate_to_bone(case.volume, case.segmented, case.truth.skeleton, body=body)


def own_reading(case: Block) -> BoneRelation | None:
    """What `measure_ct` says of the mass that overlaps the true one most."""
    result = measure_ct(Study(case.volume))
    overlap = np.bincount(result.labels[case.truth.envelope > 0], minlength=2)[1:]
    return result.masses[int(overlap.argmax())].bone if overlap.any() else None


def cases(seed: int, style: Style, scans: Sequence[Path], *, whole: bool) -> Iterator[Block]:
    """A seed's scans; none where there is no room for its mass."""
    rng = np.random.default_rng([seed, 6])
    wanted = float(rng.uniform(3, 9)) if seed % 2 else 0.0
    volume_ml = float(rng.uniform(10, 60))
    mass = MassOptions(volume_ml, contact="touching", erosion_mm=wanted, style=style)
    if not scans:
        yield draw_whole(seed, mass) if whole else draw_block(seed, mass, MARGIN_MM)
    for path in scans:
        scan = read_study(path).volume
        try:
            volume, truth = insert_mass(
                scan,
                seed=seed,
                near_bone="touching",
                volume_ml=volume_ml,
                style=style,
                erosion_mm=wanted,
            )
        except InputError:
            continue
        yield Block(volume, truth, truth.envelope > 0, path.name)


def main() -> None:
    """Run the seeds and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("seeds", nargs="*", type=int, default=[0, 40])
    parser.add_argument("--style", choices=["packed", "cellular"], default="packed")
    parser.add_argument("--predicted", action="store_true")
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--into", nargs="+", type=Path, default=[])
    asked = parser.parse_args()
    counts: Counter[str] = Counter()
    errors = []
    for seed in range(*asked.seeds):
        for case in cases(seed, asked.style, asked.into, whole=asked.whole):
            if not case.truth.masses:
                continue
            erosion = case.truth.masses[0].erosion
            depth = erosion.depth_mm if erosion else 0.0
            predicted = asked.predicted or asked.into
            read = own_reading(case) if predicted else given_reading(case)
            if read is None:
                counts["mass not found"] += 1
                continue
            mirror = "mirror side" if read.expected_surface == MIRROR else ""
            print(
                f"seed {seed}: {case.imperfection}, true {depth:.1f} mm, "
                f"read {read.erosion_depth_mm}"
                f" eroded {read.eroded}, contact {read.contact_mm2:.0f} mm² {mirror}"
            )
            if depth == 0 or depth >= ERODED_MM:
                counts[f"{'eroded' if depth else 'intact'}, called {read.eroded}"] += 1
            counts["mirror side used" if mirror else "not used"] += 1
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
