"""One analysis in a process of its own, that may be killed at any time.

``python -m calcinosis.serve.worker`` is a child as `own_process` has it. It writes only into the
folder of its run; what it leaves counts for nothing until the parent says so.
"""

import json
import os
import resource
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from calcinosis.errors import CalcinosisError, OutputError
from calcinosis.own_process import (
    defect,
    disk_is_full,
    job_of_parent,
    say,
    without_memory,
    without_quotation,
)
from calcinosis.read.numbered import by_number
from calcinosis.serve.given import (
    LabsKind,
    read_given,
    read_given_prescription,
    read_given_seeds,
)
from calcinosis.write.files import sync

DISK_FULL = "the disk is full; free some of it, and the study goes on"
NICENESS = 5  # receiving goes before analysing
READ_SHARE, MEASURE_SHARE = 0.15, 0.75  # of the progress


@dataclass(frozen=True)
class Job:
    """What a worker is to do.

    Attributes:
        instances: folder of the received files.
        run: folder to write into; made here.
        earlier: folder of an earlier run, whose measurement holds if it had the same seeds; None
            to measure.
        labs: text entered beside the images.
        prescription: today's, as entered.
        seeds: points to be measured as masses, as kept.
        memory_mb: the most memory the process may take.
    """

    instances: str
    run: str
    earlier: str | None
    labs: str | None
    labs_kind: LabsKind | None
    prescription: str | None
    seeds: str | None
    deidentify: bool
    memory_mb: int

    def to_json(self) -> str:
        """As one line."""
        return json.dumps(asdict(self))


def main() -> None:
    """Do one job."""
    job = Job(**job_of_parent())
    os.nice(NICENESS)
    limit = job.memory_mb << 20
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    try:
        say(files=_work(job))
    except Exception as error:  # noqa: BLE001 - a traceback would quote the patient
        say(**_last_word(error, job))


def _last_word(error: Exception, job: Job) -> dict[str, Any]:
    """One line on why it could not be done, and whether it is to be tried again."""
    if without_memory(error):
        line = f"the study needs more than {job.memory_mb} MB of memory; --memory-limit raises that"
        return {"error": line, "again": False}
    if disk_is_full(error):
        return {"error": DISK_FULL, "waits": True}
    if isinstance(error, OutputError):
        return {"error": str(error), "again": True}
    if isinstance(error, CalcinosisError):
        line = by_number(without_quotation(error), Path(job.instances))
        return {"error": line, "again": False}
    return {"error": defect(error), "again": False}


def _work(job: Job) -> list[dict[str, str]]:
    """Read, measure where needed, explain, write; the DICOM files among the results."""
    from calcinosis.read.study import read_study

    instances = Path(job.instances)
    study = read_study(instances, progress=lambda done: _tell(READ_SHARE * done))
    study = replace(study, chosen_because=by_number(study.chosen_because, instances))
    # What is refused never needs these.
    from calcinosis.analysis import analyze, explained
    from calcinosis.serve.measurement_file import NAME, load_measurement, save_measurement
    from calcinosis.write.results import write_files

    given = read_given(job.labs, job.labs_kind) if job.labs and job.labs_kind else None
    prescription = read_given_prescription(job.prescription)
    seeds = read_given_seeds(job.seeds)
    measurement = load_measurement(Path(job.earlier) / NAME, study, seeds) if job.earlier else None
    if measurement is None:
        analysis = analyze(
            study,
            given,
            prescription=prescription,
            seeds_lps_mm=seeds,
            progress=lambda done: _tell(READ_SHARE + MEASURE_SHARE * done),
        )
    else:
        analysis = explained(study, measurement, given, prescription=prescription)
    _tell(READ_SHARE + MEASURE_SHARE)
    run = Path(job.run)
    (run / "results").mkdir(parents=True, mode=0o700)
    write_files(analysis, run / "results", deidentify=job.deidentify)
    save_measurement(run / NAME, study, analysis.measurement, seeds)
    sync(run)
    return [_instance(path) for path in sorted((run / "results").glob("*.dcm"))]


def _instance(path: Path) -> dict[str, str]:
    import pydicom

    uid = pydicom.dcmread(path, specific_tags=["SOPInstanceUID"]).SOPInstanceUID
    return {"name": path.name, "sop_instance_uid": str(uid)}


def _tell(progress: float) -> None:
    say(progress=round(progress, 3))


if __name__ == "__main__":
    main()
