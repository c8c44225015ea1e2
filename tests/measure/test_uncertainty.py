"""What the reader is told of how sure a measured mass is."""

from dataclasses import replace

import numpy as np
import pytest

from calcinosis.measure.envelope import Envelope
from calcinosis.measure.masses import FoundMass
from calcinosis.measure.uncertainty import ceiling, confidence_of, cut_off

SHAPE = (20, 30, 40)


def mass_in(box, score=0.9, *, seeded=False):
    inside = np.zeros([extent.stop - extent.start for extent in box], bool)
    inside[2:-2, 2:-2, 2:-2] = True
    share = inside.astype(np.float32)
    return FoundMass(box, Envelope(inside, share, share), score, seeded=seeded)


def test_a_mass_that_lies_whole_in_the_scan_is_not_said_to_be_cut():
    assert cut_off(mass_in((slice(0, 20), slice(0, 30), slice(0, 40))), SHAPE) == ()


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("end", ["first", "last"])
def test_a_mass_that_reaches_the_edge_of_the_scan_is_said_to_be_the_least(axis, end):
    box = [slice(5, 15), slice(5, 15), slice(5, 15)]
    size = SHAPE[axis]
    box[axis] = slice(-2, 8) if end == "first" else slice(size - 8, size + 2)
    (remark,) = cut_off(mass_in(tuple(box)), SHAPE)
    assert "the least" in remark


@pytest.mark.parametrize(("score", "seeded"), [(0.7, False), (0.7, True)])
def test_of_a_cut_along_a_given_skeleton_nothing_is_called_unsure_or_ours(score, seeded):
    mass = mass_in((slice(0, 20), slice(0, 30), slice(0, 40)), score, seeded=seeded)
    (own,) = confidence_of(mass, own_cut=True)[1]
    given = " ".join(confidence_of(mass, own_cut=False)[1])
    assert "from bone" in own
    assert "from bone" not in given
    assert ("seed point said so" in given) is seeded


def test_what_is_bone_without_its_seed_is_told_and_not_called_sure():
    box = (slice(0, 20), slice(0, 30), slice(0, 40))
    on_bone = replace(mass_in(box, seeded=True), bone_share=0.97)
    confidence, remarks = confidence_of(on_bone, own_cut=True)
    assert confidence == pytest.approx(0.03)
    assert "97 % of its calcification is taken for bone" in remarks[1]
    beside_bone = replace(on_bone, bone_share=0.37)
    assert confidence_of(beside_bone, own_cut=True)[0] == 1
    assert len(confidence_of(beside_bone, own_cut=True)[1]) == 1


def test_a_mass_denser_than_the_scan_can_hold_is_said_to_hold_more_calcium():
    hu = np.random.default_rng(1).normal(900, 200, 20_000).astype(np.float32)
    assert ceiling(hu, hu) == ()
    cut = np.minimum(hu, 1023)
    assert ceiling(cut, np.append(cut, 1500)) == (), "bone elsewhere is brighter"
    (remark,) = ceiling(cut, cut)
    assert remark.startswith("27 % of the voxels read 1023 HU")
