"""mri.html: one mass on MRI, on one self-contained page."""

from calcinosis import __version__
from calcinosis.explain.mri import MriReading
from calcinosis.lab_result import doubts_about
from calcinosis.write.explanation.view import view_of
from calcinosis.write.image_page import template_of
from calcinosis.write.mri_page import wording
from calcinosis.write.mri_page.pictures import MASS, MUSCLE, pictures


def render(reading: MriReading) -> str:
    """Draw the page, without script or anything to fetch."""
    colours = [(MASS, "the mass")]
    if reading.mass.muscle is not None:
        colours.append((MUSCLE, "muscle it is held against"))
    return template_of("mri").render(
        version=__version__,
        identity=wording.identity(reading),
        summary=wording.summary(reading),
        remarks=(
            *reading.mass.remarks,
            *reading.remarks,
            *doubts_about(reading.explanation.patient.labs),
        ),
        pictures=pictures(reading),
        columns=len(reading.volumes),
        colours=colours,
        rows=list(wording.rows(reading)),
        signs=list(wording.signs(reading)),
        series=list(wording.series(reading)),
        passed_over=reading.choice.passed_over,
        point=", ".join(f"{value:g}" for value in reading.point),
        limits=wording.LIMITS,
        explanation=view_of(reading.explanation),
    )
