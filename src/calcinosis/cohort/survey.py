"""What an archive holds: every file looked at once, headers only, and grouped into studies."""

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from calcinosis.errors import InputError, NotReadableError
from calcinosis.read import dicom
from calcinosis.read.archive import Unpacked, unpack
from calcinosis.read.ct_image import is_ct_image
from calcinosis.read.nifti import is_nifti
from calcinosis.read.nrrd import is_nrrd
from calcinosis.read.study import files_below, silent_libraries
from calcinosis.read.subject import subject_of
from calcinosis.volume import Subject

_ASKED = (
    "SOPClassUID", "Modality", "StudyInstanceUID", "StudyDate", "StudyTime", "AccessionNumber",
    "PatientName", "PatientID", "PatientBirthDate", "PatientAge", "PatientSex",
    "PatientWeight",
)  # fmt: skip
_NO_KIND = "DICOM without image"

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class FoundStudy:
    """One study of the archive, not read yet.

    Attributes:
        kind: images of DICOM, or one file of NIfTI or NRRD.
        zipped: the zip that holds it; None where its files lie in folders.
        folder: below which its files lie; of a zip, the one it lies in.
        files: below the folder or in the zip, in the order in which they are read.
        size_bytes: of all files, unpacked.
        fingerprint: of the names, sizes and times of change of its files.
        subject: as its first image says.
        time: of the study, as its first image says.
    """

    kind: Literal["dicom", "grid"]
    zipped: Path | None
    folder: Path
    files: tuple[str, ...]
    size_bytes: int
    fingerprint: str
    subject: Subject
    time: str = ""

    @property
    def patient_id(self) -> str:
        """As the images say; of NIfTI and NRRD the path in the archive, without its ending."""
        if self.kind == "dicom":
            return self.subject.patient_id
        within = f"{self.zipped.stem}/" if self.zipped else ""
        return printable(within + _without_ending(self.files[0]))


@dataclass(frozen=True, eq=False)
class Survey:
    """An archive.

    Attributes:
        studies: those with CT images, and each NIfTI or NRRD file.
        files: how many there are, those in zips counted instead of the zips.
        ct_files: how many are CT images, NIfTI or NRRD.
        not_ct: other DICOM files by modality.
        studies_without_ct: DICOM studies that hold none.
        unreadable: files meant to be DICOM, and zips, that cannot be read.
        others: files that are no images.
    """

    studies: tuple[FoundStudy, ...]
    files: int
    ct_files: int
    not_ct: Counter[str]
    studies_without_ct: int
    unreadable: int
    others: int


def survey(archive: Path, *, besides: Path, progress: Progress) -> Survey:
    """Look at every file of a folder or zip, and of the zips in the folder.

    Args:
        archive: the folder or zip.
        besides: a folder in it that is left out.
        progress: called with how many files were looked at, and how many are known of.

    Raises:
        NotReadableError: there is no such folder or zip, or nothing readable in it.
    """
    if not archive.exists():
        raise NotReadableError(f"{archive}: there is no such folder or zip")
    found = _Found(progress)
    with silent_libraries():
        if archive.is_dir():
            found.look_into(archive, files_below(archive, besides))
        elif archive.suffix.lower() == ".zip":
            found.look_into_zip(archive, archive.parent, told=True)
        else:
            raise NotReadableError(f"{archive}: expected a folder or a zip")
    result = found.result()
    if not result.studies and not result.not_ct:
        there = f"{result.files} files" if result.files else "no file"
        raise NotReadableError(
            f"{archive}: found {there}, none of which is DICOM, NIfTI or NRRD that can be read"
        )
    return result


@dataclass(frozen=True)
class _Place:
    """Where files lie: in a folder of the archive, or unpacked from a zip in it."""

    folder: Path
    below: Path
    zipped: Path | None = None

    def study(
        self,
        kind: Literal["dicom", "grid"],
        paths: Sequence[Path],
        subject: Subject | None = None,
        time: str = "",
    ) -> FoundStudy:
        """What these files are, without asking what is in them."""
        names = [path.relative_to(self.below).as_posix() for path in paths]
        stats = [path.stat() for path in paths]
        packed_ns = self.zipped.stat().st_mtime_ns if self.zipped else None
        within = self.zipped.relative_to(self.folder).as_posix() if self.zipped else ""
        digest = hashlib.sha256(os.fsencode(within))
        for name, stat in zip(names, stats, strict=True):
            told = f"\0{name}\0{stat.st_size}\0{packed_ns or stat.st_mtime_ns}"
            digest.update(os.fsencode(told))
        size = sum(stat.st_size for stat in stats)
        fingerprint = digest.hexdigest()
        return FoundStudy(
            kind,
            self.zipped,
            self.folder,
            tuple(names),
            size,
            fingerprint,
            subject or Subject(),
            time,
        )


@dataclass(eq=False)
class _Images:
    """The images of one study, as they are found: names, and what tells whether they changed."""

    subject: Subject
    time: str
    files: list[Path] = field(default_factory=list)


