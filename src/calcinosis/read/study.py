"""Whatever the user points at, as one study to measure."""

import logging
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calcinosis.errors import GeometryError, InputError, NotReadableError
from calcinosis.read.archive import Unpacked, unpack
from calcinosis.read.dicom import Plane
from calcinosis.read.geometry import canonical, evenly_spaced, shear_deg, straightened
from calcinosis.read.grid import LPS_FROM_RAS, GridImage
from calcinosis.read.hounsfield import (
    AIR_HU,
    remarks_on_gaps,
    require_fat_or_air,
    require_hounsfield,
    to_int16,
)
from calcinosis.read.nifti import is_nifti, read_nifti
from calcinosis.read.nrrd import is_nrrd, read_nrrd
from calcinosis.read.pixels import read_hounsfield
from calcinosis.read.series import Candidate, Series, choose, scan
from calcinosis.volume import GRAVITY_LPS, Grid, Study, Volume

TILT_TOLERATED_DEG = 0.1
BEYOND_MM = 10.0  # as far as slices may lie apart: less hides no mass
SCAN_SHARE = 0.4  # of the progress: headers first, then pixels

Progress = Callable[[float], None]


def read_study(
    path: Path | str,
    *,
    series_uid: str | None = None,
    patient_position: str | None = None,
    progress: Progress | None = None,
) -> Study:
    """Read a folder or zip of DICOM, or one DICOM, NIfTI or NRRD file.

    Args:
        path: what to read; a folder may hold any mix of series and other files.
        series_uid: SeriesInstanceUID to take instead of the best; UID:2 for its second part.
        patient_position: how the patient lay (HFS, FFS, HFP, …), instead of what the file says.
        progress: called with the fraction done, 0 to 1.

    Returns:
        The study: int16 Hounsfield units [z, y, x] running to head, back and left.

    Raises:
        InputError: in one line what is wrong, in which file, and what was expected.
    """
    position = known_position(patient_position)
    with explained(Path(path)), silent_libraries():
        return _read(Path(path), series_uid, position, progress or (lambda _: None))


def read_images(
    files: Sequence[Path],
    *,
    patient_position: str | None = None,
    progress: Progress | None = None,
    unpacked: Unpacked | None = None,
) -> Study:
    """Read DICOM files as `read_study` reads a folder that holds these and no others.

    Args:
        files: what to read.
        patient_position: how the patient lay, instead of what the files say.
        progress: called with the fraction done, 0 to 1.
        unpacked: where the files lie, if they come from a zip.

    Raises:
        InputError: as `read_study`.
    """
    position = known_position(patient_position)
    with explained(files[0].parent), silent_libraries():
        return _dicom_study(files, unpacked, None, position, progress or (lambda _: None))


def known_position(patient_position: str | None) -> str | None:
    """The patient position in capitals.

    Raises:
        InputError: there is no such position.
    """
    position = patient_position and patient_position.upper()
    if position is not None and position not in GRAVITY_LPS:
        raise InputError(
            f"patient position {position!r} is unknown; expected one of {', '.join(GRAVITY_LPS)}"
        )
    return position


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into one line."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotReadableError(f"{path}: there is no such file or folder") from error
    except OSError as error:
        raise NotReadableError(f"{path}: cannot be read ({error.strerror or error})") from error


def _read(
    path: Path, series_uid: str | None, patient_position: str | None, progress: Progress
) -> Study:
    image = None if path.is_dir() else _grid_image(path)
    if image is None:
        files, unpacked = files_given(path)
        return _dicom_study(files, unpacked, series_uid, patient_position, progress)
    if series_uid is not None:
        raise InputError(f"{path.name}: has no DICOM series; leave the series UID away")
    return _grid_study(path, image, patient_position)


