"""How well masses are followed: drawn into real scans, twice, the patient lying otherwise.

    python benchmarks/follow.py SCAN.nii.gz ... --first 1 --cases 16 [--same]

The second scan is the first donor turned by up to 6° about each axis, shifted by up to 20 mm,
resampled to voxels 0.75 to 1.3 times as long, with more noise; a mass of a third to three times the
volume is drawn into it at the same place, by the same seed. With `--same` the drawn scan itself is
moved, so that nothing changed. Every case prints one JSON line, a summary follows.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from calcinosis.errors import InputError
from calcinosis.follow.change import Change
from calcinosis.follow.follow_up import follow_up
from calcinosis.measure.bone_overlay import Pose
from calcinosis.phantom.insert import insert_mass
from calcinosis.phantom.masses import STYLES
from calcinosis.phantom.truth import Truth
from calcinosis.read.study import read_study
from calcinosis.volume import Study, Volume

TURN_DEG, SHIFT_MM, NOISE_HU = 6.0, 20.0, 12.0
TIMES = 3.0  # a mass grows or shrinks up to so many times


@dataclass(frozen=True)
class Case:
    """One mass in two scans; errors are logarithms of told to true ratio."""

    case: str
    earlier_ml: float
    later_ml: float
    course: str
    matched: bool
    volume_error: float | None = None
    volume_covered: bool | None = None
    sure: bool | None = None
    calcium_error: float | None = None
    calcium_covered: bool | None = None


def moved(volume: Volume, rng: np.random.Generator) -> tuple[Volume, Pose]:
    """The same patient scanned again: turned, shifted, on another grid, with more noise."""
    turn = Rotation.from_rotvec(np.radians(rng.uniform(-TURN_DEG, TURN_DEG, 3))).as_matrix()
    centre = volume.to_lps((np.array(volume.shape) - 1) / 2)
    shift = rng.uniform(-SHIFT_MM, SHIFT_MM, 3)
    pose = Pose(turn, centre + shift - turn @ centre)
    scale = rng.uniform(0.75, 1.3)
    affine = volume.affine.copy()
    affine[:3, :3] *= scale
    affine[:3, 3] += shift
    shape = tuple(max(2, int(size / scale)) for size in volume.shape)
    back = np.linalg.inv(volume.affine) @ pose.inverse.matrix @ affine
    smooth = ndimage.gaussian_filter(volume.voxels.astype(np.float32), max(0.0, (scale - 1) / 2))
    hu = ndimage.affine_transform(
        smooth, back[:3, :3], back[:3, 3], output_shape=shape, order=1, cval=-1000
    )
    hu += rng.normal(0, rng.uniform(0, NOISE_HU), shape)
    voxels = np.clip(np.rint(hu), -1024, 32767).astype(np.int16)
    return replace(volume, voxels=voxels, affine=affine), pose


def cases(scans: list[Path], numbers: range, *, same: bool) -> Iterator[Case]:
    """Draw, move, draw again, and follow."""
    for scan in scans:
        study = read_study(scan)
        for number in numbers:
            try:
                (before, true), (after, then) = _drawn_twice(study.volume, number, same=same)
            except InputError:
                continue
            yield from _followed(f"{scan.name} {number}", before, true, after, then)


def _drawn_twice(
    donor: Volume, number: int, *, same: bool
) -> tuple[tuple[Volume, Truth], tuple[Volume, Truth]]:
    rng = np.random.default_rng([17, number])
    contact, style = ("apart", "touching")[number % 2], STYLES[number // 2 % 2]
    size_ml = float(np.exp(rng.uniform(np.log(4), np.log(60))))
    times = float(np.exp(rng.uniform(-1, 1) * np.log(TIMES)))
    drawn, truth = insert_mass(
        donor, seed=number, near_bone=contact, volume_ml=size_ml, style=style
    )
    if same:
        return (drawn, truth), (moved(drawn, rng)[0], truth)
    again, pose = moved(donor, rng)
    x, y, z = pose(donor.to_lps(np.argwhere(truth.envelope > 0).mean(axis=0))).tolist()
    return (drawn, truth), insert_mass(
        again,
        seed=number,
        near_bone=contact,
        centre_lps_mm=(x, y, z),
        volume_ml=size_ml * times,
        style=style,
    )


def _followed(case: str, before: Volume, true: Truth, after: Volume, then: Truth) -> Iterator[Case]:
    follow = follow_up(Study(before), Study(after))
    (earlier,), (later,) = true.masses, then.masses
    for mass in follow.masses:
        told = Case(
            case,
            round(earlier.volume_ml, 2),
            round(later.volume_ml, 2),
            mass.course,
            bool(mass.earlier and mass.later),
        )
        if mass.volume is None or mass.calcium is None:
            yield told
            continue
        volume = later.volume_ml / earlier.volume_ml
        calcium = later.excess_hu_ml / earlier.excess_hu_ml
        yield replace(
            told,
            volume_error=_off(mass.volume, volume),
            volume_covered=_covers(mass.volume, volume),
            sure=mass.volume.is_sure,
            calcium_error=_off(mass.calcium, calcium),
            calcium_covered=_covers(mass.calcium, calcium),
        )


def _off(change: Change, ratio: float) -> float:
    return round(float(np.log(change.ratio / ratio)), 3)


def _covers(change: Change, ratio: float) -> bool:
    low, high = change.ratio_ci95
    return low <= ratio <= high


def summary(told: list[Case]) -> dict[str, object]:
    """Shares and spreads of what could be compared."""
    compared = [case for case in told if case.volume_error is not None]
    return {
        "masses": len(told),
        "matched": sum(case.matched for case in told),
        "compared": len(compared),
        **{
            f"{name}_{of}": value
            for name in ("volume", "calcium")
            for errors in [[getattr(case, f"{name}_error") for case in compared]]
            for of, value in (
                ("error_sd", round(float(np.std(errors)), 3)),
                ("error_worst", round(float(np.abs(errors).max()), 3)),
                ("covered", sum(getattr(case, f"{name}_covered") for case in compared)),
            )
        },
        "sure": sum(bool(case.sure) for case in compared),
    }


def main() -> None:
    """Print every case and the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scans", nargs="+", type=Path)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--cases", type=int, default=16)
    parser.add_argument("--same", action="store_true")
    options = parser.parse_args()
    told = []
    numbers = range(options.first, options.first + options.cases)
    for case in cases(options.scans, numbers, same=options.same):
        told.append(case)
        print(json.dumps(asdict(case)), flush=True)
    print(json.dumps(summary(told)))


if __name__ == "__main__":
    main()
