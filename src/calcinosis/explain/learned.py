"""What published cases add to the stated knowledge: how often each diagnosis is met.

Only the frequency of the diagnoses by kidney setting is counted. Learning sex, sites and ages too
was tried and made nothing better; other signs are mentioned mainly when they are there, so their
counts would mislead (docs/diagnosis.md).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from calcinosis.explain.knowledge import Setting, read_yaml

# Cases that do not mention the kidneys are counted with those whose kidneys are well.
_SETTING_OF: dict[str | None, Setting] = {
    "dialysis_hd": "dialysis",
    "dialysis_pd": "dialysis",
    "dialysis_unspecified": "dialysis",
    "ckd_unspecified": "ckd",
    "ckd_nondialysis": "ckd",
    "transplant": "transplant",
    "none": "none",
    None: "none",
}

Learned = Mapping[str, Mapping[Setting, int]]
"""Published cases counted by diagnosis and kidney setting."""


def learn(cases: Iterable[Mapping[str, Any]]) -> Learned:
    """Count published cases, each with its `final_diagnosis` and `ckd`."""
    counts: dict[str, Counter[Setting]] = {}
    for case in cases:
        setting = _SETTING_OF[case.get("ckd")]
        counts.setdefault(case["final_diagnosis"], Counter())[setting] += 1
    return {name: dict(sorted(counted.items())) for name, counted in sorted(counts.items())}


@cache
def load_learned() -> Learned:
    """Load the counts that ship with the package (`knowledge/learned.yaml`)."""
    learned: Learned = read_yaml("learned.yaml")
    return learned
