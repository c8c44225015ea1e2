"""Slices find their place in the patient, whatever their order, direction and spacing."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calcinosis.read.geometry import axis_order, canonical
from calcinosis.read.study import read_study
from dicom_series import body, ct_series, save

MARK_HU = 2500
FEW = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def orientations(draw):
    """Row and column directions of any rotation."""
    quaternion = np.array([draw(st.floats(-1, 1)) for _ in range(4)])
    if np.linalg.norm(quaternion) < 0.1:
        quaternion = np.array([1.0, 0, 0, 0])
    w, x, y, z = quaternion / np.linalg.norm(quaternion)
    rows = (1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y))
    columns = (2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x))
    return (*rows, *columns)


@FEW
@given(
    orientation=orientations(),
    spacing_mm=st.tuples(st.floats(0.4, 6), st.floats(0.3, 2), st.floats(0.3, 2)),
    mark=st.tuples(st.integers(0, 5), st.integers(0, 23), st.integers(0, 27)),
    order=st.permutations(range(6)),
)
def test_every_pixel_keeps_its_place_in_the_patient(
    tmp_path_factory, orientation, spacing_mm, mark, order
):
    units = body()
    units[mark] = MARK_HU
    datasets = ct_series(units, spacing_mm=spacing_mm, orientation=orientation)
    folder = save([datasets[index] for index in order], tmp_path_factory.mktemp("series"))

    volume = read_study(folder).volume
    found = volume.to_lps(np.argwhere(volume.voxels == MARK_HU)[0])

    # DICOM PS3.3 C.7.6.2.1.1
    marked = datasets[mark[0]]
    rows, columns = np.reshape(marked.ImageOrientationPatient, (2, 3)).astype(float)
    expected = (
        np.asarray(marked.ImagePositionPatient, float)
        + columns * spacing_mm[1] * mark[1]
        + rows * spacing_mm[2] * mark[2]
    )
    np.testing.assert_allclose(found, expected, atol=1e-3)
    np.testing.assert_array_equal(axis_order(volume.affine), [(0, 1, 2), (False,) * 3])


@FEW
@given(order=st.permutations(range(6)), names=st.permutations(range(6)))
def test_the_order_of_files_does_not_matter(tmp_path_factory, order, names):
    datasets = ct_series()
    folder = tmp_path_factory.mktemp("shuffled")
    for index, name in zip(order, names, strict=True):
        datasets[index].save_as(folder / f"{name}.dcm", enforce_file_format=True)
    study = read_study(folder)
    np.testing.assert_array_equal(study.volume.voxels, body())
    assert [path.name for path in study.source_files] == [
        f"{names[order.index(index)]}.dcm" for index in range(6)
    ]


@given(orientations(), st.tuples(*[st.integers(2, 4)] * 3))
def test_turning_axes_moves_no_voxel(orientation, shape):
    rows, columns = np.reshape(orientation, (2, 3))
    affine = np.eye(4)
    affine[:3, :3] = np.stack([columns, np.cross(rows, columns) * 2, rows], axis=1)
    voxels = np.arange(np.prod(shape)).reshape(shape)
    turned, new = canonical(voxels, affine)
    for index in np.ndindex(shape):
        (there,) = np.argwhere(turned == voxels[index])
        np.testing.assert_allclose(new @ [*there, 1], affine @ [*index, 1], atol=1e-9)


def test_simpleitk_sees_the_same_oblique_volume(tmp_path):
    itk = pytest.importorskip("SimpleITK", reason="SimpleITK is a test dependency")
    turn = np.radians(20)
    orientation = (np.cos(turn), np.sin(turn), 0, -np.sin(turn), np.cos(turn), 0)
    save(ct_series(spacing_mm=(2.5, 0.8, 0.9), orientation=orientation), tmp_path)
    volume = read_study(tmp_path).volume
    reader = itk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path)))
    image = reader.Execute()
    np.testing.assert_array_equal(itk.GetArrayFromImage(image), volume.voxels)
    for index in ((0, 0, 0), (5, 3, 17), (2, 20, 9)):
        there = image.TransformIndexToPhysicalPoint([int(i) for i in index[::-1]])
        np.testing.assert_allclose(volume.to_lps(index), there, atol=1e-4)


@pytest.mark.parametrize("position", ["HFS", "FFS", "HFP", "FFP", "HFDL", "FFDL", "HFDR", "FFDR"])
def test_every_patient_position_is_kept(tmp_path, position):
    volume = read_study(save(ct_series(PatientPosition=position), tmp_path)).volume
    assert volume.patient_position == position
    assert not volume.position_assumed


def test_a_prone_scan_shown_back_up_is_turned_to_patient_axes(tmp_path):
    upside_down = (-1, 0, 0, 0, -1, 0)
    datasets = ct_series(orientation=upside_down, PatientPosition="HFP")
    volume = read_study(save(datasets, tmp_path)).volume
    np.testing.assert_array_equal(volume.voxels, body()[:, ::-1, ::-1])
    assert volume.to_lps([0, 23, 27]) == pytest.approx([-14, -12, -100])


def test_thickness_is_not_taken_for_spacing(tmp_path):
    study = read_study(save(ct_series(SliceThickness=5), tmp_path))
    assert study.volume.spacing_mm == pytest.approx((2, 1, 1))
    assert study.remarks == ()


def test_positions_rounded_to_tenths_are_one_spacing(tmp_path):
    positions = [(-14, -12, round(0.625 * index, 1)) for index in range(6)]
    study = read_study(save(ct_series(positions=positions), tmp_path))
    assert study.volume.spacing_mm[0] == pytest.approx(0.62, abs=0.01)
    assert study.remarks == ()


def _ball_in_tilted_slices(tilt_deg, rows_follow_gantry):
    """A ball of 10 mm radius at (0, 0, 0), as a gantry tilted about x images it."""
    tilt = np.radians(tilt_deg)
    columns = (0, np.cos(tilt), -np.sin(tilt)) if rows_follow_gantry else (0, 1, 0)
    orientation = (1, 0, 0, *columns)
    slide = 0 if rows_follow_gantry else np.tan(tilt)
    count, size = 45, 64
    units = np.full((count, size, size), -1000, dtype=np.int16)
    positions = []
    for index in range(count):
        z = (index - count // 2) * 1.0
        start = np.array([-31.5, 0, z]) + np.multiply(columns, -31.5) + [0, slide * z, 0]
        r, c = np.indices((size, size))
        place = start + r[..., None] * np.asarray(columns) + c[..., None] * np.array([1, 0, 0])
        units[index][np.linalg.norm(place, axis=2) < 29] = -100
        units[index][np.linalg.norm(place, axis=2) < 10] = 500
        positions.append(start)
    return ct_series(units, positions=positions, orientation=orientation)


@pytest.mark.parametrize("rows_follow_gantry", [True, False])
@pytest.mark.parametrize("tilt_deg", [12, -20, 30])
def test_gantry_tilt_is_undone(tmp_path, tilt_deg, rows_follow_gantry):
    datasets = _ball_in_tilted_slices(tilt_deg, rows_follow_gantry)
    study = read_study(save(datasets, tmp_path))
    volume = study.volume
    assert any(f"{abs(tilt_deg):.1f}° was corrected" in remark for remark in study.remarks)
    axes = volume.affine[:3, :3] / volume.spacing_mm
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-6)
    inside = np.argwhere(volume.voxels > 200)
    np.testing.assert_allclose(volume.to_lps(inside).mean(axis=0), 0, atol=0.2)
    assert len(inside) * volume.voxel_volume_ml == pytest.approx(4.19, rel=0.05)
    extent = np.ptp(volume.to_lps(inside), axis=0)
    np.testing.assert_allclose(extent, 19.5, atol=1.5)


def test_varying_spacing_is_resampled_and_said(tmp_path):
    heights = [0, 1, 2, 3, 4, 6.5, 9, 11.5]
    ramp = np.stack([np.full((24, 28), 10 * height) for height in heights])
    ramp[:, :8] = -1000
    ramp[:, 8:10] = -100
    positions = [(-14, -12, height) for height in heights]
    study = read_study(save(ct_series(ramp.astype(int), positions=positions), tmp_path))
    assert study.remarks == ("Slices 1.00 to 2.50 mm apart were resampled to 1.00 mm.",)
    assert study.volume.spacing_mm == pytest.approx((1, 1, 1))
    np.testing.assert_array_equal(study.volume.voxels[:, 20, 20], 10 * np.arange(12))


def test_a_slab_of_three_slices_is_enough(tmp_path):
    volume = read_study(save(ct_series(body((3, 24, 28))), tmp_path)).volume
    assert volume.shape == (3, 24, 28)


@pytest.mark.parametrize("removed", [1, 3, 6])
def test_a_missing_slice_is_named(tmp_path, removed):
    datasets = ct_series(body((8, 24, 28)))
    del datasets[removed]
    save(datasets, tmp_path)
    with pytest.raises(Exception, match="a slice is missing between") as refusal:
        read_study(tmp_path)
    assert f"slice{removed:03d}.dcm" in str(refusal.value)
    assert f"slice{removed + 1:03d}.dcm" in str(refusal.value)
    assert "found a gap of 4.00 mm, expected 2.00 mm" in str(refusal.value)


@given(
    st.lists(st.integers(0, 19), min_size=1, max_size=4, unique=True),
    st.floats(0.5, 5),
)
def test_no_removal_of_a_few_inner_slices_goes_unnoticed(removed, spacing):
    from calcinosis.errors import GeometryError
    from calcinosis.read.geometry import _check_gaps

    kept = [index for index in range(20) if index not in removed]
    inner = any(kept[0] < index < kept[-1] for index in removed)
    planes = [type("Plane", (), {"name": f"{index}.dcm"})() for index in kept]
    if inner:
        with pytest.raises(GeometryError, match=r"missing between|mm from"):
            _check_gaps(planes, spacing * np.array(kept))
    else:
        _check_gaps(planes, spacing * np.array(kept))


def test_a_coronal_series_keeps_its_places(tmp_path):
    datasets = ct_series(orientation=(1, 0, 0, 0, 0, -1), ImageType=["DERIVED", "SECONDARY", "MPR"])
    volume = read_study(save(datasets, tmp_path)).volume
    assert volume.shape == (24, 6, 28)
    assert volume.spacing_mm == pytest.approx((1, 2, 1))
