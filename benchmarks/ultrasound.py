"""Drawn ultrasound pictures: what `calcinosis ultrasound` makes of them.

`ultrasound.py --first 100000 --cases 14` draws so many of each kind, half of them through JPEG,
reads them from DICOM, and measures them at a point and in a box whose sides are off.
"""

import argparse
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
from scipy.ndimage import binary_erosion
from scipy.spatial.distance import pdist

from calcinosis.errors import InputError
from calcinosis.measure.ultrasound import Box, SonographicMass, measure_sonogram
from calcinosis.phantom.ultrasound import Kind, Sonograph, draw, random_recipe
from calcinosis.phantom.ultrasound_dicom import STRIP_ROWS, write_ultrasound
from calcinosis.read.ultrasound import Sonogram, read_sonogram

BOX_OFF = 0.05  # of the mass: how far sides of boxes lie outside it, and standard deviation of that


def drawn(kind: Kind, seed: int, folder: Path) -> tuple[Sonograph, Sonogram]:
    """A picture, and what is read of it."""
    picture = draw(random_recipe(seed, kind), seed)
    quality = None if seed % 2 else int(np.random.default_rng(seed).integers(60, 96))
    path = write_ultrasound(folder / "drawn.dcm", picture, quality=quality)
    at = picture.at[0] + STRIP_ROWS, picture.at[1]
    return picture, read_sonogram(path, at=at)


def box_around(picture: Sonograph, seed: int) -> Box:
    """As a reader draws it, in the picture that was written."""
    rng = np.random.default_rng(seed)
    sides = []
    for places, above in zip(np.nonzero(picture.mass), (STRIP_ROWS, 0), strict=True):
        off = rng.normal(BOX_OFF, BOX_OFF, 2) * np.ptp(places)
        first, last = places.min() - off[0] + above, places.max() + off[1] + above
        sides.append(slice(max(int(first), above), int(last) + 1))
    return sides[0], sides[1]


def measured(sonogram: Sonogram, box: Box | None) -> SonographicMass | None:
    """None where no border is to be seen."""
    if box is not None:
        middle = ((side.start + side.stop - 1) // 2 for side in box)
        sonogram = replace(sonogram, at=(next(middle), next(middle)))
    try:
        return measure_sonogram(sonogram, box)
    except InputError:
        return None


def true_diameter_mm(picture: Sonograph) -> float:
    """The greatest extent of what was drawn."""
    rim = np.argwhere(picture.mass & ~binary_erosion(picture.mass))
    return float(pdist(rim[:: max(1, len(rim) // 400)]).max() * picture.pixel_mm)


class Tally:
    """What becomes of one kind."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.states: dict[str, Counter[str]] = {}
        self.dices: list[float] = []
        self.ratios: dict[str, list[float]] = {}
        self.held: list[bool] = []
        self.chambers: list[int] = []

    def count(self, picture: Sonograph, mass: SonographicMass | None) -> None:
        """Add a picture."""
        if mass is None:
            self._told("found", "refused")
            return
        self._told("found", "outlined")
        self._told("shell around fluid", mass.shell_with_fluid.state)
        self._told("lobulated", mass.echogenic_lobulated.state)
        self._told("behind", mass.strips.state)
        if not picture.mass.any() or self.name.startswith("bone"):
            return
        mask = mass.outline.mask
        both = (mask & picture.mass).sum()
        self.dices.append(float(2 * both / (mask.sum() + picture.mass.sum())))
        truth = true_diameter_mm(picture)
        well = "border shows" if mass.sized else "border in doubt"
        self.ratios.setdefault(well, []).append(truth / mass.max_diameter)
        self.held.append(mass.max_ci95[0] <= truth <= mass.max_ci95[1])
        self.chambers.append(mass.content.locule_count - picture.locules)

    def _told(self, what: str, state: str) -> None:
        self.states.setdefault(what, Counter())[state] += 1

    def show(self) -> None:
        """Print it."""
        print(f"{self.name}: " + "; ".join(f"{what} {dict(n)}" for what, n in self.states.items()))
        if not self.dices:
            return
        print(f"  {spread('Dice', self.dices)}; {spread('chambers too many', self.chambers)}")
        for name, ratios in self.ratios.items():
            print(f"  {spread(f'true to told diameter, {name}', ratios)}")
        print(f"  intervals hold {sum(self.held)} of {len(self.held)}", flush=True)


def spread(name: str, values: list[float] | list[int]) -> str:
    """Median, and where 95 % lie."""
    low, middle, high = np.quantile(values, (0.025, 0.5, 0.975))
    return f"{name}: {middle:.2f} ({low:.2f} to {high:.2f}) of {len(values)}"


def main() -> None:
    """Print figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--cases", type=int, default=6)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for kind in get_args(Kind):
            pointed, boxed = Tally(f"{kind}, a point"), Tally(f"{kind}, a box")
            for seed in range(options.first, options.first + options.cases):
                picture, sonogram = drawn(kind, seed, Path(name))
                pointed.count(picture, measured(sonogram, None))
                if kind not in ("bone", "none"):
                    boxed.count(picture, measured(sonogram, box_around(picture, seed)))
            pointed.show()
            if boxed.states:
                boxed.show()


if __name__ == "__main__":
    main()
