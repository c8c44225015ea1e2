"""The scenario file: what the user asks. Anything unknown or out of range is refused by name."""

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from calcinosis.errors import InputError
from calcinosis.read.json_file import read_json

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
# What was expected, in words, by the kind of error of pydantic; {} are its details.
EXPECTED = {
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than_equal": "at most {le:g}",
    "literal_error": "{expected}",
    "model_type": "an object in braces",
    "string_too_short": "a text that is not empty",
    "string_type": "a text",
    "truth_value": "a value, or null for none",
    "tuple_type": "a list in brackets",
    "union_tag_invalid": "'hd' or 'pd'",
}
KINDS = {"dialysis": ("hd", "pd"), "binder": ("one", "several")}  # what pydantic tells apart
SHOWN = 60  # characters of what was found
DryWeightKg = Annotated[float, Field(ge=20, le=250)]
FiltrationMlMin = Annotated[float, Field(ge=0, le=150)]
MOST_DEPOSIT_CALCIUM_G = 1000.0  # as much as a skeleton holds: ours, more is a slip of the unit
MOST_DEPOSIT_MASSES = 1000.0  # ours, more is a slip
# Doses whose effect is the model's. Etelcalcetide: of 24 patients whose PTH fell by 56 % (G Ital
# Nefrol 2020;37(5)), by 55 % in the trial that the model was fitted to. Cinacalcet: 30 mg lowered
# PTH by 34 % more than calcitriol alone did (Aggarwal 2013, romj.org/2013-0309), as 0.65 of the
# dose does here; 29 patients got 0.111 x mg a day + 0.96 mg etelcalcetide a session instead
# (Blood Purif 2019;48:106), so that 38 to 45 mg are 1 between 30 and 90.
CINACALCET_MG_PER_DAY, ETELCALCETIDE_MG_PER_WEEK = 45.0, 21.0
MOST_CINACALCET_MG_PER_DAY, MOST_ETELCALCETIDE_MG_PER_WEEK = 180.0, 45.0  # prescribing information
MOST_RELATIVE_DOSE = 3.0  # ours: further the effect is not known


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_value(cls, value: Any) -> Any:  # noqa: ANN401  # whatever the file holds
        """True is not 1: no field is a yes or no."""
        if isinstance(value, bool):
            raise PydanticCustomError("truth_value", "a value")
        return value


class Diet(_Strict):
    """Eaten per day; what is absent follows the typical diet (see `prescription`)."""

    phosphorus_mg_d: float | None = Field(default=None, ge=100, le=4000)
    calcium_mg_d: float | None = Field(default=None, ge=0, le=5000)


class Lab(_Strict):
    """One measurement, as `calcinosis.patient` reads it; serum is taken before dialysis.

    Two analytes more: ``phosphate_post``, drawn after a session, and ``deposit_calcium`` (g), the
    calcium of the masses on a CT. `comparator`: the laboratory gave only a bound.
    """

    date: date
    analyte: str
    value: float = Field(gt=0)
    unit: str
    comparator: Literal["", "<", ">"] = ""

    @field_validator("date", mode="before")
    @classmethod
    def _written_out(cls, value: Any) -> Any:  # noqa: ANN401  # whatever the file holds
        """A number is no date: 20251001 would be so many seconds after 1970."""
        if isinstance(value, int | float):
            raise PydanticCustomError("date_from_number", "a date")
        return value


class ScenarioPatient(_Strict):
    """The patient today; `history` are phases that end today, labs may fall into them.

    `deposit_masses`: masses of one size in which the deposit lies; see `deposit.equal_masses`.
    """

    dry_weight_kg: DryWeightKg = 70
    gfr_ml_min: FiltrationMlMin | None = None
    diet: Diet = Diet()
    labs: tuple[Lab, ...] = ()
    deposit_calcium_g: float = Field(default=0, ge=0, le=MOST_DEPOSIT_CALCIUM_G)
    deposit_masses: float = Field(default=1, ge=1, le=MOST_DEPOSIT_MASSES)
    history: tuple["Phase", ...] = ()

    @property
    def bears_deposit(self) -> bool:
        """Whether a deposit was measured, today or before."""
        return self.deposit_calcium_g > 0 or any(
            lab.analyte == "deposit_calcium" for lab in self.labs
        )


