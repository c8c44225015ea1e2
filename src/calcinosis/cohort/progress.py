"""How far an archive is, on standard error: a line that is renewed, or one now and then."""

import sys
from time import monotonic

_EVERY_S = {True: 0.2, False: 60.0}  # between lines, on a terminal and elsewhere


class Shown:
    """Counts and time left; names nobody."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet, self._open = quiet, False
        self._terminal = sys.stderr.isatty()
        self._began = monotonic()
        self._next = self._began + _EVERY_S[self._terminal]
        self._what = ""
        self._jobs = self._left = self._bytes = self._done_bytes = 0

    def looked(self, done: int, of: int) -> None:
        """So many files of those known so far were looked at."""
        self._show(f"looking at files: {done} of {of}")

    def begin(self, what: str, jobs: int, left: int, size_bytes: int) -> None:
        """So many jobs there are, and so many are left to be done, on so many bytes."""
        self._what, self._jobs, self._left, self._bytes = what, jobs, left, size_bytes
        self._began, self._done_bytes = monotonic(), 0
        self._show(f"{what}: {jobs - left} of {jobs}", always=True, last=left == 0)

    def one_more(self, size_bytes: int) -> None:
        """One job more is done."""
        self._left -= 1
        self._done_bytes += size_bytes
        spent_s = monotonic() - self._began
        left_s = spent_s * (self._bytes / max(self._done_bytes, 1) - 1)
        left = f", about {in_words(left_s)} left" if self._left else ""
        text = f"{self._what}: {self._jobs - self._left} of {self._jobs}{left}"
        self._show(text, always=not left, last=not left)

    def _show(self, text: str, *, always: bool = False, last: bool = False) -> None:
        """Write it, unless a line was written just before; the `last` of its kind stays."""
        now = monotonic()
        if self._quiet or (now < self._next and not always):
            return
        self._next = now + _EVERY_S[self._terminal]
        start, end = ("\r\033[K", "\n" * last) if self._terminal else ("", "\n")
        sys.stderr.write(f"{start}calcinosis: {text}{end}")
        sys.stderr.flush()
        self._open = not end

    def close(self) -> None:
        """Wipe a line that is still to be renewed."""
        if self._open:
            sys.stderr.write("\r\033[K")


def in_words(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3.5 h``."""
    if seconds < 60:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
