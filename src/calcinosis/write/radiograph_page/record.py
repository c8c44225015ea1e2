"""radiograph.json: one mass on one radiograph. The contract is ``calcinosis-radiograph/1``."""

from typing import Annotated, Any, Literal

import orjson
from pydantic import ConfigDict, Field

from calcinosis import __version__
from calcinosis.explain.radiograph import RadiographReading
from calcinosis.measure.radiograph import ProjectedMass
from calcinosis.write.explanation.record import explanation_record
from calcinosis.write.record import Amount, Fraction, Number, Record

Interval = Annotated[tuple[Amount, Amount], Field(description="95 % interval, low and high")]
Place = Annotated[tuple[Number, Number], Field(description="(column, row) on the film, from 0")]


class ScaleRecord(Record):
    """How large a pixel is at the patient."""

    pixel_mm: Amount
    magnification: Number | None = Field(description="taken off; null: not known")
    source: str


class ProjectedMassRecord(Record):
    """The shadow of the mass."""

    outline_px: tuple[Place, ...]
    area_mm2: Amount
    area_ci95_mm2: Interval
    max_diameter_mm: Amount
    max_diameter_ci95_mm: Interval
    perpendicular_diameter_mm: Amount
    perpendicular_diameter_ci95_mm: Interval
    diameter_ends_px: tuple[Place, Place]
    contrast: Number = Field(description="in standard deviations of the film's grain")
    sedimentation_sign: None = Field(None, description="left to the reader")
    confidence: Fraction
    remarks: tuple[str, ...]


class RadiographRecord(Record):
    """The whole of radiograph.json but for the explanation, whose keys `diagnose` documents."""

    model_config = ConfigDict(title="calcinosis-radiograph/1")

    schema_: Literal["calcinosis-radiograph/1"] = Field(
        "calcinosis-radiograph/1", serialization_alias="schema"
    )
    version: str
    point_px: Place
    view: str | None
    scale: ScaleRecord
    gravity: str
    mass: ProjectedMassRecord
    remarks: tuple[str, ...]


def radiograph_json(reading: RadiographReading) -> str:
    """The text of radiograph.json."""
    record = RadiographRecord.model_validate(
        {
            "version": __version__,
            "point_px": reading.point,
            "view": reading.film.view or None,
            "scale": reading.film.scale,
            "gravity": reading.film.gravity.because,
            "mass": _mass(reading.mass),
            "remarks": (*reading.film.remarks, *reading.remarks),
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


def _mass(mass: ProjectedMass) -> dict[str, Any]:
    return {
        **{name: getattr(mass, name) for name in ProjectedMassRecord.model_fields if name in _SAME},
        "outline_px": [_px(place) for place in mass.outline.tolist()],
        "diameter_ends_px": [_px(place) for place in mass.ends],
    }


_SAME = {
    "area_mm2",
    "area_ci95_mm2",
    "max_diameter_mm",
    "max_diameter_ci95_mm",
    "perpendicular_diameter_mm",
    "perpendicular_diameter_ci95_mm",
    "contrast",
    "confidence",
    "remarks",
}


def _px(place: Any) -> tuple[float, float]:  # noqa: ANN401 - a pair, as tuple or list
    row, column = place
    return column, row