@dataclass(eq=False)
class _Group:
    """Files of one Study Instance UID in one place, by patient."""

    of_patients: dict[str, _Images] = field(default_factory=dict)

    def parted(self) -> Iterator[_Images]:
        """One study; several where the UID was given to several patients.

        Images without patient belong to the one patient there is.
        """
        named = [one for one in self.of_patients if one]
        if len(named) != 1:
            yield from self.of_patients.values()
            return
        study = self.of_patients[named[0]]
        if "" in self.of_patients:
            study.files += self.of_patients[""].files
        yield study


class _Found:
    """Studies and counts, as far as the archive was looked at."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.studies: list[FoundStudy] = []
        self.files = self.known = self.ct_files = self.unreadable = self.others = 0
        self.not_ct: Counter[str] = Counter()
        self.other_uids: set[str] = set()
        self.ct_uids: set[str] = set()

    def result(self) -> Survey:
        return Survey(
            tuple(self.studies),
            self.files,
            self.ct_files,
            self.not_ct,
            len(self.other_uids - self.ct_uids),
            self.unreadable,
            self.others,
        )

    def look_into(self, folder: Path, paths: Iterator[Path]) -> None:
        files = sorted(paths)
        zips = [path for path in files if path.suffix.lower() == ".zip"]
        plain = [path for path in files if path.suffix.lower() != ".zip"]
        self._look_at(plain, _Place(folder, folder))
        for path in zips:
            self.look_into_zip(path, folder)

    def look_into_zip(self, path: Path, folder: Path, *, told: bool = False) -> None:
        """Unpack it for as long as this takes; one that is damaged costs no other."""
        try:
            unpacked: Unpacked = unpack(path)
        except NotReadableError:
            if told:
                raise
            self.unreadable += 1
            return
        members = sorted(files_below(unpacked.folder))
        self._look_at(members, _Place(folder, unpacked.folder, path))

    def _look_at(self, files: Sequence[Path], place: _Place) -> None:
        """Group the files of one place."""
        groups: dict[tuple[str, ...], _Group] = defaultdict(_Group)
        broken: list[Path] = []
        self.known += len(files)
        for path in files:
            try:
                self._look_at_one(path, groups, place)
            except InputError:
                broken.append(path)
            except OSError:
                self.unreadable += 1
            self.files += 1
            self.progress(self.files, self.known)
        studies = [study for group in groups.values() for study in group.parted()]
        self._assign(broken, studies)
        for one in studies:
            try:
                self.studies.append(place.study("dicom", sorted(one.files), one.subject, one.time))
            except OSError:  # gone since
                self.unreadable += len(one.files)

    def _look_at_one(
        self, path: Path, groups: dict[tuple[str, ...], _Group], place: _Place
    ) -> None:
        if _is_grid(path):
            if path.suffix.lower() != ".img" or not path.with_suffix(".hdr").exists():
                self.ct_files += 1
                self.studies.append(place.study("grid", _with_its_pair(path)))
            return
        header = dicom.read_header(path, only=_ASKED)
        if header is None:
            self.others += 1
            return
        uid = dicom.text(path, header.dataset, "StudyInstanceUID")
        if not is_ct_image(path, header):
            self.not_ct[dicom.text(path, header.dataset, "Modality") or _NO_KIND] += 1
            self.other_uids |= {uid} - {""}
            return
        self.ct_files += 1
        self.ct_uids.add(uid)
        subject = subject_of(path, header.dataset)
        images = groups[_key(path, uid, subject)].of_patients.setdefault(
            subject.patient_id,
            _Images(subject, dicom.text(path, header.dataset, "StudyTime")),
        )
        images.files.append(path)

    def _assign(self, broken: Sequence[Path], studies: Sequence[_Images]) -> None:
        """Give a file that cannot be read to the study of its folder, which it spoils."""
        of_folder: dict[Path, set[int]] = defaultdict(set)
        for number, study in enumerate(studies):
            for path in study.files:
                of_folder[path.parent].add(number)
        for path in broken:
            here = of_folder.get(path.parent, set())
            if len(here) == 1:
                (number,) = here
                studies[number].files.append(path)
            else:
                self.unreadable += 1


def _is_grid(path: Path) -> bool:
    """Whether it is NIfTI or NRRD: DICOM may be called .img as well."""
    with path.open("rb") as file:
        if file.read(132)[128:] == b"DICM":
            return False
    return is_nifti(path) or is_nrrd(path)


def _key(path: Path, uid: str, subject: Subject) -> tuple[str, ...]:
    """What images of one study share: its UID, or else folder and day."""
    return (uid,) if uid else ("", str(path.parent), str(subject.study_date))


def _with_its_pair(path: Path) -> list[Path]:
    """A NIfTI file with the one that holds its values, where these are two."""
    pair = path.with_suffix(".img")
    return [path, pair] if path.suffix.lower() == ".hdr" and pair.exists() else [path]


def printable(text: str) -> str:
    """A text that may hold a file's name, which need not be letters."""
    return text.encode(errors="replace").decode()


def _without_ending(name: str) -> str:
    for ending in (".nii.gz", ".nii", ".nrrd", ".hdr", ".img"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name
