"""A skeleton drawn elsewhere lands on the right voxels."""

import nibabel as nib
import numpy as np
import pytest
from pydicom.uid import SegmentationStorage

from calcinosis.errors import GeometryError, InputError
from calcinosis.read.mask import read_mask
from calcinosis.read.study import read_study
from dicom_series import body, ct_series, enhanced, save

RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@pytest.fixture
def study(tmp_path):
    return read_study(save(ct_series(), tmp_path / "ct"))


def bones():
    return body() > 400


def nifti(path, mask, affine_lps):
    """Write a mask [z, y, x] with the affine of those indices."""
    affine = RAS @ affine_lps[:, [2, 1, 0, 3]]
    nib.save(nib.Nifti1Image(mask.transpose(2, 1, 0).astype(np.uint8), affine), path)
    return path


def test_a_mask_on_the_same_grid_is_taken_as_it_is(tmp_path, study):
    path = nifti(tmp_path / "bones.nii.gz", bones(), study.volume.affine)
    np.testing.assert_array_equal(read_mask(path, study.volume), bones())


def test_a_mask_with_other_axes_is_turned(tmp_path, study):
    affine = study.volume.affine.copy()
    affine[:3, 3] = study.volume.to_lps([5, 23, 27])
    affine[:3, :3] *= -1
    path = nifti(tmp_path / "bones.nii.gz", bones()[::-1, ::-1, ::-1], affine)
    np.testing.assert_array_equal(read_mask(path, study.volume), bones())


def test_a_finer_mask_is_resampled_to_the_nearest_voxel(tmp_path, study):
    fine = np.repeat(bones(), 2, axis=1)
    affine = study.volume.affine.copy()
    affine[:3, 1] /= 2
    affine[:3, 3] -= affine[:3, 1] / 2
    path = nifti(tmp_path / "bones.nii.gz", fine, affine)
    np.testing.assert_array_equal(read_mask(path, study.volume), bones())


def test_a_mask_of_a_part_stays_in_its_place(tmp_path, study):
    box = np.s_[1:5, 6:18, 8:20]
    affine = study.volume.affine.copy()
    affine[:3, 3] = study.volume.to_lps([1, 6, 8])
    path = nifti(tmp_path / "bones.nii.gz", bones()[box], affine)
    found = read_mask(path, study.volume)
    np.testing.assert_array_equal(found[box], bones()[box])
    assert found.sum() == bones()[box].sum()


def segmentation(datasets, mask, keep):
    """A DICOM SEG with frames for the slices in `keep` only."""
    frames = [datasets[index] for index in keep]
    seg = enhanced(frames)
    seg.SOPClassUID = seg.file_meta.MediaStorageSOPClassUID = SegmentationStorage
    seg.Modality = "SEG"
    seg.BitsAllocated = seg.BitsStored = 1
    seg.HighBit = 0
    seg.PixelData = np.packbits(mask[keep].ravel(), bitorder="little").tobytes()
    return seg


def test_a_dicom_seg_with_frames_left_out_and_shuffled(tmp_path, study):
    mask = bones()
    mask[[0, 3]] = False
    seg = segmentation(ct_series(), mask, [4, 1, 5, 2])
    seg.save_as(tmp_path / "seg.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read_mask(tmp_path / "seg.dcm", study.volume), mask)


def test_frames_of_one_slice_whose_places_are_rounded_otherwise_are_joined(tmp_path, study):
    rounded = ct_series()
    for dataset in rounded:
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y, round(float(z) + 0.002, 3)]
    mask = bones()
    upper, lower = mask.copy(), mask.copy()
    upper[:, 12:], lower[:, :12] = False, False
    both = np.concatenate([upper, lower])
    seg = segmentation(ct_series() + rounded, both, list(range(len(both))))
    seg.save_as(tmp_path / "seg.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read_mask(tmp_path / "seg.dcm", study.volume), mask)


def test_a_highdicom_seg_of_two_segments_is_joined(tmp_path, study):
    hd = pytest.importorskip("highdicom", reason="highdicom writes SEG")
    from highdicom.sr.coding import CodedConcept

    sources = ct_series(SeriesNumber=2, FrameOfReferenceUID="1.2.3", PatientBirthDate="",
                        PatientSex="", AccessionNumber="", StudyID="", StudyDate="", StudyTime="",
                        ReferringPhysicianName="", Manufacturer="x")  # fmt: skip
    kind = CodedConcept("272673000", "SCT", "Bone")
    described = [
        hd.seg.SegmentDescription(
            number, f"bone {number}", kind, kind, hd.seg.SegmentAlgorithmTypeValues.MANUAL
        )
        for number in (1, 2)
    ]
    labels = bones().astype(np.uint8)
    labels[3:] *= 2
    seg = hd.seg.Segmentation(
        sources, labels, "BINARY", described, hd.UID(), 9, hd.UID(), 1, "x", "x", "1", "1"
    )
    seg.save_as(tmp_path / "seg.dcm")
    np.testing.assert_array_equal(read_mask(tmp_path / "seg.dcm", study.volume), bones())


def test_a_mask_elsewhere_is_refused(tmp_path, study):
    affine = study.volume.affine.copy()
    affine[2, 3] += 500
    path = nifti(tmp_path / "far.nii.gz", bones(), affine)
    with pytest.raises(GeometryError, match=r"far\.nii\.gz: the mask lies outside the scan"):
        read_mask(path, study.volume)


def test_an_empty_mask_is_refused(tmp_path, study):
    path = nifti(tmp_path / "none.nii.gz", np.zeros_like(bones()), study.volume.affine)
    with pytest.raises(InputError, match="the mask is empty"):
        read_mask(path, study.volume)


def test_a_scan_is_no_mask(tmp_path, study):
    values = nib.Nifti1Image(body().transpose(2, 1, 0), RAS @ study.volume.affine[:, [2, 1, 0, 3]])
    nib.save(values, tmp_path / "ct.nii.gz")
    with pytest.raises(InputError, match=r"the values run from -\d+ to \d+; expected a mask, 0 wh"):
        read_mask(tmp_path / "ct.nii.gz", study.volume)


def test_an_image_is_no_segmentation(tmp_path, study):
    with pytest.raises(InputError, match="is no DICOM segmentation"):
        read_mask(tmp_path / "ct" / "slice001.dcm", study.volume)


def test_a_missing_mask_is_said(tmp_path, study):
    with pytest.raises(InputError, match="cannot be read"):
        read_mask(tmp_path / "nowhere.nii.gz", study.volume)
