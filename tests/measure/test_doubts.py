"""What is as large as a mass and unclassified is named with the seed that settles it."""

import numpy as np

from calcinosis.measure.doubts import remarks_on_doubts, remarks_on_slices, unclassified_places
from calcinosis.measure.mass import OtherCalcification, Patch
from calcinosis.volume import Volume

AFFINE = np.diag([1.0, 1.0, 1.0, 1.0])[:, [2, 1, 0, 3]]


def named(kind, volume_ml, already=()):
    """The places named in a scan of 1 mm voxels with one piece, densest at z 10, y 20, x 30."""
    voxels = np.full((40, 40, 40), 40, np.int16)
    box = (slice(8, 13), slice(18, 23), slice(28, 33))
    voxels[box] = 300
    voxels[10, 20, 30] = 700
    other = OtherCalcification(kind, volume_ml, (30.0, 20.0, 10.0))
    patch = Patch(box, np.ones((5, 5, 5), bool))
    return list(unclassified_places(Volume(voxels, AFFINE), [(other, patch)], already))


def test_a_large_unclassified_density_is_named_at_its_densest_place():
    assert named("unclassified", 1.2) == [(30.0, 20.0, 10.0)]
    (remark,) = remarks_on_doubts(named("unclassified", 1.2))
    assert "--seed 30,20,10 measures it" in remark


def test_a_place_is_named_once_and_none_with_a_minus_before_nought():
    (remark,) = remarks_on_doubts([(-0.2, 8.0, 3.4), (0.3, 8.2, 3.1), (-7.6, 8.0, 3.0)])
    assert remark.startswith("2 densities")
    assert remark.endswith(": --seed 0,8,3; --seed -8,8,3.")
    (single,) = remarks_on_doubts([(1.0, 2.0, 3.0), (1.1, 2.0, 3.0)])
    assert single.startswith("A density")


def test_small_ones_and_those_whose_kind_is_known_are_not_named():
    assert named("unclassified", 0.4) == []
    assert named("vascular", 3.0) == []


def test_what_is_named_already_is_not_named_twice():
    assert named("unclassified", 1.2, already=[(31.0, 19.0, 11.0)]) == []
    assert named("unclassified", 1.2, already=[(5.0, 5.0, 5.0)]) == [(30.0, 20.0, 10.0)]


def test_slices_thicker_than_accuracy_is_known_for_are_told():
    assert remarks_on_slices((3.3000001, 0.8, 0.8)) == ()
    (told,) = remarks_on_slices((5.0, 0.8, 0.8))
    assert told.startswith("Voxels are 5.0 mm long: ")
    assert "measured up to 3.3 mm only" in told


def test_slices_with_gaps_between_them_are_remarked():
    (told,) = remarks_on_slices((3.0, 0.8, 0.8), 1.0)
    assert told.startswith("Slices 1.0 mm thick lie 3.0 mm apart: what is between them")
    assert remarks_on_slices((1.0, 0.8, 0.8), 0.6) == ()
    assert remarks_on_slices((0.7, 0.8, 0.8), 1.0) == ()


def test_slices_that_overlap_are_as_coarse_as_they_are_thick():
    (told,) = remarks_on_slices((1.0, 0.8, 0.8), 5.0)
    assert told.startswith("Slices 5.0 mm thick overlap: how far to trust volumes")
    assert len(remarks_on_slices((8.0, 0.8, 0.8), 1.0)) == 2
