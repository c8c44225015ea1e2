"""NIfTI files."""

import gzip
import warnings
import zlib
from io import BufferedIOBase
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calcinosis.errors import InputError, NotReadableError
from calcinosis.read.dicom import one_line
from calcinosis.read.grid import GridImage, check_affine, check_shape

NIFTI_SUFFIXES = (".nii", ".nii.gz", ".hdr", ".img")
AS_ONE_MM = 2.0  # the qform knows no shear and is stored in single precision


def is_nifti(path: Path) -> bool:
    """Whether a file is named as NIfTI, or is one by its content, packed by gzip or not."""
    if path.name.lower().endswith(NIFTI_SUFFIXES):
        return True
    try:
        with _unpacked(path) as file:
            return _version(file.read(348)) > 0
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return False


def _version(head: bytes) -> int:
    """1 or 2, or 0 where no NIfTI file with its image begins so."""
    return 1 if head[344:348] == b"n+1\0" else 2 if head[4:8] == b"n+2\0" else 0


def _unpacked(path: Path) -> BufferedIOBase:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.GzipFile(path) if packed else path.open("rb")


def _load(path: Path) -> Any:  # noqa: ANN401 as nibabel is untyped
    """The image, its values still on disk, whatever its name says of how it is packed."""
    import nibabel

    file = _unpacked(path)
    packed, head = isinstance(file, gzip.GzipFile), file.read(348)
    expected = ".nii.gz" if packed else ".nii"
    if not _version(head) or path.name.lower().endswith(expected):
        file.close()
        return nibabel.load(path)
    file.seek(0)
    return (nibabel.Nifti1Image, nibabel.Nifti2Image)[_version(head) - 1].from_stream(file)


def read_nifti(path: Path) -> GridImage:
    """Values (scl_slope and scl_inter applied) and affine of a NIfTI-1 or -2 file.

    Raises:
        NotReadableError: damaged, cut short, of absurd size, or not in millimetres.
        GeometryError: not three axes, or an affine without meaning.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image: Any = _load(path)
            header = image.header
            _check_kind(path, image)
            shape = check_shape(path, image.shape)
            affine = np.asarray(image.affine, dtype=np.float64)
            check_affine(path, affine)
            values = _values(image)
    except InputError:
        raise
    except Exception as error:
        raise NotReadableError(
            f"{path.name}: the NIfTI file cannot be read ({one_line(error)})"
        ) from error
    return GridImage(values.reshape(shape), affine, _remarks(header, shape))


def _remarks(header: Any, shape: tuple[int, int, int]) -> tuple[str, ...]:  # noqa: ANN401 as nibabel is untyped
    """What the header's two statements of orientation make one mention; the sform counts first."""
    sform, qform = header.get_sform(coded=True)[0], header.get_qform(coded=True)[0]
    if sform is None and qform is None:
        return ("The NIfTI file states no orientation: right and left are assumed.",)
    if sform is None or qform is None:
        return ()
    corners = np.array([*product(*((0, extent - 1) for extent in shape))])
    apart_mm = float(
        np.linalg.norm(corners @ (sform - qform)[:3, :3].T + (sform - qform)[:3, 3], axis=1).max()
    )
    if apart_mm <= AS_ONE_MM:
        return ()
    apart = f"The NIfTI file's sform and qform lie up to {apart_mm:.0f} mm apart"
    return (f"{apart}: the sform is believed, other programs may show another place or side.",)


def _check_kind(path: Path, image: Any) -> None:  # noqa: ANN401 as nibabel is untyped
    import nibabel

    if not isinstance(image, nibabel.Nifti1Pair):
        raise NotReadableError(f"{path.name}: is {type(image).__name__}; expected NIfTI")
    header = image.header
    kind = header.get_data_dtype()
    if kind.kind not in "iuf":
        raise NotReadableError(f"{path.name}: the values are {kind}; expected real numbers")
    unit = header.get_xyzt_units()[0]
    if unit not in ("mm", "unknown"):
        raise NotReadableError(f"{path.name}: the unit of length is {unit}; expected mm")


def _values(image: Any) -> NDArray[Any]:  # noqa: ANN401 as nibabel is untyped
    scaled = image.dataobj.slope != 1 or image.dataobj.inter != 0
    if scaled:
        return np.asarray(image.dataobj, dtype=np.float32)
    return np.asarray(image.dataobj.get_unscaled())
