"""The soft-tissue deposit: hydroxyapatite that grows from serum and dissolves into it.

Compiled with numba, as ``model.py``, which holds the rest of the patient.
"""

from collections.abc import Sequence

from numba import njit

from calcinosis.forecast.parameters import Parameters
from calcinosis.forecast.states import DEPOSIT_LABILE, DEPOSIT_MATURE, Array


def equal_masses(calcium_g: Sequence[float]) -> float:
    """How many masses of one size have as much surface as these, of the same calcium together.

    Surface goes with the power 2/3 of what a mass holds; so masses of 12, 5 and 3 g are as 2.7.
    """
    together = sum(calcium_g)
    if together <= 0.0:
        return 1.0
    return max(1.0, float(sum((one / together) ** (2.0 / 3.0) for one in calcium_g)) ** 3)


@njit(cache=True, nogil=True)
def rounded_excess(x: float, width: float) -> float:
    """max(0, x), rounded smoothly over `width` so that the integrator sees no corner."""
    if x <= 0.0:
        return 0.0
    if x >= width:
        return x - 0.5 * width
    return 0.5 * x * x / width


@njit(cache=True, nogil=True)
def apatite_product(calcium: float, phosphate: float, p: Parameters) -> float:
    """Ca x P (mmol2/L2) as hydroxyapatite feels it: at normal calcium the product itself.

    Its solubility product holds five calcium for three phosphate, so that of one Ca x P the serum
    with more calcium lets it grow more. Non-visceral deposits of 21 uraemic patients are of it
    (Ca/P 1.67, Contiguglia 1973, Kidney Int 4:229), so are the masses of tumoral calcinosis
    (Boskey 1983, Clin Orthop 178:258).
    """
    return float(p.ca_ref * phosphate * (calcium / p.ca_ref) ** p.mineral_ca_per_p)


@njit(cache=True, nogil=True)
def grown_and_lost(y: Array, product: float, p: Parameters) -> tuple[float, float, float]:
    """Deposit growth and dissolution of its labile and mature part (mmol calcium per h).

    Grows above one `apatite_product`, dissolves below a lower one, rests between. Acts at its
    surface, hence the power 2/3; of several masses `deposit_ref` is so much larger (see
    `parameters.population`). `nucleation` is the surface a patient without a deposit offers.
    """
    labile = max(y[DEPOSIT_LABILE], 0.0)
    mature = max(y[DEPOSIT_MATURE], 0.0)
    mass = labile + mature
    surface = p.deposit_ref * (mass / p.deposit_ref) ** (2.0 / 3.0) if mass > 0.0 else 0.0
    above = rounded_excess(product / p.growth_product - 1.0, p.threshold_rounding)
    above = min(above, 10.0)  # beyond any living patient, supply limits growth
    below = rounded_excess(
        1.0 - product / (p.growth_product * p.dissolution_share), p.threshold_rounding
    )
    grown = p.growth_rate * (p.nucleation * p.deposit_ref + surface) * above
    pace = p.dissolution_rate * surface * below / (mass + 1e-9)
    lost_labile = pace * labile * labile / (labile + 0.5)
    lost_mature = p.mature_dissolution * pace * mature * mature / (mature + 0.5)
    return grown, lost_labile, lost_mature
