"""Results for voxels that run another way than head, back, left, which is how they are measured.

The network has seen no other way, so a scan measures the same however its array lies.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calcinosis.measure.mass import CtMeasurement, Patch
from calcinosis.read.geometry import Kind, axis_order
from calcinosis.volume import Volume


@dataclass(frozen=True)
class ArrayOrder:
    """How a volume's array lies in the patient.

    Attributes:
        order: the array axes that run nearest to head, back and left.
        backwards: which of these run the other way, in that sequence.
    """

    order: tuple[int, ...]
    backwards: tuple[bool, ...]

    @classmethod
    def of(cls, volume: Volume) -> "ArrayOrder":
        """That of a volume, by its affine."""
        return cls(*axis_order(volume.affine))

    @property
    def usual(self) -> bool:
        """Whether the axes run head, back, left already."""
        return self.order == (0, 1, 2) and not any(self.backwards)

    @property
    def _flipped(self) -> tuple[int, ...]:
        return tuple(axis for axis in range(3) if self.backwards[axis])

    def turned_back(self, voxels: NDArray[Kind]) -> NDArray[Kind]:
        """An array with axes head, back, left, as it was given."""
        given = np.flip(voxels, self._flipped).transpose(np.argsort(self.order))
        return np.ascontiguousarray(given)

    def measurement_turned_back(self, measurement: CtMeasurement) -> CtMeasurement:
        """All that lies on the grid, on the grid that was given; points are the patient's."""
        shape = measurement.labels.shape
        return replace(
            measurement,
            labels=self.turned_back(measurement.labels),
            skeleton_bits=np.packbits(self.turned_back(measurement.skeleton)),
            other_places=tuple(self._patch_back(p, shape) for p in measurement.other_places),
        )

    def _patch_back(self, patch: Patch, shape: tuple[int, ...]) -> Patch:
        forward = [
            slice(size - extent.stop, size - extent.start) if back else extent
            for extent, size, back in zip(patch.box, shape, self.backwards, strict=True)
        ]
        z, y, x = (forward[axis] for axis in np.argsort(self.order))
        return replace(patch, box=(z, y, x), mask=self.turned_back(patch.mask))