class Haemodialysis(_Strict):
    """Sessions start at 08:00 on real weekdays; three a week leave the long gap before Monday."""

    modality: Literal["hd"] = "hd"
    sessions_per_week: float = Field(default=3, ge=1, le=7)
    hours: float = Field(default=4, ge=1, le=12)
    phosphate_clearance_ml_min: float = Field(default=150, ge=10, le=400)
    dialysate_calcium_mmol_l: float = Field(default=1.5, ge=0.5, le=2.5)
    ultrafiltration_l: float = Field(default=2.5, ge=0, le=8)


class PeritonealDialysis(_Strict):
    """Continuous; clearance and ultrafiltration (L per day) are averages over the day."""

    modality: Literal["pd"]
    phosphate_clearance_ml_min: float = Field(default=4.0, ge=0.5, le=20)
    dialysate_calcium_mmol_l: float = Field(default=1.25, ge=0.5, le=2.5)
    ultrafiltration_l: float = Field(default=1.0, ge=0, le=5)


def _modality(value: Any) -> str:  # noqa: ANN401  # pydantic hands over whatever the file holds
    if isinstance(value, dict):
        return str(value.get("modality", "hd"))
    return "pd" if isinstance(value, PeritonealDialysis) else "hd"


Dialysis = Annotated[
    Annotated[Haemodialysis, Tag("hd")] | Annotated[PeritonealDialysis, Tag("pd")],
    Discriminator(_modality),
]


class Binder(_Strict):
    """A phosphate binder, as the salt; lanthanum as such, sucroferric oxyhydroxide as iron."""

    drug: Literal[
        "sevelamer",
        "lanthanum",
        "sucroferric_oxyhydroxide",
        "ferric_citrate",
        "calcium_acetate",
        "calcium_carbonate",
        "magnesium_carbonate",
        "aluminium_hydroxide",
    ]
    g_per_day: float = Field(ge=0, le=30)


def _each_once(binders: tuple[Binder, ...]) -> tuple[Binder, ...]:
    """A drug that stands twice is a slip."""
    drugs = [binder.drug for binder in binders]
    for drug in drugs:
        if drugs.count(drug) > 1:
            raise PydanticCustomError(
                "twice", "each drug once ({drug} stands twice)", {"drug": drug}
            )
    return binders


def _how_many(value: Any) -> str:  # noqa: ANN401  # pydantic hands over whatever the file holds
    return "several" if isinstance(value, list | tuple) else "one"


Binders = Annotated[
    Annotated[Binder, Tag("one")]
    | Annotated[
        tuple[Binder, ...], Field(min_length=1), AfterValidator(_each_once), Tag("several")
    ],
    Discriminator(_how_many),
]


class Calcimimetic(_Strict):
    """In one of three doses: cinacalcet mg a day, etelcalcetide mg a week, or relative to trials.

    `relative_dose` 1, which is meant without any, is the dose that the model's effect comes from.
    """

    drug: Literal["cinacalcet", "etelcalcetide"]
    relative_dose: float = Field(default=1, ge=0, le=MOST_RELATIVE_DOSE)
    mg_per_day: Annotated[float, Field(ge=0, le=MOST_CINACALCET_MG_PER_DAY)] | None = None
    mg_per_week: Annotated[float, Field(ge=0, le=MOST_ETELCALCETIDE_MG_PER_WEEK)] | None = None

    @model_validator(mode="after")
    def _one_dose(self) -> "Calcimimetic":
        own = "mg_per_day" if self.drug == "cinacalcet" else "mg_per_week"
        given = {name for name in self.model_fields_set if getattr(self, name) is not None}
        if given not in ({"drug"}, {"drug", own}, {"drug", "relative_dose"}):
            raise PydanticCustomError(
                "dose",
                "of {drug} one dose: {own} or relative_dose",
                {"drug": self.drug, "own": own},
            )
        return self

    @property
    def strength(self) -> float:
        """Dose relative to that of the trials; more than the largest relative dose counts as it."""
        if self.mg_per_day is not None:
            return min(self.mg_per_day / CINACALCET_MG_PER_DAY, MOST_RELATIVE_DOSE)
        if self.mg_per_week is not None:
            return self.mg_per_week / ETELCALCETIDE_MG_PER_WEEK
        return self.relative_dose


class Parathyroidectomy(_Strict):
    """Share of parathyroid tissue left behind; what works, with what was overlooked, differs."""

    remnant_fraction: float = Field(ge=0, le=1)


class Transplantation(_Strict):
    """A kidney graft and the filtration it settles at."""

    graft_gfr_ml_min: float = Field(ge=5, le=120)


