"""Bone and lung on a coarse grid along the patient's axes, and the bones of each slice."""

from dataclasses import dataclass

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.measure.masks import rim, without_holes
from calcinosis.measure.mass import Point
from calcinosis.volume import Volume

Array = NDArray[np.float64]

GRID_MM = 3.0
THIN_CM2 = (0.5, 3.2)
# Mean of the lung in one slice: down to -930 in the seven scans of docs/accuracy.md that show it.
_LIGHTEST_LUNG_HU = -950.0


@dataclass(frozen=True, eq=False)
class Body:
    """Bone and air on a 3 mm grid along the patient's axes: [z up, y back, x left]."""

    bone: NDArray[np.bool_]
    lung: NDArray[np.bool_]
    origin: Array  # LPS of voxel 0, as (z, y, x)

    def lps(self, z: float, y: float, x: float) -> Point:
        """Indices to LPS mm (x, y, z)."""
        place = self.origin + GRID_MM * np.array([z, y, x])
        return float(place[2]), float(place[1]), float(place[0])


@dataclass(frozen=True, eq=False)
class Section:
    """One bone in one slice."""

    z: int
    y: float
    x: float
    cm2: float
    round: bool


def stand_along_axes(volume: Volume, skeleton: NDArray[np.bool_]) -> Body:
    """Nearest-voxel samples on a grid along the patient's axes, marrow filled per slice."""
    corners = np.stack(np.meshgrid(*[[0, n - 1] for n in volume.shape]), axis=-1).reshape(-1, 3)
    placed = volume.to_lps(corners)
    low, high = placed.min(axis=0), placed.max(axis=0)
    x, y, z = (np.arange(a, b + 0.1, GRID_MM) for a, b in zip(low, high, strict=True))
    inverse = np.linalg.inv(volume.affine[:3, :3])
    start = inverse @ (low - volume.affine[:3, 3])
    bone, lung = (np.zeros((len(z), len(y), len(x)), bool) for _ in range(2))
    for rise, bone_here, lung_here in zip(z - z[0], bone, lung, strict=True):
        inside = np.ones((len(y), len(x)), bool)
        place = []
        for axis, size in enumerate(volume.shape):
            index = (
                start[axis]
                + inverse[axis, 2] * rise
                + inverse[axis, 1] * (y - y[0])[:, None]
                + inverse[axis, 0] * (x - x[0])
            )
            whole = np.round(index).astype(np.int32)
            inside &= (whole >= 0) & (whole < size)
            place.append(np.clip(whole, 0, size - 1))
        bone_here[:] = without_holes(skeleton[tuple(place)] & inside)
        lung_here[:] = _lung(volume.voxels[tuple(place)], inside)
    return Body(bone, lung, low[::-1].astype(np.float64))


def _lung(hu: NDArray[np.int16], inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Lung-like air of one slice that does not reach the edge of the picture.

    Gas in the bowel and the air between thighs and table are no lung: they are as light as air.
    """
    air = (hu < -500) & inside
    parts = cc3d.connected_components(air, connectivity=4)
    flat = parts.ravel()
    mean_hu = np.bincount(flat, hu.ravel()) / np.maximum(np.bincount(flat), 1)
    other = mean_hu < _LIGHTEST_LUNG_HU
    other[parts[rim(inside)]] = True
    return np.asarray(air & ~other[parts])


def sections(body: Body) -> list[list[Section]]:
    """Every bone section of every slice."""
    result = []
    edge = np.zeros(body.bone.shape[1:], dtype=bool)
    edge[[0, -1], :] = edge[:, [0, -1]] = True
    for z, plane in enumerate(body.bone):
        labels, _ = ndimage.label(plane)
        found = []
        for number, box in enumerate(ndimage.find_objects(labels), start=1):
            member = labels[box] == number
            cm2 = np.count_nonzero(member) * GRID_MM**2 / 100
            if cm2 < THIN_CM2[0]:
                continue
            y, x = np.argwhere(member).mean(axis=0)
            cut = bool((edge[box] & member).any())
            round_ = not cut and _is_round(member)
            found.append(Section(z, y + box[0].start, x + box[1].start, cm2, round_))
        result.append(found)
    return result


def _is_round(member: NDArray[np.bool_]) -> bool:
    """Does a section fill its ellipse of inertia, and is that not too long?"""
    places = np.argwhere(member)
    if len(places) < 4:
        return True
    short, long = np.sqrt(np.linalg.eigvalsh(np.cov(places.T) + np.eye(2) / 12))
    fills = len(places) / (4 * np.pi * short * long)
    return bool(fills > 0.8 and short / long > 0.5)
