"""scintigraphy.html: one self-contained page."""

from calcinosis import __version__
from calcinosis.explain.explanation import Explanation
from calcinosis.measure.scintigraphy import Uptake
from calcinosis.read.scintigram import Scintigram
from calcinosis.volume import Subject
from calcinosis.write.explanation.view import view_of
from calcinosis.write.image_page import template_of
from calcinosis.write.report import wording as report_wording
from calcinosis.write.scintigraphy_page import pictures, wording


def render(
    scintigram: Scintigram,
    uptake: Uptake,
    *,
    subject: Subject,
    remarks: tuple[str, ...],
    explanation: Explanation | None,
) -> str:
    """Draw the page: no script, nothing fetched from anywhere."""
    name = f"{scintigram.view.capitalize()} view" if scintigram.view else "The view"
    return template_of("scintigraphy").render(
        version=__version__,
        identity=report_wording.identity(subject, "bone scan"),
        summary=wording.summary(uptake),
        remarks=remarks,
        rows=list(wording.rows(uptake)),
        figure=pictures.picture(scintigram, uptake, name),
        colours=_colours(uptake),
        explanation=view_of(explanation) if explanation else None,
    )


def _colours(uptake: Uptake) -> list[tuple[str, str]]:
    told = [(pictures.MASS, "the mass"), (pictures.SOFT_TISSUE, "soft tissue beside it")]
    if uptake.mirror is not None:
        told.append((pictures.OTHER_SIDE, "the other side"))
    return told
