"""What each folder of real data calls for (`../shared/README.md`)."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from calcinosis.errors import GeometryError, NotCtError
from calcinosis.read.mask import read_mask
from calcinosis.read.study import read_study

DATA = Path(__file__).parents[2] / "../shared/data"
pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="REAL DATA MISSING: ../shared/data is not beside the checkout"
)


@pytest.mark.parametrize(
    ("where", "shape", "spacing_mm", "position", "assumed"),
    [
        ("totalseg/example_ct_dicom", (20, 512, 512), (2, 0.9766, 0.9766), "HFS", False),
        ("totalseg/example_ct.nii.gz", (112, 101, 122), (3, 3, 3), "HFS", True),
        ("vhf_legs/dicom", (120, 512, 512), (1, 1, 1), "HFS", False),
        ("vhf_legs/vhf_lower_legs.nii.gz", (130, 262, 275), (1, 1, 1), "HFS", True),
        ("vhf_pelvis_slab/dicom", (5, 512, 512), (1, 1, 1), "HFS", False),
        ("lidc0314_shoulders/dicom", (12, 512, 512), (1, 0.7812, 0.7812), "FFS", False),
        (
            "lidc0314_shoulders/lidc0314_shoulders.nii.gz",
            (100, 457, 512),
            (1, 0.7812, 0.7812),
            "HFS",
            True,
        ),
        ("thorax/thorax_lungfused.nii.gz", (49, 385, 512), (2, 0.7598, 0.7598), "HFS", True),
        ("thorax/thorax_rider_ctpa.nii.gz", (47, 201, 256), (1.6, 1.2891, 1.2891), "HFS", True),
        ("sts/sts_020.nii.gz", (97, 304, 241), (3.27, 0.9766, 0.9766), "HFS", True),
    ],
)
def test_a_real_ct_is_read_with_its_geometry(where, shape, spacing_mm, position, assumed):
    study = read_study(DATA / where)
    assert study.volume.shape == shape
    assert study.volume.spacing_mm == pytest.approx(spacing_mm, abs=2e-3)
    assert study.volume.patient_position == position
    assert study.volume.position_assumed == assumed
    assert study.volume.voxels.dtype == np.int16
    assert study.volume.voxels.min() >= -1024
    assert bool(study.remarks) >= assumed


@pytest.mark.parametrize(
    ("where", "error", "line"),
    [
        (
            "pet_qin_headneck",
            NotCtError,
            "no CT image found; expected a CT series, found PT (299), SEG (1)",
        ),
        (
            "mr_msk",
            NotCtError,
            "no CT image found; expected a CT series, found MR (4), not DICOM (2)",
        ),
        ("pelvis_rt_pairs", GeometryError, "the series has 2 slices; expected at least 3"),
        ("pelvis_rt_pairs/p04", GeometryError, "the series has 2 slices; expected at least 3"),
        ("ct_pitch_oblique/CT_pitch.nii.gz", NotCtError, "expected Hounsfield units"),
        ("totalseg/example_mr_sm.nii.gz", NotCtError, "expected Hounsfield units"),
        ("totalseg/example_seg.nii.gz", NotCtError, "expected Hounsfield units"),
    ],
)
def test_what_is_no_ct_volume_is_refused_in_one_line(where, error, line):
    with pytest.raises(error) as refusal:
        read_study(DATA / where)
    assert line in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_label_map_returns_on_the_grid_of_the_nifti_input():
    path = DATA / "totalseg/example_ct.nii.gz"
    study, image = read_study(path), nib.load(path)
    values, affine = study.on_input_grid(study.volume.voxels)
    np.testing.assert_array_equal(affine, image.affine)
    np.testing.assert_array_equal(values, np.maximum(np.asarray(image.dataobj), -1024))


def test_the_shoulder_slices_lie_where_the_nifti_of_the_same_scan_has_them():
    """Their names are out of order, their positions contiguous: 12 slices 1 mm apart."""
    slices = read_study(DATA / "lidc0314_shoulders/dicom").volume
    whole = read_study(DATA / "lidc0314_shoulders/lidc0314_shoulders.nii.gz").volume
    z, y, x = np.rint(whole.to_indices(slices.to_lps([0, 0, 0]))).astype(int)
    assert (y, x) == (-55, 0)  # the NIfTI leaves out the uppermost rows
    np.testing.assert_array_equal(slices.voxels[:, 55:], whole.voxels[z : z + 12])


@pytest.mark.parametrize("removed", ["000116.dcm", "000141.dcm"])
def test_a_gap_in_a_real_series_is_named(tmp_path, removed):
    for path in (DATA / "lidc0314_shoulders/dicom").iterdir():
        if path.name != removed:
            (tmp_path / path.name).symlink_to(path)
    with pytest.raises(GeometryError, match=r"found a gap of 2\.00 mm, expected 1\.00 mm"):
        read_study(tmp_path)


def test_overshoot_below_air_is_air():
    image = np.asarray(nib.load(DATA / "totalseg/example_ct.nii.gz").dataobj)
    voxels = read_study(DATA / "totalseg/example_ct.nii.gz").volume.voxels
    assert image.min() < -1200
    assert voxels.min() == -1024
    assert voxels.max() == image.max() == 3382


def test_contrast_of_a_real_series_is_noticed():
    study = read_study(DATA / "totalseg/example_ct_dicom")
    assert study.contrast_agent is True
    assert study.series_instance_uid is None
    assert study.tube_voltage_kv == 120
    assert "Contrast agent was given" in study.remarks[0]


def test_bones_of_a_network_lie_on_the_scan():
    volume = read_study(DATA / "totalseg/example_ct.nii.gz").volume
    femur = read_mask(DATA / "totalseg/example_ct_seg_v1/femur_left.nii.gz", volume)
    assert femur.shape == volume.shape
    assert volume.voxels[femur].mean() > 200
    assert volume.to_lps(np.argwhere(femur))[:, 0].mean() > 0  # L in LPS


@pytest.mark.parametrize("path", sorted(DATA.glob("sts/sts_*[0-9].nii.gz")), ids=lambda p: p.stem)
def test_every_sarcoma_is_read(path):
    volume = read_study(path).volume
    assert volume.spacing_mm == pytest.approx((3.27, 0.9766, 0.9766), abs=1e-3)
    assert volume.voxels.min() == -1000
