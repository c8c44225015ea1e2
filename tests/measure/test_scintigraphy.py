"""Uptake of a mass on a bone scan, against counts that were drawn."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calcinosis.errors import InputError
from calcinosis.measure.scintigraphy import measure_uptake
from calcinosis.measure.scintigraphy_mirror import find_midline
from scintigram_scene import HIP, MASS, MIDDLE, PIXEL_MM, SHAPE, mass_pixels, scintigram

BONE = (75, MIDDLE + HIP)


@pytest.mark.parametrize("ratio", [2.0, 3.0, 6.0])
def test_counts_that_were_drawn_are_read(ratio):
    uptake = measure_uptake(scintigram(ratio), MASS)
    assert uptake.state == "present"
    drawn = mass_pixels()
    assert 2 * (uptake.outline & drawn).sum() / (uptake.outline.sum() + drawn.sum()) > 0.93
    assert uptake.to_soft_tissue.value == pytest.approx(ratio, rel=0.1)
    assert uptake.to_other_side.value == pytest.approx(ratio, rel=0.15)
    assert uptake.area_cm2 == pytest.approx(np.pi * 2.5**2, rel=0.15)
    assert uptake.diameter_mm == pytest.approx(50, abs=5)


def test_a_mass_that_takes_up_nothing_has_none():
    uptake = measure_uptake(scintigram(1.0), MASS)
    assert (uptake.state, uptake.stands_out) == ("absent", False)
    assert any("Nothing stands out" in remark for remark in uptake.remarks)


def test_a_hip_is_not_taken_for_a_mass_since_the_other_is_as_bright():
    uptake = measure_uptake(scintigram(1.0), BONE)
    assert uptake.to_soft_tissue.value > 2
    assert uptake.state == "unknown"
    assert any("may be bone" in remark for remark in uptake.remarks)


def test_over_the_spine_nothing_tells_mass_from_bone_even_where_it_is_bent():
    for column in (MIDDLE, MIDDLE + 8):
        uptake = measure_uptake(scintigram(4.0, 12.0, (20, column)), (20, column))
        assert uptake.to_other_side is None
        assert uptake.state == "unknown"


def test_a_mass_that_the_edge_cuts_is_left_open():
    uptake = measure_uptake(scintigram(4.0, at=(4, 129)), (4, 129))
    assert uptake.state == "unknown"
    assert any("edge" in remark for remark in uptake.remarks)


def test_few_counts_make_the_interval_wide():
    many = scintigram(3.0)
    few = replace(many, counts=np.random.default_rng(1).binomial(many.counts.astype(int), 0.05))
    few = replace(few, counts=few.counts.astype(np.float32))
    told = [measure_uptake(view, MASS) for view in (few, many)]
    assert ["noise may pass for uptake" in " ".join(one.remarks) for one in told] == [True, False]
    wide, narrow = (one.to_soft_tissue.ci95 for one in told)
    assert wide[1] / wide[0] > 2 * narrow[1] / narrow[0] - 1
    assert wide[0] < 3 < wide[1] * 1.1


@settings(max_examples=5, deadline=None)
@given(st.floats(-5, 5), st.integers(-15, 15))
def test_the_midline_is_found_however_the_patient_lay(tilt_deg, shift):
    rows, columns = np.indices(SHAPE)
    slope = np.tan(np.deg2rad(tilt_deg))
    across = (columns - MIDDLE - shift - slope * (rows - SHAPE[0] / 2)) * np.cos(np.arctan(slope))
    body = np.where(np.abs(across) < 60, 20, 0) + np.where(np.abs(across) < 6, 60, 0)
    body = body + np.where(np.hypot(rows - 75, np.abs(across) - 30) < 8, 40, 0)
    line = find_midline(body.astype(np.float32), (PIXEL_MM, PIXEL_MM), (75, MIDDLE))
    assert line is not None
    for row in (30, 120):
        middle = line.column + line.slope * (row - line.row)
        assert middle == pytest.approx(MIDDLE + shift + slope * (row - SHAPE[0] / 2), abs=2.5)
    there = line.mirrored(np.array([40]), np.array([60]))
    back = line.mirrored(there[0], there[1])
    assert back.ravel() == pytest.approx([40, 60])


@pytest.mark.parametrize(
    ("at", "words"),
    [((10, 400), "outside the image"), ((75, 3), "outside the body")],
)
def test_a_point_where_no_mass_can_be_is_refused(at, words):
    with pytest.raises(InputError, match=words):
        measure_uptake(scintigram(), at)


def test_an_image_without_counts_is_refused():
    empty = replace(scintigram(), counts=np.zeros(SHAPE, np.float32))
    with pytest.raises(InputError, match="no counts"):
        measure_uptake(empty, MASS)
