"""The outline on MRI as a DICOM segmentation of the slices it was drawn along."""

import json

import numpy as np
import pydicom
import pytest
from click.testing import CliRunner

from calcinosis.cli import commands
from calcinosis.phantom.mri import T2, Scan
from mri_scene import CENTRE, RADII_MM, SERIES, enhanced, write_study
from outside_readers import assert_conforms, frames_in_space

AT = ",".join(map(str, CENTRE))
SCAN = Scan(slices=18, pixels=(72, 72), pixel_mm=1.9, spacing_mm=4.4)


def outlined(study, out, *more):
    """The segmentation that the command leaves, and its figures."""
    arguments = ("mri", study, "--at", AT, "--output", out, *more)
    done = CliRunner().invoke(commands, list(map(str, arguments)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return pydicom.dcmread(out / "mri.seg.dcm"), json.loads((out / "mri.json").read_text())


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mri")
    write_study(folder / "study", SERIES, SCAN)
    seg, told = outlined(folder / "study", folder / "out")
    return folder, seg, told


def slices_of(study, series):
    files = [pydicom.dcmread(path, stop_before_pixels=True) for path in study.rglob("*.dcm")]
    return {f.SOPInstanceUID: f for f in files if f.SeriesInstanceUID == series}


def test_it_lies_where_the_mass_was_drawn(written):
    folder, _, told = written
    assert_conforms(folder / "out/mri.seg.dcm")
    points = np.concatenate([lps for _, _, lps in frames_in_space(folder / "out/mri.seg.dcm")])
    assert points.mean(axis=0) == pytest.approx(told["mass"]["centroid_lps_mm"], abs=2)
    away = np.linalg.norm((points - CENTRE) / RADII_MM[::-1], axis=1)
    assert (away < 1.25).mean() > 0.9, "of the outline hardly anything lies outside of the mass"
    pixel_ml = 1.9**2 * 4.4 / 1000
    assert len(points) * pixel_ml == pytest.approx(told["mass"]["volume_ml"], rel=0.15)


def test_it_refers_to_the_slices_along_which_the_mass_was_outlined(written):
    folder, seg, told = written
    main = next(told[role] for role in ("t1", "t2") if told[role]["outlined_on"])
    there = slices_of(folder / "study", main["series_instance_uid"])
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == main["series_instance_uid"]
    for group in seg.PerFrameFunctionalGroupsSequence:
        image = group.DerivationImageSequence[0].SourceImageSequence[0]
        assert image.ReferencedSOPClassUID == pydicom.uid.MRImageStorage
        position = group.PlanePositionSequence[0].ImagePositionPatient
        assert position == there[image.ReferencedSOPInstanceUID].ImagePositionPatient
    assert {str(seg.PatientID), str(seg.Modality)} == {"PLANTED-4711", "SEG"}


def test_the_reader_points_and_mri_does_not_tell_whether_it_is_calcified(written):
    segment = written[1].SegmentSequence[0]
    assert segment.SegmentAlgorithmType == "SEMIAUTOMATIC"
    assert segment.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Mass"


def test_without_identity_nobody_is_named_and_no_uid_is_the_sources(written):
    folder, _, told = written
    outlined(folder / "study", folder / "nobody", "--deidentify")
    kept = (folder / "nobody/mri.seg.dcm").read_bytes()
    secrets = ["PLANTED-4711", "Plantedname", "20240102"]
    sources = slices_of(folder / "study", told["t2"]["series_instance_uid"])
    for secret in (*secrets, *sources, told["t2"]["series_instance_uid"]):
        assert secret.encode() not in kept


def test_of_a_file_of_many_frames_each_is_referred_to(tmp_path):
    study = write_study(tmp_path / "study", [T2], SCAN)
    file = enhanced(study / "s1")
    seg, _ = outlined(study, tmp_path / "out")
    assert_conforms(tmp_path / "out/mri.seg.dcm")
    source = pydicom.dcmread(file)
    places = [g.PlanePositionSequence[0] for g in source.PerFrameFunctionalGroupsSequence]
    for group in seg.PerFrameFunctionalGroupsSequence:
        image = group.DerivationImageSequence[0].SourceImageSequence[0]
        assert image.ReferencedSOPInstanceUID == source.SOPInstanceUID
        where = places[image.ReferencedFrameNumber - 1].ImagePositionPatient
        assert group.PlanePositionSequence[0].ImagePositionPatient == pytest.approx(where)
