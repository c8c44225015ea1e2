"""Shafts of long bones: round sections followed from slice to slice."""

from dataclasses import dataclass

import numpy as np

from calcinosis.measure.bone_sections import GRID_MM, THIN_CM2, Section

SHAFT_CM2 = (3.2, 14.0)
COMPANION_MM = (18.0, 62.0)
SHAFT_MIN_MM = 27.0


@dataclass(frozen=True, eq=False)
class Shaft:
    """Round sections followed from slice to slice, caudal first."""

    sections: tuple[Section, ...]
    companion: tuple[float, float] | None  # mean offset (y, x) in mm of a thin bone beside it

    @property
    def cm2(self) -> float:
        """Typical area of the section."""
        return float(np.median([s.cm2 for s in self.sections]))

    @property
    def across_cm2(self) -> float:
        """Typical area across the shaft's own axis, which may slant through the slices."""
        first, last = self.sections[0], self.sections[-1]
        lean = np.hypot(last.y - first.y, last.x - first.x) / (last.z - first.z)
        return self.cm2 / float(np.hypot(1, lean))

    def beyond(self, along_mm: float) -> tuple[float, float, float]:
        """Index (z, y, x) so far beyond the upper end (the lower, if negative), straight on."""
        return self.ahead(along_mm, upward=along_mm > 0)

    def ahead(self, along_mm: float, *, upward: bool) -> tuple[float, float, float]:
        """Index (z, y, x) on the line through one end, so far above it (below, if negative)."""
        end = self.sections[-1 if upward else 0]
        last = len(self.sections) - 1
        other = self.sections[max(0, last - 14) if upward else min(14, last)]
        rise = end.z - other.z
        lean = np.clip([(end.y - other.y) / rise, (end.x - other.x) / rise], -0.5, 0.5)
        z = along_mm / GRID_MM
        return end.z + z, end.y + float(lean[0]) * z, end.x + float(lean[1]) * z

    @property
    def length_mm(self) -> float:
        """Extent along the body axis."""
        return len(self.sections) * GRID_MM


def shafts(sections: list[list[Section]]) -> list[Shaft]:
    """Follow round sections upwards for as long as they keep their place and size."""
    open_runs: list[list[Section]] = []
    runs: list[list[Section]] = []
    for plane in sections:
        candidates = [s for s in plane if s.round and SHAFT_CM2[0] < s.cm2 < SHAFT_CM2[1]]
        following = []
        for run in open_runs:
            last = run[-1]
            near = [
                s
                for s in candidates
                if np.hypot(s.y - last.y, s.x - last.x) * GRID_MM < 6
                and 0.8 < s.cm2 / last.cm2 < 1.25
            ]
            if near:
                best = min(near, key=lambda s: abs(s.cm2 - last.cm2))
                candidates.remove(best)
                following.append([*run, best])
            else:
                runs.append(run)
        open_runs = following + [[s] for s in candidates]
    runs += open_runs
    return [
        Shaft(tuple(run), _companion(run, sections))
        for run in runs
        if len(run) * GRID_MM >= SHAFT_MIN_MM
    ]


def _companion(run: list[Section], sections: list[list[Section]]) -> tuple[float, float] | None:
    """The mean offset of a thin bone that keeps beside a shaft along most of its length."""
    offsets = [
        (GRID_MM * (thin.y - section.y), GRID_MM * (thin.x - section.x))
        for section in run
        if (thin := thin_beside(section, sections[section.z])) is not None
    ]
    if len(offsets) < 0.6 * len(run) or np.max(np.std(offsets, axis=0)) > 8:
        return None
    y, x = np.mean(offsets, axis=0)
    return float(y), float(x)


def thin_beside(section: Section, plane: list[Section]) -> Section | None:
    """The thin bone nearest to a section of a shaft, as a fibula lies to the tibia."""

    def away_mm(other: Section) -> float:
        return float(np.hypot(other.y - section.y, other.x - section.x)) * GRID_MM

    beside = [
        s
        for s in plane
        if THIN_CM2[0] < s.cm2 < min(THIN_CM2[1], 0.5 * section.cm2)
        and COMPANION_MM[0] < away_mm(s) < COMPANION_MM[1]
    ]
    return min(beside, key=away_mm, default=None)
