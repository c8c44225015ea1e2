"""The mineral model: calcium, phosphate and their hormones, conserving mass.

Time in hours, amounts in mmol, concentrations in mmol/L, hormones in pg/mL. PTH lives minutes, so
it is algebraic; bone and deposit phosphate follow from their calcium and need no state. Sources of
every parameter: ``parameters.yaml``; equations in prose and validation: ``docs/forecast.md``.

    gut ──► plasma ◄──► exchangeable calcium, mobilisable phosphate
             │  ▲ ▼ bone (PTH)       ▲ ▼ soft-tissue deposit (product Ca × P)
             ▼
      urine, dialysate

The functions are compiled with numba; each reads as one paragraph of the physiology. That of the
deposit stands in ``deposit.py``.
"""

from math import exp, log, sqrt

import numpy as np
from numba import njit

from calcinosis.forecast.deposit import apatite_product, grown_and_lost
from calcinosis.forecast.parameters import CA_MG_PER_MMOL, Parameters, Solved
from calcinosis.forecast.states import (
    CA_ABSORBED,
    CA_BONE,
    CA_DIALYSED,
    CA_OWED,
    CA_PLASMA,
    CA_SECRETED,
    CA_SURFACE,
    CA_URINE,
    CALCITRIOL,
    DEPOSIT_LABILE,
    DEPOSIT_MATURE,
    FORMATION,
    GLAND,
    LN_FGF23,
    N_STATES,
    P_ABSORBED,
    P_DEEP,
    P_DIALYSED,
    P_DRIVE,
    P_PLASMA,
    P_URINE,
    PRECURSORS,
    RESORPTION,
    SET_POINT,
    VOLUME,
    Array,
    Controls,
    Serum,
)

LEAST_GFR = 0.01  # relative; below 1 mL/min hormones no longer follow filtration
LEAST_GLAND = 1e-3  # ectopic cells: PTH never quite ends
# After parathyroidectomy calcium is infused below an ionised 0.9 mmol/L, total 1.8, and given until
# the ionised is normal, 1.15 and more, total 2.3 (KDOQI 2003, guideline 14).
CARE_FULL_BELOW, CARE_STOPS_AT = 1.8, 2.3


@njit(cache=True, nogil=True)
def working_tissue(remnant_fraction: float, p: Parameters) -> float:
    """Parathyroid tissue that works, 1 before any operation; a remnant works less than it weighs.

    The more was cut, the more so. Something is overlooked even where all was to be removed: mostly
    next to nothing, now and then a gland. Where an operation fails, what is left works like more.
    """
    left = min(1.0, max(remnant_fraction, p.overlooked_tissue))
    return float(min(1.0, max(LEAST_GLAND, left * p.remnant_function ** (1.0 - left))))


@njit(cache=True, nogil=True)
def parathyroid_hormone(y: Array, u: Controls, p: Parameters, s: Solved) -> float:
    """PTH (pg/mL) of a state."""
    return float(serum(y, u, p, s).pth)


@njit(cache=True, nogil=True)
def secreted_pth(
    y: Array, ln_calcium: float, ln_tissue_phosphate: float, u: Controls, p: Parameters, s: Solved
) -> float:
    """PTH (pg/mL): calcium sets secretion; calcitriol restrains, tissue phosphate drives it."""
    sensed = ln_calcium + u.ln_receptor_shift - s.ln_set_point - y[SET_POINT]
    secretion = p.secretion_min + (p.secretion_max - p.secretion_min) / (
        1.0 + exp(p.secretion_slope * sensed)
    )
    synthesis = calcitriol_effect(y[CALCITRIOL], p) * exp(p.phosphate_drive * ln_tissue_phosphate)
    return float(p.pth_ref * y[GLAND] * secretion * synthesis * measured_per_acting(u, p))


@njit(cache=True, nogil=True)
def measured_per_acting(u: Controls, p: Parameters) -> float:
    """Measured PTH per PTH that acts on kidneys and FGF23, relative to health.

    Assays of intact PTH see long fragments, too, which kidneys clear: 21 % of what is measured in
    health, 32 % below 30 mL/min, 50 % in haemodialysis (Brossard 2000, PMID 10794753), and
    oxidised hormone. Bone has its own resistance, to measured PTH.
    """
    return float(1.0 + p.inactive_pth * uraemia(u, p) ** 3)


@njit(cache=True, nogil=True)
def uraemia(u: Controls, p: Parameters) -> float:
    """Share of filtration lost: 0 healthy, 1 none left."""
    return max(0.0, 1.0 - u.gfr / p.gfr_ref)


