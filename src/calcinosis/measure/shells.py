"""Calcified shells around fluid: cysts, which the network may hold for bone with its marrow.

Told by what they hold (`cavities`), wherever they lie: alone, in groups, grown together with bone.
"""

from collections.abc import Sequence

import cc3d
import numpy as np
from numpy.typing import NDArray

from calcinosis.measure.cavities import Cavity, find_cavities
from calcinosis.measure.masks import grown
from calcinosis.measure.tissue import SEED_RADIUS, Index, TissueMap, ball
from calcinosis.measure.working_grid import WorkingGrid

_LIKELY = 128  # network score (of 255), mass and bone together
_SURE = 217  # of mass alone; what is less sure may not be called
_GAP = 1  # working voxels: the gap between cysts of one group is at most twice as wide


def shells_as_masses(
    grid: WorkingGrid, tissue: TissueMap, seeds: Sequence[Index] = ()
) -> list[Index]:
    """Give what a map holds for bone, but is a shell around fluid, to the masses.

    Less sure ones are taken with a cyst beside them or at a seed.

    Returns:
        Dense working voxels of shells that may be cysts and were left as they were.
    """
    called = np.add(tissue.mass, tissue.skeleton, dtype=np.uint16) > _LIKELY
    found = [cavity for cavity in find_cavities(grid, called) if cavity.beside_cyst()]
    cysts = _cysts_and_company(found, called.shape, seeds)
    if cysts.any():
        _take_what_hangs_on(cysts, called)
        tissue.mass[cysts] = 255
        tissue.skeleton[cysts] = 0
    return [
        grid.brightest(cavity.box, cavity.shell)
        for cavity in found
        if cavity.perhaps_in_cyst() and not _is_mass(tissue, cavity)
    ]


def _cysts_and_company(
    found: Sequence[Cavity], shape: tuple[int, ...], seeds: Sequence[Index]
) -> NDArray[np.bool_]:
    """Voxels of the shells that are cysts, and of shells no larger in one group with these."""
    shells, sure, asked = (np.zeros(shape, bool) for _ in range(3))
    for seed in seeds:
        asked |= ball(shape, seed, SEED_RADIUS)
    cysts = [cavity for cavity in found if cavity.in_cyst() or _is_asked(cavity, asked)]
    if not cysts:
        return sure
    largest_mm = max(cavity.radius_mm for cavity in cysts)
    for cavity in cysts:
        sure[cavity.box] |= cavity.shell
    for cavity in found:
        if cavity.radius_mm <= largest_mm:
            shells[cavity.box] |= cavity.shell
    groups = cc3d.connected_components(grown(shells, _GAP))
    with_cyst = np.zeros(groups.max() + 1, bool)
    with_cyst[groups[sure]] = True
    return np.asarray(shells & with_cyst[groups])


def _is_asked(cavity: Cavity, asked: NDArray[np.bool_]) -> bool:
    """Whether a seed lies on what may be a cyst's shell."""
    return cavity.perhaps_in_cyst() and bool((asked[cavity.box] & cavity.shell).any())


def _take_what_hangs_on(cysts: NDArray[np.bool_], called: NDArray[np.bool_]) -> None:
    """Add the called parts that touch nothing but cysts and are smaller than these."""
    rest = cc3d.connected_components(called & ~cysts, connectivity=18)
    size = np.bincount(rest.ravel())
    touching = np.zeros(len(size), bool)
    touching[rest[grown(cysts)]] = True
    touching[0] = False
    cysts |= (touching & (size < np.count_nonzero(cysts)))[rest]


def _is_mass(tissue: TissueMap, cavity: Cavity) -> bool:
    """Whether most of a cavity's shell is surely held for mass anyway."""
    return bool(np.mean(tissue.mass[cavity.box][cavity.shell] > _SURE) > 1 / 2)
