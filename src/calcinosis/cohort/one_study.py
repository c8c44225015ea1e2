"""One study of the archive, given to a worker and watched: whatever it does, the rest goes on."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from calcinosis.cohort.survey import FoundStudy
from calcinosis.cohort.worker import Job, State
from calcinosis.errors import OutputError
from calcinosis.own_process import ended, messages, start
from calcinosis.write.files import result_folder

BEAT_S = 1.0
TIME_LIMIT_S = 3600.0  # of one study; a named parameter, far beyond the slowest measured (docs)


def measure_one(
    study: FoundStudy,
    results: Path,
    *,
    temporary: Path,
    known: str | None,
    patient_position: str | None,
    deidentify: bool,
) -> tuple[State, str]:
    """Analyse a study into a folder, all or nothing.

    Args:
        study: what to analyse.
        results: where its results go, in the place of earlier ones.
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
        job = Job(
            kind=study.kind,
            folder=str(study.folder.absolute()),
            zipped=str(study.zipped.absolute()) if study.zipped else None,
            files=study.files,
            known=known,
            patient_position=patient_position,
            deidentify=deidentify,
            output=str(made),
        )
        said = _watched(job, Path(place))
        if "error" in said:
            raise OutputError(f"the results cannot be written: {said['error']}")
        if said["state"] == "measured":
            results.parent.mkdir(exist_ok=True)
            with result_folder(results, force=True) as folder:
                for file in made.iterdir():
                    file.replace(folder / file.name)
    return said["state"], said["reason"]


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
