"""Stored pixels to Hounsfield units."""

import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from calcinosis.errors import NotReadableError
from calcinosis.read.dicom import PixelFormat, Plane, one_line
from calcinosis.read.hounsfield import AIR_HU, HIGHEST_HU

if TYPE_CHECKING:
    from pydicom import Dataset

# The decoder for each compressed transfer syntax: the fastest that decodes it right.
DECODERS = {
    "1.2.840.10008.1.2.4.50": "gdcm",  # JPEG baseline
    "1.2.840.10008.1.2.4.51": "gdcm",  # JPEG extended
    "1.2.840.10008.1.2.4.57": "gdcm",  # JPEG lossless
    "1.2.840.10008.1.2.4.70": "gdcm",  # JPEG lossless, first-order prediction
    "1.2.840.10008.1.2.4.80": "pyjpegls",  # JPEG-LS lossless
    "1.2.840.10008.1.2.4.81": "pyjpegls",  # JPEG-LS near-lossless
    "1.2.840.10008.1.2.4.90": "pylibjpeg",  # JPEG 2000 lossless
    "1.2.840.10008.1.2.4.91": "pylibjpeg",  # JPEG 2000
    "1.2.840.10008.1.2.4.201": "pylibjpeg",  # high-throughput JPEG 2000 lossless
    "1.2.840.10008.1.2.4.202": "pylibjpeg",  # the same with RPCL options
    "1.2.840.10008.1.2.4.203": "pylibjpeg",  # high-throughput JPEG 2000
    "1.2.840.10008.1.2.5": "pylibjpeg",  # run-length
}

# Padding that would read as tissue is believed only where a corner of the slice, outside the
# round field of view, holds it too.
TISSUE_HU = (-900.0, 3071.0)


def read_hounsfield(
    planes: Sequence[Plane], progress: Callable[[float], None] | None = None
) -> NDArray[np.int16]:
    """Hounsfield units of planes of one size, int16 [plane, row, column].

    Raises:
        NotReadableError: pixels are missing, cut short or cannot be decoded; names the file.
    """
    rows, columns = planes[0].pixels.rows, planes[0].pixels.columns
    voxels = np.empty((len(planes), rows, columns), dtype=np.int16)
    for index, (plane, stored) in enumerate(stored_frames(planes)):
        _rescale(plane, stored, voxels[index])
        if progress:
            progress((index + 1) / len(planes))
    return voxels


def stored_frames(planes: Sequence[Plane]) -> Iterator[tuple[Plane, NDArray[Any]]]:
    """Stored values [row, column] of planes of one size, one plane after the other.

    Raises:
        NotReadableError: pixels are missing, cut short or cannot be decoded; names the file.
    """
    rows, columns = planes[0].pixels.rows, planes[0].pixels.columns
    loaded: tuple[Path, Dataset] | None = None
    for plane in planes:
        if plane.pixels.raw:
            stored = raw_frame(plane.path, plane.pixels, plane.frame)
        else:
            if loaded is None or loaded[0] != plane.path:
                loaded = plane.path, load(plane.path)
            stored = decoded_frame(plane.path, loaded[1], plane.pixels, plane.frame)
        if stored.shape != (rows, columns):
            raise NotReadableError(
                f"{plane.name}: the pixels decode to {'×'.join(map(str, stored.shape))}; "
                f"expected {rows}×{columns}"
            )
        yield plane, stored


def load(path: Path) -> "Dataset":
    """A whole DICOM file, as `decoded_frame` wants it.

    Raises:
        NotReadableError: it is damaged.
    """
    import pydicom

    try:
        return pydicom.dcmread(path, force=True)
    except Exception as error:
        raise NotReadableError(f"{path.name}: cannot be read ({one_line(error)})") from error


