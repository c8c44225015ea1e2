"""The commands as a user meets them: what is printed where, what is written, how they end."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from signal import SIGINT
from time import monotonic, sleep
from types import ModuleType, SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from pydicom import dcmread

from calcinosis import arguments, cli
from calcinosis.phantom.dicom import write_series
from calcinosis.phantom.masses import MassOptions
from calcinosis.phantom.patient import PhantomOptions, make_phantom
from calcinosis.phantom.ultrasound_dicom import write_ultrasound
from follow_scene import posed
from scintigram_scene import MASS, scintigram, write_nm
from ultrasound_scene import picture, point

RESULTS = [
    "bundle.fhir.json",
    "masses.nii.gz",
    "masses.seg.dcm",
    "measurements.sr.dcm",
    "report.html",
    "result.json",
]


@pytest.fixture(scope="session")
def phantom():
    """A small scan of the left hip, with one mass away from bone."""
    whole = make_phantom(
        PhantomOptions(
            seed=3,
            masses=(MassOptions(60, "apart", "hip", "left", texture="sedimented"),),
            decoys=("vessel",),
            slice_spacing_mm=2.0,
            z_range_mm=(-60, 60),
        )
    )
    left = (slice(0, None), slice(70, 230), slice(128, 250))
    truth = replace(
        whole.truth, envelope=whole.truth.envelope[left], skeleton=whole.truth.skeleton[left]
    )
    return replace(whole, volume=whole.volume.crop(left), truth=truth)


@pytest.fixture(scope="session")
def series(phantom, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scan") / "dicom"
    write_series(phantom, folder)
    return folder


@pytest.fixture(scope="session")
def analysed(series, tmp_path_factory):
    output = tmp_path_factory.mktemp("analysed") / "out"
    run = subprocess.run(
        [sys.executable, "-m", "calcinosis", "analyze", series, "--output", output],
        capture_output=True,
        text=True,
        check=False,
    )
    return SimpleNamespace(run=run, output=output)


@pytest.fixture
def calcinosis(monkeypatch, capsys):
    """Run a command in this process; returns its exit status and what it printed."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["calcinosis", *map(str, arguments)])
        try:
            cli.main()
            status = 0
        except SystemExit as ended:
            status = ended.code or 0
        printed = capsys.readouterr()
        return SimpleNamespace(status=status, out=printed.out, err=printed.err)

    return run


def test_a_ct_goes_in_and_all_results_come_out(analysed):
    assert analysed.run.returncode == 0, analysed.run.stderr
    assert sorted(path.name for path in analysed.output.iterdir()) == RESULTS


def test_the_largest_mass_in_the_result_is_the_one_drawn(analysed, phantom):
    result = json.loads((analysed.output / "result.json").read_text())
    mass = result["masses"][0]
    index = tuple(np.round(phantom.volume.to_indices(mass["centroid_lps_mm"])).astype(int))
    assert phantom.truth.envelope[index] == 1
    assert mass["volume_ml"] == pytest.approx(phantom.truth.masses[0].volume_ml, rel=0.5)
    assert result["timings_s"]["read"] > 0
    assert result["timings_s"]["measure"] > 0


def test_the_label_map_lies_over_the_mass(analysed, phantom):
    image = nib.load(analysed.output / "masses.nii.gz")
    places = np.argwhere(np.asarray(image.dataobj) == 1)
    lps = (np.column_stack([places, np.ones(len(places))]) @ image.affine.T)[:, :3] * [-1, -1, 1]
    inside = np.round(phantom.volume.to_indices(lps)).astype(int)
    # The vessel beside the mass may be taken with it; a wrong affine gives next to nothing.
    truth = phantom.truth.envelope == 1
    dice = 2 * truth[tuple(inside.T)].sum() / (len(inside) + truth.sum())
    assert dice > 0.7


def test_three_lines_and_the_reports_path_are_printed_and_nothing_else(analysed):
    lines = analysed.run.stdout.splitlines()
    assert len(lines) == 4
    assert "calcified mass" in lines[0]
    assert lines[1].startswith("Mass 1: ")
    assert lines[3] == f"Report: {analysed.output / 'report.html'}"
    assert analysed.run.stderr == ""


