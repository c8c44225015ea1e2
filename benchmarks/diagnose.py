"""How fast `calcinosis diagnose` is: one case from process start, and 10,000 in one file.

python benchmarks/diagnose.py [CASES.json]

Processor seconds of one core, and the ratio to a baseline taken in the same run, for a machine that
does other things beside: importing numpy and pydantic for one case, parsing the answers with
Python's json for many. Without a list of cases, made-up ones that know more than most.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Any

from calcinosis.read.case_file import Case

NUMBER = 10_000
PARSE = "import json, sys; [json.loads(line) for line in open(sys.argv[1])]"
KIDNEYS = ("dialysis_hd", "dialysis_pd", "ckd_unspecified", "transplant", "none", None)
SITES = ("hip", "shoulder", "elbow", "knee", "hand", "thigh", "foot", "spine_cervical")


def case(at: int) -> dict[str, object]:
    """A made-up case that says about as much as a published one."""
    chance = random.Random(at)

    def sign() -> bool | None:
        return chance.choice((True, False, None, None))

    symptoms = ("pain", "limited_motion", "fever", "nerve_compression", "skin_ulcer_or_fistula")
    signs = ("fluid_calcium_level", "cystic_loculated", "bone_erosion_or_osteolysis")
    return {
        "id": at,
        "age_years": chance.randint(5, 85),
        "sex": chance.choice("FM"),
        "ckd": chance.choice(KIDNEYS),
        "sites": [chance.choice(SITES)],
        "max_diameter_cm": round(chance.uniform(1, 20), 1),
        "symptom_duration_months": chance.randint(1, 60),
        "symptoms": {name: sign() for name in symptoms},
        "labs": {
            "calcium_mg_dl": round(chance.uniform(7.5, 12), 1),
            "phosphate_mg_dl": round(chance.uniform(2.5, 10), 1),
            "pth_pg_ml": chance.randint(5, 2500),
        },
        "imaging": {"ct": {name: sign() for name in signs}},
    }


def seconds(*command: str, output: Path = Path(os.devnull)) -> float:
    """Processor seconds of one Python process, its start included."""
    before = getrusage(RUSAGE_CHILDREN)
    with output.open("w", encoding="utf-8") as stream:
        subprocess.run([sys.executable, *command], check=True, stdout=stream)
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def cases() -> list[dict[str, Any]]:
    """The cases of the file given, repeated, without what a case file does not hold."""
    if len(sys.argv) == 1:
        return [case(at) for at in range(NUMBER)]
    given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    stated = [{k: v for k, v in one.items() if k in Case.model_fields} for one in given]
    return [stated[at % len(stated)] for at in range(NUMBER)]


def main() -> None:
    """Print both figures, seconds and ratio."""
    with tempfile.TemporaryDirectory() as folder:
        one, many, answers = (Path(folder, name) for name in ("one.json", "many.jsonl", "answers"))
        told = cases()
        one.write_text(json.dumps(told[0]), encoding="utf-8")
        many.write_text("\n".join(map(json.dumps, told)), encoding="utf-8")
        diagnose = ("-m", "calcinosis", "diagnose")
        start = min(seconds("-c", "import numpy, pydantic.main") for _ in range(5))
        single = min(seconds(*diagnose, str(one), "--json") for _ in range(5))
        print(f"one case: {single:.2f} s, {single / start:.1f} x importing numpy and pydantic")
        taken = seconds(*diagnose, str(many), "--json", output=answers)
        parsing = seconds("-c", PARSE, str(answers))
        print(f"{NUMBER} cases: {taken:.1f} s, {taken / parsing:.1f} x parsing the answers")


if __name__ == "__main__":
    main()
