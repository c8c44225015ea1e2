"""What one CT file says: of its slices, and of the series it belongs to."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from calcinosis.errors import InputError, NotCtError, NotReadableError
from calcinosis.read import dicom
from calcinosis.read.computed import (
    MODIFIED,
    from_other_energies,
    photon_energy_kev,
    require_slices,
)
from calcinosis.read.dicom import Header, Plane
from calcinosis.read.laterality import stated_side
from calcinosis.read.marks import Marks, marks_of
from calcinosis.read.subject import subject_of
from calcinosis.volume import StatedSide, Subject

if TYPE_CHECKING:
    from pydicom import Dataset

# Of a whole examination with both kinds of series; of one of them it says nothing.
_AND = r"(/|-| |&|\+|and|und|et|or|oder|y|e)+"
WITH_AND_WITHOUT = re.compile(
    rf"\bw{_AND}w/?o\b|\bw/?o{_AND}w\b|\bpre{_AND}post\b"
    rf"|\b(with|mit|avec|con){_AND}(without|ohne|sans|sin|senza)\b"
    rf"|\b(without|ohne|sans|sin|senza){_AND}(with|mit|avec|con)\b",
    re.IGNORECASE,
)
WITHOUT_CONTRAST = re.compile(
    r"\bwithout|\bw/o|\bwo\b|\b(un|non[- ])enhanced|\bplain\b|\bnativ(e|er|es)?(?![a-z])"
    r"|\b(non|no|pre|ohne|sans|sin|senza)[- ]?(iv |intraven\w+ )?([ck]ontrast|km|inj|mdc)"
    r"|\bnon[- ]?con\b|\bnc(ct)?\b|\bc-(?!\w)",
    re.IGNORECASE,
)
WITH_CONTRAST = re.compile(
    r"\b(with|w/?|mit|avec|con) ?(iv |i\.v\. |intraven\w+ )?([ck]ontrast|inject|mdc)"
    r"|post[- ]?contrast"
    r"|(?<!un)(?<!non[- ])enhanced|\b(mit|nach|post) km\b"
    r"|arteri|portal|(?<!intra)ven(ou|ö|oe?)s|angio|\bctp?a\b|delayed|nephro(?!l)"
    r"|\bce(ct)?\b|\bc\+",
    re.IGNORECASE,
)
NO_AGENT = {"NONE", "NO", "N", "0", "WITHOUT", "NO CONTRAST", "NIL", "-"}
# Vendors' names for sharp kernels: GE words, Siemens numbers from 50, Canon FC30 and beyond
# (bone, lung, high resolution), Philips D, E, L and Y.
SHARP_KERNEL = re.compile(
    r"^(bone|lung|edge|ultra|detail|[bhijuqt][a-z]?[5-9]\d|fc[358]\d|(d|e|l|y[a-e])\b)",
    re.IGNORECASE,
)
TIN = re.compile(r"\bsn ?(\d{2,3})(?!\d)|\b(\d{2,3}) ?(?:kvp? ?)?sn\b", re.IGNORECASE)  # Sn100
HIGHEST_KV = 200.0  # no CT tube reaches it: volts, or no voltage at all
HOUNSFIELD_TYPES = {"", "HU", "US", "HOUNSFIELD", MODIFIED}  # US: unspecified, told by the values


@dataclass(frozen=True, slots=True)
class Image:
    """One CT file: its slices, or the fault that keeps them from being used.

    Attributes:
        marks: what may tell phases apart, of each slice.
    """

    path: Path
    sop_instance_uid: str
    image_type: str
    patient_id: str
    patient_name: str
    frame_of_reference_uid: str
    patient_position: str
    lossy: bool
    planes: tuple[Plane, ...]
    marks: tuple[Marks, ...]
    fault: InputError | None

    @property
    def scout(self) -> bool:
        """A localizer: a projection, not a slice."""
        return "LOCALIZER" in self.image_type


@dataclass(frozen=True, slots=True)
class Acquisition:
    """What the first slice of a series says for all of it; empty or None where it is silent.

    Attributes:
        photon_energy_kev: of virtual monoenergetic images.
        tin_filter: whether the beam went through tin.
    """

    series_uid: str
    study_uid: str
    number: str
    kernel: str
    contrast_agent: bool | None
    other_energies: bool
    photon_energy_kev: float | None
    tube_voltage_kv: float | None
    tin_filter: bool
    slice_thickness_mm: float | None
    subject: Subject
    stated_side: StatedSide | None

    @property
    def sharp(self) -> bool:
        """Reconstructed for edges: noisier, and calcium beside bone overshoots."""
        return bool(SHARP_KERNEL.match(self.kernel))


def is_ct_image(path: Path, found: Header) -> bool:
    """Whether a file says that it is a CT image: by SOP class and modality."""
    sop_class = dicom.text(path, found.dataset, "SOPClassUID")
    modality = dicom.text(path, found.dataset, "Modality")
    if not sop_class:
        return modality == "CT" and found.has_pixels
    return sop_class in dicom.CT_IMAGES and modality in ("CT", "")


def ct_image(path: Path, found: Header) -> Image | None:
    """The slices of a CT file; None for another modality, a report or a screen capture.

    Raises:
        NotReadableError: the file ends before its pixels.
    """
    header = found.dataset
    if not is_ct_image(path, found):
        return None
    if not found.has_pixels:  # cut short, perhaps before it says to which series it belongs
        raise NotReadableError(
            f"{path.name}: the file ends after {path.stat().st_size} bytes without pixels; "
            "expected a CT image"
        )
    planes, fault = _planes(path, found)
    return Image(
        path=path,
        sop_instance_uid=dicom.text(path, header, "SOPInstanceUID"),
        image_type=dicom.text(path, header, "ImageType"),
        patient_id=dicom.text(path, header, "PatientID"),
        patient_name=dicom.text(path, header, "PatientName"),
        frame_of_reference_uid=dicom.text(path, header, "FrameOfReferenceUID"),
        patient_position=dicom.text(path, header, "PatientPosition").upper(),
        lossy=dicom.text(path, header, "LossyImageCompression") == "01",
        planes=planes,
        marks=tuple(marks_of(path, header, plane.frame) for plane in planes),
        fault=fault,
    )


def series_key(path: Path, header: "Dataset") -> tuple[str, ...]:
    """What files of one series share: its UID, or what else tells series apart."""
    series_uid = dicom.text(path, header, "SeriesInstanceUID")
    if series_uid:
        return (series_uid,)
    number = dicom.text(path, header, "SeriesNumber")
    image_type = dicom.text(path, header, "ImageType")
    return str(path.parent), number, _kernel(path, header, 0), image_type


def acquisition(path: Path, header: "Dataset", frame: int = 0) -> Acquisition:
    """What a CT file says of its series by one of its slices."""
    return Acquisition(
        series_uid=dicom.text(path, header, "SeriesInstanceUID"),
        study_uid=dicom.text(path, header, "StudyInstanceUID"),
        number=dicom.text(path, header, "SeriesNumber"),
        kernel=_kernel(path, header, frame),
        contrast_agent=_contrast_agent(path, header, frame),
        other_energies=from_other_energies(path, header),
        photon_energy_kev=photon_energy_kev(path, header),
        tube_voltage_kv=_tube_voltage(path, header, frame),
        tin_filter=_tin_filter(path, header, frame),
        slice_thickness_mm=_positive(
            path, header, frame, "PixelMeasuresSequence", "SliceThickness"
        ),
        subject=subject_of(path, header),
        stated_side=stated_side(path, header),
    )


def _planes(path: Path, found: Header) -> tuple[tuple[Plane, ...], InputError | None]:
    """The slices of a CT file, or the fault that keeps them from being used."""
    header = found.dataset
    try:
        require_slices(path, header)
        pixels = dicom.pixel_format(path, found)
        place = dicom.functional_group(header, 0, "PixelValueTransformationSequence")
        kind = dicom.text(path, place, "RescaleType").upper()
        if kind not in HOUNSFIELD_TYPES:
            raise NotCtError(f"{path.name}: RescaleType is {kind}; expected HU")
        if pixels.samples != 1:
            raise NotCtError(f"{path.name}: a colour image; expected one value per pixel")
        return dicom.planes(path, header, pixels), None
    except InputError as fault:
        return (), fault


def _kernel(path: Path, header: "Dataset", frame: int) -> str:
    place = dicom.functional_group(header, frame, "CTReconstructionSequence")
    return dicom.text(path, place, "ConvolutionKernel")


def _tube_voltage(path: Path, header: "Dataset", frame: int) -> float | None:
    found_kv = _positive(path, header, frame, "CTXRayDetailsSequence", "KVP")
    return found_kv if found_kv and found_kv <= HIGHEST_KV else None


def _positive(path: Path, header: "Dataset", frame: int, group: str, keyword: str) -> float | None:
    """A number above zero; None where there is none, or several."""
    place = dicom.functional_group(header, frame, group)
    try:
        found = dicom.numbers(path, place, keyword, 1)
    except NotReadableError:
        return None
    return found[0] if found and found[0] > 0 else None


def _tin_filter(path: Path, header: "Dataset", frame: int) -> bool:
    """By the filter's material or type, or by a description that names it with the tube voltage.

    Of two tubes (100/Sn150) only one may have it.
    """
    place = dicom.functional_group(header, frame, "CTXRayDetailsSequence")
    filters = " ".join(dicom.text(path, place, tag) for tag in ("FilterMaterial", "FilterType"))
    if {"TIN", "SN"} & set(filters.upper().split()):
        return True
    tags = ("SeriesDescription", "ProtocolName")
    described = " ".join(dicom.text(path, header, tag) for tag in tags).replace("_", " ")
    voltage_kv = _tube_voltage(path, header, frame)
    return any(float(told[1] or told[2]) == voltage_kv for told in TIN.finditer(described))


def told_of_contrast(described: str) -> bool | None:
    """What a description says of contrast; None where it says nothing, or both."""
    of_this_series = WITH_AND_WITHOUT.sub(" ", described.replace("_", " "))
    without = bool(WITHOUT_CONTRAST.search(of_this_series))
    with_ = bool(WITH_CONTRAST.search(of_this_series))
    return None if with_ == without else with_


def _contrast_agent(path: Path, header: "Dataset", frame: int) -> bool | None:
    """Whether contrast was given, or None where nothing is said.

    A series described as unenhanced is believed before its agent tag, which scanners fill for the
    whole examination; so is a slice that was acquired before the injection began. A protocol, which
    is of the whole examination too, is believed after it.
    """
    described = told_of_contrast(dicom.text(path, header, "SeriesDescription"))
    usage = dicom.functional_group(header, frame, "ContrastBolusUsageSequence")
    phase = dicom.text(path, usage, "ContrastBolusAgentPhase").upper()
    if described is False or phase == "PRE_CONTRAST" or _before_injection(path, header):
        return False
    agent = dicom.text(path, header, "ContrastBolusAgent").upper()
    administered = dicom.text(path, usage, "ContrastBolusAgentAdministered").upper()
    if described or (agent and agent not in NO_AGENT) or administered == "YES":
        return True
    by_protocol = told_of_contrast(dicom.text(path, header, "ProtocolName"))
    if by_protocol is not None:
        return by_protocol
    return False if agent or administered else None


def _before_injection(path: Path, header: "Dataset") -> bool:
    """Whether the slice was acquired before contrast agent was given, by the clock, HHMMSS."""
    acquired, injected = (
        dicom.text(path, header, keyword)
        for keyword in ("AcquisitionTime", "ContrastBolusStartTime")
    )
    try:
        return float(acquired) < float(injected)
    except ValueError:
        return False
