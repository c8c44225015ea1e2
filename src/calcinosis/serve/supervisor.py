"""Gives queued studies to worker processes, one after another, and takes in what they make."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event, Thread
from time import monotonic
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from calcinosis.serve.queue import (
    Claim,
    ResultFile,
    claim,
    fail,
    finish,
    give_back,
    queue_quiet,
    still_ours,
)
from calcinosis.serve.worker import Job
from calcinosis.serve.worklist import Worklist

LOG = logging.getLogger(__name__)
BEAT_S = 2.0  # between signs of life
IDLE_S, TROUBLE_S = 0.5, 5.0
WAIT_S = 60.0  # until it is seen whether there is room on the disk again


@dataclass(frozen=True)
class Limits:
    """What a study may take, and when it counts as complete.

    Attributes:
        quiet_s: seconds without a new instance.
        time_s: of one analysis.
        memory_mb: of its process.
    """

    quiet_s: float = 30.0
    time_s: float = 1800.0
    memory_mb: int = 12000


@dataclass(frozen=True)
class Supervisor:
    """What analyses the studies of a worklist.

    Attributes:
        peers: names of those to whom results go.
        deidentify: say nowhere in the results who the patient is.
    """

    worklist: Worklist
    limits: Limits
    peers: tuple[str, ...] = ()
    deidentify: bool = False

    def run(self, stop: Event) -> None:
        """Work until told to stop."""
        while not stop.is_set():
            try:
                if not self.step(stop):
                    stop.wait(IDLE_S)
            except Exception as error:  # noqa: BLE001 - a node without this thread only seems alive
                LOG.error("the worklist cannot be worked on (%s)", type(error).__name__)  # noqa: TRY400 - a traceback would quote the patient
                stop.wait(TROUBLE_S)

    def step(self, stop: Event) -> bool:
        """Queue what has come to rest and do one study; False where there is none."""
        self._queue_quiet()
        held = claim(self.worklist)
        if held is None:
            return False
        LOG.info("study %s: %s, attempt %d", held.study, held.work, held.attempt)
        began = monotonic()
        outcome = self._supervise(held, stop)
        if "files" in outcome:
            files = [ResultFile(**file) for file in outcome["files"]]
            if finish(self.worklist, held, files, self.peers):
                LOG.info("study %s: done in %.1f s", held.study, monotonic() - began)
        elif outcome.get("waits"):
            give_back(self.worklist, held, outcome["error"], WAIT_S)
            LOG.warning("study %s: waits, %s", held.study, outcome["error"])
        elif "error" in outcome:
            fail(self.worklist, held, outcome["error"], again=outcome["again"])
            LOG.warning("study %s: %s", held.study, outcome["error"])
        else:
            give_back(self.worklist, held)
            LOG.info("study %s: given up", held.study)
        return True

    def _queue_quiet(self) -> None:
        for study in queue_quiet(self.worklist, self.limits.quiet_s):
            LOG.info("study %s: complete", study)

    def _supervise(self, held: Claim, stop: Event) -> dict[str, Any]:
        """Run a worker on one study: its last word, or what became of it.

        Empty where the study is no longer ours or we are told to stop.
        """
        deadline = monotonic() + self.limits.time_s
        beat, progress = monotonic(), 0.0
        with self._worker(held) as process:
            try:
                for message in _messages(process):
                    if "files" in message or "error" in message:
                        return message
                    progress = message.get("progress", progress)
                    if monotonic() > deadline:
                        return _failure(
                            f"took longer than {self.limits.time_s:g} s; --time-limit raises that",
                            again=False,
                        )
                    if monotonic() >= beat:
                        beat = monotonic() + BEAT_S
                        if stop.is_set() or not self._show_life(held, progress):
                            return {}
                return _ended(process.wait())
            finally:
                process.kill()

    def _show_life(self, held: Claim, progress: float) -> bool:
        """Whether to go on; a worklist that is away for a moment ends no analysis."""
        try:
            self._queue_quiet()
            return still_ours(self.worklist, held, progress)
        except SQLAlchemyError:  # whose the study is shows when it is finished
            return True

    def _worker(self, held: Claim) -> "subprocess.Popen[str]":
        store = self.worklist.store
        job = Job(
            instances=str(store.instances(held.study)),
            run=str(store.run(held.study, held.run)),
            earlier=str(store.run(held.study, held.earlier))
            if held.work == "explain" and held.earlier
            else None,
            labs=held.labs,
            labs_kind=held.labs_kind,
            prescription=held.prescription,
            seeds=held.seeds,
            deidentify=self.deidentify,
            memory_mb=self.limits.memory_mb,
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "calcinosis.serve.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libraries quote the patient there
            text=True,
        )
        assert process.stdin is not None  # noqa: S101 - asked for as a pipe
        process.stdin.write(job.to_json() + "\n")
        process.stdin.flush()
        return process


def _messages(process: "subprocess.Popen[str]") -> Iterator[dict[str, Any]]:
    """What a worker says until it ends; {} when it says nothing for a while."""
    said: SimpleQueue[dict[str, Any] | None] = SimpleQueue()

    def listen() -> None:
        for line in process.stdout or ():
            said.put(_read(line))
        said.put(None)

    Thread(target=listen, daemon=True).start()
    while True:
        try:
            message = said.get(timeout=BEAT_S)
        except Empty:
            message = {}
        if message is None:
            return
        yield message


def _read(line: str) -> dict[str, Any]:
    """One message; {} for anything a library may print."""
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def _ended(status: int) -> dict[str, Any]:
    """What it means that a worker ended without a last word."""
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    return _failure(f"the analysis {how}", again=True)


def _failure(error: str, *, again: bool) -> dict[str, Any]:
    return {"error": error, "again": again}
