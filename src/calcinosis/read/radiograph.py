"""A radiograph: its pixels as density, how large they are, and where down is."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from calcinosis.errors import InputError, NotReadableError
from calcinosis.read import dicom
from calcinosis.read.dicom import Header, one_line
from calcinosis.read.pixels import decoded_frame, load, raw_frame
from calcinosis.read.radiograph_gravity import Gravity, gravity_of, stated_gravity
from calcinosis.read.radiograph_scale import Scale, scale_of, stated_scale
from calcinosis.read.study import silent_libraries
from calcinosis.read.subject import subject_of
from calcinosis.volume import Subject

if TYPE_CHECKING:
    from pydicom import Dataset

_CAPTURES = {"SC", "OT"}  # may be of a radiograph
_ELSEWHERE = {
    "CT": "`calcinosis analyze` measures CT",
    "MR": "`calcinosis mri` reads MRI",
    "US": "`calcinosis ultrasound` reads ultrasound pictures",
    "NM": "`calcinosis scintigraphy` reads planar bone scans",
}
_COLOUR = 8  # grey levels of 255 between the colours of a grey picture that was compressed
_LARGEST_PIXELS = 2**27


@dataclass(frozen=True, eq=False)
class Radiograph:
    """One projection.

    Attributes:
        density: float32 [row, column], larger where less radiation came through; units of its own.
        imaged: False where the file says that nothing was imaged (padding).
        shown: 8-bit grey levels as a display shows it, dense bright.
        scale: how large a pixel is at the patient.
        gravity: where down is in the picture, or why that is not known.
        letters: the patient's sides at left, right, top and bottom of the picture; empty: not told.
        view: as the header names it: AP, LL, …
        remarks: what reading had to assume or correct, one sentence each.
    """

    density: NDArray[np.float32]
    imaged: NDArray[np.bool_]
    shown: NDArray[np.uint8]
    scale: Scale
    gravity: Gravity
    letters: tuple[str, str, str, str] = ("", "", "", "")
    view: str = ""
    remarks: tuple[str, ...] = ()
    subject: Subject = field(default=Subject(), repr=False)


def read_radiograph(
    path: Path, *, spacing_mm: float | None = None, gravity: str | None = None
) -> Radiograph:
    """Read a DICOM radiograph, or a PNG or JPEG picture of one.

    Args:
        path: one file.
        spacing_mm: size of a pixel at the patient, instead of what the header says.
        gravity: down, up, left, right, or none (the beam ran along it), instead of the header.

    Raises:
        NotReadableError: there is no such file, or it cannot be decoded.
        InputError: it is no radiograph, or nothing tells how large a pixel is.
    """
    if path.is_dir():
        raise NotReadableError(f"{path}: a folder; expected one image file")
    if not path.exists():
        raise NotReadableError(f"{path}: there is no such file")
    try:
        with silent_libraries():
            header = dicom.read_header(path)
            if header is not None:
                return _of_dicom(path, header, spacing_mm, gravity)
            return _of_picture(path, spacing_mm, gravity)
    except OSError as error:
        raise NotReadableError(f"{path}: cannot be read ({error.strerror or error})") from error


def _of_dicom(
    path: Path, header: Header, spacing_mm: float | None, gravity: str | None
) -> Radiograph:
    about = header.dataset
    _require_radiograph(path, header)
    pixels = dicom.pixel_format(path, header)
    if pixels.frames > 1:
        raise InputError(f"{path.name}: {pixels.frames} frames; expected one radiograph")
    scale = scale_of(path, about) if spacing_mm is None else stated_scale(spacing_mm)
    whole = load(path)
    stored = raw_frame(path, pixels, 0) if pixels.raw else decoded_frame(path, whole, pixels, 0)
    if stored.shape[:2] != (pixels.rows, pixels.columns):
        raise NotReadableError(f"{path.name}: the pixels do not decode to the size of the header")
    imaged = _imaged(stored, pixels.padding)
    density, remarks = _density(path, whole, _grey(path, stored))
    if dicom.text(path, about, "LossyImageCompression") == "01":
        remarks.append("The image was compressed with loss: fine detail and noise were altered.")
    way = _patient_orientation(path, about)
    return Radiograph(
        density=density,
        imaged=imaged,
        shown=_shown(path, whole, _grey(path, stored), density),
        scale=scale,
        gravity=stated_gravity(gravity) if gravity else gravity_of(path, about, way),
        letters=_letters(way),
        view=dicom.text(path, about, "ViewPosition"),
        remarks=tuple(remarks),
        subject=subject_of(path, about),
    )


def _require_radiograph(path: Path, header: Header) -> None:
    modality = dicom.text(path, header.dataset, "Modality")
    sop_class = dicom.text(path, header.dataset, "SOPClassUID")
    if sop_class in dicom.CT_IMAGES:
        modality = "CT"
    if modality not in dicom.FILMS | _CAPTURES:
        elsewhere = _ELSEWHERE.get(modality, "it cannot be read")
        raise InputError(
            f"{path.name}: modality {modality or 'not stated'}; expected a radiograph "
            f"(CR, DX, RF): {elsewhere}"
        )
    if not header.has_pixels:
        raise NotReadableError(f"{path.name}: holds no pixels; expected a radiograph")


def _imaged(stored: NDArray[Any], padding: tuple[int, int] | None) -> NDArray[np.bool_]:
    if padding is None or stored.ndim > 2:
        return np.ones(stored.shape[:2], np.bool_)
    low, high = sorted(np.array(padding, dtype=np.int64).astype(stored.dtype))
    return np.asarray((stored < low) | (stored > high))


def _grey(path: Path, stored: NDArray[Any]) -> NDArray[Any]:
    """One value for each pixel; a picture whose colours differ is refused."""
    if stored.ndim == 2:
        return stored
    colours = stored[..., :3].astype(np.float32)
    spread = colours.max(axis=-1) - colours.min(axis=-1)
    if float(np.quantile(spread, 0.98)) > _COLOUR:
        raise InputError(f"{path.name}: a colour image; expected the grey levels of a radiograph")
    return np.asarray(colours.mean(axis=-1))


def _density(
    path: Path, whole: "Dataset", stored: NDArray[Any]
) -> tuple[NDArray[np.float32], list[str]]:
    """Values by the modality LUT, turned so that dense is large; exposures by their logarithm."""
    from pydicom.pixels.processing import apply_modality_lut

    try:
        values = np.asarray(apply_modality_lut(stored, whole), np.float32)
    except Exception as error:
        raise NotReadableError(
            f"{path.name}: the modality LUT cannot be applied ({one_line(error)})"
        ) from error
    raw = dicom.text(path, whole, "PresentationIntentType").upper() == "FOR PROCESSING"
    sign = dicom.text(path, whole, "PixelIntensityRelationshipSign")
    dark_is_dense = dicom.text(path, whole, "PhotometricInterpretation") == "MONOCHROME1"
    if raw and sign in ("1", "-1"):  # PS3.3 C.8.11.3.1.2: 1: less radiation has lower values
        dark_is_dense = sign == "1"
    remarks = []
    if raw and dicom.text(path, whole, "PixelIntensityRelationship").upper() == "LIN":
        exposure = values if dark_is_dense else values.max() - values
        remarks.append("The pixels follow the exposure; their logarithm was taken.")
        values, dark_is_dense = np.log(np.maximum(exposure, 1)), True
    return (-values if dark_is_dense else values), remarks


def _shown(
    path: Path, whole: "Dataset", stored: NDArray[Any], density: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """By the VOI LUT or window of the header, else between the densities of 1 and 99 %."""
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

    if "VOILUTSequence" in whole or "WindowCenter" in whole:
        try:
            values = np.asarray(apply_voi_lut(apply_modality_lut(stored, whole), whole), np.float32)
            dark = dicom.text(path, whole, "PhotometricInterpretation") == "MONOCHROME1"
            if np.ptp(values) > 0:
                return grey_levels(-values if dark else values, 0.0)
        except Exception:  # noqa: BLE001, S110 - a display LUT that fails is done without
            pass
    return grey_levels(density, 0.01)


def grey_levels(density: NDArray[np.float32], cut: float) -> NDArray[np.uint8]:
    """8-bit grey levels; a share `cut` at either end is clipped."""
    low, high = np.quantile(density, (cut, 1 - cut))
    scaled = (density - low) / max(float(high - low), 1e-9)
    return np.asarray(np.clip(scaled, 0, 1) * 255 + 0.5, np.uint8)


_OPPOSITE = {"L": "R", "R": "L", "A": "P", "P": "A", "H": "F", "F": "H"}


def _patient_orientation(path: Path, about: "Dataset") -> tuple[str, str]:
    """Towards which sides of the patient rows run right and columns run down; empty: not told."""
    parts = dicom.text(path, about, "PatientOrientation").replace("\\", " ").upper().split()
    if len(parts) != 2 or any(part[0] not in _OPPOSITE for part in parts):
        return "", ""
    return parts[0][0], parts[1][0]


def _letters(way: tuple[str, str]) -> tuple[str, str, str, str]:
    right, down = way
    return _OPPOSITE.get(right, ""), right, _OPPOSITE.get(down, ""), down


def _of_picture(path: Path, spacing_mm: float | None, gravity: str | None) -> Radiograph:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > _LARGEST_PIXELS:
                raise NotReadableError(f"{path.name}: more than 2²⁷ pixels; expected a radiograph")
            colours = picture.convert("RGB") if picture.mode in ("P", "CMYK", "YCbCr") else picture
            stored = np.asarray(colours)
    except (UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise NotReadableError(f"{path.name}: no DICOM, PNG or JPEG image") from error
    if stored.ndim == 3 and stored.shape[2] == 2:
        stored = stored[..., 0]
    if spacing_mm is None:
        raise InputError(
            f"{path.name}: a picture without the size of its pixels; expected --spacing-mm"
        )
    density = np.asarray(_grey(path, stored), np.float32)
    if not np.ptp(density) > 0:
        raise InputError(f"{path.name}: every pixel is alike; expected a radiograph")
    return Radiograph(
        density=density,
        imaged=np.ones(density.shape, np.bool_),
        shown=grey_levels(density, 0.0),
        scale=stated_scale(spacing_mm),
        gravity=stated_gravity(gravity or ""),
        remarks=("A picture, not DICOM: what is bright was taken for dense.",),
    )
