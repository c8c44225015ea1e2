"""Which code and weights made a result: it holds no longer where others would make it."""

import hashlib
from collections.abc import Iterator
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from calcinosis import __version__


@cache
def made_by(*rooms: str) -> str:
    """This version, and a digest of all files in some packages and in those below them."""
    digest = hashlib.sha256()
    for room in rooms:
        for name, file in sorted(files_of(resources.files(room)), key=lambda one: one[0]):
            digest.update(name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return f"{__version__} {digest.hexdigest()}"


def files_of(folder: Traversable, below: str = "") -> Iterator[tuple[str, Traversable]]:
    """Each file with its path; what Python compiled aside."""
    for one in folder.iterdir():
        if one.is_file():
            yield f"{below}{one.name}", one
        elif one.name != "__pycache__":
            yield from files_of(one, f"{below}{one.name}/")
