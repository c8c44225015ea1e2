"""Every published figure beside the model's, as the table in docs/forecast.md, and a population.

python benchmarks/forecast_table.py [VIRTUAL_PATIENTS]
"""

import sys

import numpy as np
from forecast_published import TARGETS
from forecast_targets import PTX, SHPT, USUAL, figures

from calcinosis.forecast.cohort import simulate_cohort, virtual_patients
from calcinosis.forecast.labs import SCATTER
from calcinosis.forecast.parameters import population
from calcinosis.forecast.scenario import parse_scenario
from calcinosis.forecast.treatments import before_day_0, prescribe


def main() -> None:
    """Print both."""
    found = figures(population(), SHPT, PTX)
    evidence = [t for t in TARGETS if not t.recalled]
    met = sum(t.bounds[0] <= found[t.name] <= t.bounds[1] for t in evidence)
    print(f"{met} of {len(evidence)} figures met\n")
    print("| figure | published | counts as met | model | | source |\n|---|---|---|---|---|---|")
    for t in evidence:
        low, high = t.bounds
        mark = "" if low <= found[t.name] <= high else "missed"
        print(
            f"| {t.name} ({t.unit}) | {t.value:g} | {low:.3g} to {high:.3g} | "
            f"{found[t.name]:.3g} | {mark} | {t.source} |"
        )
    virtual(int(sys.argv[1]) if len(sys.argv) > 1 else 200)


def virtual(n: int) -> None:
    """Shares in a virtual haemodialysis population, single measurements with their scatter."""
    scenario = parse_scenario({"phases": [USUAL]})
    before = before_day_0(scenario.patient, scenario.phases[0])[-1]
    labs = simulate_cohort(virtual_patients(n), before, prescribe(before, scenario.phases))
    random = np.random.default_rng(3)
    seen = {k: v * np.exp(random.normal(0, SCATTER[k], n)) for k, v in labs.items()}
    p, ca, pth = seen["phosphate_mg_dl"], seen["calcium_mg_dl"], seen["pth_pg_ml"]
    product = p * ca
    print(f"\n{n} virtual patients: phosphate {p.mean():.2f} ± {p.std():.2f}", end="")
    for limit in (5.5, 7, 9):
        print(f", > {limit} {np.mean(p > limit):.0%}", end="")
    print(
        f"; calcium {ca.mean():.2f} ± {ca.std():.2f}; Ca×P > 55 {np.mean(product > 55):.0%}", end=""
    )
    print(f"; PTH median {np.median(pth):.0f}, mean {pth.mean():.0f}", end="")
    print(f", < 150 {np.mean(pth < 150):.0%}, > 300 {np.mean(pth > 300):.0%}")


if __name__ == "__main__":
    main()
