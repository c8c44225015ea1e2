"""What masses add to a beam: centimetres of water and mineral, and of what is calcified.

    python training/radiograph_masses.py --output shadows --masses 600

Masses are those of `lesions`, drawn in muscle without bone. Each file holds the three shadows of
one mass along its axes, on pixels of half a millimetre and more.
"""

import argparse
from pathlib import Path

import numpy as np
from fields import FINE, GRID_MM
from lesions import ball_cluster, loose_balls, mass_hounsfield, outline

from calcinosis.phantom.radiograph import SOFT_HU

RADII_MM = (5.0, 26.0)  # larger ones are these, seen from nearer
MUSCLE_HU, CALCIFIED_HU = 45.0, 150.0


def shadows(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Three shadows of one mass: soft and mineral in cm of path, calcified in mm."""
    radius_mm = np.exp(rng.uniform(*np.log(RADII_MM)))
    reach = int(np.ceil(1.6 * radius_mm / GRID_MM)) + 3
    shape = (2 * reach * FINE,) * 3
    centre, radius = np.full(3, reach * float(FINE)), radius_mm / GRID_MM * FINE
    field = outline(rng, shape, centre, radius)
    kind = rng.random()
    if kind < 0.2:
        hu, inside = ball_cluster(rng, shape, centre, radius)
    elif kind < 0.4:
        hu, inside = loose_balls(rng, field, radius)
    else:
        hu, inside, _ = mass_hounsfield(rng, radius, field)
    hu = np.where(inside, hu, MUSCLE_HU)
    step_mm = GRID_MM / FINE
    soft = (np.minimum(hu, SOFT_HU) - MUSCLE_HU) / 1000 * step_mm / 10
    mineral = np.maximum(hu - SOFT_HU, 0) / 1000 * step_mm / 10
    calcified = ((hu > CALCIFIED_HU) & inside) * step_mm
    found = {"step_mm": np.array(step_mm)}
    for axis in range(3):
        for name, part in (("soft", soft), ("mineral", mineral), ("calcified", calcified)):
            found[f"{name}{axis}"] = part.sum(axis=axis).astype(np.float16)
    return found


def main() -> None:
    """Write as many masses as asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--masses", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    asked.output.mkdir(parents=True, exist_ok=True)
    for number in range(asked.seed, asked.seed + asked.masses):
        found = shadows(np.random.default_rng([number, 13]))
        if found["calcified0"].any():
            np.savez_compressed(asked.output / f"{number:05d}.npz", **found)


if __name__ == "__main__":
    main()
