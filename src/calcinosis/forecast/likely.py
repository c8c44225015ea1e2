"""Of patients drawn from Laplace's spread those that lead to what was measured.

The spread follows the misses along straight lines from the most probable patient. How a deposit
goes bends soon: a little more or less dissolution over months is a quarter of it, or three times
it. So more are drawn, and kept by how much likelier the masses measured make them than the straight
line said (sampling importance resampling, Rubin 1988, Bayesian Statistics 3:395).
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from calcinosis.forecast.ensemble import Member, antithetic, moved
from calcinosis.forecast.observed import followed_masses
from calcinosis.forecast.parameters import patient_spread
from calcinosis.forecast.patient_in_hand import FITTED_TO_OPERATION, PatientInHand
from calcinosis.forecast.states import Array

CANDIDATES = 4  # drawn for each that is kept
RULED_OUT = 1e-3  # share of conceivable patients that fit so badly: ours
HALVINGS = 6


def conceivable(
    mine: PatientInHand, best: Array, jacobian: Array, covariance: Array, n: int
) -> list[Member]:
    """Draw `n` patients that the results leave possible.

    Args:
        mine: the patient in hand.
        best: steps of the most probable.
        jacobian: slopes of its `residuals` there.
        covariance: of the steps, by these slopes.
        n: how many.
    """
    followed = followed_masses(mine.observed)
    drawn = n * CANDIDATES if followed.any() else n
    draws = best + antithetic(drawn, len(best)) @ np.linalg.cholesky(covariance).T
    others = {name: sd for name, sd in patient_spread().items() if name not in mine.free}
    unknown = antithetic(drawn, len(others), seed=7)
    hidden = _hiding(mine, best)

    def member(index: int) -> tuple[Member, Array]:
        """A conceivable patient, and by how much it misses the masses that were measured again."""
        p, gland = mine.at(hidden(draws[index]))
        one, excess = mine.lived(moved(p, others, unknown[index]), gland)
        return one, mine.misses(excess)[followed]

    with ThreadPoolExecutor() as pool:
        candidates = list(pool.map(member, range(drawn)))
    members = [one for one, _ in candidates]
    if not followed.any():
        return members
    results = len(mine.observed)
    straight = mine.residuals(best)[:results] + (draws - best) @ jacobian[:results].T
    off = np.array([misses for _, misses in candidates])
    return [members[index] for index in likely(off, straight[:, followed], n)]


def _hiding(mine: PatientInHand, best: Array) -> Callable[[Array], Array]:
    """What turns a draw into one with no more tissue overlooked than the results could hide.

    Until it outweighs the remnant it does nothing, so a spread taken at `best` knows no bound.
    """
    from scipy.special import chdtri

    free = list(mine.free)
    if FITTED_TO_OPERATION[1] not in free:
        return lambda draw: draw
    column, misses = free.index(FITTED_TO_OPERATION[1]), mine.residuals(best)
    allowed = misses @ misses + chdtri(len(best), RULED_OUT)

    def hidden(draw: Array) -> Array:
        drawn = draw.copy()
        for _ in range(HALVINGS):
            misses = mine.residuals(drawn)
            if misses @ misses <= allowed or drawn[column] <= best[column]:
                break
            drawn[column] = (drawn[column] + best[column]) / 2.0
        return drawn

    return hidden


def likely(misses: Array, straight: Array, count: int) -> NDArray[np.int64]:
    """Choose `count` of the drawn patients, the likelier more often.

    Args:
        misses: of each result by each patient, in the result's SD [patients, results].
        straight: the same along straight lines, by which they were drawn.
        count: how many are chosen.

    Returns:
        Their indices; evenly through the ranks of likelihood (systematic resampling).
    """
    logarithm = 0.5 * ((straight**2).sum(axis=1) - (misses**2).sum(axis=1))
    weight = np.exp(logarithm - logarithm.max())
    reached = np.cumsum(weight) / weight.sum()
    return np.searchsorted(reached, (np.arange(count) + 0.5) / count)