def test_again_by_force_gives_the_same_bytes_and_quiet_says_nothing(
    analysed, series, tmp_path, calcinosis
):
    (tmp_path / "report.html").write_text("old")
    (tmp_path / "note.txt").write_text("mine")
    run = calcinosis("analyze", series, "--output", tmp_path, "--force", "--quiet")
    assert (run.status, run.out, run.err) == (0, "", "")
    for name in sorted({*RESULTS} - {"result.json"}):
        assert (tmp_path / name).read_bytes() == (analysed.output / name).read_bytes(), name
    texts = [(folder / "result.json").read_text() for folder in (tmp_path, analysed.output)]
    untimed = [text[: text.index('"timings_s"')] for text in texts]
    assert untimed[0] == untimed[1]
    assert (tmp_path / "note.txt").read_text() == "mine"


def test_deidentified_results_name_no_uid_of_the_scan(series, tmp_path, calcinosis):
    assert calcinosis("analyze", series, "--output", tmp_path, "--deidentify").status == 0
    header = dcmread(next(series.iterdir()), stop_before_pixels=True)
    named = [header.SeriesInstanceUID, header.StudyInstanceUID, header.PatientID]
    for name in RESULTS:
        content = (tmp_path / name).read_bytes()
        for text in named:
            assert text.encode() not in content, name
    mapped = json.loads((tmp_path / "result.json").read_text())["series"]["series_instance_uid"]
    reference = dcmread(tmp_path / "masses.seg.dcm").ReferencedSeriesSequence[0]
    assert reference.SeriesInstanceUID == mapped


def test_a_teachers_own_study_becomes_a_lesson_that_names_nobody(series, tmp_path, calcinosis):
    run = calcinosis("lesson", tmp_path, "--study", series, "--diagnosis", "tc_uremic")
    assert run.status == 0, run.err
    assert "head can be recognised" in run.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lesson.html", "lesson.zip"]
    page = (tmp_path / "lesson.html").read_text()
    header = dcmread(next(series.iterdir()), stop_before_pixels=True)
    for told in (header.PatientID, header.StudyDate, header.SeriesInstanceUID, str(series)):
        assert told not in page
    assert "Which diagnosis was it?" in page


@pytest.fixture(scope="session")
def later_series(phantom, tmp_path_factory):
    """The same mass half a year later: the patient lay turned and shifted."""
    affine = posed((4, -3, 6), (12, -20, 35)).matrix @ phantom.volume.affine
    moved = replace(phantom.volume, affine=affine)
    folder = tmp_path_factory.mktemp("later") / "dicom"
    options = replace(phantom.options, seed=4)  # another study: its UIDs follow from it
    for file in write_series(replace(phantom, volume=moved, options=options), folder):
        image = dcmread(file)
        image.StudyDate = "20200701"
        image.save_as(file)
    return folder


def test_a_mass_of_a_patient_who_lay_otherwise_is_followed(
    series, later_series, tmp_path, calcinosis
):
    output = tmp_path / "out"
    run = calcinosis("follow", series, later_series, "--output", output)
    assert (run.status, run.err) == (0, "")
    assert run.out.startswith("Mass 1 (")
    assert "shows no sure change of volume in 182 days: volume " in run.out
    assert run.out.endswith(f"Report: {output / 'follow.html'}\n")
    (mass,) = json.loads((output / "follow.json").read_text())["masses"]
    assert (mass["earlier_ids"], mass["later_ids"]) == ([1], [1])
    assert mass["volume_ml"]["ratio"] == pytest.approx(1, abs=0.1)
    moved = posed((4, -3, 6), (12, -20, 35))
    assert dcmread(output / "earlier.measurements.sr.dcm").StudyDate == "20200101"
    assert np.abs(np.array(mass["earlier_to_later_lps"]) - moved.matrix).max() < 2


def test_studies_that_cannot_be_followed_are_one_line(series, later_series, tmp_path, calcinosis):
    for earlier, later, words in (
        (later_series, series, "give the earlier one first"),
        (series, series, "the same series"),
        (series, tmp_path / "nowhere", "nowhere"),
    ):
        output = tmp_path / "out"
        run = calcinosis("follow", earlier, later, "--output", output)
        assert run.status == 2
        assert words in run.err
        assert run.err.count("\n") == 1
        assert not output.exists()


