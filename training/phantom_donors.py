"""Donors from analytic phantoms without a mass, so that the network knows their bones too."""

import argparse
from itertools import cycle
from pathlib import Path

import numpy as np

from calcinosis.measure.working_grid import resample
from calcinosis.phantom.anatomy import ANATOMY_NAMES
from calcinosis.phantom.patient import PhantomOptions, make_phantom

FOREARM_MM = (-340.0, -90.0)  # with wrist and hand
DECOYS = ("vessel", "phlebolith", "granuloma")  # background, as they lie in a phantom


def main() -> None:
    """Write donors from phantoms of varied anatomy, kernel, spacing and noise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--count", type=int, default=30)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    for number, anatomy in zip(range(options.count), cycle(ANATOMY_NAMES), strict=False):
        rng = np.random.default_rng([31, number])
        wanted = PhantomOptions(
            seed=100_000 + number,
            anatomy=anatomy,
            masses=(),
            decoys=DECOYS if number // len(ANATOMY_NAMES) % 2 else (),
            matrix=int(rng.choice([192, 256, 384])),
            slice_spacing_mm=float(rng.choice([1.0, 1.5, 2.5])),
            z_range_mm=FOREARM_MM if anatomy == "arm" and number % 2 else None,
            noise_hu=float(rng.uniform(4, 25)),
            kernel=str(rng.choice(["soft", "standard", "sharp"])),
        )
        phantom = make_phantom(wanted)
        spacing = phantom.volume.spacing_mm
        bones = resample(phantom.truth.skeleton.astype(np.int16) * 100, spacing).hu > 50
        empty = np.zeros_like(bones)
        np.savez_compressed(
            options.output / f"phantom_{number:02d}_{anatomy}.npz",
            hu=np.round(resample(phantom.volume.voxels, spacing).hu).astype(np.int16),
            skeleton=bones,
            ignore=empty,
            occupied=empty,
            noise_hu=np.float32(wanted.noise_hu * 0.6),
            slice_blur_mm=np.float32(0.42 * wanted.slice_spacing_mm),
        )
        print(number, anatomy, phantom.volume.shape, flush=True)


if __name__ == "__main__":
    main()
