"""Backgrounds for radiographs: what a beam crosses in scans without a mass, from all sides.

    python training/radiograph_donors.py SCAN.nii.gz ... --output backgrounds
    python training/radiograph_donors.py hips knees shoulders --output backgrounds

A name of the phantom's anatomies draws that body. Each file holds centimetres of water and of
mineral (`calcinosis.phantom.radiograph`) on pixels of 1 mm, for one direction.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from calcinosis.phantom.anatomy import ANATOMY_NAMES
from calcinosis.phantom.patient import PhantomOptions, make_phantom
from calcinosis.phantom.radiograph import Exposure, paths_cm
from calcinosis.read.study import read_study
from calcinosis.volume import Volume

STEP_MM = 1.5  # of the volume that is turned
TURNS_DEG = (0, 30, 60, 90, 120, 150)


def coarse(volume: Volume) -> Volume:
    """The volume with square pixels of `STEP_MM` across the body."""
    factors = np.array([1.0, *(np.asarray(volume.spacing_mm[1:]) / STEP_MM)])
    voxels = ndimage.zoom(volume.voxels, factors, order=1)
    affine = volume.affine.copy()
    affine[:3, :3] = affine[:3, :3] / factors
    return replace(volume, voxels=voxels, affine=affine)


def turned(volume: Volume, angle_deg: float) -> Volume:
    """The body turned about its long axis, on a grid that holds all of it."""
    voxels = ndimage.rotate(volume.voxels, angle_deg, axes=(1, 2), order=1, cval=-1000)
    return replace(volume, voxels=voxels)


def main() -> None:
    """Write the backgrounds of every source."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--output", type=Path, required=True)
    asked = parser.parse_args()
    asked.output.mkdir(parents=True, exist_ok=True)
    for number, source in enumerate(asked.sources):
        if source in ANATOMY_NAMES:
            options = PhantomOptions(
                seed=1000 + number, anatomy=source, masses=(), matrix=256, slice_spacing_mm=2.0
            )
            volume = make_phantom(options).volume
        else:
            volume = read_study(Path(source)).volume
        volume, name = coarse(volume), Path(source).name.split(".")[0]
        for angle_deg in TURNS_DEG:
            soft, mineral = paths_cm(turned(volume, angle_deg), Exposure(pixel_mm=1.0))
            np.savez_compressed(
                asked.output / f"{name}_{angle_deg:03d}.npz",
                soft=soft.astype(np.float16),
                mineral=mineral.astype(np.float16),
            )
        print(source, soft.shape, flush=True)


if __name__ == "__main__":
    main()
