"""Where files of the node lie. Names are random or hashed: nothing in them tells of a patient.

DATA/incoming/RANDOM                    being received
DATA/studies/STUDY/instances/HASH.dcm   received
DATA/studies/STUDY/RUN/results/         report.html, result.json, masses.seg.dcm, ...
DATA/studies/STUDY/RUN/...              what a run needs or leaves beside its results
"""

import hashlib
import secrets
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from calcinosis.errors import OutputError
from calcinosis.write.files import sync_one


@dataclass(frozen=True)
class Store:
    """The node's folder of files."""

    folder: Path

    def prepare(self) -> None:
        """Make the folders, for nobody else to read, and drop what was half received.

        Raises:
            OutputError: the place cannot be written to.
        """
        try:
            for folder in (self.folder, self.incoming, self.folder / "studies"):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for left in self.incoming.iterdir():
                left.unlink()
        except OSError as error:
            raise OutputError(
                f"--data {self.folder.name!r} cannot be used ({error.strerror})"
            ) from error

    @property
    def incoming(self) -> Path:
        """What is being received; on the same disk, so that it moves at once."""
        return self.folder / "incoming"

    def study(self, study: str) -> Path:
        """All files of a study."""
        return self.folder / "studies" / study

    def instances(self, study: str) -> Path:
        """The received instances of a study."""
        return self.study(study) / "instances"

    def instance(self, study: str, sop_instance_uid: str) -> Path:
        """One received instance."""
        name = hashlib.sha256(sop_instance_uid.encode()).hexdigest()[:32]
        return self.instances(study) / f"{name}.dcm"

    def run(self, study: str, run: str) -> Path:
        """What one run leaves."""
        return self.study(study) / run

    def results(self, study: str, run: str) -> Path:
        """The files of one run that people download."""
        return self.run(study, run) / "results"

    def move_in(self, received: Path, study: str, sop_instance_uid: str) -> None:
        """Put a received file in its place, durably and at once."""
        target = self.instance(study, sop_instance_uid)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        received.replace(target)
        sync_one(target.parent)

    def drop_run(self, study: str, run: str | None) -> None:
        """Drop what one run left, if there was one; with it the folder of a deleted study."""
        if run is not None:
            shutil.rmtree(self.run(study, run), ignore_errors=True)
            with suppress(OSError):
                self.study(study).rmdir()

    def delete(self, study: str) -> None:
        """Drop a study with everything."""
        shutil.rmtree(self.study(study), ignore_errors=True)


def opaque() -> str:
    """A name that tells nothing and cannot be guessed."""
    return secrets.token_hex(16)
