"""cohort.json: what an archive held, and how it was measured: ``calcinosis-cohort/1``."""

import json
import platform
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from typing import Literal

from pydantic import ConfigDict, Field

from calcinosis import __version__
from calcinosis.cohort.cohort import Cohort
from calcinosis.cohort.tables import MassRow, StudyRow
from calcinosis.write.record import Record

_LIBRARIES = ("numpy", "scipy", "scikit-image", "onnxruntime", "pydicom", "nibabel")


class CountsRecord(Record):
    """How many of each. Studies: `measured`, `not_ct`, `refused`, `failed` and `waiting` add up."""

    files: int = Field(description="in the archive; those in zips instead of the zips")
    ct_files: int = Field(description="CT images, and NIfTI and NRRD files")
    not_ct_files: dict[str, int] = Field(description="other DICOM files by modality")
    unreadable_files: int = Field(description="that nothing tells the study of")
    other_files: int
    studies_without_ct: int = Field(description="DICOM studies without a CT image: no rows")
    studies: int = Field(description="rows of studies.csv")
    patients: int
    patients_scanned_again: int
    measured: int
    not_ct: int = Field(description="which reading showed only: masks, projections, only scouts")
    refused: int
    failed: int
    waiting: int
    with_mass: int
    with_level: int
    with_erosion: int
    masses: int


class SettingsRecord(Record):
    """What held for all studies."""

    patient_position: str | None = Field(description="null: as the files say")
    deidentify: bool
    patients_known: int = Field(description="of whom laboratory results or a case file were given")


class CohortRecord(Record):
    """The whole of cohort.json."""

    model_config = ConfigDict(title="calcinosis-cohort/1")

    schema_: Literal["calcinosis-cohort/1"] = Field(
        "calcinosis-cohort/1", serialization_alias="schema"
    )
    version: str
    versions: dict[str, str]
    settings: SettingsRecord
    counts: CountsRecord
    unmatched_patients: int = Field(description="known, but without a study in the archive")
    unmatched_ids: tuple[str, ...] | None = Field(description="null where de-identified")


def counts_of(
    cohort: Cohort, studies: Sequence[StudyRow], masses: Sequence[MassRow]
) -> CountsRecord:
    """How many of each there are."""
    found, states = cohort.survey, Counter(row.state for row in studies)
    return CountsRecord(
        files=found.files,
        ct_files=found.ct_files,
        not_ct_files=dict(found.not_ct.most_common()),
        unreadable_files=found.unreadable,
        other_files=found.others,
        studies_without_ct=found.studies_without_ct,
        studies=len(studies),
        patients=len({row.patient for row in studies if row.state != "not_ct"}),
        patients_scanned_again=sum(len(one.studies) > 1 for one in cohort.patients),
        measured=states["measured"],
        not_ct=states["not_ct"],
        refused=states["refused"],
        failed=states["failed"],
        waiting=states["waiting"],
        with_mass=sum(bool(row.masses) for row in studies),
        with_level=sum(bool(row.sedimentation_sign) for row in studies),
        with_erosion=sum(bool(row.eroded) for row in studies),
        masses=len(masses),
    )


def cohort_json(cohort: Cohort, counts: CountsRecord) -> str:
    """The text of cohort.json."""
    settings = cohort.settings
    python = {"python": platform.python_version()}
    record = CohortRecord.model_validate(
        {
            "version": __version__,
            "versions": python | {name: version(name) for name in _LIBRARIES},
            "settings": {**vars(settings), "patients_known": cohort.known},
            "counts": counts,
            "unmatched_patients": len(cohort.unmatched),
            "unmatched_ids": None if settings.deidentify else cohort.unmatched,
        }
    )
    told = record.model_dump(mode="json", by_alias=True)
    return json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
