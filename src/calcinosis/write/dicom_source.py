"""What a DICOM result owes to the images it came from: identity, references, geometry.

Sources in the wild lack tags, or carry them empty or malformed. Here a clean header is made for
each source file, with only what a result may inherit; everything else is left behind. To highdicom
every frame is shown as a single-frame image, since it takes no more than one multi-frame file.
"""

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from uuid import UUID, uuid5

import numpy as np
from numpy.typing import NDArray

from calcinosis.errors import NotReadableError
from calcinosis.measure.mass import Labels
from calcinosis.read.dicom import (
    CT_IMAGE,
    MR_IMAGE,
    Plane,
    functional_group,
    numbers,
    pixel_format,
    planes,
    read_header,
)
from calcinosis.volume import Study, Volume

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.valuerep import DSfloat

_NAMESPACE = UUID("6f1a9f5e-2f0b-4c52-9d0f-6c1c3b9a4a57")
_DEIDENTIFIED = 0xCA1C1005  # any 32 bits of our own
_UID = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+")

_DATE = r"\d{8}"
_SINGLE_FRAME = {"CT": CT_IMAGE, "MR": MR_IMAGE}

# Inherited as they are where their form is right, else empty (all are Type 2 in results).
_IDENTITY: dict[str, str] = {
    "PatientName": r".{1,194}",
    "PatientID": r".{1,64}",
    "IssuerOfPatientID": r".{1,64}",
    "PatientBirthDate": _DATE,
    "PatientSex": r"[MFO]",
    "StudyDate": _DATE,
    "StudyTime": r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?",
    "StudyID": r".{1,16}",
    "AccessionNumber": r".{1,16}",
    "ReferringPhysicianName": r".{1,194}",
}


@dataclass(frozen=True, eq=False)
class SourceImages:
    """The DICOM images a volume was read from.

    Attributes:
        headers: one clean header per file; UIDs always present, never pixel data.
        planes: every frame with its place, ordered as the files are, then by frame.
        frames: a header for each plane, as if it were an image of a single frame.
        referenced: of each frame, by its UID, how a result must refer to it.
    """

    headers: "tuple[Dataset, ...]"
    planes: tuple[Plane, ...]
    frames: "tuple[Dataset, ...]"
    referenced: "Mapping[str, Dataset]"

    @property
    def series_instance_uid(self) -> str:
        """Of the source, or derived from its files where it has none."""
        return str(self.headers[0].SeriesInstanceUID)

    @property
    def frame_of_reference_uid(self) -> str:
        """Of the source, or derived from its series where it has none."""
        return str(self.headers[0].FrameOfReferenceUID)


def derived_uuid(*parts: str) -> UUID:
    """The same UUID for the same parts."""
    return uuid5(_NAMESPACE, "\0".join(parts))


def derived_uid(*parts: str) -> str:
    """The same UID for the same parts, in the form of PS3.5 B.2 (2.25 and a UUID)."""
    return f"2.25.{derived_uuid(*parts).int}"


def deidentified_uid(uid: str) -> str:
    """The UID that stands for `uid` in everything without identity; such a UID stands for itself.

    The first 32 bits of its UUID mark it; 90 others tell it from the rest.
    """
    root, _, number = uid.rpartition(".")
    if root == "2.25" and number.isdecimal() and int(number) >> 96 == _DEIDENTIFIED:
        return uid
    told_apart = derived_uuid("deidentified", uid).int & ((1 << 96) - 1)
    return f"2.25.{_DEIDENTIFIED << 96 | told_apart}"


def source_images(study: Study, *, deidentify: bool = False) -> SourceImages | None:
    """Clean headers of the files a study was read from; None where they are not DICOM.

    Args:
        study: as read; its source files must still be there.
        deidentify: leave out who the patient is and when; map every UID (PS3.15 E.1, basic
            profile: what is not listed in this module is never inherited anyway).

    Raises:
        NotReadableError: a source file is no longer what it was.
    """
    return _gathered(study.source_files, study.source_frames, "CT", deidentify=deidentify)


