"""What is told of an archive: the page, the tables of changes, the terminal."""

import sys
from html.parser import HTMLParser

import pytest

from calcinosis import cli
from calcinosis.cohort.charts import VOLUMES_ML, bars, histogram
from calcinosis.cohort.progress import in_words
from cohort_scene import measure, rows
from dicom_series import ct_series, save


class Page(HTMLParser):
    """Tags that are open, links, and whether everything was closed."""

    def __init__(self, text):
        super().__init__()
        self.links, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("href", "src")]
        if tag not in ("meta", "br", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag != "rect":
            assert self.open.pop() == tag


def page_of(output):
    text = (output / "cohort.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert "<script" not in text
    assert "http" not in text
    return text, page


def test_the_page_leads_to_each_report_and_fetches_nothing(archive, measurer, followed, tmp_path):
    measurer.followed = followed
    measure(archive, tmp_path / "out")
    text, page = page_of(tmp_path / "out")
    assert len([link for link in page.links if link.endswith("report.html")]) == 5
    assert all((tmp_path / "out" / link).is_file() for link in page.links if "follow" not in link)
    assert (
        "Two of three measured CT studies hold four calcified masses, 121\u00a0mL together." in text
    )
    assert "52.1 → 26.0\u00a0mL (−50\u00a0%" in text


def test_each_followed_mass_has_a_row(archive, measurer, followed, tmp_path):
    measurer.followed = followed
    measure(archive, tmp_path / "out")
    shrunk, gone = rows(tmp_path / "out", "changes.csv")
    assert (shrunk["days"], shrunk["joint"], shrunk["side"]) == ("366", "hip", "left")
    assert (shrunk["course"], gone["course"]) == ("shrunk", "gone")
    assert float(shrunk["volume_ratio"]) == pytest.approx(26 / 52.125, abs=1e-5)
    assert (shrunk["earlier_masses"], gone["earlier_masses"], gone["later_masses"]) == (
        "1",
        "2",
        "",
    )
    assert gone["volume_ratio"] == ""
    assert shrunk["report"] == "changes/0001-0002/follow.html"


def test_the_page_of_an_archive_without_any_ct_says_so(measurer, tmp_path):
    mr = ct_series(Modality="MR", SOPClassUID="1.2.840.10008.5.1.4.1.1.4")
    save(mr, tmp_path / "archive")
    measure(tmp_path / "archive", tmp_path / "out")
    text, _ = page_of(tmp_path / "out")
    assert "No CT study in this archive." in text
    assert measurer.asked == []


def test_names_that_would_be_markup_stay_text(measurer, tmp_path):
    save(ct_series(PatientID="<b>7</b>"), tmp_path / "archive")
    measurer.outcomes["<b>7</b>"] = ("refused", "<i>no</i>")
    measure(tmp_path / "archive", tmp_path / "out")
    text, _ = page_of(tmp_path / "out")
    assert "&lt;b&gt;7&lt;/b&gt;" in text
    assert "<i>" not in text


def test_bins_hold_every_value_once_and_end_where_values_end():
    values = [1.0, 2.0, 2.5, 60.0]
    told = histogram(values, VOLUMES_ML, "mL")
    assert told[:2] == [("below 2 mL", 1), ("2–5 mL", 2)]
    assert told[-1] == ("50–100 mL", 1)
    assert sum(count for _, count in told) == len(values)
    assert histogram([], VOLUMES_ML, "mL") == []
    assert histogram([900.0], VOLUMES_ML, "mL") == [("500 mL and more", 1)]


def test_a_chart_says_its_figures_to_who_cannot_see_it():
    chart = bars([("left <hip>", 3), ("knee", 0)], "Sites", of=6)
    assert 'aria-label="Sites: left &lt;hip&gt; 3, knee 0"' in chart
    assert "3 (50 %)" in chart


def test_time_left_is_told_in_words():
    assert [in_words(seconds) for seconds in (0, 40, 600, 9000)] == [
        "1 s",
        "40 s",
        "10 min",
        "2.5 h",
    ]


def command(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["calcinosis", "cohort", *map(str, words)])
    cli.main()


def test_progress_names_nobody_and_goes_to_standard_error(
    archive, measurer, tmp_path, capsys, monkeypatch
):
    measurer.outcomes["none"] = ("refused", "a slice is missing")
    command(monkeypatch, archive, "--output", tmp_path / "out")
    told = capsys.readouterr()
    assert told.err.splitlines() == [
        "calcinosis: measured: 0 of 3",
        "calcinosis: measured: 3 of 3",
        "calcinosis: followed: 0 of 1",
        "calcinosis: followed: 1 of 1",
    ]
    assert told.out.splitlines() == [
        "Two of two measured CT studies hold four calcified masses, 121\u00a0mL together.",
        "One study could not be measured; studies.csv says of each why.",
        f"Page: {tmp_path / 'out/cohort.html'}",
    ]


def test_interrupted_it_says_that_it_can_go_on(archive, measurer, tmp_path, capsys, monkeypatch):
    measurer.outcomes["none"] = ("stop", "")
    with pytest.raises(SystemExit) as ended:
        command(monkeypatch, archive, "--quiet", "--output", tmp_path / "out")
    assert ended.value.code == 130
    said = "calcinosis: interrupted; the same command goes on where it stopped\n"
    assert capsys.readouterr().err == said
