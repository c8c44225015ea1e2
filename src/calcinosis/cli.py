"""Parse, call, print. Exit status: 0 done, 2 the user must change something, 1 our defect."""

import gc
import os
import sys
from contextlib import suppress
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path
from signal import SIGTERM, default_int_handler, signal
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from calcinosis.arguments import (
    FOLDER,
    StatedPath,
    calibration_given,
    findings_option,
    force_option,
    labs_option,
    patient_option,
    points_lps,
    quiet_option,
)
from calcinosis.cohort.command import cohort
from calcinosis.commands.follow import follow
from calcinosis.commands.lesson import lesson
from calcinosis.commands.mri import mri
from calcinosis.commands.radiograph import radiograph
from calcinosis.commands.scintigraphy import scintigraphy
from calcinosis.commands.ultrasound import ultrasound
from calcinosis.errors import CalcinosisError
from calcinosis.serve.command import serve

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from calcinosis.analysis import Analysis
    from calcinosis.measure.mass import Calibration, Point
    from calcinosis.volume import Volume
    from calcinosis.write.seg import SegmentationType, Segments

NEW_OBJECTS = 20_000  # until garbage in cycles is sought; after 700 it costs 0.7 s of an analysis


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="calcinosis", prog_name="calcinosis")
def commands() -> None:
    """Measure calcified soft-tissue masses on CT, explain them, forecast their treatment.

    For research and teaching; not a medical device.
    """


@commands.command()
@click.argument("source", metavar="INPUT", type=FOLDER)
@click.option("--output", type=FOLDER, default=Path("calcinosis-report"), show_default=True)
@labs_option
@patient_option
@findings_option
@click.option("--prescription", type=FOLDER, help="Today's treatment, for the forecast: JSON.")
@click.option(
    "--series",
    metavar="UID",
    help="The series to measure, instead of the best; UID:2 for the second of its phases.",
)
@click.option(
    "--seed",
    "seeds",
    callback=points_lps,
    multiple=True,
    metavar="X,Y,Z",
    help="A point in calcification to be taken as a mass and cut from bone (LPS, mm). Repeatable.",
)
@click.option(
    "--skeleton",
    default="auto",
    show_default=True,
    metavar="auto|totalsegmentator|FILE",
    help="Where bone is: our own step, TotalSegmentator if installed, or a mask file.",
)
@click.option(
    "--calibration",
    callback=calibration_given,
    metavar="MG[,SHARE]",
    help="mg hydroxyapatite per mL and HU by your phantom, and its relative standard deviation.",
)
@click.option(
    "--patient-position",
    metavar="HFS",
    help="How the patient lay: HFS, HFP, HFDL, HFDR, FFS, FFP, FFDL or FFDR.",
)
@click.option(
    "--deidentify", is_flag=True, help="Leave out who the patient is; map every UID, consistently."
)
@click.option(
    "--seg",
    "segments",
    type=click.Choice(["masses", "all"]),
    default="masses",
    show_default=True,
    help="Segments of the DICOM SEG: masses, or also skeleton and other calcifications.",
)
@click.option(
    "--seg-type",
    type=click.Choice(["bitmap", "labelmap"]),
    default="bitmap",
    show_default=True,
    help="LABELMAP is far smaller (RLE), but older readers refuse it.",
)
@quiet_option
@force_option
def analyze(
    source: Path,
    output: Path,
    *,
    quiet: bool,
    force: bool,
    **options: Any,  # noqa: ANN401 - as in _analyze_into
) -> None:
    """Measure the calcified masses of a CT, and write report, figures and masks.

    INPUT is a folder or zip of DICOM, or one NIfTI or NRRD file.
    """
    from calcinosis.write.files import result_folder

    with result_folder(output, force=force) as folder:
        analysis = _analyze_into(folder, source, quiet=quiet, **options)
    if not quiet:
        _print_result(analysis, output)


