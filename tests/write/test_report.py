"""The report read as a page: what a reader must find, and what must never be in it."""

import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest

from calcinosis.explain.explanation import explain
from calcinosis.lab_result import LabResult
from calcinosis.measure.calcium import calibration_by_phantom
from calcinosis.measure.doubts import remarks_on_doubts
from calcinosis.measure.mass import MIRROR, Site
from calcinosis.read.case_file import Case
from calcinosis.volume import Subject
from calcinosis.write.explanation.wording import headline, said, units
from calcinosis.write.measures import measures_of
from calcinosis.write.report import render_report
from calcinosis.write.report.drawing import fitting
from calcinosis.write.report.numbers import hydroxyapatite, length, number, quantity
from calcinosis.write.report.planes import Plane, level_view, place_view
from calcinosis.write.report.projection import projections
from calcinosis.write.report.wording import (
    identity,
    in_brief,
    measures,
    remark,
    site,
    summary,
)

VOID = {"meta", "link", "br", "img"}


class Page(HTMLParser):
    """Collects tags with their attributes, and complains of tags left open."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture(scope="module")
def html(analysis):
    return render_report(analysis)


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def words(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).replace("\u00a0", " ")


def test_the_first_line_says_what_was_found(html):
    heading = words(re.search(r"<h1>(.*?)</h1>", html, re.DOTALL)[1])
    assert heading.startswith("Two calcified masses,")
    assert "left hip: 3" in heading
    assert "mL [" in heading
    assert "sedimentation sign" in heading


@pytest.mark.parametrize(
    ("count", "told"),
    [(1, "with one fluid–calcium level ("), (2, "with two fluid–calcium levels (")],
)
def test_one_fluid_level_is_not_called_several(analysis, count, told):
    mass = next(m for m in analysis.measurement.masses if m.sedimentation_sign)
    mass = replace(mass, fluid_levels=(mass.fluid_levels[0],) * count)
    assert told in summary(replace(analysis.measurement, masses=(mass,)))


def test_a_mass_without_a_joint_is_told_by_its_nearest_bone_or_not_at_all(analysis):
    mass = replace(analysis.measurement.masses[0], site=None)
    alone = replace(analysis.measurement, masses=(mass,))
    assert summary(alone).startswith("One calcified mass, nearest bone: left femur; ")
    assert dict(measures(mass))["Nearest joint"] == "none recognised within reach"
    assert site(mass) == "nearest bone: left femur"
    mass = replace(mass, bone=replace(mass.bone, nearest=None))
    assert site(mass) == "site not recognised"
    assert "nearest" not in summary(replace(alone, masses=(mass,)))


def test_a_value_beyond_what_was_measured_is_told_as_a_bound():
    case = Case.model_validate({"ckd": "dialysis_hd", "sites": ["hip"]})
    labs = (
        LabResult.measured("pth", 2000, "pg/mL", "2024-01-05", ">"),
        LabResult.measured("phosphate", 6, "mg/dL", "2024-01-05"),
        LabResult.measured("calcium", 9.6, "mg/dL", "2024-01-05"),
    )
    explanation = explain(case, case.patient().with_labs(labs))
    reasons = " ".join(text for option in explanation.plan for text in option.because)
    assert "PTH >2000 pg/mL (>212 pmol/L)" in reasons
    evidence = [e for d in explanation.differential.diagnoses[:1] for e in d.evidence]
    told = [said(e, units(explanation)) for e in evidence]
    assert "Parathyroid hormone >2000 pg/mL" in told
    assert "Phosphate 6 mg/dL" in told


def test_a_man_is_told_as_one():
    case = Case.model_validate({"ckd": "dialysis_hd", "sites": ["hip"], "sex": "M"})
    explanation = explain(case, case.patient())
    evidence = explanation.differential.diagnoses[0].evidence
    told = [said(e, units(explanation)) for e in evidence if e.finding == "female"]
    assert told == ["Male"]


@pytest.mark.parametrize(
    ("joint", "side", "told"),
    [
        ("hip", "left", "left hip"),
        ("hip", None, "hip"),
        ("lumbar spine", "left", "left of the lumbar spine"),
        ("pubic symphysis", None, "pubic symphysis"),
    ],
)
def test_what_lies_beside_a_joint_of_the_midline_lies_left_or_right_of_it(joint, side, told):
    assert Site(joint, side, 20.0).in_words == told


def test_where_two_diagnoses_compete_both_are_named_with_abbreviations_as_written():
    ranked = [
        SimpleNamespace(label="Tophaceous gout", probability=0.44),
        SimpleNamespace(label="Uremic (CKD-related) tumoral calcinosis", probability=0.41),
    ]
    said = headline(SimpleNamespace(differential=SimpleNamespace(diagnoses=ranked)))
    assert said.startswith("Undecided. Tophaceous gout: 44")
    assert "; uremic (CKD-related) tumoral calcinosis: 41" in said


def test_nothing_is_fetched_and_nothing_runs(html):
    assert "<script" not in html
    assert not re.search(r"(src|href)=\"(?!data:image/|#)", html)
    assert "url(" not in html
    assert "@import" not in html


def test_every_picture_says_in_words_what_it_shows(page):
    pictures = [svg for svg in page.all("svg") if svg.get("class") == "picture"]
    assert len(pictures) == 4 + 2 * 3 + 1  # overview; three planes a mass; one level
    assert all(len(attributes["aria-label"]) > 30 for attributes in page.all("svg"))


def test_every_table_has_a_caption_and_headers_with_scope(html, page):
    tables = re.findall(r"<table.*?</table>", html, re.DOTALL)
    assert tables
    assert all("<caption>" in table for table in tables)
    assert all("scope" in attributes for attributes in page.all("th"))


def test_what_reading_had_to_assume_is_said_at_the_top(analysis):
    remark = "Contrast agent was given: urine may not be calcium."
    study = replace(analysis.study, remarks=(remark,))
    head = render_report(replace(analysis, study=study)).partition("</header>")[0]
    assert remark in head


def test_what_scrolls_is_reached_by_keyboard_and_named_for_what_it_holds(page):
    scrolling = [about for _, about in page.tags if about.get("class") == "scroll"]
    assert scrolling
    assert all(about["tabindex"] == "0" for about in scrolling)
    names = [about["aria-label"] for about in scrolling]
    assert len(set(names)) == len(names)


def test_what_unfolds_is_told_apart_without_seeing_where_it_stands(html):
    summaries = re.findall(r'<summary(?: aria-label="([^"]*)")?>([^<]*)', html)
    names = [label or shown for label, shown in summaries]
    assert len(names) > 3
    assert len(set(names)) == len(names)


def test_it_says_what_it_is_not(html):
    assert "For research and teaching; not a medical device" in html


def test_limits_and_method_are_told(html):
    assert "A remark on the whole scan." in html
    assert "Masses were drawn by the test." in html
    assert "the test&#39;s own calibration" in html


def test_a_mass_on_bone_or_in_doubt_comes_with_a_ready_command(html):
    commands = re.findall(r"calcinosis analyze INPUT (--seed [\d,-]+) --force", html)
    assert commands == ["--seed 20,1,-3", "--seed 20,2,-3"]
    assert "Too small to judge sedimentation." in html
    assert "<p>Mass 1 is in doubt. If the outline is wrong, point into" in html
    assert "is in doubt; if its outline" not in html, "told once, with the command"


def in_doubt(analysis, places):
    remarks = remarks_on_doubts(places)
    return replace(analysis, measurement=replace(analysis.measurement, remarks=remarks))


def test_what_may_be_a_mass_is_shown_with_its_command(analysis, html):
    assert 'id="doubts"' not in html
    told = render_report(in_doubt(analysis, [(20.0, 1.0, -3.0), (-5.0, 2.0, 1.0)]))
    shown = told[told.index('id="doubts"') :]
    assert "<p>2 densities that may be masses or bone were not called.</p>" in shown
    alts = [tag["aria-label"] for tag in Page(told).all("svg") if "ringed" in tag["aria-label"]]
    assert alts == [
        "Axial CT plane at x 20, y 1, z −3 mm, the place ringed.",
        "Axial CT plane at x −5, y 2, z 1 mm, the place ringed.",
    ]
    assert re.findall(r"<code>(--seed \S+)</code>", shown) == ["--seed 20,1,-3", "--seed -5,2,1"]
    assert "calcinosis analyze INPUT --seed 20,1,-3 --force" in shown


def test_of_many_places_that_may_be_masses_the_first_twelve_are_shown(analysis):
    told = render_report(in_doubt(analysis, [(float(x), 2.0, 1.0) for x in range(15)]))
    assert told.count("the place ringed.</title>") == 12
    assert "3 more stand in the remark at the top." in told


def test_it_says_when_bone_was_compared_with_the_other_side(analysis, html):
    assert "compared with the other side" not in html
    mass = analysis.measurement.masses[0]
    bone = replace(mass.bone, expected_surface=MIRROR)
    told = dict(measures(replace(mass, bone=bone)))["Bone"]
    assert "; eroded (" in told
    assert told.endswith("), compared with the other side")


def test_a_mass_far_from_the_nearest_joint_is_not_called_one_of_that_joint(analysis):
    first, *_ = analysis.measurement.masses
    near, far = "mass, left hip: ", "mass, 152 mm from the left hip: "
    for distance_mm, told in ((21.3, near), (152, far)):
        mass = replace(first, site=Site("hip", "left", distance_mm))
        measurement = replace(analysis.measurement, masses=(mass,))
        assert told in summary(measurement).replace("\u00a0", " ")


def test_of_several_masses_the_first_line_tells_the_largest(analysis):
    told = summary(analysis.measurement).replace("\u00a0", " ")
    assert told.startswith("Two calcified masses, ")
    assert " together. The largest, left hip: " in told


def test_a_bone_without_a_name_is_touched_all_the_same(analysis):
    mass = analysis.measurement.masses[0]
    bone = replace(mass.bone, nearest=None)
    assert dict(measures(replace(mass, bone=bone)))["Bone"].startswith("touches bone over ")
    across = replace(bone, contact_mm2=0.0, distance_mm=0.0, eroded=None)
    assert dict(measures(replace(mass, bone=across)))["Bone"].startswith("touches bone across")
    assert "Area of contact with bone" not in [
        one.meaning for one in measures_of(replace(mass, bone=across))
    ]
    tangent = replace(across, eroded=False)
    assert dict(measures(replace(mass, bone=tangent)))["Bone"].startswith("touches bone at a point")
    apart = replace(bone, contact_mm2=0.0, distance_mm=3.0)
    assert dict(measures(replace(mass, bone=apart)))["Bone"].startswith("nearest bone, 3.0")
    whole = replace(apart, eroded=False)
    assert dict(measures(replace(mass, bone=whole)))["Bone"].endswith("; no contact")


def test_no_mass_is_said_plainly_and_still_makes_a_page(fabricated):
    html = render_report(fabricated(masses=0))
    Page(html)
    assert "<h1>No calcified soft-tissue mass of 1 mL or more.</h1>" in html
    assert "two vessel-wall calcifications (0.33" in html


def test_a_calibration_that_was_given_is_not_called_one_of_the_literature(analysis, html):
    assert "0.79 mg per mL and HU, the test&#39;s own calibration" in html
    assert "a calibration from the literature, not on a phantom" in html
    given = replace(analysis.measurement, calibration=calibration_by_phantom(0.7404, 0.05))
    page = render_report(replace(analysis, measurement=given))
    assert "0.74 mg per mL and HU, given by the user" in page
    assert "literature, not" not in page


def test_the_x_rays_and_how_sure_the_calibration_is_are_told(analysis):
    x_rays = {"tube_voltage_kv": 100.0, "tin_filter": True, "photon_energy_kev": 70.0}
    study = replace(analysis.study, **x_rays, slice_thickness_mm=1.5)
    page = render_report(replace(analysis, study=study))
    for told in ("100\u00a0kV, tin filter", "70.0\u00a0keV", "1.50\u00a0mm"):
        assert f"{told}</dd>" in page
    assert "calibration; standard deviation 20 %" in page


def test_the_same_analysis_gives_the_same_page(analysis, html):
    assert render_report(analysis) == html


def test_words_from_the_scan_cannot_become_markup(fabricated):
    from dataclasses import replace

    analysis = fabricated()
    study = replace(analysis.study, chosen_because="<script>alert(1)</script>")
    assert "<script" not in render_report(replace(analysis, study=study))


def test_the_page_stays_small(html):
    assert len(html.encode()) < 1_000_000


@pytest.mark.parametrize("position", ["HFS", "HFP", "HFDL", "FFDR"])
def test_a_level_view_shows_fluid_above_sediment_however_the_patient_lies(
    fabricated, position, monkeypatch
):
    analysis = fabricated(position=position)
    mass, volume = analysis.measurement.masses[0], analysis.study.volume
    seen = {}

    def remember(pixels, *_marks, **_words):
        seen["pixels"] = pixels

    monkeypatch.setattr("calcinosis.write.report.planes.figure", remember)
    level_view(volume, analysis.measurement.labels, mass, mass.fluid_levels[0], 1)
    middle = seen["pixels"].shape[0] // 2
    above, below = seen["pixels"][middle - 80, middle], seen["pixels"][middle + 80, middle]
    assert below > above + 100


FLIPPED = np.array([[0, 0, -1.5, 70.0], [0, -1.5, 0, 60.0], [-2.0, 0, 0, 40.0], [0, 0, 0, 1]])
SAGITTAL = np.array([[1.5, 0, 0, -60.0], [0, 0, 1.5, -60.0], [0, -1.5, 0, 60.0], [0, 0, 0, 1.0]])


@pytest.mark.parametrize("affine", [FLIPPED, SAGITTAL])
def test_planes_show_the_patient_the_same_way_however_voxels_lie(fabricated, affine):
    analysis = fabricated(affine)
    volume = analysis.study.volume
    centre = volume.to_lps((np.array(volume.shape) - 1) / 2)
    axial = Plane(tuple(centre), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), 100.0)
    grey = axial.sample(volume, volume.voxels, -1024.0)
    # The femur lies 20 mm to the patient's right: a fifth of the field left of the middle.
    assert grey[270, int(540 * 0.3) - 57 : int(540 * 0.3) + 57].max() > 1000
    assert grey[270, int(540 * 0.75)] < 700


@pytest.mark.parametrize("affine", [FLIPPED, SAGITTAL])
def test_a_place_that_may_be_a_mass_lies_in_the_middle_of_its_ring(fabricated, affine, monkeypatch):
    analysis = fabricated(affine)
    volume = analysis.study.volume
    voxels = np.full(volume.shape, 40, np.int16)
    z, y, x = (size // 3 for size in volume.shape)
    voxels[z - 1 : z + 2, y - 1 : y + 2, x - 1 : x + 2] = 900
    seen = {}

    def remember(pixels, *_marks, **_words):
        seen["pixels"] = pixels

    monkeypatch.setattr("calcinosis.write.report.planes.figure", remember)
    place = tuple(volume.to_lps(np.array([z, y, x], float)))
    place_view(replace(volume, voxels=voxels), analysis.measurement.labels, place)
    bright = np.argwhere(seen["pixels"] > 150)
    assert np.abs(bright.mean(0) - 269.5).max() < 4


@pytest.mark.parametrize(
    ("extent_mm", "size"),
    [((400, 300), (400, 300)), ((840, 200), (420, 100)), ((140, 1000), (110, 786)),
     ((100, 1000), (80, 800)), ((300, 600), (150, 300))],
)  # fmt: skip
def test_an_overview_of_a_long_limb_is_wide_enough_to_be_read(extent_mm, size):
    width, height = (fitting(*extent_mm) * extent for extent in extent_mm)
    assert (width, height) == pytest.approx(size, abs=0.5)


@pytest.mark.parametrize("affine", [FLIPPED, SAGITTAL])
def test_projections_put_the_patients_left_on_the_right(fabricated, affine):
    analysis = fabricated(affine, masses=1)
    coronal = projections(analysis.study.volume, analysis.measurement)[0]
    number_x = float(re.search(r'<text x="([\d.]+)"[^>]*class="number"', str(coronal.svg))[1])
    assert number_x > coronal.width / 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (number(123.4), "123"),
        (number(1.234), "1.23"),
        (number(0.004), "0.00"),
        (number(-5.02), "−5.02"),
        (number(-0.2, 0), "0"),
        (number(12345.6), "12\u202f346"),
        (quantity(123.4, "mL", (116.6, 130.4)), "123\u00a0mL [117–130]"),
        (hydroxyapatite(812.0), "812\u00a0mg"),
        (hydroxyapatite(19560.0, (15700.0, 24200.0)), "19.6\u00a0g [15.7–24.2]"),
        (hydroxyapatite(9920.0, (7710.0, 12670.0)), "9.9\u00a0g [7.7–12.7]"),
        (length(9.96), "10.0\u00a0mm"),
        (length(21.34), "21\u00a0mm"),
    ],
)
def test_numbers_read_the_same_everywhere(text, expected):
    assert text == expected


def test_a_forecast_stands_beside_the_options_it_answers(forecasted):
    html = render_report(forecasted)
    page = Page(html)
    said = words(html)
    assert "What treatment would do" in said
    assert "two published patients with like labs went opposite ways" in said
    assert re.search(
        r"Ca × P below 55 after a year: \d+\s%; half the mass gone within it: \d+\s%", said
    )
    assert all(len(attributes["aria-label"]) > 15 for attributes in page.all("svg")
               if "aria-hidden" not in attributes)  # fmt: skip
    assert html.count("<caption>") == html.count("<table>")
    assert "src=" not in re.sub(r'src="data:', "", html)


def test_a_dialysed_childs_report_says_why_there_is_no_forecast(forecasted):
    child = replace(forecasted.patient, age_years=9)
    html = words(render_report(replace(forecasted, patient=child, outlook=None)))
    assert "Not forecast: the model is an adult's" in html
    adult = replace(forecasted.patient, age_years=60)
    assert "Not forecast" not in words(render_report(replace(forecasted, patient=adult)))


def test_without_a_forecast_the_report_speaks_of_none(html):
    assert "What treatment would do" not in html
    assert "course-chart" not in html


def test_what_ct_weighs_is_called_calcium_hydroxyapatite_not_calcium(html, analysis):
    assert "<dt>Calcium hydroxyapatite</dt>" in html
    assert "] calcium hydroxyapatite, " in words(" ".join(in_brief(analysis.measurement)))


def test_a_printed_report_can_be_matched_to_patient_and_study(analysis):
    subject = Subject("Doe^Jane <Q>^=", "4711", "A-99", date(2025, 3, 1))
    named = render_report(replace(analysis, study=replace(analysis.study, subject=subject)))
    assert "Doe, Jane &lt;Q&gt; · ID 4711 · CT of 2025-03-01 · accession A-99" in named


def test_every_printed_page_tells_whose_it_is(analysis, html):
    subject = Subject('Doe^"</style>\\', "4711")
    named = render_report(replace(analysis, study=replace(analysis.study, subject=subject)))
    (told,) = re.findall(r'@bottom-left { content: "([^"]*)"', named)
    numbers = [int(number, 16) for number in told.replace("\\", "").split()]
    assert "".join(map(chr, numbers)) == 'Doe, "</style>\\ · ID 4711'
    assert named.count("</style>") == 1
    assert "@bottom-left" not in html
    assert 'counter(page) " / " counter(pages)' in html


def test_what_the_header_does_not_say_is_left_out_of_the_line(html):
    assert identity(Subject(patient_id="4711")) == "ID 4711"
    assert identity(Subject()) == ""
    assert " · ID " not in html


def test_no_line_break_parts_an_option_that_a_remark_names():
    told = remark(
        "A <density>; --seed -75,-36,30 measures it, a mask (--skeleton FILE) settles it."
    )
    assert '<span class="option">--seed -75,-36,30</span> measures' in told
    assert '(<span class="option">--skeleton FILE</span>)' in told
    assert "&lt;density&gt;" in told
