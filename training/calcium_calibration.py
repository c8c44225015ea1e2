"""Milligrams of hydroxyapatite per mL and HU, by tube voltage, filter and patient, or by energy.

Tungsten spectra from SpekPy (8 degree anode, 8 mm aluminium) hardened by water, energy-integrating
detector, NIST attenuation from xraydb. A little hydroxyapatite (3.16 g/mL) displaces water.
Needs the packages spekpy and xraydb. The results stand in measure/calcium.py.
"""

import numpy as np
import spekpy
import xraydb

HYDROXYAPATITE = {"Ca": 10 * 40.078, "P": 6 * 30.974, "O": 26 * 15.999, "H": 2 * 1.008}
DENSITY_G_ML = 3.16


def mg_per_ml_per_hu(tube_voltage_kv: float, water_cm: float, tin_mm: float = 0.0) -> float:
    """The calibration factor for one tube voltage, filter and patient."""
    beam = spekpy.Spek(kvp=tube_voltage_kv, th=8).filter("Al", 8.0).filter("Sn", tin_mm)
    energy_kev, fluence = beam.get_spectrum()
    water, per_mg = attenuation(energy_kev)
    weight = fluence * energy_kev * np.exp(-water * water_cm)
    return float((weight * water).sum() / (weight * per_mg).sum() / 1000)


def attenuation(energy_kev: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of water, per cm, and what 1 mg/mL of hydroxyapatite in its place adds."""
    energy_ev = energy_kev * 1000
    water = xraydb.material_mu("water", energy_ev, density=1.0)
    total = sum(HYDROXYAPATITE.values())
    mineral = sum(
        mass / total * xraydb.mu_elam(element, energy_ev)
        for element, mass in HYDROXYAPATITE.items()
    )
    return water, 0.001 * (mineral - water / DENSITY_G_ML)


def main() -> None:
    """Print the tables."""
    for voltage in (60, 70, 80, 100, 120, 140, 150):
        row = [f"{mg_per_ml_per_hu(voltage, water):.3f}" for water in (15, 25, 35)]
        print(voltage, "kV, 15/25/35 cm of water:", *row)
    for tin_mm in (0.4, 0.6):
        for voltage in (80, 100, 110, 120, 130, 140, 150):
            row = [f"{mg_per_ml_per_hu(voltage, water, tin_mm):.3f}" for water in (15, 25, 35)]
            print(voltage, "kV,", tin_mm, "mm of tin:", *row)
    for energy_kev in (40, 50, 60, 70, 80, 100, 120, 140, 200):
        water, per_mg = attenuation(np.array([energy_kev]))
        print(energy_kev, "keV:", f"{(water / per_mg).item() / 1000:.3f}")


if __name__ == "__main__":
    main()
