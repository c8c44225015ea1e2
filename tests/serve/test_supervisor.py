"""Studies analysed in worker processes, with limits, by the real pipeline."""

import errno
import json
import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy.exc import OperationalError

from calcinosis.errors import InputError, NotReadableError, OutputError
from calcinosis.own_process import without_quotation
from calcinosis.read.numbered import by_number
from calcinosis.read.study import read_study
from calcinosis.serve.delivery import Outbox
from calcinosis.serve.earlier_scans import EarlierScan, MeasuredScan, compare
from calcinosis.serve.intake import header_of, take_in
from calcinosis.serve.lab_entry import with_form
from calcinosis.serve.prescription_entry import prescription_of
from calcinosis.serve.queue import queue_quiet, still_ours
from calcinosis.serve.supervisor import Limits, Supervisor
from calcinosis.serve.worker import DISK_FULL, Job, _last_word, _work
from calcinosis.serve.worklist import Worklist, open_worklist
from dicom_series import ct_series, save
from running_node import small_study

PLANTED = {"PatientName": "PLANTED^NAME", "PatientID": "PLANTED-ID"}
LABS = "date,analyte,value,unit\n2026-01-03,phosphate,7.1,mg/dL\n2026-01-03,calcium,9.4,mg/dL\n"


def thigh():
    """Hounsfield units [z, y, x] of a thigh with a mass that has a fluid level."""
    z, y, x = np.indices((40, 90, 110))
    radius = np.hypot((y - 45) / 45, (x - 55) / 55)
    units = np.where(radius < 0.9, -100.0, -1000.0)
    units[radius < 0.8] = 50
    units[np.hypot(y - 45, x - 40) < 9] = 900
    mass = ((z - 20) / 9) ** 2 + ((y - 45) / 14) ** 2 + ((x - 75) / 14) ** 2 < 1
    units[mass] = np.where(y[mass] > 45, 500, 20)
    return (units + np.random.default_rng(0).normal(0, 8, units.shape)).astype(np.int16)


def send(worklist: Worklist, datasets, folder: Path) -> str:
    for file in sorted(save(datasets, folder).iterdir()):
        study, _ = take_in(worklist, file, header_of(file))
    queue_quiet(worklist, 0)
    return study


def results(worklist, study):
    folder = worklist.results_folder(study)
    return folder, json.loads((folder / "result.json").read_text())


@pytest.fixture
def worklist(tmp_path):
    made = open_worklist(tmp_path / "data")
    yield made
    made.engine.dispose()


def supervisor(worklist, **limits):
    return Supervisor(worklist, Limits(**{"quiet_s": 0.0} | limits), ("pacs",))


def test_a_worklist_away_for_a_moment_ends_no_analysis(worklist, tmp_path, monkeypatch):
    study = send(
        worklist, ct_series(np.full((8, 32, 32), 40), spacing_mm=(2, 2, 2)), tmp_path / "s"
    )
    away = []

    def ours(*given):
        if not away:
            away.append(True)
            raise OperationalError("UPDATE studies", {}, Exception("the disk is full"))
        return still_ours(*given)

    monkeypatch.setattr("calcinosis.serve.supervisor.still_ours", ours)
    assert supervisor(worklist).step(threading.Event())
    assert away
    assert worklist.study(study).state in ("done", "failed"), "its last word was heard"


def test_images_are_called_by_their_numbers_not_by_the_names_they_are_kept_under(
    worklist, tmp_path
):
    datasets = ct_series(np.full((8, 32, 32), 40), spacing_mm=(2, 2, 2))
    del datasets[4]
    study = send(worklist, datasets, tmp_path / "s")
    assert supervisor(worklist).step(threading.Event())
    assert worklist.study(study).error == (
        "a slice is missing between image 4 of series 2 (-94.00 mm) "
        "and image 6 of series 2 (-90.00 mm): found a gap of 4.00 mm, expected 2.00 mm"
    )
    kept = next(worklist.store.instances(study).iterdir())
    kept.write_bytes(b"no longer what it was")
    assert by_number(f"{kept.name}: damaged", kept.parent) == "an image: damaged"


def test_results_are_on_the_disk_before_they_count(tmp_path, monkeypatch):
    images = save(ct_series(thigh(), spacing_mm=(2.0, 1.5, 1.5)), tmp_path / "sent")
    synced, fsync = set(), os.fsync

    def noted(handle):
        synced.add(os.fstat(handle).st_ino)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    run = tmp_path / "run"
    job = Job(str(images), str(run), None, (), *[None] * 4, deidentify=False, memory_mb=4000)
    assert _work(job)
    left = [run, *run.rglob("*")]
    assert len(left) > 6
    assert {path.stat().st_ino for path in left} <= synced


