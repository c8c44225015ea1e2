"""Phases, reconstructions and copies under one series UID: told apart, the best measured."""

import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.uid import generate_uid

from calcinosis.errors import GeometryError, InputError
from calcinosis.read.study import read_study
from calcinosis.write.dicom_source import source_images
from dicom_series import body, ct_series, enhanced, save

SECOND_HU, THIRD_HU = 7, 11  # what tells the values of later phases from those of the first


def one_series(folder, *phases):
    """All slices under one series UID."""
    uids = generate_uid(), generate_uid()
    for number, dataset in enumerate((one for phase in phases for one in phase), start=1):
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = uids
        dataset.save_as(folder / f"slice{number:03d}.dcm", enforce_file_format=True)
    return folder


def measured(study):
    """Which phase it was, by how much brighter it is than the first."""
    return int(np.median(study.volume.voxels - body()[: study.volume.shape[0]]))


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ({"AcquisitionNumber": 2}, {"AcquisitionNumber": 3}, "acquisition number"),
        (
            {"TemporalPositionIdentifier": 1},
            {"TemporalPositionIdentifier": 2},
            "temporal position",
        ),
        ({}, {"ContrastBolusAgent": "Iomeron"}, "contrast agent"),
        ({"ConvolutionKernel": "B30f"}, {"ConvolutionKernel": "B70f"}, "kernel"),
        ({"SliceThickness": "2"}, {"SliceThickness": "5.0"}, "slice thickness"),
        ({}, {"ImageType": ["DERIVED", "SECONDARY", "AXIAL"]}, "image type"),
        ({"AcquisitionTime": "101500"}, {"AcquisitionTime": "101530.5"}, "acquisition time"),
        ({"ContentTime": "101500"}, {"ContentTime": "101530"}, "time of the image"),
        ({"KVP": 80}, {"KVP": 140}, "tube voltage"),
        (
            {},
            {"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]},
            "direction, matrix or size of pixels",
        ),
    ],
)
def test_what_headers_say_tells_two_phases_of_one_series_apart(tmp_path, first, second, told):
    later = ct_series(body() + SECOND_HU, **second)
    if "ImageOrientationPatient" in second:
        for index, dataset in enumerate(later):
            dataset.ImagePositionPatient = [-14, -12 + 2 * index, -80]
    study = read_study(one_series(tmp_path, later, ct_series(**first)))
    assert measured(study) == 0
    assert any("holds 2 parts" in said and f"by {told}:" in said for said in study.remarks)


def test_the_unenhanced_phase_is_measured_and_the_others_are_named(tmp_path):
    given = {"ContrastBolusAgent": "Ultravist", "ContrastBolusStartTime": "101000"}
    arterial = ct_series(body() + THIRD_HU, AcquisitionNumber=3, AcquisitionTime="101025", **given)
    venous = ct_series(body() + SECOND_HU, AcquisitionNumber=4, AcquisitionTime="101110", **given)
    native = ct_series(AcquisitionNumber=2, AcquisitionTime="100500", **given)
    study = read_study(one_series(tmp_path, arterial, venous, native))
    assert measured(study) == 0
    assert study.contrast_agent is False
    assert study.chosen_because == (
        "part 1 of 3 of series 2: axial, unenhanced, 6 slices every 2.00 mm; preferred to "
        "part 2 of 3 of series 2 (contrast given); part 3 of 3 of series 2 (contrast given)"
    )


def test_results_refer_to_the_slices_measured_alone(tmp_path):
    native = ct_series(AcquisitionNumber=1)
    venous = ct_series(body() + SECOND_HU, AcquisitionNumber=2, ContrastBolusAgent="Ultravist")
    source = source_images(read_study(one_series(tmp_path, venous, native)))
    assert [one.SOPInstanceUID for one in source.headers] == [one.SOPInstanceUID for one in native]


