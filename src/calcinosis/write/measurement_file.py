"""A measurement kept beside its results, so that it need not be made again for new labs.

A zip of numpy arrays and one JSON text; reading it runs nothing (no pickle). It names nobody: of
the series it holds a digest.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from calcinosis.made_by import made_by
from calcinosis.measure.mass import (
    Calibration,
    CtMeasurement,
    Mass,
    OtherCalcification,
    Patch,
    Point,
)
from calcinosis.volume import Study, Volume

NAME = "measurement.npz"
_ROOMS = ("calcinosis.read", "calcinosis.measure")  # their code and weights make a measurement

Range = tuple[int, int]
Box = tuple[Range, Range, Range]


@dataclass(frozen=True)
class _About:
    """What must be the same for a measurement to be that of a study."""

    made_by: str
    series: str
    patient_position: str
    shape: tuple[int, int, int]
    affine: tuple[tuple[float, ...], ...]
    seeds_lps_mm: tuple[Point, ...] = ()  # files of before hold none


@dataclass(frozen=True)
class _Kept:
    """What is kept of a measurement apart from its arrays; and where its patches lie."""

    about: _About
    masses: tuple[Mass, ...]
    other_calcifications: tuple[OtherCalcification, ...]
    calibration: Calibration
    method: tuple[str, ...]
    remarks: tuple[str, ...]
    boxes: tuple[Box, ...]


_KEPT = TypeAdapter(_Kept)
_NO_FILE_OF_OURS = (OSError, EOFError, KeyError, ValueError, BadZipFile)


def save_measurement(
    path: Path, study: Study, measurement: CtMeasurement, seeds_lps_mm: tuple[Point, ...] = ()
) -> None:
    """Write what was measured on a study, with these seeds."""
    kept = _Kept(
        _about(study, seeds_lps_mm),
        measurement.masses,
        measurement.other_calcifications,
        measurement.calibration,
        measurement.method,
        measurement.remarks,
        tuple(_ranges(patch) for patch in measurement.other_places),
    )
    text = json.dumps(_KEPT.dump_python(kept, mode="json"))  # which knows not-a-number
    masks = [patch.mask.ravel() for patch in measurement.other_places]
    with path.open("wb") as file:
        np.savez_compressed(
            file,
            text=np.frombuffer(text.encode(), np.uint8),
            labels=measurement.labels,
            skeleton=measurement.skeleton_bits,
            places=np.packbits(np.concatenate(masks)) if masks else np.empty(0, np.uint8),
        )


def load_measurement(
    path: Path, study: Study, seeds_lps_mm: tuple[Point, ...] = ()
) -> CtMeasurement | None:
    """What was measured.

    None where it was of another series, with other seeds, or other code or weights made it.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            kept = _KEPT.validate_python(json.loads(file["text"].tobytes()))
            if kept.about != _about(study, seeds_lps_mm):
                return None
            labels, skeleton, places = file["labels"], file["skeleton"], file["places"]
    except _NO_FILE_OF_OURS:
        return None
    return CtMeasurement(
        kept.masses,
        labels,
        skeleton,
        kept.other_calcifications,
        kept.calibration,
        kept.method,
        kept.remarks,
        tuple(_patches(kept.boxes, places)),
    )


def measured_volume(path: Path) -> Volume | None:
    """Where the voxels lie that were measured, all of them empty; None where there is no file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            about = _KEPT.validate_python(json.loads(file["text"].tobytes())).about
    except _NO_FILE_OF_OURS:
        return None
    return Volume(np.broadcast_to(np.int16(0), about.shape), np.array(about.affine))


def _about(study: Study, seeds_lps_mm: tuple[Point, ...]) -> _About:
    affine = tuple(tuple(float(one) for one in row) for row in study.volume.affine)
    series = hashlib.sha256((study.series_instance_uid or "").encode()).hexdigest()
    volume = study.volume
    made = made_by(*_ROOMS)
    return _About(made, series, volume.patient_position, volume.shape, affine, seeds_lps_mm)


def _ranges(patch: Patch) -> Box:
    z, y, x = ((extent.start, extent.stop) for extent in patch.box)
    return z, y, x


def _patches(boxes: tuple[Box, ...], packed: NDArray[np.uint8]) -> Iterator[Patch]:
    shapes = [tuple(stop - start for start, stop in box) for box in boxes]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    flat = np.unpackbits(packed).view(bool)
    for box, shape, mask in zip(boxes, shapes, np.split(flat, ends)[:-1], strict=True):
        z, y, x = (slice(start, stop) for start, stop in box)
        yield Patch((z, y, x), mask.reshape(shape))
