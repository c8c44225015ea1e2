"""Masses drawn into CT that is turned into MRI, and what is measured of them.

    python benchmarks/mri.py SCAN.nii.gz ... [--first N] [--cases K]

The mass, the planes, sequences and quality of the study and the point are by the seed. Truth is the
whole mass, mineral and fluid and wall.
"""

import argparse
import json
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from calcinosis.errors import InputError
from calcinosis.measure.mri import UNSURE, MrMass, measure_mri
from calcinosis.measure.mri_signal import (
    BRIGHT,
    TAKES_UP,
    Ratio,
    Shares,
    enhancement,
    t1_low,
    t2_heterogeneous,
    t2_high,
)
from calcinosis.phantom.appearance import bone_mask
from calcinosis.phantom.insert import insert_mass
from calcinosis.phantom.mri import signals
from calcinosis.phantom.mri_study import DrawnStudy, random_study
from calcinosis.phantom.mri_tissue import MrBody, body_of_ct
from calcinosis.phantom.shapes import Point
from calcinosis.read.study import read_study
from calcinosis.volume import Volume

STEP_MM = 1.5


@dataclass(frozen=True, eq=False)
class Scene:
    """A study, and on the grid of the CT what MR sees, the mass, and what is surely muscle."""

    study: DrawnStudy
    body: MrBody
    truth: np.ndarray
    muscle: np.ndarray
    affine: np.ndarray
    point: Point
    volume_ml: float
    texture: str


def isotropic(volume: Volume) -> Volume:
    """A CT on voxels of `STEP_MM`."""
    factors = np.array(volume.spacing_mm) / STEP_MM
    shape = np.maximum(1, np.round(np.array(volume.shape) * factors)).astype(int)
    smooth = np.where(factors < 1, 0.4 / factors, 0)
    voxels = ndimage.gaussian_filter(volume.voxels.astype(np.float32), smooth)
    voxels = ndimage.affine_transform(
        voxels, 1 / factors, output_shape=tuple(shape), order=1, mode="nearest"
    )
    affine = volume.affine.copy()
    affine[:3, :3] = affine[:3, :3] / factors
    return replace(volume, voxels=np.rint(voxels).astype(np.int16), affine=affine)


def occupied(scan: Path, volume: Volume) -> np.ndarray | None:
    """Where a real tumour is."""
    contour = scan.with_name(scan.name.replace(".nii.gz", "_gtv.nii.gz"))
    if not contour.exists():
        return None
    from calcinosis.read.mask import read_mask

    return read_mask(contour, volume)


def scene(scan: Path, case: int) -> Scene:
    """Draw a mass of 3 to 150 mL into a scan, and scan it with MR."""
    rng = np.random.default_rng([case, 5])
    original = read_study(scan).volume
    taken = occupied(scan, original)
    donor = isotropic(original)
    if taken is not None:
        factors = np.array(donor.shape) / np.array(taken.shape)
        taken = ndimage.zoom(taken, factors, order=0)
    volume, truth = insert_mass(
        donor, seed=case, avoid=taken, style=("packed", "cellular")[rng.integers(2)]
    )
    mass = truth.envelope > 0
    bone = bone_mask(donor.voxels.astype(np.float32), np.array(donor.spacing_mm)) & ~mass
    body = body_of_ct(volume, mass=mass, bone=bone, field_t=(1.5, 3.0)[rng.integers(2)], rng=rng)
    places = np.argwhere(mass)
    size_mm = float(np.ptp(places, axis=0).max() * STEP_MM)
    centre = volume.point_lps(places.mean(axis=0))
    study = random_study(body, centre, size_mm, rng)
    deep = ndimage.distance_transform_edt(mass)
    aims = np.argwhere(deep > 0.5 * deep.max())
    point = volume.point_lps(aims[rng.integers(len(aims))])
    tissue = ndimage.gaussian_filter(donor.voxels.astype(np.float32), 1.0)
    away = ~ndimage.binary_dilation(mass | bone, iterations=8)
    return Scene(
        study=study,
        body=body,
        truth=mass,
        muscle=away & (tissue > 40) & (tissue < 70),
        affine=volume.affine,
        point=point,
        volume_ml=float(mass.sum() * STEP_MM**3 / 1000),
        texture=truth.masses[0].texture,
    )


