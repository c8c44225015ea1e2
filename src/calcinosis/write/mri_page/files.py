"""What the ``mri`` command leaves: mri.html and mri.json."""

from pathlib import Path

from calcinosis.explain.mri import MriReading
from calcinosis.write.deidentify import mri_without_identity
from calcinosis.write.mri_page.page import render
from calcinosis.write.mri_page.record import mri_json


def write_mri(reading: MriReading, folder: Path, *, deidentify: bool = False) -> None:
    """Write page and figures into an existing, empty folder.

    Args:
        reading: what to write.
        folder: where.
        deidentify: say nowhere who the patient is, how old, of which sex, and when it was.
    """
    if deidentify:
        reading = mri_without_identity(reading)
    (folder / "mri.html").write_text(render(reading), encoding="utf-8")
    (folder / "mri.json").write_text(mri_json(reading), encoding="utf-8")
