"""What became of each mass, told by two scans as measured."""

from dataclasses import replace

import numpy as np
import pytest

from calcinosis.follow.follow_up import follow_up
from follow_scene import SITE, posed, scanned

MOVED = posed((6, -9, 12), (25, -14, 31))


def followed(earlier, later, again=None):
    """Follow two scans whose masses are known, as if measuring had found them."""
    found = {id(scan.study): scan.measurement for scan in (earlier, later)}

    def measure(study, seeds, _):
        return again.measurement if seeds else found[id(study)]

    return follow_up(earlier.study, later.study, days=100, measure=measure)


@pytest.mark.parametrize(
    ("before_mm", "after_mm", "course"),
    [(12, 20, "grown"), (20, 12, "shrunk"), (16, 16, "no sure change")],
)
def test_a_mass_grows_shrinks_or_neither(before_mm, after_mm, course):
    (mass,) = followed(scanned((SITE, before_mm)), scanned((SITE, after_mm), pose=MOVED)).masses
    assert mass.course == course
    assert mass.volume.ratio == pytest.approx((after_mm / before_mm) ** 3, rel=0.15)


def test_a_mass_is_new_or_gone_where_the_other_scan_shows_soft_tissue():
    both = followed(scanned((SITE, 14)), scanned(pose=MOVED))
    assert [mass.course for mass in both.masses] == ["gone"]
    both = followed(scanned(), scanned((SITE, 14), pose=MOVED))
    assert [mass.course for mass in both.masses] == ["new"]
    assert both.volume is None


def test_a_mass_that_is_partly_dense_still_is_not_called_gone():
    (mass,) = followed(scanned((SITE, 14)), scanned((SITE, 8), pose=MOVED, called=())).masses
    assert mass.course == "not comparable"
    assert "of where it is calcified reads above" in mass.remarks[0]


def test_a_mass_that_was_not_called_is_measured_and_the_reader_told():
    later = scanned((SITE, 14), pose=MOVED, called=())
    called = scanned((SITE, 14), pose=MOVED)
    place = tuple(MOVED(np.array(SITE)).tolist())
    again = replace(called, seeds_lps_mm=(place,))
    (mass,) = followed(scanned((SITE, 14)), later, again).masses
    assert mass.course == "no sure change"
    assert any("not called a mass by itself" in remark for remark in mass.remarks)


def test_only_what_both_scans_show_is_summed():
    cut = (60.0, 5.0, 80.0)
    both = followed(scanned((SITE, 14), (cut, 9)), scanned((SITE, 14), z_mm=(-90, 74)))
    courses = {mass.earlier[0].id: mass.course for mass in both.masses}
    assert courses == {1: "no sure change", 2: "not comparable"}
    assert both.volume.earlier == both.masses[0].earlier[0].volume_ml


def test_where_no_bones_fit_the_reader_is_asked_for_patient_and_position():
    turned_over = posed((0, 0, 180), (0, 0, 0))
    both = followed(scanned((SITE, 14)), scanned((SITE, 14), pose=turned_over))
    assert {mass.course for mass in both.masses} == {"not comparable"}
    assert "patient's position in both headers" in both.remarks[-1]
