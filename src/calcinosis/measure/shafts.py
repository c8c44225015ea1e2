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
    offsets = []
    for section in run:
        beside = [
            (GRID_MM * (s.y - section.y), GRID_MM * (s.x - section.x))
            for s in sections[section.z]
            if THIN_CM2[0] < s.cm2 < min(THIN_CM2[1], 0.5 * section.cm2)
        ]
        near = [o for o in beside if COMPANION_MM[0] < np.hypot(*o) < COMPANION_MM[1]]
        if near:
            offsets.append(min(near, key=lambda o: float(np.hypot(*o))))
    if len(offsets) < 0.6 * len(run) or np.max(np.std(offsets, axis=0)) > 8:
        return None
    y, x = np.mean(offsets, axis=0)
    return float(y), float(x)
