"""The header tells left from right only where the picture of one limb does not."""

from dataclasses import replace

import pytest

from calcinosis.measure.ct import measure_ct
from calcinosis.measure.joint import Joint
from calcinosis.measure.stated_side import site_of
from calcinosis.phantom.masses import MassOptions
from calcinosis.phantom.patient import PhantomOptions, make_phantom
from calcinosis.volume import StatedSide, Study

HEADER = StatedSide("left", "Laterality")
ELBOW = Joint("elbow", None, (0.0, 0.0, 0.0))
NEAR = (20.0, 10.0, 0.0)


def test_of_one_limb_without_a_side_the_header_is_believed_and_named():
    site, (remark,) = site_of([ELBOW], NEAR, HEADER)
    assert (site.joint, site.side) == ("elbow", "left")
    assert "what the header of the images says (Laterality)" in remark


def test_without_a_header_nothing_is_guessed():
    site, remarks = site_of([ELBOW], NEAR, None)
    assert site.side is None
    assert remarks == ()


def test_where_the_skeleton_says_otherwise_it_is_believed():
    site, (remark,) = site_of([replace(ELBOW, side="right")], NEAR, HEADER)
    assert site.side == "right"
    assert remark == (
        "The header of the images (Laterality) says left, the skeleton right: the skeleton is "
        "believed."
    )


def test_where_both_agree_nothing_is_said():
    assert site_of([replace(ELBOW, side="left")], NEAR, HEADER)[1] == ()


@pytest.mark.parametrize(
    "others",
    [
        [Joint("wrist", "right", (0.0, 0.0, -240.0))],
        [Joint("lumbar spine", None, (200.0, 0.0, 0.0))],
        [Joint("elbow", None, (300.0, 0.0, 0.0))],
    ],
    ids=["other side", "trunk", "two limbs"],
)
def test_beside_more_than_one_limb_the_header_tells_nothing(others):
    site, _ = site_of([ELBOW, *others], NEAR, HEADER)
    assert (site.joint, site.side) == ("elbow", None)


def test_a_mass_far_aside_may_be_of_the_other_limb():
    site, remarks = site_of([ELBOW], (90.0, 0.0, 0.0), HEADER)
    assert site.side is None
    assert remarks == ()


def test_both_hips_keep_their_sides_whatever_the_header_says():
    hips = [Joint("hip", "left", (90.0, 0.0, 0.0)), Joint("hip", "right", (-90.0, 0.0, 0.0))]
    site, remarks = site_of(hips, (-80.0, 0.0, 0.0), HEADER)
    assert site.side == "right"
    assert remarks == ()


def test_a_mass_at_an_elbow_lies_on_the_side_that_its_header_states():
    options = PhantomOptions(
        seed=41,
        anatomy="arm",
        masses=(MassOptions(25.0),),
        decoys=(),
        matrix=160,
        slice_spacing_mm=1.5,
        z_range_mm=(-115.0, 95.0),
    )
    study = Study(make_phantom(options).volume, stated_side=HEADER)
    (mass,) = measure_ct(study).masses
    assert (mass.site.joint, mass.site.side) == ("elbow", "left")
    assert any("Laterality" in remark for remark in mass.remarks)
