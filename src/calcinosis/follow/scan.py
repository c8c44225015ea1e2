"""One of the scans that are compared."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from calcinosis.measure.bone_overlay import Array, Surface, Target, whole_surface
from calcinosis.measure.masks import bounds
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
        labels = self.measurement.labels
        box = bounds(labels == mass_id)
        voxels = np.argwhere(labels[box] == mass_id) + [extent.start for extent in box]
        return self.volume.to_lps(voxels[:: 1 + len(voxels) // _MASS_POINTS])

    def shows(self, places: Array) -> NDArray[np.bool_]:
        """Which places lie in the picture."""
        indices = self.volume.to_indices(places)
        return np.asarray(((indices > -0.5) & (indices < self._last + 0.5)).all(axis=1))

    def read(
        self, values: NDArray[np.generic], places: Array, outside: float
    ) -> NDArray[np.float64]:
        """Values on the scan's grid at the voxels nearest to places."""
        indices = np.rint(self.volume.to_indices(places)).astype(int)
        inside = self.shows(places)
        found = np.full(len(places), outside)
        found[inside] = values[tuple(np.clip(indices[inside], 0, self._last).T)]
        return found

    @property
    def _last(self) -> NDArray[np.int64]:
        return np.array(self.volume.shape) - 1

    def hu_at(self, places: Array) -> NDArray[np.int16]:
        """Attenuation of the voxels nearest to places."""
        indices = np.rint(self.volume.to_indices(places)).astype(int)
        z, y, x = np.clip(indices, 0, self._last).T
        return np.asarray(self.volume.voxels[z, y, x])

    def cuts(self, mass_ids: Iterable[int]) -> bool:
        """Whether the edge of the picture cuts one of these masses."""
        labels = self.measurement.labels
        faces = [np.take(labels, end, axis) for axis in range(3) for end in (0, -1)]
        return any((face == number).any() for face in faces for number in mass_ids)

    def asked_for(self, mass_ids: Iterable[int]) -> bool:
        """Whether one of these masses was measured because the other scan shows it."""
        if not self.seeds_lps_mm:
            return False
        voxels = np.rint(self.volume.to_indices(self.seeds_lps_mm)).astype(int)
        return bool(np.isin(self.measurement.labels[tuple(voxels.T)], list(mass_ids)).any())