def raw_frame(path: Path, pixels: PixelFormat, frame: int) -> NDArray[Any]:
    """Uncompressed stored values of one frame of one sample per pixel, [row, column].

    Raises:
        NotReadableError: the file ends too soon.
    """
    kind = f"{'<' if pixels.little_endian else '>'}{'iu'[not pixels.signed]}"
    dtype = np.dtype(f"{kind}{pixels.bits_allocated // 8}")
    offset = (pixels.offset or 0) + frame * pixels.frame_bytes
    values = np.fromfile(path, dtype, pixels.frame_bytes // dtype.itemsize, offset=offset)
    if values.nbytes < pixels.frame_bytes:
        raise NotReadableError(
            f"{path.name}: found {values.nbytes} bytes of pixels; expected {pixels.frame_bytes}"
        )
    below = min(pixels.high_bit + 1, pixels.bits_allocated) - pixels.bits_stored
    if below > 0 and not (values & ((1 << below) - 1)).any():  # at the top, as ACR-NEMA allowed
        values = values >> below
    unused = pixels.bits_allocated - pixels.bits_stored
    if unused:  # high bits may hold anything: shift them out and the sign back in
        values = (values << unused) >> unused
    return values.reshape(pixels.rows, pixels.columns)


def decoded_frame(path: Path, dataset: "Dataset", pixels: PixelFormat, frame: int) -> NDArray[Any]:
    """Values of one frame of any dataset, [row, column] or [row, column, sample].

    Raises:
        NotReadableError: no decoder knows the syntax, or the one that does fails.
    """
    from pydicom.pixels.utils import pixel_array

    plugin = DECODERS.get(pixels.transfer_syntax, "")
    try:
        if plugin == "gdcm":
            _silence_gdcm()
        _check_codestream(dataset, pixels, frame)
        index = frame if pixels.frames > 1 else 0
        return pixel_array(dataset, index=index, decoding_plugin=plugin)
    except Exception as error:
        raise NotReadableError(
            f"{path.name}: the pixels cannot be decoded ({one_line(error)})"
        ) from error


def _check_codestream(dataset: "Dataset", pixels: PixelFormat, frame: int) -> None:
    """Refuse a compressed frame that would unpack to another size than the header promises."""
    from pydicom.encaps import get_frame

    if pixels.transfer_syntax not in DECODERS:
        return
    stream = get_frame(dataset.PixelData, frame, number_of_frames=pixels.frames)
    size = codestream_size(stream)
    if size is not None and size != (pixels.rows, pixels.columns):
        raise NotReadableError(
            f"compressed {size[0]}×{size[1]}, expected {pixels.rows}×{pixels.columns}"
        )


def codestream_size(stream: bytes) -> tuple[int, int] | None:
    """Rows and columns that a JPEG, JPEG-LS or JPEG 2000 stream states; None for others."""
    start = stream.find(b"\xff\x4f\xff\x51", 0, 4096)  # JPEG 2000: SOC, SIZ
    if start >= 0:
        right, low, left, top = struct.unpack_from(">4I", stream, start + 8)
        return low - top, right - left
    if stream[:2] != b"\xff\xd8":
        return None
    place = 2
    while place + 9 <= len(stream) and stream[place] == 0xFF:
        marker = stream[place + 1]
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            rows, columns = struct.unpack_from(">2H", stream, place + 5)
            return rows, columns
        (length,) = struct.unpack_from(">H", stream, place + 2)
        place += 2 + length
    return None


def _silence_gdcm() -> None:
    """GDCM writes warnings to standard error by itself; what fails is raised all the same."""
    import gdcm

    gdcm.Trace.WarningOff()
    gdcm.Trace.ErrorOff()


def _rescale(plane: Plane, stored: NDArray[Any], out: NDArray[np.int16]) -> None:
    """Stored values to Hounsfield units, into `out`."""
    if plane.slope == 1 and plane.intercept.is_integer() and abs(plane.intercept) < 2**24:
        wide = np.int64 if stored.itemsize > 2 else np.int32
        units: NDArray[Any] = np.add(stored, int(plane.intercept), dtype=wide)
    else:
        units = np.rint(stored * plane.slope + plane.intercept)
    if plane.slope == 1 and stored.dtype == np.uint16:  # padding below zero, written as if above
        units[units > HIGHEST_HU] = AIR_HU
    np.clip(units, AIR_HU, HIGHEST_HU, out=units)
    out[...] = units
    padding = _believable_padding(plane, stored)
    if padding is not None:
        out[(stored >= padding[0]) & (stored <= padding[1])] = AIR_HU


def _believable_padding(plane: Plane, stored: NDArray[Any]) -> tuple[Any, Any] | None:
    """The padding range as stored values, where it is not air already."""
    if plane.pixels.padding is None:
        return None
    # The field's own sign is often wrong: read its 16 bits as the pixels are read.
    low, high = sorted(np.array(plane.pixels.padding, dtype=np.int64).astype(stored.dtype))
    units = [float(value) * plane.slope + plane.intercept for value in (low, high)]
    if max(units) <= AIR_HU:
        return None
    corners = stored[[0, 0, -1, -1], [0, -1, 0, -1]]
    tissue = TISSUE_HU[0] < units[0] < TISSUE_HU[1]
    if tissue and not ((corners >= low) & (corners <= high)).any():
        return None
    return low, high
