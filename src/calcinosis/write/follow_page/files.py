"""What the ``follow`` command leaves: follow.html, follow.json, and the results of both scans."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from calcinosis.analysis import Analysis, explained
from calcinosis.follow.follow_up import FollowUp
from calcinosis.follow.scan import Scan
from calcinosis.forecast.given_prescription import GivenPrescription
from calcinosis.read.patient_file import PatientFile
from calcinosis.volume import Subject
from calcinosis.write.deidentify import without_identity
from calcinosis.write.files import SCANS
from calcinosis.write.follow_page.page import REPORTS, render
from calcinosis.write.follow_page.record import follow_json
from calcinosis.write.results import write_files


def write_follow_up(
    follow: FollowUp,
    folder: Path,
    *,
    patient: PatientFile | None = None,
    prescription: GivenPrescription | None = None,
    deidentify: bool = False,
) -> Analysis:
    """Write the comparison into an existing folder, and all results of either scan beside it.

    Args:
        follow: what to write.
        folder: exists, and is empty.
        patient: what is known of the patient on the day of the later scan.
        prescription: of that day.
        deidentify: say nowhere who the patient is, and when it was.

    Returns:
        The later scan with all that was known.
    """
    then = explained(follow.earlier.study, follow.earlier.measurement)
    now = later_explained(follow, patient, prescription)
    for name, analysis in zip(SCANS, (then, now), strict=True):
        apart = folder / name
        apart.mkdir()
        write_files(analysis, apart, deidentify=deidentify)
        for file in apart.iterdir():
            file.rename(folder / f"{name}.{file.name}")
        apart.rmdir()
    if deidentify:
        now = without_identity(now)
        follow = replace(follow, earlier=_unnamed(follow.earlier), later=_unnamed(follow.later))
    write_comparison(follow, now, folder)
    return now


def write_comparison(
    follow: FollowUp, now: Analysis, folder: Path, *, reports: Sequence[str | None] = REPORTS
) -> None:
    """Write follow.html and follow.json into an existing folder.

    Args:
        follow: what to write.
        now: the later scan as `later_explained` gives it.
        folder: exists.
        reports: where the reports of the earlier and the later scan lie, seen from there.
    """
    (folder / "follow.html").write_text(render(follow, now, reports), encoding="utf-8")
    (folder / "follow.json").write_text(follow_json(follow), encoding="utf-8")


def later_explained(
    follow: FollowUp,
    patient: PatientFile | None,
    prescription: GivenPrescription | None,
    timings_s: Mapping[str, float] | None = None,
) -> Analysis:
    """The later scan explained, and forecast from what the masses did.

    Args:
        follow: two scans compared.
        patient: what is known of the patient on the day of the later scan.
        prescription: of that day.
        timings_s: of the steps before.
    """
    before = None
    if patient and patient.patient.on_dialysis:  # else none is forecast
        from calcinosis.follow.measured_before import measured_before

        before = measured_before(follow)
    later = follow.later
    return explained(
        later.study, later.measurement, patient, timings_s, prescription=prescription, before=before
    )


def _unnamed(scan: Scan) -> Scan:
    return replace(scan, study=replace(scan.study, subject=Subject()))
