"""What is said of an archive, in sentences and cells."""

from collections.abc import Iterator, Sequence

from calcinosis.cohort.changes import ChangeRow
from calcinosis.cohort.record import CountsRecord
from calcinosis.cohort.tables import MassRow, StudyRow
from calcinosis.measure.mass import Site
from calcinosis.write.follow_page.wording import percent
from calcinosis.write.report.numbers import hydroxyapatite, number, plural, quantity

NONE = "–"


def summary(counts: CountsRecord, masses: Sequence[MassRow]) -> str:
    """What was found, in one sentence."""
    if not counts.studies:
        return "No CT study in this archive."
    of = f"of {plural(counts.measured, 'measured CT study', 'measured CT studies')}"
    if not counts.with_mass:
        return f"No calcified soft-tissue mass of 1 mL or more in any {of}."
    verb = "holds" if counts.with_mass == 1 else "hold"
    total = quantity(sum(mass.volume_ml for mass in masses), "mL")
    together = f", {total} together" if len(masses) > 1 else f" of {total}"
    many = plural(len(masses), "calcified mass", "calcified masses")
    said = plural(counts.with_mass, "", "").strip().capitalize()
    return f"{said} {of} {verb} {many}{together}."


def remarks(counts: CountsRecord, unmatched: int) -> Iterator[str]:
    """What the reader should know of the archive as a whole."""
    if counts.waiting:
        yield (
            f"{plural(counts.waiting, 'study', 'studies').capitalize()} still to be measured: the "
            "run was interrupted, and the same command goes on where it stopped."
        )
    if counts.refused + counts.failed:
        many = plural(counts.refused + counts.failed, "study", "studies").capitalize()
        yield f"{many} could not be measured; studies.csv says of each why."
    if counts.unreadable_files:
        many = plural(counts.unreadable_files, "file").capitalize()
        yield f"{many} could not be read, and nothing tells to which study that belongs."
    if unmatched:
        many = plural(unmatched, "patient").capitalize()
        verb = "matches" if unmatched == 1 else "match"
        yield f"{many} of the laboratory results and case files {verb} no study of the archive."


def in_brief(counts: CountsRecord, masses: Sequence[MassRow], unmatched: int) -> Iterator[str]:
    """Plain lines for the terminal; they name nobody."""
    yield summary(counts, masses)
    yield from remarks(counts, unmatched)


def place(row: MassRow | StudyRow | ChangeRow) -> str:
    """``left hip``; by the nearest bone where no joint is near."""
    bone = row.nearest_bone if isinstance(row, MassRow) else None
    if isinstance(row, StudyRow):
        joint, side = row.largest_joint, row.largest_side
    else:
        joint, side = row.joint, row.side
    if joint:
        return Site(joint, side, 0.0).in_words
    return f"nearest bone: {bone}" if bone else "site not recognised"


def signs(row: StudyRow) -> str:
    """What is remarkable of the masses of a study."""
    told = (
        (row.sedimentation_sign, "fluid level"),
        (row.eroded, "bone eroded"),
        (bool(row.red_flags), "red flag"),
    )
    return ", ".join(words for shown, words in told if shown) or NONE


def others(row: StudyRow) -> str:
    """Other dense objects of a study, by kind, those of 0.1 mL and more."""
    kinds = ("vascular", "phlebolith", "granuloma", "metal", "contrast", "unclassified")
    amounts = [(kind, getattr(row, f"{kind}_ml") or 0.0) for kind in kinds]
    told = (f"{kind} {quantity(amount, 'mL')}" for kind, amount in amounts if amount >= 0.1)
    return ", ".join(told) or NONE


def change(row: ChangeRow) -> str:
    """Volume then and now, with the ratio and its interval."""
    if row.volume is None:
        return NONE
    earlier, later = row.volume.earlier, row.volume.later
    return f"{number(earlier)} → {quantity(later, 'mL')} ({percent(row.volume)})"


def amount(row: StudyRow) -> str:
    """Calcium of all masses."""
    return hydroxyapatite(row.calcium_mass_mg or 0.0)
