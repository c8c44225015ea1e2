"""What a header says of one slice that may tell phases and reconstructions of a series apart."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from calcinosis.errors import NotReadableError
from calcinosis.read import dicom

if TYPE_CHECKING:
    from pydicom import Dataset

ACQUISITION_TIME = "acquisition time"
# Under what name, in which functional group of an enhanced image, and by which keyword.
_KINDS = (
    ("acquisition number", "FrameContentSequence", "FrameAcquisitionNumber"),
    ("acquisition number", "UnassignedPerFrameConvertedAttributesSequence", "AcquisitionNumber"),
    ("temporal position", "FrameContentSequence", "TemporalPositionIndex"),
    ("temporal position", "", "TemporalPositionIdentifier"),
    ("contrast agent", "ContrastBolusUsageSequence", "ContrastBolusAgentPhase"),
    ("contrast agent", "", "ContrastBolusAgent"),
    ("image type", "CTImageFrameTypeSequence", "FrameType"),
    ("image type", "", "ImageType"),
    ("kernel", "CTReconstructionSequence", "ConvolutionKernel"),
    ("slice thickness", "PixelMeasuresSequence", "SliceThickness"),
    ("tube voltage", "CTXRayDetailsSequence", "KVP"),
)
# These may differ from slice to slice of one phase: they tell which came first.
_ORDERS = (
    (ACQUISITION_TIME, "FrameContentSequence", "FrameAcquisitionDateTime"),
    (ACQUISITION_TIME, "", "AcquisitionTime"),
    ("time of the image", "", "ContentTime"),
    ("number of the image", "UnassignedPerFrameConvertedAttributesSequence", "InstanceNumber"),
)
KINDS = tuple(dict.fromkeys(name for name, _, _ in _KINDS))
ORDERS = tuple(dict.fromkeys(name for name, _, _ in _ORDERS))

Value = tuple[float, str]  # a number, or infinity and a text
Marks = dict[str, Value]


def marks_of(path: Path, header: "Dataset", frame: int) -> Marks:
    """What is said of one frame, by name; what is not said is left out."""
    found: Marks = {}
    for name, group, keyword in (*_KINDS, *_ORDERS):
        place = dicom.functional_group(header, frame, group) if group else header
        text = _text(path, place, keyword)
        if text and name not in found:
            found[name] = _value(text)
    return found


def _text(path: Path, header: "Dataset", keyword: str) -> str:
    try:
        return dicom.text(path, header, keyword).upper()
    except NotReadableError:
        return ""


def _value(text: str) -> Value:
    """Times of one form, HHMMSS or YYYYMMDDHHMMSS, follow each other as numbers do."""
    try:
        number = float(text)
    except ValueError:
        return math.inf, text
    return (number, "") if math.isfinite(number) else (math.inf, text)
