"""What `calcinosis mri` leaves: a page and figures, one line where it cannot."""

import json
from html.parser import HTMLParser

import pytest
from click.testing import CliRunner

from calcinosis.cli import commands
from calcinosis.errors import CalcinosisError
from calcinosis.phantom.mri import Scan
from mri_scene import CENTRE, SERIES, truth_ml, write_study

AT = ",".join(map(str, CENTRE))
SCAN = Scan(slices=18, pixels=(72, 72), pixel_mm=1.9, spacing_mm=4.4)
CASE = {"ckd": "dialysis_hd", "imaging": {"mri": {"t2_high": True}}}


def run(*arguments):
    return CliRunner().invoke(commands, list(map(str, arguments)), catch_exceptions=True)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mri")
    write_study(folder / "study", SERIES, SCAN)
    (folder / "patient.json").write_text(json.dumps(CASE))
    done = run(
        *("mri", folder / "study", "--at", AT, "--patient", folder / "patient.json"),
        *("--output", folder / "out"),
    )
    assert done.exit_code == 0, done.output
    return done, folder


def test_the_page_needs_nothing_else_and_says_what_mri_leaves_open(written):
    done, folder = written
    page = (folder / "out/mri.html").read_text()
    HTMLParser().feed(page)
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "MRI does not show calcium as such" in page
    assert "nothing in the study was searched for" in page
    assert "judged on computed MRI only" in page
    assert "not a medical device" in page
    assert "series 3 (spin echo, TR 4200 ms, TE 80 ms" in page
    assert "another was taken" in page
    assert done.output.startswith("Mass of")
    assert "Plantedname" not in done.output


def test_the_figures_and_what_they_rest_on(written):
    _, folder = written
    told = json.loads((folder / "out/mri.json").read_text())
    assert told["schema"] == "calcinosis-mri/1"
    low, high = told["mass"]["volume_ci95_ml"]
    assert low <= truth_ml() <= high
    assert told["mass"]["sedimentation_sign"] is None
    assert [told[role]["name"] for role in ("t1", "t2", "enhanced")] == [
        *("series 1", "series 2", "series 4")
    ]
    assert sum(told[role]["outlined_on"] for role in ("t1", "t2")) == 1
    origins = {(f["code"], f["origin"]) for f in told["findings"] if f["state"] == "present"}
    assert ("max_diameter_cm", "measured") in origins
    assert ("t2_high", "reported") in origins
    assert sum(each["probability"] for each in told["differential"]) == pytest.approx(1)


def test_without_identity_nobody_is_named(written):
    _, folder = written
    done = run(
        *("mri", folder / "study", "--at", AT, "--deidentify", "--output", folder / "nobody")
    )
    assert done.exit_code == 0
    for name in ("mri.html", "mri.json"):
        text = (folder / "nobody" / name).read_text()
        named = (folder / "out" / name).read_text()
        for secret in ("PLANTED-4711", "Plantedname", "2024-01-02"):
            assert secret not in text
        uid = json.loads((folder / "out/mri.json").read_text())["t1"]["series_instance_uid"]
        assert uid not in text
        assert (uid if name == "mri.json" else "PLANTED-4711") in named


def test_what_cannot_be_done_leaves_nothing(written, tmp_path):
    _, folder = written
    for at, status in (("0,0,900", 1), ("here", 2)):
        done = run("mri", folder / "study", "--at", at, "--output", tmp_path / "out")
        assert done.exit_code == status
        assert not (tmp_path / "out").exists()
    assert "expected X,Y,Z" in done.output


@pytest.mark.parametrize("command", ["analyze", "radiograph", "scintigraphy"])
def test_other_commands_send_mr_here(written, tmp_path, command):
    _, folder = written
    study = folder / "study/s1"
    given = (study,) if command == "analyze" else (study / "001.dcm", "--at", "5,5")
    done = run(command, *given, "--output", tmp_path / "out")
    assert isinstance(done.exception, CalcinosisError)
    assert "`calcinosis mri` reads" in str(done.exception)