def source_slices(slices: Sequence[Plane], *, deidentify: bool = False) -> SourceImages | None:
    """The same of slices of MRI, whose files must still be there."""
    taken = frozenset((plane.path, plane.frame) for plane in slices)
    return _gathered([plane.path for plane in slices], taken, "MR", deidentify=deidentify)


def _gathered(
    files: Iterable[Path],
    taken: Collection[tuple[Path, int]],
    modality: Literal["CT", "MR"],
    *,
    deidentify: bool,
) -> SourceImages | None:
    """Of files their frames, or those `taken` where some are named."""
    headers: list[Dataset] = []
    places: list[Plane] = []
    frames: list[Dataset] = []
    for path in dict.fromkeys(files):
        found = read_header(path)
        if found is None:
            return None
        pixels = pixel_format(path, found)
        every = planes(path, found.dataset, pixels, rescaled=modality == "CT")
        there = [one for one in every if not taken or (path, one.frame) in taken]
        header = _clean(path, found.dataset, modality, identify=not deidentify)
        places += there
        headers.append(header)
        frames += [_geometry(found.dataset, plane) for plane in there]
    if not headers:
        return None
    _complete_uids(headers)
    _complete_thickness(frames, places)
    _tell_distance(frames)
    if deidentify:
        for header in headers:
            _map_uids(header, deidentified_uid)
    return SourceImages(tuple(headers), tuple(places), *_joined(headers, places, frames))


def _geometry(header: "Dataset", plane: Plane) -> "Dataset":
    from pydicom import Dataset

    frame = Dataset()
    frame.Rows, frame.Columns = plane.pixels.rows, plane.pixels.columns
    for keyword, values in (
        ("ImagePositionPatient", plane.position_lps_mm),
        ("ImageOrientationPatient", plane.orientation),
        ("PixelSpacing", plane.pixel_spacing_mm),
    ):
        setattr(frame, keyword, [_decimal(value) for value in values])
    frame.SliceThickness = _thickness(header, plane)
    return frame


def _thickness(header: "Dataset", plane: Plane) -> "DSfloat | None":
    """As stated, where that is a thickness."""
    measures = functional_group(header, plane.frame, "PixelMeasuresSequence")
    try:
        found = numbers(plane.path, measures, "SliceThickness", 1)
    except NotReadableError:
        return None
    return _decimal(found[0]) if found and found[0] > 0 else None


def _decimal(value: float) -> "DSfloat":
    from pydicom.valuerep import DSfloat

    return DSfloat(value, auto_format=True)


def _joined(
    headers: "list[Dataset]", places: list[Plane], frames: "list[Dataset]"
) -> "tuple[tuple[Dataset, ...], dict[str, Dataset]]":
    """Frames with identity, and for each the reference that a result must carry."""
    from pydicom import Dataset

    of_file = dict(zip(dict.fromkeys(plane.path for plane in places), headers, strict=True))
    referenced = {}
    for plane, frame in zip(places, frames, strict=True):
        header = of_file[plane.path]
        reference = Dataset()
        reference.ReferencedSOPClassUID = header.SOPClassUID
        reference.ReferencedSOPInstanceUID = header.SOPInstanceUID
        frame.update(header)  # shares its elements
        single = _SINGLE_FRAME[header.Modality]
        if header.SOPClassUID != single:
            reference.ReferencedFrameNumber = plane.frame + 1
            uid = derived_uid("frame", str(header.SOPInstanceUID), str(plane.frame))
            frame.add_new("SOPClassUID", "UI", single)
            frame.add_new("SOPInstanceUID", "UI", uid)
        referenced[str(frame.SOPInstanceUID)] = reference
    return tuple(frames), referenced


