"""Stored pixels become the right Hounsfield units, whatever the syntax, offset or padding."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from calcinosis.errors import NotReadableError
from calcinosis.read import pixels
from calcinosis.read.dicom import pixel_format, read_header
from calcinosis.read.study import read_study
from dicom_series import body, ct_series, enhanced, save

ODD = Path(__file__).parents[2] / "../shared/data/pydicom_odd"
NO_IMAGE = (
    "README.txt",  # no DICOM
    "ExplVR_LitEndNoMeta.dcm",  # a radiotherapy plan
    "rtstruct.dcm",  # contours
    "meta_missing_tsyntax.dcm",  # a header alone
    "no_meta_group_length.dcm",  # a header alone
)
BROKEN = {
    "no_meta.dcm": "without a DICOM header",  # a stray byte before the dataset
    "badVR.dcm": "NumberOfFrames is '1A'; expected a whole number",
    "MR_truncated.dcm": "holds 8130 bytes of pixels; expected 8192",
    "emri_small_jpeg_2k_lossless_too_short.dcm": "",
    "JPEG-lossy.dcm": "12-bit precision",
}


def stored_frames(path):
    """All frames of any DICOM file as our reader decodes them."""
    header = read_header(path)
    found = pixel_format(path, header)
    if found.raw:
        return [pixels.raw_frame(path, found, frame) for frame in range(found.frames)]
    dataset = pixels.load(path)
    return [pixels.decoded_frame(path, dataset, found, n) for n in range(found.frames)]


@pytest.mark.skipif(not ODD.is_dir(), reason="REAL DATA MISSING: ../shared/data/pydicom_odd")
@pytest.mark.filterwarnings("ignore")
class TestOddFiles:
    def names(self):
        return sorted(path.name for path in ODD.iterdir())

    def test_every_file_that_can_be_decoded_is(self):
        decoded = 0
        for name in self.names():
            if name in NO_IMAGE or name in BROKEN:
                continue
            ours = np.squeeze(stored_frames(ODD / name))
            reference = np.squeeze(pydicom.dcmread(ODD / name, force=True).pixel_array)
            np.testing.assert_array_equal(ours, reference, err_msg=name)
            decoded += 1
        assert decoded == 30

    def test_every_broken_one_is_refused_by_name(self):
        for name, line in BROKEN.items():
            with pytest.raises(NotReadableError, match=line) as refusal:
                stored_frames(ODD / name)
            assert name in str(refusal.value)
            assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "syntax",
    [
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        RLELossless,
        JPEGLSLossless,
        JPEG2000Lossless,
    ],
    ids=lambda syntax: syntax.name,
)
@pytest.mark.parametrize("signed", [False, True])
def test_a_series_reads_alike_in_every_transfer_syntax(tmp_path, syntax, signed):
    units = body((4, 64, 64))
    datasets = ct_series(units, signed=signed)
    for index, dataset in enumerate(datasets):
        if syntax.is_compressed and not syntax.is_deflated:
            dataset.compress(syntax, generate_instance_uid=False)
        elif syntax == ExplicitVRBigEndian:
            swapped = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
            dataset.PixelData = swapped
            dataset["PixelData"].VR = "OW"
        dataset.file_meta.TransferSyntaxUID = syntax
        pydicom.dcmwrite(
            tmp_path / f"{index}.dcm",
            dataset,
            implicit_vr=syntax == ImplicitVRLittleEndian,
            little_endian=syntax != ExplicitVRBigEndian,
            force_encoding=True,
        )
    np.testing.assert_array_equal(read_study(tmp_path).volume.voxels, units)


@pytest.mark.parametrize(
    ("intercept", "signed"),
    [(-1000, False), (-1000, True), (-1024, False), (-1024, True), (-8192, False), (0, True)],
)
def test_the_intercept_is_applied(tmp_path, intercept, signed):
    units = body().clip(-1000, None)
    datasets = ct_series(units, intercept=intercept, signed=signed)
    voxels = read_study(save(datasets, tmp_path)).volume.voxels
    np.testing.assert_array_equal(voxels, units)


@pytest.mark.parametrize("padding_hu", [-3024, -2000, -1500])
@pytest.mark.parametrize("declared", [True, False])
def test_padding_outside_the_field_of_view_is_air(tmp_path, padding_hu, declared):
    units = body()
    units[:, :2] = padding_hu
    tags = {"PixelPaddingValue": padding_hu + 1024} if declared else {}
    datasets = ct_series(units, signed=True, **tags)
    voxels = read_study(save(datasets, tmp_path)).volume.voxels
    assert (voxels[:, :2] == -1024).all()
    np.testing.assert_array_equal(voxels[:, 2:], units[:, 2:])


def test_padding_that_would_read_as_metal_is_air(tmp_path):
    units = body()
    units[:, :2] = 9000
    datasets = ct_series(units, PixelPaddingValue=9000 + 1024)
    assert (read_study(save(datasets, tmp_path)).volume.voxels[:, :2] == -1024).all()


def test_a_padding_value_inside_tissue_is_not_believed(tmp_path):
    datasets = ct_series(PixelPaddingValue=50 + 1024)
    np.testing.assert_array_equal(read_study(save(datasets, tmp_path)).volume.voxels, body())


def test_metal_beyond_twelve_bits_is_kept(tmp_path):
    units = body()
    units[2, 12, 14] = 20_000
    voxels = read_study(save(ct_series(units), tmp_path)).volume.voxels
    assert voxels[2, 12, 14] == 20_000


def test_values_beyond_int16_saturate(tmp_path):
    datasets = ct_series()
    for dataset in datasets:
        dataset.RescaleSlope = 40
        dataset.RescaleIntercept = -1024
        stored = np.rint((body()[0] + 1024) / 40).astype("<u2")
        stored[12, 14] = 60_000
        dataset.PixelData = stored.tobytes()
    voxels = read_study(save(datasets, tmp_path)).volume.voxels
    assert voxels[0, 12, 14] == 32_767


def test_padding_below_zero_in_unsigned_pixels_is_air_though_nothing_declares_it(tmp_path):
    datasets = ct_series()
    for dataset in datasets:
        stored = np.frombuffer(dataset.PixelData, "<u2").reshape(24, 28).copy()
        stored[:, 0] = 2**16 - 2000
        dataset.PixelData = stored.tobytes()
    assert (read_study(save(datasets, tmp_path)).volume.voxels[:, :, 0] == -1024).all()


def test_slices_may_each_have_a_scale_of_their_own(tmp_path):
    units = body().clip(-1000, None)
    units[5] = -1000  # beyond the body
    datasets = ct_series(units)
    for index, (dataset, image) in enumerate(zip(datasets, units, strict=True)):
        dataset.RescaleIntercept = -1010 - index
        dataset.PixelData = (image.astype(int) + 1010 + index).astype("<u2").tobytes()
    np.testing.assert_array_equal(read_study(save(datasets, tmp_path)).volume.voxels, units)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(slope=st.floats(0.25, 2), intercept=st.floats(-1100, -1000))
def test_any_slope_rounds_to_the_nearest_unit(tmp_path_factory, slope, intercept):
    slope, intercept = round(slope, 4), round(intercept, 3)
    stored = np.rint((body() - intercept) / slope).clip(0).astype("<u2")
    datasets = ct_series()
    for dataset, image in zip(datasets, stored, strict=True):
        dataset.RescaleSlope, dataset.RescaleIntercept = slope, intercept
        dataset.PixelData = image.tobytes()
    voxels = read_study(save(datasets, tmp_path_factory.mktemp("slope"))).volume.voxels
    expected = np.maximum(np.rint(stored * slope + intercept), -1024)
    np.testing.assert_array_equal(voxels, expected)


def test_each_slice_has_its_own_rescale(tmp_path):
    datasets = ct_series()
    stored = np.frombuffer(datasets[3].PixelData, "<u2") + 500
    datasets[3].PixelData = stored.astype("<u2").tobytes()
    datasets[3].RescaleIntercept = -1524
    np.testing.assert_array_equal(read_study(save(datasets, tmp_path)).volume.voxels, body())


@pytest.mark.parametrize("signed", [False, True])
def test_high_bits_beyond_bits_stored_are_ignored(tmp_path, signed):
    datasets = ct_series(body().clip(-1000, 1000), intercept=0 if signed else -1024, signed=signed)
    for dataset in datasets:
        stored = np.frombuffer(dataset.PixelData, "<u2")
        dataset.BitsStored, dataset.HighBit = 12, 11
        dataset.PixelData = ((stored & 0x0FFF) | 0x5000).astype("<u2").tobytes()
    voxels = read_study(save(datasets, tmp_path)).volume.voxels
    np.testing.assert_array_equal(voxels, body().clip(-1000, 1000))


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("at_the_top", [False, True])
def test_values_may_stand_at_the_top_of_their_bits_where_the_lowest_are_empty(
    tmp_path, signed, at_the_top
):
    datasets = ct_series(body().clip(-1000, 1000), intercept=0 if signed else -1024, signed=signed)
    for dataset in datasets:
        stored = np.frombuffer(dataset.PixelData, "<u2")
        dataset.BitsStored, dataset.HighBit = 12, 15  # which some say of values at the bottom too
        dataset.PixelData = (stored << (4 * at_the_top)).astype("<u2").tobytes()
    voxels = read_study(save(datasets, tmp_path)).volume.voxels
    np.testing.assert_array_equal(voxels, body().clip(-1000, 1000))


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless], ids=["raw", "RLE"])
def test_an_enhanced_ct_reads_like_its_single_slices(tmp_path, syntax):
    datasets = ct_series(SeriesDescription="Abdomen nativ")
    order = [3, 1, 0, 5, 4, 2]
    whole = enhanced([datasets[index] for index in order])
    if syntax.is_compressed:
        whole.compress(syntax)
    whole.save_as(tmp_path / "enhanced.dcm", enforce_file_format=True)
    study = read_study(tmp_path / "enhanced.dcm")
    np.testing.assert_array_equal(study.volume.voxels, body())
    assert study.volume.spacing_mm == pytest.approx((2, 1, 1))
    assert study.tube_voltage_kv == 120
    assert study.contrast_agent is False
    assert study.source_files == (tmp_path / "enhanced.dcm",)


def test_a_file_without_preamble_and_meta_header_is_read(tmp_path):
    for index, dataset in enumerate(ct_series()):
        bare = pydicom.Dataset(dataset)
        bare.save_as(tmp_path / str(index), implicit_vr=True, little_endian=True)
    np.testing.assert_array_equal(read_study(tmp_path).volume.voxels, body())


def test_empty_identifiers_are_no_obstacle(tmp_path):
    empty = dict.fromkeys(
        ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "PatientName",
         "PatientID", "PatientSex", "SeriesNumber", "PatientPosition", "KVP"), ""
    )  # fmt: skip
    datasets = ct_series(**empty)
    for index, dataset in enumerate(datasets):
        dataset.save_as(tmp_path / f"{index}.dcm")
    study = read_study(tmp_path)
    np.testing.assert_array_equal(study.volume.voxels, body())
    assert study.series_instance_uid is None
    assert study.tube_voltage_kv is None
    assert study.volume.position_assumed
    assert "The patient position is not stated: HFS (on the back) is assumed." in study.remarks
