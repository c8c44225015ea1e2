"""What a case of the lesson says and asks: the files in `cases/`, checked as they are read.

The words stand in the files; what is right and why is worked out from the patient that is drawn
and from what the program makes of it (`answers`).
"""

from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from calcinosis.errors import InputError
from calcinosis.explain.management import Standing

BUILT_IN = ("hip", "operated", "bone", "young", "course")
OWN = "own"
_Model = TypeVar("_Model", bound=BaseModel)


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Said(_Entry):
    """One option whose truth the file itself tells, with its reason."""

    text: str
    right: bool = False
    because: str = ""


class _Question(_Entry):
    """Attributes all questions share.

    Attributes:
        ask: the question.
        answer: what is said beside the program's figures once it is answered.
    """

    ask: str
    answer: str = ""


class Place(_Question):
    """Click on the image; right where the mass, the level or the erosion was drawn."""

    kind: Literal["place"]
    target: Literal["mass", "level", "erosion"]


class WhichDiagnosis(_Question):
    """Which diagnosis; right is the one the patient was drawn with."""

    kind: Literal["diagnosis"]
    options: tuple[str, ...] = ()


class WhichFinding(_Question):
    """Which finding weighs most for, or against, what the program ranks first."""

    kind: Literal["finding"]
    among: Literal["images", "all"] = "all"
    speaks: Literal["for", "against"] = "for"


class WhatNext(_Question):
    """Which options have one of `standing`; `teaches` is what the program must say of them."""

    kind: Literal["plan"]
    options: tuple[str, ...] = ()
    standing: tuple[Standing, ...]
    teaches: dict[str, Standing] = {}


class WhatBecomes(_Question):
    """In which range an outcome lies after a year of one treatment; a chance in ``%``."""

    kind: Literal["forecast"]
    course: str
    outcome: str
    unit: str
    bounds: tuple[float, ...]


class WhichTreatment(_Question):
    """Which treatment does most, by the forecast; not one that ends in harm (`left_out`)."""

    kind: Literal["treatment"]
    outcome: str
    best: Literal["lowest", "highest"]
    options: tuple[str, ...]


class HowLarge(_Question):
    """The volume of the mass, as it was drawn."""

    kind: Literal["volume"]


class WhatChanged(_Question):
    """What became of the mass between two scans, as it was drawn."""

    kind: Literal["change"]


class WhatHolds(_Question):
    """Statements of which some hold; which, and why, the file tells with its sources."""

    kind: Literal["fact"]
    options: Annotated[tuple[Said, ...], Field(min_length=2)]


Question = Annotated[
    Place
    | WhichDiagnosis
    | WhichFinding
    | WhatNext
    | WhatBecomes
    | WhichTreatment
    | HowLarge
    | WhatChanged
    | WhatHolds,
    Field(discriminator="kind"),
]


class Patient(_Entry):
    """The artificial patient.

    Attributes:
        diagnosis: what the patient was made as, of the vocabulary.
        scan: options of `calcinosis.phantom.patient.PhantomOptions`.
        later: what is otherwise in a second scan, if there is one.
        days: between the two.
        case: what is known, as in a case file.
        prescription: today's treatment on dialysis.
    """

    diagnosis: str
    scan: dict[str, Any]
    later: dict[str, Any] | None = None
    days: int | None = None
    case: dict[str, Any]
    prescription: dict[str, Any] | None = None


class CaseScript(_Entry):
    """One case: its patient (none in the teacher's own), its story, questions and lessons."""

    title: str
    story: str
    patient: Patient | None = None
    questions: tuple[Question, ...]
    points: tuple[str, ...] = ()


class Opening(_Entry):
    """What stands before and after the cases."""

    title: str
    lead: str
    points: tuple[str, ...]


@cache
def load_case(name: str) -> CaseScript:
    """Read one case of `cases/`.

    Raises:
        InputError: names the field that cannot be used.
    """
    return _checked(CaseScript, f"{name}.yaml")


@cache
def load_opening() -> Opening:
    """Read what stands before and after the cases."""
    return _checked(Opening, "lesson.yaml")


def _checked(model: type[_Model], name: str) -> _Model:
    file = resources.files("calcinosis.write.lesson").joinpath("cases", name)
    try:
        return model.model_validate(yaml.safe_load(file.read_text("utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(f"lesson {name}: {place}: {first['msg']}") from error
