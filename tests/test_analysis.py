"""What a program gives that has its scans in memory, not in files."""

from dataclasses import replace

import numpy as np
import pytest

from calcinosis import Study, Volume, analyze, read_study, write_results
from calcinosis.analysis import FINDINGS_NOT_USED, explained
from calcinosis.errors import InputError, NotCtError
from calcinosis.finding import Finding
from calcinosis.read.patient_file import PatientFile
from calcinosis.write.explanation.view import view_of
from ct_scene import measured

AFFINE = np.diag([2.0, 1.0, 1.0, 1.0])[[2, 1, 0, 3]]
BODY = np.full((12, 40, 40), 40, np.int16)
BODY[:, :5], BODY[:, 5:10] = -1000, -100
BODY[4:7, 20:24, 20:24] = 700


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int32, ">i2"])
def test_an_array_of_any_number_type_is_taken_as_whole_hounsfield_units(kind):
    analysis = analyze(Study(Volume(BODY.astype(kind), AFFINE)))
    assert analysis.study.volume.voxels.dtype == np.int16
    assert np.array_equal(analysis.study.volume.voxels, BODY)


def test_what_is_no_number_in_an_array_counts_as_air_with_a_remark():
    gaps = BODY.astype(np.float32)
    gaps[0, 0, :2] = np.nan
    analysis = analyze(Study(Volume(gaps, AFFINE)))
    assert analysis.study.volume.voxels[0, 0, 0] == -1024
    assert analysis.study.remarks == ("2 of 19200 voxels hold no number: they count as air.",)


def test_stored_values_that_no_rescale_made_hounsfield_units_are_refused():
    stored = (BODY.astype(np.int32) + 1024).astype(np.uint16)
    with pytest.raises(NotCtError, match=r"the values run from 24 to .* expected Hounsfield units"):
        analyze(Study(Volume(stored, AFFINE)))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_affine_without_numbers_is_refused(bad):
    with pytest.raises(InputError, match="finite numbers"):
        Volume(BODY, np.full((4, 4), bad))


def test_a_volume_without_voxels_is_refused():
    with pytest.raises(InputError, match=r"found \(0, 40, 40\)"):
        Volume(BODY[:0], AFFINE)


def test_a_skeleton_of_another_shape_is_refused():
    with pytest.raises(InputError, match=r"has \(11, 40, 40\) voxels; expected .*\(12, 40, 40\)"):
        analyze(Study(Volume(BODY, AFFINE)), skeleton=np.ones((11, 40, 40), bool))


def test_whatever_a_skeleton_marks_is_bone():
    labels = np.where(BODY > 600, 7, 0).astype(np.uint8)
    analysis = analyze(Study(Volume(BODY, AFFINE)), skeleton=labels)
    assert np.array_equal(analysis.measurement.skeleton, labels > 0)


def test_a_seed_that_is_no_number_is_refused():
    with pytest.raises(InputError, match="lies outside the scan"):
        analyze(Study(Volume(BODY, AFFINE)), seeds_lps_mm=[(np.nan, 0, 0)])


def test_places_may_be_given_as_text(tmp_path):
    out = tmp_path / "out"
    write_results(analyze(Study(Volume(BODY, AFFINE))), str(out))
    with pytest.raises(InputError, match="expected"):
        read_study(str(out / "result.json"))


def test_signs_of_other_images_are_weighed_with_those_of_the_ct():
    study = Study(Volume(np.zeros((24, 40, 48), np.int16), np.eye(4)))
    scene = measured(study)
    shell = Finding("calcified_shell_with_fluid", "present", "measured", "ultrasound")
    told = explained(study, scene, PatientFile(findings=(shell,)))
    assert shell in told.explanation.findings

    shown = [finding for finding, _, _ in view_of(told.explanation).sources]
    assert "Calcified shell around fluid (ultrasound)" in shown
    nothing = replace(scene, masses=())
    assert FINDINGS_NOT_USED in explained(study, nothing, PatientFile(findings=(shell,))).remarks