@dataclass(frozen=True)
class Score:
    """One mass against the truth; None where the point was refused or nothing was to be judged.

    `wrong` names signs that are told present where the signal without noise says absent, or the
    other way round.
    """

    case: str
    texture: str
    volume_ml: float
    refused: bool = True
    dice: float = 0.0
    volume_error: float | None = None
    volume_covered: bool | None = None
    diameter_error_mm: float | None = None
    diameter_covered: bool | None = None
    confidence: float | None = None
    t1_covered: bool | None = None
    told: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()


def measured(scene: Scene, point: Point) -> MrMass | None:
    """What the program says at a point; None where it refuses."""
    by_role = scene.study.by_role
    t1, t2 = by_role["t1"][1], by_role["t2"][1]
    finer = min((t2, t1), key=lambda one: float(np.prod(one.spacing_mm)))
    enhanced = by_role["enhanced"][1] if "enhanced" in by_role else None
    try:
        return measure_mri(t1, t2, enhanced, point, like=finer)
    except InputError:
        return None


def score(name: str, scene: Scene) -> Score:
    """Outline, sizes and signs of one mass."""
    missed = Score(name, scene.texture, scene.volume_ml)
    found = measured(scene, scene.point)
    if found is None:
        return missed
    onto = np.linalg.inv(found.block.affine) @ scene.affine
    called = ndimage.affine_transform(
        found.mask.astype(np.float32),
        onto[:3, :3],
        onto[:3, 3],
        output_shape=scene.truth.shape,
        order=1,
    )
    both = float(((called > 0.5) & scene.truth).sum())
    places = np.argwhere(scene.truth) * STEP_MM
    diameter_mm = float(pdist(places[ConvexHull(places).vertices]).max())
    true = true_signs(scene)
    told = {code: sign.state for code, sign in found.signs.items() if sign.state != "unknown"}
    return replace(
        missed,
        refused=False,
        dice=2 * both / float((called > 0.5).sum() + scene.truth.sum()),
        volume_error=found.volume_ml / scene.volume_ml - 1,
        volume_covered=_within(scene.volume_ml, found.volume_ci95_ml),
        diameter_error_mm=found.max_diameter_mm - diameter_mm,
        diameter_covered=_within(diameter_mm, found.max_diameter_ci95_mm),
        confidence=found.confidence,
        t1_covered=found.t1_to_muscle and _within(true.t1_ratio, found.t1_to_muscle.ci95),
        told=tuple(f"{code} {state}" for code, state in told.items()),
        wrong=tuple(
            code for code, state in told.items() if {state, true.states[code]} == OPPOSITES
        ),
    )


OPPOSITES = {"present", "absent"}


def _within(value: float, interval: tuple[float, float]) -> bool:
    return interval[0] <= value <= interval[1]


@dataclass(frozen=True)
class TrueSigns:
    """What the signal is without noise, coil and slices."""

    t1_ratio: float
    states: dict[str, str]


