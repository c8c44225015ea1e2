"""A run over an archive: what is measured, what is not measured again, and what others it harms."""

import os
import subprocess
import sys

import pytest

from calcinosis.cohort.changes import earlier_of
from calcinosis.cohort.known import read_known
from calcinosis.errors import InputError, NotReadableError, OutputError
from cohort_scene import measure, record, rows
from dicom_series import ct_series, save


@pytest.mark.usefixtures("measurer")
def test_every_study_has_a_row_and_those_measured_a_report(archive, tmp_path):
    measure(archive, tmp_path / "out")
    studies = rows(tmp_path / "out", "studies.csv")
    assert [(row["patient_id"], row["scan"], row["masses"]) for row in studies] == [
        ("TWICE", "1", "2"),
        ("TWICE", "2", "2"),
        ("none", "1", "0"),
    ]
    assert [row["days_since_first"] for row in studies] == ["0", "366", "0"]
    for row in studies:
        assert (tmp_path / "out" / row["report"]).is_file()
    masses = rows(tmp_path / "out", "masses.csv")
    assert [row["study"] for row in masses] == ["0001", "0001", "0002", "0002"]
    assert masses[0]["volume_ml"] == "52.125"
    assert masses[0]["sedimentation_sign"] == "yes"
    assert masses[1]["sedimentation_sign"] == "", "what cannot be judged is neither yes nor no"


def test_a_study_that_cannot_be_measured_costs_no_other(archive, measurer, tmp_path):
    measurer.outcomes["none"] = ("refused", "a slice is missing")
    told = measure(archive, tmp_path / "out")
    assert (told.counts.measured, told.counts.refused) == (2, 1)
    (bad,) = [row for row in rows(tmp_path / "out", "studies.csv") if row["state"] == "refused"]
    assert bad["reason"] == "a slice is missing"
    assert (bad["masses"], bad["report"]) == ("", "")


def test_what_was_done_is_not_measured_again(archive, measurer, tmp_path):
    measurer.outcomes["none"] = ("refused", "a slice is missing")
    measure(archive, tmp_path / "out")
    before = (tmp_path / "out/studies.csv").read_text()
    measurer.asked.clear()
    measure(archive, tmp_path / "out")
    assert measurer.asked == []
    assert (tmp_path / "out/studies.csv").read_text() == before


def test_what_crashed_is_tried_again(archive, measurer, tmp_path):
    measurer.outcomes["none"] = ("failed", "was killed by signal 9")
    measure(archive, tmp_path / "out")
    measurer.asked.clear()
    measurer.outcomes.clear()
    assert measure(archive, tmp_path / "out").counts.measured == 3
    assert measurer.names == ["none"]


def test_an_interrupted_run_goes_on_where_it_stopped(archive, measurer, tmp_path):
    measurer.outcomes["none"] = ("stop", "")
    with pytest.raises(KeyboardInterrupt):
        measure(archive, tmp_path / "out")
    assert record(tmp_path / "out")["counts"]["waiting"] == 1
    assert "still to be measured" in (tmp_path / "out/cohort.html").read_text()
    measurer.asked.clear()
    measurer.outcomes.clear()
    measure(archive, tmp_path / "out")
    assert measurer.names == ["none"]
    assert record(tmp_path / "out")["counts"]["waiting"] == 0


def test_a_scan_is_compared_with_the_last_one_that_has_a_mass_there(archive, measurer, tmp_path):
    """A scan of the chest between two of the hips does not part them."""
    save(ct_series(PatientID="TWICE", StudyDate="20230901"), archive / "chest")
    measurer.days_without_mass = {"2023-09-01"}
    measure(archive, tmp_path / "out")
    first, chest, last = "2023-03-01", "2023-09-01", "2024-03-01"
    assert measurer.pairs == [[first, chest], [first, last]]


