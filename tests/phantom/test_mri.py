"""MRI computed of a body: contrast as physics has it, slices where they are said to lie."""

from dataclasses import replace

import numpy as np
import pytest

from calcinosis.phantom.mri import STIR, T1, T2, T2_FS, Scan, acquire, signals
from calcinosis.phantom.mri_study import random_study
from calcinosis.phantom.mri_tissue import FAT_MS, FLUID_MS, MUSCLE_MS, MrBody
from mri_scene import CENTRE, affine, body, hounsfield


def pure(water, fat, t1_ms, t2_ms):
    one = np.ones((1, 1, 1), np.float32)
    return MrBody(
        water=water * one,
        r1=1000 / t1_ms * one,
        r2=1000 / t2_ms * one,
        fat=fat * one,
        uptake=0 * one,
        affine=np.eye(4),
        field_t=1.5,
    )


def signal(sequence, what):
    water, fat = signals(what, sequence)
    return float((water + fat)[0, 0, 0])


MUSCLE = pure(1.0, 0.0, *MUSCLE_MS[1.5])
FLUID = pure(1.0, 0.0, *FLUID_MS[1.5])
FAT = pure(0.0, 1.0, *FAT_MS[1.5])


def test_contrast_is_as_the_relaxation_times_make_it():
    assert signal(T1, FAT) > signal(T1, MUSCLE) > signal(T1, FLUID)
    assert signal(T2, FLUID) > signal(T2, FAT) > signal(T2, MUSCLE)
    assert signal(T2_FS, FAT) < 0.1 * signal(T2, FAT)
    expected = (1 - np.exp(-600 / 1130)) * np.exp(-12 / 35)
    assert signal(T1, MUSCLE) == pytest.approx(expected, rel=1e-4)


def test_inversion_nulls_fat_where_its_t1_says():
    nulled = replace(STIR, inversion_ms=FAT_MS[1.5][0] * np.log(2))
    assert signal(nulled, FAT) < 0.01 * signal(nulled, FLUID)


def test_a_gradient_echo_has_its_most_signal_at_the_ernst_angle():
    ernst_deg = np.degrees(np.arccos(np.exp(-100 / MUSCLE_MS[1.5][0])))
    flips = [ernst_deg + off for off in (-10, 0, 10)]
    low, most, high = (
        signal(replace(T1, repetition_ms=100, flip_deg=flip), MUSCLE) for flip in flips
    )
    assert low < most > high


def test_what_is_drawn_is_seen_where_it_lies():
    scan = Scan(slices=14, pixels=(64, 64), pixel_mm=2.0, signal_to_noise=200, bias=0.0)
    made = acquire(body(), T2, scan, np.random.default_rng(2))
    mass = hounsfield()[1]
    inside = np.argwhere(mass)[::7] @ affine()[:3, :3].T + affine()[:3, 3]
    index = np.rint([made.to_indices(place) for place in inside]).astype(int)
    at_mass = made.voxels[tuple(index.T)]
    muscle = made.voxels[tuple(np.rint(made.to_indices((-30.0, 0.0, 0.0))).astype(int))]
    assert np.median(at_mass) > 1.3 * muscle


def test_a_study_by_chance_shows_the_mass():
    study = random_study(body(), CENTRE, 10.0, np.random.default_rng(8))
    assert {"t1", "t2"} <= set(study.by_role)
    for role, (sequence, volume) in study.by_role.items():
        assert sequence.agent == (role == "enhanced")
        index = volume.to_indices(CENTRE)
        assert np.all(index >= 0)
        assert np.all(index < volume.shape)
