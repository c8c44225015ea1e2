"""What an archive is found to hold: studies from headers, and what is no CT, counted."""

import os
import zipfile

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calcinosis.cohort.survey import survey
from calcinosis.errors import NotReadableError
from dicom_series import body, ct_series, save


def found(archive, besides=None):
    return survey(archive, besides=besides or archive / "out", progress=lambda *_: None)


def names(study):
    return [name.rsplit("/", 1)[-1] for name in study.files]


def test_images_of_one_study_belong_together_wherever_they_lie(tmp_path):
    images = ct_series(PatientID="A")
    save(images[:3], tmp_path / "one/deep")
    save(images[3:], tmp_path / "two", prefix="rest")
    save(ct_series(PatientID="B"), tmp_path / "two", prefix="other")
    studies = found(tmp_path).studies
    assert sorted((one.patient_id, len(one.files)) for one in studies) == [("A", 6), ("B", 6)]


def test_without_study_uid_a_folder_is_a_study(tmp_path):
    for name in ("one", "two"):
        save(ct_series(StudyInstanceUID="", SeriesInstanceUID="", PatientID=""), tmp_path / name)
    assert [len(one.files) for one in found(tmp_path).studies] == [6, 6]


def test_one_uid_given_to_two_patients_makes_two_studies(tmp_path):
    for name in ("A", "B"):
        save(ct_series(StudyInstanceUID="1.2.3", PatientID=name), tmp_path / name)
    images = ct_series(StudyInstanceUID="1.2.4", PatientID="C")
    images[2].PatientID = ""
    save(images, tmp_path / "C")
    assert sorted((one.patient_id, len(one.files)) for one in found(tmp_path).studies) == [
        ("A", 6),
        ("B", 6),
        ("C", 6),
    ]


def test_what_is_no_ct_is_counted_and_no_study(tmp_path):
    save(ct_series(), tmp_path / "ct")
    save(ct_series(Modality="MR", SOPClassUID="1.2.840.10008.5.1.4.1.1.4"), tmp_path / "mr")
    shots = ct_series(SOPClassUID="1.2.840.10008.5.1.4.1.1.7", Modality="OT")
    for shot, image in zip(shots, ct_series(), strict=True):
        shot.StudyInstanceUID = image.StudyInstanceUID
    save(shots, tmp_path / "shots")
    (tmp_path / "readme.txt").write_text("a note")
    seen = found(tmp_path)
    assert len(seen.studies) == 1
    assert dict(seen.not_ct) == {"MR": 6, "OT": 6}
    assert (seen.files, seen.ct_files, seen.others) == (19, 6, 1)


def test_a_volume_is_a_study_called_by_its_path(tmp_path):
    (tmp_path / "sub-01").mkdir()
    nib.save(nib.Nifti1Image(body(), np.eye(4)), tmp_path / "sub-01/ct.nii.gz")
    (study,) = found(tmp_path).studies
    assert (study.kind, study.patient_id) == ("grid", "sub-01/ct")


def test_dicom_may_be_called_img(tmp_path):
    save(ct_series(PatientID="A"), tmp_path, suffix=".img")
    (study,) = found(tmp_path).studies
    assert (study.kind, len(study.files)) == ("dicom", 6)


def test_a_name_that_is_no_text_is_no_obstacle(tmp_path):
    odd = tmp_path / os.fsdecode(b"M\xfcller.nii")
    nib.save(nib.Nifti1Image(body(), np.eye(4)), tmp_path / "ct.nii")
    (tmp_path / "ct.nii").rename(odd)
    (study,) = found(tmp_path).studies
    assert study.patient_id == "M?ller"


def test_zips_are_looked_into_and_a_damaged_one_costs_no_other(tmp_path):
    folder = save(ct_series(PatientID="A"), tmp_path / "ct")
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"inner/{file.name}")
    (tmp_path / "two.zip").write_bytes(b"PK\x03\x04 and no more")
    seen = found(tmp_path)
    assert sorted((one.zipped is not None, len(one.files)) for one in seen.studies) == [
        (False, 6),
        (True, 6),
    ]
    assert seen.unreadable == 1
    (alone,) = found(tmp_path / "one.zip").studies
    assert alone.files[0] == "inner/slice001.dcm"
    with pytest.raises(NotReadableError, match=r"two\.zip: the zip archive cannot be unpacked"):
        found(tmp_path / "two.zip")


def test_a_broken_file_spoils_the_study_of_its_folder_alone(tmp_path):
    for name in ("A", "B"):
        save(ct_series(PatientID=name), tmp_path / name)
    (tmp_path / "A/broken.dcm").write_bytes(b"no DICOM")
    (tmp_path / "nowhere.dcm").write_bytes(b"no DICOM")
    seen = found(tmp_path)
    assert {one.patient_id: len(one.files) for one in seen.studies} == {"A": 7, "B": 6}
    assert seen.unreadable == 1


def test_the_output_folder_is_no_part_of_the_archive(tmp_path):
    save(ct_series(PatientID="A"), tmp_path / "ct")
    save(ct_series(PatientID="B"), tmp_path / "out/studies")
    assert [one.patient_id for one in found(tmp_path, tmp_path / "out").studies] == ["A"]


def test_a_study_keeps_its_fingerprint_when_the_archive_moves(tmp_path):
    save(ct_series(), tmp_path / "here/ct")
    before = found(tmp_path / "here").studies[0].fingerprint
    (tmp_path / "here").rename(tmp_path / "there")
    assert found(tmp_path / "there").studies[0].fingerprint == before
    (tmp_path / "there/ct/slice001.dcm").rename(tmp_path / "there/ct/slice0.dcm")
    assert found(tmp_path / "there").studies[0].fingerprint != before


@settings(max_examples=40)
@given(st.binary(max_size=2000), st.sampled_from(["x", "x.dcm", "x.nii", "x.nrrd", "x.zip"]))
def test_no_file_whatever_it_holds_stops_the_survey(tmp_path_factory, content, name):
    folder = tmp_path_factory.mktemp("any")
    save(ct_series(body((1, 8, 8))), folder / "ct")
    (folder / name).write_bytes(content)
    seen = found(folder)
    assert seen.files + seen.unreadable >= 2 or name == "x.zip"
    assert any(one.kind == "dicom" for one in seen.studies)
