"""An archive as it is told of: its studies, whose they are, and how it went with each."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from calcinosis.cohort.ledger import Outcome
from calcinosis.cohort.survey import FoundStudy, Survey


@dataclass(frozen=True)
class Settings:
    """What holds for all studies of a run."""

    patient_position: str | None = None
    deidentify: bool = False


@dataclass(frozen=True, eq=False)
class Patient:
    """One patient of the archive, with the names of the studies in order of time.

    Attributes:
        key: tells the patient from others, and nothing else.
        patient_id: as the images give it; empty where they give none.
    """

    key: str
    patient_id: str
    studies: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Cohort:
    """An archive, as far as it is measured.

    Attributes:
        survey: what was found.
        studies: by name.
        outcomes: of what was done, by name: studies, and scans that were compared.
        patients: whose studies these are.
        output: the folder of the results.
        settings: of the run.
        unmatched: IDs of which something was stated, but no study was found.
        known: how many patients something was stated of.
    """

    survey: Survey
    studies: Mapping[str, FoundStudy]
    outcomes: Mapping[str, Outcome]
    patients: Sequence[Patient]
    output: Path
    settings: Settings
    unmatched: tuple[str, ...]
    known: int


def result_of(cohort: Cohort, name: str) -> dict[str, Any]:
    """What `result.json` of a study holds; empty where it was not measured."""
    outcome = cohort.outcomes.get(name)
    if outcome is None or outcome.state != "measured":
        return {}
    file = cohort.output / "studies" / name / "result.json"
    return dict(json.loads(file.read_text(encoding="utf-8")))


def patients_of(studies: Mapping[str, FoundStudy]) -> list[Patient]:
    """The patients, in order of their first name; studies without ID are of one patient each."""

    def person(name: str) -> tuple[str, str]:
        return studies[name].patient_id, "" if studies[name].patient_id else name

    def time(name: str) -> tuple[str, str, str]:
        day = studies[name].subject.study_date
        return str(day or "9999"), studies[name].time, name

    patients = []
    for (patient_id, _), names in groupby(sorted(studies, key=person), key=person):
        theirs = sorted(names, key=time)
        patients.append(Patient(f"P{min(theirs)}", patient_id, tuple(theirs)))
    return sorted(patients, key=lambda one: one.key)
