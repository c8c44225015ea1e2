"""A block around a point on even voxels, onto which series of any plane are brought."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.volume import Volume

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]
Point = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Block:
    """Even voxels around a point, along the axes of one series.

    Attributes:
        affine: (z, y, x, 1) to LPS mm; z across that series' slices, y down and x along its rows.
        count: voxels along each side.
        step_mm: side of a voxel.
    """

    affine: NDArray[np.float64]
    count: int
    step_mm: float

    @classmethod
    def around(cls, point: Point, like: Volume, side_mm: float, count: int) -> "Block":
        """`count` voxels along each side of so many mm, the point in their middle."""
        down, across = (
            like.affine[:3, axis] / np.linalg.norm(like.affine[:3, axis]) for axis in (1, 2)
        )
        step = side_mm / count
        affine = np.eye(4)
        affine[:3, :3] = step * np.stack([np.cross(across, down), down, across], axis=1)
        affine[:3, 3] = np.asarray(point) - affine[:3, :3].sum(axis=1) * (count - 1) / 2
        return cls(affine, count, step)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along z, y, x."""
        return self.count, self.count, self.count

    @property
    def volume(self) -> Volume:
        """An empty volume of this place."""
        return Volume(np.zeros(self.shape, np.int16), self.affine, modality="MR")

    @property
    def voxel_ml(self) -> float:
        """Of one voxel."""
        return self.step_mm**3 / 1000

    def finer(self, factor: int) -> "Block":
        """The same place in so many times as many voxels along each side."""
        affine = self.affine.copy()
        affine[:3, :3] /= factor
        affine[:3, 3] += (affine[:3, :3] - self.affine[:3, :3]).sum(axis=1) / 2
        return Block(affine, self.count * factor, self.step_mm / factor)

    def sampled(self, series: Volume) -> tuple[Float, Mask]:
        """The signal of a series on these voxels, and where it was imaged."""
        spacing = np.array(series.spacing_mm)
        onto = np.linalg.inv(series.affine) @ self.affine
        ends = onto[:3, :3] @ (np.indices((2, 2, 2)).reshape(3, -1) * (self.count - 1))
        ends = ends + onto[:3, 3:]
        most = np.array(series.shape)
        low = np.clip(np.floor(ends.min(axis=1)).astype(int) - 3, 0, most - 1)
        high = np.clip(np.ceil(ends.max(axis=1)).astype(int) + 4, low + 1, most)
        part = series.voxels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
        smooth = np.where(self.step_mm > 1.2 * spacing, 0.35 * self.step_mm / spacing, 0)
        values = ndimage.gaussian_filter(part.astype(np.float32), smooth, mode="nearest")
        signal = ndimage.affine_transform(
            values,
            onto[:3, :3],
            onto[:3, 3] - low,
            output_shape=self.shape,
            order=1,
            mode="nearest",
        )
        return np.asarray(signal, np.float32), self._imaged(onto, most)

    def _imaged(self, onto: NDArray[np.float64], size: NDArray[np.int_]) -> Mask:
        """Which voxels lie among those of a series, to half a voxel beyond the outermost."""
        ways = np.ogrid[: self.count, : self.count, : self.count]
        inside = np.ones(self.shape, np.bool_)
        for axis in range(3):
            place = onto[axis, 3] + sum(onto[axis, way] * at for way, at in enumerate(ways))
            inside &= (place >= -0.5) & (place <= size[axis] - 0.5)
        return inside

    def carried(self, values: Float, other: "Block") -> Float:
        """Values on these voxels, read at those of another block; 0 beyond."""
        onto = np.linalg.inv(self.affine) @ other.affine
        read = ndimage.affine_transform(
            values, onto[:3, :3], onto[:3, 3], output_shape=other.shape, order=1
        )
        return np.asarray(read, np.float32)


@dataclass(frozen=True, eq=False)
class Cut:
    """Even pixels in one plane.

    Attributes:
        affine: (row, column, 1) to LPS mm, 3×3.
        count: pixels along each side.
        pixel_mm: side of a pixel.
    """

    affine: NDArray[np.float64]
    count: int
    pixel_mm: float

    @classmethod
    def through(
        cls, point: Point, middle: Point, like: Volume, side_mm: float, count: int
    ) -> "Cut":
        """The plane of a series' slice nearest to a point, about a middle."""
        slice_index = like.to_indices(point)
        slice_index[0] = np.clip(np.rint(slice_index[0]), 0, like.shape[0] - 1)
        on_slice = like.to_lps(slice_index)
        pixel_mm = side_mm / count
        down, across = (
            like.affine[:3, axis] / np.linalg.norm(like.affine[:3, axis]) for axis in (1, 2)
        )
        off = np.asarray(middle) - on_slice
        centre = on_slice + (off @ down) * down + (off @ across) * across
        start = centre - (down + across) * pixel_mm * (count - 1) / 2
        return cls(np.stack([down * pixel_mm, across * pixel_mm, start], axis=1), count, pixel_mm)

    def of(self, values: NDArray[np.generic], affine: NDArray[np.float64]) -> Float:
        """Values of a volume with its affine, between voxels; 0 beyond."""
        rows, columns = np.indices((self.count, self.count))
        places = np.stack([rows, columns, np.ones_like(rows)], axis=-1) @ self.affine.T
        inverse = np.linalg.inv(affine)
        index = places @ inverse[:3, :3].T + inverse[:3, 3]
        read = ndimage.map_coordinates(values, np.moveaxis(index, -1, 0), np.float32, order=1)
        return np.asarray(read)

    def place(self, point: Point) -> tuple[float, float]:
        """(column, row) of a point, seen along the plane's normal."""
        off = np.asarray(point) - self.affine[:, 2]
        row, column = (off @ self.affine[:, axis] / self.pixel_mm**2 for axis in (0, 1))
        return float(column), float(row)

    @property
    def letters(self) -> str:
        """The patient's sides at the left, right, top and bottom edge."""
        right, down = (_side(self.affine[:, axis]) for axis in (1, 0))
        return _OPPOSITE[right] + right + _OPPOSITE[down] + down


_OPPOSITE = {"L": "R", "R": "L", "A": "P", "P": "A", "H": "F", "F": "H"}


def _side(way: NDArray[np.float64]) -> str:
    axis = int(np.abs(way).argmax())
    return ("LPH", "RAF")[int(way[axis] < 0)][axis]
