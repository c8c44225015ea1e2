"""One of the scans that are compared."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import find_objects

from calcinosis.measure.bone_overlay import Array, Surface, Target, whole_surface
from calcinosis.measure.mass import CtMeasurement, Point
from calcinosis.volume import Study, Volume

_MASS_POINTS = 20_000  # of 1,000 mL they lie 4 mm apart


@dataclass(frozen=True, eq=False)
class Scan:
    """One scan with what was measured on it. Places are LPS mm, (n, 3)."""

    study: Study
    measurement: CtMeasurement
    seeds_lps_mm: tuple[Point, ...] = ()  # of masses that the other scan shows

    @property
    def volume(self) -> Volume:
        """Its voxels."""
        return self.study.volume

    @cached_property
    def surface(self) -> Surface:
        """Of its bones, thinned."""
        return whole_surface(self.volume, self.measurement.skeleton)

    @cached_property
    def target(self) -> Target:
        """Its bones, for others to be laid over."""
        return Target.of(self.surface)

    def points_of(self, mass_id: int) -> Array:
        """Voxel centres of a mass, some thousand of them at most."""
        return self._points[mass_id]

    @cached_property
    def _points(self) -> dict[int, Array]:
        labels = self.measurement.labels
        found = {}
        for number, box in enumerate(find_objects(labels), start=1):
            if box is not None:
                voxels = np.argwhere(labels[box] == number) + [extent.start for extent in box]
                found[number] = self.volume.to_lps(voxels[:: 1 + len(voxels) // _MASS_POINTS])
        return found

    def shows(self, places: Array) -> NDArray[np.bool_]:
        """Which places lie in the picture."""
        indices = self.volume.to_indices(places)
        return np.asarray(((indices > -0.5) & (indices < self._last + 0.5)).all(axis=1))

    def hu_at(self, places: Array) -> NDArray[np.int16]:
        """Attenuation of the voxels nearest to places."""
        return np.asarray(self.volume.voxels[self._nearest(places)])

    def cuts(self, mass_ids: Iterable[int]) -> bool:
        """Whether the edge of the picture cuts one of these masses."""
        labels = self.measurement.labels
        faces = [np.take(labels, end, axis) for axis in range(3) for end in (0, -1)]
        return any((face == number).any() for face in faces for number in mass_ids)

    def asked_for(self, mass_ids: Iterable[int]) -> bool:
        """Whether one of these masses was measured because the other scan shows it."""
        if not self.seeds_lps_mm:
            return False
        there = self.measurement.labels[self._nearest(self.seeds_lps_mm)]
        return bool(np.isin(there, list(mass_ids)).any())

    @property
    def _last(self) -> NDArray[np.int64]:
        return np.array(self.volume.shape) - 1

    def _nearest(self, places: ArrayLike) -> tuple[NDArray[np.int64], ...]:
        """The voxels nearest to places, as an index of arrays [z, y, x]."""
        indices = np.rint(self.volume.to_indices(places)).astype(int)
        return tuple(np.clip(indices, 0, self._last).T)
