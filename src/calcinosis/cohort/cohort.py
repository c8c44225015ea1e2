"""An archive as it is told of: its studies, whose they are, and how it went with each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from calcinosis.cohort.ledger import Outcome
from calcinosis.cohort.survey import FoundStudy, Survey


@dataclass(frozen=True)
class Settings:
    """What holds for all studies of a run."""

    patient_position: str | None = None
    deidentify: bool = False


@dataclass(frozen=True, eq=False)
class Patient:
    """One patient of the archive, with the numbers of the studies in order of time.

    Attributes:
        key: tells the patient from others, and nothing else.
        patient_id: as the images give it; empty where they give none.
    """

    key: str
    patient_id: str
    studies: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Cohort:
    """An archive, as far as it is measured.

    Attributes:
        survey: what was found.
        studies: by number.
        outcomes: of the studies that were looked at, by number.
        patients: whose studies these are.
        results: where the results of each study lie.
        settings: of the run.
        unmatched: IDs of which something was stated, but no study was found.
        known: how many patients something was stated of.
    """

    survey: Survey
    studies: Mapping[int, FoundStudy]
    outcomes: Mapping[int, Outcome]
    patients: Sequence[Patient]
    results: Mapping[int, Path]
    settings: Settings
    unmatched: tuple[str, ...]
    known: int


def patients_of(studies: Mapping[int, FoundStudy]) -> list[Patient]:
    """The patients, in order of their first number; studies without ID are of one patient each."""

    def person(number: int) -> tuple[str, int]:
        return studies[number].patient_id, 0 if studies[number].patient_id else number

    def time(number: int) -> tuple[str, str, int]:
        day = studies[number].subject.study_date
        return str(day or "9999"), studies[number].time, number

    patients = []
    for (patient_id, _), numbers in groupby(sorted(studies, key=person), key=person):
        theirs = sorted(numbers, key=time)
        patients.append(Patient(f"P{min(theirs):04d}", patient_id, tuple(theirs)))
    return sorted(patients, key=lambda one: one.key)
