"""One job in a process of its own, that may be killed at any time: both ends of it.

The child is a module, run by ``python -m``. It reads its job as one line of JSON from standard
input, says how it goes as lines of JSON on standard output, and ends with its parent.
"""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from calcinosis.errors import CalcinosisError, NotReadableError

_NO_MEMORY = re.compile("bad_alloc|can't start new thread")  # as libraries in C++ say it


def start(module: str, job: str, temporary: Path | None = None) -> "subprocess.Popen[str]":
    """Run a module on a job, given as one line of JSON.

    Args:
        module: what to run.
        job: one line of JSON.
        temporary: folder for what the child needs while it lives; removed by the parent.
    """
    process = subprocess.Popen(  # noqa: S603 - a module of ours
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # libraries quote the patient there
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)} if temporary else None,
    )
    assert process.stdin is not None  # noqa: S101 - asked for as a pipe
    with suppress(BrokenPipeError):  # it is gone already, which its end tells
        process.stdin.write(job + "\n")
        process.stdin.flush()
    return process


def messages(process: "subprocess.Popen[str]", beat_s: float) -> Iterator[dict[str, Any]]:
    """What a child says until it ends; {} when it says nothing for `beat_s` seconds."""
    said: SimpleQueue[dict[str, Any] | None] = SimpleQueue()

    def listen() -> None:
        for line in process.stdout or ():
            said.put(_read(line))
        said.put(None)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        try:
            message = said.get(timeout=beat_s)
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


def ended(status: int) -> str:
    """What it means that a child ended without a last word."""
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    return f"the analysis {how}"


def job_of_parent() -> dict[str, Any]:
    """In the child: the job; from here on Ctrl-C is the parent's, and its end is ours."""
    job = json.loads(sys.stdin.readline())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(OSError):  # where memory runs out, this process is to go, not the parent
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    return dict(job)


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


def say(**message: Any) -> None:  # noqa: ANN401 - whatever JSON takes
    """In the child: a line for the parent."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def without_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out."""
    return isinstance(error, MemoryError) or bool(_NO_MEMORY.search(str(error)))


def disk_is_full(error: BaseException | None) -> bool:
    """Whether this is what lies at the bottom of an error."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__ or error.__context__
    return False


def without_quotation(error: CalcinosisError) -> str:
    """The line of an error without what a library quotes from the file: it may name the patient."""
    line = " ".join(str(error).split())
    return re.sub(r"\s*\(.*\)", "", line) if isinstance(error, NotReadableError) else line


def defect(error: BaseException) -> str:
    """Which error, and on which line of ours it came up; no traceback, which quotes values."""
    trace, place = error.__traceback__, ""
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if "calcinosis" in path.parts:
            place = f" in {path.name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"a defect of ours ({type(error).__name__}{place})"
