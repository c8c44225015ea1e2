"""What becomes of the network's scores: regions, the call, and what a seed point changes."""

import numpy as np
import pytest

from calcinosis.measure.masses import find_masses, possible_masses
from calcinosis.measure.tissue import TissueMap
from calcinosis.measure.working_grid import GRID_MM, WorkingGrid
from calcinosis.volume import Volume

SURE, FAINT = 250, 90


def scene(*parts, finer=1):
    """Soft tissue with boxes of calcification, each with the network's score; 1.5 mm voxels.

    The scan's own voxels are so many times finer.
    """
    hu = np.full((40, 40, 60), 40, np.int16)
    mass = np.zeros(hu.shape, np.uint8)
    for box, brightness, score in parts:
        hu[box], mass[box] = brightness, score
    voxels = hu.repeat(finer, 0).repeat(finer, 1).repeat(finer, 2)
    volume = Volume(voxels, np.diag([*[GRID_MM / finer] * 3, 1.0])[:, [2, 1, 0, 3]])
    tissue = TissueMap(mass, np.zeros_like(mass), np.ones(hu.shape, bool))
    return volume, WorkingGrid(hu, np.full(3, float(finer))), tissue


def cube(z, y, x, side):
    return (slice(z, z + side), slice(y, y + side), slice(x, x + side))


def test_where_the_network_sees_nothing_nothing_is_found_or_looked_at_again():
    volume, grid, tissue = scene()
    assert possible_masses(grid, tissue) == []
    found = find_masses(volume, grid, tissue)
    assert found.masses == found.unsure == ()


LEFT, RIGHT = cube(14, 14, 6, 12), cube(14, 14, 42, 12)
BRIDGE = (slice(18, 22), slice(18, 22), slice(18, 42))


def test_what_faint_voxels_alone_connect_is_two_masses():
    found = find_masses(*scene((BRIDGE, 300, FAINT), (LEFT, 600, SURE), (RIGHT, 600, SURE)))
    assert len(found.masses) == 2


def test_an_outline_that_crept_along_something_doubtful_is_drawn_back():
    crept = (slice(18, 22), slice(18, 22), slice(18, 40))
    island = (slice(18, 22), slice(18, 22), slice(40, 43))
    found = find_masses(*scene((LEFT, 600, SURE), (crept, 600, 150), (island, 600, SURE)))
    (mass,) = found.masses
    right_end = mass.box[2].start + np.flatnonzero(mass.envelope.mask.any((0, 1))).max()
    assert right_end < 18 + 8


def test_a_doubtful_density_is_no_mass_until_a_seed_says_so():
    # Two thirds sure: enough for a remark, not for a call.
    half = scene((LEFT, 600, 180), ((slice(14, 22), *LEFT[1:]), 600, SURE))
    unseeded = find_masses(*half)
    assert unseeded.masses == ()
    assert len(unseeded.unsure) == 1
    seeded = find_masses(*half, [(20, 20, 12)])
    assert [mass.seeded for mass in seeded.masses] == [True]
    assert seeded.unsure == ()


def test_a_small_doubtful_density_amid_faint_voxels_is_still_named():
    core = (slice(14, 19), slice(14, 19), slice(14, 20))
    wide = (slice(10, 23), slice(10, 23), slice(10, 24))
    volume, grid, tissue = scene((wide, 300, FAINT), (core, 600, 180))
    tissue.mass[core][np.indices((5, 5, 6)).sum(0) % 2 == 0] = SURE  # half of it, nowhere together
    tissue.mass[14, 14, 15] = SURE
    found = find_masses(volume, grid, tissue)
    assert found.masses == ()
    assert len(found.unsure) == 1


def test_more_is_asked_of_what_the_edge_of_the_scan_cuts():
    inside = ((LEFT, 600, SURE), (cube(14, 14, 6, 6), 600, 150))
    flat = (slice(0, 6), slice(4, 36), slice(4, 36))
    part = (slice(0, 2), slice(4, 22), slice(4, 36))
    cut = ((flat, 600, SURE), (part, 600, 150))
    assert len(find_masses(*scene(*inside)).masses) == 1
    assert find_masses(*scene(*cut)).masses == ()


def test_what_is_narrow_and_long_is_a_vessel_until_a_seed_says_otherwise():
    tube = ((slice(16, 22), slice(16, 22), slice(6, 56)), 600, SURE)
    assert find_masses(*scene(tube)).masses == ()
    assert len(find_masses(*scene(tube), [(19, 19, 30)]).masses) == 1


@pytest.mark.parametrize("order", [1, -1], ids=["as given", "turned round"])
def test_seeds_in_one_mass_make_one_mass(order):
    bar = (slice(14, 26), slice(14, 26), slice(6, 54))
    volume, grid, tissue = scene((bar, 400, 0))
    tissue.skeleton[14:26, 14:26, 30:54] = SURE  # what is cut off depends a little on the seed
    seeds = [(20, 20, 24), (20, 20, 12)][::order]
    assert len(find_masses(volume, grid, tissue, seeds).masses) == 1


def test_seeds_in_two_masses_make_two():
    two = scene((LEFT, 400, 0), (RIGHT, 400, 0))
    assert len(find_masses(*two, [(20, 20, 12), (20, 20, 48)]).masses) == 2


def test_a_piece_loose_in_a_half_open_rim_is_part_of_the_mass():
    rim, inside, piece = cube(4, 4, 14, 32), cube(7, 7, 17, 26), cube(16, 16, 26, 8)
    opening = (slice(4, 7), slice(18, 21), slice(28, 31))  # 4.5 mm, which the envelope closes
    parts = (rim, 600, SURE), (inside, 20, 0), (piece, 600, SURE), (opening, 20, 0)
    (mass,) = find_masses(*scene(*parts, finer=2)).masses
    assert mass.envelope.mask.sum() > 0.9 * (2 * 32) ** 3
