"""The fluid on a level belongs to the mass, though no calcified rim bounds it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from calcinosis.measure.envelope import Envelope
from calcinosis.measure.fluid_levels import find_fluid_levels
from calcinosis.measure.level_fluid import fluid_on_levels, with_fluid
from calcinosis.measure.masses import FoundMass
from calcinosis.volume import GRAVITY_LPS, Volume

MUSCLE_HU, SEDIMENT_HU = 55.0, 600.0


def cyst(
    *, radius_mm=18.0, filled=0.5, fluid_hu=15.0, position="HFS", spacing=(1.5, 0.9, 0.9), seed=0
):
    """A scan of a ball in muscle, sediment under fluid; where the ball, and its sediment, lie."""
    shape = [int(2.8 * radius_mm / step) + 8 for step in spacing]
    affine = np.zeros((4, 4))
    affine[[2, 1, 0], [0, 1, 2]] = spacing
    affine[3, 3] = 1
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    index = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), -1)
    place_mm = index @ affine[:3, :3].T + affine[:3, 3]
    ball = np.linalg.norm(place_mm, axis=-1) < radius_mm
    depth_mm = place_mm @ np.asarray(GRAVITY_LPS[position])
    sediment = ball & (depth_mm > radius_mm * (1 - 2 * filled))
    hu = np.where(sediment, SEDIMENT_HU, np.where(ball, fluid_hu, MUSCLE_HU))
    hu = ndimage.gaussian_filter(hu, [0.7 / step for step in spacing])
    noise = np.random.default_rng(seed).normal(0, 15, shape)
    return Volume(np.round(hu + noise).astype(np.int16), affine, position), ball, sediment


@pytest.mark.parametrize("position", ["HFS", "HFP", "HFDL"])
@pytest.mark.parametrize("spacing", [(1.0, 0.7, 0.7), (3.0, 0.9, 0.9)])
def test_a_mass_cut_at_its_level_is_given_its_fluid(position, spacing):
    volume, ball, sediment = cyst(position=position, spacing=spacing)
    levels = find_fluid_levels(volume, sediment).levels
    added = fluid_on_levels(volume, sediment, levels)
    fluid = ball & ~sediment
    assert np.count_nonzero(added & fluid) > 0.8 * np.count_nonzero(fluid)
    assert np.count_nonzero(added & ~ball) < 0.15 * np.count_nonzero(fluid)


@settings(max_examples=15, deadline=None)
@given(
    radius_mm=st.floats(10, 28),
    filled=st.floats(0.3, 0.7),
    fluid_hu=st.floats(0, 30),
    seed=st.integers(0, 99),
)
def test_the_volume_with_its_fluid_is_nearer_the_truth(radius_mm, filled, fluid_hu, seed):
    volume, ball, sediment = cyst(
        radius_mm=radius_mm, filled=filled, fluid_hu=fluid_hu, spacing=(2.0, 1.0, 1.0), seed=seed
    )
    levels = find_fluid_levels(volume, sediment).levels
    whole = sediment | fluid_on_levels(volume, sediment, levels)
    error = np.count_nonzero(whole) / np.count_nonzero(ball) - 1
    assert abs(error) < abs(np.count_nonzero(sediment) / np.count_nonzero(ball) - 1) / 2


def test_fluid_that_the_outline_holds_already_stays_as_it_is():
    volume, ball, _ = cyst()
    levels = find_fluid_levels(volume, ball).levels
    assert levels
    assert not fluid_on_levels(volume, ball, levels).any()


def test_without_a_level_nothing_is_added():
    volume, _, sediment = cyst(fluid_hu=MUSCLE_HU, filled=1.0)
    assert not fluid_on_levels(volume, sediment, ()).any()


def test_the_mass_that_comes_back_lies_where_it_lay():
    volume, ball, sediment = cyst()
    box = volume.grow(ndimage.find_objects(sediment.astype(np.uint8))[0], 9.0)
    occupancy = sediment[box].astype(np.float32)
    found = FoundMass(box, Envelope(sediment[box], occupancy, occupancy), 0.9, seeded=False)
    grown, reading = with_fluid(volume, found)
    assert len(reading.levels) == 1
    back = np.zeros_like(ball)
    back[grown.box] = grown.envelope.mask
    assert back[sediment].all()
    assert np.count_nonzero(back & ball) > 0.9 * np.count_nonzero(ball)
    assert grown.envelope.calcified.sum() == pytest.approx(found.envelope.calcified.sum())
