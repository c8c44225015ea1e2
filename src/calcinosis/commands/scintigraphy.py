"""The command `calcinosis scintigraphy`."""

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
    callback=pixel_given,
    required=True,
    metavar="COLUMN,ROW",
    help="A point in the mass: pixels of the view, counted from 0.",
)
@click.option("--view", default=1, show_default=True, help="Which of the file's views.")
@labs_option
@patient_option
@click.option("--output", type=FOLDER, default=Path("calcinosis-scintigraphy"), show_default=True)
@click.option("--deidentify", is_flag=True, help="Leave out who the patient is, and when.")
@quiet_option
@force_option
def scintigraphy(
    image: Path,
    output: Path,
    *,
    at: tuple[int, int],
    view: int,
    labs: Path | None,
    patient: Path | None,
    deidentify: bool,
    quiet: bool,
    force: bool,
) -> None:
    """Measure what a mass takes up on a bone scan, where you point at it.

    IMAGE is one DICOM file of a planar bone scan.
    """
    from calcinosis.read.patient_file import known_patient
    from calcinosis.read.scintigram import read_bone_scan
    from calcinosis.write.files import result_folder
    from calcinosis.write.scintigraphy_page.files import write_uptake
    from calcinosis.write.scintigraphy_page.wording import summary

    known = known_patient(patient, labs)
    scan = read_bone_scan(image)
    with result_folder(output, force=force) as folder:
        uptake = write_uptake(scan, folder, view=view, at=at, patient=known, deidentify=deidentify)
    if quiet:
        return
    click.echo(summary(uptake))
    for remark in uptake.remarks:
        click.echo(remark)
    click.echo(f"Report: {output / 'scintigraphy.html'}")
