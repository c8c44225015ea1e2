"""What the ``radiograph`` command leaves: radiograph.html and radiograph.json."""

from pathlib import Path

from calcinosis.explain.radiograph import RadiographReading
from calcinosis.write.deidentify import radiograph_without_identity
from calcinosis.write.radiograph_page.page import render
from calcinosis.write.radiograph_page.record import radiograph_json


def write_radiograph(reading: RadiographReading, folder: Path, *, deidentify: bool = False) -> None:
    """Write page and figures into an existing, empty folder.

    Args:
        reading: what to write.
        folder: where.
        deidentify: say nowhere who the patient is, how old, of which sex, and when it was; the
            whole film, whose margins may name the patient, is not shown.
    """
    if deidentify:
        reading = radiograph_without_identity(reading)
    page = render(reading, with_film=not deidentify)
    (folder / "radiograph.html").write_text(page, encoding="utf-8")
    (folder / "radiograph.json").write_text(radiograph_json(reading), encoding="utf-8")
