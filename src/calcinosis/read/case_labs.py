"""The laboratory part of a case file: fields, their units, and what a value can be."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from calcinosis.analyte import ANALYTES, Level, in_si

# Fields in SI units, and the field each is read into.
SI_FIELDS = {
    "calcium_mmol_l": "calcium_mg_dl",
    "albumin_g_l": "albumin_g_dl",
    "corrected_calcium_mmol_l": "corrected_calcium_mg_dl",
    "phosphate_mmol_l": "phosphate_mg_dl",
    "ca_p_product_mmol2_l2": "ca_p_product_mg2_dl2",
    "pth_pmol_l": "pth_pg_ml",
    "vit_d25_nmol_l": "vit_d25_ng_ml",
    "vit_d125_pmol_l": "vit_d125_pg_ml",
    "creatinine_umol_l": "creatinine_mg_dl",
    "urate_umol_l": "urate_mg_dl",
}


class Strict(BaseModel):
    """Refuses what it does not know, and takes no text for a number."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def _within(analyte: str) -> Any:  # noqa: ANN401 - a pydantic field description
    low, high = ANALYTES[analyte].possible
    return Field(default=None, ge=low, le=high)


class Labs(Strict):
    """Values in the unit each name ends with; FGF23 in pg/mL or as the report words it.

    The same in SI units goes by the names of `SI_FIELDS`, and is read into these.
    """

    calcium_mg_dl: float | None = _within("calcium")
    albumin_g_dl: float | None = _within("albumin")
    corrected_calcium_mg_dl: float | None = _within("corrected_calcium")
    ionized_ca_mmol_l: float | None = _within("ionized_calcium")
    phosphate_mg_dl: float | None = _within("phosphate")
    ca_p_product_mg2_dl2: float | None = _within("ca_p_product")
    pth_pg_ml: float | None = _within("pth")
    alp_u_l: float | None = _within("alp")
    vit_d25_ng_ml: float | None = _within("vit_d25")
    vit_d125_pg_ml: float | None = _within("vit_d125")
    fgf23: float | str | None = None
    creatinine_mg_dl: float | None = _within("creatinine")
    urate_mg_dl: float | None = _within("urate")
    crp_mg_l: float | None = _within("crp")
    egfr_ml_min_1_73m2: float | None = _within("egfr")
    bicarbonate_mmol_l: float | None = _within("bicarbonate")
    qtc_ms: float | None = _within("qtc")
    converted: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_si(cls, told: object) -> object:
        return in_case_units(told)

    @field_validator("fgf23")
    @classmethod
    def _possible_fgf23(cls, told: float | str | None) -> float | str | None:
        low, high = ANALYTES["fgf23"].possible
        if isinstance(told, int | float) and not low <= told <= high:
            limits = {"low": f"{low:g}", "high": f"{high:g}"}
            raise PydanticCustomError("fgf23", "a word, or {low} to {high} pg/mL", limits)
        return told


ANALYTE_OF_FIELD = {
    "calcium_mg_dl": "calcium",
    "albumin_g_dl": "albumin",
    "corrected_calcium_mg_dl": "corrected_calcium",
    "ionized_ca_mmol_l": "ionized_calcium",
    "phosphate_mg_dl": "phosphate",
    "ca_p_product_mg2_dl2": "ca_p_product",
    "pth_pg_ml": "pth",
    "alp_u_l": "alp",
    "vit_d25_ng_ml": "vit_d25",
    "vit_d125_pg_ml": "vit_d125",
    "fgf23": "fgf23",
    "creatinine_mg_dl": "creatinine",
    "urate_mg_dl": "urate",
    "crp_mg_l": "crp",
    "egfr_ml_min_1_73m2": "egfr",
    "bicarbonate_mmol_l": "bicarbonate",
    "qtc_ms": "qtc",
}


def _range_field(name: str) -> str:
    field = next((f for f, analyte in ANALYTE_OF_FIELD.items() if analyte == name), name)
    if field not in ANALYTE_OF_FIELD:
        expected = ", ".join(ANALYTE_OF_FIELD)
        raise PydanticCustomError("laboratory_field", "one of {names}", {"names": expected})
    return field


def _lowest_first(pair: list[float]) -> list[float]:
    if pair[0] > pair[1]:
        raise PydanticCustomError("range", "the lowest value first")
    return pair


RangedField = Annotated[str, AfterValidator(_range_field)]
Range = Annotated[list[float], Field(min_length=2, max_length=2), AfterValidator(_lowest_first)]


class LabWords(Strict):
    """Wording of a report where it gives no value."""

    calcium: Level | None = None
    phosphate: Level | None = None
    ca_p_product: Level | None = None
    pth: Level | None = None
    alp: Level | None = None
    urate: Level | None = None


def in_case_units(told: object) -> object:
    """Values or ranges told by SI name as they would stand under the name of the case file's unit.

    What is no mapping, or no number, is left to be refused.
    """
    if not isinstance(told, Mapping):
        return told
    read = dict(told)
    for name, field in SI_FIELDS.items():
        if name not in read:
            continue
        value = read.pop(name)
        if value is not None and read.get(field) is not None:
            raise PydanticCustomError("twice", "{a} or {b}, not both", {"a": name, "b": field})
        if value is not None:
            read[field] = _converted(name, field, value)
    return read


def _converted(name: str, field: str, value: object) -> object:
    if isinstance(value, list):
        return [_converted(name, field, one) for one in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("si_number", "a number for {name}", {"name": name})
    analyte = ANALYTES[ANALYTE_OF_FIELD[field]]
    one_in_si = (in_si(analyte.name, 1.0) or (1.0, ""))[0]
    low, high = (one_in_si * limit for limit in analyte.possible)
    if not low <= value <= high:
        limits = {"name": name, "low": f"{low:.3g}", "high": f"{high:.3g}"}
        raise PydanticCustomError("si_range", "{name} of {low} to {high}", limits)
    return value / one_in_si
