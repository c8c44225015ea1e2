"""One analysis in a process of its own, that may be killed at any time.

``python -m calcinosis.serve.worker`` is a child as `own_process` has it. It writes only into the
folder of its run; what it leaves counts for nothing until the parent says so.
"""

import json
import os
import resource
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from calcinosis.errors import CalcinosisError, OutputError
from calcinosis.measure.mass import CtMeasurement, Point
from calcinosis.memory import give_small_pieces_back
from calcinosis.own_process import (
    defect,
    disk_is_full,
    job_of_parent,
    say,
    without_memory,
    without_quotation,
)
from calcinosis.read.numbered import by_number
from calcinosis.serve.earlier_scans import EarlierScan
from calcinosis.serve.given import (
    LabsKind,
    read_given,
    read_given_prescription,
    read_given_seeds,
)
from calcinosis.write.files import sync

if TYPE_CHECKING:
    from calcinosis.volume import Study

DISK_FULL = "the disk is full; free some of it, and the study goes on"
NICENESS = 5  # receiving goes before analysing
READ_SHARE, MEASURE_SHARE = 0.15, 0.75  # of the progress


@dataclass(frozen=True)
class Job:
    """What a worker is to do.

    Attributes:
        instances: folder of the received files.
        run: folder to write into; made here.
        last_run: folder of the run before, whose measurement holds if it had the same seeds; None
            to measure.
        earlier_scans: of the same patient, the latest first.
        labs: text entered beside the images.
        prescription: today's, as entered.
        seeds: points to be measured as masses, as kept.
        memory_mb: the most memory the process may take.
    """

    instances: str
    run: str
    last_run: str | None
    earlier_scans: tuple[EarlierScan, ...]
    labs: str | None
    labs_kind: LabsKind | None
    prescription: str | None
    seeds: str | None
    deidentify: bool
    memory_mb: int

    def to_json(self) -> str:
        """As one line."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, told: dict[str, Any]) -> "Job":
        """Of what `to_json` told."""
        scans = tuple(EarlierScan(**scan) for scan in told["earlier_scans"])
        return cls(**{**told, "earlier_scans": scans})


def main() -> None:
    """Do one job."""
    job = Job.of(job_of_parent())
    os.nice(NICENESS)
    limit = job.memory_mb << 20
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    try:
        say(**_work(job))
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


def _work(job: Job) -> dict[str, Any]:
    """Read, measure where needed, compare, explain, write; the last word on it."""
    from calcinosis.read.study import read_study

    instances = Path(job.instances)
    study = read_study(instances, progress=lambda done: _tell(READ_SHARE * done))
    study = replace(study, chosen_because=by_number(study.chosen_because, instances))
    # What is refused never needs these.
    from calcinosis.analysis import explained
    from calcinosis.serve.earlier_scans import MeasuredScan, compare
    from calcinosis.write.measurement_file import NAME, load_measurement, save_measurement
    from calcinosis.write.results import write_files

    given = read_given(job.labs, job.labs_kind) if job.labs and job.labs_kind else None
    prescription = read_given_prescription(job.prescription)
    seeds = read_given_seeds(job.seeds)
    last_run = Path(job.last_run) if job.last_run else None
    kept = load_measurement(last_run / NAME, study, seeds) if last_run else None
    began = perf_counter()
    measurement = kept or _measure(study, seeds)
    timings_s = {} if kept else {"measure": perf_counter() - began}
    _tell(READ_SHARE + MEASURE_SHARE)
    run = Path(job.run)
    results = run / "results"
    results.mkdir(parents=True, mode=0o700)
    save_measurement(run / NAME, study, measurement, seeds)
    now = MeasuredScan(study, measurement, seeds)
    follow, left_out = compare(now, job.earlier_scans, run, last_run)
    if follow:
        from calcinosis.write.follow_page.files import later_explained, write_comparison

        analysis = later_explained(follow, given, prescription, timings_s)
        write_comparison(follow, analysis, results, reports=(None, "report.html"))
    else:
        analysis = explained(study, measurement, given, timings_s, prescription=prescription)
    analysis = replace(analysis, remarks=(*analysis.remarks, *left_out))
    write_files(analysis, results, deidentify=job.deidentify)
    sync(run)
    files = [_instance(path) for path in sorted(results.glob("*.dcm"))]
    return {"files": files, "measured": kept is None}


def _measure(study: "Study", seeds_lps_mm: tuple[Point, ...]) -> CtMeasurement:
    from calcinosis.measure.ct import measure_ct

    measurement = measure_ct(
        study,
        seeds_lps_mm=seeds_lps_mm,
        progress=lambda done: _tell(READ_SHARE + MEASURE_SHARE * done),
    )
    give_small_pieces_back()  # what follows loads the tables of DICOM
    return measurement


def _instance(path: Path) -> dict[str, str]:
    import pydicom

    uid = pydicom.dcmread(path, specific_tags=["SOPInstanceUID"]).SOPInstanceUID
    return {"name": path.name, "sop_instance_uid": str(uid)}


def _tell(progress: float) -> None:
    say(progress=round(progress, 3))


if __name__ == "__main__":
    main()
