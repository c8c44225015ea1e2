"""Signs told by several voices, and what they mean together."""

import pytest

from calcinosis.explain.management import load_rulebook
from calcinosis.explain.signs import Signs, complaints, sarcoma_signs
from calcinosis.finding import Finding


def told(code, state="present", origin="reported", value=None):
    return Finding(code, state, origin, "CT", value)


def holds(of, *findings):
    return {name: fact.holds for name, fact in of(Signs(findings))}


def judged(signs):
    return sarcoma_signs(signs, load_rulebook().thresholds)


@pytest.mark.parametrize("order", [1, -1])
def test_one_voice_that_calls_a_sign_present_is_enough(order):
    voices = [told("fever", "absent"), told("fever")][::order]
    assert holds(complaints, *voices)["fever"] is True


def test_a_complaint_nobody_told_of_is_neither_there_nor_absent():
    assert set(holds(complaints).values()) == {None}


def test_compression_is_denied_only_where_nerve_and_vessel_are():
    nerve = told("nerve_compression", "absent")
    assert holds(complaints, nerve)["compression"] is None
    vessel = told("vascular_compression", "absent")
    assert holds(complaints, nerve, vessel)["compression"] is False


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ([told("nerve_compression"), told("site_spine_lumbar")], True),
        ([told("nerve_compression"), told("site_elbow")], False),
        ([told("nerve_compression")], None),
        ([told("site_spine")], None),
        ([told("nerve_compression", "absent")], False),
    ],
)
def test_the_cord_is_pressed_where_nerve_signs_meet_a_mass_at_the_spine(findings, expected):
    assert holds(complaints, *findings)["spinal_compression"] is expected


@pytest.mark.parametrize(("origin", "alarm"), [("reported", False), ("measured", True)])
def test_only_a_fluid_level_that_a_reader_saw_excuses_bone_destruction(origin, alarm):
    found = holds(judged, told("bone_erosion"), told("fluid_calcium_level", origin=origin))
    assert found["bone_destruction_without_fluid_level"] is alarm


def test_no_sign_of_sarcoma_is_said_only_once_each_was_looked_for():
    absent = ["bone_erosion", "enhancing_soft_tissue", "mri_enhancement", "cortical_continuity"]
    looked = [told(code, "absent") for code in absent]
    assert holds(judged, *looked)["sarcoma_sign"] is None
    slow = [told("max_diameter_cm", value=6.0), told("symptom_duration_months", value=24.0)]
    assert holds(judged, *looked, *slow)["sarcoma_sign"] is False
