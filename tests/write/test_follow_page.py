"""What `follow` leaves: a page, a record, and the results of both scans."""

import json
from dataclasses import replace
from datetime import date

import pytest

from calcinosis.analysis import CALCIUM_IN_HYDROXYAPATITE
from calcinosis.follow.change import calcium_change, volume_change
from calcinosis.follow.follow_up import FollowedMass, FollowUp
from calcinosis.follow.measured_before import measured_before
from calcinosis.follow.scan import Scan
from calcinosis.forecast.scenario import Scenario
from calcinosis.measure.bone_overlay import Pose
from calcinosis.volume import Subject
from calcinosis.write.files import RESULT_FILES
from calcinosis.write.follow_page.files import write_follow_up
from calcinosis.write.follow_page.page import render
from calcinosis.write.follow_page.pictures import pictures
from calcinosis.write.follow_page.record import follow_record, scenario_labs
from calcinosis.write.follow_page.wording import caption, identity, in_brief, summary
from follow_scene import posed

NAME, IDENTIFIER = "Plantedname^Ulrike", "PLANTED-4711"
POSE = posed((3, 0, -4), (5, -8, 20))


def scan(analysis, day, share):
    """The fabricated scan of one day, with masses of a share of their size."""
    subject = Subject(name=NAME, patient_id=IDENTIFIER, study_date=day)
    measurement = analysis.measurement
    masses = tuple(
        replace(
            mass,
            volume_ml=share * mass.volume_ml,
            volume_ci95_ml=tuple(share * bound for bound in mass.volume_ci95_ml),
            calcium_mass_mg=share * mass.calcium_mass_mg,
        )
        for mass in measurement.masses
    )
    return Scan(replace(analysis.study, subject=subject), replace(measurement, masses=masses))


@pytest.fixture(scope="module")
def followed(analysis):
    """Mass 1 halved in half a year, mass 2 of the earlier scan went, another came."""
    earlier = scan(analysis, date(2025, 1, 1), 1.0)
    later = scan(analysis, date(2025, 7, 2), 0.5)
    (one, gone), (same, new) = earlier.measurement.masses, later.measurement.masses
    both = (earlier.measurement.calibration, later.measurement.calibration)
    volume, calcium = volume_change([one], [same]), calcium_change([one], [same], both)
    nowhere = replace(new, id=2, site=None)
    masses = (
        FollowedMass((one,), (same,), "shrunk", volume, calcium, POSE, ("It lay <apart>.",)),
        FollowedMass((), (nowhere,), "new", None, None, POSE, ()),
        FollowedMass((gone,), (), "gone", None, None, None, ()),
    )
    return FollowUp(earlier, later, 182, masses, volume, calcium, ("Seen by the test.",))


def test_the_first_line_says_what_became_of_every_mass(followed):
    told = summary(followed)
    assert told.startswith(
        "Three calcified masses in 182 days: one has shrunk, one is new, one is gone. Together"
    )
    assert "−50\u00a0%" in told


def test_several_masses_of_one_course_are_counted_in_plain_words(followed):
    shrunk, new, gone = followed.masses
    told = summary(replace(followed, masses=(shrunk, new, new, gone)))
    assert "one has shrunk, two are new, one is gone." in told


def test_masses_of_one_course_are_told_at_once(followed):
    gone = followed.masses[2]
    alike = replace(followed, masses=(gone, gone), volume=None, calcium=None)
    assert summary(alike) == "Two calcified masses are gone within 182 days."
    hidden = replace(gone, course="not comparable")
    alike = replace(alike, masses=(hidden, hidden))
    assert summary(alike) == "Two calcified masses cannot be compared."


def test_no_sure_change_is_said_of_volume_alone_since_calcium_may_have_changed(followed):
    unsure = replace(followed.masses[0], course="no sure change")
    assert "shows no sure change of volume in 182 days" in summary(
        replace(followed, masses=(unsure,))
    )
    assert caption(unsure, 182).startswith("No sure change of volume")


def test_scans_of_one_day_are_not_told_as_zero_days_apart(followed):
    page = render(replace(followed, days=0))
    assert "masses on one day:" in page
    assert "two CT scans of one day" in page


def test_a_single_mass_is_told_in_one_sentence(followed):
    told = summary(replace(followed, masses=followed.masses[:1]))
    assert told.startswith("Mass 1 (left hip) has shrunk in 182 days: volume ")


def test_without_any_mass_the_first_line_says_so(followed):
    assert "in either scan" in summary(replace(followed, masses=(), volume=None, calcium=None))


def test_the_terminal_gives_no_name(followed):
    assert not any(NAME[:7] in line or IDENTIFIER in line for line in in_brief(followed))


def test_the_terminal_says_why_a_mass_cannot_be_compared(followed):
    hidden = replace(
        followed.masses[2], course="not comparable", remarks=("An edge hides it.", "More.")
    )
    alone = list(in_brief(replace(followed, masses=(hidden,), remarks=())))
    assert alone[1:] == ["An edge hides it."]
    among = list(in_brief(replace(followed, masses=(followed.masses[0], hidden), remarks=())))
    assert among[-1].endswith("mL in the earlier scan. An edge hides it.")


def test_the_page_shows_each_mass_in_both_scans(followed):
    page = render(followed)
    assert page.count("<svg") == 8  # two cuts in two scans for each mass that has a place in both
    assert "halves in 182 days at this pace" in page
    assert "It lay &lt;apart&gt;." in page
    assert 'Earlier, <span class="option">2025-01-01</span>' in page
    assert "http" not in page.replace("http-equiv", "")


