"""Which series of an MRI study to look at, and why."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from calcinosis.errors import InputError
from calcinosis.read.mri import MriStudy, MrSeries, Point

NEAR_EDGE_MM = 10.0  # a series that shows less than this around the point is taken last


@dataclass(frozen=True, eq=False)
class MriChoice:
    """What is looked at; None where there is none.

    Attributes:
        t1: before contrast agent, fat bright.
        t2: with a long echo; else with fat suppressed and an echo between.
        enhanced: T1 after contrast agent.
        passed_over: the others, each with its reason.
    """

    t1: MrSeries | None
    t2: MrSeries | None
    enhanced: MrSeries | None
    passed_over: tuple[str, ...]

    @property
    def main(self) -> MrSeries:
        """Along whose slices the mass is drawn: the one with the finer voxels."""
        given = [one for one in (self.t2, self.t1) if one is not None]
        return min(given, key=lambda one: one.slice_mm * one.pixel_mm**2)


def choose_series(study: MriStudy, at: Point) -> MriChoice:
    """The best T1, T2 and enhanced T1 that show a point.

    Raises:
        InputError: none shows it, or none of those that do is T1 before contrast agent or T2.
    """
    inside = [one for one in study.series if one.depth_mm(at) > 0]
    if not inside:
        raise InputError(
            f"--at {_written(at)} lies in no MR series; {_reach(study.series[0])}; expected "
            "X,Y,Z in LPS millimetres, as your viewer tells it"
        )
    space = _space(inside)
    rules = {
        "t1": [one for one in inside if _is_plain_t1(one)],
        "t2": [one for one in inside if _shows_fluid(one)],
        "enhanced": [one for one in inside if _is_enhanced_t1(one)],
    }
    same = {
        role: [one for one in series if space in ("", one.frame_of_reference)]
        for role, series in rules.items()
    }
    chosen = {role: min(series, key=_rank(role, at), default=None) for role, series in same.items()}
    if chosen["t1"] is None and chosen["t2"] is None:
        raise InputError(
            "no T1 before contrast agent and no T2 shows the point; found "
            + "; ".join(one.told for one in inside)
        )
    taken = [one for one in chosen.values() if one is not None]
    passed = [f"{one.told}: {_why(one, at, space)}" for one in study.series if one not in taken]
    return MriChoice(**chosen, passed_over=(*passed, *study.left_out))


def _is_plain_t1(series: MrSeries) -> bool:
    made = series.weighing
    return made.weighting == "T1" and not made.fat_suppressed and series.protocol.agent is not True


def _shows_fluid(series: MrSeries) -> bool:
    made = series.weighing
    if series.protocol.agent is True and made.weighting == "PD":
        return False
    return made.weighting == "T2" or (made.weighting == "PD" and made.fat_suppressed)


def _is_enhanced_t1(series: MrSeries) -> bool:
    return series.weighing.weighting == "T1" and series.protocol.agent is True


def _rank(role: str, at: Point) -> Callable[[MrSeries], tuple[object, ...]]:
    """What comes first: room around the point, T2 before PD, spin echoes, then small voxels."""

    def rank(series: MrSeries) -> tuple[object, ...]:
        made = series.weighing
        return (
            series.depth_mm(at) < NEAR_EDGE_MM,
            role == "t2" and made.weighting == "PD",
            not made.spin_echo,
            role == "enhanced" and made.fat_suppressed,
            round(series.slice_mm * series.pixel_mm**2, 2),
            series.name,
        )

    return rank


def _space(inside: Sequence[MrSeries]) -> str:
    """The frame of reference most series share; empty where one is not told."""
    told = [one.frame_of_reference for one in inside]
    return "" if not all(told) else max(sorted(set(told)), key=told.count)


def _why(series: MrSeries, at: Point, space: str) -> str:
    if series.depth_mm(at) <= 0:
        return "does not show the point"
    if space not in ("", series.frame_of_reference):
        return "of another frame of reference, so that its places may not fit"
    if not (_is_plain_t1(series) or _shows_fluid(series) or _is_enhanced_t1(series)):
        return "neither T1 with bright fat, nor T2 or PD with suppressed fat"
    return "another was taken"


def _written(at: Point) -> str:
    return ",".join(f"{value:g}" for value in at)


def _reach(series: MrSeries) -> str:
    """Where a series lies, in words."""
    first, last = series.stack.planes[0], series.stack.planes[-1]
    across, down = np.reshape(first.orientation, (2, 3))
    rows_mm, columns_mm = first.pixel_spacing_mm
    size = first.pixels
    corners = [
        np.asarray(plane.position_lps_mm)
        + i * size.columns * columns_mm * across
        + j * size.rows * rows_mm * down
        for plane in (first, last)
        for i in (0, 1)
        for j in (0, 1)
    ]
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    spans = [f"{name} {a:.0f} to {b:.0f}" for name, a, b in zip("XYZ", low, high, strict=True)]
    return f"{series.name} reaches {', '.join(spans)}"
