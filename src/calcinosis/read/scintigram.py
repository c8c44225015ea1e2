"""A bone scan as DICOM holds it: planar views of counts."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from calcinosis.errors import InputError, NotReadableError
from calcinosis.read import dicom
from calcinosis.read.pixels import decoded_frame, load, raw_frame
from calcinosis.read.subject import subject_of
from calcinosis.volume import Subject

if TYPE_CHECKING:
    from pydicom import Dataset

_SLICES = {"TOMO", "RECON TOMO", "GATED TOMO", "RECON GATED TOMO"}  # PS3.3 C.8.4.9.1.1
_MOVING = {"DYNAMIC", "GATED"}
_OTHERS = {
    "CT": "a CT; `calcinosis analyze` measures it",
    "MR": "MRI; `calcinosis mri` reads it",
    "PT": "a PET",
    "US": "an ultrasound picture; `calcinosis ultrasound` reads it",
    **dict.fromkeys(dicom.FILMS, "a radiograph; `calcinosis radiograph` reads it"),
}

Counts = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Scintigram:
    """One planar view.

    Attributes:
        counts: of each pixel, [row, column].
        pixel_mm: height and width of a pixel.
        view: anterior or posterior; empty where the header does not say.
    """

    counts: Counts
    pixel_mm: tuple[float, float]
    view: str = ""


@dataclass(frozen=True, eq=False)
class BoneScan:
    """The planar views of one file.

    Attributes:
        views: as they stand in the file.
        subject: whom it is of, and when.
        remarks: what the header says that makes counts less sure.
    """

    views: tuple[Scintigram, ...]
    subject: Subject
    remarks: tuple[str, ...] = ()


def read_bone_scan(path: Path) -> BoneScan:
    """Read one DICOM file of a planar bone scan.

    Raises:
        NotReadableError: there is no such file, or it is damaged or no DICOM.
        InputError: it is no planar scintigram; says what it is.
    """
    if path.is_dir():
        raise NotReadableError(f"{path}: a folder; expected one file of a bone scan")
    if not path.exists():
        raise NotReadableError(f"{path}: there is no such file")
    header = dicom.read_header(path)
    if header is None:
        raise NotReadableError(f"{path.name}: found no DICOM; expected a planar bone scan")
    dataset = header.dataset
    _check_planar(path, dataset)
    pixels = dicom.pixel_format(path, header)
    if pixels.samples != 1:
        raise InputError(
            f"{path.name}: found a picture in colour; expected counts, as the camera stores them"
        )
    spacing = dicom.numbers(path, dataset, "PixelSpacing", 2)
    if spacing is None or min(spacing) <= 0:
        raise InputError(f"{path.name}: the size of a pixel (PixelSpacing) is not told")
    whole = None if pixels.raw else load(path)
    views = tuple(
        Scintigram(
            _counts(path, pixels, whole, frame),
            (spacing[0], spacing[1]),
            _view(dataset, frame),
        )
        for frame in range(pixels.frames)
    )
    return BoneScan(views, subject_of(path, dataset), tuple(_remarks(path, dataset)))


def _check_planar(path: Path, dataset: "Dataset") -> None:
    modality = dicom.text(path, dataset, "Modality")
    if modality != "NM":
        found = _OTHERS.get(modality, f"modality {modality or 'not told'}")
        raise InputError(f"{path.name}: found {found}; expected a planar bone scan (NM)")
    kind = set(map(str, dicom.field(path, dataset, "ImageType") or ()))
    if kind & _SLICES:
        raise InputError(f"{path.name}: found a tomogram (SPECT); expected a planar view")
    if kind & _MOVING:
        raise InputError(
            f"{path.name}: found a moving series; expected a static or whole-body view"
        )


def _counts(path: Path, pixels: dicom.PixelFormat, whole: Any, frame: int) -> Counts:  # noqa: ANN401
    stored = (
        raw_frame(path, pixels, frame)
        if whole is None
        else decoded_frame(path, whole, pixels, frame)
    )
    return np.asarray(np.maximum(stored, 0), dtype=np.float32)


def _view(dataset: "Dataset", frame: int) -> str:
    """Anterior or posterior, by the detector's view code; empty where the header does not say."""
    try:
        vector: Any = dataset.get("DetectorVector") or 1
        number = int(vector[frame] if hasattr(vector, "__len__") else vector)
        detector = dataset.DetectorInformationSequence[number - 1]
        meaning = str(detector.ViewCodeSequence[0].CodeMeaning).lower()
    except (AttributeError, IndexError, TypeError, ValueError):
        return ""
    return next((view for view in ("anterior", "posterior") if view in meaning), "")


def _remarks(path: Path, dataset: "Dataset") -> list[str]:
    said = []
    if dicom.text(path, dataset, "LossyImageCompression") == "01":
        said.append("The image was compressed with loss: its counts are not what was measured.")
    slope = dicom.numbers(path, dataset, "RescaleSlope", 1)
    if slope and slope[0] != 1:
        said.append(
            "The header rescales the pixels, so that they may not be counts; intervals take them "
            "for counts."
        )
    return said
