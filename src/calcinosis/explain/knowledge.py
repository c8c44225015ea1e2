"""The knowledge base: readable YAML in `knowledge/`, validated as it is loaded.

Every number is either counted (`n` and `source`) or an expert prior (`width`, the half-width of
its 90 % interval). See the head of each YAML file for the meaning of its fields.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from calcinosis.errors import InputError

Setting = Literal["dialysis", "ckd", "transplant", "none"]
SETTINGS: tuple[Setting, ...] = ("dialysis", "ckd", "transplant", "none")
DIAGNOSIS_FILES = (
    "tumoral_calcinosis.yaml",
    "malignant.yaml",
    "joints_and_crystals.yaml",
    "skin_vessels_infection.yaml",
    "metabolic_and_dialysis.yaml",
)
# Half-width of a 90 % interval in standard deviations.
_Z90 = 1.645
# Published series describe other patients than ours: none counts as more than so many.
_MOST_PATIENTS = 60.0


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Proportion(_Entry):
    """The share of patients who show a sign: counted, or an expert prior with its width."""

    p: Annotated[float, Field(ge=0, le=1)]
    n: Annotated[int | None, Field(gt=0)] = None
    source: str | None = None
    width: Annotated[float | None, Field(gt=0, le=0.5)] = None

    @model_validator(mode="after")
    def _counted_or_prior(self) -> Self:
        if (self.n is None) != (self.source is None):
            raise ValueError("n and source belong together")
        if (self.n is None) == (self.width is None):
            raise ValueError("give either n and source, or the width of an expert prior")
        return self

    @property
    def patients(self) -> float:
        """How many patients this knowledge is worth: n, or the n that has the same width."""
        if self.n is not None:
            return min(float(self.n), _MOST_PATIENTS)
        assert self.width is not None  # noqa: S101 - the validator saw to it
        variance = (self.width / _Z90) ** 2
        bounded = min(max(self.p, 0.01), 0.99)
        return min(max(bounded * (1 - bounded) / variance - 1, 2.0), _MOST_PATIENTS)

    @property
    def provenance(self) -> str:
        """Where the number is from, for the reader."""
        if self.source is not None:
            return f"{self.source} (n = {self.n})"
        return f"expert prior {self.p:.0%} ± {self.width:.0%}"


class LogNormal(_Entry):
    """A positive quantity: two patients in three within median / spread … median × spread."""

    median: Annotated[float, Field(gt=0)]
    spread: Annotated[float, Field(gt=1, le=10)]
    n: Annotated[int | None, Field(gt=0)] = None
    source: str | None = None

    @property
    def patients(self) -> float:
        """How many patients this knowledge is worth; 8 for an expert prior."""
        return min(float(self.n), _MOST_PATIENTS) if self.n is not None else 8.0

    @property
    def provenance(self) -> str:
        """Where the number is from, for the reader."""
        shape = f"{self.median:g}, ×/÷ {self.spread:g}"
        return f"{self.source} (n = {self.n})" if self.source else f"expert prior {shape}"


class AgePeak(_Entry):
    """One peak of the age distribution, years."""

    mean: Annotated[float, Field(ge=0, le=100)]
    sd: Annotated[float, Field(gt=0)]
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    n: int | None = None
    source: str | None = None


class Diagnosis(_Entry):
    """What is known of one diagnosis."""

    label: str
    malignant: bool = False
    frequency: dict[Setting, Annotated[float, Field(gt=0)]]
    frequency_source: str | None = None
    age_years: Annotated[list[AgePeak], Field(min_length=1)]
    sites: dict[str, Annotated[float, Field(gt=0)]]
    sites_source: str | None = None
    sites_n: Annotated[int | None, Field(gt=0)] = None
    phosphate_stated: Proportion | None = None
    signs: dict[str, Proportion]
    quantities: dict[str, LogNormal | dict[Setting, LogNormal]]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if set(self.frequency) != set(SETTINGS):
            raise ValueError(f"frequency must name each of {', '.join(SETTINGS)}")
        if abs(sum(peak.share for peak in self.age_years) - 1) > 0.01:
            raise ValueError("the shares of the age peaks must sum to one")
        for code, value in self.quantities.items():
            if isinstance(value, dict) and set(value) != set(SETTINGS):
                raise ValueError(f"{code} must name each setting, or none")
        return self


class Source(_Entry):
    """A paper, and where to find it."""

    citation: Annotated[str, Field(min_length=10)]
    doi: str | None = None
    pmid: int | None = None


class Sign(_Entry):
    """A sign that is present or absent."""

    label: str
    modality: str
    cost: Annotated[int, Field(ge=1, le=4)]
    usual: Proportion
    group: str | None = None


class Quantity(_Entry):
    """A number, with the range told apart, the reference range, and its usual distribution."""

    label: str
    modality: str
    unit: str
    cost: Annotated[int, Field(ge=1, le=4)]
    grid: tuple[float, float]
    range: tuple[float, float] | None = None
    range_on_dialysis: tuple[float, float] | None = None
    usual: dict[Setting | Literal["any"], LogNormal]

    def usual_in(self, setting: Setting) -> LogNormal:
        """The distribution for a diagnosis that says nothing of this quantity."""
        return self.usual[setting] if setting in self.usual else self.usual["any"]

    @model_validator(mode="after")
    def _covers_settings(self) -> Self:
        if set(self.usual) not in ({"any"}, set(SETTINGS)):
            raise ValueError("usual must name `any`, or each setting")
        return self


class Settings(_Entry):
    """How kidney settings are told: what silence means, and what each statement means."""

    unstated: dict[Setting, Annotated[float, Field(gt=0, lt=1)]]
    untold: dict[Setting, Annotated[float, Field(gt=0, lt=1)]]
    statements: dict[str, dict[Setting, float]]
    labels: dict[str, str]

    @model_validator(mode="after")
    def _shares(self) -> Self:
        for name, share in (("unstated", self.unstated), ("untold", self.untold)):
            if set(share) != set(SETTINGS) or abs(sum(share.values()) - 1) > 0.001:
                raise ValueError(f"{name} must share all patients among {', '.join(SETTINGS)}")
        return self


class Vocabulary(_Entry):
    """The findings the knowledge speaks of."""

    settings: Settings
    signs: dict[str, Sign]
    quantities: dict[str, Quantity]
    sites: dict[str, float]


class Knowledge(_Entry):
    """Vocabulary, diagnoses and the sources they cite."""

    vocabulary: Vocabulary
    diagnoses: dict[str, Diagnosis]
    sources: dict[str, Source]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        words = self.vocabulary
        for name, diagnosis in self.diagnoses.items():
            for kind, used, known in (
                ("sign", diagnosis.signs, words.signs),
                ("quantity", diagnosis.quantities, words.quantities),
                ("site", diagnosis.sites, words.sites),
            ):
                unknown = sorted(set(used) - set(known))
                if unknown:
                    raise ValueError(f"{name}: unknown {kind} {', '.join(unknown)}")
        missing = sorted(set(self.cited()) - set(self.sources))
        if missing:
            raise ValueError(f"sources.yaml lacks {', '.join(missing)}")
        return self

    def cited(self) -> Iterator[str]:
        """The keys of all sources that a number cites."""
        for diagnosis in self.diagnoses.values():
            quantities = [
                entry
                for value in diagnosis.quantities.values()
                for entry in (value.values() if isinstance(value, dict) else [value])
            ]
            cited = [
                diagnosis.sites_source,
                diagnosis.frequency_source,
                *(sign.source for sign in diagnosis.signs.values()),
                *(quantity.source for quantity in quantities),
                *(peak.source for peak in diagnosis.age_years),
            ]
            yield from (source for source in cited if source is not None)


def read_yaml(name: str) -> dict[str, Any]:
    """Read one file of the knowledge folder, refusing a key given twice."""
    text = resources.files("calcinosis.explain").joinpath("knowledge", name).read_text("utf-8")
    content: dict[str, Any] = yaml.load(text, Loader=_Loader)  # noqa: S506 - a CSafeLoader
    return content


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The safe loader, which also refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        if len(set(keys)) < len(keys):
            twice = {key for key in keys if keys.count(key) > 1}
            raise InputError(f"{node.start_mark}: {', '.join(sorted(twice))} given twice")
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def knowledge_from(
    vocabulary: Mapping[str, Any], diagnoses: Mapping[str, Any], sources: Mapping[str, Any]
) -> Knowledge:
    """Validate a knowledge base; an error names the diagnosis and field at fault."""
    try:
        return Knowledge.model_validate(
            {"vocabulary": vocabulary, "diagnoses": diagnoses, "sources": sources}
        )
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(f"knowledge base: {place}: {first['msg']}") from error


@cache
def load_knowledge() -> Knowledge:
    """Load the knowledge that ships with the package."""
    diagnoses: dict[str, Any] = {}
    for name in DIAGNOSIS_FILES:
        diagnoses |= read_yaml(name)
    return knowledge_from(read_yaml("findings.yaml"), diagnoses, read_yaml("sources.yaml"))
