"""radiograph.html: one mass on a radiograph, on one self-contained page."""

from calcinosis import __version__
from calcinosis.explain.radiograph import RadiographReading
from calcinosis.lab_result import doubts_about
from calcinosis.write.explanation.view import view_of
from calcinosis.write.image_page import template_of
from calcinosis.write.radiograph_page import wording
from calcinosis.write.radiograph_page.pictures import close_look, whole_film


def render(reading: RadiographReading, *, with_film: bool = True) -> str:
    """Draw the page, without script or anything to fetch; `with_film` shows all of the film."""
    film = reading.film
    return template_of("radiograph").render(
        version=__version__,
        identity=wording.identity(reading),
        view=film.view,
        summary=wording.summary(reading),
        remarks=(
            *film.remarks,
            *reading.mass.remarks,
            *reading.remarks,
            *doubts_about(reading.explanation.patient.labs),
        ),
        pictures=[
            *([whole_film(reading)] if with_film else []),
            close_look(reading, marked=False),
            close_look(reading, marked=True),
        ],
        rows=list(wording.rows(reading)),
        scale=film.scale.source,
        gravity=wording.of_levels(reading),
        point=reading.point,
        limits=wording.LIMITS,
        explanation=view_of(reading.explanation),
    )
