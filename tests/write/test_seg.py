"""The segmentation, voxel for voxel, whatever the source looks like."""

from dataclasses import replace

import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid

from calcinosis.read.study import read_study
from calcinosis.write.dicom_source import source_images
from calcinosis.write.seg import segmentation
from ct_scene import OBLIQUE, OTHERS, SAGITTAL, delivered, enhanced, measured, write_series
from outside_readers import (
    assert_conforms,
    frames_in_space,
    labels_read_by_dcmqi,
    numbers,
    report_read_by_dcmqi,
    run,
)

TYPE_2 = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
    "StudyID", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")

ODD_SERIES = {
    "slices in reverse order": {"backwards": True},
    "slices thicker than their distance": {"thickness_mm": 5.0},
    "slices thinner than their distance": {"thickness_mm": 1.0, "step_mm": 3.0},
    "oblique": {"axes": OBLIQUE},
    "empty type 2 tags": {"empty": TYPE_2},
    "missing type 2 tags": {"without": TYPE_2},
    "empty UIDs": {"empty": UIDS},
    "missing UIDs": {"without": UIDS},
    "no frame of reference, no slice thickness": {
        "without": ("FrameOfReferenceUID", "SliceThickness")
    },
    "one multi-frame file": 1,
    "three multi-frame files, slices in turn": 3,
}


