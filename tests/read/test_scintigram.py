"""Bone scans as DICOM: which views, which counts, and what is refused."""

import numpy as np
import pytest

from calcinosis.errors import CalcinosisError
from calcinosis.read.scintigram import read_bone_scan
from real_bones import DATA, needs_data
from scintigram_scene import PIXEL_MM, scintigram, write_nm

REAL = DATA / "pydicom_odd" / "JPEG-LL.dcm"


def test_views_are_read_count_by_count_and_named(tmp_path):
    front, back = scintigram(3.0), scintigram(2.0, seed=1)
    scan = read_bone_scan(write_nm(tmp_path / "scan.dcm", front, back))
    assert [view.view for view in scan.views] == ["anterior", "posterior"]
    assert all(view.pixel_mm == (PIXEL_MM, PIXEL_MM) for view in scan.views)
    assert np.array_equal(scan.views[1].counts, back.counts)
    assert scan.subject.patient_id == "PLANTED-4711"


@needs_data
def test_a_real_whole_body_scan_keeps_every_count():
    """Its header tells how many the camera caught: 3 596 452."""
    scan = read_bone_scan(REAL)
    assert scan.views[0].counts.sum() == 3_596_452
    assert scan.remarks == ()


@needs_data
def test_counts_that_compression_altered_are_remarked_on():
    assert "with loss" in read_bone_scan(REAL.with_name("JPEG2000.dcm")).remarks[0]


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"Modality": "CT"}, "`calcinosis analyze` measures it"),
        ({"Modality": "PT"}, "found a PET"),
        ({"Modality": ""}, "modality not told"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "RECON TOMO"]}, "tomogram"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "DYNAMIC"]}, "moving series"),
        ({"PixelSpacing": None}, "PixelSpacing"),
        ({"NumberOfFrames": 3}, "bytes of pixels"),
    ],
)
def test_what_is_no_planar_bone_scan_is_refused_in_one_line(tags, words, tmp_path):
    path = write_nm(tmp_path / "scan.dcm", scintigram(), **tags)
    with pytest.raises(CalcinosisError, match=words) as error:
        read_bone_scan(path)
    assert "\n" not in str(error.value)


def test_what_is_no_dicom_file_is_told_for_what_it_is(tmp_path):
    (tmp_path / "note.txt").write_text("Uptake beside the hip.", encoding="utf-8")
    for name, words in (
        ("", "a folder; expected one file"),
        ("note.txt", "found no DICOM"),
        ("nowhere.dcm", "there is no such file"),
    ):
        with pytest.raises(CalcinosisError, match=words):
            read_bone_scan(tmp_path / name)
