"""Train the small network that outlines the mass a reader points at on MRI.

    python training/donors.py SCAN.nii.gz ... --output donors
    python training/draw.py donors/*.npz --output blocks --shards 60
    python training/mri_train.py blocks --output network --minutes 30

Each drawn block is turned into MRI again and again, with relaxation times, sequences, slices, coil
and noise by chance (`calcinosis.phantom.mri`). Some points lie beside masses: there nothing is to
be outlined. Blocks are cut around the point and brought to `SIDE` voxels whatever their size, and
given as `measure/mri_layers.py` gives them.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import edt
import numpy as np
import torch
from draw import MASS, SKELETON
from outline_network import OutlineNetwork
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from calcinosis.measure.mri_layers import SIDE, layers
from calcinosis.phantom import mri
from calcinosis.phantom.mri_tissue import body_of_ct
from calcinosis.volume import Volume

BESIDE = 0.2  # of all points
NEW = 1 / 3  # of the examples of a step; drawing takes longer than learning
KEPT = 400  # examples that may be shown again
RENEWED = 200  # draws after which newly written blocks are looked for
SHARES = (0.12, 1.3)  # of the side that the mass takes: in cubes too large and too small, too
WITHOUT_T1, WITHOUT_T2 = 0.06, 0.1  # of the examples
WIDEST = 120  # voxels of a drawn block, of 64, that are looked at
MIRRORED = 0.6  # of the examples go on beyond the drawn block as its mirror image
GRID_MM = 1.5
LARGER = 3.2  # times as large as drawn, at most
FEWEST_VOXELS = 150  # of a drawn mass: specks are none
RARE = 2.0  # how much more a voxel of the mass weighs than another


class Scenes:
    """An endless supply of MRI around a point, each with its answer."""

    def __init__(self, blocks: Path, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.folder = blocks
        self.read: set[Path] = set()
        self.blocks: list[tuple[np.ndarray, np.ndarray]] = []
        self.kept: list[tuple[np.ndarray, np.ndarray]] = []
        self.drawn = 0

    def block(self) -> tuple[np.ndarray, np.ndarray]:
        """Hounsfield units and labels of a drawn block."""
        if self.drawn % RENEWED == 0:
            for file in sorted(set(self.folder.glob("[0-9]*.npz")) - self.read):
                with np.load(file) as shard:
                    self.blocks += list(zip(shard["hu"], shard["labels"], strict=True))
                self.read.add(file)
        self.drawn += 1
        return self.blocks[self.rng.integers(len(self.blocks))]

    def draw(self) -> tuple[np.ndarray, np.ndarray]:
        """Layers and the mass [SIDE, SIDE, SIDE], 0 or 1."""
        rng = self.rng
        while True:
            hu, labels = self.block()
            masses, _ = ndimage.label(labels == MASS)
            large = np.flatnonzero(np.bincount(masses.ravel())[1:] >= FEWEST_VOXELS) + 1
            beside = rng.random() < BESIDE
            if large.size or beside:
                break
        mass = np.zeros(hu.shape, bool)
        if large.size:
            mass = masses == rng.choice(large)
        extent = rng.uniform(8, 30)
        if mass.any():
            extent = max(np.ptp(axis) + 1 for axis in np.nonzero(mass))
        places = np.argwhere((labels != MASS) & (hu > -300)) if beside else self.aims(mass)
        if not len(places):
            return self.draw()
        point = places[rng.integers(len(places))] + rng.uniform(-0.5, 0.5, 3)
        larger = float(np.exp(rng.uniform(0, np.log(LARGER)))) * rng.uniform(0.7, 1.0)
        share = np.exp(rng.uniform(*np.log(SHARES)))
        step = np.clip(extent / share, 12, WIDEST) / SIDE  # in voxels as drawn
        beyond = "reflect" if rng.random() < MIRRORED else "constant"
        body = self.body(hu, labels, point, step, GRID_MM * larger)
        axis, turned = rng.integers(3), rng.random() < 0.25
        signals = []
        for kind in (mri.T1, (mri.T2, mri.T2_FS, mri.STIR, mri.PD_FS)[rng.integers(4)]):
            across = rng.integers(3) if turned else axis
            signals.append(self.scanned(body, kind, across, GRID_MM * larger * step))
        imaged = self.cut(np.ones(hu.shape, np.float32), point, step, beyond) > 0.5
        imaged &= self.slab(axis)
        answer = self.cut(mass.astype(np.float32), point, step, "constant") > 0.5
        middle = slice(SIDE // 2 - 1, SIDE // 2 + 1)
        if beside and not answer[middle, middle, middle].any():
            answer[:] = False
        answer &= imaged
        missing = rng.random()
        t1 = None if missing < WITHOUT_T1 else signals[0]
        t2 = None if missing > 1 - WITHOUT_T2 else signals[1]
        return layers(t1, t2, imaged), answer

    def batch(self, size: int) -> tuple[Tensor, Tensor]:
        """Some new, the others seen before in other turns."""
        new = [self.draw() for _ in range(round(size * NEW))]
        self.kept = (self.kept + new)[-KEPT:]
        before = self.rng.integers(len(self.kept), size=size - len(new))
        chosen = new + [self.kept[number] for number in before]
        seen, answers = zip(*(self.turned(*one) for one in chosen), strict=True)
        given = np.stack(answers)[:, None].astype(np.float32)
        return torch.from_numpy(np.stack(seen)), torch.from_numpy(given)

    def aims(self, mass: np.ndarray) -> np.ndarray:
        """Where a reader would point: inside, not at the rim."""
        deep = edt.edt(mass)
        return np.argwhere(deep > self.rng.uniform(0.2, 0.7) * deep.max())

    def body(
        self, hu: np.ndarray, labels: np.ndarray, point: np.ndarray, step: float, voxel_mm: float
    ) -> mri.MrBody:
        """What MR sees of the part around a point, on `SIDE` voxels along each side."""
        reach = (SIDE + 4) / 2 * step
        low = np.clip(np.floor(point - reach), 0, np.array(hu.shape) - 8).astype(int)
        high = np.clip(np.ceil(point + reach), low + 8, hu.shape).astype(int)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        affine = np.diag([voxel_mm] * 3 + [1.0])[[2, 1, 0, 3]]
        whole = body_of_ct(
            Volume(hu[box], affine),
            mass=labels[box] == MASS,
            bone=labels[box] == SKELETON,
            field_t=float(self.rng.choice([1.5, 3.0])),
            rng=self.rng,
        )
        parts = {
            name: self.cut(getattr(whole, name), point - low, step, "reflect")
            for name in ("water", "r1", "r2", "fat", "uptake")
        }
        return replace(whole, **parts)

    def scanned(
        self, body: mri.MrBody, kind: mri.Sequence, axis: int, voxel_mm: float
    ) -> np.ndarray:
        """One series: thick slices across an axis, fat shifted, coil and noise."""
        rng = self.rng
        sequence = replace(
            kind,
            repetition_ms=kind.repetition_ms * rng.uniform(0.7, 1.35),
            echo_ms=kind.echo_ms * rng.uniform(0.75, 1.3),
        )
        water, fat = mri.signals(body, sequence)
        shift = rng.uniform(-2, 2) / voxel_mm * (np.arange(3) == rng.integers(3))
        signal = water + ndimage.shift(fat, shift, order=1, mode="nearest")
        thick = rng.uniform(2.5, 6) / voxel_mm
        spacing = max(thick * rng.uniform(1, 1.25), 1.0)
        signal = ndimage.gaussian_filter1d(signal, 0.3 * thick, axis=axis)
        size = np.array(signal.shape)
        size[axis] = max(2, round(size[axis] / spacing))
        slices = ndimage.zoom(signal, size / signal.shape, order=1)
        field = ndimage.zoom(rng.normal(0, 1, (3, 3, 3)), size / 3, order=1)
        slices = slices * np.exp(rng.uniform(0, 0.3) * field / (field.std() + 1e-6))
        noise = np.quantile(slices, 0.97) / np.exp(rng.uniform(np.log(15), np.log(100)))
        real, imaginary = rng.normal(0, noise, (2, *slices.shape))
        slices = np.hypot(slices + real, imaginary)
        whole = ndimage.zoom(slices, np.array(signal.shape) / size, order=1)
        moved = rng.normal(0, 0.6, 3) / voxel_mm
        return ndimage.shift(whole.astype(np.float32), moved, order=1, mode="nearest")

    def cut(self, part: np.ndarray, point: np.ndarray, step: float, beyond: str) -> np.ndarray:
        """`SIDE` voxels `step` apart around a point."""
        if step > 1.2:
            part = ndimage.gaussian_filter(part, 0.35 * step, mode=beyond)
        start = point - (SIDE - 1) / 2 * step
        return ndimage.affine_transform(
            part, [step] * 3, start, output_shape=(SIDE,) * 3, order=1, mode=beyond
        )

    def slab(self, axis: int) -> np.ndarray:
        """Sometimes the slices end near the mass."""
        shown = np.ones((SIDE,) * 3, bool)
        if self.rng.random() < 0.4:
            ends = self.rng.integers(0, SIDE // 3, 2)
            cut = [slice(None)] * 3
            cut[axis] = slice(0, ends[0])
            shown[tuple(cut)] = False
            cut[axis] = slice(SIDE - ends[1], SIDE)
            shown[tuple(cut)] = False
        return shown

    def turned(self, seen: np.ndarray, answer: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Axes exchanged and turned by chance."""
        order = self.rng.permutation(3)
        seen, answer = seen.transpose(0, *(order + 1)), answer.transpose(order)
        flips = tuple(axis for axis in range(3) if self.rng.random() < 0.5)
        seen = np.flip(seen, tuple(axis + 1 for axis in flips))
        return np.ascontiguousarray(seen), np.ascontiguousarray(np.flip(answer, flips))


