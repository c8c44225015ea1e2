"""The model's parameters: typed names here; values, units and sources in ``parameters.yaml``."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from math import log
from typing import Any, NamedTuple

import numpy as np
import yaml

CA_MG_PER_MMOL = 40.08
P_MG_PER_MMOL = 30.97
ML_MIN_PER_L_H = 1000.0 / 60.0
REFERENCE_WEIGHT_KG = 70.0


class Parameters(NamedTuple):
    """Parameters of one patient, in the order of ``parameters.yaml``, which explains each."""

    ca_ref: float
    p_ref: float
    pth_ref: float
    calcitriol_ref: float
    fgf23_ref: float
    gfr_ref: float
    ecf_volume: float
    bone_ca_ref: float
    diet_p_ref: float
    diet_ca_ref: float
    p_volume_share: float
    p_deep_volume: float
    mobilisation: float
    mobilisation_rise: float
    mobilisation_lag: float
    delivered_share: float
    tissue_plasma_flow: float
    ca_dialysance_ratio: float
    ca_diffusible: float
    donnan: float
    ca_absorption_base: float
    ca_absorption_active: float
    ca_absorption_steepness: float
    ca_absorption_half_load: float
    ca_secretion: float
    ca_secretion_upstream: float
    p_absorption_base: float
    p_absorption_active: float
    tm_pth: float
    tm_fgf23: float
    tm_power: float
    threshold_width: float
    ca_excretion_rise: float
    ca_reabsorption_pth: float
    ca_reabsorption_half: float
    ca_excretion_gfr: float
    graft_onset_days: float
    exchangeable_volume: float
    exchange: float
    exchange_pth: float
    mineral_exchange: float
    mineral_exchange_p: float
    turnover: float
    resorption_min: float
    resorption_max: float
    skeletal_resistance: float
    coupling: float
    resorption_days: float
    precursor_days: float
    precursor_restraint: float
    formation_days: float
    late_mineral_share: float
    late_mineral_days: float
    mineralisation_ca: float
    mineralisation_p: float
    mineral_ca_per_p: float
    secretion_slope: float
    secretion_min: float
    secretion_max: float
    set_point: float
    set_point_adaptation: float
    set_point_days: float
    calcitriol_suppression: float
    phosphate_drive: float
    inactive_pth: float
    gland_max: float
    gland_half: float
    gland_growth_days: float
    gland_shrink_days: float
    remnant_function: float
    overlooked_tissue: float
    calcitriol_rate: float
    calcitriol_gfr: float
    calcitriol_pth: float
    calcitriol_fgf23: float
    calcitriol_per_dose: float
    fgf23_days: float
    fgf23_uraemia: float
    fgf23_phosphate: float
    fgf23_pth: float
    fgf23_calcitriol: float
    etelcalcetide_shift: float
    cinacalcet_shift: float
    growth_product: float
    dissolution_share: float
    growth_rate: float
    dissolution_rate: float
    nucleation: float
    deposit_ref: float
    ageing_days: float
    mature_dissolution: float
    threshold_rounding: float
    p_intake_factor: float
    ca_absorption_odds: float
    calcium_offset: float
    calcium_binding: float
    care_taken: float
    gland_tendency: float


class Solved(NamedTuple):
    """Constants that make the healthy reference state exactly stationary."""

    ln_set_point: float  # calcium at half-maximal PTH secretion, relative to normal, ln
    resorption_half: float  # PTH (pg/mL) of half-maximal resorption
    tm_ref: float  # phosphate threshold (mmol/L) at normal PTH and FGF23
    ca_excretion_ref: float  # fractional calcium excretion


@cache
def table() -> dict[str, dict[str, Any]]:
    """``parameters.yaml`` as read: name to value, unit, what, source and spreads."""
    text = files("calcinosis.forecast").joinpath("parameters.yaml").read_text("utf-8")
    rows: dict[str, dict[str, Any]] = yaml.safe_load(text)
    return rows


def population(weight_kg: float = REFERENCE_WEIGHT_KG, deposit_masses: float = 1.0) -> Parameters:
    """Parameters of the average patient of this dry weight (kg), the deposit in so many masses.

    Masses of one size change at the surface of each: together as one would that is held against
    so many times `deposit_ref`. A new mass begins as it does in others.
    """
    size = weight_kg / REFERENCE_WEIGHT_KG
    usual = Parameters(
        **{
            name: float(row["value"]) * (size if row.get("scales") else 1.0)
            for name, row in table().items()
        }
    )
    return usual._replace(
        deposit_ref=usual.deposit_ref * deposit_masses,
        nucleation=usual.nucleation / deposit_masses,
    )


def patient_spread() -> dict[str, float]:
    """Standard deviation between patients by parameter (of the logarithm; see the YAML)."""
    return {name: row["patient_sd"] for name, row in table().items() if "patient_sd" in row}


def records(rows: Sequence[Parameters] | Sequence[Solved]) -> np.recarray[Any, Any]:
    """Parameters of several patients as one array with named fields, which compiled code reads."""
    fields = [(name, np.float64) for name in rows[0]._fields]
    return np.array([tuple(row) for row in rows], dtype=fields).view(np.recarray)


def solve(p: Parameters) -> Solved:
    """Solve the constants that hold the healthy state still.

    Inverse of the rounded threshold ``0.5 (d + sqrt(d² + w²)) = s`` is ``d = s - w²/(4 s)``.
    """
    absorbed_p = p.diet_p_ref / P_MG_PER_MMOL / 24.0
    absorbed_p *= p.p_absorption_base + p.p_absorption_active / 2.0
    excess = absorbed_p / p.gfr_ref
    absorbed_share = p.ca_absorption_base + p.ca_absorption_active / 2.0
    gained_ca = p.diet_ca_ref / CA_MG_PER_MMOL / 24.0 * absorbed_share
    gained_ca -= p.ca_secretion * (1.0 - p.ca_secretion_upstream * absorbed_share)
    odds = (p.secretion_max - 1.0) / (1.0 - p.secretion_min)
    return Solved(
        ln_set_point=-log(odds) / p.secretion_slope,
        resorption_half=p.pth_ref * (p.resorption_max - 1.0) / (1.0 - p.resorption_min),
        tm_ref=p.p_ref - (excess - p.threshold_width**2 / (4.0 * excess)),
        ca_excretion_ref=gained_ca / (p.gfr_ref * p.ca_diffusible * p.ca_ref),
    )
