"""What one DICOM file says of its images. Pixels stay on disk; see `pixels`."""

import math
import warnings
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from calcinosis.errors import GeometryError, NotCtError, NotReadableError

if TYPE_CHECKING:
    from pydicom import Dataset

# Far beyond any scanner (2048² matrix, a few thousand frames), far below what fills a memory.
MOST_ROWS_OR_COLUMNS = 8192
MOST_FRAMES = 20_000
MOST_VOXELS = 2**31
MOST_INFLATED_BYTES = 2**29

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2.1"
LEGACY_CONVERTED_ENHANCED_CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2.2"
CT_IMAGES = (CT_IMAGE, ENHANCED_CT_IMAGE, LEGACY_CONVERTED_ENHANCED_CT_IMAGE)
MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
MR_IMAGES = (  # single frames, enhanced, and enhanced by conversion
    MR_IMAGE,
    "1.2.840.10008.5.1.4.1.1.4.1",
    "1.2.840.10008.5.1.4.1.1.4.4",
)
FILMS = {"CR", "DX", "RG", "RF", "XA", "PX"}  # modalities: computed, digital, film, fluoroscopy
ENCAPSULATED = 0xFFFFFFFF
DEFLATED = b"1.2.840.10008.1.2.1.99"
PIXEL_DATA_TAGS = (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")
DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
_WITHOUT_RESCALING = {"RescaleSlope": 1.0, "RescaleIntercept": 0.0}


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """How pixels are stored.

    Attributes:
        offset: of the first byte of uncompressed pixels in the file; None where they are
            compressed or deflated.
        padding: lowest and highest stored value that mean "not imaged", or None.
    """

    rows: int
    columns: int
    frames: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    transfer_syntax: str
    little_endian: bool
    offset: int | None
    padding: tuple[int, int] | None

    @property
    def frame_bytes(self) -> int:
        """Bytes of one uncompressed frame."""
        return self.rows * self.columns * self.samples * self.bits_allocated // 8

    @property
    def raw(self) -> bool:
        """Whether the bytes at `offset` are the values of one frame after another."""
        return self.offset is not None and self.samples == 1 and self.bits_allocated >= 8


@dataclass(frozen=True, slots=True)
class Plane:
    """One slice: a frame of a file, and where it lies (LPS millimetres)."""

    path: Path
    frame: int
    position_lps_mm: tuple[float, ...]
    orientation: tuple[float, ...]
    pixel_spacing_mm: tuple[float, ...]
    slope: float
    intercept: float
    pixels: PixelFormat

    @property
    def name(self) -> str:
        """How messages call it: the file, with the frame where there are several."""
        many = self.pixels.frames > 1
        return f"{self.path.name} frame {self.frame + 1}" if many else self.path.name


@dataclass(frozen=True, slots=True)
class Header:
    """A dataset without its pixels, and where these lie.

    Attributes:
        pixel_offset: of the first byte of uncompressed pixels; None where they are encapsulated
            or the whole dataset is deflated.
        pixel_bytes: how many uncompressed bytes the file holds there.
        has_pixels: False where the file ends before any pixel data.
    """

    dataset: "Dataset"
    pixel_offset: int | None
    pixel_bytes: int
    has_pixels: bool


def read_header(path: Path, only: Sequence[str] | None = None) -> Header | None:
    """The header of a DICOM file; None where the file is none and was not meant to be.

    Args:
        path: what to read.
        only: keywords of the elements that are wanted, which takes half the time of all.

    Raises:
        NotReadableError: it is meant to be DICOM, but is broken or unsafe to open.
    """
    import pydicom

    try:
        with path.open("rb") as file:
            head = file.read(1024)
            marked = head[128:132] == b"DICM"
            if not marked and not _starts_with_element(head):
                _check_not_meant_as_dicom(path, head)
                return None
            if DEFLATED in head:
                _check_inflated_size(path)
            file.seek(0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                dataset = pydicom.dcmread(
                    file,
                    stop_before_pixels=True,
                    force=not marked,
                    specific_tags=None if only is None else list(only),
                )
            if DEFLATED in head:
                return Header(dataset, None, 0, has_pixels=True)
            return Header(dataset, *_pixels_at(file, dataset))
    except NotReadableError:
        raise
    except Exception as error:  # a parser of foreign bytes may raise anything
        raise NotReadableError(
            f"{path.name}: the DICOM header cannot be read ({one_line(error)})"
        ) from error


def one_line(error: Exception) -> str:
    """What a library's error says, on one line of bearable length, without the full stop."""
    return " ".join(str(error).split())[:200].rstrip(".:") or type(error).__name__


def _check_not_meant_as_dicom(path: Path, head: bytes) -> None:
    named = path.suffix.lower() in DICOM_SUFFIXES and not path.name.startswith(".")
    cut_in_preamble = head[:128].strip(b"\0") == b"" and 0 < len(head) < 132
    if named or cut_in_preamble:
        raise NotReadableError(
            f"{path.name}: {path.stat().st_size} bytes without a DICOM header; expected DICOM"
        )


def _starts_with_element(head: bytes) -> bool:
    """Whether the bytes begin like a dataset without preamble: group 0002 or 0008."""
    return head[:2] in (b"\x02\x00", b"\x08\x00") and len(head) > 8 and head[3] == 0


def _check_inflated_size(path: Path) -> None:
    """A deflated file may hold a thousand times its size: measure before it is unpacked."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    total = 0
    with path.open("rb") as file:
        preamble = file.read(144)
        file.seek(144 + int.from_bytes(preamble[140:144], "little"))
        pending = file.read(1 << 16)
        while pending and not inflater.eof:
            total += len(inflater.decompress(pending, 1 << 20))
            if total > MOST_INFLATED_BYTES:
                raise NotReadableError(
                    f"{path.name}: inflates to more than {MOST_INFLATED_BYTES >> 20} MiB; "
                    "expected at most that of one image"
                )
            pending = inflater.unconsumed_tail or file.read(1 << 16)


def _pixels_at(file: BinaryIO, dataset: "Dataset") -> tuple[int | None, int, bool]:
    """Offset, bytes and presence of the pixels; `file` stands at their element."""
    implicit, little_endian = dataset.original_encoding
    element = file.read(8 if implicit else 12)
    if element[:4] not in PIXEL_DATA_TAGS:
        return None, 0, False
    length = int.from_bytes(element[-4:], "big" if little_endian is False else "little")
    if length == ENCAPSULATED:
        return None, 0, True
    offset = file.tell()
    return offset, min(length, file.seek(0, 2) - offset), True


def pixel_format(path: Path, header: Header) -> PixelFormat:
    """How the file stores its pixels, checked before any memory is taken for them.

    Raises:
        NotReadableError: a field is missing or absurd, or the file is too short for its pixels.
    """
    dataset = header.dataset
    rows, columns, frames = _extents(path, dataset)
    allocated = whole(path, dataset, "BitsAllocated")
    stored = whole(path, dataset, "BitsStored", allocated)
    meta = getattr(dataset, "file_meta", None) or {}
    found = PixelFormat(
        rows=rows,
        columns=columns,
        frames=frames,
        samples=whole(path, dataset, "SamplesPerPixel", 1),
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=whole(path, dataset, "HighBit", stored - 1),
        signed=whole(path, dataset, "PixelRepresentation", 0) == 1,
        transfer_syntax=str(meta.get("TransferSyntaxUID", "")),
        little_endian=dataset.original_encoding[1] is not False,
        offset=header.pixel_offset,
        padding=_padding(path, dataset),
    )
    _check_bits(path, found)
    if found.offset is not None and header.pixel_bytes < found.frame_bytes * frames:
        raise NotReadableError(
            f"{path.name}: the file holds {header.pixel_bytes} bytes of pixels; "
            f"expected {found.frame_bytes * frames}"
        )
    return found


def _extents(path: Path, dataset: "Dataset") -> tuple[int, int, int]:
    rows, columns = whole(path, dataset, "Rows"), whole(path, dataset, "Columns")
    frames = whole(path, dataset, "NumberOfFrames", 1)
    for name, value, most in (
        ("Rows", rows, MOST_ROWS_OR_COLUMNS),
        ("Columns", columns, MOST_ROWS_OR_COLUMNS),
        ("NumberOfFrames", frames, MOST_FRAMES),
    ):
        if not 1 <= value <= most:
            raise NotReadableError(f"{path.name}: {name} is {value}; expected 1 to {most}")
    if rows * columns * frames > MOST_VOXELS:
        raise NotReadableError(
            f"{path.name}: {rows}×{columns} pixels × {frames} frames; expected at most 2³¹ voxels"
        )
    return rows, columns, frames


def _check_bits(path: Path, found: PixelFormat) -> None:
    if found.bits_allocated not in (1, 8, 16, 32):
        raise NotReadableError(
            f"{path.name}: BitsAllocated is {found.bits_allocated}; expected 1, 8, 16 or 32"
        )
    if not 1 <= found.bits_stored <= found.bits_allocated:
        raise NotReadableError(
            f"{path.name}: BitsStored is {found.bits_stored}; expected 1 to {found.bits_allocated}"
        )


def _padding(path: Path, header: "Dataset") -> tuple[int, int] | None:
    if field(path, header, "PixelPaddingValue") is None:
        return None
    value = whole(path, header, "PixelPaddingValue")
    limit = whole(path, header, "PixelPaddingRangeLimit", value)
    return min(value, limit), max(value, limit)


def whole(path: Path, header: "Dataset", keyword: str, default: int | None = None) -> int:
    """An integer field; `default` where it is missing or empty.

    Raises:
        NotReadableError: the field is missing without a default, or is no integer.
    """
    found = field(path, header, keyword)
    if found is None and default is not None:
        return default
    try:
        return int(found)
    except (TypeError, ValueError):
        stated = "missing" if found is None else repr(found)
        raise NotReadableError(
            f"{path.name}: {keyword} is {stated}; expected a whole number"
        ) from None


def numbers(path: Path, header: "Dataset", keyword: str, count: int) -> tuple[float, ...] | None:
    """A field of `count` numbers; None where it is missing or empty.

    Raises:
        NotReadableError: another count, or something that is no finite number.
    """
    found = field(path, header, keyword)
    if found is None:
        return None
    try:
        values = found if isinstance(found, Iterable) and not isinstance(found, str) else [found]
        result = tuple(float(value) for value in values)
        if len(result) == count and all(map(math.isfinite, result)):
            return result
    except (TypeError, ValueError):
        pass
    plural = f"{count} numbers" if count > 1 else "one number"
    raise NotReadableError(f"{path.name}: {keyword} is {found!s}; expected {plural}")


def field(path: Path, header: "Dataset", keyword: str) -> Any:  # noqa: ANN401 as DICOM has it
    """A field's value; None where it is missing or empty."""
    from pydicom.datadict import tag_for_keyword

    try:
        tag = tag_for_keyword(keyword)
        if tag is None or tag not in header:
            return None
        found = header[tag].value
    except Exception as error:
        raise NotReadableError(
            f"{path.name}: {keyword} cannot be read ({one_line(error)})"
        ) from error
    empty = found is None or (hasattr(found, "__len__") and len(found) == 0)
    return None if empty else found


def text(path: Path, header: "Dataset", keyword: str) -> str:
    """A text field, several values joined by a space; empty where it is missing."""
    found = field(path, header, keyword)
    if found is None:
        return ""
    many = isinstance(found, Iterable) and not isinstance(found, str)
    return (" ".join(str(one) for one in found) if many else str(found)).strip()


def planes(
    path: Path, header: "Dataset", pixels: PixelFormat, *, rescaled: bool = True
) -> tuple[Plane, ...]:
    """The slices of a file, one per frame.

    Args:
        path: of the file.
        header: of the file.
        pixels: how it stores them.
        rescaled: False where values may have no unit, and no rescaling (MR).

    Raises:
        GeometryError: position, orientation or spacing is missing.
        NotReadableError: one of them is no number.
    """
    return tuple(_plane(path, header, pixels, frame, rescaled) for frame in range(pixels.frames))


def _plane(path: Path, header: "Dataset", pixels: PixelFormat, frame: int, rescaled: bool) -> Plane:
    def needed(keyword: str, count: int, group: str) -> tuple[float, ...]:
        where = functional_group(header, frame, group)
        found = numbers(path, where, keyword, count)
        if found is None and not rescaled and keyword in _WITHOUT_RESCALING:
            return (_WITHOUT_RESCALING[keyword],)
        if found is None:
            place = f"{path.name} frame {frame + 1}" if pixels.frames > 1 else path.name
            kind = NotCtError if keyword.startswith("Rescale") else GeometryError
            raise kind(f"{place}: {keyword} is missing; expected {count} number{'s' * (count > 1)}")
        return found

    spacing = needed("PixelSpacing", 2, "PixelMeasuresSequence")
    if not all(0.01 <= value <= 20 for value in spacing):
        raise GeometryError(f"{path.name}: PixelSpacing is {spacing}; expected 0.01 to 20 mm")
    (slope,) = needed("RescaleSlope", 1, "PixelValueTransformationSequence")
    (intercept,) = needed("RescaleIntercept", 1, "PixelValueTransformationSequence")
    if slope == 0:
        raise NotReadableError(f"{path.name}: RescaleSlope is 0; expected another number")
    return Plane(
        path=path,
        frame=frame,
        position_lps_mm=needed("ImagePositionPatient", 3, "PlanePositionSequence"),
        orientation=needed("ImageOrientationPatient", 6, "PlaneOrientationSequence"),
        pixel_spacing_mm=spacing,
        slope=slope,
        intercept=intercept,
        pixels=pixels,
    )


def functional_group(header: "Dataset", frame: int, group: str) -> "Dataset":
    """Where an enhanced image keeps a group of fields for one frame; else the header itself."""
    per_frame = header.get("PerFrameFunctionalGroupsSequence") or []
    shared = header.get("SharedFunctionalGroupsSequence") or []
    for place in [*per_frame[frame : frame + 1], *shared[:1]]:
        items = place.get(group)
        if items:
            return items[0]  # type: ignore[no-any-return] # pydicom's sequences are untyped
    return header