def loss_of(scores: Tensor, answer: Tensor) -> Tensor:
    """Cross entropy and Dice, each block alike."""
    weight = torch.tensor(RARE)
    entropy = functional.binary_cross_entropy_with_logits(scores, answer, pos_weight=weight)
    share = scores.sigmoid()
    axes = (1, 2, 3, 4)
    both = 2 * (share * answer).sum(axes) + 30
    return entropy + (1 - both / (share.sum(axes) + answer.sum(axes) + 30)).mean()


def main() -> None:
    """Train for a time, and write weights and network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("blocks", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--start", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    asked.output.mkdir(parents=True, exist_ok=True)
    scenes = Scenes(asked.blocks, int(time.time()))
    network = OutlineNetwork(3, inputs=6, widths=(16, 32, 48), head=24)
    if asked.start:
        network.load_state_dict(torch.load(asked.start))
    mean = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99), use_buffers=True
    )
    steps = torch.optim.AdamW(network.parameters(), lr=asked.rate, weight_decay=1e-3)
    began, done, losses = time.time(), 0, []
    while (spent := (time.time() - began) / 60 / asked.minutes) < 1:
        for group in steps.param_groups:
            group["lr"] = asked.rate * (0.02 + 0.98 * (1 + np.cos(np.pi * spent)) / 2)
        blocks, answers = scenes.batch(asked.batch)
        loss = loss_of(network(blocks), answers)
        steps.zero_grad()
        loss.backward()
        steps.step()
        mean.update_parameters(network)
        losses.append(loss.item())
        done += 1
        if done % 25 == 0:
            spent_min = (time.time() - began) / 60
            print(f"{done} {spent_min:.1f} min {np.mean(losses[-25:]):.3f}", flush=True)
        if done % 100 == 0:
            export(mean.module, asked.output)
    export(mean.module, asked.output)


def export(network: nn.Module, folder: Path) -> None:
    """Write weights, and the network for ONNX Runtime; scores become shares in it."""
    torch.save(network.state_dict(), folder / "weights.pt")
    network.eval()
    torch.onnx.export(
        nn.Sequential(network, nn.Sigmoid()),
        (torch.zeros(1, 6, SIDE, SIDE, SIDE),),
        folder / "mri_network.onnx",
        input_names=["block"],
        output_names=["mass"],
        dynamic_axes={"block": {0: "n"}, "mass": {0: "n"}},
        opset_version=17,
        dynamo=False,
    )
    network.train()


if __name__ == "__main__":
    main()
