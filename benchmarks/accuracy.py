"""How well masses are found and measured: phantoms, and masses drawn into real scans.

    python benchmarks/accuracy.py phantoms --cases 40
    python benchmarks/accuracy.py plain --cases 40
    python benchmarks/accuracy.py drawn SCAN.nii.gz ... --cases 3 --contact touching [--seeded]
    python benchmarks/accuracy.py clean SCAN ...

Every case prints one JSON line; a summary with medians, 95th percentiles and shares follows.
A mass counts as found when its Dice with the truth exceeds 0.5.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from plain_solids import plain_phantom

from calcinosis.errors import InputError
from calcinosis.measure.ct import measure_ct
from calcinosis.measure.mass import CtMeasurement, Point
from calcinosis.phantom.insert import insert_mass
from calcinosis.phantom.masses import STYLES, Contact, MassOptions, Style
from calcinosis.phantom.patient import PhantomOptions, make_phantom
from calcinosis.phantom.truth import MassTruth, Truth
from calcinosis.read.study import read_study
from calcinosis.volume import Study, Volume

FOUND_DICE = 0.5


@dataclass(frozen=True)
class Score:
    """One true mass against what was measured; None where it was not found."""

    case: str
    contact: str
    style: str
    volume_ml: float
    dice: float
    volume_error: float | None = None
    calcified_error: float | None = None
    calcium_error: float | None = None
    diameter_error_diagonals: float | None = None
    covered: bool | None = None
    false_masses: int = 0


def score(case: str, volume: Volume, truth: Truth, result: CtMeasurement) -> Iterator[Score]:
    """Compare every true mass with the measured mass that overlaps it most."""
    hit = set(np.unique(result.labels[truth.envelope > 0]).tolist())
    false_masses = sum(mass.id not in hit for mass in result.masses)
    for mass in truth.masses:
        yield _score_mass(case, volume, mass, truth.envelope == mass.id, result, false_masses)


def _score_mass(
    case: str,
    volume: Volume,
    truth: MassTruth,
    mask: NDArray[np.bool_],
    result: CtMeasurement,
    false_masses: int,
) -> Score:
    overlap = np.bincount(result.labels[mask], minlength=256)
    overlap[0] = 0
    best = int(overlap.argmax())
    called = result.labels == best if overlap[best] else np.zeros_like(mask)
    dice = float(2 * (called & mask).sum() / max(called.sum() + mask.sum(), 1))
    contact = "touching" if truth.bone_distance_mm == 0 else "apart"
    missed = Score(case, contact, truth.style, truth.volume_ml, dice, false_masses=false_masses)
    if dice <= FOUND_DICE:
        return missed
    measured = result.masses[best - 1]
    low, high = measured.volume_ci95_ml
    diagonal = float(np.linalg.norm(volume.spacing_mm))
    calcium_mg = truth.excess_hu_ml * result.calibration.mg_hydroxyapatite_per_ml_per_hu
    return Score(
        case,
        contact,
        truth.style,
        truth.volume_ml,
        dice,
        volume_error=measured.volume_ml / truth.volume_ml - 1,
        calcified_error=measured.calcified_volume_ml / max(truth.calcified_volume_ml, 1e-9) - 1,
        calcium_error=measured.calcium_mass_mg / calcium_mg - 1,
        diameter_error_diagonals=(measured.max_diameter_mm - truth.max_diameter_mm) / diagonal,
        covered=low <= truth.volume_ml <= high,
        false_masses=false_masses,
    )


def phantoms(count: int, first: int) -> Iterator[Score]:
    """Phantoms over anatomies, positions, spacings 0.6–3 mm, noise 10–40 HU and kernels."""
    for number in range(first, first + count):
        rng = np.random.default_rng([7, number])
        options = PhantomOptions(
            seed=number,
            anatomy=rng.choice(["hips", "knees", "shoulders", "thorax"]),
            masses=(MassOptions(float(np.exp(rng.uniform(np.log(5), np.log(300))))),),
            decoys=("vessel", "phlebolith", "granuloma"),
            patient_position=rng.choice(["HFS", "FFS", "HFP", "FFP", "HFDL", "FFDR"]),
            pixel_mm=float(rng.uniform(0.6, 1.4)),
            slice_spacing_mm=float(rng.uniform(0.6, 3.0)),
            noise_hu=float(rng.uniform(10, 40)),
            kernel=rng.choice(["soft", "standard", "sharp"]),
        )
        try:
            phantom = make_phantom(options)
        except InputError:
            continue
        result = measure_ct(Study(phantom.volume))
        yield from score(f"phantom {number}", phantom.volume, phantom.truth, result)


def plain(count: int, first: int) -> Iterator[Score]:
    """Plain solids in plain bodies."""
    for number in range(first, first + count):
        volume, truth = plain_phantom(number)
        result = measure_ct(Study(volume))
        yield from score(f"plain {number}", volume, truth, result)


def drawn(
    scans: list[Path], numbers: range, contact: Contact, style: Style, *, seeded: bool
) -> Iterator[Score]:
    """Masses drawn into real scans."""
    for scan in scans:
        study = read_study(scan)
        for number in numbers:
            try:
                volume, truth = insert_mass(
                    study.volume, seed=number, near_bone=contact, style=style
                )
            except InputError:
                continue
            seeds = [seed_point(volume, truth)] if seeded else []
            result = measure_ct(Study(volume), seeds_lps_mm=seeds)
            yield from score(f"{scan.name} {number}", volume, truth, result)


def seed_point(volume: Volume, truth: Truth) -> Point:
    """A user's click: a bright voxel near the middle of the mass."""
    inside = np.argwhere(truth.envelope > 0)
    values = volume.voxels[tuple(inside.T)]
    bright = inside[values >= np.percentile(values, 95)]
    middle = bright[np.argmin(np.linalg.norm(bright - inside.mean(0), axis=1))]
    x, y, z = (float(value) for value in volume.to_lps(middle))
    return x, y, z


