"""A file system that is really full: what is sent is refused, what is here goes on with room."""

import os
import subprocess
from contextlib import contextmanager, suppress
from urllib.error import HTTPError

import pytest

from calcinosis.errors import OutputError
from calcinosis.serve.access import access_token
from dcmtk import echo, storescu
from dicom_series import save
from running_node import Node, small_study, wait_for

DISK_MB = 40
PHOSPHATE = "value_phosphate=7&unit_phosphate=mg/dL&drawn=2026-01-03"


@contextmanager
def small_disk(place):
    """A file system of its own, mounted at `place`."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "none", str(place)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(
            f"NO FULL DISK WAS TESTED, since mounting is not permitted here ({mounted.stderr}); "
            "tests/serve/test_dicom_node.py stands in for it, with a limit on the size of files"
        )
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(file):
    """Take all that is left, to the last byte."""
    with file.open("ab", buffering=0) as opened:
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):
                while True:
                    opened.write(bytes(size))


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "disk") as place:
        yield place


@pytest.fixture
def node(disk, tmp_path):
    made = Node(tmp_path / "node", data=disk / "data", fills_the_disk=True)
    made.start()
    wait_for(lambda: echo(made.port))
    yield made
    made.stop()


def test_a_full_disk_refuses_and_loses_nothing(node, disk, tmp_path):
    first, second = (save(small_study(n), tmp_path / f"study{n}") for n in (1, 2))
    ballast = disk / "ballast"
    assert storescu(node.port, first).returncode == 0
    fill(ballast)
    assert os.statvfs(disk).f_bavail == 0
    # The second study comes to a disk without room.
    answer = storescu(node.port, second, "-v")
    assert "Refused: OutOfResources" in answer.stderr
    assert echo(node.port)
    [entry] = node.worklist.studies()
    assert entry.instances == 16
    assert list(node.worklist.store.incoming.iterdir()) == []
    with pytest.raises(HTTPError) as told:
        node.post(f"/studies/{entry.id}/labs", PHOSPHATE)
    assert told.value.code == 503
    assert b"the disk may be full" in told.value.read()
    # The first is complete by now, but there is no room for its results.
    wait_for(lambda: "cannot be worked on" in node.log.read_text() or waits(node))
    assert "failed" not in node.states()
    ballast.unlink()
    assert storescu(node.port, second).returncode == 0
    wait_for(lambda: node.states() == {"done": 2})
    for entry in node.worklist.studies():
        assert (node.worklist.results_folder(entry.id) / "report.html").is_file()
        assert len(list(node.worklist.store.study(entry.id).iterdir())) == 2
    assert "Traceback" not in node.log.read_text()


def test_the_token_is_whole_or_not_there(disk, monkeypatch):
    monkeypatch.delenv("CALCINOSIS_TOKEN", raising=False)
    ballast = disk / "ballast"
    fill(ballast)
    with pytest.raises(OutputError, match="token"):
        access_token(disk)
    ballast.unlink()
    token, file = access_token(disk)
    assert file.read_text().strip() == token


def waits(node):
    return any("the disk is full" in (entry.error or "") for entry in node.worklist.studies())
