"""Does the 90 % band hold the next quarter's laboratory? On simulated patients with model error.

    python benchmarks/forecast_coverage.py [PATIENTS] [SEED]

Each true patient differs from the population in every fitted parameter of the model (a fifth of
its calibration prior), beside the spread between patients; phosphate intake wanders from month to
month (SD 8 %). A year of monthly results with measurement scatter (of PTH and alkaline phosphatase,
ALP, quarterly) is fitted; the next quarter's nine results other than ALP are looked up in the
forecast's band. Prints coverage by analyte, the 90 % interval of all together (patients drawn anew
from those simulated) and seconds per fit.
"""

import sys
import time
from datetime import date, timedelta

import numpy as np

from calcinosis.forecast.ensemble import moved
from calcinosis.forecast.labs import SCATTER, laboratory
from calcinosis.forecast.observed import ALP_SD, NORMAL_ALP_U_L
from calcinosis.forecast.outlook import Outlook, forecast
from calcinosis.forecast.parameters import Parameters, patient_spread, population, table
from calcinosis.forecast.patient_in_hand import own_bone
from calcinosis.forecast.prescription import before_day_0, prescribe
from calcinosis.forecast.scenario import Scenario, parse_scenario
from calcinosis.forecast.simulate import simulate, starting_state
from calcinosis.forecast.treatments import timeline

SERUM = {"calcium": "calcium_mg_dl", "phosphate": "phosphate_mg_dl", "pth": "pth_pg_ml"}
UNITS = {"calcium": "mg/dL", "phosphate": "mg/dL", "pth": "pg/mL", "alp": "U/L"}
QUARTERLY = ("pth", "alp")
MODEL_ERROR = 0.2
INTAKE_WANDER = 0.08
MONTHS, NEXT = 12, 3


def true_patient(random: np.random.Generator) -> Parameters:
    """A patient unlike the population in every parameter."""
    p = population()
    spread = {name: MODEL_ERROR * row["fit_sd"] for name, row in table().items() if "fit_sd" in row}
    p = moved(p, spread, random.standard_normal(len(spread)))
    between = patient_spread()
    return moved(p, between, np.clip(random.standard_normal(len(between)), -2, 2))


def truth(p: Parameters, scenario: Scenario, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Monthly results before the midweek session, with scatter; [MONTHS + NEXT] by analyte."""
    before = before_day_0(scenario.patient, scenario.phases[0])[-1]
    state = starting_state(p, before)
    course = timeline(prescribe(before, [scenario.phases[0].model_copy(update={"days": 28})]), p)
    rows = []
    for _ in range(MONTHS + NEXT):
        month = p._replace(
            p_intake_factor=p.p_intake_factor * np.exp(random.normal(0, INTAKE_WANDER))
        )
        trajectory = simulate(state, month, course)
        state = trajectory.states[-1]
        rows.append(laboratory(state, trajectory.pth[-1], month))
    other_alp = NORMAL_ALP_U_L * np.exp(random.normal(0, ALP_SD))  # beside bone
    return {
        name: np.array([row[column] for row in rows])
        * np.exp(random.normal(0, SCATTER[column], len(rows)))
        * (other_alp * own_bone(p, population()) if name == "alp" else 1.0)
        for name, column in {**SERUM, "alp": "alp_relative"}.items()
    }


def scenario_of(results: dict[str, np.ndarray]) -> Scenario:
    """The first year as a scenario file would give it."""
    first = date(2024, 1, 3)
    labs = [
        {"date": first + timedelta(28 * i), "analyte": name, "value": float(v), "unit": UNITS[name]}
        for name, values in results.items()
        for i, v in enumerate(values[:MONTHS])
        if name not in QUARTERLY or i % 3 == 2
    ]
    return parse_scenario({"patient": {"labs": labs}, "phases": [PHASE]})


PHASE = {
    "days": 28 * NEXT + 1,
    "dialysis": {},
    "binder": {"drug": "sevelamer", "g_per_day": 4.8},
    "active_vitamin_d_ug_per_week": 2,
}


def covered(outlook: Outlook, results: dict[str, np.ndarray]) -> dict[str, list[bool]]:
    """Whether each of the next quarter's results lies in the band."""
    course = outlook.courses[0]
    found = {}
    for name, column in SERUM.items():
        rows = [int(np.abs(course.day - 28 * i).argmin()) for i in range(1, NEXT + 1)]
        pairs = zip(rows, results[name][MONTHS:], strict=True)
        found[name] = [bool(course.low[column][r] <= v <= course.high[column][r]) for r, v in pairs]
    return found


def coverage(patients: int, *, seed: int = 5, ensemble: int = 64) -> dict[str, float]:
    """Share of results inside the band, by analyte and `all`, with interval; `seconds` each."""
    random = np.random.default_rng(seed)
    plain = parse_scenario({"phases": [PHASE]})
    inside: dict[str, list[list[bool]]] = {name: [] for name in SERUM}
    started = time.perf_counter()
    for _ in range(patients):
        results = truth(true_patient(random), plain, random)
        hits = covered(forecast(scenario_of(results), ensemble=ensemble), results)
        for name in SERUM:
            inside[name].append(hits[name])
    seconds = (time.perf_counter() - started) / patients
    by_patient = np.mean([np.mean(hits, axis=1) for hits in inside.values()], axis=0)
    again = random.choice(by_patient, (2000, patients)).mean(axis=1)
    low, high = np.percentile(again, [5, 95])
    shares = {name: float(np.mean(hits)) for name, hits in inside.items()}
    return shares | {
        "all": float(by_patient.mean()), "low": low, "high": high, "seconds": seconds,
    }  # fmt: skip


if __name__ == "__main__":
    given = [int(a) for a in sys.argv[1:]]
    many, chosen = given + [60, 5][len(given) :]
    for key, value in coverage(many, seed=chosen).items():
        print(f"{key:10s} {value:.3f}")
