"""What `scintigraphy` leaves: a page and a record, complete or not at all."""

import json
from datetime import date

import pytest

from calcinosis.errors import InputError
from calcinosis.lab_result import LabResult
from calcinosis.patient import Patient
from calcinosis.read.case_file import Case
from calcinosis.read.patient_file import PatientFile
from calcinosis.read.scintigram import read_bone_scan
from calcinosis.write.files import RESULT_FILES
from calcinosis.write.scintigraphy_page.files import write_uptake
from scintigram_scene import MASS, mass_pixels, scintigram, write_nm

AT = MASS[::-1]  # column, row
DAY = date(2024, 1, 5)


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scan")
    return read_bone_scan(write_nm(folder / "scan.dcm", scintigram(3.0), scintigram(1.0, seed=1)))


def dialysed():
    values = (("calcium", 10.1, "mg/dL"), ("phosphate", 7.4, "mg/dL"), ("pth", 900, "pg/mL"))
    labs = tuple(LabResult.measured(name, value, unit, DAY) for name, value, unit in values)
    return PatientFile(Case(sites=["hip"]), Patient(ckd="dialysis_hd", labs=labs))


@pytest.fixture(scope="module")
def written(scan, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    write_uptake(scan, folder, view=1, at=AT, patient=dialysed())
    return folder


def record(folder):
    return json.loads((folder / "scintigraphy.json").read_text(encoding="utf-8"))


def page(folder):
    return (folder / "scintigraphy.html").read_text(encoding="utf-8")


def test_the_record_holds_ratios_with_intervals_and_an_outline_that_can_be_drawn(written):
    told = record(written)
    assert (told["schema"], told["uptake"], told["view"]) == (
        "calcinosis-scintigraphy/1",
        "present",
        "anterior",
    )
    (found,) = told["findings"]
    assert (found["code"], found["state"]) == ("tracer_uptake", "present")
    low, high = told["to_soft_tissue"]["ci95"]
    assert low < told["to_soft_tissue"]["value"] < high
    drawn = mass_pixels()
    pixels = [(row, first + n) for row, first, count in told["outline"] for n in range(count)]
    assert sum(drawn[place] for place in pixels) > 0.9 * drawn.sum()


def test_the_page_says_what_was_measured_of_whom_and_what_it_may_be(written):
    told = page(written)
    assert "Uptake: the place has 2." in told
    assert "Plantedname, Ulrike · ID PLANTED-4711 · bone scan of 2024-01-02" in told
    assert "Uptake on bone scan" in told
    assert "tumoral calcinosis" in told
    assert "http" not in told.replace("http-equiv", "")
    assert {file.name for file in written.iterdir()} <= set(RESULT_FILES)


def test_uptake_is_measured_and_so_said(written):
    explained = record(written)["explanation"]
    assert explained["differential"][0]["diagnosis"] == "tc_uremic"


def test_nothing_is_explained_where_nothing_else_is_known(scan, tmp_path):
    write_uptake(scan, tmp_path, view=2, at=AT)
    assert record(tmp_path)["explanation"] is None
    assert "No uptake: the place has 1." in page(tmp_path)
    assert "What it most likely is" not in page(tmp_path)


def test_deidentified_files_name_neither_patient_nor_day(scan, tmp_path):
    write_uptake(scan, tmp_path, view=1, at=AT, patient=dialysed(), deidentify=True)
    for file in tmp_path.iterdir():
        text = file.read_text(encoding="utf-8")
        for told in ("Plantedname", "PLANTED-4711", "2024-01", "60 years"):
            assert told not in text, file.name


def test_a_view_that_is_not_there_is_refused(scan, tmp_path):
    with pytest.raises(InputError, match="--view 3: the file has 2"):
        write_uptake(scan, tmp_path, view=3, at=AT)
