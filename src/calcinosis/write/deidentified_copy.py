"""A received instance reduced to what may be kept without identity: geometry, pixels, mapped UIDs.

What is not listed here is dropped, whatever it is (PS3.15 E.1, basic profile); the list is what
`read` reads. Pixels are kept of CT images alone, and not where they are said to show text. They are
copied from disk to disk, so an instance may be larger than the memory.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from calcinosis.errors import NotReadableError
from calcinosis.read.ct_image import acquisition
from calcinosis.read.dicom import (
    CT_IMAGES,
    DEFLATED,
    ENCAPSULATED,
    PIXEL_DATA_TAGS,
    one_line,
    text,
)
from calcinosis.write.dicom_source import deidentified_uid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom import DataElement, Dataset

_UIDS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
_SEQUENCES = frozenset(
    {
        "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
        "PixelMeasuresSequence", "PlanePositionSequence", "PlaneOrientationSequence",
        "PixelValueTransformationSequence", "CTReconstructionSequence", "CTXRayDetailsSequence",
        "FrameContentSequence", "UnassignedPerFrameConvertedAttributesSequence",
        "CTImageFrameTypeSequence", "ContrastBolusUsageSequence",
    }
)  # fmt: skip
_VALUES = frozenset(
    {
        "SOPClassUID", "Modality", "ImageType", "PatientPosition", "SeriesNumber", "InstanceNumber",
        "ConvolutionKernel", "KVP", "PixelSpacing", "SliceThickness", "ImagePositionPatient",
        "ImageOrientationPatient", "RescaleSlope", "RescaleIntercept", "RescaleType", "Rows",
        "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation",
        "PlanarConfiguration", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
        "PixelPaddingValue", "PixelPaddingRangeLimit", "VolumeBasedCalculationTechnique",
        "LossyImageCompression", "AcquisitionNumber", "FrameAcquisitionNumber",
        "TemporalPositionIdentifier", "TemporalPositionIndex", "FrameType", "FilterMaterial",
        "ContrastBolusAgentPhase", "ContrastBolusAgentAdministered",
        "MonoenergeticEnergyEquivalent",
    }
)  # fmt: skip
_CHUNK_BYTES = 1 << 20
_ITEM, _END_OF_ITEMS = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"


def deidentify_file(path: Path) -> None:
    """Put in the place of a DICOM file what may be kept of it; all or nothing.

    Raises:
        NotReadableError: it cannot be read as DICOM.
        OSError: there is no room for it.
    """
    kept = path.with_suffix(".kept")
    try:
        with path.open("rb") as source, kept.open("wb") as target:
            header = _header(source)
            start = source.tell()
            reduced = _reduced(path, header)
            reduced.save_as(target, enforce_file_format=True)
            if reduced.Modality == "CT":
                _copy(source, target, start, _end(source, start, header))
            target.flush()
            os.fsync(target.fileno())
        kept.replace(path)
    except (OSError, NotReadableError):
        raise
    except Exception as error:  # a parser of foreign bytes may raise anything
        raise NotReadableError(f"the instance cannot be read ({one_line(error)})") from error
    finally:
        kept.unlink(missing_ok=True)


def _header(source: BinaryIO) -> "Dataset":
    """All before the pixels, at which the file then stands."""
    import pydicom

    if DEFLATED in source.read(1024):
        raise NotReadableError("deflated; expected pixels that can be copied")
    source.seek(0)
    return pydicom.dcmread(source, stop_before_pixels=True)


def _reduced(path: Path, header: "Dataset") -> "Dataset":
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset

    reduced = Dataset()
    reduced.update({each.tag: each for each in _listed(header)})
    if header.get("SOPClassUID") not in CT_IMAGES or header.get("BurnedInAnnotation") == "YES":
        reduced = Dataset()
        reduced.SOPClassUID, reduced.Modality = header.SOPClassUID, "OT"
    else:
        reduced.update(_told(path, header))
    for keyword in _UIDS:
        if uid := str(header.get(keyword) or ""):
            setattr(reduced, keyword, deidentified_uid(uid))
    reduced.PatientIdentityRemoved = "YES"
    reduced.file_meta = FileMetaDataset()
    reduced.file_meta.TransferSyntaxUID = header.file_meta.TransferSyntaxUID
    return reduced


def _told(path: Path, header: "Dataset") -> "Dataset":
    """What is told in free text or by times, too: contrast, energies, tin, the side of a limb."""
    from pydicom import Dataset

    about, told = acquisition(path, header), Dataset()
    if about.contrast_agent is not None:
        told.ContrastBolusAgent = "CONTRAST" if about.contrast_agent else "NONE"
    if about.other_energies:
        told.ImageType = [*text(path, header, "ImageType").split(), "MAT_MODIFIED"]
    if about.photon_energy_kev:
        told.MonoenergeticEnergyEquivalent = about.photon_energy_kev
    if about.tin_filter:
        told.FilterMaterial = "TIN"
    if about.stated_side:
        told.Laterality = about.stated_side.side[0].upper()
    return told


def _listed(dataset: "Dataset") -> "Iterator[DataElement]":
    """The elements of a dataset that are kept, sequences with what is kept of their items."""
    from pydicom import DataElement, Dataset

    for element in dataset:
        if element.keyword in _VALUES:
            yield element
        elif element.keyword in _SEQUENCES:
            items = []
            for item in element.value:
                items.append(Dataset())
                items[-1].update({each.tag: each for each in _listed(item)})
            yield DataElement(element.tag, "SQ", items)


def _end(source: BinaryIO, start: int, header: "Dataset") -> int:
    """Where the element of pixels ends that begins at `start`; `start` where there is none."""
    implicit, little_endian = header.original_encoding
    source.seek(start)
    element = source.read(8 if implicit else 12)
    if element[:4] not in PIXEL_DATA_TAGS:
        return start
    length = int.from_bytes(element[-4:], "big" if little_endian is False else "little")
    if length != ENCAPSULATED:
        return source.tell() + length
    while (item := source.read(8))[:4] == _ITEM:
        source.seek(int.from_bytes(item[4:], "little"), 1)
    if item[:4] != _END_OF_ITEMS:
        raise NotReadableError("the compressed pixels do not end")
    return source.tell()


def _copy(source: BinaryIO, target: BinaryIO, start: int, end: int) -> None:
    source.seek(start)
    while start < end and (chunk := source.read(min(_CHUNK_BYTES, end - start))):
        target.write(chunk)
        start += len(chunk)