@njit(cache=True, nogil=True)
def calcitriol_effect(calcitriol: float, p: Parameters) -> float:
    """PTH synthesis relative to normal at this calcitriol: little calcitriol, more synthesis."""
    return (1.0 + p.calcitriol_suppression) / (
        1.0 + p.calcitriol_suppression * calcitriol / p.calcitriol_ref
    )


@njit(cache=True, nogil=True)
def need_of_calcium(calcium: float) -> float:
    """Share of the full postoperative dose that a patient with this calcium (mmol/L) is given."""
    need = (CARE_STOPS_AT - calcium) / (CARE_STOPS_AT - CARE_FULL_BELOW)
    return min(1.0, max(0.0, need))


@njit(cache=True, nogil=True)
def absorbed_share(calcitriol: float, eaten: float, p: Parameters) -> float:
    """Share of calcium in the gut that is absorbed when `eaten` mmol/h are; patients' odds differ.

    Calcium transport follows calcitriol more steeply than phosphate's: at the calcitriol of
    haemodialysis patients little is left of it. It saturates, diffusion does not, so the share
    falls as more is eaten (Heaney 1990, doi:10.1002/jbmr.5650051107).
    """
    transport: float = (calcitriol / p.calcitriol_ref) ** p.ca_absorption_steepness
    usual = p.diet_ca_ref / CA_MG_PER_MMOL / 24.0
    half = p.ca_absorption_half_load / CA_MG_PER_MMOL / 24.0
    free = (half + usual) / (half + eaten)
    share = p.ca_absorption_base + p.ca_absorption_active * transport / (1.0 + transport) * free
    return share * p.ca_absorption_odds / (1.0 + share * (p.ca_absorption_odds - 1.0))


@njit(cache=True, nogil=True)
def calcium_eaten(need: float, u: Controls, p: Parameters) -> float:
    """Calcium of food, binders and postoperative care (mmol/h)."""
    return u.diet_ca + u.binder_ca + need * p.care_taken * u.care_ca


@njit(cache=True, nogil=True)
def secreted_calcium(share: float, calcium: float, p: Parameters) -> float:
    """Calcium lost with digestive juices (mmol/h): most is absorbed again as calcium of food is."""
    lost = p.ca_secretion * (1.0 - p.ca_secretion_upstream * share)
    return (lost - p.calcium_offset) * min(1.0, calcium)


@njit(cache=True, nogil=True)
def absorbed_phosphate(calcitriol: float, u: Controls, p: Parameters) -> float:
    """Phosphate absorbed (mmol/h); binders take a saturable share of it."""
    active = calcitriol / (calcitriol + p.calcitriol_ref)
    free = u.diet_p * p.p_intake_factor * (p.p_absorption_base + p.p_absorption_active * active)
    bound = free * u.binder_capacity / (free + u.binder_capacity + 1e-12)
    return free - bound


@njit(cache=True, nogil=True)
def reabsorbing(ln_pth: float, p: Parameters) -> float:
    """How much calcium tubules can take back, relative to that at normal PTH.

    Excretion follows how far calcium is above it (Nordin's TmCa, doi:10.1016/0009-8981(85)90258-x).
    PTH raises it, less and less: primary hyperparathyroidism, and that which outlasts kidney
    failure, raise calcium by it and not by absorption (PMID 6348830).
    """
    pth, half = exp(ln_pth), p.ca_reabsorption_half
    return 1.0 + p.ca_reabsorption_pth * (pth / (pth + half) - 1.0 / (1.0 + half))


@njit(cache=True, nogil=True)
def kidney(
    now: Serum, ln_fgf23: float, u: Controls, p: Parameters, s: Solved
) -> tuple[float, float]:
    """Calcium and phosphate in urine (mmol/h): PTH saves calcium; PTH and FGF23 waste phosphate."""
    if u.gfr <= 0.0:
        return 0.0, 0.0
    threshold = s.tm_ref
    threshold *= (1.0 + p.tm_pth) / (1.0 + p.tm_pth * exp(p.tm_power * now.ln_pth))
    threshold *= (1.0 + p.tm_fgf23) / (1.0 + p.tm_fgf23 * exp(p.tm_power * ln_fgf23))
    above = now.phosphate - threshold
    p_urine = u.gfr * 0.5 * (above + sqrt(above * above + p.threshold_width**2))
    p_urine *= min(1.0, now.phosphate / 0.1)  # no phosphate, no phosphaturia
    fraction = s.ca_excretion_ref * exp(
        p.ca_excretion_rise * (now.calcium / (p.ca_ref * reabsorbing(now.ln_pth, p)) - 1.0)
        - p.ca_excretion_gfr * u.ln_gfr
    )
    return u.gfr * p.ca_diffusible * now.calcium * min(fraction, 1.0), p_urine


