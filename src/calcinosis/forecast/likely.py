"""Of patients drawn from Laplace's spread those that lead to what was measured.

The spread follows the misses along straight lines from the most probable patient. How a deposit
goes bends soon: a little more or less dissolution over months is a quarter of it, or three times
it. So more are drawn, and kept by how much likelier the masses measured make them than the straight
line said (sampling importance resampling, Rubin 1988, Bayesian Statistics 3:395).
"""

import numpy as np
from numpy.typing import NDArray

from calcinosis.forecast.states import Array

CANDIDATES = 4  # drawn for each that is kept


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
