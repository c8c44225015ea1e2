"""A chart of the skeleton on which places are marked as one bone's, and names flood from the marks.

Floods run over the depth inside bone, so that two bones meet at the narrow place where they touch,
and end a little way from their marks. What no flood reaches has no name.
"""

from dataclasses import dataclass

import edt
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from calcinosis.measure.bone_sections import GRID_MM, Array, Body
from calcinosis.measure.masks import bounds
from calcinosis.measure.mass import Point

BONES = (
    "femur", "tibia", "fibula", "patella", "humerus", "hip bone", "sacrum", "vertebra", "rib",
    "sternum", "scapula",
)  # fmt: skip
Names = NDArray[np.uint8]
Mask = NDArray[np.bool_]

FLOOD_MM = 21.0
REACH_MM = 60.0  # bone farther than this from a mass is not named
TIE_MM = 4.0  # bones no farther than this beyond the nearest must agree on the name
AGREEING = 0.8
_SOME = 50  # every so many voxels of bone bound the distance of the nearest
_OTHER = 255  # a bone without a name here, which no flood may take


@dataclass(frozen=True, eq=False)
class Chart:
    """Marks on the skeleton: 1 + index into `BONES`, with LPS mm that broadcast over them."""

    body: Body
    marks: Names
    x: Array
    y: Array
    z: Array

    @classmethod
    def of(cls, body: Body) -> "Chart":
        """A chart without marks."""
        z, y, x = (
            start + GRID_MM * np.arange(size)
            for start, size in zip(body.origin, body.bone.shape, strict=True)
        )
        marks = np.zeros(body.bone.shape, np.uint8)
        return cls(body, marks, x, y[:, None], z[:, None, None])

    def mark(self, bone: str | None, where: Mask) -> None:
        """Mark a region as one bone's, None for a bone unknown; earlier marks stay."""
        self.marks[where & self.body.bone & (self.marks == 0)] = _code(bone)

    def within(self, centre: Point, radius_mm: float) -> Mask:
        """All within a radius of a point."""
        x, y, z = centre
        away2 = (self.x - x) ** 2 + (self.y - y) ** 2 + (self.z - z) ** 2
        return np.asarray(away2 < radius_mm**2)

    def ball(
        self, bone: str | None, centre: Point, radius_mm: float, height_mm: float | None = None
    ) -> None:
        """Mark what lies in a ball, or in a slice of it of the given height."""
        middle = (np.array(centre[::-1]) - self.body.origin) / GRID_MM
        reach = np.full(3, radius_mm / GRID_MM)
        if height_mm is not None:
            reach[0] = height_mm / 2 / GRID_MM
        low = np.maximum(np.ceil(middle - reach), 0).astype(int)
        high = np.maximum(np.floor(middle + reach) + 1, low).astype(int)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        marks, bones = self.marks[box], self.body.bone[box]
        offsets = np.indices(marks.shape).T + low - middle
        inside = (np.linalg.norm(offsets, axis=-1) * GRID_MM < radius_mm).T
        marks[inside & bones & (marks == 0)] = _code(bone)

    def line(self, bone: str | None, start: Point, end: Point, radius_mm: float) -> None:
        """Mark what lies around a straight line."""
        way = np.subtract(end, start)
        for share in np.linspace(0, 1, max(2, int(np.linalg.norm(way) / GRID_MM))):
            x, y, z = (float(v) for v in np.add(start, share * way))
            self.ball(bone, (x, y, z), radius_mm)

    def flooded(self) -> Names:
        """Names of bone voxels: 1 + index into `BONES`, 0 where there is none."""
        from skimage.segmentation import watershed

        if not self.marks.any():
            return self.marks
        box = bounds(self.body.bone)
        bone, marks = self.body.bone[box], self.marks[box]
        depth = edt.edt(bone, black_border=True, parallel=1)
        names = watershed(-depth, marks.astype(np.int32), mask=bone)
        names[names == _OTHER] = 0
        unmarked = (marks == 0) | (marks == _OTHER)
        names[edt.edt(unmarked, parallel=1) * GRID_MM > FLOOD_MM] = 0
        result = np.zeros_like(self.marks)
        result[box] = names
        return result


def _code(bone: str | None) -> int:
    return _OTHER if bone is None else BONES.index(bone) + 1


def nearest_bone(body: Body, names: Names, surface_lps_mm: NDArray[np.float64]) -> str | None:
    """The bone nearest to a mass, or None where it has no name or another bone is as near.

    Args:
        body: the grid of `names`.
        names: 1 + index into `BONES`, 0 for bone without a name.
        surface_lps_mm: points of the mass's surface (n, 3).
    """
    places = (surface_lps_mm[:, ::-1] - body.origin) / GRID_MM
    reach = REACH_MM / GRID_MM
    low = np.maximum(np.floor(places.min(axis=0) - reach), 0).astype(int)
    high = np.maximum(np.ceil(places.max(axis=0) + reach), 0).astype(int)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    bone = np.argwhere(body.bone[box])
    if not len(bone):
        return None
    surface = cKDTree(places)
    some, _ = surface.query((bone + low)[::_SOME])
    farthest = some.min() + 2 * TIE_MM / GRID_MM  # what is farther has no say: passed over
    away_mm, _ = surface.query(bone + low, distance_upper_bound=farthest)
    away_mm = away_mm * GRID_MM
    if away_mm.min() > REACH_MM:
        return None
    near = bone[away_mm <= away_mm.min() + TIE_MM]
    votes = np.bincount(names[box][tuple(near.T)], minlength=len(BONES) + 1)
    best = int(votes.argmax())
    return BONES[best - 1] if best and votes[best] >= AGREEING * votes.sum() else None
