"""The same input gives the same bytes and identities; another content is another object."""

from dataclasses import replace

import pydicom
import pytest

from calcinosis.measure.mass import Site
from calcinosis.read.study import read_study
from calcinosis.write.dicom_source import source_images
from calcinosis.write.tracking import tracking_of
from ct_scene import MASS, delivered, write_series
from outside_readers import run

FILES = ("masses.seg.dcm", "measurements.sr.dcm", "bundle.fhir.json")


@pytest.mark.parametrize(
    "options",
    [{}, {"segments": "all", "seg_type": "labelmap"}, {"deidentify": True}],
    ids=["plain", "all as labelmap", "de-identified"],
)
def test_the_same_input_gives_the_same_bytes_whenever_it_is_written(options, plain, tmp_path):
    study, _ = plain
    first, second = (delivered(tmp_path, study, **options) for _ in range(2))
    for name in FILES:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_content_is_dated_by_the_study_not_by_the_clock(plain):
    _, out = plain
    for name in FILES[:2]:
        made = pydicom.dcmread(out / name)
        assert (made.ContentDate, made.ContentTime) == ("20250301", "101112")
        assert "InstanceCreationDate" not in made


@pytest.mark.parametrize("stated", ["", "20250231", "2025"])
def test_a_study_without_a_true_date_still_gives_valid_content(stated, tmp_path):
    study = read_study(write_series(tmp_path / "ct", StudyDate=stated, StudyTime=""))
    made = pydicom.dcmread(delivered(tmp_path, study) / "measurements.sr.dcm")
    assert (made.ContentDate, made.ContentTime) == ("19000101", "000000")


def test_a_thickness_that_is_no_number_and_an_identity_of_several_values_stay_behind(tmp_path):
    folder = write_series(tmp_path / "ct", PatientID=["one", "two"])
    for path in folder.iterdir():
        image = path.read_bytes()
        assert image.count(b"\x18\x00\x50\x00DS\x04\x002.0 ") == 1
        path.write_bytes(image.replace(b"DS\x04\x002.0 ", b"DS\x04\x00thin"))
    made = pydicom.dcmread(delivered(tmp_path, read_study(folder)) / "masses.seg.dcm")
    assert made.PatientID == ""
    measures = made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert measures.SliceThickness == 2


@pytest.mark.parametrize(
    "other",
    [{"masses": 1}, {"segments": "all"}, {"seg_type": "labelmap"}, {"deidentify": True}],
    ids=str,
)
def test_another_content_is_another_instance(other, plain, tmp_path):
    study, out = plain
    different = delivered(tmp_path, study, **other)
    for name in FILES[:2]:
        first, second = (pydicom.dcmread(folder / name) for folder in (out, different))
        assert first.SOPInstanceUID != second.SOPInstanceUID
        assert first.SeriesInstanceUID != second.SeriesInstanceUID


def test_a_corrected_name_makes_another_instance(plain, tmp_path):
    """A PACS keeps the first object of a UID: it must not hold on to a wrong name."""
    study, out = plain
    for path in study.source_files:
        image = pydicom.dcmread(path)
        image.PatientName = "Corrected^Name"
        image.save_as(tmp_path / path.name)
    corrected = delivered(tmp_path, read_study(tmp_path))
    for name in FILES[:2]:
        first, second = (pydicom.dcmread(folder / name) for folder in (out, corrected))
        assert first.StudyInstanceUID == second.StudyInstanceUID
        assert first.SOPInstanceUID != second.SOPInstanceUID


def test_mass_has_one_tracking_uid_in_every_file(plain):
    _, out = plain
    seg = pydicom.dcmread(out / "masses.seg.dcm")
    printed = run("dsrdump", out / "measurements.sr.dcm").stdout
    for segment in seg.SegmentSequence:
        assert segment.TrackingUID in printed
        assert f'"Tracking Identifier")="{segment.TrackingID}"' in printed
        assert segment.TrackingUID in (out / "bundle.fhir.json").read_text()


def tracked(folder, masses, **header):
    study = read_study(write_series(folder, **header))
    return tracking_of(masses, source_images(study))


def at(mass_id, joint, side, height_mm):
    """Some mass at a place."""
    site, centroid = Site(joint, side, 9.0), (0.0, 0.0, float(height_mm))
    return replace(MASS, id=mass_id, site=site, centroid_lps_mm=centroid)


def test_masses_are_known_again_at_follow_up_though_their_sizes_changed_places(tmp_path):
    """Ids run by size; here the lower hip mass outgrew the upper, in a scan that lies otherwise."""
    before = [at(1, "hip", "left", 40), at(2, "hip", "left", -30), at(3, "hip", "right", 0)]
    after = [at(1, "hip", "right", 520), at(2, "hip", "left", 490), at(3, "hip", "left", 555)]
    first, later = tracked(tmp_path / "1", before), tracked(tmp_path / "2", after)
    assert first[1] == later[3]
    assert first[2] == later[2]
    assert first[3] == later[1]
    assert len({each.uid for each in first.values()}) == 3
    assert first[1].identifier == "Calcified mass, left hip, A"
    assert first[2].identifier == "Calcified mass, left hip, B"


@pytest.mark.parametrize(
    "other",
    [{"PatientID": "other"}, {"PatientBirthDate": "19700101"}, {"IssuerOfPatientID": "elsewhere"}],
    ids=str,
)
def test_masses_of_two_patients_are_never_one(other, tmp_path):
    masses = [at(1, "hip", "left", 0)]
    assert tracked(tmp_path / "1", masses) != tracked(tmp_path / "2", masses, **other)


def test_masses_of_unknown_patients_are_never_one(tmp_path):
    masses = [at(1, "hip", "left", 0)]
    first, second = (tracked(tmp_path / name, masses, PatientID="") for name in "12")
    assert first[1].uid != second[1].uid


def test_writing_says_nothing_about_the_patient(tmp_path, capfd):
    study = read_study(write_series(tmp_path / "ct"))
    delivered(tmp_path, study)
    assert capfd.readouterr() == ("", "")
