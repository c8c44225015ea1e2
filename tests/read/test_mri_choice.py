"""Which series of a study are looked at, and why the others are not."""

import pytest

from calcinosis.errors import InputError
from calcinosis.phantom.mri import PD_FS, T1, T1_AGENT, T1_FS_AGENT, T2, T2_FS, Scan
from calcinosis.read.mri import read_mri
from calcinosis.read.mri_choice import choose_series
from mri_scene import CENTRE, write_study

SMALL = Scan(slices=5, pixels=(24, 24), pixel_mm=5.0, spacing_mm=5.0, thickness_mm=4.0)


def chosen(folder, sequences, at=CENTRE, **tags):
    return choose_series(read_mri(write_study(folder, sequences, SMALL, **tags)), at)


def names(choice):
    return [one and one.name for one in (choice.t1, choice.t2, choice.enhanced)]


def test_one_of_each_is_taken_and_the_rest_told(tmp_path):
    choice = chosen(tmp_path, (T2, T1, PD_FS, T1_AGENT, T1_FS_AGENT))
    assert names(choice) == ["series 2", "series 1", "series 4"]
    assert [one.split(" (")[0] for one in choice.passed_over] == ["series 3", "series 5"]
    assert all(one.endswith("another was taken") for one in choice.passed_over)


def test_after_contrast_agent_is_no_plain_t1(tmp_path):
    assert names(chosen(tmp_path, (T1_AGENT, T2_FS))) == [None, "series 2", "series 1"]


def test_contrast_agent_alone_is_not_enough(tmp_path):
    with pytest.raises(InputError, match="no T1 before contrast agent and no T2 shows the point"):
        chosen(tmp_path, (T1_AGENT,))


def test_series_of_another_space_are_not_laid_over(tmp_path):
    write_study(tmp_path / "first", (T2, T1_AGENT), SMALL)
    choice = chosen(tmp_path / "second", (T1,))
    assert names(choice) == ["series 1", None, None]
    choice = choose_series(read_mri(tmp_path), CENTRE)
    assert (choice.t1, choice.t2.weighing.weighting) == (None, "T2")
    assert "another frame of reference" in choice.passed_over[0]


def test_a_point_outside_of_all_is_refused_with_where_they_lie(tmp_path):
    with pytest.raises(
        InputError, match=r"--at 0,0,900 lies in no MR series; series 1 reaches X .*, Z -10 to 10"
    ):
        chosen(tmp_path, (T1, T2), at=(0.0, 0.0, 900.0))
