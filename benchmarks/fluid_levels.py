"""Fluid–calcium levels on phantoms: sensitivity, precision, tilt, and tilted layers not called.

    python benchmarks/fluid_levels.py [FIRST_SEED LAST_SEED] [--style packed|cellular]
                                      [--texture sedimented|layered|cystic|mixed]
                                      [--pixels LEAST MOST] [--predicted [--into SCAN ...]]

Each seed draws its own anatomy, mass, position, spacing (slices 0.5–3 mm, pixels 0.4–1 mm unless
told), noise (10–30 HU), kernel and obliquity. Levels are sought inside an imperfect envelope, as a
segmentation would give it (mass_block.py); with --predicted in the whole of `measure_ct`, whose
network outlines the mass; with --into, in masses drawn into real scans, in all patient positions by
turns. Judged are levels in locules of at least 0.5 mL whose two layers, a calcified rim not
counted, each hold at least three voxels along gravity at their thickest; others are neither missed
nor false. A false call is one that no true level explains; a second call on one level is false too.
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from mass_block import Block, draw_block
from scipy import ndimage

from calcinosis.errors import InputError
from calcinosis.measure.ct import measure_ct
from calcinosis.measure.fluid_levels import find_fluid_levels
from calcinosis.measure.mass import FluidLevel
from calcinosis.phantom.insert import insert_mass
from calcinosis.phantom.masses import MassOptions
from calcinosis.phantom.truth import LevelTruth
from calcinosis.read.study import read_study
from calcinosis.volume import GRAVITY_LPS, Study, Volume

MARGIN_MM, PREDICTED_MARGIN_MM = 18.0, 40.0  # the network looks farther around
LOCULE_MIN_ML = 0.5
LAYER_VOXELS = 3
HEIGHT_MM = 2.0
ASIDE_MM = 3.0


@dataclass(eq=False)
class Tally:
    """What was found over many masses."""

    counts: Counter[str] = field(default_factory=Counter)
    tilts_deg: list[float] = field(default_factory=list)

    def add(self, calls: tuple[FluidLevel, ...], block: Block, name: str) -> None:
        """Match calls with the truth of one block's first mass."""
        mass, left = block.truth.masses[0], list(calls)
        for truth in sorted(mass.levels, key=lambda level: -level.area_mm2):
            near = [call for call in left if explains(call, truth, block)]
            best = max(near, key=lambda call: call.area_mm2, default=None)
            judged = judgeable(truth, block.volume)
            self.counts[("found" if best else "missed") if judged else "beyond"] += 1
            if best is not None:
                left.remove(best)
                self.tilts_deg.append(best.tilt_deg)
            elif judged:
                print("   missed", name, truth)
        self.counts["tilted"] += sum(judgeable(t, block.volume) for t in mass.not_levels)
        for call in left:
            tilted = any(
                np.linalg.norm(np.subtract(call.centroid_lps_mm, t.centroid_lps_mm))
                < max(ASIDE_MM, radius_mm(t))
                for t in mass.not_levels
            )
            self.counts["tilted called" if tilted else "false"] += 1
            print("   false", name, call)

    def report(self) -> None:
        """Print the figures."""
        found, judged = self.counts["found"], self.counts["found"] + self.counts["missed"]
        wrong = self.counts["false"] + self.counts["tilted called"]
        calls = len(self.tilts_deg) + wrong
        print(f"levels judged {judged}, sensitivity {found / max(1, judged):.3f}")
        print(f"calls {calls}, precision {1 - wrong / max(1, calls):.3f}")
        print(f"tilted layers called {self.counts['tilted called']} of {self.counts['tilted']}")
        if self.tilts_deg:
            median, high = np.percentile(self.tilts_deg, [50, 95])
            print(f"tilt error median {median:.2f}°, p95 {high:.2f}°")