@njit(cache=True, nogil=True)
def dialyser(now: Serum, u: Controls, p: Parameters) -> tuple[float, float]:
    """Calcium and phosphate removed by the dialyser (mmol/h); calcium may be gained."""
    if u.p_clearance <= 0.0:
        return 0.0, 0.0
    diffusible = p.ca_diffusible * now.calcium
    calcium = u.ca_dialysance * (diffusible - p.donnan * u.dialysate_ca)
    return calcium + u.ultrafiltration * diffusible, u.p_clearance * now.phosphate


@njit(cache=True, nogil=True)
def mobilised(y: Array, phosphate: float, p: Parameters) -> tuple[float, float]:
    """Phosphate from the deep pool (mmol/h), and the change of its drive (mmol/L/h).

    Clearance rises as plasma phosphate falls below the deep pool, with a delay: that is why plasma
    phosphate falls fast in the first hour of dialysis and climbs again before the end.
    """
    deep = max(y[P_DEEP], 1e-6) / p.p_deep_volume
    drive = min(y[P_DRIVE], deep)  # it lags, but a pool cannot be further ahead than it is full
    flux = p.mobilisation * drive * (1.0 + p.mobilisation_rise * max(0.0, drive) / deep)
    flux *= min(1.0, (phosphate if flux < 0.0 else deep) / 0.1)  # an empty pool gives nothing
    return flux, (deep - phosphate - y[P_DRIVE]) / p.mobilisation_lag


@njit(cache=True, nogil=True)
def yielded_by_mineral(surface: float, ln_phosphate: float, p: Parameters) -> float:
    """Calcium (mmol/h) from the mineral under the bone surface, without any cells.

    A store too large to change: it yields calcium when there is far too little (Parfitt, Bone
    1987;8:S1; Talmage's water columns, Clin Orthop 1977;122:299), the less the more phosphate
    there is above normal; too little phosphate does not dissolve bone, it hinders new mineral.
    Third power, between the second order in which dicalcium phosphate grows (Nancollas 1973,
    hrcak.srce.hr/290636) and the fourth of octacalcium phosphate (van Kemenade 1987). It takes
    none up: serum is always supersaturated for apatite (PMID 20799206), yet finished bone, full of
    mineral, stays as it is. A load goes to bone only where bone is formed.
    """
    phosphate = exp(p.mineral_exchange_p * max(0.0, ln_phosphate))
    lack = 1.0 - surface / (p.exchangeable_volume * p.ca_ref) * phosphate
    lack = min(0.5, max(0.0, lack))  # beyond any living patient, supply limits it
    return float(p.mineral_exchange * p.ca_ref * lack**3)


@njit(cache=True, nogil=True)
def bone(y: Array, now: Serum, p: Parameters) -> tuple[float, float, float, float, float]:
    """Calcium (mmol/h): plasma to surface, yielded by mineral, resorbed, laid down, filled in.

    PTH raises the calcium at which blood and bone surface are at rest: it drives the pump that
    returns to blood what leaks to the surface. Mineral is laid down where osteoblasts work and
    calcium and phosphate allow: hungry bone when PTH suddenly ends. New bone takes up two thirds of
    its mineral within weeks, the rest over most of a year (Fuchs 2008): it fills in long after the
    osteoblasts have left.
    """
    set_point = exp(p.exchange_pth * now.ln_skeletal_pth)
    to_surface = p.exchange * (now.calcium - set_point * y[CA_SURFACE] / p.exchangeable_volume)
    supply = exp(p.mineralisation_ca * now.ln_calcium + p.mineralisation_p * now.ln_phosphate)
    material = min(1.0, now.phosphate / 0.3) * min(1.0, now.calcium / 0.5)  # none, no mineral
    allowed = 2.0 * supply / (1.0 + supply) * material
    laid_down = (1.0 - p.late_mineral_share) * p.turnover * y[FORMATION] * allowed
    filled_in = y[CA_OWED] / (24.0 * p.late_mineral_days) * allowed
    left = min(1.0, max(0.0, y[CA_BONE]) / (0.1 * p.bone_ca_ref))  # no bone, no resorption
    yielded = yielded_by_mineral(y[CA_SURFACE], now.ln_phosphate, p) * left
    return to_surface, yielded, p.turnover * y[RESORPTION] * left, laid_down, filled_in


