"""A kept measurement is the measurement, and is used only where it would be made the same again."""

from dataclasses import replace

import numpy as np
import pytest

import ct_scene
from calcinosis.made_by import files_of
from calcinosis.measure.mass import (
    BoneRelation,
    Calibration,
    CtMeasurement,
    HounsfieldStatistics,
    OtherCalcification,
    Patch,
)
from calcinosis.volume import Study, Volume
from calcinosis.write import measurement_file
from calcinosis.write.measurement_file import load_measurement, measured_volume, save_measurement

STUDY = Study(Volume(np.zeros((5, 6, 7), np.int16), np.diag([1.5, 0.7, 0.7, 1.0])), "1.2.3")
# What JSON holds least easily: not a number, nothing, and letters beyond ASCII.
MASS = replace(
    ct_scene.MASS,
    hu=HounsfieldStatistics(300.0, 20.0, 310.0, float("nan")),
    sedimentation_sign=None,
    bone=BoneRelation("femur", None, 0.0, None, None, None),
    skin_distance_mm=None,
    remarks=("thin — slices",),
)


def measurement():
    chance = np.random.default_rng(3)
    shape = STUDY.volume.shape
    places = (
        Patch((slice(0, 2), slice(1, 4), slice(2, 7)), chance.random((2, 3, 5)) > 0.5),
        Patch((slice(4, 5), slice(0, 1), slice(0, 3)), chance.random((1, 1, 3)) > 0.5),
    )
    others = (OtherCalcification("vascular", 0.2, (1.0, 2.0, 3.0)),) * 2
    return CtMeasurement(
        (MASS,),
        chance.integers(0, 2, shape, np.uint8),
        np.packbits(chance.random(shape) > 0.5),
        others,
        Calibration(0.8, 0.1, 120.0, "measured"),
        ("one",),
        ("two",),
        places,
    )


@pytest.fixture
def file(tmp_path):
    path = tmp_path / measurement_file.NAME
    save_measurement(path, STUDY, measurement())
    return path


def test_what_is_read_back_is_what_was_measured(file):
    made, kept = measurement(), load_measurement(file, STUDY)
    assert repr(kept.masses) == repr(made.masses), "to the last digit, not-a-number too"
    for name in ("other_calcifications", "calibration", "method", "remarks"):
        assert getattr(kept, name) == getattr(made, name)
    for name in ("labels", "skeleton"):
        ours, theirs = getattr(kept, name), getattr(made, name)
        assert ours.dtype == theirs.dtype
        assert np.array_equal(ours, theirs)
    for ours, theirs in zip(kept.other_places, made.other_places, strict=True):
        assert ours.box == theirs.box
        assert np.array_equal(ours.mask, theirs.mask)


def test_a_measurement_without_any_finding_is_kept_too(tmp_path):
    none = replace(measurement(), masses=(), other_calcifications=(), other_places=())
    save_measurement(tmp_path / "none", STUDY, none)
    kept = load_measurement(tmp_path / "none", STUDY)
    assert (kept.masses, kept.other_places) == ((), ())


def test_other_weights_or_code_or_another_series_ask_for_a_new_measurement(file, monkeypatch):
    assert load_measurement(file, replace(STUDY, series_instance_uid="1.2.4")) is None
    moved = replace(STUDY.volume, affine=np.diag([1.5, 0.7, 0.8, 1.0]))
    assert load_measurement(file, replace(STUDY, volume=moved)) is None
    prone = replace(STUDY.volume, patient_position="HFP")
    assert load_measurement(file, replace(STUDY, volume=prone)) is None, "levels lie otherwise"
    monkeypatch.setattr(measurement_file, "_ROOMS", ("calcinosis.measure",))
    assert load_measurement(file, STUDY) is None


def test_other_seeds_ask_for_a_new_measurement(tmp_path, file):
    seeds = ((1.5, -2.0, 3.0),)
    assert load_measurement(file, STUDY, seeds) is None
    save_measurement(tmp_path / "seeded", STUDY, measurement(), seeds)
    assert load_measurement(tmp_path / "seeded", STUDY, seeds)
    assert load_measurement(tmp_path / "seeded", STUDY) is None


def test_a_kept_measurement_does_not_tell_of_which_series_it_is(file):
    with np.load(file) as kept:
        assert b"1.2.3" not in kept["text"].tobytes()


def test_where_the_voxels_lay_is_known_without_the_images(tmp_path, file):
    volume = measured_volume(file)
    assert volume.shape == STUDY.volume.shape
    assert np.array_equal(volume.affine, STUDY.volume.affine)
    assert measured_volume(tmp_path / "nowhere") is None


def test_the_networks_weights_are_part_of_what_made_it():
    from importlib import resources

    names = {name for name, _ in files_of(resources.files("calcinosis.measure"))}
    assert {"mass_network.onnx", "ct.py", "masses.py"} <= names


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"\x80\x04."])
def test_a_file_that_is_none_of_ours_is_no_measurement(tmp_path, content):
    (tmp_path / "broken").write_bytes(content)
    assert load_measurement(tmp_path / "broken", STUDY) is None
    assert load_measurement(tmp_path / "nowhere", STUDY) is None
