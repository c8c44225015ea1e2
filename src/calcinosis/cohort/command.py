"""The command `calcinosis cohort`: its options, and what it prints."""

from pathlib import Path

import click

from calcinosis.arguments import FOLDER, quiet_option


@click.command()
@click.argument("archive", metavar="DIR", type=FOLDER)
@click.option("--output", type=FOLDER, default=Path("calcinosis-cohort"), show_default=True)
@click.option("--labs", type=FOLDER, help="Laboratory results: CSV with a column of patients' IDs.")
@click.option("--patients", type=FOLDER, help="Case files with the patients' IDs: JSON lines.")
@click.option(
    "--patient-position",
    metavar="HFS",
    help="How all patients lay, instead of what the files say; HFS where these do not.",
)
@click.option("--deidentify", is_flag=True, help="Leave out who the patients are; map every UID.")
@quiet_option
@click.option("--force", is_flag=True, help="Begin anew, even in a folder that holds other files.")
def cohort(
    archive: Path,
    output: Path,
    *,
    labs: Path | None,
    patients: Path | None,
    patient_position: str | None,
    deidentify: bool,
    quiet: bool,
    force: bool,
) -> None:
    """Measure every CT study of an archive, and write tables of all.

    DIR is a folder, or a zip, with DICOM studies in any mix of files and folders, and NIfTI or NRRD
    files, one each a study. A run that was interrupted goes on where it stopped.
    """
    from calcinosis.cohort.cohort import Settings
    from calcinosis.cohort.progress import Shown
    from calcinosis.cohort.run import run
    from calcinosis.cohort.wording import in_brief

    shown = Shown(quiet=quiet)
    try:
        made = run(
            archive,
            output,
            Settings(patient_position, deidentify),
            labs=labs,
            patients=patients,
            force=force,
            shown=shown,
        )
    except KeyboardInterrupt:
        raise click.Abort("interrupted; the same command goes on where it stopped") from None
    finally:
        shown.close()
    if not quiet:
        for line in in_brief(*made):
            click.echo(line)
        click.echo(f"Page: {output / 'cohort.html'}")
