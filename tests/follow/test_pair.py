"""Whether two scans can be compared."""

from datetime import date

import numpy as np
import pytest

from calcinosis.errors import InputError
from calcinosis.follow.pair import days_between, remarks_on_pair
from calcinosis.volume import Study, Subject, Volume


def study(day=None, *, spacing_mm=1.0, patient_id="", sex=None, name="", hu=0, **others):
    affine = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
    subject = Subject(study_date=day, patient_id=patient_id, sex=sex, name=name)
    return Study(Volume(np.full((2, 2, 2), hu, np.int16), affine), subject=subject, **others)


def test_days_follow_from_the_headers():
    assert days_between(study(date(2024, 2, 28)), study(date(2024, 3, 1))) == 2
    assert days_between(study(date(2024, 2, 28)), study()) is None


def test_studies_in_the_wrong_order_are_refused():
    with pytest.raises(InputError, match="2 days after the second; give the earlier one first"):
        days_between(study(date(2024, 3, 1)), study(date(2024, 2, 28)))


def test_one_series_twice_is_refused():
    with pytest.raises(InputError, match="same series"):
        remarks_on_pair(study(series_instance_uid="1.2"), study(series_instance_uid="1.2"))


def test_one_picture_twice_is_refused_though_its_format_knows_no_series():
    with pytest.raises(InputError, match="same series"):
        remarks_on_pair(study(hu=40), study(hu=40))
    assert remarks_on_pair(study(hu=40), study(hu=41)) == ()


def test_days_given_against_the_headers_are_remarked_on():
    scans = study(date(2024, 2, 28)), study(date(2024, 3, 1), hu=1)
    (remark,) = remarks_on_pair(*scans, 9)
    assert "2 by their headers, 9 as given" in remark
    assert remarks_on_pair(*scans, 2) == remarks_on_pair(study(), study(hu=1), 9) == ()


def test_two_patients_are_remarked_on_without_naming_them():
    (remark,) = remarks_on_pair(
        study(patient_id="4711", sex="F"), study(patient_id="4712", sex="M", hu=1)
    )
    assert remark == (
        "The two studies give different patient IDs and sexes: is it the same patient?"
    )


def test_names_differ_where_they_share_no_word():
    here, there = study(name="MÜLLER^Anna", patient_id="1"), study(name="Berg^Eva", hu=1)
    assert remarks_on_pair(here, there) == (
        "The two studies give different names: is it the same patient?",
    )
    for name in ("", "müller^anna^^Dr.", "Schmidt^Anna"):
        assert remarks_on_pair(here, study(name=name, hu=1)) == ()


def test_scans_taken_otherwise_are_remarked_on():
    remarks = remarks_on_pair(
        study(tube_voltage_kv=120.0, contrast_agent=False),
        study(tube_voltage_kv=None, contrast_agent=True, spacing_mm=2.0),
    )
    assert [
        word
        for word in ("120 kV", "unknown voltage", "contrast agent", "2 × 2 × 2")
        if not any(word in remark for remark in remarks)
    ] == []


def test_scans_taken_alike_need_no_remark():
    later = study(tube_voltage_kv=120.0, hu=1)
    assert remarks_on_pair(study(tube_voltage_kv=120.0), later) == ()