def test_without_a_mass_at_the_same_joint_the_last_scan_with_any_is_taken():
    left, right = {("hip", "left")}, {("hip", "right")}
    sites = {"a": left, "b": right, "c": set()}
    scans = ["c", "b", "a"]
    assert earlier_of(scans, sites, left) == "a"
    assert earlier_of(scans, sites, {("knee", None)}) == "b"
    assert earlier_of(scans, sites, set()) == "b"
    assert earlier_of(["c"], sites, left) == "c"


def test_other_settings_or_another_program_measure_again(archive, measurer, tmp_path, monkeypatch):
    measure(archive, tmp_path / "out")
    measurer.asked.clear()
    measure(archive, tmp_path / "out", patient_position="hfp")
    assert len(measurer.asked) == 3
    measurer.asked.clear()
    monkeypatch.setattr("calcinosis.cohort.run.made_by", lambda _: "another version")
    measure(archive, tmp_path / "out", patient_position="HFP")
    assert len(measurer.asked) == 3


def test_only_what_changed_in_the_archive_is_measured(archive, measurer, tmp_path):
    measure(archive, tmp_path / "out")
    measurer.asked.clear()
    changed = next(archive.rglob("1-*.dcm"))
    os.utime(changed, ns=(0, 0))
    save(ct_series(PatientID="late"), archive / "late")
    measure(archive, tmp_path / "out")
    assert measurer.names == ["late", "none"]
    studies = rows(tmp_path / "out", "studies.csv")
    assert [row["patient_id"] for row in studies] == ["TWICE", "TWICE", "late", "none"]
    left = {folder.name for folder in (tmp_path / "out/studies").iterdir()}
    assert left == {row["study"] for row in studies}, "nothing stays of what is no longer there"


@pytest.mark.usefixtures("measurer")
def test_results_of_another_archive_are_not_replaced_unasked(archive, tmp_path):
    measure(archive, tmp_path / "out")
    other = save(ct_series(PatientID="other"), tmp_path / "other")
    with pytest.raises(OutputError, match="holds the results of another archive"):
        measure(other, tmp_path / "out")
    assert len(rows(tmp_path / "out", "studies.csv")) == 3
    measure(other, tmp_path / "out", force=True)
    assert [row["patient_id"] for row in rows(tmp_path / "out", "studies.csv")] == ["other"]


@pytest.mark.usefixtures("measurer")
def test_a_folder_with_other_files_is_refused_and_with_force_keeps_them(archive, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="is not empty"):
        measure(archive, tmp_path / "out")
    measure(archive, tmp_path / "out", force=True)
    assert (tmp_path / "out/notes.txt").read_text() == "mine"


@pytest.mark.usefixtures("measurer")
def test_named_and_unnamed_results_are_never_mixed(archive, tmp_path):
    measure(archive, tmp_path / "out")
    with pytest.raises(OutputError, match="was begun without --deidentify"):
        measure(archive, tmp_path / "out", deidentify=True)


def test_scans_of_one_patient_are_compared_in_order_of_time(archive, measurer, tmp_path):
    measure(archive, tmp_path / "out")
    assert measurer.pairs == [["2023-03-01", "2024-03-01"]], "the other patient has one scan"
    (change,) = rows(tmp_path / "out", "changes.csv")
    assert (change["earlier_study"], change["later_study"]) == ("0001", "0002")
    assert (change["state"], change["reason"]) == ("refused", "not the same patient")
    measure(archive, tmp_path / "out")
    assert len(measurer.pairs) == 1, "nor is this done again"


@pytest.mark.usefixtures("measurer")
def test_two_runs_do_not_work_on_one_folder(archive, tmp_path):
    measure(archive, tmp_path / "out")
    hold = "import fcntl,os,sys;fcntl.flock(os.open(sys.argv[1],0),2);print();input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path / "out/.cohort")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        other.stdout.readline()
        with pytest.raises(OutputError, match="another run works on it"):
            measure(archive, tmp_path / "out")
        other.communicate(b"\n")