@pytest.fixture(scope="module", params=ODD_SERIES.values(), ids=ODD_SERIES.keys())
def odd(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    if isinstance(request.param, int):
        series = enhanced(write_series(folder / "ct"), folder / "files", files=request.param)
    else:
        series = write_series(folder / "ct", **request.param)
    study = read_study(series)
    return study, delivered(folder, study)


def test_segmentation_returns_voxel_for_voxel_from_another_reader(odd, tmp_path):
    study, out = odd
    assert_conforms(out / "masses.seg.dcm")
    labels = measured(study).labels
    assert set(np.unique(labels)) == {0, 1, 2}
    back = labels_read_by_dcmqi(out / "masses.seg.dcm", study, tmp_path)
    assert np.array_equal(back, labels)


def test_report_conforms_whatever_the_source_lacks(odd):
    _, out = odd
    assert_conforms(out / "measurements.sr.dcm")


def test_frames_with_an_odd_number_of_voxels_are_written_as_a_label_map(tmp_path, monkeypatch):
    monkeypatch.setattr("ct_scene.SHAPE", (24, 41, 47))
    study = read_study(write_series(tmp_path / "ct"))
    out = delivered(tmp_path, study, seg_type="labelmap")
    back = labels_read_by_dcmqi(out / "masses.seg.dcm", study, tmp_path)
    assert np.array_equal(back, measured(study).labels)


@pytest.mark.parametrize("seg_type", ["bitmap", "labelmap"])
@pytest.mark.parametrize("segments", ["masses", "all"])
def test_every_segment_returns_from_another_reader(segments, seg_type, plain, tmp_path):
    study, _ = plain
    out = delivered(tmp_path, study, segments=segments, seg_type=seg_type)
    scene = measured(study)
    expected = scene.labels.copy()
    if segments == "all":
        for number, mask in enumerate(others_drawn(scene), start=3):
            expected[mask] = number
        expected[scene.labels > 0] = scene.labels[scene.labels > 0]
    back = labels_read_by_dcmqi(out / "masses.seg.dcm", study, tmp_path)
    assert np.array_equal(back, expected)
    seg = pydicom.dcmread(out / "masses.seg.dcm")
    if seg_type == "bitmap":
        assert_conforms(out / "masses.seg.dcm")
        assert_conforms(out / "measurements.sr.dcm")
        run("dsrdump", out / "measurements.sr.dcm")
        assert seg.SegmentationType == "BINARY"
    else:  # dciodvfy and dcmtk 3.6 do not know this kind yet, nor reports that refer to it
        run("dsrdump", "--invalid-item-value", out / "measurements.sr.dcm")
        assert seg.SegmentationType == "LABELMAP"
        assert seg.file_meta.TransferSyntaxUID == pydicom.uid.RLELossless
    by_segment = {
        group["ReferencedSegment"]: dict(numbers(group))["Volume"]
        for group in report_read_by_dcmqi(out / "measurements.sr.dcm", tmp_path)
        if "ReferencedSegment" in group
    }
    assert by_segment == {1: (52.125, "mL"), 2: (8.5, "mL")}


def test_more_segments_than_a_byte_counts_keep_their_numbers(plain):
    study, _ = plain
    scene = measured(study)
    labels, many = np.zeros(scene.labels.shape, np.uint8), 255
    labels.ravel()[: many * 8 : 8] = np.arange(1, many + 1)
    masses = tuple(replace(scene.masses[1], id=number) for number in range(1, many + 1))
    scene = replace(scene, masses=masses, labels=labels)
    made = segmentation(source_images(study), study, scene, segments="all", kind="labelmap")
    assert np.unique(made.pixel_array).tolist() == list(range(many + 4))  # 3 are no masses


def others_drawn(scene):
    """Where skeleton, vessels and metal were drawn, in the order of their segments."""
    yield scene.skeleton
    for kind in ("vascular", "metal"):
        mask = np.zeros(scene.labels.shape, dtype=bool)
        for other, where in OTHERS:
            if other.kind == kind:
                mask[where.box] |= where.mask
        yield mask


def test_skeleton_and_other_calcifications_are_coded_by_kind(plain, tmp_path):
    study, _ = plain
    seg = pydicom.dcmread(delivered(tmp_path, study, segments="all") / "masses.seg.dcm")
    said = [
        (
            each.SegmentLabel,
            each.SegmentedPropertyCategoryCodeSequence[0].CodeMeaning,
            each.SegmentedPropertyTypeCodeSequence[0].CodeValue,
            each.SegmentedPropertyTypeCodeSequence[0].CodingSchemeDesignator,
        )
        for each in seg.SegmentSequence
    ]
    lesion = "Morphologically Abnormal Structure"
    assert said == [
        ("Calcified mass 1, left hip", lesion, "18115005", "SCT"),
        ("Calcified mass 2", lesion, "18115005", "SCT"),
        ("Skeleton", "Tissue", "3138006", "SCT"),
        ("Vascular Calcification", lesion, "237897009", "SCT"),
        ("Metal", "Physical object", "METAL", "99CALCINOSIS"),
    ]
    colours = [tuple(each.RecommendedDisplayCIELabValue) for each in seg.SegmentSequence]
    assert len(set(colours)) == len(colours)
    scheme = seg.CodingSchemeIdentificationSequence[0]
    assert scheme.CodingSchemeDesignator == "99CALCINOSIS"


def test_a_scan_without_masses_still_shows_its_skeleton_when_all_is_asked_for(plain, tmp_path):
    study, _ = plain
    out = delivered(tmp_path, study, masses=0, segments="all")
    seg = pydicom.dcmread(out / "masses.seg.dcm")
    assert seg.SegmentSequence[0].SegmentLabel == "Skeleton"
    assert_conforms(out / "masses.seg.dcm")
    assert_conforms(out / "measurements.sr.dcm")


def test_segmentation_of_a_sagittal_series_lies_on_its_own_slices(tmp_path):
    study = read_study(write_series(tmp_path / "ct", axes=SAGITTAL))
    frames = frames_in_space(delivered(tmp_path, study) / "masses.seg.dcm")
    found = np.zeros(study.volume.shape, dtype=np.uint8)
    for number, _, points in frames:
        z, y, x = np.rint(study.volume.to_indices(points)).astype(int).T
        found[z, y, x] = number
    assert np.array_equal(found, measured(study).labels)


@pytest.mark.parametrize("files", [0, 2], ids=["single slices", "two multi-frame files"])
def test_segmentation_of_a_tilted_gantry_lies_on_the_original_slices(files, tmp_path):
    source = write_series(tmp_path / "ct", shear_mm=0.6)
    study = read_study(enhanced(source, tmp_path / "files", files=files) if files else source)
    assert any("tilt" in remark for remark in study.remarks)
    labels = measured(study, masses=1).labels
    out = delivered(tmp_path, study, masses=1)
    assert_conforms(out / "masses.seg.dcm")
    frames = frames_in_space(out / "masses.seg.dcm")
    originals = [
        [float(v) for v in pydicom.dcmread(path).ImagePositionPatient] for path in source.iterdir()
    ]
    for _, origin, points in frames:
        assert min(np.abs(np.array(originals) - origin).max(axis=1)) < 1e-3
        z, y, x = np.rint(study.volume.to_indices(points)).astype(int).T
        assert labels[z, y, x].all()
    pixels = sum(len(points) for _, _, points in frames)
    assert pixels == pytest.approx(np.count_nonzero(labels), rel=0.02)


def test_segments_say_what_and_where_and_follow_the_mass(plain):
    study, out = plain
    seg = pydicom.dcmread(out / "masses.seg.dcm")
    first, second = seg.SegmentSequence
    assert first.SegmentLabel == "Calcified mass 1, left hip"
    assert first.AnatomicRegionSequence[0].CodeValue == "29836001"
    side = first.AnatomicRegionSequence[0].AnatomicRegionModifierSequence[0]
    assert (side.CodeValue, side.CodeMeaning) == ("7771000", "Left")
    assert second.SegmentLabel == "Calcified mass 2"
    assert second.AnatomicRegionSequence[0].CodeMeaning == "Soft tissue"
    assert first.RecommendedDisplayCIELabValue != second.RecommendedDisplayCIELabValue
    assert referenced(seg) == {pydicom.dcmread(path).SOPInstanceUID for path in study.source_files}


def referenced(seg) -> set[str]:
    items = seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    return {item.ReferencedSOPInstanceUID for item in items}


def test_of_two_phases_in_one_multi_frame_file_only_frames_of_the_measured_one_are_named(tmp_path):
    series = write_series(tmp_path / "ct")
    for path in [*series.iterdir()]:
        image = pydicom.dcmread(path)
        image.AcquisitionNumber = 1
        image.save_as(path)
        image.AcquisitionNumber, image.PixelData = 2, (image.pixel_array + 5).tobytes()
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        image.save_as(series / f"later{path.name}")
    study = read_study(enhanced(series, tmp_path / "files"))
    seg = pydicom.dcmread(delivered(tmp_path, study) / "masses.seg.dcm")
    named = {
        group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber
        for group in seg.PerFrameFunctionalGroupsSequence
    }
    assert named
    assert named <= {frame + 1 for _, frame in study.source_frames}
    assert len(study.source_frames) == study.volume.shape[0]


def test_frames_of_several_multi_frame_files_name_their_file_and_frame(tmp_path):
    source = enhanced(write_series(tmp_path / "ct"), tmp_path / "files", files=3)
    study = read_study(source)
    seg = pydicom.dcmread(delivered(tmp_path, study) / "masses.seg.dcm")
    files = {one.SOPInstanceUID: one for one in map(pydicom.dcmread, source.iterdir())}
    assert referenced(seg) == set(files)
    assert len(seg.SourceImageSequence) == len(files)
    for group in seg.PerFrameFunctionalGroupsSequence:
        item = group.DerivationImageSequence[0].SourceImageSequence[0]
        file = files[item.ReferencedSOPInstanceUID]
        assert item.ReferencedSOPClassUID == file.SOPClassUID
        frame = file.PerFrameFunctionalGroupsSequence[item.ReferencedFrameNumber - 1]
        there = frame.PlanePositionSequence[0].ImagePositionPatient
        assert group.PlanePositionSequence[0].ImagePositionPatient == there
