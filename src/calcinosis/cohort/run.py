"""The main path: find the studies of an archive, measure each that was not, and tell of all."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic

from calcinosis.cohort.cohort import Cohort, Settings, patients_of
from calcinosis.cohort.files import Told, write_tables
from calcinosis.cohort.known import as_text, read_known
from calcinosis.cohort.ledger import Ledger, Outcome, open_ledger
from calcinosis.cohort.one_study import measure_one
from calcinosis.cohort.progress import Shown
from calcinosis.cohort.survey import FoundStudy, survey
from calcinosis.made_by import made_by
from calcinosis.read.patient_file import PatientFile
from calcinosis.read.study import known_position
from calcinosis.write.files import explained, result_folder


def run(
    archive: Path,
    output: Path,
    settings: Settings,
    *,
    labs: Path | None = None,
    patients: Path | None = None,
    force: bool = False,
    shown: Shown,
) -> Told:
    """Measure an archive into a folder, or go on with it; the tables are of all that is done.

    Args:
        archive: a folder or zip.
        output: a new or empty folder, or one that such a run began.
        settings: for all studies.
        labs: laboratory results of the patients, see `read_known`.
        patients: case files, see `read_known`.
        force: begin anew, even in a folder with other files.
        shown: what shows how far it is.

    Raises:
        InputError: nothing readable in the archive, or a file that cannot be used.
        OutputError: the folder cannot be used.
    """
    settings = Settings(known_position(settings.patient_position), settings.deidentify)
    known = read_known(labs, patients)
    output = output.absolute()
    with (
        explained(output),
        open_ledger(output, deidentify=settings.deidentify, force=force) as ledger,
    ):
        found = survey(archive, besides=output, progress=shown.looked)
        studies = ledger.numbered(_ordered(found.studies, settings), force=force)
        ids = {study.patient_id for study in studies.values()}
        cohort = Cohort(
            found,
            studies,
            ledger.outcomes,
            patients_of(studies),
            {number: ledger.results(number) for number in studies},
            settings,
            tuple(sorted(known.keys() - ids)),
            len(known),
        )
        try:
            _measure(ledger, studies, known, settings, shown)
        finally:
            with result_folder(output, force=True) as folder:
                told = write_tables(cohort, folder)
    return told


def _ordered(studies: Sequence[FoundStudy], settings: Settings) -> list[FoundStudy]:
    """The order in which they get numbers: it tells nothing where nobody is to be named."""

    def place(study: FoundStudy) -> tuple[str, ...]:
        if settings.deidentify:
            return (study.fingerprint,)
        return study.patient_id, str(study.subject.study_date or ""), study.time, study.files[0]

    return sorted(studies, key=place)


def _measure(
    ledger: Ledger,
    studies: Mapping[int, FoundStudy],
    known: Mapping[str, PatientFile],
    settings: Settings,
    shown: Shown,
) -> None:
    """Measure what was not measured so: one study after another, each in a process of its own."""
    told = {number: as_text(known.get(study.patient_id)) for number, study in studies.items()}
    made = {number: _made_by(settings, told[number]) for number in studies}
    left = [number for number in studies if not ledger.done(number, made[number])]
    sizes = [studies[number].size_bytes for number in left]
    shown.begin(len(studies), len(left), sum(sizes))
    for number, size in zip(left, sizes, strict=True):
        began = monotonic()
        state, reason = measure_one(
            studies[number],
            ledger.results(number),
            temporary=ledger.temporary,
            known=told[number],
            patient_position=settings.patient_position,
            deidentify=settings.deidentify,
        )
        seconds = round(monotonic() - began, 2)
        fingerprint = studies[number].fingerprint
        ledger.keep(number, Outcome(fingerprint, made[number], state, reason, seconds))
        shown.measured(size)


def _made_by(settings: Settings, known: str | None) -> str:
    """All that decides the results beside the files."""
    told = f"{made_by('calcinosis')}\0{settings}\0{known}"
    return hashlib.sha256(told.encode()).hexdigest()
