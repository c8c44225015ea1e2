"""An ultrasound picture: grey levels, what of it shows tissue, how large a pixel is."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from calcinosis.errors import InputError, NotReadableError
from calcinosis.read import dicom
from calcinosis.read.dicom import Header, PixelFormat
from calcinosis.read.pixels import decoded_frame, load, raw_frame
from calcinosis.read.study import silent_libraries
from calcinosis.read.subject import subject_of
from calcinosis.read.ultrasound_marks import burned_in_marks
from calcinosis.read.ultrasound_regions import Region, region_at
from calcinosis.volume import Subject

if TYPE_CHECKING:
    from pydicom import Dataset

Grey = NDArray[np.float32]
Mask = NDArray[np.bool_]

_ELSEWHERE = {
    "CT": "a CT; `calcinosis analyze` measures it",
    "MR": "an MRI",
    "NM": "a bone scan; `calcinosis scintigraphy` reads it",
    **dict.fromkeys(dicom.FILMS, "a radiograph; `calcinosis radiograph` reads it"),
}
_COLOUR = 24  # levels of 255 between the colours of a grey pixel that was compressed with loss
_COLOURED_SHARE = 0.5  # of what is not black: then it is no grey picture with some colour on it
_BLACK = 8.0


@dataclass(frozen=True, eq=False)
class Sonogram:
    """One frame, around one point.

    Attributes:
        grey: 0 to 255, [row, column]; what `hidden` covers is filled from beside.
        hidden: colour, measuring marks and other parts of the screen that cover tissue.
        marked: the measuring marks among it.
        region: the part of the picture that holds the point.
        at: (row, column) of the point.
        frame: from 1.
        remarks: what reading found, one sentence each.
    """

    grey: Grey
    hidden: Mask
    marked: Mask
    region: Region
    at: tuple[int, int]
    frame: int = 1
    remarks: tuple[str, ...] = ()
    subject: Subject = field(default=Subject(), repr=False)


def read_sonogram(path: Path, *, at: tuple[int, int], frame: int | None = None) -> Sonogram:
    """Read one frame of a DICOM ultrasound file.

    Args:
        path: one file.
        at: (row, column) of the point of interest: files may hold several pictures side by side.
        frame: from 1; must be named where the file has several.

    Raises:
        NotReadableError: there is no such file, or it cannot be decoded.
        InputError: it is no ultrasound, has no such frame, or shows no tissue at the point.
    """
    if path.is_dir():
        raise NotReadableError(f"{path}: a folder; expected one ultrasound file")
    if not path.exists():
        raise NotReadableError(f"{path}: there is no such file")
    try:
        with silent_libraries():
            header = dicom.read_header(path)
            if header is None:
                raise NotReadableError(f"{path.name}: no DICOM; expected one ultrasound file")
            return _of_dicom(path, header, at, frame)
    except OSError as error:
        raise NotReadableError(f"{path}: cannot be read ({error.strerror or error})") from error


def _of_dicom(path: Path, header: Header, at: tuple[int, int], named: int | None) -> Sonogram:
    about = header.dataset
    modality = dicom.text(path, about, "Modality")
    if modality != "US":
        found = _ELSEWHERE.get(modality, f"modality {modality or 'not told'}")
        raise InputError(f"{path.name}: found {found}; expected an ultrasound picture (US)")
    if not header.has_pixels:
        raise NotReadableError(f"{path.name}: holds no pixels; expected an ultrasound picture")
    pixels = dicom.pixel_format(path, header)
    frame = _frame(path, pixels, named)
    _check_place(pixels, at)
    region = region_at(path, about, (pixels.rows, pixels.columns), at)
    colours = _colours(path, pixels, frame - 1)
    grey, coloured = _grey(path, colours, region)
    marked = burned_in_marks(grey, region.box)
    hidden = coloured | marked
    for box in region.others:
        hidden[box] = True
    return Sonogram(
        grey=_filled(grey, hidden),
        hidden=hidden,
        marked=marked,
        region=region,
        at=at,
        frame=frame,
        remarks=tuple(_remarks(path, about)),
        subject=subject_of(path, about),
    )


def _frame(path: Path, pixels: PixelFormat, named: int | None) -> int:
    if named is None and pixels.frames > 1:
        raise InputError(
            f"{path.name} has {pixels.frames} frames; name the one to measure with --frame, "
            f"1 to {pixels.frames}"
        )
    frame = 1 if named is None else named
    if not 1 <= frame <= pixels.frames:
        raise InputError(
            f"--frame {frame}: {path.name} has {pixels.frames}; expected 1 to {pixels.frames}"
        )
    return frame


def _check_place(pixels: PixelFormat, at: tuple[int, int]) -> None:
    if not (0 <= at[0] < pixels.rows and 0 <= at[1] < pixels.columns):
        raise InputError(
            f"--at {at[1]},{at[0]} lies outside the picture; expected a column of 0 to "
            f"{pixels.columns - 1} and a row of 0 to {pixels.rows - 1}"
        )


def _colours(path: Path, pixels: PixelFormat, frame: int) -> NDArray[Any]:
    """Stored values of a frame as grey [row, column] or as red, green, blue; 0 to 255."""
    from pydicom.pixels.processing import apply_color_lut

    whole = load(path)
    kind = dicom.text(path, whole, "PhotometricInterpretation")
    raw = pixels.raw and kind != "PALETTE COLOR"
    stored: NDArray[Any] = (
        raw_frame(path, pixels, frame) if raw else decoded_frame(path, whole, pixels, frame)
    )
    if kind == "PALETTE COLOR":
        try:
            stored = np.asarray(apply_color_lut(stored, whole), np.float32)
        except Exception as error:
            raise NotReadableError(
                f"{path.name}: the palette cannot be applied ({dicom.one_line(error)})"
            ) from error
        most = 65535.0 if stored.max() > 255 else 255.0
    else:
        most = float(2**pixels.bits_stored - 1)
    if stored.shape[:2] != (pixels.rows, pixels.columns):
        raise NotReadableError(f"{path.name}: the pixels do not decode to the size of the header")
    levels = np.clip(np.asarray(stored, np.float32), 0, most) * (255 / most)
    return 255 - levels if kind == "MONOCHROME1" else levels


def _grey(path: Path, colours: NDArray[Any], region: Region) -> tuple[Grey, Mask]:
    """Brightness, and where there is colour."""
    if colours.ndim == 2:
        return np.asarray(colours, np.float32), np.zeros(colours.shape, np.bool_)
    grey = np.asarray(colours.mean(axis=-1), np.float32)
    coloured = np.ptp(colours, axis=-1) > _COLOUR
    lit = colours[region.box].max(axis=-1) > _BLACK
    if coloured[region.box][lit].sum() > _COLOURED_SHARE * max(lit.sum(), 1):
        raise InputError(
            f"{path.name}: the picture is coloured throughout (tinted, or flow); expected grey"
        )
    return grey, _grown(coloured)


def _grown(mask: Mask) -> Mask:
    from scipy.ndimage import binary_dilation

    return np.asarray(binary_dilation(mask, iterations=2) if mask.any() else mask)


def _filled(grey: Grey, hidden: Mask) -> Grey:
    """Hidden places take the value of the nearest that is seen."""
    from scipy.ndimage import distance_transform_edt

    if not hidden.any() or hidden.all():
        return grey
    nearest = distance_transform_edt(hidden, return_distances=False, return_indices=True)
    return np.asarray(grey[tuple(nearest)], np.float32)


def _remarks(path: Path, about: "Dataset") -> list[str]:
    if dicom.text(path, about, "LossyImageCompression") == "01":
        return ["The picture was compressed with loss: fine detail and speckle were altered."]
    return []
