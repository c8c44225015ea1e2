"""What the network's outline takes in and the mass does not hold."""

import numpy as np

from calcinosis.measure.outline import without_tails


def boxes(*parts):
    region = np.zeros((40, 40, 70), bool)
    for part in parts:
        region[part] = True
    return region


MASS = np.s_[10:30, 10:30, 8:28]  # 30 mm wide
VESSEL = np.s_[18:22, 18:22, 28:48]  # 6 mm wide, runs on for 30 mm


def test_a_vessel_that_runs_on_from_a_mass_does_not_lengthen_it():
    left = without_tails(boxes(MASS, VESSEL))
    assert left[MASS].all()
    assert np.flatnonzero(left.any((0, 1))).max() < 28 + 2


def test_what_reaches_out_by_less_than_its_own_width_and_more_belongs_to_the_mass():
    short = boxes(MASS, np.s_[18:22, 18:22, 28:32])
    wide = boxes(MASS, np.s_[14:26, 14:26, 28:48])
    assert (without_tails(short) == short).all()
    assert (without_tails(wide) == wide).all()


def test_a_large_part_is_no_tail_though_it_is_thin():
    sheet = boxes(MASS, np.s_[18:22, 2:38, 28:66])
    assert (without_tails(sheet) == sheet).all()


def test_a_mass_that_is_narrow_throughout_stays_whole():
    plate = boxes(np.s_[18:22, 5:35, 5:60])
    assert (without_tails(plate) == plate).all()
