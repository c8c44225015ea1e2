"""NIfTI and NRRD: every voxel keeps its place, and labels return on the input's own grid."""

import bz2
import gzip

import nibabel as nib
import nrrd
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calcinosis.read.study import read_study
from dicom_series import body

RAS_FROM_LPS = np.diag([-1, -1, 1])


@st.composite
def affines(draw):
    """Any orientation: axes permuted, flipped, rotated a little, of any spacing."""
    order = draw(st.permutations(range(3)))
    signs = [draw(st.sampled_from([-1, 1])) for _ in range(3)]
    turn = np.radians(draw(st.floats(-25, 25)))
    rotation = np.array(
        [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    )
    affine = np.eye(4)
    spacing = [draw(st.floats(0.5, 4)) for _ in range(3)]
    affine[:3, :3] = rotation @ np.eye(3)[:, order] * signs * spacing
    affine[:3, 3] = [draw(st.floats(-500, 500)) for _ in range(3)]
    return affine


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(affines(), st.integers(0, 2**32))
def test_nifti_of_any_orientation_goes_there_and_back(tmp_path_factory, affine, seed):
    path = tmp_path_factory.mktemp("nifti") / "ct.nii.gz"
    values = body((8, 9, 10))
    nib.save(nib.Nifti1Image(values, affine), path)
    affine = nib.load(path).affine  # as the file's float32 keeps it
    study = read_study(path)
    volume = study.volume

    labels = np.random.default_rng(seed).integers(0, 3, volume.shape, dtype=np.uint8)
    back, back_affine = study.on_input_grid(labels)
    np.testing.assert_array_equal(back_affine, affine)
    assert back.shape == values.shape
    np.testing.assert_array_equal(study.on_input_grid(volume.voxels)[0], values)
    for index in ((0, 0, 0), (7, 2, 5)):
        ras = affine[:3, :3] @ index + affine[:3, 3]
        there = np.rint(volume.to_indices(RAS_FROM_LPS @ ras)).astype(int)
        assert volume.voxels[tuple(there)] == values[index]
        assert labels[tuple(there)] == back[index]
    upright = volume.affine[[2, 1, 0], [0, 1, 2]]
    assert (upright > 0).all()


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize(
    ("written", "named"),
    [("ct.nii", "ct.nii.gz"), ("ct.nii.gz", "ct.nii"), ("ct.nii.gz", "CT"), ("ct.nii", "ct.dat")],
)
def test_nifti_is_known_by_its_content_whatever_it_is_called(tmp_path, written, named, kind):
    nib.save(kind(body(), np.diag([1.0, 1.0, 2.0, 1.0])), tmp_path / written)
    path = (tmp_path / written).rename(tmp_path / named)
    study = read_study(path)
    np.testing.assert_array_equal(study.on_input_grid(study.volume.voxels)[0], body())


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32, np.float64])
def test_nifti_of_every_number_type_is_rounded_to_hounsfield_units(tmp_path, kind):
    path = tmp_path / "ct.nii"
    values = body().transpose(2, 1, 0).astype(kind)
    if kind in (np.float32, np.float64):
        values += 0.3
        values[0, 0, 0] = np.nan
    nib.save(nib.Nifti1Image(values, np.diag([-1, -1, 2, 1])), path)
    study = read_study(path)
    voxels = study.volume.voxels
    expected = body()
    if kind in (np.float32, np.float64):
        expected[0, 0, 0] = -1024
        assert f"1 of {values.size} voxels hold no number: they count as air." in study.remarks
    else:
        assert "no number" not in " ".join(study.remarks)
    assert voxels.dtype == np.int16
    np.testing.assert_array_equal(voxels, expected)