def _clean(path: Path, header: "Dataset", modality: str, *, identify: bool) -> "Dataset":
    from pydicom import Dataset
    from pydicom.multival import MultiValue

    clean = Dataset()
    clean.SpecificCharacterSet = "ISO_IR 192"
    for keyword, form in _IDENTITY.items():
        stated = header.get(keyword) if identify else None
        value = "" if isinstance(stated, MultiValue) else str(stated or "")
        proper = re.fullmatch(form, value) and (form != _DATE or _in_calendar(value))
        setattr(clean, keyword, value if proper else "")
    if not clean.IssuerOfPatientID:
        del clean.IssuerOfPatientID  # Type 3: not known is not there
    if not identify:
        clean.PatientIdentityRemoved = "YES"
        clean.DeidentificationMethodCodeSequence = [_basic_profile()]
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        setattr(clean, keyword, _valid_uid(header.get(keyword)))
    clean.SOPClassUID = _valid_uid(header.get("SOPClassUID")) or _SINGLE_FRAME[modality]
    clean.SOPInstanceUID = _valid_uid(header.get("SOPInstanceUID")) or derived_uid(
        "instance", hashlib.sha256(path.read_bytes()).hexdigest()
    )
    clean.Modality = modality
    clean.PositionReferenceIndicator = ""
    return clean


def _in_calendar(dicom_date: str) -> bool:
    try:
        date.fromisoformat(dicom_date)
    except ValueError:
        return False
    return True


def _basic_profile() -> "Dataset":
    from highdicom.sr import CodedConcept
    from pydicom.sr.codedict import codes

    return CodedConcept.from_code(codes.DCM.BasicApplicationConfidentialityProfile)


def _valid_uid(value: object) -> str:
    text = str(value or "").strip()
    return text if len(text) <= 64 and _UID.fullmatch(text) else ""


def _complete_uids(headers: "list[Dataset]") -> None:
    """Give what has no UID one that depends on the files alone."""
    instances = sorted(str(header.SOPInstanceUID) for header in headers)
    series = headers[0].SeriesInstanceUID or derived_uid("series", *instances)
    study = headers[0].StudyInstanceUID or derived_uid("study", series)
    frame = headers[0].FrameOfReferenceUID or derived_uid("frame of reference", series)
    for header in headers:
        header.SeriesInstanceUID = series
        header.StudyInstanceUID = study
        header.FrameOfReferenceUID = frame


def _complete_thickness(frames: "list[Dataset]", places: list[Plane]) -> None:
    """Where the thickness of slices is not stated, their distance stands for it."""
    normal = _plane_affine(places[0])[:3, 0]
    along = np.sort([normal @ np.array(plane.position_lps_mm) for plane in places])
    for frame in frames:
        if frame.SliceThickness is None:
            frame.SliceThickness = round(float(np.median(np.diff(along))), 4)


def _tell_distance(frames: "list[Dataset]") -> None:
    """Let each frame say how far apart all lie, where that is even: some may be left out later."""
    from highdicom.spatial import get_volume_positions

    distance_mm, _ = get_volume_positions(
        [frame.ImagePositionPatient for frame in frames], frames[0].ImageOrientationPatient
    )
    if distance_mm is not None:
        for frame in frames:
            frame.SpacingBetweenSlices = _decimal(distance_mm)


def _map_uids(header: "Dataset", mapped: Callable[[str], str]) -> None:
    for keyword in (
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "FrameOfReferenceUID",
        "SOPInstanceUID",
    ):
        setattr(header, keyword, mapped(str(header[keyword].value)))


