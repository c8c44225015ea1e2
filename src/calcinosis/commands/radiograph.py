"""The command `calcinosis radiograph`: its options, and what it prints."""

from pathlib import Path

import click

from calcinosis.arguments import (
    FOLDER,
    force_option,
    labs_option,
    patient_option,
    pixel_given,
    quiet_option,
)


@click.command()
@click.argument("image", metavar="IMAGE", type=FOLDER)
@click.option(
    "--at",
    "point",
    callback=pixel_given,
    required=True,
    metavar="COLUMN,ROW",
    help="A pixel in the calcification, counted from 0 at the top left.",
)
@labs_option
@patient_option
@click.option("--spacing-mm", type=float, help="Of a pixel at the patient; else the header's.")
@click.option(
    "--gravity",
    type=click.Choice(["down", "up", "left", "right", "none"]),
    help="Where it points in the picture; none: along the beam. Else the header's.",
)
@click.option("--output", type=FOLDER, default=Path("calcinosis-radiograph"), show_default=True)
@click.option(
    "--deidentify", is_flag=True, help="Leave out who the patient is, and the film's margins."
)
@quiet_option
@force_option
def radiograph(
    image: Path,
    point: tuple[int, int],
    *,
    labs: Path | None,
    patient: Path | None,
    spacing_mm: float | None,
    gravity: str | None,
    output: Path,
    deidentify: bool,
    quiet: bool,
    force: bool,
) -> None:
    """Measure the calcified mass on a radiograph that you point at, and explain it.

    IMAGE is a DICOM radiograph, or a PNG or JPEG picture of one with --spacing-mm. Nothing is
    searched for: what is not pointed at is not looked at.
    """
    from calcinosis.explain.radiograph import read_mass
    from calcinosis.read.patient_file import known_patient
    from calcinosis.read.radiograph import read_radiograph
    from calcinosis.write.files import result_folder
    from calcinosis.write.radiograph_page.files import write_radiograph
    from calcinosis.write.radiograph_page.wording import in_brief

    known = known_patient(patient, labs)
    with result_folder(output, force=force) as folder:
        film = read_radiograph(image, spacing_mm=spacing_mm, gravity=gravity)
        reading = read_mass(film, point, known)
        write_radiograph(reading, folder, deidentify=deidentify)
    if not quiet:
        for line in in_brief(reading):
            click.echo(line)
        click.echo(f"Report: {output / 'radiograph.html'}")
