"""A CT volume in patient space: voxels [z, y, x], and where each one lies.

Patient coordinates are DICOM LPS millimetres (x to the patient's left, y to the back, z to the
head). The affine maps array indices in array order: ``affine @ (z, y, x, 1)`` is ``(L, P, S, 1)``.
"""

from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calcinosis.errors import InputError

# DICOM PatientPosition (0018,5100), PS3.3 C.7.3.1.1.2: where the table lies, in LPS.
GRAVITY_LPS: dict[str, tuple[float, float, float]] = {
    "HFS": (0.0, 1.0, 0.0),
    "FFS": (0.0, 1.0, 0.0),
    "HFP": (0.0, -1.0, 0.0),
    "FFP": (0.0, -1.0, 0.0),
    "HFDL": (1.0, 0.0, 0.0),
    "FFDL": (1.0, 0.0, 0.0),
    "HFDR": (-1.0, 0.0, 0.0),
    "FFDR": (-1.0, 0.0, 0.0),
}


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels with their place in the patient.

    Attributes:
        voxels: int16 Hounsfield units, shape [z, y, x].
        affine: 4×4, maps homogeneous array indices (z, y, x, 1) to LPS millimetres.
        patient_position: one of the eight DICOM patient positions; gravity follows from it.
        position_assumed: True where the input did not state the position.
        modality: DICOM modality code.
    """

    voxels: NDArray[np.int16]
    affine: NDArray[np.float64]
    patient_position: str = "HFS"
    position_assumed: bool = False
    modality: str = "CT"

    def __post_init__(self) -> None:
        if self.voxels.ndim != 3 or not self.voxels.size:
            raise InputError(f"a volume has three axes [z, y, x]; found {self.voxels.shape}")
        if self.affine.shape != (4, 4) or not np.isfinite(self.affine).all():
            raise InputError("the affine must be a 4×4 matrix of finite numbers")
        if abs(np.linalg.det(self.affine[:3, :3])) < 1e-9:
            raise InputError("the affine must be an invertible 4×4 matrix")
        if self.patient_position not in GRAVITY_LPS:
            raise InputError(
                f"patient position {self.patient_position!r} is unknown; "
                f"expected one of {', '.join(GRAVITY_LPS)}"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along z, y, x."""
        z, y, x = self.voxels.shape
        return z, y, x

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between voxel centres along the array axes z, y, x."""
        z, y, x = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(z), float(y), float(x)

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    @property
    def gravity_lps(self) -> NDArray[np.float64]:
        """Unit vector pointing down, in LPS."""
        return np.asarray(GRAVITY_LPS[self.patient_position])

    def to_lps(self, indices: ArrayLike) -> NDArray[np.float64]:
        """Array indices (…, 3) as (z, y, x) to LPS millimetres (…, 3)."""
        points = np.asarray(indices, dtype=np.float64)
        return points @ self.affine[:3, :3].T + self.affine[:3, 3]

    def point_lps(self, indices: ArrayLike) -> tuple[float, float, float]:
        """One place among the voxels, array indices (z, y, x), as LPS millimetres (x, y, z)."""
        x, y, z = self.to_lps(indices).tolist()
        return x, y, z

    def to_indices(self, points_lps_mm: ArrayLike) -> NDArray[np.float64]:
        """LPS millimetres (…, 3) to fractional array indices (…, 3) as (z, y, x)."""
        points = np.asarray(points_lps_mm, dtype=np.float64) - self.affine[:3, 3]
        return points @ np.linalg.inv(self.affine[:3, :3]).T

    def direction_in_indices(self, direction_lps: ArrayLike) -> NDArray[np.float64]:
        """A direction in LPS as a unit vector along the array axes, in millimetres."""
        axes = self.affine[:3, :3] / np.linalg.norm(self.affine[:3, :3], axis=0)
        along = np.linalg.solve(axes, np.asarray(direction_lps, dtype=np.float64))
        return np.asarray(along / np.linalg.norm(along), dtype=np.float64)

    def grow(self, box: tuple[slice, slice, slice], reach_mm: float) -> tuple[slice, slice, slice]:
        """A box widened on all sides, as far as the volume goes."""
        z, y, x = (
            slice(
                max(0, extent.start - int(np.ceil(reach_mm / step))),
                min(size, extent.stop + int(np.ceil(reach_mm / step))),
            )
            for extent, step, size in zip(box, self.spacing_mm, self.shape, strict=True)
        )
        return z, y, x

    def crop(self, box: tuple[slice, slice, slice]) -> "Volume":
        """The voxels of a box (slices with non-negative starts), kept in their place."""
        start = [extent.start or 0 for extent in box]
        affine = self.affine.copy()
        affine[:3, 3] = self.to_lps(start)
        return replace(self, voxels=self.voxels[box], affine=affine)


@dataclass(frozen=True, eq=False)
class Grid:
    """The grid of an input file in the file's own index order.

    Attributes:
        shape: number of voxels along i, j, k.
        affine_ras: 4×4, maps (i, j, k, 1) to RAS millimetres, as NIfTI has it.
    """

    shape: tuple[int, ...]
    affine_ras: NDArray[np.float64]


@dataclass(frozen=True)
class Subject:
    """Whom the images are of, and when; None or empty where their header does not say.

    Attributes:
        name: as DICOM writes it, Family^Given.
        age_years: on the day of the study.
        weight_kg: of an adult; None where it cannot be one.
    """

    name: str = ""
    patient_id: str = ""
    accession_number: str = ""
    study_date: date | None = None
    birth_date: date | None = None
    age_years: float | None = None
    sex: Literal["F", "M"] | None = None
    weight_kg: float | None = None


@dataclass(frozen=True)
class StatedSide:
    """The side of the body that the header says the images are of, and which field says so."""

    side: Literal["left", "right"]
    source: str


@dataclass(frozen=True, eq=False)
class Study:
    """One volume with what is known of the acquisition it came from.

    Attributes:
        volume: the chosen series as a volume.
        series_instance_uid: DICOM UID, or None (NIfTI, NRRD, empty tag).
        chosen_because: why this series, in one sentence.
        remarks: what reading had to assume or correct, one sentence each.
        tube_voltage_kv: KVP (0018,0060), or None.
        tin_filter: whether the beam went through tin.
        photon_energy_kev: of virtual monoenergetic images, or None.
        slice_thickness_mm: as stated, which need not be the distance between slices; or None.
        contrast_agent: True/False where the header says, else None.
        source_files: the files the voxels came from, slice order z = 0 first.
        source_frames: each file and frame, counted from 0, that the voxels came from; where empty,
            all frames of all files.
        input_grid: grid of a NIfTI or NRRD input, or None (DICOM, or a resampled image).
        subject: whom the images are of, and when.
        stated_side: of the limb in the picture, where the header says it.
        unpacked: keeps the files of a zip on disk for as long as the study lives.
    """

    volume: Volume
    series_instance_uid: str | None = None
    chosen_because: str = "the only image given"
    remarks: tuple[str, ...] = ()
    tube_voltage_kv: float | None = None
    tin_filter: bool = False
    photon_energy_kev: float | None = None
    slice_thickness_mm: float | None = None
    contrast_agent: bool | None = None
    source_files: tuple[Path, ...] = field(default=(), repr=False)
    source_frames: frozenset[tuple[Path, int]] = field(default=frozenset(), repr=False)
    input_grid: Grid | None = None
    subject: Subject = field(default=Subject(), repr=False)
    stated_side: StatedSide | None = None
    unpacked: object = field(default=None, repr=False)

    def on_input_grid(self, labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Labels [z, y, x] of the volume in the order [i, j, k] of the input, and its affine.

        The affine maps (i, j, k, 1) to RAS millimetres. NIfTI and NRRD get their own grid back,
        index for index; other input gets [x, y, z].
        """
        ras_from_lps = np.diag([-1.0, -1.0, 1.0, 1.0])
        if self.input_grid is None:
            affine = ras_from_lps @ self.volume.affine[:, [2, 1, 0, 3]]
            return labels.transpose(2, 1, 0), affine
        affine = self.input_grid.affine_ras
        turn = (np.linalg.inv(affine) @ ras_from_lps @ self.volume.affine)[:3, :3]
        order = np.abs(turn).argmax(axis=1)
        backwards = tuple(axis for axis in range(3) if turn[axis, order[axis]] < 0)
        return np.flip(labels.transpose(order), backwards), affine
