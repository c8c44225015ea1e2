"""Gives queued studies to worker processes, one after another, and takes in what they make."""

import logging
from dataclasses import dataclass
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from calcinosis.own_process import ended, messages, start
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

if TYPE_CHECKING:
    import subprocess

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
            measured = outcome["measured"]
            if finish(self.worklist, held, files, self.peers, measured=measured):
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
                for message in messages(process, BEAT_S):
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
                return _failure(ended(process.wait()), again=True)
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
            last_run=str(store.run(held.study, held.last_run))
            if held.work == "explain" and held.last_run
            else None,
            earlier_scans=() if self.deidentify else held.earlier_scans,
            labs=held.labs,
            labs_kind=held.labs_kind,
            prescription=held.prescription,
            seeds=held.seeds,
            deidentify=self.deidentify,
            memory_mb=self.limits.memory_mb,
        )
        return start("calcinosis.serve.worker", job.to_json())


def _failure(error: str, *, again: bool) -> dict[str, Any]:
    return {"error": error, "again": again}
