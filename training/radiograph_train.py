"""Train the small network that outlines the mass a reader points at on a radiograph.

    python training/radiograph_train.py backgrounds shadows --output network --minutes 30

Shadows of masses are added to what the beam crosses in scans and phantoms; from the sum a film is
computed, with processing, noise, borders and lead letters by chance, and cut around a point. Some
points lie beside masses, half of these on bone: there nothing is to be outlined. The crop is
brought to `SIDE` pixels whatever its size, and given as `measure/radiograph_outline.py` gives it.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from outline_network import OutlineNetwork
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from calcinosis.measure.radiograph_outline import SIDE, layers
from calcinosis.phantom.radiograph import MINERAL_PER_CM, SPECTRUM, WATER_PER_CM

BESIDE, ON_BONE = 0.35, 0.5  # of all points; of those beside a mass
FIELDS_MM = (35.0, 420.0)
SHARES = (0.15, 0.85)  # of the crop's side that the mass takes


def cut(picture: np.ndarray, centre: np.ndarray, step: float, beyond: str) -> np.ndarray:
    """`SIDE` × `SIDE` pixels `step` apart, in pixels of the picture, around a centre.

    `beyond` says what lies outside the picture, as scipy names it.
    """
    reach = int(np.ceil(SIDE / 2 * step)) + 4
    low = np.maximum(np.asarray(centre).astype(int) - reach, 0)
    high = np.maximum(np.asarray(centre).astype(int) + reach, low + 2)
    part = picture[low[0] : high[0], low[1] : high[1]].astype(np.float32)
    if step > 1:
        part = ndimage.gaussian_filter(part, 0.35 * step, truncate=2, mode=beyond)
    start = np.asarray(centre) - low - (SIDE - 1) / 2 * step
    return ndimage.affine_transform(
        part, [step, step], start, output_shape=(SIDE, SIDE), order=1, mode=beyond
    )


class Scenes:
    """An endless supply of computed radiographs around a point, each with its answer."""

    def __init__(self, backgrounds: Path, shadows: Path, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.backgrounds = [dict(np.load(f)) for f in sorted(backgrounds.glob("*.npz"))]
        self.shadows = [dict(np.load(f)) for f in sorted(shadows.glob("*.npz"))]
        self.bodies = [np.argwhere(b["soft"][::4, ::4] > 2) * 4 for b in self.backgrounds]
        self.bones = [np.argwhere(b["mineral"][::4, ::4] > 0.35) * 4 for b in self.backgrounds]

    def draw(self) -> tuple[np.ndarray, np.ndarray]:
        """Layers [3, SIDE, SIDE] and the mass [SIDE, SIDE], 0 or 1."""
        rng = self.rng
        number = rng.integers(len(self.backgrounds))
        body = self.backgrounds[number]
        soft, mineral, calcified, step_mm = self.mass()
        extent_mm = step_mm * max(np.ptp(places) + 1 for places in np.nonzero(calcified > 1))
        nearer = np.exp(rng.uniform(np.log(0.8), np.log(4.5)))
        extent_mm, step_mm = extent_mm * nearer, step_mm * nearer
        field_mm = np.clip(extent_mm / rng.uniform(*SHARES), *FIELDS_MM)
        point = self.point(calcified)
        shift = np.zeros(2)
        beside = rng.random() < BESIDE
        places = self.bodies[number]
        if beside:
            places = self.bones[number] if rng.random() < ON_BONE else places
            shift = rng.normal(0, 1.2, 2) * extent_mm / step_mm
        if not len(places):
            places = self.bodies[number]
        place = places[rng.integers(len(places))] + rng.uniform(0, 4, 2)
        pixel_mm = field_mm / SIDE
        water = cut(body["soft"], place, pixel_mm, "reflect")  # 1 mm pixels
        bone = cut(body["mineral"], place, pixel_mm, "reflect") * rng.uniform(0.6, 1.2)
        centre, step = point + shift, pixel_mm / step_mm
        *added, depth = (
            nearer * cut(part, centre, step, "constant") for part in (soft, mineral, calcified)
        )
        mass = ndimage.binary_closing(np.pad(depth > 1.5, 4), iterations=2)
        mass = ndimage.binary_fill_holes(mass)[4:-4, 4:-4]
        if beside and mass[SIDE // 2 - 2 : SIDE // 2 + 2, SIDE // 2 - 2 : SIDE // 2 + 2].any():
            beside = False
        answer = np.zeros_like(mass) if beside else mass
        film, shown = self.film(water + added[0], bone + added[1])
        answer = answer & shown
        turn = rng.integers(4)
        film, answer = np.rot90(film, turn), np.rot90(answer, turn)
        if rng.random() < 0.5:
            film, answer = film[:, ::-1], answer[:, ::-1]
        return layers(np.ascontiguousarray(film)), np.ascontiguousarray(answer)

    def mass(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        """One of the shadows that shows something: soft, mineral, calcified, and its pixel."""
        while True:
            found = self.shadows[self.rng.integers(len(self.shadows))]
            axis = self.rng.integers(3)
            calcified = found[f"calcified{axis}"]
            if (calcified > 2).sum() > 40:
                return (
                    found[f"soft{axis}"],
                    found[f"mineral{axis}"],
                    calcified,
                    float(found["step_mm"]),
                )

    def point(self, calcified: np.ndarray) -> np.ndarray:
        """Where a reader would point: somewhere dense."""
        smooth = ndimage.gaussian_filter(calcified.astype(np.float32), 1.5)
        dense = np.argwhere(smooth > self.rng.uniform(0.35, 0.8) * smooth.max())
        return dense[self.rng.integers(len(dense))].astype(float)

    def film(self, water_cm: np.ndarray, mineral_cm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Density of the film, bright where dense, in units of its own; where the beam fell."""
        rng = self.rng
        direct = sum(
            share * np.exp(-water * np.maximum(water_cm, 0) - mineral * np.maximum(mineral_cm, 0))
            for share, water, mineral in zip(SPECTRUM, WATER_PER_CM, MINERAL_PER_CM, strict=True)
        )
        veil = rng.uniform(0.1, 0.8) * ndimage.gaussian_filter(
            direct, SIDE / 3, mode="nearest", truncate=1.5
        )
        direct = ndimage.gaussian_filter(direct, rng.uniform(0, 0.6)) + veil
        grain = ndimage.gaussian_filter(rng.standard_normal(direct.shape), rng.uniform(0, 1.0))
        noise = np.exp(rng.uniform(np.log(0.001), np.log(0.03)))
        direct = direct * (1 + noise * grain / grain.std())
        density = -np.log(np.maximum(direct, 1e-7))
        if rng.random() < 0.3:
            wide = rng.uniform(3, 14)
            density += rng.uniform(0.3, 1.5) * (
                density - ndimage.gaussian_filter(density, wide, truncate=2)
            )
        if rng.random() < 0.3:  # a curve of the display, or pixels that follow the exposure
            low, high = density.min(), density.max()
            density = ((density - low) / (high - low + 1e-6)) ** np.exp(rng.normal(0, 0.4))
        shown = np.ones(density.shape, bool)
        if rng.random() < 0.15:
            self.border(density, shown)
        if rng.random() < 0.15:
            self.letter(density)
        return density.astype(np.float32), shown

    def border(self, density: np.ndarray, shown: np.ndarray) -> None:
        """A collimator's edge."""
        depth, turn = self.rng.integers(3, SIDE // 3), self.rng.integers(4)
        value = density.max() * 1.1 if self.rng.random() < 0.5 else density.min()
        np.rot90(density, turn)[:depth] = value
        np.rot90(shown, turn)[:depth] = False

    def letter(self, density: np.ndarray) -> None:
        """A bright L away from the point."""
        size = self.rng.integers(4, 12)
        y, x = self.rng.integers(0, SIDE - size, 2)
        if max(abs(y + size / 2 - SIDE / 2), abs(x + size / 2 - SIDE / 2)) < size + 4:
            return
        stroke = max(1, size // 5)
        density[y : y + size, x : x + stroke] = density.max()
        density[y + size - stroke : y + size, x : x + size * 2 // 3] = density.max()


def loss_of(scores: Tensor, answer: Tensor) -> Tensor:
    """Cross entropy and Dice, each picture alike."""
    entropy = functional.binary_cross_entropy_with_logits(scores, answer)
    share = scores.sigmoid()
    both = 2 * (share * answer).sum((1, 2, 3)) + 30
    return entropy + (1 - both / (share.sum((1, 2, 3)) + answer.sum((1, 2, 3)) + 30)).mean()


def main() -> None:
    """Train for a time, and write weights and network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("backgrounds", type=Path)
    parser.add_argument("shadows", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--start", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    asked.output.mkdir(parents=True, exist_ok=True)
    scenes = Scenes(asked.backgrounds, asked.shadows, int(time.time()))
    network = OutlineNetwork(2, inputs=3, widths=(16, 32, 64, 64), head=32)
    if asked.start:
        network.load_state_dict(torch.load(asked.start))
    mean = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995), use_buffers=True
    )
    steps = torch.optim.AdamW(network.parameters(), lr=asked.rate, weight_decay=1e-3)
    began, done, losses = time.time(), 0, []
    while (spent := (time.time() - began) / 60 / asked.minutes) < 1:
        for group in steps.param_groups:
            group["lr"] = asked.rate * (0.02 + 0.98 * (1 + np.cos(np.pi * spent)) / 2)
        pairs = [scenes.draw() for _ in range(asked.batch)]
        pictures = torch.from_numpy(np.stack([p for p, _ in pairs]))
        answers = torch.from_numpy(np.stack([a for _, a in pairs])[:, None].astype(np.float32))
        loss = loss_of(network(pictures), answers)
        steps.zero_grad()
        loss.backward()
        steps.step()
        mean.update_parameters(network)
        losses.append(loss.item())
        done += 1
        if done % 100 == 0:
            print(
                f"{done} {(time.time() - began) / 60:.1f} min {np.mean(losses[-100:]):.3f}",
                flush=True,
            )
        if done % 300 == 0:
            export(mean.module, asked.output)
    export(mean.module, asked.output)


def export(network: nn.Module, folder: Path) -> None:
    """Write weights, and the network for ONNX Runtime; scores become shares in it."""
    torch.save(network.state_dict(), folder / "weights.pt")
    network.eval()
    torch.onnx.export(
        nn.Sequential(network, nn.Sigmoid()),
        (torch.zeros(1, 3, SIDE, SIDE),),
        folder / "radiograph_network.onnx",
        input_names=["picture"],
        output_names=["mass"],
        dynamic_axes={"picture": {0: "n"}, "mass": {0: "n"}},
        opset_version=17,
        dynamo=False,
    )
    network.train()


if __name__ == "__main__":
    main()
