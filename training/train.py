"""Train the small network that tells masses from bone.

Reads shards written by draw.py; the learning rate falls along a cosine of elapsed time, so a run of
any length ends settled. Weights are averaged over steps; quantize.py makes of them what is shipped.
"""

import argparse
import json
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import cc3d
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

CLASSES = 3
IGNORE = 255
FLUID_HU, FLUID_WEIGHT = 110, 3.0  # what is darker in a mass is fluid or soft wall
LARGE_VOXELS, SMALL_WEIGHT = 3000, 3.0  # smaller masses (10 mL) weigh more, so much at most
THICK_SHARE = 0.15  # of the batches are shown as thick slices
SEED_RADIUS = 3.0  # voxels: the ball that shows the network a seed point


def stage(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3³ convolutions."""
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm3d(outputs),
        nn.ReLU(),
        nn.Conv3d(outputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm3d(outputs),
        nn.ReLU(),
    )


Batch = tuple[np.ndarray, np.ndarray, np.ndarray]  # Hounsfield units, labels, seeds


class MassNetwork(nn.Module):
    """A U-Net that works at 3 mm on 1.5 mm Hounsfield units and seed points; returns class scores.

    A strided stem gathers each 3 mm cell with its neighbourhood; the head, which sees the stem
    again, gives back the cell's eight 1.5 mm voxels. No convolution runs at full resolution, which
    makes it fast on a processor.
    """

    def __init__(self, stem: int = 24, widths: tuple[int, ...] = (16, 32, 64)) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv3d(4, stem, 4, stride=2, padding=1, bias=False), nn.BatchNorm3d(stem), nn.ReLU()
        )
        self.first = stage(stem, widths[0])
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(stage(a, b) for a, b in pairs)
        self.squeeze = nn.ModuleList(nn.Conv3d(b, a, 1) for a, b in pairs)
        self.up = nn.ModuleList(
            nn.Sequential(
                nn.Conv3d(2 * a, a, 3, padding=1, bias=False), nn.BatchNorm3d(a), nn.ReLU()
            )
            for a, _ in pairs
        )
        self.head = nn.Sequential(
            nn.Conv3d(widths[0] + stem, 32, 1),
            nn.ReLU(),
            nn.ConvTranspose3d(32, CLASSES, 2, stride=2),
        )

    def forward(self, hu: Tensor, seed: Tensor) -> Tensor:
        """Hounsfield units and seed balls [n, 1, z, y, x] to class scores [n, 3, z, y, x]."""
        soft = hu.clamp(-200, 300) / 250
        dense = hu.clamp(0, 2000) / 800
        watery = hu.clamp(-40, 100) / 50  # fluid against muscle
        cells = self.stem(torch.cat([soft, dense, seed, watery], 1))
        features = [self.first(cells)]
        for down in self.down:
            features.append(down(functional.max_pool3d(features[-1], 2)))
        value = features.pop()
        for squeeze, up in zip(reversed(self.squeeze), reversed(self.up), strict=True):
            value = functional.interpolate(squeeze(value), scale_factor=2.0, mode="nearest")
            value = up(torch.cat([value, features.pop()], 1))
        return self.head(torch.cat([value, cells], 1))


def loss_of(scores: Tensor, labels: Tensor, hu: Tensor) -> Tensor:
    """Cross-entropy with masses and bone weighted up, plus each block's soft Dice of the masses.

    Fluid deep in a mass weighs most: it looks like the muscle around, and only what lies about it
    says what it is.
    """
    known = (labels != IGNORE).float()
    truth = (labels == 1).float()
    deep = torch.from_numpy(deep_inside(labels.numpy() == 1, 2))
    skeleton = (labels == 2).float()
    weight = 1 + truth + skeleton + FLUID_WEIGHT * deep * (hu[:, 0] < FLUID_HU)
    weight = known * weight * torch.from_numpy(weight_of_small(labels.numpy() == 1))
    logarithms = scores.log_softmax(1)
    classes = torch.where(labels == IGNORE, 0, labels)[:, None]
    entropy = -(logarithms.gather(1, classes)[:, 0] * weight).sum() / (weight.sum() + 1)
    mass = logarithms[:, 1].exp() * known
    whole = (1, 2, 3)
    overlap = 2 * (mass * truth).sum(whole) + 100
    dice = 1 - overlap / (mass.sum(whole) + truth.sum(whole) + 100)
    return entropy + 0.5 * dice.mean()


def weight_of_small(masses: np.ndarray) -> np.ndarray:
    """What each voxel of blocks [n, z, y, x] weighs, so that small masses count beside large."""
    weights = np.ones(masses.shape, np.float32)
    for block, weight in zip(masses, weights, strict=True):
        parts = cc3d.connected_components(block, connectivity=18)
        sizes = np.bincount(parts.ravel())
        factors = np.clip(np.sqrt(LARGE_VOXELS / np.maximum(sizes, 1)), 1, SMALL_WEIGHT)
        factors[0] = 1
        weight[:] = factors[parts]
    return weights


def deep_inside(masses: np.ndarray, depth: int) -> np.ndarray:
    """Where blocks [n, z, y, x] hold nothing but mass in the cube of so many voxels around."""
    for axis in (1, 2, 3):
        pad = [(depth, depth) if a == axis else (0, 0) for a in range(4)]
        along = np.moveaxis(np.pad(masses, pad, constant_values=True), axis, 0)
        size = masses.shape[axis]
        within = np.logical_and.reduce([along[i : i + size] for i in range(2 * depth + 1)])
        masses = np.moveaxis(within, 0, axis)
    return masses


def seed_balls(seeds: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A ball of ones round each seed, one block per seed; nothing where the seed is negative."""
    z, y, x = np.ogrid[tuple(slice(0, size) for size in shape)]
    balls = [
        ((z - a) ** 2 + (y - b) ** 2 + (x - c) ** 2 <= SEED_RADIUS**2) & (a >= 0)
        for a, b, c in seeds
    ]
    return np.stack(balls).astype(np.float32)


def thickened(rng: np.random.Generator, blocks: np.ndarray) -> np.ndarray:
    """The same blocks as slices of two to four voxels show them, brought back by interpolation."""
    thick, size = int(rng.integers(2, 5)), blocks.shape[1]
    first = int(rng.integers(thick))
    hu = torch.from_numpy(blocks[:, None].astype(np.float32))
    padded = functional.pad(hu, (0, 0, 0, 0, first, thick), mode="replicate")
    slices = functional.avg_pool3d(padded, (thick, 1, 1))
    fine = functional.interpolate(
        slices, size=(slices.shape[2] * thick, *blocks.shape[2:]), mode="trilinear"
    )
    return fine[:, 0, first : first + size].numpy()


def turned(rng: np.random.Generator, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """One random mirror, quarter turn and brightness shift for a batch; some thick, some slabs."""
    if rng.random() < THICK_SHARE:
        batch = thickened(rng, batch[0]), *batch[1:]
    flips = [axis for axis in (1, 2, 3) if rng.random() < 0.5]
    turns = int(rng.integers(4))
    blocks, labels, seeds = (
        np.ascontiguousarray(np.rot90(np.flip(array, flips), turns, (2, 3)))
        for array in (batch[0], batch[1], seed_balls(batch[2], batch[0].shape[1:]))
    )
    if rng.random() < 0.2:  # many scans are thin
        depth = 8 * int(rng.integers(2, 6))
        start = int(rng.integers(blocks.shape[1] - depth + 1))
        blocks, labels, seeds = (a[:, start : start + depth] for a in (blocks, labels, seeds))
    hu = torch.from_numpy(blocks.astype(np.float32))[:, None] + float(rng.normal(0, 10))
    return hu, torch.from_numpy(seeds)[:, None], torch.from_numpy(labels.astype(np.int64))


def batches(rng: np.random.Generator, pool: Path, size: int) -> Iterator[Batch]:
    """Endless batches from two random shards at a time; new shards join as they appear."""
    while True:
        shards = sorted(pool.glob("[0-9]*.npz"))
        weights = np.arange(1, len(shards) + 1, dtype=float) ** 0.3
        picked = rng.choice(
            len(shards), size=min(3, len(shards)), replace=False, p=weights / weights.sum()
        )
        loaded = [np.load(shards[i]) for i in picked]
        hu, labels, seeds = (
            np.concatenate([data[name] for data in loaded]) for name in ("hu", "labels", "seeds")
        )
        order = rng.permutation(len(hu))
        for start in range(0, len(order) - size + 1, size):
            chosen = order[start : start + size]
            yield hu[chosen], labels[chosen], seeds[chosen]


def half_precision() -> torch.autocast:
    """Half precision where the processor has it; without, it is forty times slower than whole."""
    fast = torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=fast)


def judge(network: nn.Module, pool: Path, shards: int) -> dict[str, float]:
    """Dice of the mass class, and the shares of bone called mass and called nothing."""
    network.eval()
    hits = called = true = stray = lost = bone = 0.0
    with torch.no_grad(), half_precision():
        for shard in sorted(pool.glob("[0-9]*.npz"))[:shards]:
            data = np.load(shard)
            balls = seed_balls(data["seeds"], data["hu"].shape[1:])
            for block, label, ball in zip(data["hu"], data["labels"], balls, strict=True):
                hu, seed = (
                    torch.from_numpy(a.astype(np.float32))[None, None] for a in (block, ball)
                )
                scores = network(hu, seed)
                best = scores[0].float().argmax(0).numpy()
                mass = (best == 1) & (label != IGNORE)
                hits += (mass & (label == 1)).sum()
                called += mass.sum()
                true += (label == 1).sum()
                stray += (mass & (label == 2)).sum()
                lost += ((best == 0) & (label == 2)).sum()
                bone += (label == 2).sum()
    network.train()
    return {
        "dice": 2 * hits / max(called + true, 1),
        "bone_called_mass": stray / max(bone, 1),
        "bone_called_nothing": lost / max(bone, 1),
    }


def main() -> None:
    """Train for a given time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pool", type=Path)
    parser.add_argument("--tune", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=75)
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0, help="of the order of the blocks")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    network = MassNetwork()
    if options.start:
        network.load_state_dict(torch.load(options.start))
    network = network.to(memory_format=torch.channels_last_3d)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995), use_buffers=True
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.rate, weight_decay=1e-4)
    options.output.mkdir(parents=True, exist_ok=True)
    began = last = time.time()
    running = []
    for step, batch in enumerate(batches(rng, options.pool, 6)):
        spent = (time.time() - began) / (60 * options.minutes)
        if spent >= 1:
            break
        warm = min(1.0, (step + 1) / 300)
        optimizer.param_groups[0]["lr"] = (
            warm * options.rate * (0.5 + 0.5 * np.cos(np.pi * spent)) + 1e-6
        )
        hu, seed, truth = turned(rng, batch)
        with half_precision():
            scores = network(hu.contiguous(memory_format=torch.channels_last_3d), seed)
        loss = loss_of(scores.float(), truth, hu)
        optimizer.zero_grad()
        loss.backward()
        if not torch.isfinite(nn.utils.clip_grad_norm_(network.parameters(), 2.0)):
            continue  # nothing known in the batch, or bfloat16 ran over
        optimizer.step()
        average.update_parameters(network)
        running.append(float(loss.detach()))
        if time.time() - last > 240:
            last = time.time()
            figures = judge(average.module, options.tune, 4)
            line = {
                "step": step,
                "spent": round(spent, 3),
                "loss": float(np.mean(running[-200:])),
                **figures,
            }
            print(json.dumps(line), flush=True)
            torch.save(average.module.state_dict(), options.output / "weights.pt")
            average.module.train()
    torch.save(average.module.state_dict(), options.output / "weights.pt")
    print(json.dumps({"final": judge(average.module, options.tune, 16)}), flush=True)


if __name__ == "__main__":
    main()
