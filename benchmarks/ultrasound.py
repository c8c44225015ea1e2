"""Drawn ultrasound pictures, and points on real ones: what `calcinosis ultrasound` makes of them.

`ultrasound.py --first 5000 --cases 40` draws so many of each kind, half of them through JPEG, and
reads them from DICOM. `ultrasound.py FILE.dcm ...` sets points all over what the probe sees.
"""

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
from scipy.ndimage import binary_erosion
from scipy.spatial.distance import pdist

from calcinosis.errors import InputError
from calcinosis.measure.ultrasound import SonographicMass, measure_sonogram
from calcinosis.measure.ultrasound_beams import sector_of
from calcinosis.measure.ultrasound_behind import look_behind
from calcinosis.measure.ultrasound_tissue import judge_tissue
from calcinosis.phantom.ultrasound import Kind, Sonograph, draw, random_recipe
from calcinosis.phantom.ultrasound_dicom import STRIP_ROWS, write_ultrasound
from calcinosis.read.ultrasound import Sonogram, read_sonogram

APART_PIXELS = 40  # of points on real pictures


def drawn(kind: Kind, seed: int, folder: Path) -> tuple[Sonograph, Sonogram]:
    """A picture, and what is read of it."""
    picture = draw(random_recipe(seed, kind), seed)
    quality = None if seed % 2 else int(np.random.default_rng(seed).integers(60, 96))
    path = write_ultrasound(folder / "drawn.dcm", picture, quality=quality)
    at = picture.at[0] + STRIP_ROWS, picture.at[1]
    return picture, read_sonogram(path, at=at)


def measured(sonogram: Sonogram) -> SonographicMass | None:
    """None where no border is to be seen."""
    try:
        return measure_sonogram(sonogram)
    except InputError:
        return None


def true_diameter_mm(picture: Sonograph) -> float:
    """The greatest extent of what was drawn."""
    rim = np.argwhere(picture.mass & ~binary_erosion(picture.mass))
    return float(pdist(rim[:: max(1, len(rim) // 400)]).max() * picture.pixel_mm)


def told(name: str, values: list[float]) -> str:
    """Median, and where 95 % lie."""
    if not values:
        return f"{name}: none"
    low, middle, high = np.quantile(values, (0.025, 0.5, 0.975))
    return f"{name}: {middle:.2f} ({low:.2f} to {high:.2f}) of {len(values)}"


def judge(kind: Kind, seeds: range, folder: Path) -> None:
    """Print what becomes of one kind."""
    states: Counter[str] = Counter()
    lobulated: Counter[str] = Counter()
    behind: Counter[str] = Counter()
    dices, well, poor, locules = [], [], [], []
    held: list[bool] = []
    for seed in seeds:
        picture, sonogram = drawn(kind, seed, folder)
        mass = measured(sonogram)
        states["refused" if mass is None else mass.shell_with_fluid.state] += 1
        if mass is None:
            continue
        lobulated[mass.echogenic_lobulated.state] += 1
        behind[mass.strips.state] += 1
        if kind in ("bone", "none"):
            continue
        found = mass.outline.mask
        both = (found & picture.mass).sum()
        dices.append(float(2 * both / (found.sum() + picture.mass.sum())))
        truth = true_diameter_mm(picture)
        (well if mass.sized else poor).append(truth / mass.max_diameter)
        held.append(mass.max_ci95[0] <= truth <= mass.max_ci95[1])
        locules.append(float(mass.content.locule_count - picture.locules))
    print(f"{kind}: shell around fluid {dict(states)}; lobulated {dict(lobulated)}")
    print(f"  behind {dict(behind)}; {told('Dice', dices)}; {told('locules too many', locules)}")
    print(f"  true to told diameter, {told('well seen', well)}; {told('poorly', poor)}")
    if held:
        print(f"  intervals hold {sum(held)} of {len(held)}", flush=True)


def uneven(seeds: range, folder: Path) -> list[float]:
    """How far strips side by side differ in tissue without a mass, standard deviations of speckle."""
    found = []
    for seed in seeds:
        _, sonogram = drawn("none", seed, folder)
        sector = sector_of(sonogram)
        rows, columns = np.indices(sector.grey.shape)
        middle = np.array(sector.grey.shape) * (0.4, 0.5)
        mask = np.hypot(rows - middle[0], columns - middle[1]) < 0.12 * sector.grey.shape[0]
        tissue = judge_tissue(sector)
        grey = look_behind(tissue, mask).grey
        if grey is not None:
            found.append(grey / tissue.speckle)
    return found


def everywhere(path: Path) -> Iterator[str]:
    """What is said of points all over a real picture; of a file of several, of the first."""
    import pydicom

    header = pydicom.dcmread(path, stop_before_pixels=True)
    for row in range(APART_PIXELS // 2, header.Rows, APART_PIXELS):
        for column in range(APART_PIXELS // 2, header.Columns, APART_PIXELS):
            try:
                sonogram = read_sonogram(path, at=(row, column))
                sector_of(sonogram)
            except InputError:
                continue
            mass = measured(sonogram)
            yield "refused" if mass is None else mass.shell_with_fluid.state


def main() -> None:
    """Print figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--cases", type=int, default=20)
    options = parser.parse_args()
    if options.files:
        for path in options.files:
            print(f"{path.name}: {dict(Counter(everywhere(path)))}", flush=True)
        return
    seeds = range(options.first, options.first + options.cases)
    with tempfile.TemporaryDirectory() as name:
        for kind in get_args(Kind):
            judge(kind, seeds, Path(name))
        differ = uneven(seeds, Path(name))
        print(f"strips side by side differ by {np.std(differ):.2f} standard deviations of speckle")


if __name__ == "__main__":
    main()
