"""Whether two scans can be compared."""

from datetime import date

import numpy as np
import pytest

from calcinosis.errors import InputError
from calcinosis.follow.pair import days_between, remarks_on_pair
from calcinosis.volume import Study, Subject, Volume


def study(day=None, *, spacing_mm=1.0, patient_id="", sex=None, **others):
    affine = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
    subject = Subject(study_date=day, patient_id=patient_id, sex=sex)
    return Study(Volume(np.zeros((2, 2, 2), np.int16), affine), subject=subject, **others)


def test_days_follow_from_the_headers():
    assert days_between(study(date(2024, 2, 28)), study(date(2024, 3, 1))) == 2
    assert days_between(study(date(2024, 2, 28)), study()) is None


def test_studies_in_the_wrong_order_are_refused():
    with pytest.raises(InputError, match="2 days after the second; give the earlier one first"):
        days_between(study(date(2024, 3, 1)), study(date(2024, 2, 28)))


def test_one_series_twice_is_refused():
    with pytest.raises(InputError, match="same series"):
        remarks_on_pair(study(series_instance_uid="1.2"), study(series_instance_uid="1.2"))


def test_two_patients_are_remarked_on_without_naming_them():
    (remark,) = remarks_on_pair(
        study(patient_id="4711", sex="F"), study(patient_id="4712", sex="M")
    )
    assert remark == (
        "The two studies give different patient IDs and sexes: is it the same patient?"
    )


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
    assert remarks_on_pair(study(tube_voltage_kv=120.0), study(tube_voltage_kv=120.0)) == ()
