"""How good is the differential? Measured on published cases, each left out of what is learned.

python benchmarks/differential.py [CASES.json]            leave-one-out, with baselines
python benchmarks/differential.py CASES.json --shipped    the package as it ships
python benchmarks/differential.py [CASES.json] --learn    rewrite knowledge/learned.yaml
"""

import argparse
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from calcinosis.explain.differential import differential
from calcinosis.explain.findings import findings_of_case
from calcinosis.explain.knowledge import load_knowledge
from calcinosis.explain.learned import learn
from calcinosis.explain.management import circumstances_of
from calcinosis.explain.red_flags import red_flags
from calcinosis.explain.tables import Tables, load_tables, relearned
from calcinosis.finding import Finding
from calcinosis.read.case_file import Case, validated

HOUSE = Path(__file__).parents[1]
CASES = HOUSE.parent / "shared/cases/published_cases.json"
LEARNED = HOUSE / "src/calcinosis/explain/knowledge/learned.yaml"
PRIMARY = "primary tumoral calcinosis"
PRIMARY_FORMS = frozenset(
    {
        "tc_primary_hyperphosphatemic",
        "tc_primary_normophosphatemic",
        "tc_primary_unspecified",
    }
)
INFORMATION = (("little", 0.0, 7.0), ("some", 7.0, 11.0), ("much", 11.0, 99.0))
BASELINE_COUNT = 0.3
RESAMPLES = 1000
SHAKES = 12

Coded = dict[str, Any]
Probabilities = dict[str, float]
Predictor = Callable[..., Probabilities]


@dataclass(frozen=True, eq=False)
class Result:
    """One case: the probabilities, the truth, and where the truth ranks."""

    case: Coded
    probabilities: Probabilities
    truth: str

    @cached_property
    def order(self) -> list[str]:
        """Diagnoses, likeliest first."""
        return sorted(self.probabilities, key=lambda d: -self.probabilities[d])

    @cached_property
    def rank(self) -> int:
        """Place of the truth, from 1."""
        return self.order.index(self.truth) + 1


def phosphate_known(case: Coded) -> bool:
    """Whether the case states phosphate in any way."""
    codes = {f.code.rsplit("_", 1)[0] if "_" in f.code else f.code for f in findings_of_case(case)}
    return "phosphate" in codes


def judged(case: Coded, probabilities: Mapping[str, float]) -> Result:
    """Join the primary forms into one where phosphate is not known."""
    truth = case["final_diagnosis"]
    if phosphate_known(case):
        return Result(case, dict(probabilities), truth)
    joined = {d: p for d, p in probabilities.items() if d not in PRIMARY_FORMS}
    joined[PRIMARY] = sum(probabilities[d] for d in PRIMARY_FORMS)
    return Result(case, joined, PRIMARY if truth in PRIMARY_FORMS else truth)


def ours(case: Coded, others: Sequence[Coded], tables: Tables | None = None) -> Probabilities:
    """Our differential, its frequencies learned from the other cases."""
    learned = relearned(tables or load_tables(), load_knowledge(), learn(others))
    found = differential(findings_of_case(case), learned)
    return {d.diagnosis: d.probability for d in found.diagnoses}


def shipped(case: Coded, _others: Sequence[Coded]) -> Probabilities:
    """Our differential with the knowledge that ships."""
    return {d.diagnosis: d.probability for d in differential(findings_of_case(case)).diagnoses}


def dialysis_rule(case: Coded, others: Sequence[Coded]) -> Probabilities:
    """Call it uremic on dialysis or in kidney failure, else primary; the rest as counted."""

    def kidney(one: Coded) -> bool:
        return one["ckd"] not in {None, "none"}

    names = load_tables().names
    counts = dict.fromkeys(names, BASELINE_COUNT)
    for other in others:
        if kidney(other) == kidney(case):
            counts[other["final_diagnosis"]] += 1
    return _scaled(counts)


def _scaled(weights: Mapping[str, float]) -> Probabilities:
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def features(case: Coded) -> set[str]:
    """The same findings as words, numbers in classes."""
    return {_word(finding) for finding in findings_of_case(case)}


def _word(finding: Finding) -> str:
    if finding.value is None:
        return f"{finding.code}:{finding.state}"
    if finding.code == "age":
        return f"age:{int(finding.value // 15)}"
    return f"{finding.code}:{round(math.log2(max(finding.value, 0.01)))}"


