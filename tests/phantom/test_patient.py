"""A phantom is the scan that was asked for, in every position, every time."""

import hashlib
import json

import nibabel as nib
import numpy as np
import pydicom
import pytest

from calcinosis.errors import InputError
from calcinosis.phantom.dicom import write_series
from calcinosis.phantom.masses import MassOptions
from calcinosis.phantom.output import write_truth
from calcinosis.phantom.patient import Phantom, PhantomOptions, make_phantom
from calcinosis.volume import GRAVITY_LPS, Volume
from outside_readers import assert_conforms

QUICK = {
    "matrix": 96,
    "slice_spacing_mm": 5.0,
    "z_range_mm": (-55.0, 45.0),
    "masses": (MassOptions(60, texture="sedimented"),),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantom")
    phantom = make_phantom(PhantomOptions(seed=3, patient_position="HFDR", **QUICK))
    write_series(phantom, folder / "dicom")
    write_truth(phantom, folder / "truth")
    return phantom, folder


@pytest.mark.parametrize("position", GRAVITY_LPS)
def test_levels_follow_the_patient_round_the_table(position):
    phantom = make_phantom(PhantomOptions(seed=5, patient_position=position, noise_hu=0, **QUICK))
    down = np.asarray(GRAVITY_LPS[position])
    levels = phantom.truth.masses[0].levels
    assert levels
    voxels, labels = phantom.volume.voxels, phantom.truth.locules
    for level in levels:
        places = np.argwhere(labels == level.locule)
        if level.locule_volume_ml < 4 or len(places) < 20:
            continue
        height = phantom.volume.to_lps(places) @ down
        hu = voxels[tuple(places.T)]
        assert (
            hu[height >= np.quantile(height, 0.9)].mean()
            > hu[height <= np.quantile(height, 0.1)].mean()
        )
    # images are acquired with their columns running down
    assert phantom.volume.direction_in_indices(down) @ [0, 1, 0] == pytest.approx(1)


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    def fingerprint(name):
        phantom = make_phantom(PhantomOptions(seed=11, **QUICK))
        write_series(phantom, tmp_path / name / "dicom")
        write_truth(phantom, tmp_path / name / "truth")
        files = sorted((tmp_path / name).rglob("*.*"))
        return [hashlib.sha256(f.read_bytes()).hexdigest() for f in files]

    assert fingerprint("once") == fingerprint("again")


def test_noise_has_the_standard_deviation_asked_for():
    options = {"seed": 2, "anatomy": "knees", "masses": (), "matrix": 96, "slice_spacing_mm": 3.0}
    still = make_phantom(PhantomOptions(noise_hu=0, **options)).volume.voxels.astype(float)
    for kernel in ("standard", "soft"):
        quiet = make_phantom(PhantomOptions(noise_hu=0, kernel=kernel, **options)).volume.voxels
        noisy = make_phantom(PhantomOptions(noise_hu=25, kernel=kernel, **options)).volume.voxels
        inside = (still > -150) & (still < 1500)
        difference = (noisy.astype(float) - quiet)[inside]
        assert difference.std() == pytest.approx(25, rel=0.03)
        assert difference.mean() == pytest.approx(0, abs=1)


def test_pydicom_and_nibabel_place_voxels_where_the_volume_does(written):
    phantom, folder = written
    files = sorted((folder / "dicom").iterdir())
    assert len(files) == phantom.volume.shape[0]
    ds = pydicom.dcmread(files[7])
    row, column = np.array(ds.ImageOrientationPatient).reshape(2, 3).astype(float)
    r, c = 13, 41
    place = np.array(ds.ImagePositionPatient, float)
    place += column * r * ds.PixelSpacing[0] + row * c * ds.PixelSpacing[1]
    np.testing.assert_allclose(place, phantom.volume.to_lps([7, r, c]), atol=1e-6)
    hu = ds.pixel_array.astype(int) * int(ds.RescaleSlope) + int(ds.RescaleIntercept)
    np.testing.assert_array_equal(hu, phantom.volume.voxels[7])
    mask = nib.load(folder / "truth" / "envelope.nii.gz")
    ras = mask.affine @ [c, r, 7, 1]
    np.testing.assert_allclose(ras[:3] * [-1, -1, 1], place, atol=1e-3)
    np.testing.assert_array_equal(np.asarray(mask.dataobj).T, phantom.truth.envelope)


@pytest.mark.parametrize("anatomy", ["hips", "knees", "shoulders", "thorax", "arm"])
def test_the_series_conforms_and_says_that_it_is_of_a_phantom(anatomy, tmp_path):
    affine = np.array([[0, 0, 1.0, 0], [0, 1.0, 0, 0], [2.0, 0, 0, 0], [0, 0, 0, 1]])
    volume = Volume(np.zeros((1, 8, 9), np.int16), affine)
    drawn = Phantom(PhantomOptions(anatomy=anatomy), volume, truth=None)
    (path,) = write_series(drawn, tmp_path)
    assert_conforms(path)
    assert pydicom.dcmread(path).QualityControlImage == "YES"


def test_simpleitk_reads_the_series_as_one_volume(written):
    sitk = pytest.importorskip("SimpleITK", reason="SimpleITK is an extra")
    phantom, folder = written
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder / "dicom"))
    image = sitk.ReadImage(names)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), phantom.volume.voxels)
    place = image.TransformIndexToPhysicalPoint((41, 13, 7))
    np.testing.assert_allclose(place, phantom.volume.to_lps([7, 13, 41]), atol=1e-4)


