"""Contrast agent and stones in organs are no masses, whatever level they show; masses stay."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from calcinosis.measure.ct import measure_ct
from calcinosis.measure.envelope import Envelope
from calcinosis.measure.joint import Joint
from calcinosis.measure.mass import LevelReading
from calcinosis.measure.masses import FoundMass
from calcinosis.measure.organs import organ_around
from calcinosis.measure.skin import find_skin
from calcinosis.phantom.masses import MassOptions
from calcinosis.phantom.patient import PhantomOptions, make_phantom
from calcinosis.volume import Study, Volume

PELVIS = (
    Joint("hip", "left", (85.0, 0.0, 0.0)),
    Joint("hip", "right", (-85.0, 0.0, 0.0)),
    Joint("pubic symphysis", None, (0.0, -30.0, -40.0)),
    Joint("sacroiliac", "left", (60.0, 50.0, 85.0)),
)
NO_LEVELS = LevelReading((), sedimentation_sign=False, remarks=())


def ball(centre_lps_mm, *, hu=400.0, uneven_hu=0.0, seeded=False):
    """A ball of 15 mm in a scan of 2 mm voxels, as dense everywhere or cloudy, noise of 15 HU."""
    rng = np.random.default_rng(2)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])[:, [2, 1, 0, 3]]
    affine[:3, 3] = np.asarray(centre_lps_mm) - 30
    away = np.linalg.norm(np.mgrid[:31, :31, :31] - 15, axis=0) * 2
    clouds = ndimage.gaussian_filter(rng.normal(size=away.shape), 1.0)
    values = np.where(away < 15, hu + uneven_hu * clouds / clouds.std(), 40)
    voxels = np.rint(ndimage.gaussian_filter(values, 0.5) + rng.normal(0, 15, away.shape))
    mask = away < 15
    whole = mask.astype(np.float32)
    box = (slice(0, 31),) * 3
    mass = FoundMass(box, Envelope(mask, whole, whole), 0.9, seeded)
    return Volume(voxels.astype(np.int16), affine), mass


BLADDER = (0.0, 0.0, 20.0)


def is_held_by_an_organ(volume, mass, levels, joints):
    return organ_around(volume, mass, levels, joints, find_skin(volume)) == "viscus"


def test_an_even_density_between_the_hips_is_contrast_agent():
    assert is_held_by_an_organ(*ball(BLADDER), NO_LEVELS, PELVIS)


@pytest.mark.parametrize(
    "centre",
    [(85, 0, 20), (60, 20, -60), (0, 0, -80), (0, -90, 20), (0, 80, 60)],
    ids=["hip", "ischial tuberosity", "perineum", "before the symphysis", "behind the sacrum"],
)
def test_what_lies_elsewhere_is_a_mass(centre):
    assert not is_held_by_an_organ(*ball(centre), NO_LEVELS, PELVIS)


@pytest.mark.parametrize(("goes_on", "held"), [(False, True), (True, False)])
def test_where_the_picture_ends_within_the_chest_nothing_lies_in_the_abdomen(goes_on, held):
    spine = Joint("thoracic spine", None, (0.0, 60.0, 0.0), 70.0, goes_on)
    assert is_held_by_an_organ(*ball((20.0, 10.0, 0.0)), NO_LEVELS, (spine,)) == held


def test_what_is_cloudy_is_a_mass():
    assert not is_held_by_an_organ(*ball(BLADDER, uneven_hu=150), NO_LEVELS, PELVIS)


def test_a_shell_in_the_pelvis_is_taken_for_a_stone():
    volume, mass = ball(BLADDER)
    away_mm = np.linalg.norm(np.mgrid[:31, :31, :31] - 15, axis=0) * 2
    voxels = np.where(away_mm < 12, np.int16(20), volume.voxels)
    assert is_held_by_an_organ(replace(volume, voxels=voxels), mass, NO_LEVELS, PELVIS)


def test_what_a_seed_asked_for_is_a_mass():
    assert not is_held_by_an_organ(*ball(BLADDER, seeded=True), NO_LEVELS, PELVIS)


SPINE = (Joint("lumbar spine", None, (0.0, 20.0, 60.0), 160.0),)


@pytest.mark.parametrize(("centre", "told"), [((60, -40, 100), True), ((60, 90, 100), False)])
def test_before_the_spine_an_even_density_is_contrast_agent_behind_it_a_mass(centre, told):
    assert is_held_by_an_organ(*ball(centre), NO_LEVELS, SPINE) == told


def test_without_a_hip_nothing_is_told():
    assert not is_held_by_an_organ(*ball(BLADDER), NO_LEVELS, PELVIS[2:])


def under_the_skin(radius_mm, surroundings_hu, depth_mm=15.0):
    """What organ holds a ball of calcium so deep under a flat skin."""
    z, y, x = np.meshgrid(np.arange(60.0), np.arange(100.0), np.arange(60.0), indexing="ij")
    mask = np.sqrt((z - 30) ** 2 + (y - 15 - depth_mm) ** 2 + (x - 30) ** 2) < radius_mm
    hu = np.where(y < 15, -1000, np.where(mask, 500, surroundings_hu))
    affine = np.diag([1.0, 1.0, 1.0, 1.0])[:, [2, 1, 0, 3]]
    volume = Volume(hu.astype(np.int16), affine)
    whole = mask.astype(np.float32)
    box = (slice(0, 60), slice(0, 100), slice(0, 60))
    mass = FoundMass(box, Envelope(mask, whole, whole), 0.9, seeded=False)
    return organ_around(volume, mass, NO_LEVELS, (), find_skin(volume))


def test_what_is_small_in_the_fat_under_the_skin_is_a_granuloma():
    assert under_the_skin(6.0, -100) == "subcutis"
    assert under_the_skin(8.0, -100) is None
    assert under_the_skin(6.0, 50) is None
    assert under_the_skin(6.0, -100, depth_mm=65.0) is None


@cache
def with_a_full_bladder(masses=()):
    """Hips with contrast agent layered in the bladder and in bowel."""
    options = PhantomOptions(
        seed=3,
        anatomy="hips",
        masses=masses,
        decoys=("bladder_contrast", "bowel"),
        pixel_mm=1.2,
        slice_spacing_mm=2.0,
    )
    phantom = make_phantom(options)
    return phantom, measure_ct(Study(phantom.volume))


def test_a_bladder_with_a_fluid_level_is_named_contrast_and_says_how_to_measure_it():
    phantom, result = with_a_full_bladder()
    (bladder, *_) = phantom.truth.decoys
    assert not any(mass.sedimentation_sign for mass in result.masses)
    largest = result.other_calcifications[0]
    assert largest.kind == "contrast"
    assert largest.volume_ml == pytest.approx(bladder.volume_ml, rel=0.15)
    assert any("in an organ" in remark and "--seed" in remark for remark in result.remarks)
    assert result.other_places[0].mask.any()


def test_a_mass_beside_the_hip_is_measured_beside_a_full_bladder():
    phantom, result = with_a_full_bladder((MassOptions(40, "apart", "hip", "left"),))
    (mass,) = (m for m in result.masses if m.site and m.site.joint == "hip")
    assert mass.volume_ml == pytest.approx(phantom.truth.masses[0].volume_ml, rel=0.25)
    assert (result.labels == mass.id).sum() > 0
    assert result.labels.max() == len(result.masses)
