"""What the ``cohort`` command leaves beside the studies: page, record and tables."""

from pathlib import Path
from typing import NamedTuple

from calcinosis.cohort.changes import ChangeRow, changes_of
from calcinosis.cohort.cohort import Cohort
from calcinosis.cohort.page import render
from calcinosis.cohort.record import CountsRecord, cohort_json, counts_of
from calcinosis.cohort.tables import MassRow, StudyRow, as_csv, rows_of


class Told(NamedTuple):
    """What is told of an archive on the terminal."""

    counts: CountsRecord
    masses: list[MassRow]
    unmatched: int


def write_tables(cohort: Cohort, folder: Path) -> Told:
    """Write page, record and tables into an existing folder."""
    studies, masses = rows_of(cohort)
    changes = changes_of(cohort)
    counts = counts_of(cohort, studies, masses)
    texts = {
        "studies.csv": as_csv(StudyRow, studies),
        "masses.csv": as_csv(MassRow, masses),
        "changes.csv": as_csv(ChangeRow, changes),
        "cohort.json": cohort_json(cohort, counts),
        "cohort.html": render(cohort, counts, studies, masses, changes),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return Told(counts, masses, len(cohort.unmatched))
