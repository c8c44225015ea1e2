"""How masses changed, in words and table cells."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from calcinosis.follow.change import Change
from calcinosis.follow.follow_up import Course, FollowedMass, FollowUp
from calcinosis.measure.mass import Mass
from calcinosis.write.report import wording
from calcinosis.write.report.numbers import hydroxyapatite, length, number, plural, quantity

NONE = "–"
# Of one mass, and of several.
_VERBS: dict[Course, tuple[str, str]] = {
    "grown": ("has grown", "have grown"),
    "shrunk": ("has shrunk", "have shrunk"),
    "no sure change": ("shows no sure change of volume", "show no sure change of volume"),
    "new": ("is new", "are new"),
    "gone": ("is gone", "are gone"),
    "not comparable": ("cannot be compared", "cannot be compared"),
}


def identity(follow: FollowUp) -> str:
    """Whose scans these are and of which days; both persons where the headers name two."""
    subjects = [scan.study.subject for scan in (follow.earlier, follow.later)]
    who = [
        wording.identity(replace(subject, study_date=None, accession_number=""))
        for subject in subjects
    ]
    days = [subject.study_date.isoformat() for subject in subjects if subject.study_date]
    told = (" / ".join(dict.fromkeys(filter(None, who))), " and ".join(days))
    return " · ".join(words for words in (told[0], told[1] and f"CT of {told[1]}") if words)


def place(mass: FollowedMass) -> str:
    """Where it lies, as the later scan tells it, or the earlier one."""
    return wording.site((mass.later or mass.earlier)[0])


def name(mass: FollowedMass) -> str:
    """``Mass 2`` as in the later scan; ``mass 2 of the earlier scan`` where only that has it."""
    masses = mass.later or mass.earlier
    numbers = " and ".join(str(one.id) for one in masses)
    of = "" if mass.later else " of the earlier scan"
    return f"{'Mass' if len(masses) == 1 else 'Masses'} {numbers}{of}"


def summary(follow: FollowUp) -> str:
    """What became of the masses, in one or two sentences."""
    if not follow.masses:
        return "No calcified soft-tissue mass of 1 mL or more in either scan."
    if len(follow.masses) == 1:
        return f"{sentence(follow.masses[0], follow.days)}."
    courses = Counter(mass.course for mass in follow.masses)
    counts = [
        f"{plural(courses[course], '', '').strip()} {verbs[courses[course] > 1]}"
        for course, verbs in _VERBS.items()
        if courses[course]
    ]
    count = plural(len(follow.masses), "calcified mass", "calcified masses").capitalize()
    together = _in_both(follow.volume, follow.calcium)
    told = f"{count}{_time(follow.days)}: {', '.join(counts)}."
    if len(courses) == 1:
        (course,) = courses
        told = f"{count} {_VERBS[course][1]}{_time(follow.days, course)}."
    return f"{told}{f' Together {together}.' if together else ''}"


def sentence(mass: FollowedMass, days: int | None = None) -> str:
    """``Mass 1 (left hip) has shrunk in 182 days: volume 86 → 52 mL (−40 % [−52 to −25]), …``."""
    verb = _VERBS[mass.course][len(mass.later or mass.earlier) > 1]
    time = _time(days, mass.course)
    told = _in_both(mass.volume, mass.calcium) or ", ".join(
        f"{_volume(masses)} in the {when} scan"
        for when, masses in (("earlier", mass.earlier), ("later", mass.later))
        if masses
    )
    return f"{name(mass)} ({place(mass)}) {verb}{time}: {told}"


def _in_both(volume: Change | None, calcium: Change | None) -> str:
    told = []
    if volume:
        told.append(
            f"volume {number(volume.earlier)} → {quantity(volume.later, 'mL')} ({percent(volume)})"
        )
    if calcium:
        before, after = hydroxyapatite(calcium.earlier), hydroxyapatite(calcium.later)
        told.append(f"hydroxyapatite {before} → {after} ({percent(calcium)})")
    return ", ".join(told)


def _time(days: int | None, course: Course | None = None) -> str:
    if course == "not comparable":
        return ""
    if days == 0:
        return " on one day"
    within = "within" if course in ("new", "gone") else "in"
    return "" if days is None else f" {within} {plural(days, 'day')}"


def apart(days: int | None) -> str:
    """How far apart the scans lie, to go on with."""
    if days == 0:
        return " of one day"
    return "" if days is None else f", {plural(days, 'day')} apart"


def percent(change: Change) -> str:
    """``−40 % [−52 to −25]``."""
    low, high = change.ratio_ci95
    return f"{_signed(change.ratio)}\u00a0% [{_signed(low)} to {_signed(high)}]"


def _signed(ratio: float) -> str:
    share = 100 * (ratio - 1)
    text = number(share, 0)
    return f"+{text}" if share > 0 and text != "0" else text


def pace(change: Change | None, days: int | None) -> str:
    """``halves in 240 days at this pace``; empty where that is not sure."""
    doubling = None if change is None else change.doubling_days(days)
    if doubling is None:
        return ""
    verb = "doubles" if doubling > 0 else "halves"
    return f"{verb} in {number(abs(doubling), 0)} days at this pace"


def caption(mass: FollowedMass, days: int | None) -> str:
    """What became of it, and what the table's last column holds."""
    of = " of volume" if mass.course == "no sure change" else ""
    told = "; ".join(filter(None, (f"{mass.course.capitalize()}{of}", pace(mass.volume, days))))
    interval = " Change with its 95\u00a0% interval." if mass.volume or mass.calcium else ""
    return f"{told}.{interval}"


