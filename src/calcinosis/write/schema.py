"""The JSON Schema of result.json. ``python -m calcinosis.write.schema`` writes it anew."""

import json
from pathlib import Path
from typing import Any

from calcinosis.write.result import Result

SCHEMA_FILE = Path(__file__).with_name("result.schema.json")


def result_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of ``calcinosis/1``, drawn from the models."""
    schema = Result.model_json_schema(mode="serialization", by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def schema_text() -> str:
    """What the shipped schema file must hold."""
    return json.dumps(result_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
