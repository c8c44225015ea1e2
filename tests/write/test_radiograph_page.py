"""What `calcinosis radiograph` leaves: a page and figures, one line where it cannot."""

import json
from html.parser import HTMLParser

import pytest
from click.testing import CliRunner

from calcinosis.cli import commands
from calcinosis.errors import CalcinosisError
from radiograph_scene import balls, density, write_dx

CASE = {"ckd": "dialysis_hd", "imaging": {"radiograph": {"fluid_level": True}}}


def run(*arguments):
    return CliRunner().invoke(commands, ["radiograph", *map(str, arguments)], catch_exceptions=True)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("film")
    image = write_dx(folder / "film.dcm", density(balls()), SeriesDescription="Hip AP erect")
    (folder / "patient.json").write_text(json.dumps(CASE))
    done = run(
        image, "--at", "120,120", "--patient", folder / "patient.json", "--output", folder / "out"
    )
    assert done.exit_code == 0, done.output
    return done, folder


def test_the_page_needs_nothing_else_and_says_what_one_film_leaves_open(written):
    done, folder = written
    page = (folder / "out/radiograph.html").read_text()
    HTMLParser().feed(page)
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "One projection tells no depth" in page
    assert "nothing on the film was searched for" in page
    assert "up to 20 % less" in page
    assert "Gravity runs down in the picture: the header says the patient was upright" in page
    assert "judged on computed radiographs only" in page
    assert done.output.startswith("Dense mass of")
    assert "Doe" not in done.output


def test_the_figures_and_what_they_rest_on(written):
    _, folder = written
    told = json.loads((folder / "out/radiograph.json").read_text())
    assert told["schema"] == "calcinosis-radiograph/1"
    assert told["mass"]["max_diameter_mm"] == pytest.approx(28, rel=0.2)
    assert told["mass"]["sedimentation_sign"] is None
    assert told["scale"]["magnification"] is None
    origins = {(f["code"], f["origin"]) for f in told["findings"] if f["state"] == "present"}
    assert ("max_diameter_cm", "measured") in origins
    assert ("fluid_calcium_level", "reported") in origins
    assert sum(each["probability"] for each in told["differential"]) == pytest.approx(1)
    assert told["differential"][0]["diagnosis"] == "tc_uremic"


def test_without_identity_neither_name_nor_margins_are_shown(written):
    _, folder = written
    done = run(
        folder / "film.dcm", "--at", "120,120", "--deidentify", "--output", folder / "nobody"
    )
    assert done.exit_code == 0
    page = (folder / "nobody/radiograph.html").read_text()
    named = (folder / "out/radiograph.html").read_text()
    assert "4711" in named
    assert "4711" not in page
    assert "The film as its header shows it" not in page
    assert "Radiograph of 2024-01-02" in named
    assert "2024-01-02" not in page


def test_what_cannot_be_done_leaves_nothing(written, tmp_path):
    _, folder = written
    done = run(folder / "film.dcm", "--at", "5,5", "--output", tmp_path / "out")
    assert isinstance(done.exception, CalcinosisError)
    assert not (tmp_path / "out").exists()
    done = run(folder / "film.dcm", "--at", "five,5", "--output", tmp_path / "out")
    assert done.exit_code == 2
    assert "expected COLUMN,ROW of a pixel" in done.output
