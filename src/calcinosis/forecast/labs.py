"""From states to what a laboratory reports, and how such reports scatter."""

import numpy as np

from calcinosis.forecast.parameters import CA_MG_PER_MMOL, P_MG_PER_MMOL, Parameters
from calcinosis.forecast.states import (
    CA_PLASMA,
    CALCITRIOL,
    DEPOSIT_LABILE,
    DEPOSIT_MATURE,
    FORMATION,
    LN_FGF23,
    P_PLASMA,
    VOLUME,
    Array,
)

# Column of the forecast files: unit is in the name.
ANALYTES = (
    "calcium_mg_dl",
    "phosphate_mg_dl",
    "ca_p_product_mg2_dl2",
    "pth_pg_ml",
    "calcitriol_pg_ml",
    "fgf23_pg_ml",
    "alp_relative",
    "deposit_calcium_g",
)

CLOSE_LOOK_DAYS = 14  # every sample counts for so long after a change, then weekly ones

# Scatter of a single measurement around the patient's own level, SD of the logarithm: assay and
# day-to-day biology in haemodialysis, calcium and phosphate as in the population check the model
# was laid out with, PTH after the within-person variation of 25 % (Gardham, CJASN 2010 5:1261).
SCATTER = {
    "calcium_mg_dl": 0.04,
    "phosphate_mg_dl": 0.15,
    "ca_p_product_mg2_dl2": 0.155,
    "pth_pg_ml": 0.25,
    "calcitriol_pg_ml": 0.20,
    "fgf23_pg_ml": 0.30,
    "alp_relative": 0.10,
    "deposit_calcium_g": 0.10,
}

# Model error: how far a patient's level wanders from the simulated one, SD of the logarithm. Set
# so that bands cover simulated patients (benchmarks/forecast_coverage.py).
WANDER = {
    "calcium_mg_dl": 0.01,
    "phosphate_mg_dl": 0.07,
    "ca_p_product_mg2_dl2": 0.071,
    "pth_pg_ml": 0.15,
    "alp_relative": 0.10,
}


def laboratory(states: Array, pth: Array, p: Parameters) -> dict[str, Array]:
    """Values in the units of `ANALYTES` for states [..., N_STATES] and PTH [...]."""
    volume = states[..., VOLUME]
    calcium = p.calcium_binding * states[..., CA_PLASMA] / volume * CA_MG_PER_MMOL / 10.0
    phosphate = states[..., P_PLASMA] / (p.p_volume_share * volume) * P_MG_PER_MMOL / 10.0
    deposit = states[..., DEPOSIT_LABILE] + states[..., DEPOSIT_MATURE]
    return {
        "calcium_mg_dl": calcium,
        "phosphate_mg_dl": phosphate,
        "ca_p_product_mg2_dl2": calcium * phosphate,
        "pth_pg_ml": pth,
        "calcitriol_pg_ml": states[..., CALCITRIOL],
        "fgf23_pg_ml": p.fgf23_ref * np.exp(states[..., LN_FGF23]),
        "alp_relative": states[..., FORMATION],
        "deposit_calcium_g": deposit * CA_MG_PER_MMOL / 1000.0,
    }
