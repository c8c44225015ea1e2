"""The command `calcinosis ultrasound`: its options, and what it prints."""

from pathlib import Path

import click

from calcinosis.arguments import (
    FOLDER,
    force_option,
    labs_option,
    patient_option,
    pixel_box_given,
    pixel_given,
    quiet_option,
)


@click.command()
@click.argument("image", metavar="IMAGE", type=FOLDER)
@click.option(
    "--at",
    "point",
    callback=pixel_given,
    metavar="COLUMN,ROW",
    help="A point in the mass: a pixel of the picture, counted from 0 at the top left.",
)
@click.option(
    "--box",
    callback=pixel_box_given,
    metavar="LEFT,TOP,RIGHT,BOTTOM",
    help="Instead of a point: a box close around all of the mass.",
)
@click.option("--frame", type=int, help="Which of the file's frames, from 1.")
@labs_option
@patient_option
@click.option("--output", type=FOLDER, default=Path("calcinosis-ultrasound"), show_default=True)
@click.option(
    "--deidentify",
    is_flag=True,
    help="Leave out who the patient is, and all of the picture but tissue.",
)
@quiet_option
@force_option
def ultrasound(
    image: Path,
    point: tuple[int, int] | None,
    box: tuple[slice, slice] | None,
    *,
    frame: int | None,
    labs: Path | None,
    patient: Path | None,
    output: Path,
    deidentify: bool,
    quiet: bool,
    force: bool,
) -> None:
    """Measure the mass on an ultrasound picture that you point at, and explain it.

    IMAGE is one DICOM ultrasound file. Nothing is searched for: what is not pointed at is not
    looked at.
    """
    from calcinosis.explain.ultrasound import read_sonographic_mass
    from calcinosis.read.patient_file import known_patient
    from calcinosis.read.ultrasound import read_sonogram
    from calcinosis.write.files import result_folder
    from calcinosis.write.ultrasound_page.files import write_ultrasound
    from calcinosis.write.ultrasound_page.wording import in_brief

    at = _row_and_column(point, box)
    known = known_patient(patient, labs)
    with result_folder(output, force=force) as folder:
        sonogram = read_sonogram(image, at=at, frame=frame)
        reading = read_sonographic_mass(sonogram, known, box)
        write_ultrasound(reading, folder, deidentify=deidentify)
    if not quiet:
        for line in in_brief(reading):
            click.echo(line)
        click.echo(f"Report: {output / 'ultrasound.html'}")


def _row_and_column(
    point: tuple[int, int] | None, box: tuple[slice, slice] | None
) -> tuple[int, int]:
    """Of the point, or of the middle of the box."""
    if point is not None and box is None:
        return point[1], point[0]
    if box is not None and point is None:
        return (box[0].start + box[0].stop - 1) // 2, (box[1].start + box[1].stop - 1) // 2
    raise click.UsageError("expected either --at, a point in the mass, or --box around it")
