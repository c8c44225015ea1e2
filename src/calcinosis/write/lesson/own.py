"""A teacher's own study as a lesson of one case, without anything that says whose it is."""

from dataclasses import dataclass
from pathlib import Path

from calcinosis.analysis import analyze
from calcinosis.errors import InputError
from calcinosis.explain.tables import load_tables
from calcinosis.read.patient_file import known_patient
from calcinosis.read.study import read_study
from calcinosis.write.deidentify import without_identity
from calcinosis.write.lesson import script
from calcinosis.write.lesson.lesson import write_pages
from calcinosis.write.lesson.taught import Begin, Taught


@dataclass(frozen=True)
class Own:
    """What a teacher gives: the study, what is known beside it, and the true diagnosis if known."""

    study: Path | None
    labs: Path | None = None
    patient: Path | None = None
    diagnosis: str | None = None


def check(own: Own) -> None:
    """Refuse what cannot be used, before anything is measured.

    Raises:
        InputError: what belongs to a study without one, or an unknown diagnosis.
    """
    for option in ("labs", "patient", "diagnosis"):
        if own.study is None and getattr(own, option) is not None:
            raise InputError(f"--{option} belongs to your own case; expected --study INPUT with it")
    names = load_tables().names if own.diagnosis is not None else ()
    if own.diagnosis is not None and own.diagnosis not in names:
        known = ", ".join(sorted(names))
        raise InputError(f"--diagnosis {own.diagnosis!r} is unknown; expected one of {known}")


def write_own_lesson(own: Own, folder: Path, begin: Begin) -> None:
    """Measure a study, take out who it is, and write the lesson into an existing folder.

    Raises:
        InputError: an input that cannot be used, or a study without a mass.
    """
    assert own.study is not None  # noqa: S101 - the command asks before
    known = known_patient(own.patient, own.labs)
    study = read_study(own.study, progress=begin("Reading"))
    analysis = without_identity(analyze(study, known, progress=begin("Measuring")))
    if analysis.explanation is None:
        raise InputError("no calcified mass was found in this study; a lesson needs one")
    begin("Writing")
    case = script.load_case(script.OWN)
    write_pages(folder, [Taught(case, analysis, own.diagnosis)], artificial=False)
