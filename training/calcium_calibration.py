"""Milligrams of hydroxyapatite per mL and HU, by tube voltage and patient size.

Tungsten spectra from SpekPy (8 degree anode, 8 mm aluminium) hardened by water, energy-integrating
detector, NIST attenuation from xraydb. A little hydroxyapatite (3.16 g/mL) displaces water.
Needs the packages spekpy and xraydb. The results stand in measure/calcium.py.
"""

import numpy as np
import spekpy
import xraydb

HYDROXYAPATITE = {"Ca": 10 * 40.078, "P": 6 * 30.974, "O": 26 * 15.999, "H": 2 * 1.008}
DENSITY_G_ML = 3.16


def mg_per_ml_per_hu(tube_voltage_kv: float, water_cm: float) -> float:
    """The calibration factor for one tube voltage and patient."""
    energy_kev, fluence = spekpy.Spek(kvp=tube_voltage_kv, th=8).filter("Al", 8.0).get_spectrum()
    energy_ev = energy_kev * 1000
    water = xraydb.material_mu("water", energy_ev, density=1.0)
    total = sum(HYDROXYAPATITE.values())
    mineral = sum(
        mass / total * xraydb.mu_elam(element, energy_ev)
        for element, mass in HYDROXYAPATITE.items()
    )
    weight = fluence * energy_kev * np.exp(-water * water_cm)
    per_mg = 0.001 * (mineral - water / DENSITY_G_ML)
    return float((weight * water).sum() / (weight * per_mg).sum() / 1000)


def main() -> None:
    """Print the table."""
    for voltage in (60, 70, 80, 100, 120, 140, 150):
        row = [f"{mg_per_ml_per_hu(voltage, water):.3f}" for water in (15, 25, 35)]
        print(voltage, "kV, 15/25/35 cm of water:", *row)


if __name__ == "__main__":
    main()
