"""How the program treats memory that it no longer needs."""

import ctypes

_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of mallopt(3)
_LARGE_BYTES = 4 << 20


def give_memory_back() -> None:
    """Let the system have arrays of 4 MiB and more back as soon as they are freed.

    Left alone, glibc keeps up to 32 MiB of each for later: a fifth of all memory at the end of a
    run on 400 slices. Other C libraries have no such setting and are left alone.
    """
    _call("mallopt", _MMAP_THRESHOLD, _LARGE_BYTES)


def give_small_pieces_back() -> None:
    """Let the system have what was freed in smaller arrays until now."""
    _call("malloc_trim", 0)


def _call(function: str, *values: int) -> None:
    """A function of the C library, where it has it."""
    try:
        getattr(ctypes.CDLL(None), function)(*values)
    except (AttributeError, OSError, TypeError):
        return
