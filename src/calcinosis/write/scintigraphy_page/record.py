"""scintigraphy.json: what a mass takes up. The contract is ``calcinosis-scintigraphy/1``."""

import json
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from calcinosis import __version__
from calcinosis.explain.explanation import Explanation
from calcinosis.finding import Finding
from calcinosis.measure.scintigraphy import State, Uptake
from calcinosis.write.explanation.record import explanation_record
from calcinosis.write.record import Amount, Record


class RatioRecord(Record):
    """Mean counts of the mass to those of something else."""

    value: Amount
    ci95: tuple[Amount, Amount]


class UptakeRecord(Record):
    """What was measured."""

    model_config = ConfigDict(title="calcinosis-scintigraphy/1")

    schema_: Literal["calcinosis-scintigraphy/1"] = Field(
        "calcinosis-scintigraphy/1", serialization_alias="schema"
    )
    version: str
    view: str = Field(description="anterior or posterior; empty: not told")
    at: tuple[int, int] = Field(description="column and row of the point, from 0")
    uptake: State
    stands_out: bool = Field(description="false: a disk at the point was measured")
    area_cm2: Amount
    diameter_mm: Amount
    counts: Amount
    to_soft_tissue: RatioRecord
    to_other_side: RatioRecord | None
    outline: Annotated[
        tuple[tuple[int, int, int], ...],
        Field(description="runs of pixels: row, first column, columns"),
    ]
    remarks: tuple[str, ...]


def uptake_json(
    uptake: Uptake,
    found: Finding,
    *,
    view: str,
    at: tuple[int, int],
    remarks: tuple[str, ...],
    explanation: Explanation | None,
) -> str:
    """The text of scintigraphy.json; with an explanation, where something was known."""
    import orjson

    record = UptakeRecord.model_validate(
        {
            "version": __version__,
            "view": view,
            "at": at,
            "uptake": uptake.state,
            "stands_out": uptake.stands_out,
            "area_cm2": uptake.area_cm2,
            "diameter_mm": uptake.diameter_mm,
            "counts": uptake.counts,
            "to_soft_tissue": vars(uptake.to_soft_tissue),
            "to_other_side": vars(uptake.to_other_side) if uptake.to_other_side else None,
            "outline": _runs(uptake),
            "remarks": remarks,
        }
    ).model_dump(mode="json", by_alias=True)
    explained: dict[str, Any] | None = None
    if explanation:
        explained = json.loads(orjson.dumps(explanation_record(explanation)))
    whole = {**record, "findings": [vars(found)], "explanation": explained}
    return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _runs(uptake: Uptake) -> list[tuple[int, int, int]]:
    import numpy as np

    padded = np.pad(uptake.outline, ((0, 0), (1, 1))).astype(np.int8)
    change = np.diff(padded, axis=1)
    starts, ends = np.argwhere(change == 1), np.argwhere(change == -1)
    return [
        (int(row), int(first), int(end - first))
        for (row, first), (_, end) in zip(starts, ends, strict=True)
    ]
