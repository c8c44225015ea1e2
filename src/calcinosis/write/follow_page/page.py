"""follow.html: what became of each mass, on one self-contained page."""

import json
from collections.abc import Sequence
from typing import Any

from calcinosis import __version__
from calcinosis.analysis import Analysis
from calcinosis.follow.follow_up import FollowedMass, FollowUp
from calcinosis.follow.scan import Scan
from calcinosis.write.files import SCANS
from calcinosis.write.follow_page import wording
from calcinosis.write.follow_page.pictures import pictures
from calcinosis.write.follow_page.record import scenario_deposit_masses, scenario_labs
from calcinosis.write.report.numbers import colour
from calcinosis.write.report.planes import WINDOW_HU

REPORTS = tuple(f"{scan}.report.html" for scan in SCANS)  # beside the page
PICTURED = 12  # masses shown in pictures, the largest


def render(
    follow: FollowUp, now: Analysis | None = None, reports: Sequence[str | None] = REPORTS
) -> str:
    """Draw the page: no script, nothing fetched from anywhere.

    Args:
        follow: two scans compared.
        now: the later scan with what was known of the patient, if that is to be told.
        reports: addresses of the reports of the earlier and the later scan; None: not linked.
    """
    from jinja2 import Environment, PackageLoader, PrefixLoader

    loader = PrefixLoader(
        {
            "own": PackageLoader("calcinosis.write.follow_page", "templates"),
            "house": PackageLoader("calcinosis.write.report", "templates"),
        }
    )
    page = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    patient = {
        "deposit_masses": scenario_deposit_masses(follow),
        "labs": scenario_labs(follow),
    }
    return page.get_template("own/follow.html.j2").render(
        version=__version__,
        identity=wording.identity(follow),
        apart=wording.apart(follow.days),
        heads=[_dated(name, scan) for name, scan in _scans(follow)],
        reports=[
            (f"{name.lower()} scan", address)
            for (name, _), address in zip(_scans(follow), reports, strict=True)
            if address
        ],
        later_report=reports[1],
        summary=wording.summary(follow),
        remarks=[*follow.remarks, *_of_scans(follow)],
        masses=[_view(follow, mass, order) for order, mass in enumerate(follow.masses)],
        window=WINDOW_HU,
        pictured=PICTURED,
        patient=json.dumps(patient, indent=1) if patient["labs"] else "",
        now=_outlook_view(now) if now else None,
    )


def _outlook_view(now: Analysis) -> dict[str, Any]:
    """What the later report says of treatment, in brief."""
    from calcinosis.write.forecast_page.page import headline

    return {
        "headline": headline(now.outlook) if now.outlook else "",
        "doubts": now.outlook.doubts if now.outlook else (),
        "remarks": now.remarks,
    }


def _scans(follow: FollowUp) -> tuple[tuple[str, Scan], ...]:
    return ("Earlier", follow.earlier), ("Later", follow.later)


def _of_scans(follow: FollowUp) -> list[str]:
    """What each scan's own report remarks on: densities that were not called, above all."""
    return [
        f"{name} scan, in its own report: {remark}"
        for name, scan in _scans(follow)
        for remark in scan.measurement.remarks
    ]


def _dated(name: str, scan: Scan) -> tuple[str, str]:
    day = scan.study.subject.study_date
    return name, day.isoformat() if day else ""


def _view(follow: FollowUp, mass: FollowedMass, order: int) -> dict[str, Any]:
    return {
        "name": wording.name(mass),
        "place": wording.place(mass),
        "caption": wording.caption(mass, follow.days),
        "colour": colour((mass.later or mass.earlier)[0].id),
        "rows": list(wording.rows(mass)),
        "pictures": pictures(follow, mass) if order < PICTURED else [],
        "remarks": mass.remarks,
    }
