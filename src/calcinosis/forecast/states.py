"""What a patient is made of in the model: states, what treatment imposes, serum at one moment.

Time in hours, amounts in mmol, concentrations in mmol/L, hormones in pg/mL. How states change:
``model.py``.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# States of the patient, then counters of what crossed the patient's border since the start.
(
    VOLUME,  # extracellular volume, L
    CA_PLASMA,  # calcium in extracellular fluid
    CA_SURFACE,  # rapidly exchangeable calcium (bone surface, connective tissue)
    CA_BONE,  # bone mineral
    P_PLASMA,  # phosphate, central dialysable pool
    P_DEEP,  # mobilisable phosphate (cells and soft tissue)
    P_DRIVE,  # drive of mobilisation, mmol/L, lagging behind the plasma fall
    CALCITRIOL,  # 1,25(OH)2D including drug, pg/mL
    LN_FGF23,  # logarithm of intact FGF23 relative to normal
    GLAND,  # functional parathyroid mass, 1 = normal
    SET_POINT,  # of PTH secretion, ln relative to that at normal calcium: follows sustained calcium
    RESORPTION,  # osteoclast activity, 1 = normal
    PRECURSORS,  # osteoblasts to be, 1 = normal
    FORMATION,  # osteoblast activity, 1 = normal; alkaline phosphatase follows it
    CA_OWED,  # calcium that young bone has yet to take up, mmol: no store, a demand
    DEPOSIT_LABILE,  # soft-tissue deposit as mmol calcium
    DEPOSIT_MATURE,
    CA_ABSORBED,
    CA_SECRETED,
    CA_URINE,
    CA_DIALYSED,  # positive: removed from the patient
    P_ABSORBED,
    P_URINE,
    P_DIALYSED,
) = range(24)
N_STATES = 24


class Controls(NamedTuple):
    """What treatment imposes during one stretch of time."""

    gfr: float  # own kidneys or graft, L/h
    ln_gfr: float  # relative to normal, not below `LEAST_GFR`
    diet_ca: float  # mmol/h
    diet_p: float  # mmol/h
    binder_capacity: float  # mmol phosphate per h at saturation
    binder_ca: float  # mmol calcium per h from calcium-containing binders
    drug_calcitriol: float  # pg/mL from active vitamin D
    ln_receptor_shift: float  # apparent rise of calcium at the receptor, ln: drug, own set point
    p_clearance: float  # dialyser, L/h; 0 while off
    ca_dialysance: float  # L/h
    dialysate_ca: float  # mmol/L
    ultrafiltration: float  # L/h
    fluid_gain: float  # L/h
    gland_tissue: float  # share of parathyroid tissue that works
    gland_rate: float  # 1 = real time; larger while finding a starting state, 0 = held
    deposit_rate: float  # 1 = real time, 0 = held
    care_ca: float  # mmol/h of calcium given while serum calcium is low, at full need
    care_calcitriol: float  # pg/mL from active vitamin D given with it


class Serum(NamedTuple):
    """Serum at one moment, and logarithms relative to normal."""

    calcium: float  # mmol/L
    phosphate: float  # mmol/L
    ln_calcium: float
    ln_phosphate: float
    ln_tissue_phosphate: float  # what parathyroid and bone cells see: the slow pool
    pth: float  # pg/mL
    ln_pth: float  # of what acts: see `model.measured_per_acting`
    skeletal_pth: float  # relative to normal, as the skeleton feels it: uraemic bone resists
    ln_skeletal_pth: float
