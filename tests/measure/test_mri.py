"""A mass on MRI of a drawn thigh: outline, size, signal, and what must not be called."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from calcinosis.errors import InputError
from calcinosis.measure.mri import measure_mri
from calcinosis.phantom.mri import T1, T1_AGENT, T2, Scan
from mri_scene import CENTRE, RADII_MM, oblique, scanned, truth_ml

SCAN = Scan(slices=20, pixels=(96, 96), pixel_mm=1.4, spacing_mm=4.4)


@cache
def series(sequence, scan=SCAN):
    return scanned(sequence, scan)


@pytest.fixture(scope="module")
def found():
    return measure_mri(series(T1), series(T2), series(T1_AGENT), CENTRE)


def test_the_mass_is_outlined_and_its_size_told(found):
    assert found.volume_ml == pytest.approx(truth_ml(), rel=0.35)
    assert found.max_diameter_mm == pytest.approx(2 * max(RADII_MM), rel=0.25)
    assert found.volume_ci95_ml[0] <= truth_ml() <= found.volume_ci95_ml[1]
    assert np.linalg.norm(np.subtract(found.centroid_lps_mm, CENTRE)) < 5
    assert not any("reaches the edge" in remark for remark in found.remarks)


def test_signal_is_held_against_muscle(found):
    assert found.muscle is not None
    in_muscle = found.around.sampled(series(T1))[0][found.muscle.mask]
    assert np.std(in_muscle) < 0.25 * np.mean(in_muscle)
    assert found.t1_to_muscle.ci95[0] < found.t1_to_muscle.value < found.t1_to_muscle.ci95[1]
    assert found.signs["t2_heterogeneous"].state == "present"


def test_turned_slices_show_the_same_mass(found):
    turned = oblique(SCAN)
    other = measure_mri(series(T1, turned), series(T2, turned), None, CENTRE)
    assert other.volume_ml == pytest.approx(found.volume_ml, rel=0.3)
    assert np.linalg.norm(np.subtract(other.centroid_lps_mm, found.centroid_lps_mm)) < 4


def test_the_unit_of_the_signal_does_not_matter(found):
    dimmer = [replace(one, voxels=one.voxels // 4) for one in map(series, (T1, T2, T1_AGENT))]
    other = measure_mri(*dimmer, CENTRE)
    assert other.volume_ml == pytest.approx(found.volume_ml, rel=0.05)
    assert other.t2_to_muscle.value == pytest.approx(found.t2_to_muscle.value, rel=0.05)


def test_without_t1_there_is_an_outline_but_no_muscle_to_compare_with():
    alone = measure_mri(None, series(T2), None, CENTRE)
    assert alone.muscle is None
    assert alone.t2_to_muscle is None
    assert {sign.state for sign in alone.signs.values()} == {"unknown"}
    assert "no muscle near the mass" in alone.signs["t2_high"].reason


def test_a_mass_cut_by_the_last_slice_is_told_as_such():
    few = replace(SCAN, slices=5)
    cut = measure_mri(series(T1, few), series(T2, few), None, CENTRE)
    assert any("reaches the edge of what was imaged" in remark for remark in cut.remarks)
    z_mm = cut.block.volume.to_lps(np.argwhere(cut.mask))[:, 2]
    assert np.ptp(z_mm) <= 5 * 4.4 + cut.block.step_mm


def test_muscle_without_a_mass_is_refused_in_one_line():
    with pytest.raises(InputError, match="lies on nothing that stands out as a mass"):
        measure_mri(
            *(scanned(kind, SCAN, with_mass=False) for kind in (T1, T2)), None, (-30.0, 0.0, 0.0)
        )


def test_one_of_t1_and_t2_is_needed():
    with pytest.raises(InputError, match="neither T1 nor T2"):
        measure_mri(None, None, series(T1_AGENT), CENTRE)