def naive_bayes(case: Coded, others: Sequence[Coded]) -> Probabilities:
    """Counts alone: each feature known in the case, with 0.3 added to every count."""
    names = load_tables().names
    known = features(case)
    logs = {}
    for name in names:
        mine = [features_of(o) for o in others if o["final_diagnosis"] == name]
        logs[name] = math.log(len(mine) + BASELINE_COUNT)
        for word in known:
            has = sum(word in seen for seen in mine)
            told = sum(any(w.split(":")[0] == word.split(":")[0] for w in seen) for seen in mine)
            logs[name] += math.log((has + BASELINE_COUNT) / (told + 2 * BASELINE_COUNT))
    peak = max(logs.values())
    return _scaled({name: math.exp(log - peak) for name, log in logs.items()})


_FEATURES: dict[int, set[str]] = {}


def features_of(case: Coded) -> set[str]:
    """Features of a case, remembered."""
    return _FEATURES.setdefault(id(case), features(case))


def logistic_regression(case: Coded, others: Sequence[Coded]) -> Probabilities:
    """Multinomial logistic regression on the same features."""
    from sklearn.linear_model import LogisticRegression

    counts = Counter(word for other in others for word in features_of(other))
    words = [word for word, count in sorted(counts.items()) if count > 1]
    rows = np.array([[word in features_of(o) for word in words] for o in [*others, case]], float)
    model = LogisticRegression(max_iter=100, tol=1e-3)
    model.fit(rows[:-1], [o["final_diagnosis"] for o in others])
    found = dict(zip(model.classes_, model.predict_proba(rows[-1:])[0], strict=True))
    floor = 1e-3  # a diagnosis not among the others cannot be predicted at all
    return _scaled({name: float(found.get(name, 0.0)) + floor for name in load_tables().names})


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % Wilson interval of a proportion."""
    z, p = 1.96, hits / n
    centre, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n)


def calibration_error(confidence: NDArray[Any], hit: NDArray[Any]) -> float:
    """Expected calibration error of the first diagnosis, ten bins of equal width."""
    place = np.minimum((confidence * 10).astype(int), 9)
    surplus = np.bincount(place, weights=confidence - hit, minlength=10)
    return float(np.abs(surplus).sum() / len(confidence))


def proportion(hits: int, n: int) -> str:
    """Percentage with its interval."""
    if n == 0:
        return "none"
    low, high = wilson(hits, n)
    return f"{hits / n:5.1%} ({low:.0%}-{high:.0%}; {hits}/{n})"


def resampled(results: Sequence[Result], measure: Callable[[Sequence[Result]], float]) -> str:
    """A measure with its 95 % bootstrap interval."""
    draw = np.random.default_rng(1)
    values = [
        measure([results[i] for i in draw.integers(0, len(results), len(results))])
        for _ in range(RESAMPLES)
    ]
    low, high = np.percentile(values, [2.5, 97.5])
    return f"{measure(results):.3f} ({low:.2f}-{high:.2f})"


def log_loss(results: Sequence[Result]) -> float:
    """Mean negative log probability of the truth, in nats."""
    return float(np.mean([-math.log(max(r.probabilities[r.truth], 1e-12)) for r in results]))


def calibration(results: Sequence[Result]) -> float:
    """Expected calibration error of a set of results."""
    confidence = np.array([max(r.probabilities.values()) for r in results])
    return calibration_error(confidence, np.array([r.rank == 1 for r in results], float))


def calibration_by_chance(results: Sequence[Result]) -> float:
    """What the calibration error would be, on average, if every probability were exact."""
    draw = np.random.default_rng(2)
    confidence = np.array([max(r.probabilities.values()) for r in results])
    return float(
        np.mean(
            [
                calibration_error(confidence, (draw.random(len(confidence)) < confidence) * 1.0)
                for _ in range(RESAMPLES)
            ]
        )
    )


def line(name: str, results: Sequence[Result]) -> str:
    """One row of a table."""
    n = len(results)
    first, third = sum(r.rank == 1 for r in results), sum(r.rank <= 3 for r in results)
    return (
        f"| {name} | {n} | {proportion(first, n)} | {proportion(third, n)} "
        f"| {resampled(results, log_loss)} |"
    )


def report(results: Sequence[Result]) -> None:
    """Print what the issue asks for."""
    uremic = [r for r in results if r.truth == "tc_uremic"]
    other = [r for r in results if r.truth != "tc_uremic"]
    found = sum(r.order[0] == "tc_uremic" for r in uremic)
    spared = sum(r.order[0] != "tc_uremic" for r in other)
    knowledge = load_knowledge().diagnoses
    malignant = {name for name, d in knowledge.items() if d.malignant}
    tumours = [r for r in results if r.truth in malignant]
    flagged = [r for r in results if sarcoma_flagged(r)]
    print(f"\nuremic first: sensitivity {proportion(found, len(uremic))}")
    print(f"              specificity {proportion(spared, len(other))}")
    ranked = sum(r.rank <= 3 for r in tumours)
    safe = sum(r.rank <= 3 or r in flagged for r in tumours)
    print(f"malignant in the first three: {proportion(ranked, len(tumours))}")
    print(f"    or with a sarcoma flag:   {proportion(safe, len(tumours))}")
    false = sum(r not in tumours for r in flagged)
    print(f"sarcoma flag in others:       {proportion(false, len(results) - len(tumours))}")
    print(
        f"calibration error {resampled(results, calibration)}; "
        f"{calibration_by_chance(results):.3f} expected by chance alone"
    )


def sarcoma_flagged(result: Result) -> bool:
    """Whether a red flag asks to exclude sarcoma, at these probabilities."""
    stated = {k: v for k, v in result.case.items() if k in Case.model_fields}
    forms = {d: result.probabilities.get(d, 0.0) for d in load_tables().names}
    facts = circumstances_of(
        validated(Case, stated, result.case["id"]).patient(),
        findings_of_case(result.case),
        forms,
    )
    return any(flag.flag.startswith("sarcoma") for flag in red_flags(facts))


def by_information(results: Sequence[Result]) -> None:
    """Print the table by how much a case tells, and by kind."""
    print("\n| information | n | top-1 | top-3 | log-loss |\n|---|---|---|---|---|")
    for name, low, high in INFORMATION:
        some = [r for r in results if low <= (r.case.get("info_score") or 0) < high]
        if some:
            print(line(f"{name} (score {low:g} to {high:g})", some))
    print("\n| kind | n | top-1 | top-3 | log-loss |\n|---|---|---|---|---|")
    kinds = {
        "uremic": lambda d: d == "tc_uremic",
        "primary": lambda d: d in PRIMARY_FORMS,
        "mimics": lambda d: not d.startswith("tc_"),
    }
    for name, belongs in kinds.items():
        print(line(name, [r for r in results if belongs(r.case["final_diagnosis"])]))


def measured(cases: Sequence[Coded], predict: Predictor) -> list[Result]:
    """Predict each case from the others."""
    return [judged(case, predict(case, [o for o in cases if o is not case])) for case in cases]


def shaken(tables: Tables, draw: np.random.Generator) -> Tables:
    """The tables with every number moved at random by its stated width; a quantity as a whole."""
    noise = draw.standard_normal(tables.variance.shape)
    starts = sorted({grid.first_row for grid in tables.grids.values()})
    for start, end in zip(starts, [*starts[1:], len(noise)], strict=True):
        noise[start:end] = noise[start]
    moved = noise * np.sqrt(tables.variance)
    return replace(tables, loglik=tables.loglik + moved)


def by_width(cases: Sequence[Coded], predict: Predictor) -> None:
    """Print how far the results hang on the exact numbers of the knowledge base."""
    draw = np.random.default_rng(3)
    scores = []
    for _ in range(SHAKES):
        tables = shaken(load_tables(), draw)
        found = measured(cases, lambda case, others: predict(case, others, tables))  # noqa: B023 - used at once
        ranks = np.array([r.rank for r in found])
        scores.append(((ranks == 1).mean(), (ranks <= 3).mean(), log_loss(found)))
    mean, low, high = np.mean(scores, 0), np.min(scores, 0), np.max(scores, 0)
    print(f"\nevery number moved by its width, {SHAKES} times: mean (lowest-highest)")
    for name, *figures in zip(("top-1", "top-3", "log-loss"), mean, low, high, strict=True):
        print("{}: {:.2f} ({:.2f}-{:.2f})".format(name, *figures))


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="?", type=Path, default=CASES)
    parser.add_argument("--learn", action="store_true", help="rewrite the shipped counts")
    parser.add_argument("--shipped", action="store_true", help="measure the package as it ships")
    options = parser.parse_args()
    cases = json.loads(options.cases.read_text())
    if options.learn:
        text = "# Published cases by diagnosis and kidney setting: counts, see docs/diagnosis.md.\n"
        LEARNED.write_text(text + yaml.safe_dump(dict(learn(cases)), sort_keys=True))
        return
    predictors: dict[str, Predictor] = {"this differential": shipped if options.shipped else ours}
    if not options.shipped:
        predictors |= {
            "dialysis means uremic, else primary": dialysis_rule,
            "logistic regression": logistic_regression,
            "naive Bayes, add 0.3": naive_bayes,
        }
    print("| method | n | top-1 | top-3 | log-loss |\n|---|---|---|---|---|")
    results = {name: measured(cases, predict) for name, predict in predictors.items()}
    for name, found in results.items():
        print(line(name, found))
    report(results["this differential"])
    by_information(results["this differential"])
    if not options.shipped:
        by_width(cases, ours)


if __name__ == "__main__":
    main()