def judgeable(truth: LevelTruth, volume: Volume) -> bool:
    """Whether a reader could be expected to see this level."""
    down = volume.direction_in_indices(volume.gravity_lps)
    along_mm = float(np.linalg.norm(down * np.asarray(volume.spacing_mm)))
    thinner = min(truth.fluid_layer_mm, truth.sediment_layer_mm)
    return truth.locule_volume_ml >= LOCULE_MIN_ML and thinner >= LAYER_VOXELS * along_mm


def explains(call: FluidLevel, truth: LevelTruth, block: Block) -> bool:
    """Whether a call lies on the true interface: at its height, within its disc or beside it."""
    down = block.volume.gravity_lps
    centre = np.subtract(call.centroid_lps_mm, truth.centroid_lps_mm)
    if abs(float(centre @ down)) >= HEIGHT_MM:
        return False
    interface = block.volume.to_lps(np.argwhere(block.truth.levels == truth.id))
    away = np.concatenate([interface - call.centroid_lps_mm, [centre]])
    aside = np.linalg.norm(away - np.outer(away @ down, down), axis=1)
    return bool(aside.min() < ASIDE_MM or aside[-1] < radius_mm(truth))


def radius_mm(truth: LevelTruth) -> float:
    """Radius of the disc of the interface's area."""
    return float(np.sqrt(truth.area_mm2 / np.pi))


def main() -> None:
    """Run the seeds and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("seeds", nargs="*", type=int, default=[0, 40])
    parser.add_argument("--style", choices=["packed", "cellular"], default="packed")
    parser.add_argument("--texture", default="sedimented")
    parser.add_argument("--pixels", nargs=2, type=float, default=[0.4, 1.0], metavar="MM")
    parser.add_argument("--predicted", action="store_true")
    parser.add_argument("--into", nargs="+", type=Path, metavar="SCAN")
    options = parser.parse_args()
    tally = Tally()
    blocks = drawn_into(options.into, options) if options.into else phantoms(options)
    for name, block in blocks:
        if not block.truth.masses:
            continue
        calls = find_fluid_levels(block.volume, block.segmented).levels
        if options.predicted:
            masses = measure_ct(Study(block.volume)).masses
            calls = tuple(level for mass in masses for level in mass.fluid_levels)
        tally.add(calls, block, f"{name} {block.imperfection}")
    tally.report()


def phantoms(options: argparse.Namespace) -> Iterator[tuple[str, Block]]:
    """A block of a phantom for each seed."""
    for seed in range(*options.seeds):
        volume_ml = float(np.random.default_rng([seed, 5]).uniform(6, 60))
        mass = MassOptions(volume_ml, texture=options.texture, style=options.style)
        margin_mm = PREDICTED_MARGIN_MM if options.predicted else MARGIN_MM
        yield str(seed), draw_block(seed, mass, margin_mm, tuple(options.pixels))


def drawn_into(scans: list[Path], options: argparse.Namespace) -> Iterator[tuple[str, Block]]:
    """The surroundings of a mass drawn into a real scan, for each scan and seed."""
    for number, scan in enumerate(scans):
        study = read_study(scan)
        for seed in range(*options.seeds):
            position = list(GRAVITY_LPS)[(number + seed) % len(GRAVITY_LPS)]
            turned = replace(study.volume, patient_position=position)
            volume_ml = float(np.random.default_rng([seed, 5]).uniform(6, 60))
            try:
                volume, truth = insert_mass(
                    turned,
                    seed=seed,
                    volume_ml=volume_ml,
                    texture=options.texture,
                    style=options.style,
                )
            except InputError:
                continue
            box = volume.grow(ndimage.find_objects(truth.envelope)[0], PREDICTED_MARGIN_MM)
            near = replace(
                truth,
                envelope=truth.envelope[box],
                locules=truth.locules[box],
                levels=truth.levels[box],
                skeleton=truth.skeleton[box],
            )
            yield f"{scan.name} {seed}", Block(volume.crop(box), near, near.envelope > 0, position)


if __name__ == "__main__":
    main()
