"""What each folder of real data calls for (`../shared/README.md`)."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from calcinosis.errors import GeometryError, NotCtError
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