@commands.command()
@click.option("--output", type=FOLDER, default=Path("calcinosis-demo"), show_default=True)
@quiet_option
@force_option
def demo(output: Path, *, quiet: bool, force: bool) -> None:
    """Draw an artificial dialysis patient as DICOM files, and analyse those."""
    from calcinosis.demo import write_demo_patient
    from calcinosis.write.files import result_folder

    with result_folder(output, force=force) as folder:
        given = write_demo_patient(folder / "phantom")
        analysis = _analyze_into(
            folder, given.dicom, labs=given.labs, patient=given.patient, quiet=quiet
        )
    if not quiet:
        _print_result(analysis, output)


@commands.command()
@click.argument("folder", metavar="DIR", type=StatedPath(file_okay=False, path_type=Path))
@click.option("--seed", default=0, show_default=True, help="Decides all that is left open.")
@click.option("--demo", is_flag=True, help="The patient of `calcinosis demo`; ignores the rest.")
@click.option(
    "--anatomy", default="hips", show_default=True, help="hips, knees, shoulders, thorax, arm."
)
@click.option(
    "--mass",
    "masses",
    multiple=True,
    metavar="KEY=VALUE,...",
    help="One mass: volume_ml, contact, joint, side, texture, style, erosion_mm. Repeat for more.",
)
@click.option("--no-mass", is_flag=True, help="A patient without a mass.")
@click.option(
    "--decoys",
    default="vessel,phlebolith",
    show_default=True,
    metavar="LIST",
    help="Of vessel, phlebolith, granuloma, nail, implant, contrast, bladder_contrast, bowel.",
)
@click.option("--patient-position", default="HFS", show_default=True)
@click.option("--pixel-mm", type=float, help="In-plane spacing; else the field fits 256 pixels.")
@click.option("--slice-spacing-mm", default=1.5, show_default=True)
@click.option("--slice-thickness-mm", type=float, help="Equals the spacing unless given.")
@click.option("--noise-hu", default=15.0, show_default=True)
@click.option("--kernel", default="standard", show_default=True, help="soft, standard, sharp.")
@click.option("--bone-density", type=float, help="1 healthy, 0.4 severe osteoporosis.")
@force_option
def phantom(
    folder: Path,
    *,
    demo: bool,
    masses: tuple[str, ...],
    no_mass: bool,
    decoys: str,
    force: bool,
    **options: object,
) -> None:
    """Write an analytic CT scan with known truth: DIR/dicom, DIR/truth."""
    from calcinosis.phantom.command import in_brief, write_phantom
    from calcinosis.write.files import result_folder

    if no_mass and masses:
        raise click.UsageError("--mass and --no-mass exclude each other; expected one of them")
    drawn = () if no_mass else masses or ("",)
    with result_folder(folder, force=force) as new:
        made = write_phantom(new, demo=demo, masses=drawn, decoys=decoys, options=options)
    for line in in_brief(made, folder):
        print(line)


@commands.command()
@click.argument("cases", metavar="CASE.json|CASES.jsonl", type=FOLDER)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per case.")
@click.option("--output", metavar="DIR", type=FOLDER, help="Write a page too.")
@findings_option
@click.option("--force", is_flag=True, help="Replace the results of an earlier run in DIR.")
def diagnose(
    cases: Path, *, as_json: bool, output: Path | None, findings: tuple[Path, ...], force: bool
) -> None:
    """Explain cases: differential, red flags, next tests, what can be done."""
    from calcinosis.write.diagnosis import json_lines, text_lines, write_diagnosis

    if output:
        write_diagnosis(cases, output, findings, force=force)
    if as_json and isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # whatever the terminal: JSON is nothing else
    for line in json_lines(cases, findings) if as_json else text_lines(cases, findings):
        print(line)


@commands.command()
@click.argument("scenario", metavar="SCENARIO.json", type=FOLDER)
@click.option(
    "--output", default="calcinosis-report", show_default=True, metavar="DIR", type=FOLDER
)
@click.option("--force", is_flag=True, help="Replace the results of an earlier run in DIR.")
def forecast(scenario: Path, output: Path, *, force: bool) -> None:
    """Compare treatments: calcium, phosphate, PTH and the deposit over time, with 90 % bands."""
    from calcinosis.write.forecast_page.files import summary, write_forecast

    def progress(done: int, of: int) -> None:
        print(f"forecast: {done} of {of} options", file=sys.stderr)

    for line in summary(write_forecast(scenario, output, force=force, progress=progress)):
        print(line)


