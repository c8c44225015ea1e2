"""`calcinosis serve` in a process of its own, as its users run it."""

import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from urllib.request import Request, urlopen

import numpy as np

from calcinosis.serve.worklist import open_worklist
from dcmtk import storescu
from dicom_series import ct_series
from orthanc import free_port

ENDED = ("done", "failed")
# A test's disk is smaller than what the node keeps free of a real one, and sooner emptied.
_FILLS_THE_DISK = """
import sys
from calcinosis.serve import dicom_node, supervisor
supervisor.WAIT_S = 2.0
dicom_node.start.__kwdefaults__["spare_bytes"] = 0
from calcinosis.cli import main
sys.argv[0] = "calcinosis"
main()
"""


class Node:
    """A node that is started, killed and started anew on the same data at will."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        data: Path | None = None,
        database: str | None = None,
        fills_the_disk: bool = False,
    ) -> None:
        self.data, self.log = data or folder / "data", folder / "log"
        self.port, self.web_port = free_port(), free_port()
        self.options = [*options, *(["--database", database] if database else [])]
        self.program = ["-c", _FILLS_THE_DISK] if fills_the_disk else ["-m", "calcinosis"]
        self.process = None
        folder.mkdir()
        self.worklist = open_worklist(self.data, database)

    def start(self) -> None:
        command = [sys.executable, *self.program, "serve", "--data", self.data]
        command += [f"--port={self.port}", f"--web-port={self.web_port}", "--quiet-seconds=1"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*command, *self.options], stderr=log, stdout=log)

    def listens(self) -> bool:
        with socket.socket() as peer:
            return peer.connect_ex(("127.0.0.1", self.port)) == 0

    def workers(self) -> list[int]:
        found = []
        for thread in Path(f"/proc/{self.process.pid}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):  # threads come and go
                found += map(int, (thread / "children").read_text().split())
        return found

    def stop(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.wait()

    def send(self, folder: Path) -> None:
        """Send as a PACS does: until it is taken."""
        while storescu(self.port, folder).returncode != 0:
            time.sleep(0.2)

    def states(self) -> Counter[str]:
        return Counter(entry.state for entry in self.worklist.studies())

    def ended(self) -> int:
        return sum(count for state, count in self.states().items() if state in ENDED)

    def post(self, path: str, form: str):
        """Post a filled form as a program does, with the token."""
        token = (self.data / "token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        url = f"http://127.0.0.1:{self.web_port}{path}"
        return urlopen(Request(url, form.encode(), headers), timeout=60)


def wait_for(true, seconds=900.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.2)


def small_study(number=0, **tags):
    """A piece of thigh with a calcified mass: the least that is analysed to a whole report."""
    z, y, x = np.indices((16, 48, 56))
    radius = np.hypot((y - 24) / 24, (x - 28) / 28)
    units = np.where(radius < 0.9, -100.0, -1000.0)
    units[radius < 0.8] = 50
    units[np.hypot(y - 24, x - 18) < 4] = 900
    units[((z - 8) / 6) ** 2 + ((y - 24) / 7) ** 2 + ((x - 40) / 7) ** 2 < 1] = 450
    units += np.random.default_rng(number).normal(0, 8, units.shape)
    return ct_series(units.astype(np.int16), spacing_mm=(3.0, 2.5, 2.5), **tags)