def rows(mass: FollowedMass) -> Iterator[tuple[str, str, str, str]]:
    """What, in the earlier scan, in the later one, and how it changed, with its interval."""
    for label, told, change in (
        ("Volume (envelope)", _volume, mass.volume),
        ("Calcium hydroxyapatite", _calcium, mass.calcium),
    ):
        yield label, told(mass.earlier), told(mass.later), percent(change) if change else NONE
    for label, one in _ONE_BY_ONE:
        yield label, _listed(mass.earlier, one), _listed(mass.later, one), ""


def _volume(masses: Sequence[Mass]) -> str:
    return quantity(sum(mass.volume_ml for mass in masses), "mL") if masses else NONE


def _calcium(masses: Sequence[Mass]) -> str:
    return hydroxyapatite(sum(mass.calcium_mass_mg for mass in masses)) if masses else NONE


def _listed(masses: Sequence[Mass], told: Callable[[Mass], str]) -> str:
    return "; ".join(told(mass) for mass in masses) or NONE


def _levels(mass: Mass) -> str:
    if mass.sedimentation_sign is None:
        return f"{len(mass.fluid_levels)}, sign cannot be judged"
    return str(len(mass.fluid_levels))


def _eroded(mass: Mass) -> str:
    return {True: "eroded", False: "not eroded", None: "cannot be judged"}[mass.bone.eroded]


_ONE_BY_ONE: tuple[tuple[str, Callable[[Mass], str]], ...] = (
    ("Greatest diameter", lambda mass: length(mass.max_diameter_mm)),
    ("Fluid–calcium levels", _levels),
    ("Bone", _eroded),
    ("Number in its report", lambda mass: str(mass.id)),
)


def in_brief(follow: FollowUp) -> Iterator[str]:
    """Plain lines: one for all, and one for each of several masses or that cannot be compared."""
    yield summary(follow)
    for mass in follow.masses:
        told = [f"{sentence(mass)}."] if len(follow.masses) > 1 else []
        why = mass.remarks[:1] if mass.course == "not comparable" else ()
        yield from filter(None, [" ".join((*told, *why))])
    yield from follow.remarks