def test_the_scale_of_a_nifti_is_applied(tmp_path):
    path = tmp_path / "ct.nii.gz"
    image = nib.Nifti1Image(((body() + 1024) / 2).astype(np.int16), np.eye(4))
    image.header.set_slope_inter(2, -1024)
    nib.save(image, path)
    stored = np.rint((body() + 1024) // 2) * 2 - 1024
    study = read_study(path)
    np.testing.assert_allclose(study.on_input_grid(study.volume.voxels)[0], stored, atol=2)


def test_a_trailing_axis_of_one_is_dropped(tmp_path):
    path = tmp_path / "ct.nii"
    nib.save(nib.Nifti1Image(body()[..., None], np.eye(4)), path)
    assert sorted(read_study(path).volume.shape) == [6, 24, 28]


def test_a_nifti_without_orientation_is_remarked(tmp_path):
    path = tmp_path / "ct.nii"
    image = nib.Nifti1Image(body(), None)
    image.set_sform(None, 0)
    image.set_qform(None, 0)
    nib.save(image, path)
    assert "right and left are assumed" in " ".join(read_study(path).remarks)


@pytest.mark.parametrize(("turned", "said"), [(-1, True), (1, False)])
def test_a_nifti_that_states_two_orientations_is_read_by_its_sform_and_remarked(
    tmp_path, turned, said
):
    path = tmp_path / "ct.nii"
    image = nib.Nifti1Image(body().transpose(2, 1, 0), None)
    image.set_sform(np.diag([-1, -1, 2, 1]), 1)
    image.set_qform(np.diag([-turned, -1, 2, 1]), 1)
    nib.save(image, path)
    study = read_study(path)
    np.testing.assert_array_equal(study.volume.voxels, body())
    assert any("sform and qform lie up to 54 mm apart" in one for one in study.remarks) == said


def test_gravity_of_a_nifti_is_assumed_and_said_unless_given(tmp_path):
    path = tmp_path / "ct.nii"
    nib.save(nib.Nifti1Image(body(), np.eye(4)), path)
    assumed = read_study(path)
    assert assumed.volume.position_assumed
    assert "HFS (on the back) is assumed" in assumed.remarks[-1]
    stated = read_study(path, patient_position="FFDR")
    assert stated.volume.patient_position == "FFDR"
    assert not stated.volume.position_assumed
    assert stated.remarks == ()


def test_a_sheared_nifti_is_straightened_and_said(tmp_path):
    path = tmp_path / "tilted.nii"
    affine = np.diag([-1.0, -1.0, 2.0, 1.0])
    affine[1, 2] = 0.5
    nib.save(nib.Nifti1Image(body().transpose(2, 1, 0), affine), path)
    study = read_study(path)
    axes = study.volume.affine[:3, :3] / study.volume.spacing_mm
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-5)
    assert "sheared by 14.0° were straightened; masses.nii.gz lies on" in study.remarks[0]


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2"])
@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("left-posterior-superior", (1, 1, 1)),
        ("right-anterior-superior", (-1, -1, 1)),
        ("left-anterior-superior", (1, -1, 1)),
    ],
)
def test_nrrd_reads_in_every_space_and_encoding(tmp_path, encoding, space, signs):
    path = tmp_path / "ct.nrrd"
    header = {
        "space": space,
        "space directions": np.diag(np.multiply(signs, [1.0, 1.0, 2.0])),
        "space origin": np.multiply(signs, [-14.0, -12.0, -100.0]),
        "encoding": encoding,
    }
    nrrd.write(str(path), body().transpose(2, 1, 0), header)
    study = read_study(path)
    np.testing.assert_array_equal(study.volume.voxels, body())
    np.testing.assert_allclose(study.volume.to_lps([0, 0, 0]), [-14, -12, -100])
    assert study.volume.spacing_mm == pytest.approx((2, 1, 1))
    np.testing.assert_array_equal(
        study.on_input_grid(study.volume.voxels)[0], body().transpose(2, 1, 0)
    )


def test_a_nrrd_header_finds_its_data_beside_it(tmp_path):
    header = {
        "space": "left-posterior-superior",
        "space directions": np.diag([1.0, 1.0, 2.0]),
        "space origin": np.zeros(3),
    }
    nrrd.write(str(tmp_path / "ct.nhdr"), body().transpose(2, 1, 0), header, detached_header=True)
    np.testing.assert_array_equal(read_study(tmp_path / "ct.nhdr").volume.voxels, body())


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("bzip2", bz2.compress)])
def test_voxels_packed_by_several_processors_are_several_streams(tmp_path, encoding, pack):
    header = {
        "space": "left-posterior-superior",
        "space directions": np.diag([1.0, 1.0, 2.0]),
        "space origin": np.zeros(3),
        "encoding": "raw",
    }
    path = tmp_path / "ct.nrrd"
    nrrd.write(str(path), body().transpose(2, 1, 0), header)
    head, voxels = path.read_bytes().split(b"\n\n", 1)
    head = head.replace(b"encoding: raw", f"encoding: {encoding}\ndata file: ./ct.gz".encode())
    path.write_bytes(head + b"\n\n")
    (tmp_path / "ct.gz").write_bytes(pack(voxels[:3000]) + pack(voxels[3000:]))
    np.testing.assert_array_equal(read_study(path).volume.voxels, body())
