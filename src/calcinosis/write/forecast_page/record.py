"""The forecast as result.json holds it; its courses day by day are in forecast.csv."""

from typing import TYPE_CHECKING

from pydantic import Field

from calcinosis.write.record import Amount, Fraction, Number, Record

if TYPE_CHECKING:
    from calcinosis.forecast.outlook import Outlook


class OutcomesRecord(Record):
    """Levels of the most probable patient, and chances, within a year or a shorter horizon."""

    horizon_days: Amount
    calcium_mg_dl: Amount = Field(description="mean of the last four weeks; so the next three")
    phosphate_mg_dl: Amount
    ca_p_product_mg2_dl2: Amount
    pth_pg_ml: Amount
    lowest_calcium_mg_dl: Amount
    chance_product_below_55: Fraction
    chance_phosphate_above_5_5: Fraction
    chance_pth_above_300: Fraction
    chance_pth_below_100: Fraction
    chance_calcium_below_7_5: Fraction
    chance_calcium_above_10_2: Fraction = Field(
        description="at the end, or for four weeks before; the whole course counts"
    )
    chance_deposit_halved: Fraction | None
    chance_deposit_grows: Fraction | None
    deposit_relative: Amount | None = Field(description="of today's; so the interval, 90 %")
    deposit_relative_low: Amount | None
    deposit_relative_high: Amount | None


class FittedRecord(Record):
    """What the laboratory says of one parameter of the patient, with its 90 % interval."""

    name: str
    meaning: str
    typical: Number
    value: Number
    low: Number
    high: Number
    moved: bool = Field(description="false: the data say little, other patients most")


class CourseRecord(Record):
    """What one treatment would do."""

    name: str
    outcomes: OutcomesRecord
    warnings: tuple[str, ...]
    left_out: str = Field(description="why it is not to be named best; empty: nothing against it")


class ForecastRecord(Record):
    """Treatments side by side: simulated, not observed."""

    options: tuple[CourseRecord, ...] = Field(description="the first: as now")
    fit: tuple[FittedRecord, ...]
    assumptions: tuple[str, ...]
    limits: tuple[str, ...]


def forecast_record(outlook: "Outlook") -> ForecastRecord:
    """The outcomes of a forecast."""
    return ForecastRecord.model_validate(
        {
            "options": outlook.courses,
            "fit": outlook.fit,
            "assumptions": outlook.assumptions,
            "limits": outlook.limits,
        }
    )
