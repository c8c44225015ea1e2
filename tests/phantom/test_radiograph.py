"""Computed radiographs: attenuation, enlargement, and where gravity lies on the film."""

from dataclasses import replace

import numpy as np
import pytest

from calcinosis.phantom.radiograph import (
    Exposure,
    depth_mm,
    down_on_film,
    expose,
    paths_cm,
    shadow,
)
from calcinosis.volume import Volume

AFFINE = np.array([[0, 0, 2.0, 0], [0, 2.0, 0, 0], [2.0, 0, 0, 0], [0, 0, 0, 1]])


@pytest.fixture(scope="module")
def body():
    voxels = np.full((40, 50, 60), -1000, np.int16)
    voxels[:, 5:45, 5:55] = 0
    voxels[25:31, 20:30, 40:46] = 1100
    return Volume(voxels, AFFINE)


def test_water_and_mineral_are_counted_along_the_beam(body):
    water_cm, mineral_cm = paths_cm(body, Exposure(pixel_mm=2.0))
    assert water_cm.shape == (40, 60)
    assert water_cm[5, 30] == pytest.approx(8.0, rel=0.02)
    assert mineral_cm.max() == pytest.approx(2.0 * 1000 / 1000, rel=0.02)


def test_the_shadow_lies_where_the_dense_part_is_seen(body):
    exposure = Exposure(pixel_mm=0.5, magnification=1.25, quanta=1e6)
    dense = body.voxels > 500
    film = expose(body, exposure, np.random.default_rng(1))
    thrown = shadow(body, dense, exposure)
    assert film.pixels.shape == thrown.shape == (200, 300)
    rows, columns = np.nonzero(thrown)
    assert np.ptp(rows) + 1 == pytest.approx(12 * 1.25 / 0.5, abs=2)
    assert rows.mean() == pytest.approx((40 - 28) * 2 * 1.25 / 0.5, abs=2)  # the head is above
    assert columns.mean() == pytest.approx(43 * 2 * 1.25 / 0.5, abs=2)  # the left is on the right
    around = film.pixels[60:140, 60:140]
    assert film.pixels[thrown].mean() > around.mean() + 3 * around.std()
    assert depth_mm(body, dense, exposure).max() == pytest.approx(20, abs=0.5)


@pytest.mark.parametrize(
    ("position", "beam", "way"),
    [
        ("HFS", "front", None),
        ("HFS", "side", (0, 1)),
        ("HFDL", "front", (0, 1)),
        ("HFDR", "front", (0, -1)),
        ("HFDL", "side", None),
    ],
)
def test_only_a_beam_across_gravity_shows_where_down_is(body, position, beam, way):
    lying = replace(body, patient_position=position)
    assert down_on_film(lying, Exposure(beam=beam)) == way
