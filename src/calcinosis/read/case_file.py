"""The case file: one patient as coded facts, JSON, or many as JSON lines.

Any field may be left out. ``null`` or missing means *not known*, never *absent*. A field we do not
know, a value out of range, a word outside the vocabulary or what cannot be (dialysis for longer
than life, or of healthy kidneys) is refused by name.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import (
    BaseModel,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from calcinosis.analyte import ANALYTES
from calcinosis.errors import InputError
from calcinosis.lab_result import LabResult
from calcinosis.patient import Ckd, Patient, Sex
from calcinosis.read.case_labs import (
    ANALYTE_OF_FIELD,
    Labs,
    LabWords,
    Range,
    RangedField,
    Strict,
    in_case_units,
)
from calcinosis.read.json_file import parsed, text_of

Site = Literal[
    "hip",
    "thigh",
    "buttock",
    "pelvis",
    "sacrum",
    "pubis",
    "groin",
    "shoulder",
    "scapula",
    "clavicle",
    "sternum",
    "chest_wall",
    "axilla",
    "upper_arm",
    "elbow",
    "forearm",
    "wrist",
    "hand",
    "knee",
    "leg",
    "ankle",
    "foot",
    "spine_cervical",
    "spine_thoracic",
    "spine_lumbar",
    "spine",
    "neck",
    "head_face",
    "jaw",
    "tmj",
    "trunk",
    "abdominal_wall",
    "breast",
    "skin_generalized",
    "visceral",
    "retroperitoneum",
]


class Symptoms(Strict):
    """What the patient feels and shows; None is not known."""

    pain: bool | None = None
    limited_motion: bool | None = None
    skin_ulcer_or_fistula: bool | None = None
    nerve_compression: bool | None = None
    vascular_compression: bool | None = None
    fever: bool | None = None


class History(Strict):
    """Conditions and operations known before; None is not known."""

    parathyroidectomy: bool | None = None
    calciphylaxis: bool | None = None
    long_qt: bool | None = None
    connective_tissue_disease: bool | None = None
    sarcoidosis: bool | None = None
    gout: bool | None = None
    tuberculosis: bool | None = None
    trauma: bool | None = None


class Radiograph(Strict):
    """What the radiograph report states."""

    multilobulated: bool | None = None
    amorphous_or_cystic: bool | None = None
    periarticular: bool | None = None
    fluid_level: bool | None = None
    joint_bodies: bool | None = None
    rings_and_arcs: bool | None = None


class Ct(Strict):
    """What the CT report states."""

    fluid_calcium_level: bool | None = None
    cystic_loculated: bool | None = None
    bone_erosion_or_osteolysis: bool | None = None
    cortical_continuity_with_bone: bool | None = None
    soft_tissue_component_enhancing: bool | None = None
    zonal_peripheral_ossification: bool | None = None
    joint_bodies: bool | None = None
    rings_and_arcs: bool | None = None


class Mri(Strict):
    """What the MRI report states."""

    t1_low: bool | None = None
    t2_heterogeneous: bool | None = None
    t2_high: bool | None = None
    enhancement: bool | None = None


class Ultrasound(Strict):
    """What the ultrasound report states."""

    calcified_shell_with_fluid: bool | None = None
    echogenic_lobulated: bool | None = None


class Scintigraphy(Strict):
    """What the bone scan report states."""

    uptake: bool | None = None


class Imaging(Strict):
    """Reports by modality."""

    radiograph: Radiograph | None = None
    ct: Ct | None = None
    mri: Mri | None = None
    us: Ultrasound | None = None
    scintigraphy: Scintigraphy | None = None


class Case(Strict):
    """One patient with a calcified mass, as far as known."""

    id: str | int | None = None
    age_years: float | None = Field(default=None, ge=0, le=125)
    sex: Sex | None = None
    ckd: Ckd | None = None
    dialysis_vintage_years: float | None = Field(default=None, ge=0, le=70)
    family_history: bool | None = None
    history: History | None = None
    symptom_duration_months: float | None = Field(default=None, ge=0, le=1500)
    sites: list[Site] | None = None
    bilateral_or_multiple: bool | None = None
    max_diameter_cm: float | None = Field(default=None, gt=0, le=100)
    symptoms: Symptoms | None = None
    labs: Labs | None = None
    labs_range: dict[RangedField, Range | None] | None = None
    labs_qualitative: LabWords | None = None
    imaging: Imaging | None = None
    calcified_or_ossified: Literal["calcified", "ossified"] | None = None

    @field_validator("dialysis_vintage_years")
    @classmethod
    def _possible_vintage(cls, vintage: float | None, told: ValidationInfo) -> float | None:
        """Refuse dialysis before birth or of healthy kidneys; age may be told in whole years."""
        age, kidneys = told.data.get("age_years"), told.data.get("ckd")
        if vintage is not None and age is not None and vintage >= age + 1:
            raise PydanticCustomError("vintage", "no more than the age, {age}", {"age": f"{age:g}"})
        if vintage and kidneys == "none":
            raise PydanticCustomError("vintage", 'no dialysis beside healthy kidneys (ckd "none")')
        return vintage

    @field_validator("labs_range", mode="before")
    @classmethod
    def _range_from_si(cls, ranges: object) -> object:
        return in_case_units(ranges)

    @field_validator("labs_range")
    @classmethod
    def _possible_range(
        cls, ranges: dict[str, list[float] | None] | None
    ) -> dict[str, list[float] | None] | None:
        """Refuse a range that no living patient has, as a value."""
        for field, pair in (ranges or {}).items():
            low, high = ANALYTES[ANALYTE_OF_FIELD[field]].possible
            if pair and not low <= pair[0] <= pair[1] <= high:
                told = {"field": field, "low": f"{low:g}", "high": f"{high:g}"}
                raise PydanticCustomError("range", "{field} of {low} to {high}", told)
        return ranges

    def patient(self) -> Patient:
        """The person behind the mass: age, kidney status, laboratory. Images stay in the case."""
        words = dict(self.labs_qualitative or ())
        return Patient(
            age_years=self.age_years,
            sex=self.sex,
            ckd=self.ckd,
            dialysis_vintage_years=self.dialysis_vintage_years,
            family_history=self.family_history,
            history={name: told for name, told in self.history or () if told is not None},
            labs=self._results(),
            levels={analyte: word for analyte, word in words.items() if word},
            ranges={
                ANALYTE_OF_FIELD[field]: (pair[0], pair[1])
                for field, pair in (self.labs_range or {}).items()
                if pair
            },
        )

    def _results(self) -> tuple[LabResult, ...]:
        if self.labs is None:
            return ()
        return tuple(
            LabResult(analyte, float(value))
            for field, analyte in ANALYTE_OF_FIELD.items()
            if isinstance(value := getattr(self.labs, field), int | float)
        )

    def informed_by(self, patient: Patient) -> "Case":
        """The same case with what the patient's record knows better: the latest laboratory."""
        values: dict[str, float | None] = {
            field: result.value
            for field, analyte in ANALYTE_OF_FIELD.items()
            if (result := patient.latest(analyte))
        }
        if patient.calcium_mg_dl is not None:  # with albumin of the same week, as the plan reads it
            values["corrected_calcium_mg_dl"] = patient.calcium_mg_dl
        values["ionized_ca_mmol_l"] = patient.ionized_calcium_mmol_l
        if values.get("ca_p_product_mg2_dl2") != patient.ca_p_product_mg2_dl2:
            values["ca_p_product_mg2_dl2"] = None  # of an older day than its factors
        labs = (self.labs or Labs()).model_copy(update=values)
        known = {
            "age_years": patient.age_years,
            "sex": patient.sex,
            "ckd": patient.ckd,
            "dialysis_vintage_years": patient.vintage_years(),
            "family_history": patient.family_history,
            "history": History.model_validate(
                {k: v for k, v in patient.history.items() if k in History.model_fields}
            ),
            "labs": labs,
        }
        return self.model_copy(update={k: v for k, v in known.items() if v is not None})


