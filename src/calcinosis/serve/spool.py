"""A file being received: it grows on disk, not in memory, and survives a full disk."""

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from calcinosis.serve.store import opaque

SPARE_BYTES = 1 << 30  # of the disk, left free for the worklist and for results
BUFFER_BYTES = 1 << 17
LOOK_EVERY_BYTES = 16 << 20  # how often the free space is looked at


class Spool:
    """A file under a random name that disappears unless it is kept.

    A disk that is full, or nearly so, does not raise while the peer is still sending: it is told
    by `failure` at the end, so that the peer can be answered.

    Attributes:
        path: where it lies.
        failure: what went wrong, or None.
    """

    def __init__(self, folder: Path, spare_bytes: int = 0) -> None:
        """Begin a file in `folder`, whose disk is to keep `spare_bytes` free."""
        self.path = folder / opaque()
        self.failure: OSError | None = None
        self._spare_bytes = spare_bytes
        self._unlooked = 0
        self._file = None
        try:
            self._look()
            self._file = self.path.open("xb", buffering=BUFFER_BYTES)
        except OSError as error:
            self.failure = error

    @property
    def name(self) -> str:
        """The path, as text."""
        return str(self.path)

    @property
    def file(self) -> Self:
        """Itself: what a named temporary file has inside."""
        return self

    def write(self, data: bytes) -> int:
        """Add bytes; after a failure they are passed over."""
        if self._file is not None and self.failure is None:
            try:
                self._unlooked += len(data)
                if self._unlooked > LOOK_EVERY_BYTES:
                    self._look()
                self._file.write(data)
            except OSError as error:
                self.failure = error
        return len(data)

    def flush(self) -> None:
        """Nothing: what is received counts once it is complete."""

    def complete(self) -> Path:
        """The file, with all of it on the disk; it still disappears unless it is moved away.

        Raises:
            OSError: it could not be written.
        """
        if self.failure is None and self._file is not None:
            try:
                self._file.flush()
                os.fsync(self._file.fileno())
            except OSError as error:
                self.failure = error
        if self.failure is not None:
            raise self.failure
        return self.path

    def close(self) -> None:
        """Let go of the file; it is dropped where it was not moved away."""
        with suppress(OSError):
            if self._file is not None:
                self._file.close()
        self.path.unlink(missing_ok=True)

    def _look(self) -> None:
        """Refuse to fill the disk to its last byte: the worklist lies there too."""
        self._unlooked = 0
        if shutil.disk_usage(self.path.parent).free < self._spare_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()
