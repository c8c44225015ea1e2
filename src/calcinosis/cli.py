"""Parse, call, print. Exit status: 0 done, 2 the user must change something, 1 our defect."""

import sys
from pathlib import Path

import click

from calcinosis import __version__
from calcinosis.errors import CalcinosisError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="calcinosis")
def commands() -> None:
    """Measure calcified soft-tissue masses on CT, explain them, forecast their treatment.

    For research and teaching; not a medical device.
    """


@commands.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--seed", default=0, show_default=True, help="Decides all that is left open.")
@click.option("--demo", is_flag=True, help="The patient of `calcinosis demo`; ignores the rest.")
@click.option(
    "--anatomy", default="hips", show_default=True, help="hips, knees, shoulders, thorax."
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
def phantom(
    folder: Path,
    *,
    demo: bool,
    masses: tuple[str, ...],
    no_mass: bool,
    decoys: str,
    **options: object,
) -> None:
    """Write an analytic CT scan with known truth: DIR/dicom, DIR/truth."""
    from calcinosis.phantom.command import run

    for line in run(
        folder, demo=demo, masses=() if no_mass else masses or ("",), decoys=decoys, options=options
    ):
        print(line)


@commands.command()
@click.argument("cases", metavar="CASE.json|CASES.jsonl", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per case.")
@click.option("--output", metavar="DIR", type=click.Path(path_type=Path), help="Write a page too.")
@click.option("--force", is_flag=True, help="Replace the results of an earlier run in DIR.")
def diagnose(cases: Path, *, as_json: bool, output: Path | None, force: bool) -> None:
    """Explain cases: differential, red flags, next tests, what can be done."""
    from calcinosis.write.diagnosis import json_lines, text_lines, write_diagnosis

    if output:
        write_diagnosis(cases, output, force=force)
    for line in json_lines(cases) if as_json else text_lines(cases):
        print(line)


@commands.command()
@click.argument("scenario", metavar="SCENARIO.json", type=click.Path(path_type=Path))
@click.option(
    "--output",
    default="calcinosis-report",
    show_default=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
)
@click.option("--force", is_flag=True, help="Replace the results of an earlier run in DIR.")
def forecast(scenario: Path, output: Path, *, force: bool) -> None:
    """Compare treatments: calcium, phosphate, PTH and the deposit over time, with 90 % bands."""
    from calcinosis.write.forecast_page.files import summary, write_forecast

    def progress(done: int, of: int) -> None:
        print(f"forecast: {done} of {of} options", file=sys.stderr)

    for line in summary(write_forecast(scenario, output, force=force, progress=progress)):
        print(line)


def main() -> None:
    """Run a command; turn our own errors into one line on standard error."""
    try:
        commands()
    except CalcinosisError as error:
        sys.stderr.write(f"calcinosis: {error}\n")
        sys.exit(2)
