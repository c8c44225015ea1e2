"""A skeleton drawn elsewhere, put on the grid of the scan."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from calcinosis.errors import GeometryError, InputError, NotReadableError
from calcinosis.read import dicom
from calcinosis.read.geometry import SAME_PLACE_MM, canonical
from calcinosis.read.grid import LPS_FROM_RAS
from calcinosis.read.nifti import is_nifti, read_nifti
from calcinosis.read.nrrd import read_nrrd
from calcinosis.volume import Volume

if TYPE_CHECKING:
    from pydicom import Dataset

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.7"


def read_mask(path: Path, volume: Volume) -> NDArray[np.bool_]:
    """Everything marked in a NIfTI, NRRD or DICOM SEG file, on the grid of `volume`, [z, y, x].

    Where the grids differ, each voxel takes the value of the nearest voxel of the mask.

    Raises:
        InputError: the file cannot be read, marks nothing, or marks nothing inside the volume.
    """
    marked, affine = _marked(path)
    if not marked.any():
        raise InputError(f"{path.name}: the mask is empty; expected a marked skeleton")
    turned, turned_affine = canonical(marked, affine)
    if turned.shape == volume.shape and np.allclose(turned_affine, volume.affine, atol=1e-3):
        return turned
    resampled = _nearest(turned, turned_affine, volume)
    if not resampled.any():
        raise GeometryError(
            f"{path.name}: the mask lies outside the scan; expected one that overlaps it"
        )
    return resampled


def _nearest(
    marked: NDArray[np.bool_], affine: NDArray[np.float64], volume: Volume
) -> NDArray[np.bool_]:
    from scipy.ndimage import affine_transform

    into = np.linalg.inv(affine) @ volume.affine
    found = affine_transform(
        marked.astype(np.uint8), into, output_shape=volume.shape, order=0, mode="grid-constant"
    )
    return np.asarray(found, dtype=bool)


def _marked(path: Path) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """The mask in its own order, and its affine to LPS."""
    try:
        if is_nifti(path):
            image = read_nifti(path)
        else:
            with path.open("rb") as file:
                head = file.read(132)
            if head[128:] == b"DICM":
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    return _segmentation(path)
            image = read_nrrd(path)
    except OSError as error:
        raise NotReadableError(f"{path}: cannot be read ({error.strerror})") from error
    if image.values.min() < 0:
        found = f"{path.name}: the values run from {image.values.min():g} to {image.values.max():g}"
        raise InputError(f"{found}; expected a mask, 0 where no bone is")
    return image.values > 0.5, LPS_FROM_RAS @ image.affine_ras


def _segmentation(path: Path) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """All segments of a DICOM SEG together; frames it leaves out are empty."""
    from pydicom.pixels.utils import pixel_array

    found = dicom.read_header(path)
    header = found.dataset if found else None
    sop_class = dicom.text(path, header, "SOPClassUID") if header else ""
    if header is None or sop_class not in (SEGMENTATION, LABEL_MAP_SEGMENTATION):
        raise InputError(f"{path.name}: is no DICOM segmentation; expected SEG, NIfTI or NRRD")
    frames = dicom.whole(path, header, "NumberOfFrames", 1)
    places = np.array([_place(path, header, frame) for frame in range(frames)])
    affine, index = _grid_of(path, header, places)
    try:
        pixels = pixel_array(path)
    except Exception as error:
        raise NotReadableError(
            f"{path.name}: the pixels cannot be decoded ({dicom.one_line(error)})"
        ) from error
    pixels = pixels.reshape(frames, *pixels.shape[-2:])
    marked = np.zeros((int(index.max()) + 1, *pixels.shape[1:]), dtype=bool)
    for frame, slice_index in zip(pixels, index, strict=True):
        marked[slice_index] |= frame > 0
    return marked, affine


def _place(path: Path, header: "Dataset", frame: int) -> tuple[float, ...]:
    where = dicom.functional_group(header, frame, "PlanePositionSequence")
    position = dicom.numbers(path, where, "ImagePositionPatient", 3)
    if position is None:
        raise GeometryError(f"{path.name} frame {frame + 1}: ImagePositionPatient is missing")
    return position


def _grid_of(
    path: Path, header: "Dataset", places: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Affine of the dense stack that holds all frames, and each frame's slice in it."""
    direction = dicom.functional_group(header, 0, "PlaneOrientationSequence")
    measures = dicom.functional_group(header, 0, "PixelMeasuresSequence")
    orientation = dicom.numbers(path, direction, "ImageOrientationPatient", 6)
    spacing = dicom.numbers(path, measures, "PixelSpacing", 2)
    if orientation is None or spacing is None:
        raise GeometryError(f"{path.name}: ImageOrientationPatient or PixelSpacing is missing")
    rows, columns = np.asarray(orientation[:3]), np.asarray(orientation[3:])
    normal = np.cross(rows, columns)
    along = places @ normal
    levels = np.sort(along)
    gaps = np.diff(levels[np.diff(levels, prepend=-np.inf) > SAME_PLACE_MM])
    stated = dicom.numbers(path, measures, "SpacingBetweenSlices", 1)
    thickness = dicom.numbers(path, measures, "SliceThickness", 1) or (1.0,)
    step = float(gaps.min()) if gaps.size else (stated or thickness)[0]
    index = np.rint((along - along.min()) / step).astype(np.int64)
    affine = np.eye(4)
    affine[:3, 0] = normal * step
    affine[:3, 1] = columns * spacing[0]
    affine[:3, 2] = rows * spacing[1]
    affine[:3, 3] = places[int(along.argmin())]
    return affine, index
