"""Laboratory results as the fit takes them: which column, which day, and how far they scatter."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray

from calcinosis.errors import InputError
from calcinosis.forecast.labs import SCATTER, WANDER
from calcinosis.forecast.scenario import MOST_DEPOSIT_CALCIUM_G, Lab
from calcinosis.forecast.states import Array
from calcinosis.lab_result import LabResult

MOST_YEARS_BACK = 50.0  # between results: ours, more is a slip of the date
NORMAL_ALP_U_L = 75.0  # mid-normal
ALP_SD = 0.35  # of the logarithm, between healthy people; all results of a patient share it
# Analytes of the laboratory, of the scenario file, and the forecast's column they belong to.
COLUMNS = {
    "calcium": "calcium_mg_dl",
    "corrected_calcium": "calcium_mg_dl",
    "phosphate": "phosphate_mg_dl",
    "pth": "pth_pg_ml",
    "alp": "alp_relative",
}
BOUND = {"": 0, ">": 1, "<": -1}


@dataclass(frozen=True)
class Observation:
    """One result: days from today (negative), column, value, SD of its logarithm.

    `bound`: 1 where the laboratory gave only that it is more, -1 less, 0 where the value is known.
    """

    day: int
    column: str
    value: float
    sd: float
    after_session: bool = False
    bound: int = 0


def observations(labs: Sequence[Lab]) -> tuple[list[Observation], date]:
    """Results in the forecast's units, and the day of the last, which counts as today.

    Raises:
        InputError: a result whose analyte, unit or value cannot be used.
    """
    today = max(lab.date for lab in labs)
    found = []
    for number, lab in enumerate(labs, start=1):
        try:
            found.append(_observation(lab, (lab.date - today).days))
        except InputError as error:
            raise InputError(f"patient.labs: result {number}: {error}") from error
    return found, today


def _observation(lab: Lab, day: int) -> Observation:
    if -day > 365.25 * MOST_YEARS_BACK:
        raise InputError(
            f"date {lab.date} lies more than {MOST_YEARS_BACK:g} years before the last result"
        )
    if lab.analyte == "deposit_calcium":
        if lab.unit != "g":
            raise InputError(f"deposit_calcium in {lab.unit!r}; expected 'g'")
        if lab.value > MOST_DEPOSIT_CALCIUM_G:
            raise InputError(
                f"deposit_calcium {lab.value:g} g; expected at most {MOST_DEPOSIT_CALCIUM_G:g}"
            )
        if lab.date > datetime.now().astimezone().date():
            raise InputError(f"date {lab.date} lies in the future")
        column = "deposit_calcium_g"
        return Observation(day, column, lab.value, SCATTER[column], bound=BOUND[lab.comparator])
    after = lab.analyte == "phosphate_post"
    name = "phosphate" if after else lab.analyte
    result = LabResult.measured(name, lab.value, lab.unit, lab.date)
    if result.analyte not in COLUMNS:
        known = ", ".join([*COLUMNS, "phosphate_post", "deposit_calcium"])
        raise InputError(f"analyte {lab.analyte!r} is not fitted; expected one of {known}")
    column = COLUMNS[result.analyte]
    sd = float(np.hypot(SCATTER[column], WANDER[column]))
    value = result.value / NORMAL_ALP_U_L if column == "alp_relative" else max(result.value, 0.1)
    return Observation(day, column, value, sd, after, BOUND[lab.comparator])


def joint_scatter(observed: Sequence[Observation]) -> Array:
    """Square root of the covariance of the results' logarithms, [results, results].

    Each result scatters for itself. How far a patient's ALP is from others' for no reason of bone
    stays the same from day to day: many tell hardly more of its level than one, but of its trend.
    """
    alp = np.array([o.column == "alp_relative" for o in observed], dtype=np.float64)
    own = np.diag([o.sd**2 for o in observed])
    return np.linalg.cholesky(own + ALP_SD**2 * np.outer(alp, alp)).astype(np.float64)


def beyond_bounds(misses: Array, bound: NDArray[np.int64]) -> Array:
    """Misses as they are, but of a bound only what it tells: how unlikely a value beyond it is.

    Half the square is minus the logarithm of that probability, so next to nothing far beyond.
    """
    from scipy.special import log_ndtr

    unlikely = np.sqrt(-2.0 * log_ndtr(-bound * misses))
    return np.where(bound == 0, misses, unlikely)


def followed_masses(observed: Sequence[Observation]) -> NDArray[np.bool_]:
    """Which results are a deposit measured again; the first is where its course begins."""
    masses = np.array([one.column == "deposit_calcium_g" for one in observed])
    first = min((one.day for one, mass in zip(observed, masses, strict=True) if mass), default=0)
    again = np.array([one.day > first for one in observed])
    return np.asarray(masses & again, dtype=np.bool_)