def _analyze_into(
    folder: Path,
    source: Path,
    *,
    quiet: bool,
    labs: Path | None = None,
    patient: Path | None = None,
    findings: tuple[Path, ...] = (),
    prescription: Path | None = None,
    series: str | None = None,
    seeds: tuple["Point", ...] = (),
    skeleton: str = "auto",
    calibration: "Calibration | None" = None,
    patient_position: str | None = None,
    deidentify: bool = False,
    segments: "Segments" = "masses",
    seg_type: "SegmentationType" = "bitmap",
) -> "Analysis":
    """Read, analyse and write one study."""
    from calcinosis.analysis import analyze as analyze_study
    from calcinosis.forecast.given_prescription import prescription_given
    from calcinosis.memory import give_memory_back
    from calcinosis.read.patient_file import known_patient
    from calcinosis.read.study import read_study
    from calcinosis.terminal import progress_bars
    from calcinosis.write.results import write_files

    give_memory_back()
    known = known_patient(patient, labs, findings)
    given = prescription_given(prescription, known)
    with progress_bars(quiet=quiet) as begin:
        began = perf_counter()
        study = read_study(
            source,
            series_uid=series,
            patient_position=patient_position,
            progress=begin("Reading"),
        )
        read_s = perf_counter() - began
        bones = _skeleton(skeleton, study.volume)
        analysis = analyze_study(
            study,
            known,
            prescription=given,
            seeds_lps_mm=seeds,
            skeleton=bones,
            calibration=calibration,
            progress=begin("Measuring"),
        )
        analysis = replace(analysis, timings_s={"read": read_s, **analysis.timings_s})
        begin("Writing")
        write_files(analysis, folder, deidentify=deidentify, segments=segments, seg_type=seg_type)
    return analysis


def _skeleton(choice: str, volume: "Volume") -> "NDArray[np.bool_] | None":
    """The skeleton the user asks for; None for our own."""
    if choice == "auto":
        return None
    if choice == "totalsegmentator":
        from calcinosis.measure.totalsegmentator import totalsegmentator_skeleton

        return totalsegmentator_skeleton(volume)
    from calcinosis.read.mask import read_mask

    return read_mask(Path(choice), volume)


def _print_result(analysis: "Analysis", output: Path) -> None:
    from calcinosis.write.report.wording import in_brief

    for line in in_brief(analysis.measurement):
        print(line)
    if analysis.outlook:
        from calcinosis.write.forecast_page.page import headline

        print(f"{headline(analysis.outlook)}.")
    if analysis.patient and analysis.patient.passed_over:
        from calcinosis.write.explanation.wording import passed_over

        print(f"{passed_over(analysis.patient)}.")
    print(f"Report: {output / 'report.html'}")


for command in (follow, cohort, radiograph, scintigraphy, mri, ultrasound, lesson, serve):
    commands.add_command(command)


def main() -> None:
    """Run a command; what the user must change is one line on standard error."""
    gc.set_threshold(NEW_OBJECTS)
    _print_any_character()
    signal(SIGTERM, default_int_handler)  # as Ctrl-C, so that nothing half-written is left
    try:
        commands(prog_name="calcinosis", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        _fail(error.format_message(), 2)
    except CalcinosisError as error:
        _fail(str(error), 2)
    except MemoryError:
        _fail("not enough memory for this scan", 2)
    except click.Abort as abort:
        _fail(str(abort) or "interrupted; nothing was written", 130)
    except OSError as error:
        if error.filename is not None:
            raise
        _abandon_output()
        _fail(f"the output cannot be written ({error.strerror})", 2)


def _print_any_character() -> None:
    """Terminals that lack a character get a question mark for it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def _abandon_output() -> None:
    """Let nothing more be written to standard output, which Python would try again at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, status: int) -> None:
    line = " ".join(message.split())
    sys.stderr.write(f"calcinosis: {line}\n")
    sys.exit(status)
