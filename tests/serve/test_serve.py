"""The whole node as its users run it, killed again and again, and between two real archives."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress

import pytest

from dcmtk import echo, storescu
from dicom_series import ct_series, save
from orthanc import running_orthanc
from running_node import Node, small_study, wait_for

PLANTED = {"PatientName": "PLANTED^NAME", "PatientID": "PLANTED-ID"}


@pytest.fixture
def node(tmp_path):
    made = Node(tmp_path / "node")
    yield made
    if made.process is not None:
        made.stop(signal.SIGKILL)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("database", "count", "kills"), [("sqlite", 20, 4), ("postgresql", 6, 2)])
def test_studies_survive_kills_of_server_and_worker(request, tmp_path, database, count, kills):
    """The first and the last have a mass; others are too small: as final, much quicker."""
    url = request.getfixturevalue("postgresql") if database == "postgresql" else None
    real = {0, count - 1}
    folders = []
    for number in range(count):
        slices = small_study(number, **PLANTED) if number in real else ct_series(**PLANTED)[:1]
        folders.append(save(slices, tmp_path / f"study{number}"))
    node = Node(tmp_path / "node", database=url)
    try:
        killed = killed_again_and_again(node, folders, kills)
        wait_for(lambda: node.ended() == count)
    finally:
        node.stop(signal.SIGKILL)
    assert min(killed["worker"], killed["server"]) > 0, killed
    assert node.states() == {"done": len(real), "failed": count - len(real)}
    log = node.log.read_text()
    for entry in node.worklist.studies():
        is_as_it_should_be(node, entry, log)
    assert "PLANTED" not in log
    assert "PLANTED" not in " ".join(map(str, node.data.parent.rglob("*")))
    assert "Traceback" not in log
    for entry in node.worklist.studies():
        node.worklist.delete(entry.id)


def killed_again_and_again(node, folders, times):
    """Send while server and worker are killed, so often each, at random; how often each was."""
    chance = random.Random(5)
    node.start()
    sender = threading.Thread(target=lambda: [node.send(folder) for folder in folders])
    sender.start()
    kills: Counter[str] = Counter()
    for victim in chance.sample(["server", "worker"], counts=[times, times], k=2 * times):
        at_work = node.listens if victim == "server" else node.workers
        wait_for(lambda at_work=at_work: at_work() or node.ended() == len(folders))
        time.sleep(chance.uniform(0.0, 3.0))
        if victim == "server":
            node.stop(signal.SIGKILL)
            node.start()
        elif workers := node.workers():
            with suppress(ProcessLookupError):  # it ended by itself
                os.kill(workers[0], signal.SIGKILL)
        else:
            continue
        kills[victim] += 1
    sender.join()
    return kills


def is_as_it_should_be(node, entry, log):
    """Ended once, with the right result, and nothing lies about."""
    last = "done" if entry.state == "done" else entry.error
    assert log.count(f"study {entry.id}: {last}") <= 1, "ended once"
    left = {path.name for path in node.worklist.store.study(entry.id).iterdir()}
    assert len(left) == 1 + (entry.state == "done"), "instances and one run"
    if entry.state == "failed":
        assert "1 slice" in entry.error
    else:
        results = node.worklist.results_folder(entry.id)
        assert len(json.loads((results / "result.json").read_text())["masses"]) == 1
        assert (results / "report.html").is_file()


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
        (["--port", "99999"], "'--port'"),
        (["--web-port", "-1"], "'--web-port'"),
        (["--quiet-seconds", "-5"], "'--quiet-seconds'"),
        (["--time-limit", "nan"], "'--time-limit': found nan"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(tmp_path, options, told):
    refused(tmp_path / "data", options, told)


@pytest.mark.parametrize(
    ("options", "token", "told"),
    [
        (["--dicomweb", "nowhere"], "t" * 20, "--dicomweb"),
        (["--dicomweb", "https://pacs:port/dicom-web"], "t" * 20, "--dicomweb"),
        ([], "short", "CALCINOSIS_TOKEN: the token has 5 characters"),
    ],
)
def test_a_node_that_cannot_start_leaves_no_folder(tmp_path, monkeypatch, options, token, told):
    monkeypatch.setenv("CALCINOSIS_TOKEN", token)
    refused(tmp_path / "data", options, told)
    assert not (tmp_path / "data").exists()


def refused(data, options, told):
    command = [sys.executable, "-m", "calcinosis", "serve", "--data", data]
    ended = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert told in ended.stderr
    assert ended.stderr.count("\n") == 1
