"""An MRI study as it comes from a scanner: what each series is, and what is left out, and why."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from calcinosis.errors import InputError, NotReadableError
from calcinosis.phantom.mri import PD_FS, STIR, T1, T1_AGENT, T2, T2_FS, Scan
from calcinosis.read import dicom
from calcinosis.read.mr_weighting import protocol_of, weighed
from calcinosis.read.mri import read_mri, volume_of
from dicom_series import ct_series, save
from mri_scene import CENTRE, enhanced, scanned, write_study

REAL = Path(__file__).resolve().parents[3] / "shared/data"
SMALL = Scan(slices=5, pixels=(24, 24), pixel_mm=5.0, spacing_mm=5.0, thickness_mm=4.0)

needs_real = pytest.mark.skipif(not REAL.exists(), reason="the real scans are not there")


def told(study):
    return {one.name: one.weighing for one in study.series}


def test_each_series_is_told_by_how_it_was_made(tmp_path):
    study = read_mri(write_study(tmp_path, (T1, T2, T2_FS, STIR, PD_FS, T1_AGENT), SMALL))
    found = told(study)
    assert [found[f"series {n}"].weighting for n in range(1, 7)] == [
        *("T1", "T2", "T2", "T2", "PD", "T1")
    ]
    assert [found[f"series {n}"].fat_suppressed for n in range(1, 7)] == [
        *(False, False, True, True, True, False)
    ]
    assert study.series[5].protocol.agent is True
    assert found["series 4"].because.startswith("inversion recovery, TR 4500 ms, TE 50 ms, TI 165")


def test_what_the_header_says_beats_what_the_series_is_called(tmp_path):
    write_study(tmp_path, (T2,), SMALL, SeriesDescription="T1 TSE ax")
    (series,) = read_mri(tmp_path).series
    assert series.weighing.weighting == "T2"


@needs_real
@pytest.mark.parametrize(
    ("name", "weighting"),
    [
        ("mr_msk/DICOM_KNEE.dcm", "PD"),
        ("mr_msk/cptac_forearm/1-1.dcm", "T1"),
        ("pydicom_odd/MR_small.dcm", "T2"),
        ("pydicom_odd/MR2_UNCR.dcm", "T1"),
        ("pydicom_odd/emri_small.dcm", "T1"),
    ],
)
def test_real_images_are_weighted_as_their_timing_says(name, weighting):
    path = REAL / name
    found = weighed(protocol_of(path, dicom.read_header(path).dataset))
    assert found.weighting == weighting


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ({"ImageType": ["DERIVED", "PRIMARY", "DIFFUSION", "ADC"]}, "diffusion"),
        ({"ScanningSequence": "EP"}, "echo-planar"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SUBTRACTION"]}, "a subtraction"),
        ({"InversionTime": 2500.0, "ScanningSequence": ["SE", "IR"]}, "fluid is nulled"),
        ({"ScanningSequence": "GR", "FlipAngle": 15, "RepetitionTime": 500}, "gradient echo"),
        ({"EchoTime": None}, "echo and repetition time are not told"),
    ],
)
def test_what_is_no_plain_t1_or_t2_is_left_out_by_name(tmp_path, tags, why):
    write_study(tmp_path, (T2,), replace(SMALL, slices=3), **tags)
    with pytest.raises(InputError, match=f"no MR series of use; found series 1 .*{why}"):
        read_mri(tmp_path)


def test_two_echoes_of_one_series_are_two(tmp_path):
    write_study(tmp_path, (T1,), SMALL, SeriesInstanceUID="1.2.3", SeriesNumber=4)
    late = write_study(tmp_path / "late", (T2,), SMALL, SeriesInstanceUID="1.2.3", SeriesNumber=4)
    for file in late.rglob("*.dcm"):
        file.rename(tmp_path / f"s1/late{file.name}")
    assert sorted(told(read_mri(tmp_path))) == ["series 4, echo 12 ms", "series 4, echo 90 ms"]


def test_one_file_of_many_frames_is_the_same_series(tmp_path):
    write_study(tmp_path, (T2_FS,), SMALL)
    single = volume_of(read_mri(tmp_path).series[0])
    enhanced(tmp_path / "s1")
    (series,) = read_mri(tmp_path).series
    assert (series.weighing.weighting, series.weighing.fat_suppressed) == ("T2", True)
    assert np.array_equal(volume_of(series).voxels, single.voxels)
    assert np.allclose(volume_of(series).affine, single.affine)


def test_slices_lie_where_they_were_taken(tmp_path):
    write_study(tmp_path, (T2,), SMALL)
    (series,) = read_mri(tmp_path).series
    assert series.depth_mm((0.0, 0.0, 0.0)) == pytest.approx(12.5)
    assert series.depth_mm(CENTRE) > 0 > series.depth_mm((0.0, 0.0, 400.0))
    read, drawn = volume_of(series), scanned(T2, SMALL)
    assert np.corrcoef(read.voxels.ravel(), drawn.voxels.ravel())[0, 1] > 0.999


def test_a_ct_is_sent_to_its_own_command(tmp_path):
    save(ct_series(), tmp_path)
    with pytest.raises(InputError, match=r"found CT \(6\); `calcinosis analyze` measures CT"):
        read_mri(tmp_path)


def test_one_slice_is_no_volume(tmp_path):
    write_study(tmp_path, (T1,), replace(SMALL, slices=1))
    with pytest.raises(InputError, match="the series has 1 slice"):
        read_mri(tmp_path)


def test_a_colour_capture_is_no_series(tmp_path):
    folder = write_study(tmp_path, (T1,), replace(SMALL, slices=3)) / "s1"
    for file in folder.glob("*.dcm"):
        image = dcmread(file)
        image.SamplesPerPixel, image.PhotometricInterpretation = 3, "RGB"
        image.PlanarConfiguration = 0
        image.PixelData = image.PixelData * 3
        image.save_as(file)
    with pytest.raises(InputError, match="a colour image"):
        read_mri(tmp_path)


def test_two_patients_are_not_read_as_one(tmp_path):
    write_study(tmp_path, (T1,), SMALL)
    write_study(tmp_path / "other", (T2,), SMALL, PatientID="OTHER")
    with pytest.raises(InputError, match="images of 2 patients"):
        read_mri(tmp_path)


def test_what_is_not_there_and_what_is_no_dicom_are_named(tmp_path):
    with pytest.raises(NotReadableError, match="there is no such file"):
        read_mri(tmp_path / "nowhere")
    (tmp_path / "mr.nii.gz").write_bytes(b"no image")
    with pytest.raises(InputError, match="NIfTI and NRRD do not tell how MR was made"):
        read_mri(tmp_path)