def true_signs(scene: Scene) -> TrueSigns:
    """Signs of the mass by the signal of its tissue, muscle's being known."""
    ratios = {}
    for role, (sequence, _) in scene.study.by_role.items():
        water, fat = signals(scene.body, sequence)
        muscle = float(np.median((water + fat)[scene.muscle]))
        ratios[role] = ((water + fat) / muscle)[scene.truth]
    t1_ratio = float(np.median(ratios["t1"]))
    bright = float((ratios["t2"] > BRIGHT).mean())
    low, high = np.quantile(ratios["t2"], (0.1, 0.9))
    sure = Shares(bright, bright, None, float(high / max(low, 0.05)))
    states = {
        "t1_low": t1_low(Ratio(t1_ratio, (t1_ratio, t1_ratio))).state,
        "t2_high": t2_high(sure).state,
        "t2_heterogeneous": t2_heterogeneous(sure).state,
        "mri_enhancement": "unknown",
    }
    if "enhanced" in ratios:
        taken = float((ratios["enhanced"] > TAKES_UP * np.maximum(ratios["t1"], 0.05)).mean())
        states["mri_enhancement"] = enhancement(taken, taken).state
    return TrueSigns(t1_ratio, states)


def beside(scene: Scene, count: int, rng: np.random.Generator) -> list[float]:
    """Confidence at points away from the mass, in the body; 0 where the point is refused."""
    imaged = ndimage.binary_dilation(scene.truth, iterations=20)
    near = ndimage.binary_dilation(scene.truth, iterations=6)
    places = np.argwhere(imaged & ~near & (scene.body.water + scene.body.fat > 0.3))
    given = Volume(scene.truth.astype(np.int16), scene.affine)
    told = []
    for place in places[rng.integers(len(places), size=count)]:
        found = measured(scene, given.point_lps(place))
        told.append(0.0 if found is None else found.confidence)
    return told


def summary(found: list[Score], elsewhere: list[float]) -> dict[str, object]:
    """Medians and spread."""
    called = [one for one in found if not one.refused]
    sure = [one for one in called if one.confidence and one.confidence >= UNSURE]

    def spread(values: list[float]) -> list[float]:
        return [round(float(v), 2) for v in np.quantile(values or [np.nan], (0, 0.1, 0.5, 0.9, 1))]

    def told(some: list[Score]) -> dict[str, object]:
        return {
            "masses": len(some),
            "dice min p10 p50 p90 max": spread([one.dice for one in some]),
            "dice above 0.7": sum(one.dice > 0.7 for one in some),
            "dice below 0.5": sum(one.dice < 0.5 for one in some),
            "volume error": spread([one.volume_error or 0 for one in some]),
            "true to told volume": spread([1 / (1 + (one.volume_error or 0)) for one in some]),
            "volume in interval": sum(bool(one.volume_covered) for one in some),
            "diameter error mm": spread([one.diameter_error_mm or 0 for one in some]),
            "diameter in interval": sum(bool(one.diameter_covered) for one in some),
        }

    return {
        "masses": len(found),
        "outlined": told(called),
        "sure": told(sure),
        "T1 ratio in interval": [
            sum(bool(one.t1_covered) for one in called),
            sum(one.t1_covered is not None for one in called),
        ],
        "signs told": dict(Counter(sign for one in called for sign in one.told)),
        "signs wrong": dict(Counter(sign for one in called for sign in one.wrong)),
        "beside: points, outlined, surely": [
            len(elsewhere),
            sum(one > 0 for one in elsewhere),
            sum(one >= UNSURE for one in elsewhere),
        ],
    }


def main() -> None:
    """One JSON line for each mass, then the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scans", nargs="+", type=Path)
    parser.add_argument("--cases", type=int, default=4)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--beside", type=int, default=2, help="points beside each mass")
    asked = parser.parse_args()
    found: list[Score] = []
    elsewhere: list[float] = []
    for scan in asked.scans:
        for case in range(asked.first, asked.first + asked.cases):
            try:
                drawn = scene(scan, case)
            except InputError:
                continue
            found.append(score(f"{scan.name.split('.')[0]} {case}", drawn))
            elsewhere += beside(drawn, asked.beside, np.random.default_rng([case, 9]))
            print(json.dumps(asdict(found[-1])), flush=True)
    print(json.dumps(summary(found, elsewhere), indent=2))


if __name__ == "__main__":
    main()
