"""A private Orthanc with its DICOMweb plug-in, for tests that need a real archive."""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

DICOMWEB_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
STARTS_WITHIN_S = 60


@dataclass(frozen=True)
class Orthanc:
    """Where it listens, on this machine alone."""

    ae_title: str
    dicom_port: int
    http_port: int

    @property
    def url(self) -> str:
        """Of its own REST interface."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def dicomweb_url(self) -> str:
        """Of QIDO-RS, WADO-RS and STOW-RS."""
        return f"{self.url}/dicom-web"

    def empty(self) -> None:
        """Delete all studies."""
        for study in json.loads(self._ask("GET", "/studies")):
            self._ask("DELETE", f"/studies/{study}")

    def _ask(self, method: str, path: str) -> bytes:
        request = Request(f"{self.url}{path}", method=method)  # noqa: S310 - our own server
        with urlopen(request, timeout=20) as answer:  # noqa: S310
            return answer.read()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def running_orthanc(folder: Path, **settings: object) -> Iterator[Orthanc]:
    """Start Orthanc on free ports, with all it keeps in `folder`; stop it afterwards.

    `settings` are added to its configuration file, e.g. ``DicomModalities``.
    """
    program = shutil.which("Orthanc", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
    assert program, "Orthanc is not installed; `make tools` installs what tests need"
    assert DICOMWEB_PLUGIN.is_file(), "orthanc-dicomweb is not installed; see `make tools`"
    found = Orthanc("ORTHANC", free_port(), free_port())
    configuration = {
        "Name": "Archive of the tests",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "Plugins": [str(DICOMWEB_PLUGIN)],
        "DicomAet": found.ae_title,
        "DicomPort": found.dicom_port,
        "HttpPort": found.http_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAlwaysAllowEcho": True,
        "DicomAlwaysAllowStore": True,
        "UnknownSopClassAccepted": True,  # LABELMAP segmentations are younger than Orthanc 1.10
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "StudiesMetadata": "Full"},
        **settings,
    }
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "orthanc.json"
    file.write_text(json.dumps(configuration), encoding="utf-8")
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen([program, str(file)], stdout=log, stderr=log)
    try:
        _wait_for(found, process, folder / "log.txt")
        yield found
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(server: Orthanc, process: subprocess.Popen, log: Path) -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until and process.poll() is None:
        try:
            urlopen(f"{server.dicomweb_url}/studies", timeout=5).close()  # noqa: S310 - our own
        except (URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"Orthanc did not start:\n{log.read_text(errors='replace')}")