def test_truth_json_says_what_the_masks_hold(written):
    phantom, folder = written
    record = json.loads((folder / "truth" / "truth.json").read_text())
    (mass,) = record["masses"]
    counted = (phantom.truth.envelope == 1).sum() * phantom.volume.voxel_volume_ml
    assert mass["volume_ml"] == pytest.approx(counted, rel=0.02)
    assert mass["volume_ml"] == pytest.approx(60, rel=0.1)
    assert record["gravity_lps"] == [-1, 0, 0]
    assert record["options"]["patient_position"] == "HFDR"


@pytest.mark.parametrize("contact", ["apart", "touching"])
def test_masses_keep_their_distance_or_touch_and_never_replace_bone(contact):
    mass = MassOptions(40, contact, erosion_mm=5 if contact == "touching" else 0)
    phantom = make_phantom(PhantomOptions(seed=9, **QUICK | {"masses": (mass,)}))
    truth = phantom.truth.masses[0]
    assert not (phantom.truth.skeleton & (phantom.truth.envelope > 0)).any()
    if contact == "apart":
        assert truth.bone_distance_mm is None or truth.bone_distance_mm >= 3.5
        assert truth.contact_mm2 == 0
    else:
        assert truth.bone_distance_mm == 0
        assert truth.contact_mm2 > 20
        assert truth.erosion.depth_mm == pytest.approx(5, abs=1.5)
        assert phantom.truth.erosion.any()


def test_an_arm_bears_its_mass_at_the_elbow(tmp_path):
    options = PhantomOptions(
        seed=4, anatomy="arm", matrix=96, slice_spacing_mm=5.0, masses=(MassOptions(15),)
    )
    phantom = make_phantom(options)
    (mass,) = phantom.truth.masses
    assert mass.joint == "elbow"
    first, *_ = write_series(phantom, tmp_path)
    assert pydicom.dcmread(first).BodyPartExamined == "ELBOW"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"anatomy": "elbows"}, "'elbows' is unknown; expected one of hips"),
        ({"patient_position": "SITTING"}, "'SITTING' is unknown"),
        ({"decoys": ("stent",)}, "'stent' is unknown"),
        ({"noise_hu": -3}, "noise.*between 0 and 100; found -3"),
        (
            {"masses": (MassOptions(20, joint="knee"),)},
            "no  ?knee in this scan; it holds: left hip",
        ),
        ({"pixel_mm": 0.3, "slice_spacing_mm": 0.3}, "too many"),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(options, complaint):
    with pytest.raises(InputError, match=complaint):
        make_phantom(PhantomOptions(**QUICK | options))
