"""Masses drawn into CT that is turned into MRI, and what is measured of them.

python benchmarks/mri.py SCAN.nii.gz ... [--first N] [--cases K]
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from calcinosis.phantom.appearance import bone_mask
from calcinosis.phantom.insert import insert_mass
from calcinosis.phantom.mri_study import DrawnStudy, random_study
from calcinosis.phantom.mri_tissue import body_of_ct
from calcinosis.read.study import read_study
from calcinosis.volume import Volume

STEP_MM = 1.5


@dataclass(frozen=True, eq=False)
class Scene:
    """A study, and the truth on the grid of the CT."""

    study: DrawnStudy
    truth: np.ndarray
    affine: np.ndarray
    point: tuple[float, float, float]
    volume_ml: float


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
    return Scene(study, mass, volume.affine, point, float(mass.sum() * STEP_MM**3 / 1000))
