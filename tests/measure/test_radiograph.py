"""Masses on films with known truth: outline, size, and what must not be called."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calcinosis.errors import InputError
from calcinosis.measure.radiograph import measure_radiograph
from calcinosis.read.radiograph_scale import Scale
from radiograph_scene import balls, density, film

RADIUS_MM = 14.0
ONE = density(balls(radius_mm=RADIUS_MM))
MIDDLE = (120, 120)


@pytest.fixture(scope="module")
def found():
    return measure_radiograph(film(ONE), MIDDLE)


def test_a_ball_of_paste_is_outlined_and_its_size_told(found):
    assert found.max_diameter_mm == pytest.approx(2 * RADIUS_MM, rel=0.15)
    assert found.perpendicular_diameter_mm == pytest.approx(2 * RADIUS_MM, rel=0.15)
    assert found.area_mm2 == pytest.approx(np.pi * RADIUS_MM**2, rel=0.25)
    low, high = found.max_diameter_ci95_mm
    assert low <= 2 * RADIUS_MM <= high
    middle = found.outline.mean(axis=0)
    assert np.allclose(middle, 120, atol=4)


ODD = ONE[:239, :239]  # of which the middle stays the middle


@pytest.fixture(scope="module")
def straight():
    return measure_radiograph(film(ODD), (119, 119))


@settings(max_examples=3, deadline=None)
@given(turns=st.integers(1, 3), mirrored=st.booleans())
def test_a_turned_or_mirrored_film_gives_a_turned_outline(straight, turns, mirrored):
    turned = np.rot90(ODD[:, ::-1] if mirrored else ODD, turns)
    same = measure_radiograph(film(np.ascontiguousarray(turned)), (119, 119))
    assert same.area_mm2 == pytest.approx(straight.area_mm2, rel=1e-3)
    assert same.max_diameter_mm == pytest.approx(straight.max_diameter_mm, rel=1e-3)


def test_the_units_of_the_pixels_do_not_matter(found):
    other = measure_radiograph(film(ONE * 700 - 300), MIDDLE)
    assert other.area_mm2 == pytest.approx(found.area_mm2, rel=0.01)


def test_a_lead_letter_is_not_taken_for_part_of_the_mass(found):
    lettered = ONE.copy()
    lettered[20:60, 170:178] = ONE.max() * 1.2
    lettered[52:60, 170:195] = ONE.max() * 1.2
    other = measure_radiograph(film(lettered), MIDDLE)
    assert other.area_mm2 == pytest.approx(found.area_mm2, rel=0.15)


def test_an_unknown_magnification_widens_the_interval_downwards(found):
    scale = Scale(0.5, 0.8, 1.0, "", None)
    other = measure_radiograph(replace(film(ONE), scale=scale), MIDDLE)
    assert other.max_diameter_ci95_mm[0] < 0.85 * found.max_diameter_ci95_mm[0]


def test_a_point_on_nothing_dense_is_refused_in_one_line():
    with pytest.raises(InputError, match="lies on no dense mass that stands out"):
        measure_radiograph(film(density(balls(centres=()))), MIDDLE)


def test_a_point_off_the_film_is_refused():
    with pytest.raises(InputError, match="--at is 240,0; expected a pixel of the film, of 240"):
        measure_radiograph(film(ONE), (240, 0))
