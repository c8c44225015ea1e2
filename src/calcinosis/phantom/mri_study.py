"""MRI studies drawn at random around a mass: planes, sequences and quality as practice has them."""

from dataclasses import dataclass, replace

import numpy as np

from calcinosis.phantom.mri import (
    PD_FS,
    STIR,
    T1,
    T1_AGENT,
    T1_FS_AGENT,
    T2,
    T2_FS,
    Scan,
    Sequence,
    acquire,
)
from calcinosis.phantom.mri_tissue import MrBody
from calcinosis.phantom.shapes import Point
from calcinosis.volume import Volume

PLANES = {
    "axial": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    "coronal": (1.0, 0.0, 0.0, 0.0, 0.0, -1.0),
    "sagittal": (0.0, 1.0, 0.0, 0.0, 0.0, -1.0),
}
AGENT_GIVEN = 0.5  # of the studies
MOVED_MM = 0.7  # standard deviation between series, each way


@dataclass(frozen=True, eq=False)
class DrawnStudy:
    """Series of one study with their sequences, by what they are taken for.

    Attributes:
        by_role: t1, t2 (or PD with fat suppressed), and perhaps enhanced.
    """

    by_role: dict[str, tuple[Sequence, Volume]]


def random_scan(centre: Point, size_mm: float, rng: np.random.Generator) -> Scan:
    """A plane, turned a little, that shows a mass of a size with what lies around it."""
    plane = PLANES[("axial", "coronal", "sagittal")[rng.integers(3)]]
    field_mm = float(np.clip(size_mm * rng.uniform(1.8, 3.0) + 60, 130, 260))
    pixel_mm = float(rng.uniform(0.7, 1.4))
    pixels = round(field_mm / pixel_mm)
    thickness_mm = float(rng.uniform(3, 6))
    spacing_mm = thickness_mm * float(rng.uniform(1.0, 1.3))
    depth_mm = size_mm * rng.uniform(1.3, 2.0) + 30
    return Scan(
        orientation=_turned(plane, rng),
        centre_lps_mm=_near(centre, 12.0, rng),
        slices=max(8, round(depth_mm / spacing_mm)),
        pixels=(pixels, pixels),
        pixel_mm=pixel_mm,
        thickness_mm=thickness_mm,
        spacing_mm=spacing_mm,
        signal_to_noise=float(np.exp(rng.uniform(np.log(12), np.log(60)))),
        bias=float(rng.uniform(0, 0.25)),
        fat_shift_pixels=float(rng.uniform(0, 2)),
    )


def random_study(
    body: MrBody, centre: Point, size_mm: float, rng: np.random.Generator
) -> DrawnStudy:
    """T1, one with a long echo or fat suppressed, and perhaps T1 after contrast agent."""
    first = random_scan(centre, size_mm, rng)
    kinds = {"t1": T1, "t2": (T2, T2_FS, STIR, PD_FS)[rng.integers(4)]}
    if rng.random() < AGENT_GIVEN:
        kinds["enhanced"] = (T1_AGENT, T1_FS_AGENT)[rng.integers(2)]
    series = {}
    for role, kind in kinds.items():
        scan = first
        if kind is not T1 and not kind.agent and rng.random() < 0.3:
            scan = random_scan(centre, size_mm, rng)  # in another plane
        scan = replace(scan, moved_lps_mm=_near((0.0, 0.0, 0.0), MOVED_MM, rng))
        sequence = _varied(kind, rng)
        series[role] = sequence, acquire(body, sequence, scan, rng)
    return DrawnStudy(series)


def _varied(kind: Sequence, rng: np.random.Generator) -> Sequence:
    """As other hospitals have it."""
    repetition, echo = rng.uniform(0.8, 1.25), rng.uniform(0.8, 1.2)
    return replace(kind, repetition_ms=kind.repetition_ms * repetition, echo_ms=kind.echo_ms * echo)


def _turned(plane: tuple[float, ...], rng: np.random.Generator) -> tuple[float, ...]:
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_rotvec(np.radians(rng.normal(0, 8, 3)))
    return tuple(float(value) for value in turn.apply(np.reshape(plane, (2, 3))).ravel())


def _near(point: Point, spread_mm: float, rng: np.random.Generator) -> Point:
    x, y, z = (np.asarray(point) + rng.normal(0, spread_mm, 3)).tolist()
    return x, y, z