class GraftFailure(_Strict):
    """The graft's end, and the filtration that is left without it."""

    gfr_ml_min: float = Field(default=1, ge=0, le=60)


class Event(_Strict):
    """What happens on the phase's first day."""

    parathyroidectomy: Parathyroidectomy | None = None
    transplantation: Transplantation | None = None
    graft_failure: GraftFailure | None = None


class Treatment(_Strict):
    """What a patient is given day by day. ``null``: none."""

    dialysis: Dialysis | None = None
    binder: Binders | None = None
    active_vitamin_d_ug_per_week: Annotated[float, Field(ge=0, le=50)] | None = None
    calcimimetic: Calcimimetic | None = None
    diet: Diet | None = None

    @property
    def binders(self) -> tuple[Binder, ...]:
        """One, several or none."""
        if isinstance(self.binder, Binder):
            return (self.binder,)
        return self.binder or ()


class Phase(Treatment):
    """A stretch of constant treatment. Absent fields: as in the phase before."""

    days: float = Field(ge=1, le=36525)  # rounded to whole days
    name: Name = ""
    postoperative_care: Literal["usual"] | None = None
    event: Event | None = None


class Option(_Strict):
    """One course of treatment to compare."""

    name: Name
    phases: tuple[Phase, ...] = Field(min_length=1)


class Scenario(_Strict):
    """A patient, the treatment as planned, and others to compare with it."""

    patient: ScenarioPatient = ScenarioPatient()
    phases: tuple[Phase, ...] = Field(min_length=1)
    compare: tuple[Option, ...] = ()

    def options(self) -> tuple[Option, ...]:
        """The plan first, then what it is compared with; names made unique."""
        planned = Option(name=self.phases[0].name or "as planned", phases=self.phases)
        taken: set[str] = set()
        unique = []
        for option in (planned, *self.compare):
            name, n = option.name, 2
            while name in taken:
                name, n = f"{option.name} ({n})", n + 1
            taken.add(name)
            unique.append(option.model_copy(update={"name": name}))
        return tuple(unique)


def read_scenario(path: Path) -> Scenario:
    """Read a scenario file; see `read_checked`."""
    return read_checked(Scenario, path, whole="the scenario")


def parse_scenario(content: Any, *, name: str = "scenario") -> Scenario:  # noqa: ANN401  # JSON
    """Check a scenario given as plain data; see `read_scenario`."""
    return checked(Scenario, content, name, "the scenario")


_Model = TypeVar("_Model", bound=BaseModel)


def read_checked(model: type[_Model], path: Path, *, whole: str) -> _Model:
    """Read a JSON file that holds one of the models here; `whole` is what a file is called.

    Raises:
        NotReadableError: the file is absent or no JSON.
        InputError: a field is unknown, missing, there twice or out of range; the message names it.
    """
    return checked(model, read_json(path), str(path), whole)


def checked(model: type[_Model], content: Any, name: str, whole: str) -> _Model:  # noqa: ANN401
    """Check plain data against one of the models here; errors as of `read_checked`."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{name}: {_in_words(error.errors()[0], whole)}") from None


def _in_words(error: ErrorDetails, whole: str) -> str:
    """The field as the file has it, what was found and what was expected."""
    where, found, kind = _field(error["loc"]) or whole, error["input"], error["type"]
    details = error.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{where}: there is no such field"
    if kind == "missing":
        return f"{where}: found nothing, expected this field"
    if kind == "too_short":
        return f"{where}: found an empty list, expected at least one entry"
    if kind == "union_tag_invalid":
        where, found = f"{where}.modality", details["tag"]
    if kind.startswith("date_"):
        expected = "a date as YYYY-MM-DD"
    elif kind in EXPECTED:
        expected = EXPECTED[kind].format(**details)
    else:
        expected = error["msg"].removeprefix("Input should be ")
    shown = json.dumps(found, ensure_ascii=False, default=str)
    shown = shown if len(shown) <= SHOWN else f"{shown[: SHOWN - 3]}..."
    return f"{where}: found {shown}, expected {expected}"


def _field(location: Sequence[int | str]) -> str:
    """A place as the file has it: without pydantic's name for the kind of what stands there."""
    above = ("", *location)
    parts = [
        str(part)
        for before, part in zip(above, location, strict=False)
        if part not in KINDS.get(str(before), ())
    ]
    return ".".join(parts)
