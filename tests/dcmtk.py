"""Programs of dcmtk, as Debian ships them; pynetdicom installs others of the same names."""

import os
import shutil
import subprocess
import sys
from pathlib import Path


def program(name):
    ours = str(Path(sys.executable).parent)
    path = os.pathsep.join(place for place in os.environ["PATH"].split(os.pathsep) if place != ours)
    found = shutil.which(name, path=path)
    assert found, f"{name} of dcmtk is missing; `make tools` installs it"
    return found


def storescu_command(port, folder, *options):
    files = sorted(map(str, Path(folder).iterdir()))
    called = [program("storescu"), "-nh", "-aet", "SENDER", "-aec", "CALCINOSIS", "-to", "300"]
    return [*called, *options, "127.0.0.1", str(port), *files]


def storescu(port, folder, *options):
    """Send all files of a folder in one association."""
    command = storescu_command(port, folder, *options)
    return subprocess.run(command, capture_output=True, text=True, check=False)


def echo(port, *options):
    """Whether the node answers."""
    called = [program("echoscu"), "-to", "20", "-aec", "CALCINOSIS"]
    command = [*called, *options, "127.0.0.1", str(port)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
