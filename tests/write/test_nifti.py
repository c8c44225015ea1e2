"""masses.nii.gz checked with nibabel alone: label and patient position must agree."""

from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calcinosis.volume import Study, Volume
from calcinosis.write.nifti import write_label_map


def turned(angles_deg):
    x, y, z = np.radians(angles_deg)
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    return about_x @ about_y @ about_z


def volume_with(directions, spacing_mm, origin):
    affine = np.eye(4)
    affine[:3, :3] = directions * spacing_mm
    affine[:3, 3] = origin
    return Volume(np.zeros((4, 5, 6), np.int16), affine)


def assert_overlays_exactly(tmp_path, volume):
    """Every label lies where the scan says, in RAS, as any NIfTI viewer computes it."""
    labels = np.arange(4 * 5 * 6, dtype=np.uint8).reshape(4, 5, 6)
    write_label_map(tmp_path / "masses.nii.gz", labels, Study(volume))
    image = nib.load(tmp_path / "masses.nii.gz")
    data = np.asarray(image.dataobj)
    assert data.shape == (6, 5, 4)
    for z, y, x in np.ndindex(4, 5, 6):
        assert data[x, y, z] == labels[z, y, x]
    lps = volume.to_lps([3, 1, 4])
    assert image.affine @ [4, 1, 3, 1] == pytest.approx([-lps[0], -lps[1], lps[2], 1], abs=1e-3)
    assert (image.header["sform_code"], image.header["qform_code"]) == (1, 0)


@pytest.mark.parametrize("signs", list(product((1, -1), repeat=3)))
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_every_way_voxels_may_lie_overlays_exactly(tmp_path, order, signs):
    directions = np.eye(3)[:, order] * signs
    assert_overlays_exactly(tmp_path, volume_with(directions, [2.5, 0.7, 0.8], [-120, 33, 710]))


@settings(max_examples=40, deadline=None)
@given(
    angles_deg=st.tuples(*[st.floats(-180, 180)] * 3),
    spacing_mm=st.tuples(*[st.floats(0.3, 6)] * 3),
)
def test_oblique_scans_overlay_exactly(tmp_path_factory, angles_deg, spacing_mm):
    volume = volume_with(turned(angles_deg), spacing_mm, [11.0, -240.5, 1033.25])
    assert_overlays_exactly(tmp_path_factory.mktemp("oblique"), volume)


def test_the_same_labels_give_the_same_bytes(tmp_path):
    volume = volume_with(np.eye(3), [1, 1, 1], [0, 0, 0])
    labels = np.ones((4, 5, 6), np.uint8)
    for name in ("one.nii.gz", "other.nii.gz"):
        write_label_map(tmp_path / name, labels, Study(volume))
    assert (tmp_path / "one.nii.gz").read_bytes() == (tmp_path / "other.nii.gz").read_bytes()


def test_labels_stay_whole_numbers(tmp_path):
    volume = volume_with(np.eye(3), [1, 1, 1], [0, 0, 0])
    write_label_map(tmp_path / "masses.nii.gz", np.ones((4, 5, 6), np.uint8), Study(volume))
    assert nib.load(tmp_path / "masses.nii.gz").get_data_dtype() == np.uint8
