"""ultrasound.html: one mass on an ultrasound picture, on one self-contained page."""

from calcinosis import __version__
from calcinosis.explain.ultrasound import SonogramReading
from calcinosis.lab_result import doubts_about
from calcinosis.write.explanation.view import view_of
from calcinosis.write.image_page import template_of
from calcinosis.write.ultrasound_page import pictures, wording


def render(reading: SonogramReading, *, tissue_only: bool = False) -> str:
    """Draw the page, without script or anything to fetch.

    Args:
        reading: what to show.
        tissue_only: show of the picture only what the probe sees.
    """
    mass, point, explanation = reading.mass, reading.sonogram.at, reading.explanation
    drawings = (pictures.plain, pictures.outlined, pictures.compared)
    return template_of("ultrasound").render(
        version=__version__,
        identity=wording.identity(reading),
        summary=wording.summary(reading),
        remarks=(
            *mass.remarks,
            *reading.remarks,
            *(doubts_about(explanation.patient.labs) if explanation else ()),
        ),
        pictures=[draw(mass, tissue_only=tissue_only) for draw in drawings],
        colours=(
            (pictures.MASS, "the mass"),
            (pictures.LOCULE, "dark chambers"),
            (pictures.BEHIND, "behind it"),
            (pictures.BESIDE, "beside that"),
        ),
        rows=list(wording.rows(mass)),
        verdicts=list(wording.verdicts(mass)),
        scale=reading.sonogram.region.scale,
        point=(point[1], point[0]),
        frame=reading.sonogram.frame,
        limits=wording.LIMITS,
        explanation=view_of(explanation) if explanation else None,
    )
