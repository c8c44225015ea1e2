"""Refit the population parameters to the published figures, under priors.

    nice python benchmarks/forecast_calibrate.py [ROUNDS] [--write] [PARAMETER ...]

Every parameter with a `fit_sd` in ``parameters.yaml`` may move, log-normally, around its prior
value (`prior`: what the literature or the first layout gave). A figure counts with a third of its
accepted half-width, floor 4 %; far misses are softened. Damped Gauss-Newton from the values as
they stand, of all parameters or those named; prints the table, and with --write puts the values
into the YAML.
"""

import re
import sys
from pathlib import Path

import numpy as np
from forecast_published import TARGETS
from forecast_targets import figures

from calcinosis.forecast.fit import posterior
from calcinosis.forecast.parameters import population, table

YAML = Path(__file__).parents[1] / "src/calcinosis/forecast/parameters.yaml"


def main() -> None:
    """Fit, show, and write if asked."""
    rounds = int(next((a for a in sys.argv[1:] if a.isdigit()), "6"))
    centre = population()
    spread = {name: row["fit_sd"] for name, row in table().items() if "fit_sd" in row}
    named = [name for name in spread if name in sys.argv[1:]]
    names = named or list(spread)
    sd = np.array([spread[name] for name in names])
    prior = np.array([row_prior(n) for n in names])
    now = np.array([getattr(centre, n) for n in names])

    def values(steps: np.ndarray) -> dict[str, float]:
        return dict(zip(names, prior * np.exp(sd * steps), strict=True))

    def residuals(steps: np.ndarray) -> np.ndarray:
        found = figures(centre._replace(**values(steps)))
        misses = [t.weight * miss(t.value, *t.bounds, found[t.name]) for t in TARGETS]
        soft = np.sign(misses) * np.sqrt(2.0 * (np.sqrt(1.0 + np.square(misses)) - 1.0))
        result = np.concatenate([np.nan_to_num(soft, nan=50.0), steps])
        print(f"{(result**2).sum():.1f}", end=" ", flush=True)
        return result

    steps, _ = posterior(residuals, np.log(now / prior) / sd, rounds=rounds)
    fitted = values(steps)
    print()
    for name, step in zip(names, steps, strict=True):
        print(f"{name:28s}{fitted[name]:10.4g}  {step:+.2f} SD")
    show(figures(centre._replace(**fitted)))
    if "--write" in sys.argv:
        write(fitted)


def row_prior(name: str) -> float:
    """Prior value of a parameter: stated once in the YAML as `prior`, else its value."""
    row = table()[name]
    return float(row.get("prior", row["value"]))


def miss(value: float, low: float, high: float, found: float) -> float:
    """Distance from the published value; 3 stands for the edge of what counts as met."""
    half = max((high - low) / 2.0, 0.12 * abs(value))
    return 3.0 * (found - value) / half


def show(found: dict[str, float]) -> None:
    """Print every figure beside its target."""
    missed = 0
    for t in TARGETS:
        low, high = t.bounds
        met = low <= found[t.name] <= high
        missed += not met
        mark = "" if met else "MISS"
        print(f"{t.name:56s}{t.value:9.2f} [{low:8.2f},{high:8.2f}]{found[t.name]:9.2f} {mark}")
    print(f"{missed} of {len(TARGETS)} missed")


def write(values: dict[str, float]) -> None:
    """Put fitted values into the YAML; a moved parameter keeps its prior beside it."""
    text = YAML.read_text("utf-8")
    for name, value in values.items():
        prior = row_prior(name)
        pattern = rf"^({name}: {{)value: [^,]+,( prior: [^,]+,)?"
        fitted = rf"\g<1>value: {value:.4g}, prior: {prior:g},"
        text = re.sub(pattern, fitted, text, flags=re.MULTILINE)
    YAML.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
