"""cohort.html: an archive on one self-contained page."""

from collections import Counter
from collections.abc import Sequence
from re import sub
from typing import Any

from calcinosis import __version__
from calcinosis.cohort import wording
from calcinosis.cohort.changes import ChangeRow
from calcinosis.cohort.charts import CALCIUM_G, VOLUMES_ML, Rows, bars, histogram
from calcinosis.cohort.cohort import Cohort
from calcinosis.cohort.record import CountsRecord
from calcinosis.cohort.tables import MassRow, StudyRow
from calcinosis.explain.tables import load_tables
from calcinosis.write.report.numbers import number, plural, quantity

_SHOWN = 10  # bars of a chart


def render(
    cohort: Cohort,
    counts: CountsRecord,
    studies: Sequence[StudyRow],
    masses: Sequence[MassRow],
    changes: Sequence[ChangeRow],
) -> str:
    """Draw the page: no script, nothing fetched from anywhere."""
    from jinja2 import Environment, PackageLoader, PrefixLoader

    loader = PrefixLoader(
        {
            "own": PackageLoader("calcinosis.cohort", "templates"),
            "house": PackageLoader("calcinosis.write.report", "templates"),
        }
    )
    page = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    page.filters |= {"number": number, "quantity": quantity, "plural": plural}
    by_relevance = sorted(
        (row for row in studies if row.masses), key=lambda row: -(row.volume_ml or 0.0)
    )
    return page.get_template("own/cohort.html.j2").render(
        version=__version__,
        words=wording,
        labels=load_tables().labels,
        named=not cohort.settings.deidentify,
        counts=counts,
        known=cohort.known,
        position=cohort.settings.patient_position,
        summary=wording.summary(counts, masses),
        remarks=list(wording.remarks(counts, len(cohort.unmatched))),
        flow=bars(_flow(counts), "Studies", of=counts.studies - counts.not_ct or 1),
        charts=_charts(masses, by_relevance),
        with_mass=by_relevance,
        without=sorted(
            (row for row in studies if row.masses == 0), key=lambda row: -(row.doubtful_places or 0)
        ),
        refused=[row for row in studies if row.state in ("refused", "failed")],
        not_ct=[row for row in studies if row.state == "not_ct"],
        again=_again(cohort, studies),
        changes=changes,
        ids={row.patient: row.patient_id or row.patient for row in studies},
    )


def _flow(counts: CountsRecord) -> Rows:
    """From what was found to what is remarkable."""
    return [
        ("CT studies found", counts.studies - counts.not_ct),
        ("measured", counts.measured),
        ("with a mass", counts.with_mass),
        ("with a fluid level", counts.with_level),
        ("with eroded bone", counts.with_erosion),
    ]


def _charts(masses: Sequence[MassRow], with_mass: Sequence[StudyRow]) -> list[dict[str, Any]]:
    labels = load_tables().labels
    first = Counter(_short(labels[row.top_diagnosis]) for row in with_mass if row.top_diagnosis)
    found = (
        (
            "Volume",
            "masses by volume of the envelope",
            histogram((mass.volume_ml for mass in masses), VOLUMES_ML, "mL"),
        ),
        ("Site", "masses by nearest joint", _most(Counter(map(wording.place, masses)))),
        (
            "Calcium",
            "masses by hydroxyapatite",
            histogram((mass.calcium_mass_mg / 1000 for mass in masses), CALCIUM_G, "g"),
        ),
        ("Likeliest diagnosis", "studies with a mass by their first diagnosis", _most(first)),
    )
    return [
        {"title": title, "what": what, "svg": bars(rows, what)}
        for title, what, rows in found
        if rows
    ]


def _short(label: str) -> str:
    """Without what stands in brackets."""
    return sub(r" \([^)]*\)", "", label)


def _most(counted: Counter[str]) -> Rows:
    """The most frequent, and the rest together."""
    rows = counted.most_common(_SHOWN)
    rest = counted.total() - sum(count for _, count in rows)
    return [*rows, ("others", rest)] if rest else rows


def _again(cohort: Cohort, studies: Sequence[StudyRow]) -> list[list[StudyRow]]:
    """The measured scans of each patient who has two or more CT studies, where one has a mass."""
    of_patient = {
        patient.key: [row for row in studies if row.patient == patient.key]
        for patient in cohort.patients
        if len(patient.studies) > 1
    }
    return [rows for rows in of_patient.values() if any(row.masses for row in rows)]
