"""follow.json: two scans compared. The contract is ``calcinosis-follow/1``."""

import json
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from calcinosis import __version__
from calcinosis.analysis import CALCIUM_IN_HYDROXYAPATITE
from calcinosis.follow.change import Change
from calcinosis.follow.follow_up import Course, FollowedMass, FollowUp
from calcinosis.forecast.deposit import equal_masses
from calcinosis.write.follow_page import wording
from calcinosis.write.record import Amount, Number, Record

Rows = tuple[tuple[Number, Number, Number, Number], ...]


class ChangeRecord(Record):
    """A quantity in both scans."""

    earlier: Amount
    later: Amount
    ratio: Amount = Field(description="later to earlier")
    ratio_ci95: Annotated[tuple[Amount, Amount], Field(description="95 % interval, low and high")]
    sure: bool = Field(description="the interval leaves out that nothing changed")
    doubling_days: Number | None = Field(
        description="at this pace; negative: halving; null where the change is not sure"
    )


class FollowedRecord(Record):
    """The same mass in both scans; several ids where masses merged or split."""

    earlier_ids: tuple[int, ...] = Field(description="in earlier.result.json")
    later_ids: tuple[int, ...] = Field(description="in later.result.json")
    course: Course
    volume_ml: ChangeRecord | None
    calcium_mass_mg: ChangeRecord | None = Field(description="calcium hydroxyapatite")
    earlier_to_later_lps: Rows | None = Field(
        description="4×4: places of the earlier scan (LPS mm) in the later; null: not known"
    )
    remarks: tuple[str, ...]


class DepositRecord(Record):
    """A laboratory row as a scenario file of ``forecast`` takes it."""

    date: str
    analyte: Literal["deposit_calcium"]
    value: Amount
    unit: Literal["g"]


class FollowRecord(Record):
    """The whole of follow.json."""

    model_config = ConfigDict(title="calcinosis-follow/1")

    schema_: Literal["calcinosis-follow/1"] = Field(
        "calcinosis-follow/1", serialization_alias="schema"
    )
    version: str
    days: int | None = Field(description="between the two scans; null: not known")
    summary: str = Field(description="what became of the masses, in one or two sentences")
    masses: tuple[FollowedRecord, ...]
    volume_ml: ChangeRecord | None = Field(description="of all masses that both scans show")
    calcium_mass_mg: ChangeRecord | None = Field(description="of all masses that both scans show")
    scenario_labs: tuple[DepositRecord, ...] = Field(
        description="for `labs` of a scenario: calcium of all masses that both scans show"
    )
    scenario_deposit_masses: Amount | None = Field(
        description="for `deposit_masses` of that scenario: as many of one size as the later scan's"
    )
    remarks: tuple[str, ...]


def follow_record(follow: FollowUp) -> FollowRecord:
    """Two scans compared as the record that follow.json holds."""
    return FollowRecord.model_validate(
        {
            "version": __version__,
            "days": follow.days,
            "summary": wording.summary(follow),
            "masses": [_followed(mass, follow.days) for mass in follow.masses],
            "volume_ml": _change(follow.volume, follow.days),
            "calcium_mass_mg": _change(follow.calcium, follow.days),
            "scenario_labs": scenario_labs(follow),
            "scenario_deposit_masses": scenario_deposit_masses(follow),
            "remarks": follow.remarks,
        }
    )


def scenario_labs(follow: FollowUp) -> list[dict[str, Any]]:
    """The masses' calcium on both days, as a scenario takes it; empty where a day is not sure."""
    before, after = (scan.study.subject.study_date for scan in (follow.earlier, follow.later))
    if not (follow.calcium and before and after and (after - before).days == follow.days):
        return []
    return [
        {
            "date": day.isoformat(),
            "analyte": "deposit_calcium",
            "value": float(f"{CALCIUM_IN_HYDROXYAPATITE * milligrams / 1000:.3g}"),
            "unit": "g",
        }
        for day, milligrams in (
            (before, follow.calcium.earlier),
            (after, follow.calcium.later),
        )
    ]


def scenario_deposit_masses(follow: FollowUp) -> float | None:
    """In how many masses of one size the calcium of `scenario_labs` lies today; None without."""
    if follow.calcium is None:
        return None
    compared = (mass for mass in follow.masses if mass.course != "not comparable")
    return equal_masses([one.calcium_mass_mg for mass in compared for one in mass.later])


def follow_json(follow: FollowUp) -> str:
    """The text of follow.json."""
    record = follow_record(follow).model_dump(mode="json", by_alias=True)
    return json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _followed(mass: FollowedMass, days: int | None) -> dict[str, Any]:
    pose = mass.pose
    return {
        "earlier_ids": [one.id for one in mass.earlier],
        "later_ids": [one.id for one in mass.later],
        "course": mass.course,
        "volume_ml": _change(mass.volume, days),
        "calcium_mass_mg": _change(mass.calcium, days),
        "earlier_to_later_lps": None if pose is None else pose.matrix.tolist(),
        "remarks": mass.remarks,
    }


def _change(change: Change | None, days: int | None) -> dict[str, Any] | None:
    if change is None:
        return None
    return {**vars(change), "sure": change.is_sure, "doubling_days": change.doubling_days(days)}