def two_phases_in_one_file(folder):
    """An enhanced CT of twelve frames: six with contrast agent, then six without."""
    whole = enhanced([*ct_series(body() + SECOND_HU), *ct_series()])
    for number, frame in enumerate(whole.PerFrameFunctionalGroupsSequence):
        content, usage = Dataset(), Dataset()
        content.FrameAcquisitionNumber = 2 if number < 6 else 1
        usage.ContrastBolusAgentPhase = "PORTAL_VENOUS" if number < 6 else "PRE_CONTRAST"
        usage.ContrastBolusAgentAdministered = "YES" if number < 6 else "NO"
        frame.FrameContentSequence, frame.ContrastBolusUsageSequence = [content], [usage]
    return save([whole], folder)


def test_phases_in_one_enhanced_file_are_told_apart_frame_by_frame(tmp_path):
    study = read_study(two_phases_in_one_file(tmp_path))
    assert (measured(study), study.contrast_agent) == (0, False)
    frames = source_images(study).referenced.values()
    assert [one.ReferencedFrameNumber for one in frames] == [7, 8, 9, 10, 11, 12]


def test_passes_in_which_every_slice_has_its_own_time_are_told_apart(tmp_path):
    first, second = ct_series(), ct_series(body() + SECOND_HU)
    for seconds, dataset in enumerate((*first, *reversed(second))):
        dataset.AcquisitionNumber = seconds + 1
        dataset.AcquisitionTime = f"1015{seconds:02d}.25"
    study = read_study(one_series(tmp_path, second, first))
    assert (measured(study), len(study.source_files)) == (0, 6)
    assert study.chosen_because.endswith("preferred to part 2 of 2 of series 2 (a later part)")


def test_images_numbered_through_one_stack_after_the_other_are_told_apart(tmp_path):
    first, second = ct_series(), ct_series(body() + SECOND_HU)
    for dataset in second:
        dataset.InstanceNumber += 6
    assert measured(read_study(one_series(tmp_path, second, first))) == 0


def test_images_of_bolus_tracking_do_not_disturb(tmp_path):
    tracking = [one for n in range(4) for one in ct_series(body()[2:3] + n, AcquisitionNumber=2)]
    for dataset in tracking:
        dataset.ImagePositionPatient = [-14, -12, -95.3]
    native = ct_series(AcquisitionNumber=1)
    venous = ct_series(body() + SECOND_HU, AcquisitionNumber=3, ContrastBolusAgent="Ultravist")
    study = read_study(one_series(tmp_path, native, tracking, venous))
    assert measured(study) == 0
    assert "part 2 of 3 of series 2 (contrast given)" in study.chosen_because
    assert "part 3 of 3 of series 2 (slice" in study.chosen_because


@pytest.mark.parametrize(
    ("keyword", "values"), [("AcquisitionNumber", (1, 2)), ("AcquisitionTime", ("1015", "1016"))]
)
def test_two_phases_half_a_slice_apart_are_not_taken_for_one_finer_scan(tmp_path, keyword, values):
    native = ct_series(**{keyword: values[0]})
    venous = ct_series(body() + SECOND_HU, origin=(-14, -12, -99), **{keyword: values[1]})
    study = read_study(one_series(tmp_path, native, venous))
    assert (measured(study), study.volume.spacing_mm[0]) == (0, 2)


def test_slices_made_in_two_runs_are_one_scan(tmp_path):
    datasets = ct_series(body((12, 24, 28)))
    for index, dataset in enumerate(datasets):
        dataset.ContentTime = f"1015{index // 2 + 30 * (index % 2):02d}"
    assert read_study(save(datasets, tmp_path)).volume.shape[0] == 12


def test_a_scan_in_several_steps_of_the_table_is_one(tmp_path):
    datasets = ct_series(body((12, 24, 28)))
    for index, dataset in enumerate(datasets):
        dataset.AcquisitionNumber = index // 4
        dataset.AcquisitionTime = f"1015{index // 4:02d}"
    study = read_study(save(datasets, tmp_path))
    assert (study.volume.shape[0], study.remarks) == (12, ())


def test_two_passes_in_several_steps_each_are_two(tmp_path):
    first = ct_series(body((12, 24, 28)))
    second = ct_series(body((12, 24, 28)) + SECOND_HU)
    for index, dataset in enumerate((*first, *second)):
        dataset.AcquisitionNumber = index // 4
    study = read_study(one_series(tmp_path, first, second))
    np.testing.assert_array_equal(study.volume.voxels, body((12, 24, 28)))


