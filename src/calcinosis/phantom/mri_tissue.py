"""What MR sees of a body: water with its relaxation, and fat, from a CT of it with a drawn mass.

Relaxation times in milliseconds at 1.5 and 3 T: muscle, synovial fluid and fat after Gold et al.
2004 (doi:10.2214/ajr.183.2.1830343). Cortical bone has no signal at the echo times of these
sequences (T2 below 1 ms, doi:10.1002/jmri.20550).
"""

from dataclasses import dataclass, replace

import edt
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.volume import Volume

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

MUSCLE_MS = {1.5: (1130.0, 35.0), 3.0: (1420.0, 32.0)}  # T1, T2
FLUID_MS = {1.5: (2850.0, 1210.0), 3.0: (3620.0, 767.0)}
FAT_MS = {1.5: (288.0, 165.0), 3.0: (371.0, 133.0)}
FAT_HU, MUSCLE_HU = -100.0, 50.0  # of pure tissue on CT, between which a voxel holds both
AIR_HU = -300.0
MARROW_HU, CORTEX_HU = 150.0, 700.0  # within a bone: marrow alone, and cortex alone
FAT_OF_MARROW = 0.85  # of the limbs of adults, and of the pelvis somewhat less: a parameter
MINERAL_MG_ML_PER_HU = 0.74  # as benchmarks of calcium take it
# What mineral does is not known of these masses: drawn by chance between wide bounds. R2 rises
# with its amount, water gives way to it, and T1 may shorten at its surface, which makes thin
# suspensions bright on T1 (doi:10.1148/radiology.179.1.2006273).
R2_PER_MG_ML = (0.05, 0.6)  # 1/s
R1_PER_MG_ML = (0.0, 0.006)
WATER_GONE_MG_ML = (500.0, 1200.0)  # of mineral that leaves no water
EDEMA_MM = (2.0, 12.0)  # muscle around it, on this length back to normal
RIM_T2_MS, RIM_T1_MS = (45.0, 110.0), (900.0, 1500.0)  # inflamed walls: our parameter


@dataclass(frozen=True, eq=False)
class MrBody:
    """Two pools of protons on a grid, float32 [z, y, x].

    Attributes:
        water: density, 0 to 1.
        r1, r2: rates of the water, 1/s, before contrast agent.
        fat: density, 0 to 1.
        uptake: share of contrast agent, 1 in what enhances most.
        affine: of the grid, (z, y, x, 1) to LPS mm.
    """

    water: Float
    r1: Float
    r2: Float
    fat: Float
    uptake: Float
    affine: NDArray[np.float64]
    field_t: float


def body_of_ct(
    volume: Volume,
    *,
    mass: Mask,
    bone: Mask,
    field_t: float = 1.5,
    rng: np.random.Generator,
) -> MrBody:
    """Turn a CT with a drawn mass into what MR sees.

    Args:
        volume: Hounsfield units, without contrast agent.
        mass: the drawn mass.
        bone: all bone with its marrow.
        field_t: 1.5 or 3.
        rng: chance.
    """
    hu = volume.voxels.astype(np.float32)
    tissue = ndimage.gaussian_filter(hu, 0.8)
    muscle_t1, muscle_t2 = MUSCLE_MS[field_t]
    present = np.clip((tissue - AIR_HU) / 150, 0, 1)
    fat = np.clip((MUSCLE_HU - tissue) / (MUSCLE_HU - FAT_HU), 0, 1) * present
    marrow = rng.uniform(0.6, 1.0) * FAT_OF_MARROW
    cortex = np.clip((hu - MARROW_HU) / (CORTEX_HU - MARROW_HU), 0, 1)
    fat = np.where(bone, marrow * (1 - cortex), fat)
    water = np.where(bone, (1 - marrow) * (1 - cortex), (1 - fat) * present * 0.8)
    # Tendon and fascia, where CT is denser than muscle outside of bone, have little signal.
    water = np.where(~bone & ~mass, water * np.clip(1 - (tissue - 90) / 120, 0.1, 1), water)
    body = MrBody(
        water=water.astype(np.float32),
        r1=np.full(hu.shape, 1000 / muscle_t1, np.float32),
        r2=np.full(hu.shape, 1000 / muscle_t2, np.float32),
        fat=fat.astype(np.float32),
        uptake=np.full(hu.shape, 0.15, np.float32),
        affine=volume.affine,
        field_t=field_t,
    )
    return _with_mass(body, hu, mass, volume.spacing_mm, rng) if mass.any() else body


def _with_mass(
    body: MrBody,
    hu: Float,
    mass: Mask,
    spacing_mm: tuple[float, float, float],
    rng: np.random.Generator,
) -> MrBody:
    """Mineral in fluid and in walls, and the edema around."""
    fluid_t1, fluid_t2 = FLUID_MS[body.field_t]
    mineral = np.maximum(hu - MUSCLE_HU, 0) * MINERAL_MG_ML_PER_HU
    depth, away = (edt.edt(part, anisotropy=spacing_mm) for part in (mass, ~mass))
    wall_mm = rng.uniform(1.0, 3.0)
    wall = np.clip(1.5 - depth / wall_mm, 0, 1) * mass
    solid = np.clip(mineral / 250, 0, 1)  # paste and chalk hold less free fluid than milk does
    pasty_t2 = rng.uniform(30, 150)
    t2 = fluid_t2 * rng.uniform(0.1, 0.6) * (1 - solid) + pasty_t2 * solid
    t1 = fluid_t1 * rng.uniform(0.5, 1.0) * (1 - solid) + rng.uniform(700, 1600) * solid
    rim_t1, rim_t2 = rng.uniform(*RIM_T1_MS), rng.uniform(*RIM_T2_MS)
    low, high = np.log(R2_PER_MG_ML)
    r2 = (1 - wall) * 1000 / t2 + wall * 1000 / rim_t2
    r2 = r2 + np.exp(rng.uniform(low, high)) * mineral
    r1 = (1 - wall) * 1000 / t1 + wall * 1000 / rim_t1 + rng.uniform(*R1_PER_MG_ML) * mineral
    water = np.clip(1 - mineral / rng.uniform(*WATER_GONE_MG_ML), 0.02, 1)
    wet = rng.uniform(0, 0.7) * np.exp(-away / rng.uniform(*EDEMA_MM)) * ~mass
    enhancing = rng.random() < 0.6
    uptake = np.where(mass, wall * (1.0 if enhancing else 0.1), body.uptake * (1 + 2 * wet))
    return replace(
        body,
        water=np.where(mass, water, body.water).astype(np.float32),
        fat=np.where(mass, 0, body.fat).astype(np.float32),
        r1=np.where(mass, r1, body.r1 * (1 - 0.25 * wet)).astype(np.float32),
        r2=np.where(mass, r2, body.r2 * (1 - 0.6 * wet)).astype(np.float32),
        uptake=uptake.astype(np.float32),
    )