def clean(scans: list[Path]) -> Iterator[dict[str, object]]:
    """Scans without a calcified mass: what is called all the same."""
    for scan in scans:
        result = measure_ct(read_study(scan))
        kinds: dict[str, float] = {}
        for other in result.other_calcifications:
            kinds[other.kind] = round(kinds.get(other.kind, 0) + other.volume_ml, 3)
        masses = [(round(m.volume_ml, 1), round(m.confidence, 2)) for m in result.masses]
        yield {"scan": scan.name, "masses": masses, "other_ml": kinds}


def summary(scores: list[Score]) -> dict[str, object]:
    """Shares, medians and 95th percentiles."""
    found = [s for s in scores if s.volume_error is not None]
    report: dict[str, object] = {
        "n": len(scores),
        "found": round(len(found) / max(len(scores), 1), 3),
        "found_dice_0.8": round(sum(s.dice > 0.8 for s in scores) / max(len(scores), 1), 3),
        "false_masses": sum(s.false_masses for s in scores),
    }
    if found:
        report["dice_median"] = round(float(np.median([s.dice for s in found])), 3)
        names = ("volume_error", "calcified_error", "calcium_error", "diameter_error_diagonals")
        for name in names:
            values = np.array([getattr(s, name) for s in found])
            report[name] = {
                "median": round(float(np.median(values)), 3),
                "median_abs": round(float(np.median(np.abs(values))), 3),
                "p95_abs": round(float(np.percentile(np.abs(values), 95)), 3),
            }
        report["interval_covers"] = round(float(np.mean([bool(s.covered) for s in found])), 3)
    return report


def main() -> None:
    """Run one of the four."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=["phantoms", "plain", "drawn", "clean"])
    parser.add_argument("scans", nargs="*", type=Path)
    parser.add_argument("--cases", type=int, default=3)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--contact", choices=["apart", "touching"], default="apart")
    parser.add_argument("--style", choices=STYLES, default="packed")
    parser.add_argument("--seeded", action="store_true")
    options = parser.parse_args()
    if options.what == "clean":
        for line in clean(options.scans):
            print(json.dumps(line), flush=True)
        return
    run = {
        "phantoms": lambda: phantoms(options.cases, options.first),
        "plain": lambda: plain(options.cases, options.first),
        "drawn": lambda: drawn(
            options.scans,
            range(options.first, options.first + options.cases),
            options.contact,
            options.style,
            seeded=options.seeded,
        ),
    }[options.what]()
    scores = []
    for item in run:
        scores.append(item)
        print(json.dumps(asdict(item)), flush=True)
    for contact in sorted({item.contact for item in scores}):
        print(contact, json.dumps(summary([s for s in scores if s.contact == contact])))
    print("all", json.dumps(summary(scores)))


if __name__ == "__main__":
    main()