def labels_on_sources(labels: Labels, volume: Volume, source: SourceImages) -> Labels:
    """A label map as it lies on the original frames, shape [frame, row, column].

    Where the volume holds the source's own voxels, every label arrives unchanged, whatever the
    order and direction of the slices; where slices were resampled (gantry tilt, uneven spacing),
    each pixel takes the label of the voxel it lies in.
    """
    first = source.planes[0].pixels
    if _on_same_grid(volume, source):
        return labels
    result = np.zeros((len(source.planes), first.rows, first.columns), dtype=labels.dtype)
    box = _corners(labels)
    if box is not None:
        corners_lps_mm = volume.to_lps(box)
        for frame, plane in enumerate(source.planes):
            for rows, columns in _window(plane, corners_lps_mm, volume):
                result[frame, rows, columns] = _sampled(labels, volume, plane, rows, columns)
    return result


def _on_same_grid(volume: Volume, source: SourceImages) -> bool:
    """Whether the volume holds the frames as they are, in their order."""
    if len(source.planes) != volume.shape[0]:
        return False
    rows, columns = source.planes[0].pixels.rows, source.planes[0].pixels.columns
    frame = np.array([[0, 0, 0, 1], [0, rows, 0, 1], [0, 0, columns, 1]]).T  # its far corners
    voxels = np.linalg.inv(volume.affine)
    return (rows, columns) == volume.shape[1:] and all(
        np.abs(voxels @ _plane_affine(plane) @ frame - frame - [[z], [0], [0], [0]]).max() < 0.1
        for z, plane in enumerate(source.planes)
    )


def _corners(labels: Labels) -> NDArray[np.float64] | None:
    """The eight corners (z, y, x) of the box around all labels, or None without any."""
    ranges = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        taken = np.flatnonzero(labels.any(axis=others))
        if not len(taken):
            return None
        ranges.append((taken[0] - 1.0, taken[-1] + 1.0))
    return np.array(np.meshgrid(*ranges, indexing="ij")).reshape(3, -1).T


def _plane_affine(plane: Plane) -> NDArray[np.float64]:
    """4×4: (millimetres along the normal, row, column, 1) to LPS."""
    affine = np.eye(4)
    across, down = np.array(plane.orientation[:3]), np.array(plane.orientation[3:])
    affine[:3, 0] = np.cross(across, down)
    affine[:3, 1] = down * plane.pixel_spacing_mm[0]
    affine[:3, 2] = across * plane.pixel_spacing_mm[1]
    affine[:3, 3] = plane.position_lps_mm
    return affine


def _window(
    plane: Plane, corners_lps_mm: NDArray[np.float64], volume: Volume
) -> Iterator[tuple[slice, slice]]:
    """The rows and columns of a plane that the labels' box can touch; nothing if it cannot."""
    inverse = np.linalg.inv(_plane_affine(plane))
    corners = corners_lps_mm @ inverse[:3, :3].T + inverse[:3, 3]
    low, high = corners.min(axis=0), corners.max(axis=0)
    if low[0] > max(volume.spacing_mm) or high[0] < -max(volume.spacing_mm):
        return
    limits = plane.pixels.rows, plane.pixels.columns
    start = np.maximum(np.floor(low[1:]).astype(int), 0)
    stop = np.minimum(np.ceil(high[1:]).astype(int) + 1, limits)
    if (start < stop).all():
        yield slice(start[0], stop[0]), slice(start[1], stop[1])


def _sampled(labels: Labels, volume: Volume, plane: Plane, rows: slice, columns: slice) -> Labels:
    """Labels of the voxels in which the pixels of a window lie; 0 outside the volume."""
    to_voxels = np.linalg.inv(volume.affine) @ _plane_affine(plane)
    row = np.arange(rows.start, rows.stop)[:, None]
    column = np.arange(columns.start, columns.stop)
    places = [
        np.rint(to_voxels[axis, 3] + to_voxels[axis, 1] * row + to_voxels[axis, 2] * column)
        for axis in range(3)
    ]
    inside = np.ones(places[0].shape, dtype=bool)
    for axis, place in enumerate(places):
        inside &= (place >= 0) & (place < labels.shape[axis])
    z, y, x = (np.where(inside, place, 0).astype(int) for place in places)
    return np.where(inside, labels[z, y, x], 0).astype(labels.dtype)
