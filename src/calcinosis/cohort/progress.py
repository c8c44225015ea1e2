"""How far an archive is, on standard error: a line that is renewed, or one now and then."""

import sys
from time import monotonic

_EVERY_S = {True: 0.2, False: 60.0}  # between lines, on a terminal and elsewhere


class Shown:
    """Counts and time left; names nobody."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._next = monotonic()
        self._began = self._next
        self._studies = self._left = self._bytes = self._measured_bytes = 0

    def looked(self, done: int, of: int) -> None:
        """So many files of those known so far were looked at."""
        self._show(f"looking at files: {done} of {of}", last=False)

    def begin(self, studies: int, left: int, size_bytes: int) -> None:
        """So many studies there are, and so many are to be measured, of so many bytes."""
        self._studies, self._left, self._bytes = studies, left, size_bytes
        self._began = monotonic()
        done = f", {studies - left} of them done before" if left < studies else ""
        self._show(f"{studies} studies{done}", last=True)

    def measured(self, size_bytes: int) -> None:
        """One study more is done."""
        self._left -= 1
        self._measured_bytes += size_bytes
        spent_s = monotonic() - self._began
        left_s = spent_s * (self._bytes / max(self._measured_bytes, 1) - 1)
        done = self._studies - self._left
        text = f"measured: {done} of {self._studies}, about {in_words(left_s)} left"
        self._show(text if self._left else f"measured: {done} of {self._studies}", last=False)
        if not self._left and self._terminal and not self._quiet:
            sys.stderr.write("\n")

    def _show(self, text: str, *, last: bool) -> None:
        """Write it, unless a line was written just before; `last` of a kind always."""
        now = monotonic()
        if self._quiet or (now < self._next and not last):
            return
        self._next = now + _EVERY_S[self._terminal]
        start, end = ("\r\033[K", "\n" * last) if self._terminal else ("", "\n")
        sys.stderr.write(f"{start}calcinosis: {text}{end}")
        sys.stderr.flush()


def in_words(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3.5 h``."""
    if seconds < 60:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