@pytest.mark.parametrize(
    "thread",
    [lambda w: Supervisor(w, Limits()), lambda w: Outbox(w, {}, "CALCINOSIS")],
    ids=["supervisor", "outbox"],
)
def test_nothing_unforeseen_ends_a_thread(worklist, monkeypatch, thread):
    stop = threading.Event()

    def step(*_):
        stop.set()
        raise RuntimeError

    works = thread(worklist)
    monkeypatch.setattr(type(works), "step", step)
    works.run(stop)


def test_a_study_is_analysed_and_labs_renew_the_explanation_alone(worklist, tmp_path):
    study = send(worklist, ct_series(thigh(), spacing_mm=(2.0, 1.5, 1.5)), tmp_path / "sent")
    assert supervisor(worklist).step(threading.Event())
    entry = worklist.study(study)
    assert (entry.state, entry.error) == ("done", None)
    folder, before = results(worklist, study)
    assert before["masses"]
    assert (folder / "report.html").is_file()
    assert {one.file for one in entry.deliveries} == {"masses.seg.dcm", "measurements.sr.dcm"}
    worklist.set_labs(study, LABS, "csv")
    assert supervisor(worklist).step(threading.Event())
    assert not folder.exists(), "earlier results make room"
    folder, after = results(worklist, study)
    assert after["masses"] == before["masses"]
    assert after["timings_s"]["measure"] is None, "the CT is not measured again"
    assert before["patient"] is None
    assert after["patient"] is not None
    assert after["differential"] != before["differential"]
    assert (folder / "masses.seg.dcm").is_file()


def test_a_scan_is_compared_with_an_earlier_one_though_that_comes_after_it(worklist, tmp_path):
    dated = {"later": "20260110", "earlier": "20250112"}
    sent = {
        name: send(worklist, small_study(seed, StudyDate=day, **PLANTED), tmp_path / name)
        for seed, (name, day) in enumerate(dated.items())
    }
    works = supervisor(worklist)
    assert works.step(threading.Event())
    assert not (worklist.results_folder(sent["later"]) / "follow.json").exists()
    assert works.step(threading.Event())
    assert not (worklist.results_folder(sent["earlier"]) / "follow.json").exists()
    assert worklist.study(sent["later"]).state == "queued"
    assert works.step(threading.Event())
    folder, result = results(worklist, sent["later"])
    follow = json.loads((folder / "follow.json").read_text())
    assert result["timings_s"]["measure"] is None, "no CT is measured again"
    assert (follow["days"], [mass["course"] for mass in follow["masses"]]) == (
        363,
        ["no sure change"],
    )
    assert 'href="report.html"' in (folder / "follow.html").read_text()
    assert not works.step(threading.Event())


def test_a_prescription_renews_the_forecast_alone(worklist, tmp_path):
    study = send(worklist, ct_series(thigh(), spacing_mm=(2.0, 1.5, 1.5)), tmp_path / "sent")
    worklist.set_labs(study, with_form(LABS, "csv", {"kidneys": "dialysis_hd"}), "json")
    assert supervisor(worklist).step(threading.Event())
    _, usual = results(worklist, study)
    worklist.set_prescription(study, prescription_of({"dialysis.hours": "3.5"}))
    assert supervisor(worklist).step(threading.Event())
    _, given = results(worklist, study)
    assert given["masses"] == usual["masses"]
    assert given["timings_s"]["measure"] is None, "the CT is not measured again"
    assert given["forecast"]["options"] != usual["forecast"]["options"]
    said = " ".join(given["forecast"]["assumptions"])
    assert "today's prescription as given: haemodialysis, 3.5 hours a session" in said


def test_a_seed_has_the_study_measured_again_and_a_bad_one_leaves_its_results(worklist, tmp_path):
    study = send(worklist, ct_series(thigh(), spacing_mm=(2.0, 1.5, 1.5)), tmp_path / "sent")
    assert supervisor(worklist).step(threading.Event())
    folder, before = results(worklist, study)
    with pytest.raises(InputError, match="seed 900,0,0 lies outside the scan"):
        worklist.ask_for_mass(study, (900.0, 0.0, 0.0))
    fat = (-14.0 + 1.5 * 12, -12.0 + 1.5 * 45, -60.0)
    worklist.ask_for_mass(study, fat)
    assert supervisor(worklist).step(threading.Event())
    entry = worklist.study(study)
    assert entry.state == "failed"
    assert "seed 4,55.5,-60 has nothing above" in entry.error
    assert worklist.results_folder(study) == folder
    assert folder.is_dir()
    worklist.take_back(study, fat)
    assert supervisor(worklist).step(threading.Event())
    _, same = results(worklist, study)
    assert same["timings_s"]["measure"] is None, "the measurement still holds"
    worklist.ask_for_mass(study, tuple(before["masses"][0]["centroid_lps_mm"]))
    assert supervisor(worklist).step(threading.Event())
    _, asked = results(worklist, study)
    assert asked["timings_s"]["measure"] > 0
    said = " ".join(remark for mass in asked["masses"] for remark in mass["remarks"])
    assert "because a seed point said so" in said
    worklist.set_labs(study, LABS, "csv")
    assert supervisor(worklist).step(threading.Event())
    _, labs = results(worklist, study)
    assert labs["timings_s"]["measure"] is None, "seeds stay measured"
    assert labs["masses"] == asked["masses"]


