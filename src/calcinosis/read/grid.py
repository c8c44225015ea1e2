"""Images that carry their own grid: one array and one affine in one file (NIfTI, NRRD)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calcinosis.errors import GeometryError, NotReadableError
from calcinosis.read.dicom import MOST_VOXELS
from calcinosis.read.geometry import FEWEST_SLICES, WIDEST_SPACING_MM

LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
FINEST_SPACING_MM = 0.01


@dataclass(frozen=True, eq=False)
class GridImage:
    """Values in the file's own order, and where they lie.

    Attributes:
        values: [i, j, k], any real type.
        affine_ras: maps (i, j, k, 1) to RAS millimetres, as NIfTI has it.
        remarks: what reading had to assume.
    """

    values: NDArray[Any]
    affine_ras: NDArray[np.float64]
    remarks: tuple[str, ...] = ()


def check_shape(path: Path, shape: Sequence[int]) -> tuple[int, int, int]:
    """Three extents of a size that a volume has, before memory is taken for it.

    Raises:
        GeometryError: not three axes, or one too thin.
        NotReadableError: an absurd size.
    """
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    extents = "×".join(map(str, shape))
    if len(shape) != 3:
        raise GeometryError(f"{path.name}: the image has {len(shape)} axes ({extents}); expected 3")
    if min(shape) < FEWEST_SLICES:
        raise GeometryError(
            f"{path.name}: the image has {extents} voxels; expected at least "
            f"{FEWEST_SLICES} along each axis"
        )
    if np.prod([float(extent) for extent in shape]) > MOST_VOXELS:
        raise NotReadableError(f"{path.name}: {extents} voxels; expected at most 2³¹")
    return int(shape[0]), int(shape[1]), int(shape[2])


def check_affine(path: Path, affine: NDArray[np.float64]) -> None:
    """Refuse an affine that is singular or has absurd voxel sizes.

    Raises:
        GeometryError: says what was found.
    """
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    sane = np.isfinite(affine).all() and (sizes >= FINEST_SPACING_MM).all()
    if not sane or (sizes > WIDEST_SPACING_MM).any():
        raise GeometryError(
            f"{path.name}: the voxels measure {'×'.join(f'{size:.4g}' for size in sizes)} mm; "
            f"expected {FINEST_SPACING_MM} to {WIDEST_SPACING_MM:.0f} mm"
        )
    if abs(np.linalg.det(affine[:3, :3] / sizes)) < 0.1:
        raise GeometryError(
            f"{path.name}: two axes of the affine run in nearly the same direction; "
            "expected three perpendicular ones"
        )
