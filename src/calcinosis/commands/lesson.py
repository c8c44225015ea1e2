"""The command `calcinosis lesson`."""

from pathlib import Path

import click

from calcinosis.arguments import FOLDER, force_option, quiet_option

HEAD = (
    "a head can be recognised from its CT; look through the slices of lesson.html before you "
    "hand it on"
)


@click.command()
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option("--study", type=FOLDER, metavar="INPUT", help="Your own case instead: one CT.")
@click.option("--labs", type=FOLDER, help="Of your own case, as in analyze.")
@click.option("--patient", type=FOLDER, help="Of your own case, as in analyze.")
@click.option("--diagnosis", metavar="NAME", help="Of your own case, where it is known.")
@quiet_option
@force_option
def lesson(
    folder: Path,
    *,
    study: Path | None,
    labs: Path | None,
    patient: Path | None,
    diagnosis: str | None,
    quiet: bool,
    force: bool,
) -> None:
    """Write a lesson: cases with images, questions, answers; for the browser and for a course.

    DIR gets lesson.html and lesson.zip (SCORM 1.2). Patients are artificial, drawn and measured
    anew, unless --study brings one, which is de-identified.
    """
    from calcinosis.memory import give_memory_back
    from calcinosis.terminal import progress_bars
    from calcinosis.write.files import result_folder
    from calcinosis.write.lesson.lesson import write_lesson
    from calcinosis.write.lesson.own import Own, check, write_own_lesson

    own = Own(study, labs, patient, diagnosis)
    check(own)
    give_memory_back()
    with result_folder(folder, force=force) as new, progress_bars(quiet=quiet) as begin:
        if study:
            write_own_lesson(own, new, begin)
        else:
            write_lesson(new, begin)
    if quiet:
        return
    if study:
        click.echo(f"calcinosis: {HEAD}", err=True)
    click.echo(f"Lesson: {folder / 'lesson.html'}")
    click.echo(f"For a course (SCORM 1.2): {folder / 'lesson.zip'}")
