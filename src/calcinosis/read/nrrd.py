"""NRRD files."""

import bz2
import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from calcinosis.errors import GeometryError, InputError, NotReadableError
from calcinosis.read.dicom import one_line
from calcinosis.read.grid import GridImage, check_affine, check_shape

# Signs that bring a space's axes to RAS.
SPACES = {
    "right-anterior-superior": (1, 1, 1),
    "ras": (1, 1, 1),
    "left-anterior-superior": (-1, 1, 1),
    "las": (-1, 1, 1),
    "left-posterior-superior": (-1, -1, 1),
    "lps": (-1, -1, 1),
}


def is_nrrd(path: Path) -> bool:
    """Whether a file is NRRD by its first bytes."""
    with path.open("rb") as file:
        return file.read(4) == b"NRRD"


def read_nrrd(path: Path) -> GridImage:
    """Values and affine of an NRRD file (raw, gzip or bzip2; data attached or beside it).

    Raises:
        NotReadableError: damaged, cut short, of absurd size, or pointing elsewhere for its data.
        GeometryError: not three axes in a space whose right and left are known.
    """
    import nrrd

    try:
        with path.open("rb") as file:
            header = nrrd.read_header(file)
            shape = check_shape(path, [int(extent) for extent in header["sizes"]])
            affine = _affine(path, header)
            values = _values(path, header, file, shape)
    except InputError:
        raise
    except Exception as error:
        raise NotReadableError(
            f"{path.name}: the NRRD file cannot be read ({one_line(error)})"
        ) from error
    return GridImage(values, affine)


def _affine(path: Path, header: Mapping[str, Any]) -> NDArray[np.float64]:
    space = str(header.get("space", "missing")).lower()
    directions, origin = header.get("space directions"), header.get("space origin")
    if space not in SPACES or directions is None or origin is None:
        raise GeometryError(
            f"{path.name}: the space is {space}; expected left-posterior-superior or alike, "
            "with space directions and space origin"
        )
    affine = np.eye(4)
    signs = np.asarray(SPACES[space])
    affine[:3, :3] = signs[:, None] * np.asarray(directions, dtype=np.float64).T
    affine[:3, 3] = signs * np.asarray(origin, dtype=np.float64)
    check_affine(path, affine)
    return affine


def _values(
    path: Path, header: Mapping[str, Any], file: BinaryIO, shape: tuple[int, int, int]
) -> NDArray[Any]:
    from nrrd.reader import _determine_datatype

    dtype = _determine_datatype(header)
    if dtype.kind not in "iuf":
        raise NotReadableError(f"{path.name}: the values are {dtype}; expected real numbers")
    wanted = int(np.prod(shape)) * dtype.itemsize
    detached = header.get("data file", header.get("datafile"))
    if detached is None:
        data = _bytes(path, header, file, wanted)
    else:
        beside = path.parent / str(detached)
        if beside.parent != path.parent or not beside.is_file():
            raise NotReadableError(
                f"{path.name}: the data file is {detached!r}; expected a file beside the header"
            )
        with beside.open("rb") as separate:
            data = _bytes(path, header, separate, wanted)
    if len(data) < wanted:
        raise NotReadableError(f"{path.name}: {len(data)} bytes of voxels; expected {wanted}")
    return np.frombuffer(data, dtype).reshape(shape, order="F")


def _bytes(path: Path, header: Mapping[str, Any], file: BinaryIO, wanted: int) -> bytes:
    """At most `wanted` bytes of voxels, of however many streams, whatever they would inflate to."""
    if any(int(header.get(key, 0)) for key in ("line skip", "lineskip", "byte skip", "byteskip")):
        raise NotReadableError(f"{path.name}: the header skips bytes; expected plain NRRD")
    encoding = header["encoding"]
    if encoding == "raw":
        return file.read(wanted)
    if encoding in ("gzip", "gz"):
        return gzip.GzipFile(fileobj=file).read(wanted)
    if encoding in ("bzip2", "bz2"):
        return bz2.BZ2File(file).read(wanted)
    raise NotReadableError(f"{path.name}: the encoding is {encoding}; expected raw, gzip or bzip2")
