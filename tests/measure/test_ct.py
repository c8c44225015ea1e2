"""Scans that hold nothing to measure are measured all the same."""

import numpy as np
import pytest

from calcinosis.measure.ct import label_map, measure_ct
from calcinosis.measure.envelope import Envelope
from calcinosis.measure.masses import FoundMass
from calcinosis.volume import Study, Volume

BODY = np.where(np.arange(40)[:, None] < 5, -1000, 40)


@pytest.mark.parametrize(
    "voxels",
    [
        np.full((20, 40, 40), -1000),
        np.broadcast_to(BODY, (20, 40, 40)),
        np.full((1, 40, 40), 500),
        np.full((20, 40, 40), 500),
    ],
    ids=["air", "soft tissue", "one dense slice", "nothing but dense"],
)
def test_a_scan_with_nothing_to_tell_apart_has_no_mass(voxels):
    affine = np.diag([1.0, 1.0, 1.0, 1.0])[:, [2, 1, 0, 3]]
    result = measure_ct(Study(Volume(voxels.astype(np.int16), affine)))
    assert result.masses == ()
    assert not result.labels.any()


def test_a_seed_is_believed_before_a_given_skeleton_that_holds_the_mass_too():
    voxels = np.where(np.arange(40)[:, None] < 5, -1000, np.full((40, 40, 40), 40))
    voxels[14:26, 14:26, 14:26] = 500
    affine = np.diag([1.5, 1.5, 1.5, 1.0])[:, [2, 1, 0, 3]]
    skeleton = np.zeros(voxels.shape, bool)
    skeleton[10:30, 10:30, 10:30] = True
    result = measure_ct(
        Study(Volume(voxels.astype(np.int16), affine)),
        seeds_lps_mm=[(30.0, 30.0, 30.0)],
        skeleton=skeleton,
    )
    assert len(result.masses) == 1
    assert not (result.skeleton & (result.labels > 0)).any()
    assert skeleton.sum() == 20**3  # the caller's mask stays as it was


def test_a_mass_is_the_same_at_another_tube_voltage_and_told_as_bright_as_it_was_scanned():
    affine = np.diag([1.5, 1.5, 1.5, 1.0])[:, [2, 1, 0, 3]]
    found = []
    for voltage_kv, mg_per_ml_per_hu in ((120.0, 0.759), (80.0, 0.545)):
        brightness = 50 + 450 * 0.759 / mg_per_ml_per_hu
        voxels = np.where(np.arange(40)[:, None] < 5, -1000, np.full((40, 40, 40), 40))
        voxels[14:26, 14:26, 14:26] = brightness
        study = Study(Volume(voxels.astype(np.int16), affine), tube_voltage_kv=voltage_kv)
        measured = measure_ct(study, seeds_lps_mm=[(30.0, 30.0, 30.0)])
        (mass,) = measured.masses
        assert mass.hu.p95 == pytest.approx(brightness, abs=1)
        assert ("at 120 kV" in " ".join(measured.method)) == (voltage_kv != 120)
        found.append((mass.volume_ml, mass.calcified_volume_ml, mass.calcium_mass_mg))
    assert found[0] == pytest.approx(found[1], rel=0.01)


@pytest.mark.parametrize(("count", "kind"), [(0, np.uint8), (255, np.uint8), (256, np.uint16)])
def test_every_mass_has_its_own_number_however_many_there_are(count, kind):
    volume = Volume(np.zeros((1, 16, 16), np.int16), np.eye(4))
    one = np.ones((1, 1, 1), bool)
    envelope = Envelope(one, one.astype(np.float32), one.astype(np.float32))
    places = [
        (slice(0, 1), slice(n // 16, n // 16 + 1), slice(n % 16, n % 16 + 1)) for n in range(count)
    ]
    labels = label_map(volume, [FoundMass(box, envelope, 1.0, seeded=False) for box in places])
    assert labels.dtype == kind
    assert labels.ravel()[:count].tolist() == list(range(1, count + 1))
