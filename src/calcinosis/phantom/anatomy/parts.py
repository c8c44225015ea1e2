"""What an anatomy is made of."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from calcinosis.phantom.shapes import Bounds, Point, Shape, Tube

Side = Literal["left", "right"]
SIGNS: tuple[tuple[Side, int], ...] = (("left", 1), ("right", -1))  # LPS x grows to the left


@dataclass(frozen=True)
class Part:
    """A solid piece of a bone: a cortical shell around trabeculae or marrow."""

    shape: Shape
    cortex_mm: float
    inside_hu: float


@dataclass(frozen=True)
class Bone:
    """Parts that have grown together; creases between them are rounded."""

    name: str
    side: Side | None
    parts: tuple[Part, ...]
    blend_mm: float = 6.0
    cortex_hu: float = 1250.0

    def bounds(self) -> Bounds:
        """The block that holds all parts."""
        lows, highs = zip(*(part.shape.bounds() for part in self.parts), strict=True)
        return np.min(lows, axis=0), np.max(highs, axis=0)


@dataclass(frozen=True)
class Joint:
    """A large joint around which masses grow."""

    name: str
    side: Side
    centre: Point
    radius_mm: float


@dataclass(frozen=True)
class Organ:
    """A soft or air-filled solid of one attenuation."""

    name: str
    shape: Shape
    hu: float


@dataclass(frozen=True)
class Anatomy:
    """One person, or the part of one that is scanned.

    Attributes:
        body: solids whose union is the body (skin surface).
        fat_mm: depth of the subcutaneous fat.
        bones: painted in order.
        joints: where periarticular masses may grow.
        organs: painted in order, before the bones.
        vessels: larger arteries, for wall calcification.
        field_mm: default width of the field of view.
        z_range_mm: default extent along the body axis.
    """

    body: tuple[Shape, ...]
    fat_mm: float
    bones: tuple[Bone, ...]
    joints: tuple[Joint, ...]
    organs: tuple[Organ, ...]
    vessels: tuple[Tube, ...]
    field_mm: float
    z_range_mm: tuple[float, float]
    body_blend_mm: float = 25.0


def scaled(scale: float, *points: tuple[float, float, float]) -> tuple[Point, ...]:
    """Points times a factor: a larger or smaller person."""
    return tuple((x * scale, y * scale, z * scale) for x, y, z in points)