@contextmanager
def silent_libraries() -> Iterator[None]:
    """Keep what decoders say about doubtful files from the user: we check and say it ourselves."""
    loggers = [logging.getLogger(name) for name in ("pydicom", "openjpeg", "nibabel.global")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _grid_image(path: Path) -> GridImage | None:
    """A NIfTI or NRRD file read; None for anything else."""
    if is_nifti(path):
        return read_nifti(path)
    return read_nrrd(path) if is_nrrd(path) else None


def _grid_study(path: Path, image: GridImage, patient_position: str | None) -> Study:
    affine = LPS_FROM_RAS @ image.affine_ras
    voxels, affine = canonical(to_int16(image.values), affine)
    remarks = [*image.remarks, *remarks_on_gaps(image.values)]
    grid: Grid | None = Grid(image.values.shape, image.affine_ras)
    if not _perpendicular(affine[:3, 1], affine[:3, 2]):
        raise GeometryError(f"{path.name}: rows and columns are not perpendicular in the affine")
    if shear_deg(affine) > TILT_TOLERATED_DEG:
        sheared = f"Slices sheared by {shear_deg(affine):.1f}° were straightened"
        remarks.append(f"{sheared}; masses.nii.gz lies on the straightened ones.")
        voxels, affine = straightened(voxels, affine, AIR_HU)
        grid = None
    require_hounsfield(voxels, path.name)
    if patient_position is None:
        remarks.append("The file states no patient position: HFS (on the back) is assumed.")
    return Study(
        Volume(voxels, affine, patient_position or "HFS", patient_position is None),
        chosen_because="the only image given",
        remarks=tuple(remarks),
        source_files=(path,),
        input_grid=grid,
    )


def _perpendicular(one: np.ndarray, other: np.ndarray) -> bool:
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    return bool(abs(cosine) < np.sin(np.radians(TILT_TOLERATED_DEG)))


def _dicom_study(
    files: Sequence[Path],
    unpacked: Unpacked | None,
    series_uid: str | None,
    patient_position: str | None,
    progress: Progress,
) -> Study:
    series = scan(files, lambda done: progress(SCAN_SHARE * done))
    chosen, because = choose(series, series_uid)
    stack, about = chosen.stack, chosen.series.about
    voxels = read_hounsfield(
        stack.planes, lambda done: progress(SCAN_SHARE + (1 - SCAN_SHARE) * done)
    )
    require_hounsfield(voxels, chosen.series.name)
    _require_one_scale(voxels, stack.planes)
    position, assumed, remarks = _position(chosen.series.patient_position, patient_position)
    remarks += _remarks_on_parts(chosen, series) + _remarks(chosen) + _remarks_on_others(series)
    voxels, affine = evenly_spaced(voxels, stack), stack.affine
    if shear_deg(affine) > TILT_TOLERATED_DEG:
        voxels, affine = straightened(voxels, affine, AIR_HU)
    voxels, affine = canonical(voxels, affine)
    progress(1.0)
    return Study(
        Volume(voxels, affine, position, assumed),
        series_instance_uid=about.series_uid or None,
        chosen_because=because,
        remarks=tuple(remarks),
        tube_voltage_kv=None if chosen.other_energies else about.tube_voltage_kv,
        tin_filter=about.tin_filter,
        photon_energy_kev=about.photon_energy_kev if chosen.other_energies else None,
        slice_thickness_mm=about.slice_thickness_mm,
        contrast_agent=about.contrast_agent,
        source_files=tuple(dict.fromkeys(plane.path for plane in stack.planes)),
        source_frames=frozenset((plane.path, plane.frame) for plane in stack.planes),
        subject=about.subject,
        stated_side=about.stated_side,
        unpacked=unpacked,
    )


def _require_one_scale(voxels: NDArray[np.int16], planes: Sequence[Plane]) -> None:
    """Refuse a slice that is rescaled otherwise than most, and holds neither fat nor air then."""
    scales = [(plane.slope, plane.intercept) for plane in planes]
    usual = Counter(scales).most_common(1)[0][0]
    for plane, scale, image in zip(planes, scales, voxels, strict=True):
        imaged = image[image > AIR_HU] if scale != usual else image[:0]
        if imaged.size:
            require_fat_or_air(imaged, plane.name)


def files_given(path: Path) -> tuple[list[Path], Unpacked | None]:
    """Every file below a folder, beside a DICOMDIR or in a zip, sorted; or the one file itself."""
    unpacked = None
    if path.name.upper() == "DICOMDIR" and path.is_file():
        path = path.parent
    if not path.is_dir():
        with path.open("rb") as file:
            if file.read(4) not in (b"PK\x03\x04", b"PK\x05\x06"):
                return [path], None
        unpacked = unpack(path)
        path = unpacked.folder
    return sorted(files_below(path)), unpacked


def files_below(folder: Path, besides: Path | None = None) -> Iterator[Path]:
    """Files of a folder and of those in it but one, links followed, each folder once."""
    seen: set[Path] = {besides.resolve()} if besides else set()
    for place, inner, names in os.walk(folder, followlinks=True):
        here = Path(place).resolve()
        if here in seen:
            inner.clear()
            continue
        seen.add(here)
        yield from (file for name in names if (file := Path(place, name)).is_file())


def _position(stated: str, wanted: str | None) -> tuple[str, bool, list[str]]:
    """The patient's position, whether it was assumed, and what to remark."""
    if wanted is not None:
        differs = stated not in ("", wanted)
        return wanted, False, [f"Patient position {wanted} as asked, not {stated}."] * differs
    if stated in GRAVITY_LPS:
        return stated, False, []
    said = f"is {stated!r}" if stated else "is not stated"
    return "HFS", True, [f"The patient position {said}: HFS (on the back) is assumed."]


def _remarks_on_others(series: Sequence[Series]) -> list[str]:
    """Where more than one examination was given."""
    patients = {image.patient_id for one in series for image in one.images if image.patient_id}
    if len(patients) > 1:
        return [f"The input holds images of {len(patients)} patients; one series was measured."]
    studies = {one.about.study_uid for one in series}
    if len(studies) > 1:
        return [f"The input holds {len(studies)} studies; one series of one was measured."]
    return []


def _remarks_on_parts(chosen: Candidate, every: Sequence[Series]) -> list[str]:
    """That the series holds several parts, and how far others reach beyond the one measured."""
    series = chosen.series
    if series.parts == 1:
        return []
    told = " and ".join(series.told_by)
    other = 1 if series.part > 1 else 2
    remark = (
        f"The series holds {series.parts} parts (phases, reconstructions or pieces), told apart by "
        f"{told}: part {series.part} was measured; --series UID:{other} takes part {other}."
    )
    beyond_mm = chosen.reached_beyond_mm(filter(series.beside, every))
    if beyond_mm <= BEYOND_MM:
        return [remark]
    return [remark, f"Another of its parts reaches {beyond_mm:.0f} mm farther than this one."]


def _remarks(chosen: Candidate) -> list[str]:
    """What the chosen series makes one mention."""
    stack, remarks = chosen.stack, []
    tilt = shear_deg(stack.affine)
    if tilt > TILT_TOLERATED_DEG:
        remarks.append(f"A gantry tilt of {tilt:.1f}° was corrected by resampling.")
    if not stack.even:
        widest = float(np.diff(stack.along_mm).max())
        remarks.append(
            f"Slices {stack.spacing_mm:.2f} to {widest:.2f} mm apart "
            f"were resampled to {stack.spacing_mm:.2f} mm."
        )
    copies = sum(len(one.planes) for one in chosen.series.slices) - len(stack.planes)
    if copies:
        remarks.append(f"Copies of slices passed over: {copies}.")
    if len({image.frame_of_reference_uid for image in chosen.series.slices}) > 1:
        remarks.append("The slices name several frames of reference: their places are believed.")
    if any(image.lossy for image in chosen.series.slices):
        remarks.append("The images were compressed with loss: fine detail and noise were altered.")
    if chosen.other_energies:
        energy_kev = chosen.series.about.photon_energy_kev
        remarks.append(
            "The images were computed from two energies: Hounsfield units, and with them volumes "
            "and above all the mass of calcium, may be far off those of a plain CT."
            if energy_kev is None
            else f"The images were computed from two energies for {energy_kev:g} keV and are read "
            "as at 120 kV: volumes and the mass of calcium may be off those of a plain CT."
        )
    if chosen.enhanced:
        remarks.append("Contrast agent was given: bright vessels and urine may not be calcium.")
    return remarks