def test_uptake_is_measured_where_the_reader_points(tmp_path, calcinosis):
    scan = write_nm(tmp_path / "scan.dcm", scintigram(3.0))
    column_row = f"{MASS[1]},{MASS[0]}"
    output = tmp_path / "out"
    run = calcinosis("scintigraphy", scan, "--at", column_row, "--output", output)
    assert (run.status, run.err) == (0, "")
    assert run.out.startswith("Uptake: the place has 2.")
    assert run.out.endswith(f"Report: {output / 'scintigraphy.html'}\n")
    for at, words in (("3,75", "outside the body"), ("12", "COLUMN,ROW")):
        run = calcinosis("scintigraphy", scan, "--at", at, "--output", tmp_path / "none")
        assert (run.status, run.err.count("\n")) == (2, 1)
        assert words in run.err
        assert not (tmp_path / "none").exists()


def test_a_mass_on_ultrasound_is_measured_where_the_reader_points(tmp_path, calcinosis):
    drawn = picture("cyst")
    image = write_ultrasound(tmp_path / "us.dcm", drawn)
    row, column = point(drawn)
    output = tmp_path / "out"
    run = calcinosis("ultrasound", image, "--at", f"{column},{row}", "--output", output)
    assert (run.status, run.err) == (0, "")
    assert run.out.startswith("Mass without a calcified shell around fluid: ")
    assert run.out.endswith(f"Report: {output / 'ultrasound.html'}\n")
    for wrong, words in (
        (("--at", "1,1"), "outside the regions"),
        (("--at", "9999,5"), "lies outside the picture"),
        (("--at", "12"), "COLUMN,ROW"),
        (("--box", "9,9,3,3"), "LEFT,TOP,RIGHT,BOTTOM"),
        (("--at", "5,5", "--box", "1,1,9,9"), "either --at"),
        ((), "either --at"),
        (("--at", f"{column},{row}", "--frame", "2"), "expected 1 to 1"),
    ):
        run = calcinosis("ultrasound", image, *wrong, "--output", tmp_path / "none")
        assert (run.status, run.err.count("\n")) == (2, 1)
        assert words in run.err
        assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("command", ["analyze", "radiograph", "scintigraphy"])
def test_other_commands_say_which_one_reads_ultrasound(command, tmp_path, calcinosis):
    image = write_ultrasound(tmp_path / "us.dcm", picture("cyst"))
    place = () if command == "analyze" else ("--at", "20,60")
    run = calcinosis(command, image, *place, "--output", tmp_path / "out")
    assert run.status == 2
    assert "`calcinosis ultrasound` reads" in run.err


def test_a_history_that_contradicts_dialysis_is_refused_before_either_scan_is_read(
    tmp_path, calcinosis
):
    patient, given = tmp_path / "patient.json", tmp_path / "prescription.json"
    patient.write_text('{"ckd": "dialysis_hd"}', encoding="utf-8")
    given.write_text(
        '{"history": [{"days": 90, "event": {"transplantation": {"graft_gfr_ml_min": 50}}}]}',
        encoding="utf-8",
    )
    stated = ("--patient", patient, "--prescription", given, "--output", tmp_path / "out")
    for command in (("follow", tmp_path / "no", tmp_path / "nor"), ("analyze", tmp_path / "no")):
        run = calcinosis(*command, *stated)
        assert run.status == 2
        assert run.err.startswith("calcinosis: prescription: history: found a graft that filters")
        assert run.err.count("\n") == 1


def test_a_skeleton_from_a_file_is_used(series, phantom, tmp_path, calcinosis):
    """A skeleton that holds the drawn mass leaves none of it to find."""
    everything = phantom.truth.skeleton | (phantom.truth.envelope > 0)
    affine = np.diag([-1.0, -1, 1, 1]) @ phantom.volume.affine[:, [2, 1, 0, 3]]
    mask = tmp_path / "bones.nii.gz"
    nib.save(nib.Nifti1Image(everything.astype(np.uint8).transpose(2, 1, 0), affine), mask)
    out = tmp_path / "out"
    every = ("--seg", "all", "--seg-type", "labelmap")
    run = calcinosis("analyze", series, "--output", out, "--skeleton", mask, *every)
    assert run.status == 0, run.err
    seg = dcmread(out / "masses.seg.dcm")
    assert seg.SegmentationType == "LABELMAP"
    names = {each.SegmentLabel: each.SegmentNumber for each in seg.SegmentSequence}
    bones = np.count_nonzero(seg.pixel_array == names["Skeleton"])
    assert bones == pytest.approx(np.count_nonzero(everything), rel=0.1)
    labels = np.asarray(nib.load(tmp_path / "out/masses.nii.gz").dataobj).transpose(2, 1, 0)
    assert (labels > 0)[phantom.truth.envelope > 0].mean() < 0.05
    remarks = json.loads((out / "result.json").read_text(encoding="utf-8"))["remarks"]
    assert remarks[0] == "Bone is what the given skeleton mask marks."


