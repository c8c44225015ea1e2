"""A worklist on each database: SQLite, and PostgreSQL as Debian ships it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from calcinosis.serve.worklist import Worklist, open_worklist

POSTGRESQL = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1:]


def run_as_nobody(*command: object) -> None:
    """PostgreSQL refuses to run as root."""
    words = [str(word) for word in command]
    if os.geteuid() == 0:
        words = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *words]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, timeout=60)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server of our own, reached by a socket in its folder."""
    assert POSTGRESQL, "PostgreSQL is missing; `make tools` installs it"
    programs = POSTGRESQL[0]
    place = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    if os.geteuid() == 0:
        shutil.chown(place, "nobody", "nogroup")
    cluster = place / "cluster"
    run_as_nobody(programs / "initdb", "-D", cluster, "-U", "calcinosis", "-A", "trust", "-N")
    options = f"-c listen_addresses='' -c unix_socket_directories={place} -c fsync=off"
    control = programs / "pg_ctl", "-D", cluster, "-w"
    run_as_nobody(*control, "-l", place / "log", "-o", options, "start")
    yield f"postgresql://calcinosis@/postgres?host={place}"
    run_as_nobody(*control, "-m", "immediate", "stop")
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def worklist(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Worklist]:
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql")
    made = open_worklist(tmp_path / "data", url)
    yield made
    for entry in made.studies():
        made.delete(entry.id)
    made.engine.dispose()
