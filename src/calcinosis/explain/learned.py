"""What published cases add to the stated knowledge: counts, and only of what most cases tell.

Diagnosis by kidney setting, sex, number of masses, site and age are coded in most published
cases whichever way they turn out. Other signs are mentioned mainly when they are there, so their
counts would mislead and are not learned.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calcinosis.explain.knowledge import SETTINGS, read_yaml

_SETTING_OF = {
    "dialysis_hd": "dialysis",
    "dialysis_pd": "dialysis",
    "dialysis_unspecified": "dialysis",
    "ckd_unspecified": "ckd",
    "ckd_nondialysis": "ckd",
    "transplant": "transplant",
}


@dataclass
class Learned:
    """Counts from cases: by diagnosis, then by what was counted."""

    settings: dict[str, Counter[str]] = field(default_factory=dict)
    signs: dict[str, Counter[str]] = field(default_factory=dict)
    sites: dict[str, Counter[str]] = field(default_factory=dict)
    decades: dict[str, Counter[int]] = field(default_factory=dict)

    def in_setting(self, diagnosis: str, setting: str) -> float:
        """Cases of `diagnosis` in a kidney setting."""
        return float(self.settings.get(diagnosis, Counter())[setting])

    def sign(self, diagnosis: str, code: str) -> tuple[float, float]:
        """Cases with the sign present, and absent."""
        counted = self.signs.get(diagnosis, Counter())
        return float(counted[f"{code}:present"]), float(counted[f"{code}:absent"])

    def site(self, diagnosis: str, site: str) -> float:
        """Cases at a site; a case with several sites is shared among them."""
        return float(self.sites.get(diagnosis, Counter())[site])

    def ages(self, diagnosis: str) -> NDArray[np.float64]:
        """Ages in years, by the middle of their five-year class."""
        counted = self.decades.get(diagnosis, Counter())
        return np.array([5.0 * c + 2.5 for c, n in counted.items() for _ in range(n)])


def learn(cases: Iterable[Mapping[str, Any]]) -> Learned:
    """Count published cases (each with its `final_diagnosis`)."""
    learned = Learned()
    for case in cases:
        name = case["final_diagnosis"]
        setting = _SETTING_OF.get(case.get("ckd") or "none", "none")
        learned.settings.setdefault(name, Counter())[setting] += 1
        signs = learned.signs.setdefault(name, Counter())
        if case.get("sex") in {"F", "M"}:
            signs["female:present" if case["sex"] == "F" else "female:absent"] += 1
        if case.get("bilateral_or_multiple") is not None:
            state = "present" if case["bilateral_or_multiple"] else "absent"
            signs[f"multiple:{state}"] += 1
        sites = case.get("sites") or []
        for site in sites:
            learned.sites.setdefault(name, Counter())[site] += 1 / len(sites)  # type: ignore[assignment]
        if case.get("age_years") is not None:
            learned.decades.setdefault(name, Counter())[int(case["age_years"] // 5)] += 1
    return learned


@cache
def load_learned() -> Learned:
    """Load the counts that ship with the package (`knowledge/learned.yaml`)."""
    content = read_yaml("learned.yaml")
    return Learned(
        **{
            kind: {name: Counter(counts) for name, counts in content[kind].items()}
            for kind in ("settings", "signs", "sites", "decades")
        }
    )


def as_plain(learned: Learned) -> dict[str, dict[str, dict[Any, float]]]:
    """The counts as plain data, sorted, ready for YAML."""
    return {
        kind: {
            name: {key: round(counts[key], 3) for key in sorted(counts)}
            for name, counts in sorted(getattr(learned, kind).items())
        }
        for kind in ("settings", "signs", "sites", "decades")
    }


assert set(_SETTING_OF.values()) | {"none"} == set(SETTINGS)  # noqa: S101 - one vocabulary
