"""Training examples: masses drawn into donor blocks with wide variety, and the truth beside them.

Everything a mass can look like is drawn from broad distributions rather than from one style:
packed locules, Voronoi cells with septa, balls, amorphous chalk, sediment under fluid, rims, soft
outer walls or none, any density. Some lie in plain bodies of muscle, fat and tubes of bone. Half of
the blocks with a mass also hold a seed point on one, as a user would set it. The generator that
judges (`calcinosis.phantom`) shares nothing with this one.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from bodies import BLOCK, Donor, augment, bent, plain_donor
from decoys import draw_decoys, draw_vessel_along
from fields import blur
from lesions import draw_mass
from scipy import ndimage

PLAIN_SHARE = 0.15  # of the blocks are plain bodies
ALONG_SHARE = 0.3  # of the masses have a vessel along them
BACKGROUND, MASS, SKELETON, IGNORE = 0, 1, 2, 255


def seed_point(rng: np.random.Generator, hu: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Where a user would click: one of the brighter voxels of a mass, z, y, x."""
    inside = np.argwhere(mass)
    values = hu[mass]
    bright = inside[values >= np.percentile(values, rng.uniform(50, 95))]
    return bright[rng.integers(len(bright))]


def example(rng: np.random.Generator, donor: Donor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One training block: int16 Hounsfield units and uint8 labels, BLOCK³ each; and a seed.

    The seed is z, y, x in voxels, or −1 where there is none. A mass with next to no calcium is left
    out of the lesson (IGNORE) unless the seed lies on it.
    """
    pad = [(0, max(0, BLOCK - n)) for n in donor.hu.shape]
    hu, skeleton, ignore, occupied = (
        np.pad(array, pad, constant_values=value)
        for array, value in (
            (donor.hu, -1000),
            (donor.skeleton, False),
            (donor.ignore, False),
            (donor.occupied, False),
        )
    )
    anchors = np.argwhere((skeleton if rng.random() < 0.75 else hu > -300)[::3, ::3, ::3]) * 3
    if len(anchors) == 0:
        anchors = np.array([[n // 2 for n in hu.shape]])
    corner = anchors[rng.integers(len(anchors))] - rng.integers(8, BLOCK - 8, 3)
    corner = np.clip(corner, 0, np.array(hu.shape) - BLOCK)
    box = tuple(slice(c, c + BLOCK) for c in corner)
    block, bone, unknown, taken = (a[box].copy() for a in (hu, skeleton, ignore, occupied))
    if rng.random() < 0.6:
        block, bone, unknown, taken = bent(rng, block, bone, unknown, taken)
    block = draw_decoys(rng, augment(rng, block, bone), bone)
    envelope, faint = np.zeros_like(bone), np.zeros_like(bone)
    seed = np.full(3, -1)
    for _ in range(int(rng.choice(5, p=[0.25, 0.3, 0.2, 0.15, 0.1]))):
        block, new = draw_mass(rng, block, bone, donor.noise_hu, donor.slice_blur_mm, taken)
        if new.any() and seed[0] < 0 and block[new].max() > 180 and rng.random() < 0.5:
            seed = seed_point(rng, block, new)
            envelope |= new
        elif new.any() and (block[new] > 180).mean() > 0.08:
            envelope |= new
        else:
            faint |= new
        taken |= ndimage.binary_dilation(new, iterations=2)
        if new.any() and rng.random() < ALONG_SHARE:
            block = draw_vessel_along(rng, block, envelope | faint | bone)
    if rng.random() < 0.3:
        block = blur(block, (rng.uniform(0, 1.0), rng.uniform(0, 0.7), rng.uniform(0, 0.7)))
    if rng.random() < 0.5:
        grain = blur(rng.standard_normal(block.shape), (rng.uniform(0.3, 1),) * 3)
        block = block + grain / (grain.std() + 1e-6) * rng.uniform(0, 35)
    block = block + rng.normal(0, 8)
    labels = np.full(block.shape, BACKGROUND, dtype=np.uint8)
    labels[bone] = SKELETON
    labels[envelope] = MASS
    labels[(unknown | faint) & ~envelope] = IGNORE
    return np.clip(np.round(block), -1024, 3071).astype(np.int16), labels, seed


def main() -> None:
    """Write examples to a folder, shard after shard, until a count is reached."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("donors", nargs="+", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--shards", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.output.mkdir(parents=True, exist_ok=True)
    for shard in range(options.shards):
        rng = np.random.default_rng([options.seed, shard])
        chosen = [options.donors[i] for i in rng.integers(len(options.donors), size=4)]
        drawn = [
            example(rng, plain_donor(rng) if rng.random() < PLAIN_SHARE else donor)
            for donor in map(Donor.read, chosen)
            for _ in range(4)
        ]
        blocks, labels, seeds = (np.stack(arrays) for arrays in zip(*drawn, strict=True))
        part = options.output / f"part-{options.seed}-{shard}.npz"
        np.savez(part, hu=blocks, labels=labels, seeds=seeds)
        part.rename(options.output / f"{options.seed}-{shard:05d}.npz")


if __name__ == "__main__":
    main()