def test_a_study_that_is_no_ct_fails_with_one_line(worklist, tmp_path):
    study = send(worklist, ct_series(**PLANTED)[:1], tmp_path / "sent")
    supervisor(worklist).step(threading.Event())
    entry = worklist.study(study)
    assert entry.state == "failed"
    assert "the series has 1 slice; expected at least 3" in entry.error
    assert not worklist.studies()[0].has_results
    assert [path.name for path in worklist.store.study(study).iterdir()] == ["instances"]


def test_a_study_is_given_up_at_its_time_limit(worklist, tmp_path):
    study = send(worklist, ct_series(), tmp_path / "sent")
    supervisor(worklist, time_s=0.2).step(threading.Event())
    assert worklist.study(study).state == "failed"
    assert "took longer than 0.2 s" in worklist.study(study).error


def test_a_study_is_given_up_at_its_memory_limit(worklist, tmp_path):
    huge = np.zeros((3, 6000, 6000), np.int16)
    study = send(worklist, ct_series(huge), tmp_path / "sent")
    supervisor(worklist, memory_mb=300).step(threading.Event())
    entry = worklist.study(study)
    assert entry.state == "failed"
    assert entry.error == "the study needs more than 300 MB of memory; --memory-limit raises that"


def test_memory_that_runs_out_in_a_library_is_told_as_such():
    job = Job("", "", None, (), None, None, None, None, deidentify=False, memory_mb=300)
    for error in (MemoryError(), RuntimeError("FusedConv node: std::bad_alloc")):
        assert _last_word(error, job)["error"].startswith("the study needs more than 300 MB")
    assert _last_word(ValueError("PLANTED"), job)["error"] == "a defect of ours (ValueError)"


def test_a_full_disk_is_seen_beneath_what_was_made_of_it():
    job = Job("", "", None, (), None, None, None, None, deidentify=False, memory_mb=300)
    error = OutputError("results cannot be written")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert _last_word(error, job) == {"error": DISK_FULL, "waits": True}


def workers():
    """Process ids of workers we started; threads and processes may end while we look."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):
            found += [int(one) for one in (task / "children").read_text().split()]
    return [one for one in found if b"serve.worker" in command_of(one)]


def command_of(process):
    """Its command line; nothing of one that has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{process}/cmdline").read_bytes()
    return b""


def run_until_worker(worklist):
    """A supervisor at work in a thread, and the process id of its worker."""
    stop = threading.Event()
    thread = threading.Thread(target=supervisor(worklist).step, args=[stop])
    thread.start()
    while not workers():
        time.sleep(0.02)
    return stop, thread, workers()[0]


def test_a_killed_worker_means_another_attempt(worklist, tmp_path):
    study = send(worklist, ct_series(), tmp_path / "sent")
    _, thread, worker = run_until_worker(worklist)
    os.kill(worker, signal.SIGKILL)
    thread.join()
    entry = worklist.study(study)
    assert (entry.state, entry.error) == ("queued", "the analysis was killed by signal 9")


def test_a_deleted_study_ends_its_worker_and_leaves_nothing(worklist, tmp_path):
    study = send(worklist, ct_series(), tmp_path / "sent")
    _, thread, _ = run_until_worker(worklist)
    worklist.delete(study)
    thread.join()
    assert not workers()
    assert not worklist.store.study(study).exists()


def test_a_server_told_to_stop_lays_the_study_down(worklist, tmp_path):
    study = send(worklist, ct_series(), tmp_path / "sent")
    stop, thread, _ = run_until_worker(worklist)
    stop.set()
    thread.join()
    assert not workers()
    assert worklist.study(study).state == "queued"


def test_what_a_library_quotes_from_a_file_stays_out_of_the_line():
    error = NotReadableError("1.dcm: the DICOM header cannot be read (VR DA: 'PLANTED (NAME)')")
    assert without_quotation(error) == "1.dcm: the DICOM header cannot be read"


def test_scans_of_two_people_under_one_patient_id_are_not_compared(tmp_path):
    scans = [
        save(small_study(PatientID="1", PatientName=name), tmp_path / name) for name in ("A", "B")
    ]
    earlier = EarlierScan("20250112", str(scans[0]), str(tmp_path), None)
    now = MeasuredScan(read_study(scans[1]), measurement=None, seeds_lps_mm=())
    follow, (remark,) = compare(now, [earlier], tmp_path, None)
    assert follow is None
    assert remark.startswith("Not compared with the CT of 2025-01-12: under one Patient ID")
    assert remark.endswith("yet with different names.")
