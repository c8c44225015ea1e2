"""What `ultrasound` leaves: a page and a record, and what they must not show."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from calcinosis.explain.ultrasound import read_sonographic_mass
from calcinosis.patient import Patient
from calcinosis.phantom.ultrasound_dicom import STRIP_ROWS
from calcinosis.read.case_file import Case
from calcinosis.read.patient_file import PatientFile
from calcinosis.write.files import RESULT_FILES
from calcinosis.write.ultrasound_page.files import write_ultrasound
from ultrasound_scene import PIXEL_MM, cyst, picture, point, sonogram

DIALYSED = PatientFile(Case(sites=["hip"]), Patient(ckd="dialysis_hd"))


@pytest.fixture(scope="module")
def drawn():
    return picture("shelled", 4, shell_loss_db=18.0, locules=3, frequency_mhz=10.0)


@pytest.fixture(scope="module")
def reading(drawn, tmp_path_factory):
    return read_sonographic_mass(sonogram(drawn, tmp_path_factory.mktemp("file")), DIALYSED)


@pytest.fixture(scope="module")
def written(reading, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    write_ultrasound(reading, folder)
    return folder


def record(folder):
    return json.loads((folder / "ultrasound.json").read_text(encoding="utf-8"))


def page(folder):
    return (folder / "ultrasound.html").read_text(encoding="utf-8")


def pictures(folder):
    """The grey pictures of the page, [row, column]."""
    found = re.findall(r"data:image/webp;base64,([A-Za-z0-9+/=]+)", page(folder))
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(one))).convert("L")) for one in found]


def test_the_record_holds_sizes_with_intervals_and_an_outline_in_the_picture(written, drawn):
    told = record(written)
    assert told["schema"] == "calcinosis-ultrasound/1"
    assert told["pixel_mm"] == pytest.approx([PIXEL_MM, PIXEL_MM])
    mass = told["mass"]
    assert (
        mass["max_diameter_ci95_mm"][0] < mass["max_diameter_mm"] < mass["max_diameter_ci95_mm"][1]
    )
    columns, rows = np.array(mass["outline_px"]).T
    middle = point(drawn)
    assert rows.min() < middle[0] < rows.max()
    assert columns.min() < middle[1] < columns.max()
    assert rows.min() - STRIP_ROWS == pytest.approx(np.nonzero(drawn.mass)[0].min(), abs=8)


def test_findings_are_measured_and_weighed_with_the_patient(written):
    told = record(written)
    codes = {one["code"]: one["state"] for one in told["findings"] if one["origin"] == "measured"}
    assert codes["calcified_shell_with_fluid"] == "present"
    assert told["mass"]["calcified_shell_with_fluid"]["state"] == "present"
    assert told["differential"][0]["diagnosis"] == "tc_uremic"
    assert "Calcified shell around fluid" in page(written)


def test_the_page_says_whose_it_is_and_fetches_nothing(written):
    told = page(written)
    assert "Plantedname, Ulrike · ID PLANTED-4711 · Ultrasound of 2024-01-02" in told
    assert "Mass with a calcified shell around fluid" in told
    assert "not a medical device" in told
    assert not re.search(r"https?://", re.sub(r"http://www.w3.org/\S+", "", told))
    assert {file.name for file in written.iterdir()} <= set(RESULT_FILES)
    assert len(pictures(written)) == 3


def test_deidentified_files_show_no_name_in_words_nor_in_the_picture(tmp_path):
    """A file without regions: the burned-in name lies in what is read."""
    shallow = picture("cyst", radius_mm=14.0)
    seen = sonogram(shallow, tmp_path, SequenceOfUltrasoundRegions=None)
    told = read_sonographic_mass(seen, DIALYSED)
    brightest = {}
    for name in ("plain", "deidentified"):
        folder = tmp_path / name
        folder.mkdir()
        write_ultrasound(told, folder, deidentify=name == "deidentified")
        shown = pictures(folder)
        black_above = shown[0].shape[0] * 0.06  # the strip's part of the window
        brightest[name] = max(one[: int(black_above)].max() for one in shown)
    assert brightest["plain"] > 150
    assert brightest["deidentified"] < 20
    for file in (tmp_path / "deidentified").iterdir():
        text = file.read_text(encoding="utf-8")
        for word in ("Plantedname", "PLANTED-4711", "2024-01", "60 years"):
            assert word not in text, file.name


def test_a_mass_without_any_sign_of_calcium_gets_no_differential(tmp_path):
    reading = read_sonographic_mass(sonogram(cyst(), tmp_path))
    assert reading.explanation is None
    write_ultrasound(reading, tmp_path)
    assert "differential" not in record(tmp_path)
    assert record(tmp_path)["findings"]
    assert "Differential" not in page(tmp_path)
