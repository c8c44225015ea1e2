"""Which masses of two scans are the same, however the patient lay."""

import numpy as np
import pytest

from calcinosis.follow.matches import match_masses
from calcinosis.follow.overlooked import overlooked
from calcinosis.follow.registration import lay_over
from follow_scene import SITE, posed, scanned

MOVED = posed((6, -9, 12), (25, -14, 31))
BESIDE = (68.0, 5.0, 34.0)


def groups(earlier, later):
    return [(match.earlier, match.later) for match in match_masses(earlier, later)]


@pytest.mark.parametrize(
    ("turn_deg", "shift_mm"),
    [((0, 0, 0), (0, 0, 0)), ((6, -9, 12), (25, -14, 31)), ((-20, 5, 0), (-30, 10, 0))],
)
def test_bones_tell_where_a_mass_lies_in_the_other_scan(turn_deg, shift_mm):
    pose = posed(turn_deg, shift_mm)
    earlier, later = scanned((SITE, 14)), scanned((SITE, 14), pose=pose)
    points = earlier.points_of(1)
    laid = lay_over(earlier, later, points)
    assert np.abs(laid.pose(points) - pose(points)).max() < 2  # half a voxel
    assert laid.agreement > 0.8


def test_a_mass_that_grew_or_shrank_is_the_same_mass():
    small, large = scanned((SITE, 7)), scanned((SITE, 24), pose=MOVED)
    assert groups(small, large) == groups(large, small) == [((1,), (1,))]


def test_masses_that_merged_or_split_are_followed_together():
    two, one = scanned((SITE, 10), (BESIDE, 10)), scanned((SITE, 10), (BESIDE, 10), pose=MOVED)
    one.measurement.labels[one.measurement.labels == 2] = 1
    object.__setattr__(one.measurement, "masses", one.measurement.masses[:1])
    assert groups(two, one) == [((1, 2), (1,))]
    assert groups(one, two) == [((1,), (1, 2))]


def test_neighbours_are_not_taken_for_each_other():
    left, both = scanned((SITE, 9)), scanned((BESIDE, 9), (SITE, 9), pose=MOVED)
    assert groups(left, both) == [((), (1,)), ((1,), (2,))]


def test_what_the_other_picture_does_not_show_is_not_called_gone():
    earlier, later = scanned((SITE, 14)), scanned(z_mm=(-90, 14))
    (match,) = match_masses(earlier, later)
    assert match.later == ()
    assert 0.4 < match.shown < 0.8


def test_bones_of_another_patient_are_not_laid_over():
    (match,) = match_masses(scanned((SITE, 14)), scanned(patient=3))
    assert match.pose is None


def test_without_bones_nothing_is_placed():
    earlier, later = scanned((SITE, 14)), scanned(pose=MOVED)
    later.measurement.skeleton_bits[:] = 0
    assert match_masses(earlier, later)[0].pose is None


def test_a_mass_that_the_other_scan_holds_but_does_not_call_is_asked_for_there():
    earlier, later = scanned((SITE, 14)), scanned((SITE, 12), pose=MOVED, called=())
    before, (seed,) = overlooked(earlier, later, match_masses(earlier, later))
    assert before == ()
    assert np.linalg.norm(MOVED.inverse(np.array(seed)) - SITE) < 14


def test_a_mass_that_dissolved_is_not_asked_for():
    earlier, later = scanned((SITE, 14)), scanned((SITE, 6), pose=MOVED, called=())
    assert overlooked(earlier, later, match_masses(earlier, later)) == ((), ())


def test_a_density_in_doubt_at_the_place_of_a_mass_is_asked_for():
    earlier, later = scanned((SITE, 14)), scanned((SITE, 6), pose=MOVED, called=())
    x, y, z = np.round(MOVED(np.array(SITE))).astype(int)
    doubt = f"A density was not called; if it is a mass, --seed {x},{y},{z} measures it."
    object.__setattr__(later.measurement, "remarks", (doubt,))
    assert overlooked(earlier, later, match_masses(earlier, later)) == ((), ((x, y, z),))
