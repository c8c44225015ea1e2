"""What is kept of a received instance measures the same, and tells of nobody."""

import hashlib

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import (
    EncapsulatedPDFStorage,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)

from calcinosis.errors import NotReadableError
from calcinosis.read.study import read_study
from calcinosis.write.deidentified_copy import deidentify_file
from calcinosis.write.dicom_source import deidentified_uid, source_images
from dicom_series import body, ct_series, enhanced, save

PLANTED = {
    "PatientName": "PLANTED^NAME",
    "PatientID": "PLANTED-ID",
    "StudyDate": "19610203",
    "SeriesDescription": "PLANTED Mrs Name left knee with contrast",
    "InstitutionName": "PLANTED",
    "AccessionNumber": "PLANTED",
    "ConvolutionKernel": "B30f",
    "FrameOfReferenceUID": "1.2.840.4711",
}


def syntax(uid):
    def written(datasets):
        for dataset in datasets:
            if uid in (JPEGLSLossless, RLELossless):
                dataset.compress(uid, generate_instance_uid=False)
            elif uid == ExplicitVRBigEndian:
                dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
                dataset.file_meta.TransferSyntaxUID = uid
                dataset.set_original_encoding(is_implicit_vr=False, is_little_endian=False)
            else:
                dataset.file_meta.TransferSyntaxUID = uid
        return datasets

    return written


def several_frames(datasets):
    whole = enhanced(datasets)
    frame = whole.PerFrameFunctionalGroupsSequence[0]
    frame.FrameContentSequence = [pydicom.Dataset()]
    frame.FrameContentSequence[0].FrameComments = "PLANTED"
    return [whole]


WAYS = {
    "explicit": lambda datasets: datasets,
    "implicit": syntax(ImplicitVRLittleEndian),
    "big endian": syntax(ExplicitVRBigEndian),
    "JPEG-LS": syntax(JPEGLSLossless),
    "RLE": syntax(RLELossless),
    "enhanced": several_frames,
}


@pytest.mark.parametrize("way", WAYS)
def test_what_is_kept_is_read_as_the_original_and_names_nobody(way, tmp_path):
    datasets = WAYS[way](ct_series(body((6, 25, 27)), PixelPaddingValue=0, **PLANTED))
    for dataset in datasets:
        dataset.add_new(0x00091001, "LO", "PLANTED")
        dataset.add_new(0x7FE10010, "OB", b"PLANTED after the pixels")
    folder = save(datasets, tmp_path / "sent")
    before = read_study(folder)
    named = source_images(before, deidentify=True)
    for file in folder.iterdir():
        deidentify_file(file)
        content = file.read_bytes()
        assert b"PLANTED" not in content
        assert b"19610203" not in content
        assert not any(str(one.SOPInstanceUID).encode() in content for one in datasets)
    after = read_study(folder)
    assert np.array_equal(after.volume.voxels, before.volume.voxels)
    assert np.array_equal(after.volume.affine, before.volume.affine)
    for name in ("contrast_agent", "tube_voltage_kv", "remarks"):
        assert getattr(after, name) == getattr(before, name)
    assert after.contrast_agent is True
    assert (before.stated_side.side, after.stated_side.side) == ("left", "left")
    assert "soft kernel B30f" in after.chosen_because
    again = source_images(after, deidentify=True)
    assert again.headers == named.headers, "the same UIDs as from the original"
    assert len(list(folder.iterdir())) == len(datasets), "nothing is left beside them"


def test_images_of_other_energies_stay_known_as_such(tmp_path):
    folder = save(ct_series(SeriesDescription="PLANTED VNC", ImageType="DERIVED"), tmp_path)
    before = read_study(folder)
    for file in folder.iterdir():
        deidentify_file(file)
    assert "two energies" in before.remarks[0]
    assert read_study(folder).remarks == before.remarks


def test_the_energies_of_tube_and_images_stay_known(tmp_path):
    tags = {"KVP": 100, "ProtocolName": "PLANTED Sn100", "SeriesDescription": "PLANTED Mono 70"}
    folder = save(ct_series(**tags), tmp_path)
    for file in folder.iterdir():
        deidentify_file(file)
    study = read_study(folder)
    assert (study.tin_filter, study.photon_energy_kev) == (True, 70)


def test_phases_of_one_series_stay_told_apart(tmp_path):
    given = {"ContrastBolusAgent": "PLANTED", "ContrastBolusStartTime": "101000"}
    native = ct_series(AcquisitionNumber=1, AcquisitionTime="100500", **given)
    venous = ct_series(body() + 7, AcquisitionNumber=2, AcquisitionTime="101100", **given)
    for dataset in venous:
        dataset.SeriesInstanceUID = native[0].SeriesInstanceUID
    folder = save(venous + native, tmp_path)
    for file in folder.iterdir():
        deidentify_file(file)
    study = read_study(folder)
    assert np.array_equal(study.volume.voxels, body())
    assert "part 2 of 2 of series 2 (contrast given)" in study.chosen_because


def test_reduced_again_it_stays_as_it_is(tmp_path):
    [file] = save(ct_series(**PLANTED)[:1], tmp_path / "sent").iterdir()
    deidentify_file(file)
    once = hashlib.sha256(file.read_bytes()).hexdigest()
    deidentify_file(file)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == once


@pytest.mark.parametrize(
    "told", [{"BurnedInAnnotation": "YES"}, {"SOPClassUID": EncapsulatedPDFStorage}]
)
def test_of_what_may_show_text_nothing_is_kept(told, tmp_path):
    [dataset] = ct_series(**PLANTED)[:1]
    dataset.update(told)
    dataset.EncapsulatedDocument = b"PLANTED"
    dataset.PixelData = b"PLANTED!" * (len(dataset.PixelData) // 8)
    [file] = save([dataset], tmp_path / "sent").iterdir()
    deidentify_file(file)
    assert b"PLANTED" not in file.read_bytes()
    kept = pydicom.dcmread(file)
    assert kept.StudyInstanceUID == deidentified_uid(dataset.StudyInstanceUID)
    assert "PixelData" not in kept


def test_a_mapped_uid_stands_for_itself_and_others_stay_apart():
    mapped = {deidentified_uid(f"1.2.3.{number}") for number in range(1000)}
    assert len(mapped) == 1000
    assert {deidentified_uid(uid) for uid in mapped} == mapped
    assert all(len(uid) <= 64 and pydicom.uid.UID(uid).is_valid for uid in mapped)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=6)), max_size=5))
def test_a_hostile_file_is_reduced_or_left_and_refused(tmp_path_factory, changes):
    folder = tmp_path_factory.mktemp("hostile")
    datasets = WAYS["RLE"](ct_series(**PLANTED)[:1])
    [file] = save(datasets, folder).iterdir()
    content = bytearray(file.read_bytes())
    for place, bytes_ in changes:
        at = int(place * len(content))
        content[at : at + len(bytes_)] = bytes_
    file.write_bytes(content)
    try:
        deidentify_file(file)
    except NotReadableError:
        assert file.read_bytes() == content
    assert [one.name for one in folder.iterdir()] == [file.name]
