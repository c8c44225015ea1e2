"""The command `calcinosis mri`."""

from pathlib import Path

import click

from calcinosis.arguments import (
    FOLDER,
    force_option,
    labs_option,
    patient_option,
    point_lps,
    quiet_option,
)


@click.command()
@click.argument("study", metavar="STUDY", type=FOLDER)
@click.option(
    "--at",
    "point",
    callback=point_lps,
    required=True,
    metavar="X,Y,Z",
    help="A point in the mass, LPS millimetres, as for `analyze --seed`.",
)
@labs_option
@patient_option
@click.option("--output", type=FOLDER, default=Path("calcinosis-mri"), show_default=True)
@click.option("--deidentify", is_flag=True, help="Leave out who the patient is, and when.")
@quiet_option
@force_option
def mri(
    study: Path,
    point: tuple[float, float, float],
    *,
    labs: Path | None,
    patient: Path | None,
    output: Path,
    deidentify: bool,
    quiet: bool,
    force: bool,
) -> None:
    """Measure the mass on MRI that you point at, and explain it.

    STUDY is a folder or zip of DICOM with T1, T2 or both, of any plane; T1 after contrast agent is
    looked at where it is there. Nothing is searched for.
    """
    from calcinosis.explain.mri import read_mass_on_mri
    from calcinosis.read.mri import read_mri
    from calcinosis.read.patient_file import known_patient
    from calcinosis.terminal import progress_bars
    from calcinosis.write.files import result_folder
    from calcinosis.write.mri_page.files import write_mri
    from calcinosis.write.mri_page.wording import in_brief

    known = known_patient(patient, labs)
    with result_folder(output, force=force) as folder, progress_bars(quiet=quiet) as begin:
        found = read_mri(study, begin("Reading"))
        reading = read_mass_on_mri(found, point, known, begin("Measuring"))
        write_mri(reading, folder, deidentify=deidentify)
    if not quiet:
        for line in in_brief(reading):
            click.echo(line)
        click.echo(f"Report: {output / 'mri.html'}")
