"""The worklist on SQLite and on a real PostgreSQL: every study is done once, none is lost."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from calcinosis.errors import InputError
from calcinosis.serve import queue
from calcinosis.serve.database import connect, prescriptions, seeds
from calcinosis.serve.intake import Received, take_in
from calcinosis.serve.lab_entry import with_form
from calcinosis.serve.queue import (
    ResultFile,
    claim,
    fail,
    finish,
    give_back,
    queue_quiet,
    still_ours,
)
from calcinosis.serve.worklist import UnknownStudyError, Worklist, open_worklist

LABS = "date,analyte,value,unit\n2026-01-03,phosphate,7.1,mg/dL\n"
ONE = Received("1.2.3", "1.2.3.1", "PLANTED^NAME", "PLANTED-ID", "20260103", image=True)


def send(worklist: Worklist, received: Received = ONE) -> tuple[str, bool]:
    file = worklist.store.incoming / "received"
    file.write_bytes(b"as sent")
    return take_in(worklist, file, received)


def queued(worklist: Worklist, received: Received = ONE) -> str:
    study, _ = send(worklist, received)
    queue_quiet(worklist, 0)
    return study


def test_a_study_goes_from_received_to_done(worklist):
    study, new = send(worklist)
    assert new
    assert worklist.study(study).state == "receiving"
    assert queue_quiet(worklist, 60) == [], "more may still come"
    assert queue_quiet(worklist, 0) == [study]
    held = claim(worklist)
    assert (held.study, held.work, held.attempt) == (study, "measure", 1)
    assert still_ours(worklist, held, 0.5)
    assert worklist.study(study).progress == 0.5
    assert worklist.results_folder(study) is None
    assert finish(worklist, held, [], ())
    assert worklist.study(study).state == "done"
    assert worklist.results_folder(study) == worklist.store.results(study, held.run)
    assert claim(worklist) is None


def test_an_instance_sent_again_changes_nothing(worklist):
    study = queued(worklist)
    finish(worklist, claim(worklist), [], ())
    assert send(worklist) == (study, False)
    entry = worklist.study(study)
    assert (entry.state, entry.instances) == ("done", 1)


def test_a_new_image_has_the_study_measured_again(worklist):
    study = queued(worklist)
    finish(worklist, claim(worklist), [], ())
    assert queued(worklist, replace(ONE, sop_instance_uid="1.2.3.2")) == study
    assert claim(worklist).work == "measure"


def test_our_own_results_coming_back_start_nothing(worklist):
    study = queued(worklist)
    finish(worklist, claim(worklist), [], ())
    send(worklist, replace(ONE, sop_instance_uid="1.2.3.9", image=False))
    assert worklist.study(study).state == "done"


def test_an_image_arriving_during_the_analysis_is_not_forgotten(worklist):
    study = queued(worklist)
    held = claim(worklist)
    send(worklist, replace(ONE, sop_instance_uid="1.2.3.2"))
    assert worklist.study(study).state == "analysing"
    finish(worklist, held, [], ())
    assert worklist.study(study).state == "receiving"
    assert queue_quiet(worklist, 0) == [study]
    assert claim(worklist).work == "measure"


def test_many_hands_take_each_study_once(worklist):
    studies = {
        queued(worklist, replace(ONE, study_instance_uid=f"1.2.{number}")) for number in range(20)
    }
    with ThreadPoolExecutor(8) as hands:
        claims = list(hands.map(lambda _: claim(worklist), range(30)))
    taken = [held.study for held in claims if held]
    assert sorted(taken) == sorted(studies)


def test_a_killed_holder_loses_the_study_and_its_result(worklist):
    study = queued(worklist)
    dead = claim(worklist, lease_s=-1)
    alive = claim(worklist)
    assert alive.study == study
    assert alive.work == "measure"
    assert not still_ours(worklist, dead, 0.9)
    assert not finish(worklist, dead, [], ())
    assert finish(worklist, alive, [], ())
    assert claim(worklist) is None


def test_a_study_that_kills_every_worker_fails_in_the_end(worklist):
    study = queued(worklist)
    for _ in range(queue.MOST_ATTEMPTS):
        assert claim(worklist, lease_s=-1).study == study
    assert claim(worklist) is None
    entry = worklist.study(study)
    assert entry.state == "failed"
    assert "killed 5 times" in entry.error


def test_a_failure_that_may_pass_is_tried_again_later(worklist, monkeypatch):
    study = queued(worklist)
    fail(worklist, claim(worklist), "the disk is full", again=True)
    entry = worklist.study(study)
    assert (entry.state, entry.error) == ("queued", "the disk is full")
    assert claim(worklist) is None, "not at once"
    now = queue.time()
    monkeypatch.setattr(queue, "time", lambda: now + 6)
    assert claim(worklist).attempt == 2
    assert [queue.back_off_s(attempts) for attempts in (1, 2, 3, 20)] == [5, 10, 20, 3600]


def test_a_failure_of_the_images_is_final_until_asked_for(worklist):
    study = queued(worklist)
    fail(worklist, claim(worklist), "no CT image found", again=False)
    assert worklist.study(study).state == "failed"
    assert claim(worklist) is None
    worklist.rerun(study)
    assert claim(worklist).work == "measure"


def test_labs_start_explanation_alone(worklist):
    study = queued(worklist)
    first = claim(worklist)
    finish(worklist, first, [], ())
    worklist.set_labs(study, LABS, "csv")
    held = claim(worklist)
    assert (held.work, held.last_run, held.labs) == ("explain", first.run, LABS)
    finish(worklist, held, [], ())
    worklist.set_labs(study, "", "csv")
    assert worklist.study(study).labs is None
    assert claim(worklist).labs is None


def test_labs_entered_during_the_analysis_come_next(worklist):
    study = queued(worklist)
    held = claim(worklist)
    worklist.set_labs(study, LABS, "csv")
    assert worklist.study(study).state == "analysing"
    finish(worklist, held, [], ())
    assert claim(worklist).work == "explain"


def dated(number, study_date, patient_id="PLANTED-ID"):
    own = {"study_instance_uid": f"1.2.{number}", "sop_instance_uid": f"1.2.{number}.1"}
    return replace(ONE, **own, study_date=study_date, patient_id=patient_id)


def test_a_scan_is_compared_with_earlier_ones_of_its_patient_the_latest_first(worklist):
    others = (dated(8, "20230101", "another"), dated(9, "20240101", ""), dated(7, ""))
    for one in (*others, dated(2, "20240202"), dated(1, "20230101"), dated(3, "20250303")):
        queued(worklist, one)
        held = claim(worklist)
        assert finish(worklist, held, [], ())
        if one == dated(1, "20230101"):
            assert held.earlier_scans == ()
            held = claim(worklist)
            assert held.work == "explain", "the scan of 2024, now that there is one to compare"
            assert [scan.study_date for scan in held.earlier_scans] == ["20230101"]
            finish(worklist, held, [], (), measured=False)
    assert [scan.study_date for scan in held.earlier_scans] == ["20240202", "20230101"]
    assert claim(worklist) is None


def test_a_deleted_scan_is_no_longer_compared_with(worklist):
    first, second = queued(worklist, dated(1, "20230101")), queued(worklist, dated(2, "20240202"))
    for _ in range(2):
        finish(worklist, claim(worklist), [], ())
    worklist.delete(first)
    held = claim(worklist)
    assert (held.study, held.work, held.earlier_scans) == (second, "explain", ())


def test_a_prescription_starts_explanation_alone_and_can_be_taken_away(worklist):
    study = queued(worklist)
    first = claim(worklist)
    finish(worklist, first, [], ())
    for text in ('{"dry_weight_kg": 62.0}', '{"dry_weight_kg": 63.0}'):
        worklist.set_prescription(study, text)
        held = claim(worklist)
        assert (held.work, held.prescription) == ("explain", text)
        assert worklist.studies()[0].prescription == text
        finish(worklist, held, [], ())
    worklist.set_prescription(study, "")
    assert worklist.study(study).prescription is None
    assert claim(worklist).prescription is None
    with pytest.raises(UnknownStudyError):
        worklist.set_prescription("nobody", "{}")


def test_seeds_are_asked_for_and_taken_back_one_by_one(worklist):
    study = queued(worklist)
    first = claim(worklist)
    finish(worklist, first, [], ())
    left, right = (118.5, -20.0, -340.0), (-110.0, -22.0, -341.0)
    worklist.ask_for_mass(study, left)
    assert worklist.results_folder(study) == worklist.store.results(study, first.run)
    held = claim(worklist)
    assert (held.last_run, held.seeds) == (first.run, "[[118.5, -20.0, -340.0]]")
    worklist.ask_for_mass(study, right)
    assert worklist.study(study).state == "analysing"
    finish(worklist, held, [], ())
    assert worklist.studies()[0].seeds_lps_mm == (left, right)
    finish(worklist, claim(worklist), [], ())
    worklist.ask_for_mass(study, right)
    worklist.take_back(study, (0.0, 0.0, 0.0))
    assert worklist.study(study).state == "done", "nothing has changed"
    worklist.take_back(study, left)
    assert claim(worklist).seeds == "[[-110.0, -22.0, -341.0]]"
    worklist.take_back(study, right)
    assert worklist.study(study).seeds_lps_mm == ()
    for change in (worklist.ask_for_mass, worklist.take_back):
        with pytest.raises(UnknownStudyError):
            change("nobody", left)


def test_seeds_asked_for_at_the_same_time_are_all_kept(worklist):
    study = queued(worklist)
    asked = [(float(number), 0.0, 0.0) for number in range(12)]
    with ThreadPoolExecutor(6) as hands:
        list(hands.map(lambda seed: worklist.ask_for_mass(study, seed), asked))
    assert sorted(worklist.study(study).seeds_lps_mm) == asked


def test_prescription_and_labs_may_not_contradict_each_other(worklist):
    study = queued(worklist)
    by_haemodialysis = '{"dialysis": {"modality": "hd", "hours": 3.5}}'
    contradiction = (
        "^Dialysis, Kind: found Haemodialysis in today's prescription, "
        "but Peritoneal dialysis under Kidneys; expected the same in both$"
    )
    peritoneal, haemodialysis = (
        with_form(None, None, {"kidneys": kidneys}) for kidneys in ("dialysis_pd", "dialysis_hd")
    )
    worklist.set_labs(study, peritoneal, "json")
    with pytest.raises(InputError, match=contradiction):
        worklist.set_prescription(study, by_haemodialysis)
    assert worklist.study(study).prescription is None
    worklist.set_labs(study, haemodialysis, "json")
    worklist.set_prescription(study, by_haemodialysis)
    with pytest.raises(InputError, match=contradiction):
        worklist.set_labs(study, peritoneal, "json")
    assert worklist.study(study).labs == haemodialysis


def test_a_worklist_of_before_prescriptions_and_seeds_goes_on(worklist):
    study = queued(worklist)
    for table in (prescriptions, seeds):
        table.drop(worklist.engine)
    url = worklist.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    opened = replace(worklist, engine=connect(url))
    assert opened.study(study).prescription is None
    assert opened.study(study).seeds_lps_mm == ()
    opened.engine.dispose()


def test_unusable_labs_are_refused_with_their_row(worklist):
    study = queued(worklist)
    with pytest.raises(InputError, match=r"^labs.csv row 2"):
        worklist.set_labs(study, "date,analyte,value,unit\n2026-01-03,phosphate,7.1,\n", "csv")
    with pytest.raises(InputError, match=r"^patient.json"):
        worklist.set_labs(study, "{", "json")
    assert worklist.study(study).labs is None


def test_a_deleted_study_is_gone_with_its_files(worklist):
    study = queued(worklist)
    held = claim(worklist)
    folder = worklist.store.study(study)
    assert list(folder.rglob("*.dcm"))
    worklist.delete(study)
    assert not folder.exists()
    assert not still_ours(worklist, held, 0.5)
    assert worklist.studies() == []
    for asked in (worklist.study, worklist.rerun, worklist.delete, worklist.results_folder):
        with pytest.raises(UnknownStudyError):
            asked(study)
    again, new = send(worklist)
    assert new
    assert again != study


def test_results_that_come_after_the_deletion_are_not_kept(worklist):
    study = queued(worklist)
    held = claim(worklist)
    worklist.delete(study)
    results = worklist.store.results(study, held.run)
    results.mkdir(parents=True)
    (results / "report.html").write_text("PLANTED^NAME")
    assert not finish(worklist, held, [], ())
    assert list((worklist.store.folder / "studies").iterdir()) == []


def test_a_study_laid_down_waits_for_the_images_that_were_arriving(worklist):
    study = queued(worklist)
    held = claim(worklist)
    send(worklist, replace(ONE, sop_instance_uid="1.2.3.2"))
    give_back(worklist, held)
    assert worklist.study(study).state == "receiving"
    assert claim(worklist) is None, "more may still come"
    assert queue_quiet(worklist, 0) == [study]
    assert claim(worklist).attempt == 1


@pytest.mark.parametrize("name", ["data", "a?b", "a#b", "a%20b"])
def test_the_database_lies_in_its_folder_for_nobody_else_to_read(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir(mode=0o755)
    made = open_worklist(folder)
    send(made)
    files = list(folder.glob("worklist.sqlite*"))
    assert {file.stat().st_mode & 0o077 for file in files} == {0}
    assert list(tmp_path.iterdir()) == [folder]
    made.engine.dispose()


def test_each_peer_gets_each_result_once(worklist):
    study = queued(worklist)
    files = [ResultFile("masses.seg.dcm", "2.25.1"), ResultFile("measurements.sr.dcm", "2.25.2")]
    finish(worklist, claim(worklist), files, ("pacs", "archive"))
    worklist.rerun(study)
    finish(worklist, claim(worklist), files, ("pacs", "archive"))
    sent = worklist.study(study).deliveries
    assert sorted((one.peer, one.file) for one in sent) == [
        (peer, file.name) for peer in ("archive", "pacs") for file in files
    ]


def test_a_part_of_the_worklist_is_that_part_of_the_whole(worklist):
    for number in range(4):
        uids = {"study_instance_uid": f"1.{number}", "sop_instance_uid": f"1.{number}.1"}
        queued(worklist, replace(ONE, **uids))
        files = [ResultFile("masses.seg.dcm", f"2.25.{number}")]
        finish(worklist, claim(worklist), files[: number % 2], ("pacs",))
    whole = worklist.studies()
    assert [len(entry.deliveries) for entry in whole] == [1, 0, 1, 0], "the latest first"
    assert worklist.count() == len(whole)
    assert [worklist.studies(first, 3) for first in (0, 3, 4)] == [whole[:3], whole[3:], []]


def test_names_in_the_store_tell_nothing(worklist):
    queued(worklist)
    names = " ".join(str(path) for path in worklist.store.folder.rglob("*"))
    assert "PLANTED" not in names
    assert "1.2.3" not in names
