"""Scans of one patient compared: which are, and a row for each mass that was followed."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from calcinosis.cohort.cohort import Cohort, Patient, result_of
from calcinosis.cohort.ledger import pair_of
from calcinosis.cohort.tables import BETWEEN
from calcinosis.follow.change import Change
from calcinosis.follow.follow_up import Course
from calcinosis.write.record import Amount, Number, Record

Site = tuple[str | None, str | None]


class ChangeRow(Record):
    """One mass in two scans of a patient, or why they could not be compared."""

    patient: str
    earlier_study: str
    later_study: str
    days: int | None = Field(description="between both")
    state: Literal["measured", "not_ct", "refused", "failed"] = Field(description="of comparing")
    reason: str | None
    earlier_masses: str | None = Field(description="numbers in earlier.report.html")
    later_masses: str | None = Field(description="numbers in later.report.html")
    joint: str | None
    side: Literal["left", "right"] | None
    course: Course | None
    earlier_volume_ml: Amount | None = Field(description="empty unless both scans show all of it")
    later_volume_ml: Amount | None
    volume_ratio: Amount | None = Field(description="later to earlier")
    volume_ratio_low: Amount | None = Field(description="of the 95 % interval")
    volume_ratio_high: Amount | None
    volume_doubling_days: Number | None = Field(description="negative: halving; empty: not sure")
    earlier_calcium_mass_mg: Amount | None = Field(description="hydroxyapatite")
    later_calcium_mass_mg: Amount | None
    calcium_mass_ratio: Amount | None
    calcium_mass_ratio_low: Amount | None
    calcium_mass_ratio_high: Amount | None
    calcium_mass_doubling_days: Number | None
    remarks: str | None
    report: str | None = Field(description="path from this table")

    @property
    def volume(self) -> Change | None:
        """The volume in both scans."""
        told = (
            self.earlier_volume_ml,
            self.later_volume_ml,
            self.volume_ratio,
            self.volume_ratio_low,
            self.volume_ratio_high,
        )
        if None in told:
            return None
        earlier, later, ratio, low, high = (value or 0.0 for value in told)
        return Change(earlier, later, ratio, (low, high))


def pairs(cohort: Cohort) -> Iterator[tuple[str, str]]:
    """Each measured, dated scan with an earlier one of the patient; one of both has a mass."""
    for patient in cohort.patients:
        sites = {
            name: _sites(result)
            for name in patient.studies
            if cohort.studies[name].subject.study_date and (result := result_of(cohort, name))
        }
        scans = list(sites)
        for number, later in enumerate(scans[1:], 1):
            earlier = earlier_of(scans[number - 1 :: -1], sites, sites[later])
            if sites[earlier] or sites[later]:
                yield earlier, later


def earlier_of(scans: Sequence[str], sites: Mapping[str, set[Site]], of_later: set[Site]) -> str:
    """The last scan with a mass where the later has one, or with any, or else the last.

    Args:
        scans: names of those before the later one, the last first.
        sites: of the masses of each.
        of_later: the sites of the later one's masses.
    """
    there = next((name for name in scans if sites[name] & of_later), None)
    return there or next((name for name in scans if sites[name]), scans[0])


def _sites(result: Mapping[str, Any]) -> set[Site]:
    """Joint and side of each mass; both None where there is no telling."""
    sites = [mass["site"] or {} for mass in result["masses"]]
    return {(site.get("joint"), site.get("side")) for site in sites}


def changes_of(cohort: Cohort) -> list[ChangeRow]:
    """A row for each mass of the scans that were compared."""
    patient_of = {name: patient for patient in cohort.patients for name in patient.studies}
    return [
        row
        for earlier, later in pairs(cohort)
        for row in _rows(cohort, patient_of[earlier], earlier, later)
    ]


def _rows(cohort: Cohort, patient: Patient, earlier: str, later: str) -> Iterator[ChangeRow]:
    name = pair_of(earlier, later)
    outcome = cohort.outcomes.get(name)
    if outcome is None:
        return
    told: dict[str, Any] = dict.fromkeys(ChangeRow.model_fields)
    told |= {"patient": patient.key, "earlier_study": earlier, "later_study": later}
    told |= {"state": outcome.state, "reason": outcome.reason or None}
    if outcome.state != "measured":
        yield ChangeRow.model_validate(told)
        return
    folder = cohort.output / "changes" / name
    follow, before, after = (
        json.loads((folder / file).read_text(encoding="utf-8"))
        for file in ("follow.json", "earlier.result.json", "later.result.json")
    )
    told |= {"days": follow["days"], "report": f"changes/{name}/follow.html"}
    for mass in follow["masses"]:
        yield ChangeRow.model_validate(told | _mass(mass, before, after))


def _mass(
    followed: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, Any]:
    ids, result = (
        (followed["later_ids"], after)
        if followed["later_ids"]
        else (followed["earlier_ids"], before)
    )
    site = next(mass["site"] for mass in result["masses"] if mass["id"] == ids[0]) or {}
    return {
        "earlier_masses": BETWEEN.join(map(str, followed["earlier_ids"])) or None,
        "later_masses": BETWEEN.join(map(str, followed["later_ids"])) or None,
        "joint": site.get("joint"),
        "side": site.get("side"),
        "course": followed["course"],
        "remarks": BETWEEN.join(followed["remarks"]) or None,
        **_change(followed["volume_ml"], "volume", "volume_ml"),
        **_change(followed["calcium_mass_mg"], "calcium_mass", "calcium_mass_mg"),
    }


def _change(change: Mapping[str, Any] | None, name: str, amount: str) -> dict[str, Any]:
    if change is None:
        return {}
    low, high = change["ratio_ci95"]
    return {
        f"earlier_{amount}": change["earlier"],
        f"later_{amount}": change["later"],
        f"{name}_ratio": change["ratio"],
        f"{name}_ratio_low": low,
        f"{name}_ratio_high": high,
        f"{name}_doubling_days": change["doubling_days"],
    }
