"""The files of the results in one zip, to be sent piece by piece."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from calcinosis.serve.views import file_lines

_CHUNK_BYTES = 1 << 16


def zipped(folder: Path) -> IO[bytes]:
    """A zip of the files that are offered, in a temporary file; who reads it closes it."""
    packed = TemporaryFile()  # noqa: SIM115 - closed when it has been sent
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for line in file_lines(folder):
            archive.write(folder / line.name, line.name)
    packed.seek(0)
    return packed


def chunks(packed: IO[bytes]) -> Iterator[bytes]:
    """The file piece by piece; then it is closed, and gone."""
    with packed:
        while chunk := packed.read(_CHUNK_BYTES):
            yield chunk
