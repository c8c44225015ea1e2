"""Zip archives, unpacked with suspicion."""

import shutil
import stat
import tempfile
import weakref
import zipfile
from collections.abc import Container
from pathlib import Path

from calcinosis.errors import NotReadableError
from calcinosis.read.dicom import one_line

# A whole-body CT of 0.5 mm slices, several times over; a bomb declares more.
MOST_UNPACKED_BYTES = 24 * 2**30
MOST_MEMBERS = 200_000
# Above this size, deflate's best ratio (about 1000) is reached by nothing but a bomb.
SUSPICIOUS_BYTES = 2**30
SUSPICIOUS_RATIO = 200


class Unpacked:
    """A temporary folder that lives as long as this object."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="calcinosis-"))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)


def unpack(path: Path, only: Container[str] | None = None) -> Unpacked:
    """Unpack a zip into a temporary folder; names are checked before a byte is written.

    Args:
        path: of the zip.
        only: names of the members to unpack; all unless given.

    Raises:
        NotReadableError: damaged, encrypted, a bomb, or with names that leave the folder.
    """
    unpacked = Unpacked()
    try:
        with zipfile.ZipFile(path) as archive:
            members = [one for one in archive.infolist() if not one.is_dir()]
            if only is not None:
                members = [one for one in members if one.filename in only]
            _check(path, members, shutil.disk_usage(unpacked.folder).free)
            for member in members:
                target = unpacked.folder / member.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy, 1 << 20)
    except NotReadableError:
        raise
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError) as error:
        raise NotReadableError(
            f"{path.name}: the zip archive cannot be unpacked ({one_line(error)})"
        ) from error
    return unpacked


def _check(path: Path, members: list[zipfile.ZipInfo], free_bytes: int) -> None:
    total = sum(member.file_size for member in members)
    packed = max(path.stat().st_size, 1)
    if len(members) > MOST_MEMBERS:
        raise NotReadableError(
            f"{path.name}: {len(members)} members; expected at most {MOST_MEMBERS}"
        )
    bomb = total > SUSPICIOUS_BYTES and total > SUSPICIOUS_RATIO * packed
    if bomb or total > MOST_UNPACKED_BYTES:
        raise NotReadableError(
            f"{path.name}: would unpack to {total / 2**30:.1f} GiB from {packed / 2**20:.1f} MiB; "
            f"expected at most {MOST_UNPACKED_BYTES >> 30} GiB and a ratio a CT can have"
        )
    if total > free_bytes:
        raise NotReadableError(
            f"{path.name}: would unpack to {total / 2**30:.1f} GiB; "
            f"the temporary folder has {free_bytes / 2**30:.1f} GiB left"
        )
    names = {member.filename for member in members}
    if len(names) < len(members):
        raise NotReadableError(f"{path.name}: two members have one name; expected each once")
    for member in members:
        name = member.filename
        parts = name.replace("\\", "/").split("/")
        link = stat.S_ISLNK(member.external_attr >> 16)
        drive = parts[0][1:2] == ":"  # C:
        if link or ".." in parts or not parts[0] or drive or "\0" in name:
            raise NotReadableError(
                f"{path.name}: member {name!r} {'is a link' if link else 'leaves the archive'}; "
                "expected plain files inside it"
            )
        if member.flag_bits & 1:
            raise NotReadableError(
                f"{path.name}: member {name!r} is encrypted; expected an archive without password"
            )
