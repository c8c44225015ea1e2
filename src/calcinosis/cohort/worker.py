"""One study analysed as `analyze` does it, or two as `follow` does, in a process of its own."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

from calcinosis.cohort.survey import printable
from calcinosis.errors import CalcinosisError, NotCtError, OutputError
from calcinosis.measure.mass import CtMeasurement, Point
from calcinosis.memory import give_memory_back
from calcinosis.own_process import (
    defect,
    disk_is_full,
    job_of_parent,
    say,
    without_memory,
    without_quotation,
)
from calcinosis.read.numbered import by_number
from calcinosis.write.files import sync

if TYPE_CHECKING:
    from calcinosis.volume import Study

# measured: with or without a mass; not_ct: a readable image, but no CT; refused: the input must
# change; failed: crashed, or ran out of time or memory, so that another try may help.
State = Literal["measured", "not_ct", "refused", "failed"]
_NOT_MEMORY = "there is not enough memory for this scan"


@dataclass(frozen=True)
class Images:
    """Files of one study.

    Attributes:
        kind: images of DICOM, or one file of NIfTI or NRRD.
        folder: below which the files lie; not used where they lie in a zip.
        zipped: the zip.
        files: below the folder, or in the zip.
    """

    kind: Literal["dicom", "grid"]
    folder: str
    zipped: str | None
    files: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """What a worker is to do.

    Attributes:
        scans: one to analyse, or the earlier and the later one to compare.
        known: what is known of the patient, as `known.as_text` tells it.
        kept: a file for each scan: what was measured on it, once it was.
        output: an empty folder.
    """

    scans: tuple[Images, ...]
    kept: tuple[str, ...]
    known: str | None
    patient_position: str | None
    deidentify: bool
    output: str

    def to_json(self) -> str:
        """As one line."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, told: dict[str, Any]) -> "Job":
        """Of what `to_json` told."""
        scans = tuple(Images(**scan) for scan in told["scans"])
        return cls(**{**told, "scans": scans, "kept": tuple(told["kept"])})


def main() -> None:
    """Do one job."""
    job = Job.of(job_of_parent())
    give_memory_back()
    with tempfile.TemporaryDirectory() as place:
        try:
            _work(job, Path(place))
            say(state="measured", reason="")
        except Exception as error:  # noqa: BLE001 - a traceback would quote the patient
            say(**_last_word(error, job, Path(place)))


def _last_word(error: Exception, job: Job, place: Path) -> dict[str, Any]:
    """What became of the study, and why in one line."""
    if without_memory(error):
        return {"state": "failed", "reason": _NOT_MEMORY}
    if disk_is_full(error):
        return {"error": "the disk is full"}
    if isinstance(error, OutputError):
        return {"error": str(error)}
    if isinstance(error, CalcinosisError):
        state = "not_ct" if isinstance(error, NotCtError) else "refused"
        return {"state": state, "reason": _told(error, job, place)}
    return {"state": "failed", "reason": defect(error)}


def _told(error: CalcinosisError, job: Job, place: Path) -> str:
    """The line of an error; without names of files, where it is to name nobody."""
    line = by_number(without_quotation(error), place)
    for scan in job.scans:
        line = line.replace(f"{scan.folder}/", "")
        for name in _telling(scan) if job.deidentify else ():
            line = line.replace(name, "the file")
    return printable(line.replace(f"{place}/", ""))


def _telling(scan: Images) -> list[str]:
    """Names that a line may hold; images of DICOM are read by others."""
    grid = [scan.files[0], Path(scan.files[0]).name] if scan.kind == "grid" else []
    return [*grid, Path(scan.zipped).name] if scan.zipped else grid


def _work(job: Job, place: Path) -> None:
    """Read, analyse or compare, write."""
    began = perf_counter()
    studies = [_read(job, at, place) for at in range(len(job.scans))]
    read_s = perf_counter() - began
    if len(studies) == 1:
        _analyse(job, studies[0], read_s)
    else:
        _compare(job, studies)
    sync(Path(job.output))


def _analyse(job: Job, study: "Study", read_s: float) -> None:
    """As `analyze` does it; what was measured before, by this program, is not measured again."""
    # What is refused never needs these.
    from calcinosis.analysis import analyze, explained
    from calcinosis.cohort.known import of_text
    from calcinosis.write.measurement_file import load_measurement, save_measurement
    from calcinosis.write.results import write_files

    known, kept = of_text(job.known), Path(job.kept[0])
    measurement = load_measurement(kept, study)
    analysis = explained(study, measurement, known) if measurement else analyze(study, known)
    analysis = replace(analysis, timings_s={"read": read_s, **analysis.timings_s})
    write_files(analysis, Path(job.output), deidentify=job.deidentify)
    if measurement is None:
        new = kept.with_suffix(".new")
        save_measurement(new, study, analysis.measurement)
        new.replace(kept)


def _compare(job: Job, studies: Sequence["Study"]) -> None:
    """As `follow` does it, with what was measured before."""
    from calcinosis.cohort.known import of_text
    from calcinosis.follow.follow_up import follow_up
    from calcinosis.measure.ct import measure_ct
    from calcinosis.write.follow_page.files import write_follow_up
    from calcinosis.write.measurement_file import load_measurement

    def measure(study: "Study", seeds: Sequence[Point], _progress: object) -> CtMeasurement:
        at = next(number for number, one in enumerate(studies) if one is study)
        kept = None if seeds else load_measurement(Path(job.kept[at]), study)
        return kept or measure_ct(study, seeds_lps_mm=seeds)

    follow = follow_up(studies[0], studies[1], measure=measure)
    known = of_text(job.known)
    write_follow_up(follow, Path(job.output), patient=known, deidentify=job.deidentify)


def _read(job: Job, at: int, place: Path) -> "Study":
    from calcinosis.read.archive import unpack
    from calcinosis.read.study import read_images, read_study

    scan = job.scans[at]
    unpacked = unpack(Path(scan.zipped), scan.files) if scan.zipped else None
    folder = unpacked.folder if unpacked else Path(scan.folder)
    files = [folder / name for name in scan.files]
    if scan.kind == "grid":
        study = read_study(files[0], patient_position=job.patient_position)
        return replace(study, unpacked=unpacked)
    if job.deidentify:
        files = _nameless(files, place, at)
    return read_images(files, patient_position=job.patient_position, unpacked=unpacked)


def _nameless(files: Sequence[Path], place: Path, scan: int) -> list[Path]:
    """Links to files by names that tell nothing, in folders as before and in the same order."""
    folders = {folder: at for at, folder in enumerate(dict.fromkeys(f.parent for f in files))}
    links = []
    for at, file in enumerate(files):
        link = place / f"{scan}-{folders[file.parent]}" / f"{scan:02x}{at:030x}.dcm"
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(file.absolute())
        links.append(link)
    return links


if __name__ == "__main__":
    main()