def test_a_phase_with_a_lost_slice_gives_way_to_a_complete_one(tmp_path):
    native = ct_series(AcquisitionNumber=1)
    del native[2]
    venous = ct_series(body() + SECOND_HU, AcquisitionNumber=2, ContrastBolusAgent="Ultravist")
    study = read_study(one_series(tmp_path, native, venous))
    assert measured(study) == SECOND_HU
    assert "part 1 of 2 of series 2 (a slice is missing between" in study.chosen_because


def test_the_same_slices_under_other_instance_uids_are_taken_once(tmp_path):
    again = ct_series()[1:4]
    study = read_study(one_series(tmp_path, ct_series(), again))
    np.testing.assert_array_equal(study.volume.voxels, body())
    assert study.remarks == ("Copies of slices passed over: 3.",)


def test_a_part_may_be_asked_for_by_its_number(tmp_path):
    native = ct_series(AcquisitionNumber=1)
    venous = ct_series(body() + SECOND_HU, AcquisitionNumber=2, ContrastBolusAgent="Ultravist")
    save(ct_series(SeriesNumber=1), tmp_path / "other")
    folder = one_series(tmp_path, native, venous)
    uid = pydicom.dcmread(folder / "slice001.dcm").SeriesInstanceUID
    best = read_study(folder, series_uid=uid)
    assert measured(best) == 0
    assert best.chosen_because.startswith("asked for by its UID, part 1 of 2 of series 2: axial")
    assert any(said.endswith("--series UID:2 takes part 2.") for said in best.remarks)
    second = read_study(folder, series_uid=f"{uid}:2")
    assert measured(second) == SECOND_HU
    assert second.chosen_because == "part 2 of 2 of series 2, asked for by its UID"
    with pytest.raises(InputError, match="the parts are numbered 1 to 2; found '3'"):
        read_study(folder, series_uid=f"{uid}:3")
    with pytest.raises(InputError, match=r"expected .* \(series 2 in 2 parts\)"):
        read_study(folder, series_uid="1.2.3")


def test_two_series_of_one_number_are_told_apart_by_their_uids(tmp_path):
    save(ct_series(SeriesNumber=1), tmp_path / "a")
    other = ct_series(SeriesNumber=1, ContrastBolusAgent="Ultravist")
    save(other, tmp_path / "b")
    uid = other[0].SeriesInstanceUID
    said = f"preferred to series 1 with UID {uid} (contrast given)"
    assert read_study(tmp_path).chosen_because.endswith(said)


def test_a_projection_among_the_slices_is_set_aside(tmp_path):
    projections = ct_series(body()[:3], ImageType=["DERIVED", "SECONDARY", "AXIAL", "MIP"])
    study = read_study(one_series(tmp_path, ct_series(), projections))
    np.testing.assert_array_equal(study.volume.voxels, body())
    assert "(slice007.dcm: a projection or rendering (MIP)" in study.chosen_because


def test_a_part_that_reaches_farther_is_remarked(tmp_path):
    lower = ct_series(body((9, 24, 28)), AcquisitionNumber=1)
    upper = ct_series(body((8, 24, 28)) + 1, AcquisitionNumber=2, origin=(-14, -12, -86))
    study = read_study(one_series(tmp_path, lower, upper))
    assert study.volume.shape[0] == 9
    assert "Another of its parts reaches 12 mm farther than this one." in study.remarks


def test_two_patients_under_one_series_are_refused_though_something_tells_them_apart(tmp_path):
    other = ct_series(body() + 1, AcquisitionNumber=2, PatientID="0815")
    with pytest.raises(InputError, match="is of another patient"):
        read_study(one_series(tmp_path, ct_series(AcquisitionNumber=1), other))


def test_a_broken_slice_still_refuses_a_series_of_several_phases(tmp_path):
    first, second = ct_series(AcquisitionNumber=1), ct_series(body() + 1, AcquisitionNumber=2)
    del second[3].ImagePositionPatient
    with pytest.raises(GeometryError, match=r"slice010\.dcm: ImagePositionPatient is missing"):
        read_study(one_series(tmp_path, first, second))