@njit(cache=True, nogil=True)
def bone_cells(y: Array, now: Serum, p: Parameters, s: Solved) -> tuple[float, float, float]:
    """Rates (1/h) of osteoclast activity, osteoblast precursors and osteoblast activity.

    Formation follows resorption: what resorption sets free (TGF-beta) recruits precursors and holds
    them back from maturing (Lemaire 2004, doi:10.1016/j.jtbi.2004.03.023). When resorption ends at
    once, those waiting mature together: formation and alkaline phosphatase rise before they fall.
    """
    effective = now.skeletal_pth * p.pth_ref
    wanted = p.resorption_min + (p.resorption_max - p.resorption_min) * effective / (
        effective + s.resorption_half
    )
    resorption = max(y[RESORPTION], 1e-6)
    ln_resorption = log(resorption)
    maturing = y[PRECURSORS] * exp(-p.precursor_restraint * ln_resorption)
    return (
        (wanted - resorption) / (24.0 * p.resorption_days),
        (exp(p.coupling * ln_resorption) - maturing) / (24.0 * p.precursor_days),
        (maturing - y[FORMATION]) / (24.0 * p.formation_days),
    )


@njit(cache=True, nogil=True)
def hormones(y: Array, now: Serum, u: Controls, p: Parameters) -> tuple[float, float]:
    """Rates of calcitriol (pg/mL/h) and ln FGF23 (1/h): kidneys make the one, clear the other."""
    produced = p.calcitriol_ref * exp(
        p.calcitriol_gfr * u.ln_gfr
        + p.calcitriol_pth * now.ln_pth
        - p.calcitriol_fgf23 * y[LN_FGF23]
    )
    care = need_of_calcium(now.calcium) * p.care_taken
    drug = u.drug_calcitriol + care * u.care_calcitriol
    target = (
        p.fgf23_phosphate * now.ln_tissue_phosphate
        + p.fgf23_pth * now.ln_pth
        + p.fgf23_calcitriol * log(max(y[CALCITRIOL], 1e-3) / p.calcitriol_ref)
        + p.fgf23_uraemia * uraemia(u, p) ** 4
    )
    return (
        p.calcitriol_rate * (produced + drug - y[CALCITRIOL]),
        (target - y[LN_FGF23]) / (24.0 * p.fgf23_days),
    )


@njit(cache=True, nogil=True)
def set_point_adaptation(y: Array, ln_calcium: float, p: Parameters) -> float:
    """Rate (1/h) at which the set point of PTH secretion follows sustained calcium, about half way.

    An hour's rise of calcium takes most of PTH away, a month's far less. Two weeks on a richer or
    poorer dialysate move the whole curve of haemodialysis patients with their calcium (r 0.87,
    "Evidence for adaptation of the entire PTH-calcium curve to sustained changes in the serum
    calcium in haemodialysis patients"); six weeks with 0.94 mg/dL more move the set point by 0.45
    (Pahl 1996, PMID 8770972); in 58 others it moved less than calcium
    (doi:10.1359/jbmr.1997.12.3.347).
    """
    wanted = p.set_point_adaptation * ln_calcium
    return float((wanted - y[SET_POINT]) / (24.0 * p.set_point_days))


@njit(cache=True, nogil=True)
def gland_growth(y: Array, now: Serum, u: Controls, p: Parameters) -> float:
    """Growth of the parathyroids (1/h) under low calcitriol, low calcium and high phosphate."""
    drive = calcitriol_effect(y[CALCITRIOL], p) * exp(
        now.ln_tissue_phosphate - 4.0 * (now.ln_calcium + u.ln_receptor_shift)
    )
    stimulus = max(0.0, drive - 1.0)
    share = stimulus**2 / (stimulus**2 + p.gland_half**2)
    target = u.gland_tissue * (1.0 + p.gland_tendency * p.gland_max * share)
    days = p.gland_growth_days if target > y[GLAND] else p.gland_shrink_days
    return float(u.gland_rate * (target - y[GLAND]) / (24.0 * days))