@pytest.mark.usefixtures("measurer")
def test_an_archive_with_nothing_readable_leaves_nothing(tmp_path):
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive/readme.txt").write_text("no images here")
    with pytest.raises(NotReadableError, match="found 1 files, none of which is DICOM"):
        measure(tmp_path / "archive", tmp_path / "out")
    with pytest.raises(NotReadableError, match="there is no such folder or zip"):
        measure(tmp_path / "nowhere", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("measurer")
def test_deidentified_tables_name_nobody(archive, tmp_path):
    labs = tmp_path / "labs.csv"
    labs.write_text("patient,date,analyte,value,unit\nPLANTED-9,2024-03-02,pth,900,pg/mL\n")
    measure(archive, tmp_path / "out", deidentify=True, labs=labs)
    studies = rows(tmp_path / "out", "studies.csv")
    assert sorted(row["scan"] for row in studies) == ["1", "1", "2"]
    assert {row["patient_id"] for row in studies} == {""}
    for file in (path for path in (tmp_path / "out").rglob("*") if path.is_file()):
        text = file.read_text(encoding="utf-8")
        for told in ("PLANTED", "TWICE", "2024-", "2023-", str(archive)):
            assert told not in text, f"{told} in {file.name}"


def test_laboratory_results_go_to_their_patient_and_strangers_are_told(archive, measurer, tmp_path):
    labs, patients = tmp_path / "labs.csv", tmp_path / "patients.jsonl"
    labs.write_text(
        "Patient ID;date;analyte;value;unit\n"
        "TWICE;2024-03-02;phosphate;7,1;mg/dL\n"
        "stranger;2024-03-02;phosphate;6,1;mg/dL\n"
    )
    patients.write_text('{"id": "TWICE", "ckd": "dialysis_hd"}\n\n{"id": 12, "age_years": 50}\n')
    told = measure(archive, tmp_path / "out", labs=labs, patients=patients)
    known = dict(measurer.asked)
    assert known["none"] is None
    assert '"dialysis_hd"' in known["TWICE"]
    assert '"value":7.1' in known["TWICE"]
    assert "6.1" not in known["TWICE"]
    assert told.unmatched == 2
    assert record(tmp_path / "out")["unmatched_ids"] == ["12", "stranger"]
    assert "Two patients of the laboratory" in (tmp_path / "out/cohort.html").read_text()


def test_new_results_of_one_patient_renew_that_patient_alone(archive, measurer, tmp_path):
    labs = tmp_path / "labs.csv"
    measure(archive, tmp_path / "out")
    measurer.asked.clear()
    labs.write_text("id,date,analyte,value,unit\nnone,2024-03-02,pth,900,pg/mL\n")
    measure(archive, tmp_path / "out", labs=labs)
    assert measurer.names == ["none"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("date,analyte,value,unit\n2024-03-02,pth,9,pg/mL\n", "missing patient"),
        ("id,date,analyte,value,unit\n,2024-03-02,pth,9,pg/mL\n", "row 2: names no patient"),
        ("id,date,analyte,value,unit\na,2024-03-02,pth,x,pg/mL\n", "row 2: found value 'x'"),
        (
            (
                "id,date,analyte,value,unit\na,2024-03-02,pth,9,pg/mL\nb,2024-03-02,pth,8,pg/mL\n"
                "a,2024-03-02,pth,7,pg/mL\n"
            ),
            "row 2 and row 4 both give pth",
        ),
    ],
)
def test_a_laboratory_row_that_cannot_be_used_is_named(tmp_path, text, said):
    (tmp_path / "labs.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        read_known(tmp_path / "labs.csv", None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"age_years": 50}\n', "case 1 has no id"),
        ('{"id": "a"}\n{"id": "a"}\n', "case 2 has the id of an earlier one"),
    ],
)
def test_a_case_that_cannot_be_given_to_a_patient_is_refused(tmp_path, text, said):
    (tmp_path / "patients.jsonl").write_text(text)
    with pytest.raises(InputError, match=said):
        read_known(None, tmp_path / "patients.jsonl")
