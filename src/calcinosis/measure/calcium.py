"""From Hounsfield units to calcium: mg of hydroxyapatite equivalents."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calcinosis.measure.envelope import SOFT_TISSUE_HU
from calcinosis.measure.mass import Calibration, Interval

# mg hydroxyapatite per mL per HU above soft tissue, by tube voltage (kV): tungsten spectra (SpekPy,
# 8 mm Al) hardened by 25 cm of water, NIST attenuation; `training/calcium_calibration.py` computes
# them. At 130 kV patients span 0.59–1.05 (130 HU is 77–136 mg/mL, PMID 7784560).
_MG_PER_ML_PER_HU = {
    60: 0.396,
    70: 0.472,
    80: 0.545,
    100: 0.662,
    120: 0.759,
    140: 0.844,
    150: 0.884,
}
# The same behind 0.6 mm of tin (dual-source scanners' high-energy filter); 0.4 mm gives 5 % less.
_BEHIND_TIN = {
    80: 0.708,
    100: 0.871,
    110: 0.940,
    120: 1.003,
    130: 1.059,
    140: 1.108,
    150: 1.152,
}
# The same for photons of one energy (keV), which need no spectrum.
_MONOENERGETIC = {
    40: 0.297,
    50: 0.441,
    60: 0.603,
    70: 0.765,
    80: 0.915,
    100: 1.155,
    120: 1.319,
    140: 1.428,
    200: 1.587,
}
# Half the range between 15 and 35 cm of water in the same computation.
_RELATIVE_UNCERTAINTY = 0.09
_ASSUMED_TUBE_VOLTAGE_KV = 120.0
# Of a factor measured with a phantom, where the user tells none: the body hardens the beam as it
# would for the factors above.
OWN_PHANTOM_UNCERTAINTY = _RELATIVE_UNCERTAINTY
GIVEN_BY_THE_USER = "given by the user"


@dataclass(frozen=True)
class CalciumMass:
    """Milligrams of hydroxyapatite equivalents with a 95 % interval."""

    mg: float
    ci95_mg: Interval


def calibration_for(
    tube_voltage_kv: float | None,
    *,
    tin_filter: bool = False,
    photon_energy_kev: float | None = None,
) -> Calibration:
    """The calibration for the X-rays of a scan.

    Where the tube voltage is not known, 120 kV is assumed, with double width; so wide, too, are
    images computed for one energy, whose makers differ.
    """
    if photon_energy_kev is not None:
        source = f"NIST attenuation at {photon_energy_kev:g} keV, as the images were computed for"
        factor = _between(_MONOENERGETIC, photon_energy_kev)
        return Calibration(factor, 2 * _RELATIVE_UNCERTAINTY, None, source)
    known = tube_voltage_kv is not None and 60 <= tube_voltage_kv <= 150
    voltage = tube_voltage_kv if known and tube_voltage_kv is not None else _ASSUMED_TUBE_VOLTAGE_KV
    factor = _between(_BEHIND_TIN if tin_filter else _MG_PER_ML_PER_HU, voltage)
    tin = " behind 0.6 mm of tin" if tin_filter else ""
    agrees = "" if tin_filter else "; agrees with PMID 7784560"
    source = (
        "tungsten spectra hardened by 25 cm of water with NIST attenuation "
        f"at {voltage:g} kV{tin}{'' if known else ', assumed'}{agrees}"
    )
    width = _RELATIVE_UNCERTAINTY * (1 if known else 2)
    return Calibration(factor, width, tube_voltage_kv, source)


def _between(factors: dict[int, float], at: float) -> float:
    return float(np.interp(at, list(factors), list(factors.values())))


def calibration_by_phantom(
    mg_hydroxyapatite_per_ml_per_hu: float, relative_uncertainty: float
) -> Calibration:
    """The calibration that a user measured on the scanner with a phantom of known densities."""
    return Calibration(
        mg_hydroxyapatite_per_ml_per_hu, relative_uncertainty, None, GIVEN_BY_THE_USER
    )


def brightness_share(x_rays: Calibration) -> float:
    """How bright calcium is at 120 kV, for one HU above soft tissue with these X-rays."""
    at_120_kv = calibration_for(_ASSUMED_TUBE_VOLTAGE_KV)
    return x_rays.mg_hydroxyapatite_per_ml_per_hu / at_120_kv.mg_hydroxyapatite_per_ml_per_hu


def as_at_120_kv(hu: NDArray[np.int16], share: float) -> NDArray[np.int16]:
    """Hounsfield units [z, y, x] as 120 kV would show them, were all calcium that is dense.

    Args:
        hu: any.
        share: from `brightness_share`.
    """
    every = np.iinfo(np.int16)
    from_hu = np.arange(every.min, every.max + 1, dtype=np.float64)
    to_hu = from_hu + np.maximum(from_hu - SOFT_TISSUE_HU, 0) * (share - 1)
    table = np.rint(to_hu).clip(max=every.max).astype(np.int16)
    result = np.empty_like(hu)
    for here, there in zip(result, hu, strict=True):  # slice by slice, to spare memory
        here[...] = table[there.astype(np.int32) - every.min]
    return result


def calcium_mass(
    hu: NDArray[np.float32],
    calcified: NDArray[np.float32],
    voxel_volume_ml: float,
    calibration: Calibration,
) -> CalciumMass:
    """Calcium in the voxels of a mass.

    Args:
        hu: Hounsfield units of a box.
        calcified: share 0…1 of each voxel that is calcified.
        voxel_volume_ml: volume of one voxel.
        calibration: from `calibration_for`.
    """
    excess = np.where(calcified > 0, np.maximum(hu - SOFT_TISSUE_HU, 0), 0).sum(dtype=np.float64)
    mg = float(excess * voxel_volume_ml * calibration.mg_hydroxyapatite_per_ml_per_hu)
    half_width = 1.96 * calibration.relative_uncertainty * mg
    return CalciumMass(mg, (max(0.0, mg - half_width), mg + half_width))
