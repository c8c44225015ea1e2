"""mri.json: one mass on MRI. The contract is ``calcinosis-mri/1``."""

from typing import Annotated, Any, Literal

import orjson
from pydantic import ConfigDict, Field

from calcinosis import __version__
from calcinosis.explain.mri import MriReading
from calcinosis.finding import State
from calcinosis.measure.mri import MrMass
from calcinosis.read.mri import MrSeries
from calcinosis.write.explanation.record import explanation_record
from calcinosis.write.record import Amount, Fraction, Number, Record

Interval = Annotated[tuple[Amount, Amount], Field(description="95 % interval, low and high")]
Place = Annotated[tuple[Number, Number, Number], Field(description="LPS mm")]


class SeriesRecord(Record):
    """A series that was looked at."""

    name: str
    series_instance_uid: str
    because: str = Field(description="how it was made, and what it is weighted by")
    fat_suppressed: bool
    outlined_on: bool = Field(description="the mass was outlined along its slices")


class RatioRecord(Record):
    """Median signal of the mass to that of muscle."""

    value: Amount
    ci95: tuple[Amount, Amount]


class SharesRecord(Record):
    """What the mass is made of on T2."""

    bright: Fraction = Field(description="surely above 1.5 times muscle")
    bright_most: Fraction = Field(description="perhaps above it")
    dark: Fraction | None = Field(description="below half of muscle; null: noise hides it")
    spread: Amount = Field(description="90th to 10th percentile")


class SignRecord(Record):
    """One sign."""

    state: State
    reason: str = Field(description="why it cannot be judged; else empty")


class MrMassRecord(Record):
    """The mass."""

    centroid_lps_mm: Place
    volume_ml: Amount
    volume_ci95_ml: Interval
    max_diameter_mm: Amount
    max_diameter_ci95_mm: Interval
    perpendicular_diameter_mm: Amount
    perpendicular_diameter_ci95_mm: Interval
    ends_lps_mm: tuple[Place, Place]
    perpendicular_ends_lps_mm: tuple[Place, Place]
    t1_to_muscle: RatioRecord | None
    t2_to_muscle: RatioRecord | None
    t2_shares: SharesRecord | None
    enhanced_share: tuple[Fraction, Fraction] | None = Field(description="at least, at most")
    signs: dict[str, SignRecord]
    sedimentation_sign: None = Field(None, description="left to the reader")
    confidence: Fraction
    remarks: tuple[str, ...]


class MriRecord(Record):
    """The whole of mri.json but for the explanation, whose keys `diagnose` documents."""

    model_config = ConfigDict(title="calcinosis-mri/1")

    schema_: Literal["calcinosis-mri/1"] = Field("calcinosis-mri/1", serialization_alias="schema")
    version: str
    point_lps_mm: Place
    t1: SeriesRecord | None
    t2: SeriesRecord | None
    enhanced: SeriesRecord | None
    passed_over: tuple[str, ...]
    mass: MrMassRecord
    remarks: tuple[str, ...]


def mri_json(reading: MriReading) -> str:
    """The text of mri.json."""
    choice = reading.choice
    record = MriRecord.model_validate(
        {
            "version": __version__,
            "point_lps_mm": reading.point,
            **{name: _series(getattr(choice, name), choice.main) for name in _ROLES},
            "passed_over": choice.passed_over,
            "mass": _mass(reading.mass),
            "remarks": reading.remarks,
        }
    ).model_dump(mode="json", by_alias=True)
    remarks = record.pop("remarks")
    explained = explanation_record(reading.explanation)
    whole = {
        **record,
        "findings": reading.explanation.findings,
        "patient": reading.patient and reading.patient.derived(),
        **explained,
        "remarks": [*remarks, *explained["remarks"]],
    }
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2).decode() + "\n"


_ROLES = ("t1", "t2", "enhanced")


def _series(series: MrSeries | None, main: MrSeries) -> dict[str, Any] | None:
    if series is None:
        return None
    return {
        "name": series.name,
        "series_instance_uid": series.uid,
        "because": series.weighing.because,
        "fat_suppressed": series.weighing.fat_suppressed,
        "outlined_on": series is main,
    }


def _mass(mass: MrMass) -> dict[str, Any]:
    own = (name for name in MrMassRecord.model_fields if name != "sedimentation_sign")
    return {name: _plain(getattr(mass, name)) for name in own}


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a field holds
    if isinstance(value, dict):
        return {key: vars(one) for key, one in value.items()}
    return vars(value) if hasattr(value, "__dict__") else value
