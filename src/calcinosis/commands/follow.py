"""The command `calcinosis follow`."""

from pathlib import Path

import click

from calcinosis.arguments import (
    FOLDER,
    findings_option,
    force_option,
    labs_option,
    patient_option,
    quiet_option,
)


@click.command()
@click.argument("earlier", metavar="EARLIER", type=FOLDER)
@click.argument("later", metavar="LATER", type=FOLDER)
@click.option("--output", type=FOLDER, default=Path("calcinosis-follow"), show_default=True)
@click.option("--days", type=click.IntRange(min=1), help="Between them, instead of the headers'.")
@labs_option
@patient_option
@findings_option
@click.option(
    "--prescription", type=FOLDER, help="Treatment at the later scan, and its history: JSON."
)
@click.option("--deidentify", is_flag=True, help="Leave out who the patient is; map every UID.")
@quiet_option
@force_option
def follow(
    earlier: Path,
    later: Path,
    output: Path,
    *,
    days: int | None,
    labs: Path | None,
    patient: Path | None,
    findings: tuple[Path, ...],
    prescription: Path | None,
    deidentify: bool,
    quiet: bool,
    force: bool,
) -> None:
    """Measure two CT scans of one patient, and tell how each mass changed.

    EARLIER and LATER are what `analyze` takes: a folder or zip of DICOM, or a NIfTI or NRRD file.
    """
    from calcinosis.follow.follow_up import follow_up
    from calcinosis.forecast.given_prescription import prescription_given
    from calcinosis.memory import give_memory_back
    from calcinosis.read.patient_file import known_patient
    from calcinosis.read.study import read_study
    from calcinosis.terminal import progress_bars
    from calcinosis.write.files import result_folder
    from calcinosis.write.follow_page.files import write_follow_up
    from calcinosis.write.follow_page.wording import in_brief
    from calcinosis.write.forecast_page.page import headline

    give_memory_back()
    known = known_patient(patient, labs, findings)
    given = prescription_given(prescription, known)
    with result_folder(output, force=force) as folder, progress_bars(quiet=quiet) as begin:
        studies = [read_study(path, progress=begin("Reading")) for path in (earlier, later)]
        compared = follow_up(studies[0], studies[1], days=days, begin=begin)
        begin("Writing")
        now = write_follow_up(
            compared, folder, patient=known, prescription=given, deidentify=deidentify
        )
    if quiet:
        return
    for line in in_brief(compared):
        click.echo(line)
    if now.outlook:
        click.echo(f"{headline(now.outlook)}.")
    click.echo(f"Report: {output / 'follow.html'}")
