"""A mass drawn into a scan leaves the scan what it was, and says what it put there."""

import math
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from calcinosis.errors import InputError
from calcinosis.phantom.appearance import blur_sigma_mm, noise_model
from calcinosis.phantom.drawing import SOFT_TISSUE_HU
from calcinosis.phantom.insert import insert_mass
from calcinosis.phantom.patient import PhantomOptions, make_phantom
from calcinosis.volume import Volume

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data"


@pytest.fixture(scope="module")
def legs():
    options = PhantomOptions(
        seed=4,
        anatomy="knees",
        masses=(),
        decoys=(),
        matrix=220,
        slice_spacing_mm=3,
        z_range_mm=(-45, 45),
        noise_hu=18,
    )
    return make_phantom(options)


def test_an_inserted_mass_changes_its_own_place_only(legs):
    scan, truth = insert_mass(legs.volume, seed=1, near_bone="apart", volume_ml=15)
    changed = scan.voxels != legs.volume.voxels
    places = legs.volume.to_lps(np.argwhere(changed))
    reach = np.linalg.norm(places - truth.masses[0].centroid_lps_mm, axis=1).max()
    assert reach < 0.5 * truth.masses[0].max_diameter_mm + 12
    assert truth.masses[0].bone_distance_mm is None or truth.masses[0].bone_distance_mm > 3.5
    counted = (truth.envelope == 1).sum() * scan.voxel_volume_ml
    assert truth.masses[0].volume_ml == pytest.approx(counted, rel=0.05)
    assert truth.masses[0].volume_ml == pytest.approx(15, rel=0.05)


def test_a_touching_mass_rests_on_bone_that_stays(legs):
    scan, truth = insert_mass(legs.volume, seed=2, near_bone="touching", volume_ml=25)
    assert truth.masses[0].contact_mm2 > 30
    core = legs.truth.skeleton & (legs.volume.voxels > 500)
    assert not (core & (truth.envelope > 0)).any()
    difference = scan.voxels[core].astype(int) - legs.volume.voxels[core]
    assert np.abs(difference).mean() < 5


def test_a_mass_that_is_to_erode_bone_is_put_on_it(legs):
    for seed in (0, 1):  # which would otherwise keep apart
        _, truth = insert_mass(legs.volume, seed=seed, volume_ml=20, erosion_mm=4)
        assert truth.masses[0].bone_distance_mm == 0


def test_the_mass_is_as_noisy_as_the_scan(legs):
    still = make_phantom(replace(legs.options, noise_hu=0))
    _, placed = insert_mass(legs.volume, seed=3, near_bone="apart", volume_ml=40)
    where = {"seed": 3, "volume_ml": 40, "centre_lps_mm": placed.masses[0].centroid_lps_mm}
    noisy, truth = insert_mass(legs.volume, near_bone="apart", **where)
    quiet, _ = insert_mass(still.volume, near_bone="apart", **where)
    difference = (noisy.voxels.astype(float) - quiet.voxels)[truth.locules > 0]
    assert difference.std() == pytest.approx(18, rel=0.2)


def test_excess_attenuation_arrives_in_the_voxels(legs):
    scan, truth = insert_mass(legs.volume, seed=5, near_bone="apart", volume_ml=20)
    before = np.where(truth.envelope > 0, SOFT_TISSUE_HU, legs.volume.voxels)  # it may displace fat
    added = (scan.voxels.astype(float) - before).sum() * scan.voxel_volume_ml
    assert added == pytest.approx(truth.masses[0].excess_hu_ml, rel=0.15)


def test_the_same_seed_inserts_the_same_mass(legs):
    once, _ = insert_mass(legs.volume, seed=6, volume_ml=3)
    again, _ = insert_mass(legs.volume, seed=6, volume_ml=3)
    np.testing.assert_array_equal(once.voxels, again.voxels)


def test_a_scan_without_tissue_has_no_room():
    empty = Volume(np.full((20, 40, 40), -1000, np.int16), np.eye(4)[[2, 1, 0, 3]] * 1.0)
    with pytest.raises(InputError, match="no room for a mass of radius"):
        insert_mass(empty, seed=1, volume_ml=10)


def test_noise_and_blur_of_a_scan_are_read_from_it():
    rng = np.random.default_rng(0)
    from scipy.ndimage import gaussian_filter

    grain = gaussian_filter(rng.normal(size=(6, 128, 128)), [0, 1, 1])
    hu = (50 + 12 * grain / grain.std()).astype(np.float32)
    model = noise_model(hu, np.ones(hu.shape, bool), 0.8)
    assert model.sd_hu == pytest.approx(12, rel=0.12)
    assert model.next_slice == pytest.approx(0, abs=0.1)
    sample = model.sample((4, 128, 128), rng)
    neighbours = [np.corrcoef(f[..., 1:].ravel(), f[..., :-1].ravel())[0, 1] for f in (hu, sample)]
    assert neighbours[1] == pytest.approx(neighbours[0], abs=0.08)
    block = np.full((40, 200, 200), -1000.0)
    block[:, 50:150, 50:150] = 40
    blurred = gaussian_filter(block, [0, 1.1, 1.1]).astype(np.float32)
    sigma = blur_sigma_mm(blurred, np.array([1.0, 0.8, 0.8]))
    assert sigma[1:] == pytest.approx(0.88, rel=0.15)


def test_a_real_shoulder_takes_a_mass_beside_bone():
    path = SHARED / "lidc0314_shoulders" / "lidc0314_shoulders.nii.gz"
    if not path.exists():
        pytest.skip(f"REAL DATA ABSENT: {path} not found; insertion into a real scan is not tested")
    image = nib.load(path)
    affine = (np.diag([-1, -1, 1, 1]) @ image.affine)[:, [2, 1, 0, 3]]
    voxels = np.ascontiguousarray(np.asarray(image.dataobj).T).astype(np.int16)
    scan = Volume(voxels, affine, "FFS")
    drawn, truth = insert_mass(scan, seed=8, near_bone="touching", volume_ml=20)
    mass = truth.masses[0]
    assert mass.contact_mm2 > 10
    assert mass.volume_ml == pytest.approx(20, rel=0.15)
    bone = scan.voxels > 900
    assert (truth.envelope[bone] > 0).mean() < 0.001
    assert math.isclose(drawn.voxel_volume_ml, scan.voxel_volume_ml)
