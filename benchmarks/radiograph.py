"""How well masses on computed radiographs are outlined and measured.

    python benchmarks/radiograph.py phantoms --cases 12
    python benchmarks/radiograph.py drawn SCAN.nii.gz ... --cases 2

Each mass is drawn into a body, and a film taken from the front and from the side, its
magnification, scatter, noise and processing by the seed. The point is where most calcium lies along
a ray. Truth is the shadow of what is calcified, closed by 3 mm. A mass that differs from its
surroundings by less than `VISIBLE` standard deviations of what these vary by is counted apart:
hardly a reader sees it.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, binary_dilation, binary_fill_holes, gaussian_filter
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist
from skimage.draw import polygon2mask

from calcinosis.errors import InputError
from calcinosis.measure.radiograph import measure_radiograph
from calcinosis.phantom.insert import insert_mass
from calcinosis.phantom.masses import MassOptions
from calcinosis.phantom.patient import PhantomOptions, make_phantom
from calcinosis.phantom.radiograph import Exposure, Film, depth_mm, expose
from calcinosis.phantom.truth import Truth
from calcinosis.read.radiograph import Radiograph
from calcinosis.read.radiograph_gravity import stated_gravity
from calcinosis.read.radiograph_scale import stated_scale
from calcinosis.read.study import read_study
from calcinosis.volume import Volume

CALCIFIED_HU, THICK_MM, CLOSED_MM = 150.0, 1.5, 3.0
VISIBLE = 0.5
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Score:
    """One film against the truth; None where the point was refused."""

    case: str
    texture: str
    visible: bool
    area_mm2: float
    dice: float = 0.0
    area_error: float | None = None
    diameter_error_mm: float | None = None
    diameter_covered: bool | None = None
    confidence: float | None = None


def by_seed(rng: np.random.Generator, beam: str) -> Exposure:
    """An exposure that may happen."""
    return Exposure(
        beam="front" if beam == "front" else "side",
        pixel_mm=float(rng.uniform(0.25, 0.4)),
        magnification=float(rng.uniform(1.05, 1.25)),
        quanta=float(np.exp(rng.uniform(np.log(2e4), np.log(2e5)))),
        scatter=float(rng.uniform(0.2, 0.7)),
        logarithmic=bool(rng.random() < 0.8),
        emphasis=float(rng.choice([0, 0, 0.5, 1.0])),
    )


def scores(case: str, volume: Volume, truth: Truth, rng: np.random.Generator) -> Iterator[Score]:
    """Both films of one mass."""
    calcified = (truth.envelope == 1) & (volume.voxels > CALCIFIED_HU)
    for beam in ("front", "side"):
        exposure = by_seed(rng, beam)
        film = expose(volume, exposure, rng)
        depth = depth_mm(volume, calcified, exposure)
        pixel_mm = film.pixel_mm / film.magnification
        rounds = round(CLOSED_MM / pixel_mm)
        shadow = np.pad(depth > THICK_MM, rounds)
        shadow = binary_fill_holes(binary_closing(shadow, iterations=rounds))
        shadow = shadow[rounds:-rounds, rounds:-rounds]
        if shadow.sum() * pixel_mm**2 >= 30:
            name = f"{case} {beam}"
            texture = truth.masses[0].texture
            yield _score(name, texture, film, shadow, depth, pixel_mm)


def _score(
    case: str,
    texture: str,
    film: Film,
    shadow: Mask,
    depth: NDArray[np.float32],
    pixel_mm: float,
) -> Score:
    density = film.pixels.astype(np.float32)
    row, column = np.unravel_index(int(gaussian_filter(depth, 2 / pixel_mm).argmax()), depth.shape)
    area_mm2 = float(shadow.sum() * pixel_mm**2)
    missed = Score(case, texture, visible(density, shadow, pixel_mm), area_mm2)
    radiograph = Radiograph(
        density,
        np.ones(density.shape, np.bool_),
        np.zeros(density.shape, np.uint8),
        stated_scale(pixel_mm),
        stated_gravity(""),
    )
    try:
        found = measure_radiograph(radiograph, (int(column), int(row)))
    except InputError:
        return missed
    called = polygon2mask(density.shape, found.outline)
    places = np.argwhere(shadow)
    diameter_mm = float(pdist(places[ConvexHull(places).vertices]).max() * pixel_mm)
    low, high = found.max_diameter_ci95_mm
    return Score(
        case,
        texture,
        missed.visible,
        area_mm2,
        dice=float(2 * (called & shadow).sum() / (called.sum() + shadow.sum())),
        area_error=found.area_mm2 / area_mm2 - 1,
        diameter_error_mm=found.max_diameter_mm - diameter_mm,
        diameter_covered=low <= diameter_mm <= high,
        confidence=found.confidence,
    )


def visible(density: NDArray[np.float32], shadow: Mask, pixel_mm: float) -> bool:
    """Whether the mass stands out from what lies within 10 mm around it."""
    near, far = (binary_dilation(shadow, iterations=round(mm / pixel_mm)) for mm in (2, 10))
    around = density[far & ~near]
    return bool(np.median(density[shadow]) - np.median(around) > VISIBLE * around.std())


def phantoms(count: int) -> Iterator[Score]:
    """Masses of 5 to 300 mL at hips and knees."""
    for number in range(count):
        rng = np.random.default_rng([7, number, 3])
        size_ml = float(np.exp(rng.uniform(np.log(5), np.log(300))))
        options = PhantomOptions(
            seed=number,
            anatomy="hips" if rng.random() < 0.5 else "knees",
            masses=(MassOptions(size_ml),),
            pixel_mm=1.0,
        )
        try:
            made = make_phantom(options)
        except InputError:
            continue
        yield from scores(f"phantom {number}", made.volume, made.truth, rng)


def drawn(scans: list[Path], count: int, first: int) -> Iterator[Score]:
    """Masses of 3 to 150 mL in real scans."""
    for scan in scans:
        body = read_study(scan).volume
        for number in range(first, first + count):
            style = "packed" if number % 2 == 0 else "cellular"
            try:
                volume, truth = insert_mass(body, seed=number, style=style)
            except InputError:
                continue
            name = f"{scan.name.split('.')[0]} {number}"
            yield from scores(name, volume, truth, np.random.default_rng([number, 5]))


def summary(found: list[Score]) -> dict[str, object]:
    """Medians and spread, of the masses that can be seen."""
    seen = [one for one in found if one.visible]
    called = [one for one in seen if one.area_error is not None]

    def spread(values: list[float]) -> list[float]:
        return [round(float(v), 2) for v in np.quantile(values or [np.nan], (0.1, 0.5, 0.9))]

    return {
        "films": len(found),
        "visible": len(seen),
        "outlined": len(called),
        "dice p10 p50 p90": spread([one.dice for one in seen]),
        "dice above 0.7": sum(one.dice > 0.7 for one in seen),
        "dice below 0.5": sum(one.dice < 0.5 for one in seen),
        "area error p10 p50 p90": spread([one.area_error or 0 for one in called]),
        "diameter error mm p10 p50 p90": spread([one.diameter_error_mm or 0 for one in called]),
        "diameter in interval": sum(bool(one.diameter_covered) for one in called),
        "not visible: outlined with dice above 0.7": [
            len(found) - len(seen),
            sum(one.dice > 0.7 for one in found if not one.visible),
        ],
    }


def main() -> None:
    """One JSON line for each film, then the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["phantoms", "drawn"])
    parser.add_argument("scans", nargs="*", type=Path)
    parser.add_argument("--cases", type=int, default=2)
    parser.add_argument("--first", type=int, default=0)
    asked = parser.parse_args()
    made = (
        phantoms(asked.cases)
        if asked.kind == "phantoms"
        else drawn(asked.scans, asked.cases, asked.first)
    )
    found = []
    for one in made:
        print(json.dumps(asdict(one)), flush=True)
        found.append(one)
    print(json.dumps(summary(found), indent=2))


if __name__ == "__main__":
    main()
