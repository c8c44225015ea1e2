"""An MRI study: its series, what each is weighted by, and why others are left out."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from calcinosis.errors import GeometryError, InputError, NotReadableError
from calcinosis.read import dicom
from calcinosis.read.archive import Unpacked
from calcinosis.read.ct_image import series_key
from calcinosis.read.dicom import Header, Plane
from calcinosis.read.geometry import Stack, arrange, evenly_spaced, shear_deg, straightened
from calcinosis.read.mr_weighting import Protocol, Weighing, protocol_of, weighed
from calcinosis.read.pixels import stored_frames
from calcinosis.read.study import TILT_TOLERATED_DEG, explained, files_given, silent_libraries
from calcinosis.read.subject import subject_of
from calcinosis.volume import GRAVITY_LPS, Subject, Volume

if TYPE_CHECKING:
    from pydicom import Dataset

_LARGEST = float(np.iinfo(np.int16).max)
_SAME_DIRECTION = 0.05  # cosines within one stack

Point = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class MrSeries:
    """Images of one series that make a volume, made alike.

    Attributes:
        name: by number, with the echo where there are several.
        weighing: what they are weighted by.
        protocol: how they were made.
        stack: the slices in order.
        thickness_mm: of a slice; None where it is not told.
        frame_of_reference: UID of the space its places are given in; may be empty.
        patient_position: as stated; may be empty.
    """

    name: str
    uid: str
    weighing: Weighing
    protocol: Protocol
    stack: Stack
    thickness_mm: float | None
    frame_of_reference: str
    patient_position: str

    @property
    def slice_mm(self) -> float:
        """From one slice to the next."""
        return self.stack.spacing_mm

    @property
    def pixel_mm(self) -> float:
        """The longer side of a pixel."""
        return float(max(self.stack.planes[0].pixel_spacing_mm))

    def depth_mm(self, point: Point) -> float:
        """How far a point lies inside of the imaged box; below zero outside of it."""
        size = _shape(self.stack)
        index = np.linalg.solve(self.stack.affine, [*point, 1.0])[:3]
        step = np.linalg.norm(self.stack.affine[:3, :3], axis=0)
        inside = np.minimum(index + 0.5, np.array(size) - 0.5 - index) * step
        return float(inside.min())

    @property
    def told(self) -> str:
        """``series 3 (spin echo, TR 600 ms, TE 12 ms, T1-weighted)``."""
        return f"{self.name} ({self.weighing.because})"


@dataclass(frozen=True, eq=False)
class MriStudy:
    """The series of one study.

    Attributes:
        series: those of use.
        left_out: name and reason of the others.
        subject: whom it is of, and when.
        remarks: what reading had to assume.
    """

    series: tuple[MrSeries, ...]
    left_out: tuple[str, ...]
    subject: Subject
    remarks: tuple[str, ...] = ()
    unpacked: Unpacked | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class _Frame:
    plane: Plane
    protocol: Protocol
    instance: str
    when: tuple[str, str]
    header: "_About"


@dataclass(frozen=True, slots=True)
class _About:
    number: str
    uid: str
    patient: str
    study: str
    frame_of_reference: str
    patient_position: str
    thickness_mm: float | None
    subject: Subject


def read_mri(path: Path, progress: Callable[[float], None] | None = None) -> MriStudy:
    """Read the headers of a folder or zip of DICOM, and tell what each MR series is.

    Args:
        path: a folder, a zip, or one file of many frames.
        progress: called with the fraction done.

    Raises:
        NotReadableError: there is no such thing, or a file of it is damaged.
        InputError: there is no MR series of use; says what there is.
    """
    with explained(path), silent_libraries():
        files, unpacked = files_given(path)
        groups: dict[tuple[object, ...], list[_Frame]] = {}
        others: Counter[str] = Counter()
        faults: dict[str, str] = {}
        for index, file in enumerate(files):
            found = dicom.read_header(file)
            if found is None:
                others["not DICOM"] += 1
            elif not _is_mr(file, found):
                others[dicom.text(file, found.dataset, "Modality") or "DICOM without image"] += 1
            else:
                _sort_in(file, found, groups, faults)
            if progress:
                progress((index + 1) / len(files))
    if not groups and not faults:
        raise _nothing(path, others)
    _require_one_patient(groups.values())
    series, left_out = _series_of(groups)
    left_out += [f"{name} ({fault})" for name, fault in faults.items()]
    if not series:
        raise InputError(f"no MR series of use; found {'; '.join(sorted(left_out))}")
    studies = {frame.header.study for frames in groups.values() for frame in frames}
    remarks = [f"The input holds {len(studies)} studies: they were read as one."]
    subject = next(iter(groups.values()))[0].header.subject
    return MriStudy(
        tuple(series), tuple(left_out), subject, tuple(remarks * (len(studies) > 1)), unpacked
    )


def volume_of(series: MrSeries) -> Volume:
    """The signal of a series, int16 [slice, row, column] in a unit of its own.

    Raises:
        NotReadableError: pixels are missing or cannot be decoded; names the file.
    """
    stack = series.stack
    with silent_libraries():
        values = _signal(stack.planes)
    largest = float(np.abs(values).max())
    if largest > _LARGEST or 0 < largest < _LARGEST / 64:
        values *= _LARGEST / largest
    voxels = evenly_spaced(np.rint(values).astype(np.int16), stack)
    affine = stack.affine
    if shear_deg(affine) > TILT_TOLERATED_DEG:
        voxels, affine = straightened(voxels, affine, 0)
    stated = series.patient_position
    known = stated in GRAVITY_LPS
    return Volume(voxels, affine, stated if known else "HFS", not known, "MR")


def _signal(planes: Sequence[Plane]) -> NDArray[np.float32]:
    rows, columns = planes[0].pixels.rows, planes[0].pixels.columns
    values = np.empty((len(planes), rows, columns), np.float32)
    for index, (plane, stored) in enumerate(stored_frames(planes)):
        values[index] = np.maximum(stored * plane.slope + plane.intercept, 0)
        if plane.pixels.padding:
            low, high = plane.pixels.padding
            values[index][(stored >= low) & (stored <= high)] = 0
    return values


def _is_mr(path: Path, found: Header) -> bool:
    sop_class = dicom.text(path, found.dataset, "SOPClassUID")
    modality = dicom.text(path, found.dataset, "Modality")
    return (
        modality in ("MR", "")
        and (not sop_class or sop_class in dicom.MR_IMAGES)
        and (bool(sop_class) or modality == "MR")
    )


def _sort_in(
    path: Path,
    found: Header,
    groups: dict[tuple[object, ...], list[_Frame]],
    faults: dict[str, str],
) -> None:
    """Put the frames of a file to others that were made alike."""
    header = found.dataset
    about = _about(path, header)
    if not found.has_pixels:
        raise NotReadableError(f"{path.name}: the file ends without pixels; expected an MR image")
    pixels = dicom.pixel_format(path, found)
    if pixels.samples != 1:
        faults.setdefault(_name(about), f"{path.name}: a colour image")
        return
    try:
        planes = dicom.planes(path, header, pixels, rescaled=False)
    except GeometryError as fault:
        faults.setdefault(_name(about), str(fault))
        return
    for plane in planes:
        protocol = protocol_of(path, header, plane.frame)
        frame = _Frame(
            plane,
            protocol,
            dicom.text(path, header, "SOPInstanceUID"),
            _when(path, header, plane.frame),
            about,
        )
        made = (*series_key(path, header), *_made(frame))
        like = (key for key in groups if key[1:] == made and _parallel(groups[key][0], frame))
        groups.setdefault(next(like, (len(groups), *made)), []).append(frame)


def _parallel(one: _Frame, other: _Frame) -> bool:
    pairs = zip(one.plane.orientation, other.plane.orientation, strict=True)
    return all(abs(a - b) < _SAME_DIRECTION for a, b in pairs)


def _made(frame: _Frame) -> tuple[object, ...]:
    """What images of one stack share, beside their direction."""
    plane, protocol = frame.plane, frame.protocol
    return (
        tuple(round(one, 2) for one in plane.pixel_spacing_mm),
        plane.pixels.rows,
        plane.pixels.columns,
        None if protocol.echo_ms is None else round(protocol.echo_ms),
        protocol.kind,
        protocol.fat_suppressed,
    )


def _when(path: Path, header: "Dataset", frame: int) -> tuple[str, str]:
    """What tells repetitions of a series apart, the earlier first."""
    content = dicom.functional_group(header, frame, "FrameContentSequence")
    place = (
        dicom.text(path, content, "TemporalPositionIndex")
        or dicom.text(path, header, "TemporalPositionIdentifier")
    ).zfill(6)
    return place, dicom.text(path, header, "AcquisitionNumber").zfill(6)


def _about(path: Path, header: "Dataset") -> _About:
    measures = dicom.functional_group(header, 0, "PixelMeasuresSequence")
    try:
        thickness = dicom.numbers(path, measures, "SliceThickness", 1)
    except NotReadableError:
        thickness = None
    return _About(
        number=dicom.text(path, header, "SeriesNumber"),
        uid=dicom.text(path, header, "SeriesInstanceUID"),
        patient=dicom.text(path, header, "PatientID") or dicom.text(path, header, "PatientName"),
        study=dicom.text(path, header, "StudyInstanceUID"),
        frame_of_reference=dicom.text(path, header, "FrameOfReferenceUID"),
        patient_position=dicom.text(path, header, "PatientPosition").upper(),
        thickness_mm=thickness[0] if thickness and thickness[0] > 0 else None,
        subject=subject_of(path, header),
    )


def _series_of(
    groups: dict[tuple[object, ...], list[_Frame]],
) -> tuple[list[MrSeries], list[str]]:
    """Series that make a volume and are weighted so that they are of use; the others' reasons."""
    echoes: dict[str, set[float | None]] = {}
    for frames in groups.values():
        echoes.setdefault(_name(frames[0].header), set()).add(frames[0].protocol.echo_ms)
    series, left_out = [], []
    for frames in groups.values():
        first = frames[0]
        name = _name(first.header)
        if len(echoes[name]) > 1 and first.protocol.echo_ms is not None:
            name = f"{name}, echo {first.protocol.echo_ms:.0f} ms"
        weighing = weighed(first.protocol)
        if weighing.weighting is None:
            left_out.append(f"{name} ({weighing.because})")
            continue
        try:
            series.append(_one(name, frames, weighing))
        except GeometryError as fault:
            left_out.append(f"{name} ({fault})")
    return series, list(dict.fromkeys(left_out))


