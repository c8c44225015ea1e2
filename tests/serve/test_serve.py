"""The whole node as its users run it, killed again and again, and between two real archives."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from calcinosis.serve.worklist import open_worklist
from dcmtk import echo, storescu
from dicom_series import ct_series, save
from orthanc import free_port, running_orthanc

PLANTED = {"PatientName": "PLANTED^NAME", "PatientID": "PLANTED-ID"}
ENDED = ("done", "failed")


class Node:
    """`calcinosis serve` in a process of its own, restarted on the same data at will."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.log = folder, folder / "log"
        self.port = free_port()
        self.options = options
        self.process = None
        folder.mkdir()
        self.worklist = open_worklist(folder / "data")

    def start(self) -> None:
        command = [sys.executable, "-m", "calcinosis", "serve", "--data", self.folder / "data"]
        command += [f"--port={self.port}", f"--web-port={free_port()}", "--quiet-seconds=1"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*command, *self.options], stderr=log, stdout=log)

    def workers(self) -> list[int]:
        found = []
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
        return found

    def stop(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.wait()

    def send(self, folder: Path) -> None:
        """Send as a PACS does: until it is taken."""
        while storescu(self.port, folder).returncode != 0:
            time.sleep(0.2)

    def ended(self) -> list[str]:
        return [entry.state for entry in self.worklist.studies() if entry.state in ENDED]


@pytest.fixture
def node(tmp_path):
    made = Node(tmp_path / "node")
    yield made
    if made.process is not None:
        made.stop(signal.SIGKILL)


def wait_for(true, seconds=400.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.2)


def test_thirty_studies_survive_kills_of_server_and_worker(node, tmp_path):
    """Three are measured; the others are too small to be, which is as final and much quicker."""
    folders = []
    for number in range(30):
        slices = ct_series(**PLANTED)[: 6 if number % 10 == 0 else 1]
        folders.append(save(slices, tmp_path / f"study{number}"))
    chance = random.Random(5)
    node.start()
    sender = threading.Thread(target=lambda: [node.send(folder) for folder in folders])
    sender.start()
    kills: Counter[str] = Counter()
    while sum(kills.values()) < 10 and len(node.ended()) < 30:
        time.sleep(chance.uniform(0.2, 4.0))
        workers = node.workers()
        if workers and chance.random() < 0.6:
            os.kill(workers[0], signal.SIGKILL)
            kills["worker"] += 1
        else:
            node.stop(signal.SIGKILL)
            kills["server"] += 1
            node.start()
    sender.join()
    wait_for(lambda: len(node.ended()) == 30)
    node.stop()
    assert min(kills.values()) > 0, kills
    entries = node.worklist.studies()
    assert Counter(entry.state for entry in entries) == {"done": 3, "failed": 27}
    assert {entry.error for entry in entries if entry.state == "failed"} == {
        entry.error for entry in entries if "1 slice" in (entry.error or "")
    }
    log = node.log.read_text()
    for entry in entries:
        last = f"study {entry.id}: done" if entry.state == "done" else f"{entry.id}: {entry.error}"
        assert log.count(last) <= 1, "ended once"
        left = {path.name for path in node.worklist.store.study(entry.id).iterdir()}
        assert len(left) == 1 + (entry.state == "done"), "instances and one run"
    assert "PLANTED" not in log
    assert "PLANTED" not in " ".join(map(str, node.folder.rglob("*")))
    assert "Traceback" not in log


def test_orthanc_forwards_a_study_and_gets_its_results_once(node, tmp_path):
    """As docs/serve.md shows it; what comes back is forwarded once more and starts nothing."""
    script = tmp_path / "forward.lua"
    script.write_text(
        'function OnStableStudy(id) RestApiPost("/modalities/calcinosis/store", id) end'
    )
    archive = running_orthanc(
        tmp_path / "orthanc",
        StableAge=1,
        LuaScripts=[str(script)],
        DicomModalities={"calcinosis": ["CALCINOSIS", "127.0.0.1", node.port]},
    )
    with archive as orthanc:
        peer = f"orthanc=dicom://ORTHANC@127.0.0.1:{orthanc.dicom_port}"
        node.options = "--allow-ae", "ORTHANC", "--peer", peer
        node.start()
        wait_for(lambda: echo(node.port, "-aet", "ORTHANC"))
        sent = save(ct_series(**PLANTED), tmp_path / "sent")
        assert storescu(orthanc.dicom_port, sent, "-aec", "ORTHANC").returncode == 0
        wait_for(lambda: [e.instances for e in node.worklist.studies()] == [7])
        [entry] = node.worklist.studies()
        assert [(one.file, one.attempts) for one in entry.deliveries] == [
            ("measurements.sr.dcm", 1)
        ]
        time.sleep(3)
        assert node.worklist.studies() == [entry], "nothing is started by our own results"
        assert entry.state == "done"
    node.stop()
    log = node.log.read_text()
    assert log.count("done in") == 1
    assert "PLANTED" not in log


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--host", "0.0.0.0"], "--allow-from"),  # noqa: S104 - it must refuse
        (["--peer", "pacs"], "expected NAME=dicom"),
        (["--database", "mysql://host/name"], "--database"),
        (["--tls-key", "node.key"], "--tls-certificate and --tls-key"),
        (["--dicomweb", "nowhere"], "--dicomweb"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(tmp_path, options, told):
    command = [sys.executable, "-m", "calcinosis", "serve", "--data", tmp_path / "data"]
    ended = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert told in ended.stderr
    assert ended.stderr.count("\n") == 1
