"""Result folders that are either complete or untouched."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from calcinosis.errors import CalcinosisError, OutputError

ANALYSIS_FILES = (
    "report.html",
    "result.json",
    "forecast.csv",
    "masses.nii.gz",
    "masses.seg.dcm",
    "measurements.sr.dcm",
    "bundle.fhir.json",
)
SCANS = ("earlier", "later")  # a follow-up leaves the files of both, by these names before theirs
# All that a command may leave in its output folder (docs): beside results of another run they would
# be taken for the same patient's.
RESULT_FILES = (
    *ANALYSIS_FILES,
    *(f"{scan}.{name}" for scan in SCANS for name in ANALYSIS_FILES),
    "forecast.html",
    "forecast.json",
    "diagnosis.json",
    "diagnosis.jsonl",
    "follow.html",
    "follow.json",
    "scintigraphy.html",
    "scintigraphy.json",
    "lesson.html",
    "lesson.zip",
    "radiograph.html",
    "radiograph.json",
    "mri.html",
    "mri.json",
    "ultrasound.html",
    "ultrasound.json",
)


@contextmanager
def result_folder(output: Path, *, force: bool = False) -> Iterator[Path]:
    """Yield a hidden folder to build results in; they move to `output` only if all went well.

    On any failure, Ctrl-C included, `output` stays as it was. With `force`, results of an earlier
    run are replaced once the new ones are complete; files we did not write are never touched.

    Raises:
        OutputError: `output` is a file, is not empty (without `force`), or cannot be written.
    """
    output = output.absolute()
    with explained(output):
        refuse_unusable(output, force=force)
        building = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=_existing_parent(output)))
    try:
        with explained(output):
            new = building / "new"
            new.mkdir()
            yield new
            _move_in(new, output, building / "old")
    finally:
        shutil.rmtree(building, ignore_errors=True)


def refuse_unusable(output: Path, *, force: bool) -> None:
    """See that results can go into a folder.

    Raises:
        OutputError: it is a file, is not empty (without `force`), or cannot be written.
    """
    if output.exists() and not output.is_dir():
        raise OutputError(f"output {output.name!r} is a file; expected a folder")
    if output.is_dir() and any(output.iterdir()) and not force:
        raise OutputError(
            f"output folder {output.name!r} is not empty; "
            "choose another, or replace its results with --force"
        )
    parent = output if output.is_dir() else _existing_parent(output)
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise OutputError(f"output folder {output.name!r}: {parent.name!r} cannot be written to")


def _existing_parent(output: Path) -> Path:
    return next(parent for parent in output.parents if os.access(parent, os.F_OK))


@contextmanager
def explained(output: Path) -> Iterator[None]:
    """Turn what the disk refuses into one clear line; other files are none of its business."""
    try:
        yield
    except OSError as error:
        if isinstance(error, CalcinosisError) or not _concerns(output, error):
            raise
        reasons = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up"}
        if error.errno in reasons:
            raise OutputError(f"output folder {output.name!r}: {reasons[error.errno]}") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise OutputError(f"output folder {output.name!r} cannot be written to") from error
        reason = error.strerror or type(error).__name__
        raise OutputError(f"output folder {output.name!r}: {reason.lower()}") from error


def _concerns(output: Path, error: OSError) -> bool:
    """Whether an error names a file at the output, or none, as failed writing does."""
    named = error.filename
    return named is None or Path(os.fsdecode(named)).is_relative_to(_existing_parent(output))


def _move_in(new: Path, output: Path, old: Path) -> None:
    """Exchange earlier results in `output` for those in `new`; put them back if that fails."""
    output.mkdir(parents=True, exist_ok=True)
    old.mkdir()
    arriving = sorted(entry.name for entry in new.iterdir())
    leaving = [name for name in {*RESULT_FILES, *arriving} if (output / name).exists()]
    try:
        _move(leaving, output, old)
        _move(arriving, new, output)
    except BaseException:
        _move([name for name in arriving if (output / name).exists()], output, new)
        _move([name for name in leaving if (old / name).exists()], old, output)
        raise


def _move(names: Iterable[str], source: Path, target: Path) -> None:
    for name in names:
        if (source / name).exists():
            (source / name).replace(target / name)


def sync(folder: Path) -> None:
    """Have a folder with all below it on the disk itself, where it survives a power cut."""
    for path in (*folder.rglob("*"), folder):
        sync_one(path)


def sync_one(path: Path) -> None:
    """Have one file, or the list of names in a folder, on the disk itself."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