def _one(name: str, frames: list[_Frame], weighing: Weighing) -> MrSeries:
    """The first of its repetitions that makes a volume.

    Raises:
        GeometryError: none does.
    """
    about = frames[0].header
    return MrSeries(
        name=name,
        uid=about.uid,
        weighing=weighing,
        protocol=frames[0].protocol,
        stack=_arranged(frames),
        thickness_mm=about.thickness_mm,
        frame_of_reference=about.frame_of_reference,
        patient_position=about.patient_position,
    )


def _arranged(frames: list[_Frame]) -> Stack:
    """The slices in order, each once; of several moments the first."""
    named = all(frame.instance for frame in frames)
    once = {
        (frame.instance, frame.plane.frame if named else index): frame
        for index, frame in enumerate(frames)
    }
    kept = list(once.values())
    first = min(frame.when for frame in kept)
    earliest = [frame.plane for frame in kept if frame.when == first]
    try:
        return arrange([frame.plane for frame in kept])
    except GeometryError:
        if len(earliest) == len(kept):
            raise
        return arrange(earliest)


def _name(about: _About) -> str:
    return f"series {about.number or 'without number'}"


def _shape(stack: Stack) -> tuple[int, int, int]:
    pixels = stack.planes[0].pixels
    count = len(stack.planes) if stack.even else int(stack.extent_mm / stack.spacing_mm) + 1
    return count, pixels.rows, pixels.columns


def _require_one_patient(groups: Iterable[list[_Frame]]) -> None:
    patients = {frame.header.patient for frames in groups for frame in frames} - {""}
    if len(patients) > 1:
        raise InputError(f"the input holds images of {len(patients)} patients; expected one")


def _nothing(path: Path, others: Counter[str]) -> InputError:
    there = ", ".join(f"{kind} ({count})" for kind, count in others.most_common(6)) or "no file"
    elsewhere = "; `calcinosis analyze` measures CT" if "CT" in others else ""
    elsewhere += "; NIfTI and NRRD do not tell how MR was made" * (set(others) == {"not DICOM"})
    return InputError(
        f"{path.name}: no MR image found; expected MR series, found {there}{elsewhere}"
    )
