"""One study, or two to compare, given to a worker and watched: come what may, the rest goes on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from calcinosis.cohort.survey import FoundStudy
from calcinosis.cohort.worker import Images, Job, State
from calcinosis.errors import OutputError
from calcinosis.own_process import ended, messages, start
from calcinosis.write.files import result_folder

BEAT_S = 1.0
TIME_LIMIT_S = 3600.0  # of one job; a named parameter, far beyond the slowest measured (docs)


def do_one(
    studies: Sequence[FoundStudy],
    results: Path,
    *,
    kept: Sequence[Path],
    temporary: Path,
    known: str | None,
    patient_position: str | None,
    deidentify: bool,
) -> tuple[State, str]:
    """Analyse a study, or compare two, into a folder: all or nothing.

    Args:
        studies: what to analyse; two of them, the earlier first, are compared.
        results: where the results go, in the place of earlier ones.
        kept: a file for each study, for what was measured on it.
        temporary: for what is needed meanwhile.
        known: what is known of the patient, as `known.as_text` tells it.
        patient_position: how the patient lay, instead of what the files say.
        deidentify: say nowhere who the patient is.

    Returns:
        What became of it, and why in one line where it was not measured.

    Raises:
        OutputError: the results cannot be written.
    """
    with TemporaryDirectory(dir=temporary) as place:
        made = Path(place) / "results"
        made.mkdir()
        scans = tuple(map(_images, studies))
        files = tuple(map(str, kept))
        job = Job(scans, files, known, patient_position, deidentify, str(made))
        said = _watched(job, Path(place))
        if "error" in said:
            raise OutputError(f"the results cannot be written: {said['error']}")
        if said["state"] == "measured":
            results.parent.mkdir(exist_ok=True)
            with result_folder(results, force=True) as folder:
                for file in made.iterdir():
                    file.replace(folder / file.name)
    return said["state"], said["reason"]


def _images(study: FoundStudy) -> Images:
    zipped = str(study.zipped.absolute()) if study.zipped else None
    return Images(study.kind, str(study.folder.absolute()), zipped, study.files)


def _watched(job: Job, temporary: Path) -> Mapping[str, Any]:
    """The last word of a worker, or what became of it."""
    deadline = monotonic() + TIME_LIMIT_S
    process = start("calcinosis.cohort.worker", job.to_json(), temporary)
    try:
        for message in messages(process, BEAT_S):
            if "state" in message or "error" in message:
                return message
            if monotonic() > deadline:
                return {"state": "failed", "reason": f"took longer than {TIME_LIMIT_S:g} s"}
        return {"state": "failed", "reason": ended(process.wait())}
    finally:
        process.kill()
        process.wait()
