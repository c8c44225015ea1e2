"""ultrasound.json: one mass on one picture. The contract is ``calcinosis-ultrasound/1``."""

from typing import Annotated, Any, Literal

import orjson
from pydantic import ConfigDict, Field

from calcinosis import __version__
from calcinosis.explain.ultrasound import SonogramReading
from calcinosis.measure.ultrasound import SonographicMass, State
from calcinosis.measure.ultrasound_behind import Behind
from calcinosis.write.explanation.record import explanation_record
from calcinosis.write.record import Amount, Fraction, Number, Record

Interval = Annotated[tuple[Amount, Amount], Field(description="95 % interval, low and high")]
Share = Annotated[tuple[Fraction, Fraction], Field(description="95 % interval, low and high")]
Place = Annotated[tuple[Number, Number], Field(description="(column, row) in the picture, from 0")]


class RimRecord(Record):
    """The border as a shell."""

    bright_share: Fraction = Field(description="of the border that sound reaches")
    bright_share_ci95: Share
    judged_share: Fraction = Field(description="of the border that sound reaches")
    brighter_by_grey: Number


class BehindRecord(Record):
    """The strip behind the mass, against the same depth beside it."""

    state: Behind
    brighter_by_grey: Number | None
    brighter_by_grey_ci95: tuple[Number, Number] | None
    brighter_by_db: Number | None = Field(description="by the spread of speckle; filters widen it")
    reason: str


class ContentRecord(Record):
    """What is inside, as shares of what sound reaches there."""

    reached_share: Fraction
    fluid_like_share: Fraction
    low_echo_share: Fraction
    bright_share: Fraction
    locules: int
    walls: int
    reason: str


class VerdictRecord(Record):
    """A finding and why."""

    state: State
    because: str


class SonographicMassRecord(Record):
    """The mass in the plane."""

    outline_px: tuple[Place, ...]
    max_diameter_mm: Amount | None = Field(description="null: the scale is not known")
    max_diameter_ci95_mm: Interval | None
    perpendicular_diameter_mm: Amount | None
    perpendicular_diameter_ci95_mm: Interval | None
    depth_mm: Amount | None = Field(description="of its nearest part below the probe")
    max_diameter_px: Amount | None = Field(description="where the scale is not known")
    perpendicular_diameter_px: Amount | None
    diameter_ends_px: tuple[Place, Place]
    confidence: Fraction = Field(description="share of the border that shows")
    leaves_picture: bool
    rim: RimRecord
    behind: BehindRecord
    content: ContentRecord
    calcified_shell_with_fluid: VerdictRecord
    echogenic_lobulated: VerdictRecord


class UltrasoundRecord(Record):
    """The whole of ultrasound.json but for the explanation, whose keys `diagnose` documents."""

    model_config = ConfigDict(title="calcinosis-ultrasound/1")

    schema_: Literal["calcinosis-ultrasound/1"] = Field(
        "calcinosis-ultrasound/1", serialization_alias="schema"
    )
    version: str
    point_px: Place
    frame: int
    pixel_mm: tuple[Amount, Amount] | None = Field(description="height and width; null: not known")
    scale: str
    mass: SonographicMassRecord
    remarks: tuple[str, ...]


def ultrasound_json(reading: SonogramReading) -> str:
    """The text of ultrasound.json."""
    region = reading.sonogram.region
    first = region.box[0].start, region.box[1].start
    record = UltrasoundRecord.model_validate(
        {
            "version": __version__,
            "point_px": reading.sonogram.at[::-1],
            "frame": reading.sonogram.frame,
            "pixel_mm": region.pixel_mm,
            "scale": region.scale,
            "mass": _mass(reading.mass, first),
            "remarks": (*reading.mass.remarks, *reading.remarks),
        }
    ).model_dump(mode="json", by_alias=True)
    remarks = record.pop("remarks")
    explained = explanation_record(reading.explanation) if reading.explanation else {}
    whole = {
        **record,
        "findings": reading.findings,
        "patient": reading.patient and reading.patient.derived(),
        **explained,
        "remarks": [*remarks, *explained.get("remarks", [])],
    }
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2).decode() + "\n"


def _mass(mass: SonographicMass, first: tuple[int, int]) -> dict[str, Any]:
    def px(place: Any) -> tuple[float, float]:  # noqa: ANN401 - a pair, as tuple or list
        return place[1] + first[1], place[0] + first[0]

    rim, strips, content = mass.rim, mass.strips, mass.content
    return {
        "outline_px": [px(place) for place in mass.outline.border.tolist()],
        **_sizes(mass),
        "diameter_ends_px": [px(place) for place in mass.ends],
        "confidence": mass.confidence,
        "leaves_picture": bool(mass.outline.cut.any()),
        "rim": {
            "bright_share": rim.bright_share,
            "bright_share_ci95": rim.ci95,
            "judged_share": rim.judged_share,
            "brighter_by_grey": rim.grey,
        },
        "behind": {
            "state": strips.state,
            "brighter_by_grey": strips.grey,
            "brighter_by_grey_ci95": strips.ci95,
            "brighter_by_db": strips.decibels,
            "reason": strips.reason,
        },
        "content": {
            "reached_share": content.reached_share,
            "fluid_like_share": content.like_fluid,
            "low_echo_share": content.low_echo,
            "bright_share": content.bright,
            "locules": content.locule_count,
            "walls": content.walls,
            "reason": content.reason,
        },
        "calcified_shell_with_fluid": vars(mass.shell_with_fluid),
        "echogenic_lobulated": vars(mass.echogenic_lobulated),
    }


def _sizes(mass: SonographicMass) -> dict[str, Any]:
    longest, across = mass.max_diameter, mass.perpendicular_diameter
    told = mass.calibrated
    return {
        "max_diameter_mm": longest if told else None,
        "max_diameter_ci95_mm": mass.max_ci95 if told else None,
        "perpendicular_diameter_mm": across if told else None,
        "perpendicular_diameter_ci95_mm": mass.perpendicular_ci95 if told else None,
        "depth_mm": mass.depth if told else None,
        "max_diameter_px": None if told else longest,
        "perpendicular_diameter_px": None if told else across,
    }
