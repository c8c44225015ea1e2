"""The main path: find the studies of an archive, measure each that was not, and tell of all."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic

from calcinosis.cohort.changes import pairs
from calcinosis.cohort.cohort import Cohort, Settings, patients_of
from calcinosis.cohort.files import Told, write_tables
from calcinosis.cohort.known import as_text, read_known
from calcinosis.cohort.ledger import PAIR, Ledger, Outcome, open_ledger, pair_of
from calcinosis.cohort.one_job import do_one
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
        studies = ledger.named(_ordered(found.studies, settings), force=force)
        ids = {study.patient_id for study in studies.values()}
        cohort = Cohort(
            found,
            studies,
            ledger.outcomes,
            patients_of(studies),
            output,
            settings,
            tuple(sorted(known.keys() - ids)),
            len(known),
        )
        try:
            _measure(ledger, cohort, known, shown)
            _follow(ledger, cohort, known, shown)
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
    ledger: Ledger, cohort: Cohort, known: Mapping[str, PatientFile], shown: Shown
) -> None:
    """Measure each study that was not: one after another, each in a process of its own."""
    told = {name: as_text(known.get(study.patient_id)) for name, study in cohort.studies.items()}
    jobs = {name: ([study], told[name]) for name, study in cohort.studies.items()}
    _do("measured", jobs, ledger, cohort, shown)


def _follow(ledger: Ledger, cohort: Cohort, known: Mapping[str, PatientFile], shown: Shown) -> None:
    """Compare scans of a patient, where that was not done."""
    there = {pair_of(*pair): [cohort.studies[name] for name in pair] for pair in pairs(cohort)}
    for name in list(ledger.outcomes.keys() - cohort.studies.keys() - there.keys()):
        ledger.forget(name)
    jobs = {
        name: (studies, as_text(known.get(studies[1].patient_id)))
        for name, studies in there.items()
    }
    if jobs:
        _do("followed", jobs, ledger, cohort, shown)


def _do(
    what: str,
    jobs: Mapping[str, tuple[Sequence[FoundStudy], str | None]],
    ledger: Ledger,
    cohort: Cohort,
    shown: Shown,
) -> None:
    """Do the jobs that were not done by this program with these settings and facts."""
    settings = cohort.settings
    files = {name: " ".join(one.fingerprint for one in jobs[name][0]) for name in jobs}
    made = {name: _made_by(settings, known, files[name]) for name, (_, known) in jobs.items()}
    left = [name for name in jobs if not ledger.done(name, made[name])]
    sizes = [sum(study.size_bytes for study in jobs[name][0]) for name in left]
    shown.begin(what, len(jobs), len(left), sum(sizes))
    for name, size in zip(left, sizes, strict=True):
        studies, known = jobs[name]
        began = monotonic()
        state, reason = do_one(
            studies,
            ledger.results(name),
            kept=[ledger.kept(study) for study in name.split(PAIR)],
            temporary=ledger.temporary,
            known=known,
            patient_position=settings.patient_position,
            deidentify=settings.deidentify,
        )
        seconds = round(monotonic() - began, 2)
        ledger.keep(name, Outcome(files[name], made[name], state, reason, seconds))
        shown.one_more(size)


def _made_by(settings: Settings, known: str | None, files: str) -> str:
    """All that decides the results; that it tells the files apart hides what is known."""
    told = f"{made_by('calcinosis')}\0{settings}\0{known}\0{files}"
    return hashlib.sha256(told.encode()).hexdigest()
