"""What the ``follow`` command leaves: follow.html, follow.json, and the results of both scans."""

from dataclasses import replace
from pathlib import Path

from calcinosis.analysis import explained
from calcinosis.follow.follow_up import FollowUp
from calcinosis.follow.scan import Scan
from calcinosis.volume import Subject
from calcinosis.write.files import SCANS
from calcinosis.write.follow_page.page import render
from calcinosis.write.follow_page.record import follow_json
from calcinosis.write.results import write_files


def write_follow_up(follow: FollowUp, folder: Path, *, deidentify: bool = False) -> None:
    """Write the comparison into an existing folder, and all results of either scan beside it.

    Args:
        follow: what to write.
        folder: exists, and is empty.
        deidentify: say nowhere who the patient is, and when it was.
    """
    for name, scan in zip(SCANS, (follow.earlier, follow.later), strict=True):
        apart = folder / name
        apart.mkdir()
        write_files(explained(scan.study, scan.measurement), apart, deidentify=deidentify)
        for file in apart.iterdir():
            file.rename(folder / f"{name}.{file.name}")
        apart.rmdir()
    if deidentify:
        follow = replace(follow, earlier=_unnamed(follow.earlier), later=_unnamed(follow.later))
    (folder / "follow.html").write_text(render(follow), encoding="utf-8")
    (folder / "follow.json").write_text(follow_json(follow), encoding="utf-8")


def _unnamed(scan: Scan) -> Scan:
    return replace(scan, study=replace(scan.study, subject=Subject()))
