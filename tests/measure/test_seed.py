"""Seed points: how they are named to the reader, and which are refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calcinosis.errors import InputError
from calcinosis.measure.doubts import remarks_on_doubts
from calcinosis.measure.seed import check_inside, seed_voxels, seeds_named, settled_by_seed
from calcinosis.measure.working_grid import resample
from calcinosis.volume import Volume

THICK_SLICES = np.diag([0.8, 0.8, 3.0, 1.0])[:, [2, 1, 0, 3]]
MILLIMETRES = st.integers(-2000, 2000).map(float)


@given(st.lists(st.tuples(MILLIMETRES, MILLIMETRES, MILLIMETRES), unique=True))
def test_what_a_remark_names_can_be_read_from_it(places):
    found = [seed for remark in remarks_on_doubts(places) for seed in seeds_named(remark)]
    assert found == places


def test_a_remark_without_a_seed_names_none():
    assert seeds_named("The separation is unsure; one seed point settles it.") == ()


@pytest.mark.parametrize("spacing_mm", [(3.0, 0.7, 0.7), (0.5, 1.0, 1.0), (1.3, 2.1, 2.1)])
def test_every_voxel_of_a_scan_can_be_named_to_the_millimetre(spacing_mm):
    voxels = np.full((11, 12, 13), 900, np.int16)
    affine = np.diag([*spacing_mm, 1.0])[[2, 1, 0, 3]]
    volume = Volume(voxels, affine)
    grid = resample(voxels, spacing_mm)
    for corner in np.ndindex(2, 2, 2):
        seed = tuple(np.round(volume.to_lps(np.array(corner) * (10, 11, 12))))
        (place,) = seed_voxels(volume, grid, [seed])
        assert all(0 <= at < size for at, size in zip(place, grid.hu.shape, strict=True))


@pytest.mark.parametrize("seed", [(-2.0, 0.0, 0.0), (0.0, 12.0, 0.0), (0.0, 0.0, 1e300)])
def test_a_point_beside_the_scan_is_refused(seed):
    volume = Volume(np.zeros((11, 12, 13), np.int16), np.diag([1.0] * 4)[[2, 1, 0, 3]])
    with pytest.raises(InputError, match="lies outside the scan; expected LPS mm inside it"):
        check_inside(volume, seed)


def told(confidence, *, cut_from_bone):
    """What is said of a half calcified ball: chalk below, fluid above."""
    z, y, x = np.ogrid[:20, :60, :60]
    mask = ((z - 9) * 3.0) ** 2 + ((y - 30) * 0.8) ** 2 + ((x - 28) * 0.8) ** 2 < 20**2
    voxels = np.where(mask & (y > 30), 600, 20).astype(np.int16)
    volume = Volume(voxels, THICK_SLICES)
    return volume, settled_by_seed(volume, mask, 3, confidence, cut_from_bone=cut_from_bone)


@pytest.mark.parametrize(("confidence", "cut_from_bone"), [(0.95, True), (0.5, False), (0.5, True)])
def test_the_point_lies_in_the_chalk_of_the_mass(confidence, cut_from_bone):
    volume, (remark,) = told(confidence, cut_from_bone=cut_from_bone)
    (seed,) = seeds_named(remark)
    z, y, x = np.rint(volume.to_indices(seed)).astype(int)
    assert volume.voxels[z, y, x] == 600
    assert remark.startswith("Mass 3 touches bone") == cut_from_bone


def test_of_a_sure_mass_apart_from_bone_nothing_is_asked():
    assert told(0.95, cut_from_bone=False)[1] == ()