def refused(run, *words):
    """One line, exit status 2, no traceback."""
    assert run.status == 2
    assert run.out == ""
    assert len(run.err.splitlines()) == 1
    assert run.err.startswith("calcinosis: ")
    for word in words:
        assert word in run.err


@pytest.mark.parametrize("text", ["1,2", "1,2,3,4", "one,2,3", "", "nan,1,2", "1;2;3", "inf,0,0"])
def test_a_seed_that_is_no_point_is_refused(series, tmp_path, calcinosis, text):
    run = calcinosis("analyze", series, "--output", tmp_path / "out", "--seed", text)
    refused(run, "--seed", f"{text!r}", "X,Y,Z")
    assert list(tmp_path.iterdir()) == []


def test_a_negative_seed_is_a_point_not_an_option():
    assert arguments.points_lps(None, None, ("-12.5,-3,0",)) == ((-12.5, -3.0, 0.0),)


@pytest.mark.parametrize("text", ["", "0", "0.74,2", "0.7,0.1,1", "much", "nan", "-0.7", "0.7;1"])
def test_a_calibration_that_is_none_is_refused(series, tmp_path, calcinosis, text):
    run = calcinosis("analyze", series, "--output", tmp_path / "out", "--calibration", text)
    refused(run, "--calibration", f"{text!r}", "0.74,0.05")
    assert list(tmp_path.iterdir()) == []


def test_a_calibration_by_phantom_replaces_that_of_the_tube_voltage():
    given = arguments.calibration_given(None, None, "0.9,0.02")
    assert given.mg_hydroxyapatite_per_ml_per_hu == 0.9
    assert given.relative_uncertainty == 0.02


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["analyze"], ["INPUT"]),
        (["analyze", "nowhere"], ["nowhere", "no such file"]),
        (["analyze", "x", "--tumour"], ["--tumour"]),
        (["analyse", "x"], ["analyse"]),
        (["lesson", "new", "--labs", "labs.csv"], ["--labs", "--study"]),
        (["lesson", "new", "--study", "x", "--diagnosis", "cancer"], ["cancer", "tc_uremic"]),
        (["lesson", "new", "--study", "nowhere"], ["nowhere", "no such file"]),
    ],
)
def test_what_cannot_be_done_is_one_line(tmp_path, monkeypatch, calcinosis, arguments, words):
    monkeypatch.chdir(tmp_path)
    refused(calcinosis(*arguments), *words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (["--patient-position", "UPSIDE"], ["UPSIDE", "HFS"]),
        (["--series", "1.2.3.4.5"], ["1.2.3.4.5"]),
        (["--skeleton", "no-such-mask.nii.gz"], ["no-such-mask.nii.gz"]),
        (["--skeleton", "totalsegmentator"], ["TotalSegmentator is not installed"]),
        (["--seed", "9999,0,0"], ["9999"]),
    ],
)
def test_an_option_that_does_not_fit_the_scan_is_one_line(
    series, tmp_path, calcinosis, option, words
):
    refused(calcinosis("analyze", series, "--output", tmp_path / "out", *option), *words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("prescription", "words"),
    [
        ({"dialysat": {}}, ["today.json", "dialysat", "no such field"]),
        ({"dialysis": {"dialysate_calcium_mmol_l": 15}}, ["today.json", "15", "at most 2.5"]),
        ({"dialysis": {"modality": "pd"}}, ["dialysis.modality", "dialysis_hd"]),
    ],
)
def test_a_prescription_that_cannot_be_used_is_refused_before_anything_is_measured(
    series, tmp_path, calcinosis, monkeypatch, prescription, words
):
    monkeypatch.setattr("calcinosis.measure.ct.measure_ct", None)
    case, today = tmp_path / "case.json", tmp_path / "today.json"
    case.write_text('{"ckd": "dialysis_hd"}')
    today.write_text(json.dumps(prescription))
    given = ["--patient", case, "--prescription", today]
    refused(calcinosis("analyze", series, "--output", tmp_path / "out", *given), *words)
    assert not (tmp_path / "out").exists()


