"""Every published figure beside the model's, as the table in docs/forecast.md, and populations.

python benchmarks/forecast_table.py [VIRTUAL_PATIENTS]
"""

import sys

import numpy as np
from forecast_cohorts import CUT, PTX, USUAL
from forecast_published import TARGETS
from forecast_targets import figures

from calcinosis.forecast.cohort import simulate_cohort, virtual_patients
from calcinosis.forecast.ensemble import draw
from calcinosis.forecast.labs import SCATTER
from calcinosis.forecast.parameters import population
from calcinosis.forecast.prescription import before_day_0, prescribe
from calcinosis.forecast.scenario import parse_scenario


def main() -> None:
    """Print all."""
    found = figures(population())
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
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    for seeds in ((0,), (1,), (2,), (0, 1, 2)):
        virtual(n, seeds)
    for seed in (0, 1):
        operated(n, seed)
        grafted(n, seed)


def virtual(n: int, seeds: tuple[int, ...]) -> None:
    """Shares in a virtual haemodialysis population, each measured 25 times with scatter."""
    scenario = parse_scenario({"phases": [USUAL]})
    before = before_day_0(scenario.patient, scenario.phases[0])[-1]
    patients = [p for seed in seeds for p in virtual_patients(n, seed=seed)]
    labs = simulate_cohort(patients, before, prescribe(before, scenario.phases))
    random = np.random.default_rng(3)
    seen = {k: v * np.exp(random.normal(0, SCATTER[k], (25, len(v)))) for k, v in labs.items()}
    p, ca, pth = seen["phosphate_mg_dl"], seen["calcium_mg_dl"], seen["pth_pg_ml"]
    product = p * ca
    print(f"\n{len(patients)} virtual patients: phosphate {p.mean():.2f} ± {p.std():.2f}", end="")
    for limit in (5.5, 7, 9):
        print(f", > {limit} {np.mean(p > limit):.1%}", end="")
    print(
        f"; calcium {ca.mean():.2f} ± {ca.std():.2f}; Ca×P > 55 {np.mean(product > 55):.0%}", end=""
    )
    print(f"; PTH median {np.median(pth):.0f}, mean {pth.mean():.0f}", end="")
    print(f", < 150 {np.mean(pth < 150):.0%}, > 300 {np.mean(pth > 300):.0%}")


def operated(n: int, seed: int) -> None:
    """Single measurements after parathyroidectomy with usual care, in patients as are operated on.

    Twice `n` are drawn around the cohort of Wetmore 2016, each measured 25 times. Kept are those
    whose PTH before lies in the middle nine tenths about that cohort's median, 1661 pg/mL, when its
    logarithm spreads as in 372 others (quartiles 937 and 1984 pg/mL: "Risk factors of long-term
    hypocalcemia after parathyroidectomy in dialysis-dependent patients", abstract MO812): 670 to
    4100 pg/mL.
    """
    scenario = parse_scenario({"phases": [USUAL]})
    before = before_day_0(scenario.patient, scenario.phases[0])[-1]
    drawn = draw(PTX.of(population()), 2 * n, seed=seed)
    pth = simulate_cohort(drawn, before, prescribe(before, scenario.phases))["pth_pg_ml"]
    patients = [p for p, level in zip(drawn, pth, strict=True) if 670.0 < level < 4100.0]
    random = np.random.default_rng(3)
    for days, when in ((14, "2 weeks"), (28, "4 weeks"), (63, "9 weeks"), (91, "3 months"),
                       (364, "12 months")):  # fmt: skip
        plan = parse_scenario({"phases": [{**USUAL, "days": days + 1, "event": CUT}]}).phases
        labs = simulate_cohort(patients, before, prescribe(before, plan))
        seen = {k: v * np.exp(random.normal(0, SCATTER[k], (25, len(v)))) for k, v in labs.items()}
        print(f"\n{len(patients)} operated (seed {seed}), {when}:", end="")
        ca = seen["calcium_mg_dl"]
        print(f" calcium {ca.mean():.2f} ± {ca.std():.2f}, quartiles", end="")
        for analyte in ("calcium_mg_dl", "phosphate_mg_dl", "pth_pg_ml"):
            low, middle, high = np.percentile(seen[analyte], [25, 50, 75])
            print(f" {low:.3g} {middle:.3g} {high:.3g}", end=f" {analyte};")
        print(f" calcium ≤ 7.1 {np.mean(ca <= 7.1):.0%}, < 8.4 {np.mean(ca < 8.4):.0%}", end="")
        print(f"; PTH above {np.percentile(seen['pth_pg_ml'], 90):.0f} in a tenth", end="")
    print()


def grafted(n: int, seed: int) -> None:
    """Calcium of virtual haemodialysis patients after transplantation, single measurements."""
    scenario = parse_scenario({"phases": [USUAL]})
    before = before_day_0(scenario.patient, scenario.phases[0])[-1]
    patients = virtual_patients(n, seed=seed)
    pth = simulate_cohort(patients, before, prescribe(before, scenario.phases))["pth_pg_ml"]
    graft = {"transplantation": {"graft_gfr_ml_min": 53}}
    random = np.random.default_rng(3)
    for days in (7, 28, 56, 84, 168, 364):
        plan = parse_scenario({"phases": [{"days": days + 1, "event": graft}]}).phases
        labs = simulate_cohort(patients, before, prescribe(before, plan))
        scatter = random.normal(0, SCATTER["calcium_mg_dl"], (25, len(patients)))
        ca = labs["calcium_mg_dl"] * np.exp(scatter)
        print(
            f"\n{n} grafted (seed {seed}), day {days}: calcium {ca.mean():.2f} ± {ca.std():.2f}",
            end="",
        )
        for name, chosen in (("all", pth > 0.0), ("PTH above 300", pth > 300.0)):
            print(
                f"; > 10.2 {np.mean(ca[:, chosen] > 10.2):.0%} of {name} ({chosen.sum()})", end=""
            )
        print(f"; PTH median {np.median(labs['pth_pg_ml']):.0f}", end="")
    print()


if __name__ == "__main__":
    main()
