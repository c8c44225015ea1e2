"""A study in a process of its own: as `analyze` does it, and whatever happens to the process."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from calcinosis.analysis import analyze
from calcinosis.cohort import one_job, worker
from calcinosis.cohort.one_job import do_one
from calcinosis.cohort.survey import survey
from calcinosis.errors import InputError, OutputError
from calcinosis.read.study import read_study
from calcinosis.write.results import write_results
from dicom_series import ct_series, save


def thigh():
    """Hounsfield units [z, y, x] of a thigh with a mass that has a fluid level."""
    z, y, x = np.indices((30, 70, 80))
    units = np.where(np.hypot((y - 35) / 35, (x - 40) / 40) < 0.9, 50.0, -1000.0)
    units[np.hypot(y - 35, x - 26) < 7] = 900
    mass = ((z - 15) / 7) ** 2 + ((y - 35) / 10) ** 2 + ((x - 55) / 10) ** 2 < 1
    units[mass] = np.where(y[mass] > 35, 500, 20)
    return (units + np.random.default_rng(0).normal(0, 8, units.shape)).astype(np.int16)


def only_study(archive):
    (study,) = survey(archive, besides=archive / "out", progress=lambda *_: None).studies
    return study


def measured(archive, tmp_path, **options):
    how = {"known": None, "patient_position": None, "deidentify": False} | options
    return do_one(
        [only_study(archive)],
        tmp_path / "out/studies/0001",
        kept=[tmp_path / "kept.npz"],
        temporary=tmp_path,
        **how,
    )


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out/studies/0001"


def test_a_study_is_analysed_exactly_as_the_command_analyze_does_it(tmp_path):
    images = ct_series(thigh(), spacing_mm=(2.0, 1.5, 1.5), PatientName="PLANTED^NAME")
    archive = save(images, tmp_path / "archive/PLANTED")
    (tmp_path / "made").mkdir()
    scan = one_job._images(only_study(tmp_path / "archive"))
    kept = (str(tmp_path / "kept.npz"),)
    job = worker.Job((scan,), kept, None, None, deidentify=True, output=str(tmp_path / "made"))
    for number in range(2):
        links = tmp_path / f"links{number}"
        links.mkdir()
        worker._work(worker.Job.of(json.loads(job.to_json())), links)
    result = json.loads((tmp_path / "made/result.json").read_text())
    assert result["timings_s"]["measure"] is None, "what was measured is not measured again"
    write_results(analyze(read_study(archive)), tmp_path / "alone", deidentify=True)
    made = {file.name: file.read_bytes() for file in (tmp_path / "made").iterdir()}
    alone = {file.name: file.read_bytes() for file in (tmp_path / "alone").iterdir()}
    assert made.keys() == alone.keys()
    results = [json.loads(found.pop("result.json")) for found in (made, alone)]
    for result in results:
        result["timings_s"] = None
    assert results[0] == results[1]
    assert len(results[0]["masses"]) == 1
    assert made == alone
    assert not any(b"PLANTED" in content for content in made.values())


def test_what_a_process_has_written_becomes_the_results_at_once(tmp_path, out, monkeypatch):
    save(ct_series(), tmp_path / "archive")
    code = (
        "import json; from pathlib import Path; job = json.loads(input());"
        "Path(job['output'], 'result.json').write_text('new');"
        """print('{"state": "measured", "reason": ""}')"""
    )
    out.mkdir(parents=True)
    (out / "result.json").write_text("old")
    monkeypatch.setattr(one_job, "start", process(code, with_job=True))
    assert measured(tmp_path / "archive", tmp_path) == ("measured", "")
    assert [(file.name, file.read_text()) for file in out.iterdir()] == [("result.json", "new")]


@pytest.mark.parametrize("deidentify", [False, True])
def test_what_cannot_be_measured_is_told_in_one_line_and_leaves_nothing(tmp_path, out, deidentify):
    images = ct_series()
    del images[3]
    save(images, tmp_path / "archive/ct", prefix="PLANTED")
    state, line = measured(tmp_path / "archive", tmp_path, deidentify=deidentify)
    assert state == "refused"
    first = "image 3 of series 2" if deidentify else "PLANTED003.dcm"
    assert line.startswith(f"a slice is missing between {first} (")
    assert ("PLANTED" in line) != deidentify
    assert not out.exists()


@pytest.mark.parametrize("deidentify", [False, True])
def test_a_study_in_a_zip_is_read_from_there_alone(tmp_path, deidentify):
    datasets = [*ct_series(), *ct_series(PatientID="another")]
    folder = save(datasets, tmp_path / "ct")
    (tmp_path / "archive").mkdir()
    shutil.make_archive(str(tmp_path / "archive/both"), "zip", folder)
    studies = survey(tmp_path / "archive", besides=tmp_path, progress=lambda *_: None).studies
    scans = tuple(map(one_job._images, studies))
    job = worker.Job(scans, (), None, "FFP", deidentify=deidentify, output="")
    read = [worker._read(job, at, tmp_path) for at in (0, 1)]
    assert [study.subject.patient_id for study in read] == ["4711", "another"]
    assert [study.volume.shape[0] for study in read] == [6, 6]
    assert {study.volume.patient_position for study in read} == {"FFP"}


def test_names_of_zip_and_volume_are_not_told_where_nobody_is_to_be_named(tmp_path):
    scan = worker.Images("grid", str(tmp_path), "a/PLANTED.zip", ("x/PLANTED.nii.gz",))
    job = worker.Job((scan,), (), None, None, deidentify=True, output="")
    for name in ("PLANTED.zip", "PLANTED.nii.gz", f"{tmp_path}/x/PLANTED.nii.gz"):
        said = worker._last_word(InputError(f"{name}: is no scan"), job, tmp_path / "links")
        assert said == {"state": "refused", "reason": "the file: is no scan"}


def process(code, *, with_job=False):
    def start(_module, job, _temporary):
        made = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if with_job:
            made.stdin.write(job + "\n")
            made.stdin.flush()
        return made

    return start


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os.kill(os.getpid(), 9)", "the analysis was killed by signal 9"),
        ("import sys; sys.exit(3)", "the analysis ended with status 3"),
        ("print('no JSON'); import time; time.sleep(60)", "took longer than 0.1 s"),
    ],
)
def test_a_process_that_dies_or_hangs_is_one_failed_study(tmp_path, out, monkeypatch, code, said):
    save(ct_series(), tmp_path / "archive")
    monkeypatch.setattr(one_job, "start", process(code))
    monkeypatch.setattr(one_job, "TIME_LIMIT_S", 0.1 if "sleep" in code else 60.0)
    monkeypatch.setattr(one_job, "BEAT_S", 0.05)
    assert measured(tmp_path / "archive", tmp_path) == ("failed", said)
    assert not out.exists()


@pytest.mark.usefixtures("out")
def test_a_full_disk_stops_the_run_and_spoils_no_study(tmp_path, monkeypatch):
    save(ct_series(), tmp_path / "archive")
    full = """print('{"error": "the disk is full"}')"""
    monkeypatch.setattr(one_job, "start", process(full))
    with pytest.raises(OutputError, match="the disk is full"):
        measured(tmp_path / "archive", tmp_path)


def test_a_defect_of_ours_is_told_by_its_place_and_quotes_nothing(tmp_path):
    job = worker.Job((), (), None, None, deidentify=False, output="")
    assert worker._last_word(ValueError("PLANTED"), job, tmp_path) == {
        "state": "failed",
        "reason": "a defect of ours (ValueError)",
    }
    assert worker._last_word(MemoryError(), job, tmp_path)["state"] == "failed"
