"""The main path: two scans of one patient, their masses matched, and how each changed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from calcinosis.follow.change import Change, calcium_change, volume_change
from calcinosis.follow.matches import SHOWN_MIN, Match, match_masses
from calcinosis.follow.overlooked import dense_places, overlooked
from calcinosis.follow.pair import days_between, remarks_on_pair
from calcinosis.follow.scan import Scan
from calcinosis.measure.bone_overlay import Pose
from calcinosis.measure.envelope import CALCIFIED_HU
from calcinosis.measure.mass import CtMeasurement, Mass, Point
from calcinosis.volume import Study

Course = Literal["grown", "shrunk", "no sure change", "new", "gone", "not comparable"]
# Share of a mass's calcified places that are calcified in a scan which calls no mass there: from it
# on the mass may be there, less dense. Muscle at the place of masses drawn later reads so in none
# of their voxels (tests); a named parameter.
REMAINS = 0.1
_UNPLACED = (
    "The bones beside it are not found in the other scan: where it would lie, and whether it is "
    "there, cannot be told."
)
_NOTHING_FITS = (
    "Beside no mass do the bones of both scans fit: is it the same patient and part of the body, "
    "and is the patient's position in both headers right?"
)
Step = Callable[[str], Callable[[float], None]]
# From a study, seed points (LPS mm) and what is called with the fraction done.
Measure = Callable[[Study, Sequence[Point], Callable[[float], None] | None], CtMeasurement]


@dataclass(frozen=True, eq=False)
class FollowedMass:
    """The same mass, or masses that merged or split, in both scans.

    Attributes:
        earlier: in the earlier scan; empty where it holds none.
        later: in the later scan; empty where it holds none.
        course: what became of its volume.
        volume: the envelope volume in both, mL; None unless both scans show all of it.
        calcium: the calcium mass in both, mg of hydroxyapatite.
        pose: from places in the earlier scan to places in the later one; None where not known.
        remarks: what the reader should know of this comparison.
    """

    earlier: tuple[Mass, ...]
    later: tuple[Mass, ...]
    course: Course
    volume: Change | None
    calcium: Change | None
    pose: Pose | None
    remarks: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class FollowUp:
    """Two scans compared.

    Attributes:
        earlier: the earlier scan, as measured.
        later: the later scan, as measured.
        days: between the two; None where the headers do not say.
        masses: every mass of both; those of the later scan first, largest first.
        volume: of all masses that both scans show, mL.
        calcium: of all masses that both scans show, mg of hydroxyapatite.
        remarks: what the reader should know of the comparison.
    """

    earlier: Scan
    later: Scan
    days: int | None
    masses: tuple[FollowedMass, ...]
    volume: Change | None
    calcium: Change | None
    remarks: tuple[str, ...]


def follow_up(
    earlier: Study,
    later: Study,
    *,
    days: int | None = None,
    begin: Step | None = None,
    measure: Measure | None = None,
) -> FollowUp:
    """Measure two scans of one patient, match their masses and tell how each changed.

    A mass that only one scan has, though its place is as dense in the other or a density in doubt
    there, is asked for there by a seed point.

    Args:
        earlier: the scan of the earlier day.
        later: the scan of the later day.
        days: between the two, instead of what the headers say.
        begin: given the name of a step, returns what is called with its fraction done, 0 to 1.
        measure: instead of `measure_ct`, for who has kept what was measured.

    Raises:
        InputError: both are one series, or the first scan was made after the second.
    """
    remarks = remarks_on_pair(earlier, later, days)
    days = days_between(earlier, later) if days is None else days
    measured = partial(_measured, begin, measure or _measure)
    before, after = measured(earlier), measured(later)
    matches = match_masses(before, after)
    missed_before, missed_after = overlooked(before, after, matches)
    if missed_before:
        before = measured(earlier, missed_before)
    if missed_after:
        after = measured(later, missed_after)
    if missed_before or missed_after:
        matches = match_masses(before, after)
    masses = tuple(_followed(before, after, match) for match in matches)
    compared = [mass for mass in masses if mass.course != "not comparable"]
    both = (
        [mass for one in compared for mass in one.earlier],
        [mass for one in compared for mass in one.later],
    )
    calibrations = before.measurement.calibration, after.measurement.calibration
    return FollowUp(
        before,
        after,
        days,
        masses,
        volume_change(*both),
        calcium_change(*both, calibrations),
        (*remarks, _NOTHING_FITS) if _nothing_fits(matches) else remarks,
    )


def _nothing_fits(matches: Sequence[Match]) -> bool:
    return bool(matches) and all(match.pose is None for match in matches)


def _measured(
    begin: Step | None, measure: Measure, study: Study, seeds: Sequence[Point] = ()
) -> Scan:
    again = " again, with what the other scan shows" if seeds else ""
    progress = begin(f"Measuring{again}") if begin else None
    return Scan(study, measure(study, seeds, progress), tuple(seeds))


def _measure(
    study: Study, seeds: Sequence[Point], progress: Callable[[float], None] | None
) -> CtMeasurement:
    from calcinosis.measure.ct import measure_ct

    return measure_ct(study, seeds_lps_mm=seeds, progress=progress)


def _followed(earlier: Scan, later: Scan, match: Match) -> FollowedMass:
    """What became of one group of masses."""
    before = tuple(mass for mass in earlier.measurement.masses if mass.id in match.earlier)
    after = tuple(mass for mass in later.measurement.masses if mass.id in match.later)
    hidden = _not_comparable(earlier, later, match)
    calibrations = earlier.measurement.calibration, later.measurement.calibration
    volume = None if hidden else volume_change(before, after)
    calcium = None if hidden else calcium_change(before, after, calibrations)
    return FollowedMass(
        before,
        after,
        "not comparable" if hidden else _course(before, after, volume),
        volume,
        calcium,
        match.pose,
        (*hidden, *_of_calcium(volume, calcium), *_remarks(earlier, later, match)),
    )


def _course(before: Sequence[Mass], after: Sequence[Mass], volume: Change | None) -> Course:
    if not before:
        return "new"
    if not after:
        return "gone"
    if volume is None or not volume.is_sure:
        return "no sure change"
    return "grown" if volume.ratio > 1 else "shrunk"


def _not_comparable(earlier: Scan, later: Scan, match: Match) -> tuple[str, ...]:
    """Why the two scans do not tell how it changed; empty where they do."""
    if match.pose is None:
        return (_UNPLACED,)
    if (match.shown or 0.0) < SHOWN_MIN:
        return ("The other scan does not show all of its place.",)
    if earlier.cuts(match.earlier) or later.cuts(match.later):
        return ("The edge of a scan cuts it.",)
    remains = _remains(earlier, later, match)
    if remains >= REMAINS:
        there = "later" if match.earlier else "earlier"
        remark = (
            f"The {there} scan has no mass there, yet {100 * remains:.0f} % of where it is "
            f"calcified reads above {CALCIFIED_HU:g} HU in it."
        )
        return (remark,)
    return ()


def _remains(earlier: Scan, later: Scan, match: Match) -> float:
    """Of a mass that one scan has, the share of its calcified places that are so in the other."""
    if match.pose is None or (match.earlier and match.later):
        return 0.0
    if match.later:
        return dense_places(later, match.later, earlier, match.pose.inverse)[1]
    return dense_places(earlier, match.earlier, later, match.pose)[1]


def _of_calcium(volume: Change | None, calcium: Change | None) -> tuple[str, ...]:
    """Where calcium went another way than volume: paste that dissolved, fluid that calcified."""
    if calcium is None or not calcium.is_sure:
        return ()
    if volume and volume.is_sure and (volume.ratio > 1) == (calcium.ratio > 1):
        return ()
    less = "more" if calcium.ratio > 1 else "less"
    return (f"It holds {less} calcium than before, whatever its volume did.",)


def _remarks(earlier: Scan, later: Scan, match: Match) -> Iterator[str]:
    if len(match.earlier) > 1:
        yield f"{len(match.earlier)} masses of the earlier scan are followed together."
    if len(match.later) > 1:
        yield f"{len(match.later)} masses of the later scan are followed together."
    for scan, ids, name in ((earlier, match.earlier, "earlier"), (later, match.later, "later")):
        if scan.asked_for(ids):
            yield (
                f"In the {name} scan it was not called a mass by itself; it was measured there "
                "because the other scan shows it."
            )