def test_a_folder_in_use_is_refused_before_anything_is_read(tmp_path, calcinosis):
    (tmp_path / "note.txt").write_text("mine")
    refused(calcinosis("analyze", "nowhere", "--output", tmp_path), "not empty", "--force")


def test_no_command_shows_the_help(calcinosis):
    run = calcinosis()
    assert run.status == 2
    assert "Usage: calcinosis" in run.err


def test_too_little_memory_is_one_line(monkeypatch, calcinosis, tmp_path):
    def exhausted(*_paths, **_options):
        raise MemoryError

    monkeypatch.setattr("calcinosis.read.study.read_study", exhausted)
    refused(calcinosis("analyze", "x", "--output", tmp_path / "out"), "memory")


@pytest.mark.parametrize(
    "arguments",
    [
        ("analyze", ""),
        ("analyze", "x", "--output", ""),
        ("analyze", "x", "--labs", ""),
        ("demo", "--output", ""),
        ("diagnose", ""),
        ("diagnose", "x", "--output", ""),
        ("forecast", "x", "--output", ""),
        ("phantom", ""),
    ],
)
def test_an_empty_path_is_not_taken_for_the_current_folder(calcinosis, arguments):
    run = calcinosis(*arguments)
    assert run.status == 2
    assert run.err.endswith("the path is empty; expected a file or folder\n")


