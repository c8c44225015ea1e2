"""What the ``mri`` command leaves: mri.html, mri.json and mri.seg.dcm."""

from pathlib import Path

from calcinosis.explain.mri import MriReading
from calcinosis.write.deidentify import mri_without_identity
from calcinosis.write.mri_page.page import render
from calcinosis.write.mri_page.record import mri_json
from calcinosis.write.mri_seg import mri_segmentation


def write_mri(reading: MriReading, folder: Path, *, deidentify: bool = False) -> None:
    """Write page, figures and outline into an existing, empty folder.

    Args:
        reading: what to write.
        folder: where.
        deidentify: say nowhere who the patient is, how old, of which sex, and when it was.
    """
    outline = mri_segmentation(reading, deidentify=deidentify)
    if outline is not None:
        outline.save_as(folder / "mri.seg.dcm")
    if deidentify:
        reading = mri_without_identity(reading)
    (folder / "mri.html").write_text(render(reading), encoding="utf-8")
    (folder / "mri.json").write_text(mri_json(reading), encoding="utf-8")