def test_the_head_of_the_page_names_the_patient_once_and_both_days(followed):
    assert identity(followed) == (
        "Plantedname, Ulrike · ID PLANTED-4711 · CT of 2025-01-01 and 2025-07-02"
    )


def test_the_head_of_the_page_names_both_where_the_headers_name_two_patients(followed):
    other = replace(followed.earlier.study, subject=Subject(name="Other^Eva"))
    told = identity(replace(followed, earlier=replace(followed.earlier, study=other)))
    assert told == "Other, Eva / Plantedname, Ulrike · ID PLANTED-4711 · CT of 2025-07-02"


def test_who_cannot_see_a_picture_is_told_whose_place_it_shows_and_whether_it_is_there(followed):
    page = render(followed)
    assert 'aria-label="Axial, later scan: Mass 1 outlined."' in page
    assert "the place of mass 2, no mass called there." in page


def test_a_black_picture_says_that_the_scan_ends_before_it(followed):
    far = replace(followed.masses[0], pose=posed((0, 0, 0), (0, 0, 900)))
    (axial, _) = pictures(followed, far)
    assert axial[0].caption == "Axial, earlier scan (it ends before this place)"
    assert axial[1].caption == "Axial, later scan"


def test_an_interval_is_announced_only_where_a_change_is_told(followed):
    told = [caption(mass, 182) for mass in followed.masses]
    assert "Change with its 95" in told[0]
    assert told[1:] == ["New.", "Gone."]


def test_days_that_contradict_the_dates_give_a_forecast_no_dated_rows(followed):
    assert scenario_labs(followed)
    assert scenario_labs(replace(followed, days=100)) == []


def test_the_record_can_be_read_back_and_carries_places_over(followed):
    record = json.loads(follow_record(followed).model_dump_json(by_alias=True))
    assert record["schema"] == "calcinosis-follow/1"
    shrunk, new, gone = record["masses"]
    assert (shrunk["earlier_ids"], shrunk["later_ids"]) == ([1], [1])
    assert shrunk["volume_ml"]["ratio"] == pytest.approx(0.5)
    assert shrunk["volume_ml"]["doubling_days"] == pytest.approx(-182)
    assert Pose(*_parted(shrunk["earlier_to_later_lps"])).turned_deg == pytest.approx(5, abs=0.01)
    assert (new["course"], gone["course"], gone["earlier_to_later_lps"]) == ("new", "gone", None)


def _parted(rows):
    import numpy as np

    matrix = np.array(rows)
    return matrix[:3, :3], matrix[:3, 3]


def test_the_calcium_of_both_days_goes_into_a_scenario_as_it_stands(followed):
    record = follow_record(followed).model_dump()
    patient = {"labs": record["scenario_labs"], "deposit_masses": record["scenario_deposit_masses"]}
    scenario = Scenario.model_validate({"patient": patient, "phases": [{"days": 30}]})
    grams = [lab.value for lab in scenario.patient.labs]
    first = followed.calcium.earlier * CALCIUM_IN_HYDROXYAPATITE / 1000
    assert grams == pytest.approx([first, first / 2], rel=0.005)


def test_the_folder_holds_page_record_and_both_results_and_nothing_else(followed, tmp_path):
    write_follow_up(followed, tmp_path)
    names = {file.name for file in tmp_path.iterdir()}
    assert names <= set(RESULT_FILES)
    expected = {"follow.html", "follow.json"} | {
        f"{when}.{name}"
        for when in ("earlier", "later")
        for name in ("report.html", "result.json", "masses.nii.gz")
    }
    assert names == expected


def test_deidentified_results_name_neither_patient_nor_day(followed, tmp_path):
    write_follow_up(followed, tmp_path, deidentify=True)
    for file in tmp_path.glob("*.[hj]*"):
        text = file.read_text(encoding="utf-8")
        for told in ("Plantedname", IDENTIFIER, "2025-01-01", "2025-07-02"):
            assert told not in text, file.name


def test_the_page_repeats_what_each_scans_own_report_remarks_on(followed):
    page = render(followed)
    for name in ("Earlier", "Later"):
        assert f"{name} scan, in its own report: A remark on the whole scan." in page


def test_the_forecast_learns_what_share_of_todays_calcium_there_was_and_when(followed):
    before = measured_before(followed)
    assert (before.days, before.today) == (182, date(2025, 7, 2))
    assert before.relative == pytest.approx(2.0)


def test_masses_that_came_whole_or_on_no_known_day_teach_the_forecast_nothing(followed):
    came = replace(followed.calcium, earlier=0.0)
    assert measured_before(replace(followed, calcium=came)) is None
    assert measured_before(replace(followed, days=None)) is None


def test_the_page_says_what_treatment_would_do_and_what_makes_it_less_sure(followed, forecasted):
    doubted = replace(forecasted.outlook, doubts=("Treatment may have <changed>.",))
    page = render(followed, replace(forecasted, outlook=doubted, remarks=("Old results.",)))
    assert 'href="later.report.html#forecast"' in page
    assert "Treatment may have &lt;changed&gt;." in page
    assert "Old results." in page
    assert "What treatment would do" not in render(followed, replace(forecasted, outlook=None))