def test_an_interrupted_run_leaves_nothing(monkeypatch, calcinosis, tmp_path):
    def interrupted(*_paths, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("calcinosis.read.study.read_study", interrupted)
    run = calcinosis("analyze", "x", "--output", tmp_path / "out")
    assert run.status == 130
    assert run.err.strip() == "calcinosis: interrupted; nothing was written"
    assert list(tmp_path.iterdir()) == []


COARSE = ("--anatomy=arm", "--no-mass", "--decoys=", "--pixel-mm=5", "--slice-spacing-mm=10")


def test_an_interrupted_phantom_leaves_nothing(monkeypatch, calcinosis, tmp_path):
    def interrupted(*_written):
        raise KeyboardInterrupt

    monkeypatch.setattr("calcinosis.phantom.command.write_truth", interrupted)
    run = calcinosis("phantom", tmp_path / "new", *COARSE)
    assert (run.status, run.err.strip()) == (130, "calcinosis: interrupted; nothing was written")
    assert list(tmp_path.iterdir()) == []


def test_a_phantom_cannot_have_a_mass_and_none(calcinosis, tmp_path):
    run = calcinosis("phantom", tmp_path / "new", *COARSE, "--mass", "volume_ml=5")
    refused(run, "--mass", "--no-mass")
    assert list(tmp_path.iterdir()) == []


def test_a_phantom_replaces_an_earlier_one_only_by_force(calcinosis, tmp_path):
    assert calcinosis("phantom", tmp_path, *COARSE).status == 0
    (tmp_path / "dicom" / "IM9999.dcm").write_bytes(b"of a longer series")
    refused(calcinosis("phantom", tmp_path, *COARSE), "not empty", "--force")
    run = calcinosis("phantom", tmp_path, *COARSE, "--force")
    assert run.out.startswith(f"{len(list((tmp_path / 'dicom').iterdir()))} slices in {tmp_path}")
    assert not (tmp_path / "dicom" / "IM9999.dcm").exists()


CASE = {"age_years": 50, "ckd": "dialysis_hd", "labs": {"phosphate_mg_dl": 8.0}}


def diagnosed(tmp_path, *options, **program):
    case = tmp_path / "case.json"
    case.write_text(json.dumps(CASE), encoding="utf-8")
    command = [sys.executable, "-m", "calcinosis", "diagnose", case, *options]
    return subprocess.run(command, stderr=subprocess.PIPE, check=False, **program)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_standard_output_that_takes_nothing_is_one_clear_line(tmp_path):
    with Path("/dev/full").open("w") as full:
        run = diagnosed(tmp_path, stdout=full)
    assert run.returncode == 2
    assert run.stderr == b"calcinosis: the output cannot be written (No space left on device)\n"


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_a_terminal_that_lacks_characters_gets_the_result_without_them(tmp_path, encoding):
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    run = diagnosed(tmp_path, stdout=subprocess.PIPE, env=environment)
    assert (run.returncode, run.stderr) == (0, b"")
    assert "tumoral calcinosis" in run.stdout.decode(encoding)


def test_json_is_utf_8_whatever_the_terminal(tmp_path):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    run = diagnosed(tmp_path, "--json", stdout=subprocess.PIPE, env=environment)
    assert json.loads(run.stdout.decode("utf-8"))["differential"]


def test_a_run_that_the_system_ends_leaves_nothing(tmp_path):
    """As containers and batch systems do, with SIGTERM, while the input is being read."""
    os.mkfifo(tmp_path / "scan.nii")  # never says anything
    command = [sys.executable, "-m", "calcinosis", "analyze", "scan.nii", "--output", "out"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as run:
        wait_until(lambda: list(tmp_path.glob(".out-*")))
        run.terminate()
        # Python ends itself by SIGINT, 130 to a shell too, where code in a string was at work
        assert run.wait(30) in {130, -SIGINT}
        assert run.stderr.read().strip() == "calcinosis: interrupted; nothing was written"
    assert [path.name for path in tmp_path.iterdir()] == ["scan.nii"]


def wait_until(true, seconds=30):
    end = monotonic() + seconds
    while not true():
        assert monotonic() < end
        sleep(0.02)


def test_totalsegmentators_bones_come_back_on_our_grid(monkeypatch, phantom, capsys):
    """The wrapper alone: a stand-in returns the classes it would, on the image it was given."""
    from calcinosis.measure.totalsegmentator import totalsegmentator_skeleton

    def segment(image, *, ml, roi_subset, quiet):
        sys.stdout.write("Using Device: cpu\n")
        assert (ml, quiet, roi_subset) == (True, True, ["femur_left", "sacrum"])
        classes = np.where(np.asarray(image.dataobj) > 700, 75, 5).astype(np.uint8)
        return nib.Nifti1Image(classes, image.affine)

    classes = {5: "liver", 75: "femur_left", 25: "sacrum"}
    package = ModuleType("totalsegmentator")
    package.__spec__ = SimpleNamespace(name="totalsegmentator")
    for name, content in {
        "map_to_binary": {"class_map": {"total": classes}},
        "python_api": {"totalsegmentator": segment},
    }.items():
        module = ModuleType(f"totalsegmentator.{name}")
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, f"totalsegmentator.{name}", module)
    monkeypatch.setitem(sys.modules, "totalsegmentator", package)
    skeleton = totalsegmentator_skeleton(phantom.volume)
    assert np.array_equal(skeleton, phantom.volume.voxels > 700)
    printed = capsys.readouterr()
    assert printed.out == ""


def test_the_demo_analyses_the_files_it_wrote(tmp_path, calcinosis):
    output = tmp_path / "demo"
    run = calcinosis("demo", "--output", output)
    assert run.status == 0, run.err
    names = sorted(path.name for path in output.iterdir())
    assert names == sorted([*RESULTS, "forecast.csv", "phantom"])
    assert len(run.out.splitlines()) == 5
    result = json.loads((output / "result.json").read_text())
    assert result["series"]["series_instance_uid"]
    (mass,) = result["masses"]
    low, high = mass["volume_ci95_ml"]
    assert low < 110 < high  # what `demo_phantom` draws
    assert mass["fluid_levels"]
    assert mass["bone"]["eroded"] is not True  # it touches whole bone
    assert result["forecast"]["options"][0]["name"] == "as now"
    assert "Most likely to halve the deposit" in run.out
    assert result["differential"][0]["diagnosis"] == "tc_uremic"
    assert result["patient"]["ca_p_product_mg2_dl2"] > 70
    assert result["plan"]
    assert "What it most likely is" in (output / "report.html").read_text()


def test_every_option_of_a_command_is_explained():
    for name in ("analyze", "demo", "lesson"):
        page = (Path(__file__).parents[1] / f"docs/{name}.md").read_text()
        for option in cli.commands.commands[name].params:
            if option.param_type_name == "option":
                assert option.opts[0] in page, f"docs/{name}.md does not explain {option.opts[0]}"