@njit(cache=True, nogil=True)
def serum(y: Array, u: Controls, p: Parameters, s: Solved) -> Serum:
    """Concentrations now, with the logarithms that several organs need."""
    calcium = max(y[CA_PLASMA], 1e-6) / y[VOLUME]
    phosphate = max(y[P_PLASMA], 1e-6) / (p.p_volume_share * y[VOLUME])
    ln_calcium = log(calcium / p.ca_ref)
    ln_tissue_phosphate = log(max(y[P_DEEP], 1e-6) / (p.p_deep_volume * p.p_ref))
    pth = secreted_pth(y, ln_calcium, ln_tissue_phosphate, u, p, s)
    skeletal = pth / (p.pth_ref * (1.0 + p.skeletal_resistance * uraemia(u, p)))
    return Serum(
        calcium,
        phosphate,
        ln_calcium,
        log(phosphate / p.p_ref),
        ln_tissue_phosphate,
        pth,
        log(pth / (p.pth_ref * measured_per_acting(u, p))),
        skeletal,
        log(skeletal),
    )


@njit(cache=True, nogil=True)
def rates(y: Array, u: Controls, p: Parameters, s: Solved, dy: Array) -> None:
    """Right-hand side: write the change per hour of every state and counter into `dy`."""
    now = serum(y, u, p, s)
    eaten = calcium_eaten(need_of_calcium(now.calcium), u, p)
    share = absorbed_share(y[CALCITRIOL], eaten, p)
    ca_gut, p_gut = eaten * share, absorbed_phosphate(y[CALCITRIOL], u, p)
    ca_secreted = secreted_calcium(share, now.calcium, p)
    ca_urine, p_urine = kidney(now, y[LN_FGF23], u, p, s)
    ca_dialysed, p_dialysed = dialyser(now, u, p)
    to_surface, yielded, resorbed, laid_down, filled_in = bone(y, now, p)
    product = apatite_product(now.calcium, now.phosphate, p)
    grown, lost_labile, lost_mature = grown_and_lost(y, product, p)
    from_deposit = u.deposit_rate * (lost_labile + lost_mature - grown)
    aged = y[DEPOSIT_LABILE] / (24.0 * p.ageing_days)
    from_mineral = resorbed - laid_down - filled_in + from_deposit
    from_deep, dy[P_DRIVE] = mobilised(y, now.phosphate, p)

    dy[VOLUME] = u.fluid_gain - u.ultrafiltration
    dy[CA_PLASMA] = ca_gut - ca_secreted - ca_urine - ca_dialysed - to_surface + from_mineral
    dy[CA_SURFACE] = to_surface + yielded
    dy[CA_BONE] = laid_down + filled_in - resorbed - yielded
    dy[CA_OWED] = laid_down * p.late_mineral_share / (1.0 - p.late_mineral_share) - filled_in
    p_freed = (from_mineral + yielded) / p.mineral_ca_per_p
    dy[P_PLASMA] = p_gut - p_urine - p_dialysed + from_deep + p_freed
    dy[P_DEEP] = -from_deep
    dy[CALCITRIOL], dy[LN_FGF23] = hormones(y, now, u, p)
    dy[GLAND] = gland_growth(y, now, u, p)
    dy[SET_POINT] = set_point_adaptation(y, now.ln_calcium, p)
    dy[RESORPTION], dy[PRECURSORS], dy[FORMATION] = bone_cells(y, now, p, s)
    dy[DEPOSIT_LABILE] = u.deposit_rate * (grown - lost_labile - aged)
    dy[DEPOSIT_MATURE] = u.deposit_rate * (aged - lost_mature)
    dy[CA_ABSORBED], dy[CA_SECRETED] = ca_gut, ca_secreted
    dy[CA_URINE], dy[CA_DIALYSED] = ca_urine, ca_dialysed
    dy[P_ABSORBED], dy[P_URINE], dy[P_DIALYSED] = p_gut, p_urine, p_dialysed


def healthy_state(p: Parameters) -> Array:
    """The stationary state with normal kidneys and the reference diet, [N_STATES]."""
    y = np.zeros(N_STATES)
    y[VOLUME] = p.ecf_volume
    y[CA_PLASMA] = p.ca_ref * p.ecf_volume
    y[CA_SURFACE] = p.ca_ref * p.exchangeable_volume
    y[CA_BONE] = p.bone_ca_ref
    y[P_PLASMA] = p.p_ref * p.p_volume_share * p.ecf_volume
    y[P_DEEP] = p.p_ref * p.p_deep_volume
    y[CALCITRIOL] = p.calcitriol_ref
    y[[GLAND, RESORPTION, PRECURSORS, FORMATION]] = 1.0
    y[CA_OWED] = p.late_mineral_share * p.turnover * 24.0 * p.late_mineral_days
    return y
