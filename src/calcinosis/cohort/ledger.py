"""What was done already, kept in the output folder, so that a run goes on where one stopped.

OUT/studies/0001/        what `analyze` writes of a study
OUT/changes/0001-0002/   what `follow` writes of two scans of one patient
OUT/.cohort/0001.json    how it went with that study, and of what files and by what it was made
OUT/.cohort/0001.npz     what was measured on that study, for new facts and for comparing
OUT/.cohort/begun.json   that a run began the folder, and whether it names patients
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

from calcinosis.cohort.survey import FoundStudy
from calcinosis.cohort.worker import State
from calcinosis.errors import OutputError
from calcinosis.write.files import refuse_unusable, sync_one

_BEGUN = "begun.json"
PAIR = "-"  # between the names of two studies


@dataclass(frozen=True)
class Outcome:
    """How it went with one study.

    Attributes:
        fingerprint: of its files.
        made_by: digest of the program, its settings and what was known of the patient.
        state: what became of it.
        reason: one line, where it was not measured.
        seconds: it took.
    """

    fingerprint: str
    made_by: str
    state: State
    reason: str
    seconds: float


@dataclass(frozen=True)
class Ledger:
    """Outcomes by name: of studies (0001), and of two scans that were compared (0001-0002).

    A study keeps its name for as long as its files stay as they are.
    """

    output: Path
    outcomes: dict[str, Outcome]

    def results(self, name: str) -> Path:
        """Where the results of a study, or of a comparison, lie."""
        return self.output / ("changes" if PAIR in name else "studies") / name

    def kept(self, name: str) -> Path:
        """Where lies what was measured on a study."""
        return self.output / ".cohort" / f"{name}.npz"

    @property
    def temporary(self) -> Path:
        """A folder for what nobody needs after the run."""
        return self.output / ".cohort" / "temporary"

    def named(self, studies: Sequence[FoundStudy], *, force: bool) -> dict[str, FoundStudy]:
        """The studies by name: the one each has already, or the next that is free.

        What is left of studies that are no longer in the archive goes.

        Raises:
            OutputError: none of the studies that were done is in the archive.
        """
        there = {study.fingerprint: study for study in studies}
        known = {
            name: there[outcome.fingerprint]
            for name, outcome in self.outcomes.items()
            if outcome.fingerprint in there
        }
        if self.outcomes and not known and not force:
            raise OutputError(
                f"output folder {self.output.name!r} holds the results of another archive; "
                "choose another, or replace them with --force"
            )
        gone = {name for name in self.outcomes if PAIR not in name} - known.keys()
        for name in list(self.outcomes):
            if gone.intersection(name.split(PAIR)):
                self.forget(name)
        named = {study.fingerprint for study in known.values()}
        number = 0
        for study in studies:
            if study.fingerprint not in named:
                number = self._free(number + 1, known)
                known[_name(number)] = study
        return dict(sorted(known.items()))

    def _free(self, number: int, taken: Mapping[str, FoundStudy]) -> int:
        while _name(number) in taken or self.results(_name(number)).exists():
            number += 1
        return number

    def done(self, name: str, made_by: str) -> bool:
        """Whether it need not be done again; if so, what it yielded before counts no longer."""
        outcome = self.outcomes.get(name)
        if outcome and outcome.made_by == made_by and outcome.state != "failed":
            lost = outcome.state == "measured" and not any(self.results(name).glob("*result.json"))
        else:
            lost = True
        if lost:
            self.outcomes.pop(name, None)
        return not lost

    def keep(self, name: str, outcome: Outcome) -> None:
        """Note how it went, durably and at once."""
        self.outcomes[name] = outcome
        if outcome.state != "measured":
            shutil.rmtree(self.results(name), ignore_errors=True)
        _write(self.output / ".cohort" / f"{name}.json", json.dumps(asdict(outcome)) + "\n")

    def forget(self, name: str) -> None:
        """Drop what it yielded, and that there was any."""
        del self.outcomes[name]
        shutil.rmtree(self.results(name), ignore_errors=True)
        (self.output / ".cohort" / f"{name}.json").unlink(missing_ok=True)
        self.kept(name).unlink(missing_ok=True)


def _name(number: int) -> str:
    """What a study is called: it tells nothing of the patient."""
    return f"{number:04d}"


def pair_of(earlier: str, later: str) -> str:
    """What the comparison of two studies is called."""
    return f"{earlier}{PAIR}{later}"


@contextmanager
def open_ledger(output: Path, *, deidentify: bool, force: bool) -> Iterator[Ledger]:
    """The ledger of an output folder, new or begun by an earlier run, for nobody else meanwhile.

    Args:
        output: of the command.
        deidentify: whether its results name nobody; they do so all or none.
        force: begin anew, beside whatever files the folder holds.

    Raises:
        OutputError: the folder holds other files, or results made otherwise (without `force`),
            another run works on it, or it cannot be written.
    """
    kept = output / ".cohort"
    begun = (kept / _BEGUN).is_file()
    if not begun:
        refuse_unusable(output, force=force)
    kept.mkdir(parents=True, exist_ok=True)
    with _alone(kept, output.name):
        ledger = Ledger(output, _outcomes(kept))
        if force:
            for name in list(ledger.outcomes):
                ledger.forget(name)
        elif begun and json.loads((kept / _BEGUN).read_text())["deidentify"] != deidentify:
            raise OutputError(
                f"output folder {output.name!r} was begun {'without' if deidentify else 'with'} "
                "--deidentify; choose another, or begin anew with --force"
            )
        _write(kept / _BEGUN, json.dumps({"deidentify": deidentify}))
        _sweep(ledger)
        try:
            yield ledger
        finally:
            shutil.rmtree(ledger.temporary, ignore_errors=True)
            if not begun and not (output / "cohort.json").exists():  # it came to nothing
                shutil.rmtree(kept)
                with suppress(OSError):
                    output.rmdir()


def _sweep(ledger: Ledger) -> None:
    """Drop what a run left half-built that was killed."""
    shutil.rmtree(ledger.temporary, ignore_errors=True)
    ledger.temporary.mkdir()
    for place in ("studies", "changes"):
        for left in (ledger.output / place).glob(".[0-9]*-*"):
            shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _alone(kept: Path, name: str) -> Iterator[None]:
    handle = os.open(kept, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(f"output folder {name!r}: another run works on it") from None
        yield
    finally:
        os.close(handle)


def _outcomes(kept: Path) -> dict[str, Outcome]:
    """As they were noted; what cannot be read was never noted."""
    outcomes = {}
    for file in sorted(kept.glob("[0-9]*.json")):
        with suppress(ValueError, TypeError):
            outcome = Outcome(**json.loads(file.read_text(encoding="utf-8")))
            if outcome.state in get_args(State):
                outcomes[file.stem] = outcome
    return outcomes


def _write(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    sync_one(new)
    new.replace(path)
    sync_one(path.parent)
