"""What the ``scintigraphy`` command leaves: scintigraphy.html and scintigraphy.json."""

from dataclasses import replace
from pathlib import Path

from calcinosis.errors import InputError
from calcinosis.explain.explanation import Explanation, explain
from calcinosis.finding import Finding
from calcinosis.measure.scintigraphy import Uptake, measure_uptake
from calcinosis.read.patient_file import PatientFile
from calcinosis.read.scintigram import BoneScan
from calcinosis.read.subject import doubts, informed
from calcinosis.volume import Subject
from calcinosis.write.deidentify import explanation_without_identity
from calcinosis.write.scintigraphy_page.page import render
from calcinosis.write.scintigraphy_page.record import uptake_json


def write_uptake(
    scan: BoneScan,
    folder: Path,
    *,
    view: int,
    at: tuple[int, int],
    patient: PatientFile | None = None,
    deidentify: bool = False,
) -> Uptake:
    """Measure the mass at a point, and write what it takes up into an existing folder.

    Args:
        scan: a bone scan.
        folder: exists, and is empty.
        view: which of its views, from 1.
        at: column and row of the point, from 0.
        patient: what is known beside it; explained where something is.
        deidentify: say nowhere who the patient is, and when it was.

    Raises:
        InputError: there is no such view, or see `measure_uptake`.
    """
    if not 1 <= view <= len(scan.views):
        raise InputError(f"--view {view}: the file has {len(scan.views)}; expected one of them")
    scintigram = scan.views[view - 1]
    uptake = measure_uptake(scintigram, (at[1], at[0]))
    doubted = doubts(patient.patient, scan.subject, "bone scan") if patient else ()
    found = Finding("tracer_uptake", uptake.state, "measured", "scintigraphy")
    explanation = _explained(found, patient, scan.subject)
    if deidentify and explanation:
        explanation = explanation_without_identity(explanation)
    remarks = (*uptake.remarks, *scan.remarks, *doubted)
    page = render(
        scintigram,
        uptake,
        subject=Subject() if deidentify else scan.subject,
        remarks=remarks,
        explanation=explanation,
    )
    (folder / "scintigraphy.html").write_text(page, encoding="utf-8")
    record = uptake_json(
        uptake, found, view=scintigram.view, at=at, remarks=remarks, explanation=explanation
    )
    (folder / "scintigraphy.json").write_text(record, encoding="utf-8")
    return replace(uptake, remarks=remarks)


def _explained(found: Finding, patient: PatientFile | None, subject: Subject) -> Explanation | None:
    """What the mass most likely is; None where nothing was given: uptake alone tells little."""
    known = informed(patient, subject) if patient else None
    if known is None:
        return None
    return explain(known.case, known.patient, [found])
