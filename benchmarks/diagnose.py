"""How fast `calcinosis diagnose` is: one case from process start, and 10,000 in one file.

python benchmarks/diagnose.py [NUMBER]   (processor seconds of one core; nothing else should run)
"""

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

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


def seconds(path: Path) -> float:
    """Processor seconds of one run, start of the process included."""
    before = getrusage(RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "calcinosis", "diagnose", str(path), "--json"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print both figures."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        one, many = Path(folder, "case.json"), Path(folder, "cases.jsonl")
        one.write_text(json.dumps(case(0)), encoding="utf-8")
        many.write_text("\n".join(json.dumps(case(at)) for at in range(number)), encoding="utf-8")
        print(f"one case: {min(seconds(one) for _ in range(3)):.2f} s")
        print(f"{number} cases: {seconds(many):.1f} s")


if __name__ == "__main__":
    main()
