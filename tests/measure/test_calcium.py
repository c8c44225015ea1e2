"""Calcium in milligrams: known inserts, tube voltage, and a calibration of one's own."""

from itertools import pairwise

import numpy as np
import pytest

from calcinosis.measure.calcium import (
    as_at_120_kv,
    brightness_share,
    calcium_mass,
    calibration_by_phantom,
    calibration_for,
)

VOXEL_ML = 0.001


def insert(hu, size=10):
    """A cube of one density in muscle, and the share of each voxel that is calcified."""
    calcified = np.zeros((size + 4,) * 3, np.float32)
    calcified[2:-2, 2:-2, 2:-2] = 1
    return np.where(calcified > 0, hu, 50).astype(np.float32), calcified


def test_an_insert_holds_volume_times_density_times_factor():
    voxels, calcified = insert(450)
    found = calcium_mass(voxels, calcified, VOXEL_ML, calibration_by_phantom(0.8, 0.05))
    assert found.mg == pytest.approx(1000 * VOXEL_ML * 400 * 0.8)


def test_the_interval_is_as_wide_as_the_calibration_is_unsure():
    voxels, calcified = insert(450)
    low, high = calcium_mass(voxels, calcified, VOXEL_ML, calibration_by_phantom(0.8, 0.05)).ci95_mg
    assert (high - low) / (high + low) == pytest.approx(1.96 * 0.05)


def test_the_same_brightness_is_more_calcium_at_a_higher_tube_voltage():
    voltages = (60, 70, 80, 100, 120, 140, 150)  # all that are taken as stated
    factors = [calibration_for(kv).mg_hydroxyapatite_per_ml_per_hu for kv in voltages]
    assert all(lower < higher for lower, higher in pairwise(factors))
    assert factors[1] == pytest.approx(0.472)  # 70 kV, as for slim patients and children


def test_an_unknown_tube_voltage_is_told_and_widens_the_interval():
    known, unknown = calibration_for(120.0), calibration_for(None)
    assert unknown.relative_uncertainty == 2 * known.relative_uncertainty
    assert "assumed" in unknown.source
    assert "assumed" not in known.source


def test_tin_hardens_the_beam_so_that_the_same_brightness_is_more_calcium():
    plain, tin = calibration_for(100.0), calibration_for(100.0, tin_filter=True)
    ratio = tin.mg_hydroxyapatite_per_ml_per_hu / plain.mg_hydroxyapatite_per_ml_per_hu
    assert ratio == pytest.approx(0.871 / 0.662, rel=1e-3)
    assert "100 kV behind 0.6 mm of tin" in tin.source


def test_images_of_one_energy_are_calibrated_at_that_energy_with_double_width():
    factors = [
        calibration_for(None, photon_energy_kev=kev).mg_hydroxyapatite_per_ml_per_hu
        for kev in (40.0, 70.0, 140.0)
    ]
    assert factors == pytest.approx([0.297, 0.765, 1.428])  # calcium is brightest at 40 keV
    found = calibration_for(None, photon_energy_kev=70.0)
    assert found.relative_uncertainty == 2 * calibration_for(120.0).relative_uncertainty
    assert "70 keV" in found.source


@pytest.mark.parametrize(
    "x_rays",
    [
        {"tube_voltage_kv": 80.0},
        {"tube_voltage_kv": 150.0, "tin_filter": True},
        {"tube_voltage_kv": None, "photon_energy_kev": 40.0},
    ],
)
def test_calcium_is_read_as_bright_as_at_120_kv_whatever_the_x_rays(x_rays):
    x_rays = calibration_for(**x_rays)
    brighter = 0.759 / x_rays.mg_hydroxyapatite_per_ml_per_hu
    seen = np.array([[[-1024, -100, 50, round(50 + 900 * brighter), 32767]]], np.int16)
    read = as_at_120_kv(seen, brightness_share(x_rays))
    np.testing.assert_allclose(read[0, 0, :4], [-1024, -100, 50, 950], atol=1)


def test_at_120_kv_and_where_no_voltage_is_stated_nothing_is_changed():
    assert brightness_share(calibration_for(120.0)) == 1
    assert brightness_share(calibration_for(None)) == 1
