"""Fluid–calcium levels on phantoms: sensitivity, precision, tilt, and tilted layers not called.

    python benchmarks/fluid_levels.py [FIRST_SEED LAST_SEED] [--style packed|cellular]
                                      [--texture sedimented|layered|cystic|mixed]

Each seed draws its own anatomy, mass, position, spacing (slices 0.5–3 mm, pixels 0.4–1 mm), noise
(10–30 HU), kernel and obliquity. Levels are sought inside an imperfect envelope, as a segmentation
would give it (mass_block.py). Judged are levels in locules of at least 0.5 mL whose two layers, a
calcified rim not counted, each hold at least three voxels along gravity at their thickest; others
are neither missed nor false. A false call is one that no true level explains; a second call on one
level is false too.
"""

import argparse
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from mass_block import Block, draw_block
from numpy.typing import NDArray

from calcinosis.measure.fluid_levels import find_fluid_levels
from calcinosis.measure.mass import FluidLevel
from calcinosis.phantom.masses import MassOptions
from calcinosis.phantom.truth import LevelTruth
from calcinosis.volume import Volume

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
            near = [call for call in left if explains(call, truth, block.volume)]
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
                np.linalg.norm(offset_mm(call, t)) < max(3.0, radius_mm(t)) for t in mass.not_levels
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


def explains(call: FluidLevel, truth: LevelTruth, volume: Volume) -> bool:
    """Whether a call's centre lies on the true interface: at its height, within its disc."""
    offset = offset_mm(call, truth)
    height = float(offset @ volume.gravity_lps)
    aside = float(np.linalg.norm(offset - height * volume.gravity_lps))
    return abs(height) < HEIGHT_MM and aside < max(ASIDE_MM, radius_mm(truth))


def offset_mm(call: FluidLevel, truth: LevelTruth) -> NDArray[np.float64]:
    """From the true centre to the called one."""
    return np.subtract(call.centroid_lps_mm, truth.centroid_lps_mm)


def radius_mm(truth: LevelTruth) -> float:
    """Radius of the disc of the interface's area."""
    return float(np.sqrt(truth.area_mm2 / np.pi))


def main() -> None:
    """Run the seeds and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("seeds", nargs="*", type=int, default=[0, 40])
    parser.add_argument("--style", choices=["packed", "cellular"], default="packed")
    parser.add_argument("--texture", default="sedimented")
    options = parser.parse_args()
    tally = Tally()
    for seed in range(*options.seeds):
        volume_ml = float(np.random.default_rng([seed, 5]).uniform(6, 60))
        mass = MassOptions(volume_ml, texture=options.texture, style=options.style)
        block = draw_block(seed, mass)
        if block.truth.masses:
            reading = find_fluid_levels(block.volume, block.segmented)
            tally.add(reading.levels, block, f"{seed} {block.imperfection}")
    tally.report()


if __name__ == "__main__":
    main()