_Model = TypeVar("_Model", bound=BaseModel)


def validated(model: type[_Model], data: object, where: str) -> _Model:
    """Check data against a pydantic model, naming the first field that does not fit.

    Raises:
        InputError: says where, which field, what was found and what was expected.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"]) or "the case"
        if first["type"] == "extra_forbidden":
            expected = "no such field"
        else:
            expected = first["msg"].removeprefix("Input should be ")
        found = json.dumps(first["input"], default=str)
        shown = found if len(found) <= 60 else found[:57] + "..."
        raise InputError(f"{where}: {name}: found {shown}, expected {expected}") from None


def case_of(data: object, where: str) -> Case:
    """Check parsed JSON as a case; `where` names it in errors.

    Raises:
        InputError: an unknown field or a value out of range, by name.
    """
    if isinstance(data, list):
        raise InputError(
            f"{where}: found a list, expected one case; many go one per line into a .jsonl file"
        )
    return validated(Case, data, where)


def read_cases(path: Path) -> Iterator[Case]:
    """Cases of a JSON lines file one by one; empty lines are passed over.

    Raises:
        NotReadableError: no such file, or a line that is not JSON.
        InputError: an unknown field or a value out of range, with its line number.
    """
    for number, line in enumerate(text_of(path).split("\n"), start=1):
        if line.strip():
            where = f"{path} line {number}"
            yield case_of(parsed(line, where), where)
