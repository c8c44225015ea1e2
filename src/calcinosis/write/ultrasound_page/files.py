"""What the ``ultrasound`` command leaves: ultrasound.html and ultrasound.json."""

from pathlib import Path

from calcinosis.explain.ultrasound import SonogramReading
from calcinosis.write.deidentify import ultrasound_without_identity
from calcinosis.write.ultrasound_page.page import render
from calcinosis.write.ultrasound_page.record import ultrasound_json


def write_ultrasound(reading: SonogramReading, folder: Path, *, deidentify: bool = False) -> None:
    """Write page and figures into an existing, empty folder.

    Args:
        reading: what to write.
        folder: where.
        deidentify: say nowhere who the patient is, how old, of which sex, and when it was; of the
            picture only the tissue around the mass is shown, nothing that was written beside it.
    """
    if deidentify:
        reading = ultrasound_without_identity(reading)
    page = render(reading, tissue_only=deidentify)
    (folder / "ultrasound.html").write_text(page, encoding="utf-8")
    (folder / "ultrasound.json").write_text(ultrasound_json(reading), encoding="utf-8")
