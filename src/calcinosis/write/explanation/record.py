"""An explanation as JSON: what ``diagnose --json`` prints."""

from typing import Any

import orjson

from calcinosis.explain.explanation import Explanation
from calcinosis.lab_result import doubts_about


def explanation_record(explanation: Explanation) -> dict[str, Any]:
    """Differential, red flags, plan and next tests; the dataclasses' own names are the keys."""
    weighed = explanation.differential
    return {
        "differential": weighed.diagnoses,
        "beside": weighed.beside,
        "contradictions": weighed.contradictions,
        "red_flags": explanation.red_flags,
        "plan": explanation.plan,
        "next_tests": explanation.next_tests,
        "passed_over": explanation.patient.passed_over,
        "remarks": doubts_about(explanation.patient.labs),
    }


def case_json(
    explanation: Explanation, case_id: str | int | None = None, *, indented: bool = False
) -> str:
    """One case as a JSON object: ``id`` if given, then the explanation."""
    record = explanation_record(explanation)
    named = record if case_id is None else {"id": case_id, **record}
    return orjson.dumps(named, option=orjson.OPT_INDENT_2 if indented else None).decode()
