"""Calcified masses: where the network sees one, or where a seed point says there is one."""

from collections.abc import Iterable
from dataclasses import dataclass

import cc3d
import edt
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.errors import InputError
from calcinosis.measure.envelope import (
    CALCIFIED_HU,
    CLOSING_MM,
    Envelope,
    closed,
    refine,
)
from calcinosis.measure.mass import Point
from calcinosis.measure.tissue import TissueMap
from calcinosis.measure.working_grid import GRID_MM, Box, WorkingGrid
from calcinosis.volume import Volume

SMALLEST_MASS_ML = 1.0  # DESIGN §4: what counts as a mass
_WORKING_ML = GRID_MM**3 / 1000
_MARGIN_MM = 9.0
# Gates measured on drawn-in masses and on scans without one (docs/accuracy.md).
_CALL = 128  # network score (of 255) above which a voxel is a mass
_EDGE_CALL = 60  # above which it belongs to the mass it touches: walls are faint
_SURE = 217
_SURE_SHARE = (
    0.79  # masses drawn into unseen scans: mostly 0.80–0.93; bone taken for one: up to 0.78
)
_WORTH_A_LOOK_SHARE = 0.5
_CUT_SHARE = 0.15  # of its surface on the edge of the scan: a bone cut there lacks its cortex
_CALCIFIED_SHARE = 0.05
_SEED_REACH_MM = 6.0


@dataclass(frozen=True, eq=False)
class FoundMass:
    """A mass on the scan's own voxels.

    Attributes:
        box: where its voxels lie in the volume.
        envelope: mask, occupancy and calcification inside the box.
        score: mean network score 0…1 over the mass.
        seeded: a seed point asked for it.
    """

    box: Box
    envelope: Envelope
    score: float
    seeded: bool


@dataclass(frozen=True, eq=False)
class FoundMasses:
    """Masses, largest first, and the places of what may be one but is not called."""

    masses: tuple[FoundMass, ...]
    unsure_lps_mm: tuple[Point, ...]


def find_masses(
    volume: Volume, grid: WorkingGrid, tissue: TissueMap, seeds_lps_mm: Iterable[Point] = ()
) -> FoundMasses:
    """All masses of at least 1 mL; each seed point forces one."""
    regions, unsure = _called_regions(grid, tissue)
    for seed in seeds_lps_mm:
        regions = _add_seed(volume, grid, tissue, regions, seed)
    found = [
        _on_native_grid(volume, grid, tissue, regions, label, extent)
        for label, extent in enumerate(ndimage.find_objects(regions), start=1)
        if extent
    ]
    size = volume.voxel_volume_ml
    masses = [
        mass
        for mass in found
        if mass.seeded or mass.envelope.occupancy.sum() * size >= SMALLEST_MASS_ML
    ]
    masses.sort(key=lambda mass: -float(mass.envelope.occupancy.sum()))
    places = [volume.to_lps(np.array(place) * grid.step) for place in unsure]
    return FoundMasses(tuple(masses), tuple((float(x), float(y), float(z)) for x, y, z in places))


_FIRST_SEED = 1_000  # labels above this were asked for by a seed point


def _called_regions(
    grid: WorkingGrid, tissue: TissueMap
) -> tuple[NDArray[np.int32], list[tuple[int, ...]]]:
    """Label map of what is surely a mass, and the brightest voxels of what may be one."""
    called = (tissue.mass > _EDGE_CALL) & ~tissue.near_metal
    if not called.any():
        return np.zeros(called.shape, np.int32), []
    called = closed(called, CLOSING_MM / 2, (GRID_MM,) * 3) & ~(tissue.skeleton > tissue.mass)
    labels = np.asarray(cc3d.connected_components(called, connectivity=18), np.int32)
    inside = labels > 0
    if not inside.any():
        return labels, []
    flat, score = labels[inside], tissue.mass[inside]
    size = np.bincount(flat)
    core = np.bincount(flat, score > _CALL)
    sure = np.bincount(flat, score > _SURE) / np.maximum(core, 1)
    dense = np.bincount(flat, grid.hu[inside] > CALCIFIED_HU) / np.maximum(size, 1)
    large = (core * _WORKING_ML > 0.5 * SMALLEST_MASS_ML) & (dense > _CALCIFIED_SHARE)
    kept = large & (sure > _SURE_SHARE) & (_share_on_edge(labels) < _CUT_SHARE)
    doubtful = np.flatnonzero(large & ~kept & (sure > _WORTH_A_LOOK_SHARE))
    places = [_brightest(grid, labels, label) for label in doubtful.tolist()]
    return np.where(kept, np.arange(len(kept)), 0).astype(np.int32)[labels], places


def _brightest(grid: WorkingGrid, labels: NDArray[np.int32], label: int) -> tuple[int, ...]:
    """The brightest voxel of a label."""
    places = np.argwhere(labels == label)
    return tuple(places[grid.hu[tuple(places.T)].argmax()])


def _share_on_edge(labels: NDArray[np.int32]) -> NDArray[np.float64]:
    """For each label, the share of its surface voxels that lie on the edge of the scan."""
    count = int(labels.max()) + 1
    depth = np.asarray(edt.edt(labels > 0, black_border=True, parallel=1))
    surface = np.bincount(labels[depth == 1], minlength=count)
    faces = [np.take(labels, end, axis).ravel() for axis in range(3) for end in (0, -1)]
    return np.bincount(np.concatenate(faces), minlength=count) / np.maximum(surface, 1)


def _add_seed(
    volume: Volume,
    grid: WorkingGrid,
    tissue: TissueMap,
    regions: NDArray[np.int32],
    seed_lps_mm: Point,
) -> NDArray[np.int32]:
    """Put the calcification at a seed point into its own region, cut from bone."""
    place = np.round(volume.to_indices(seed_lps_mm) / grid.step).astype(int)
    text = ",".join(f"{value:g}" for value in seed_lps_mm)
    if (place < 0).any() or (place >= grid.hu.shape).any():
        raise InputError(f"seed {text} lies outside the scan; expected LPS mm inside it")
    near = _ball(grid.hu.shape, place, _SEED_REACH_MM / GRID_MM)
    dense = near & (grid.hu > CALCIFIED_HU)
    if not dense.any():
        raise InputError(
            f"seed {text} has nothing above {CALCIFIED_HU:g} HU within {_SEED_REACH_MM:g} mm; "
            "expected a point on calcification"
        )
    label = max(int(regions.max()), _FIRST_SEED) + 1
    touched = np.unique(regions[dense])
    touched = touched[touched > 0]
    if len(touched):
        return np.where(np.isin(regions, touched), label, regions).astype(np.int32)
    region = _flood(grid, tissue, dense, place)
    return np.where(region, label, regions).astype(np.int32)


def _ball(shape: tuple[int, ...], centre: NDArray[np.int64], radius: float) -> NDArray[np.bool_]:
    axes = np.ogrid[tuple(slice(0, size) for size in shape)]
    return np.asarray(
        sum((axis - middle) ** 2 for axis, middle in zip(axes, centre, strict=True)) <= radius**2
    )


def _flood(
    grid: WorkingGrid, tissue: TissueMap, seed: NDArray[np.bool_], place: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Let seed and sure skeleton flood the dense tissue between them; keep the seed's part."""
    from skimage.segmentation import watershed

    members = ((grid.hu > CALCIFIED_HU) | (tissue.mass > _CALL // 2)) & tissue.body
    near = _ball(grid.hu.shape, place, 2 * _SEED_REACH_MM / GRID_MM)
    markers = np.zeros(grid.hu.shape, np.int32)
    markers[(tissue.skeleton > _SURE) & (grid.hu > CALCIFIED_HU) & ~near] = 2
    markers[seed] = 1
    cost = tissue.skeleton.astype(np.int16) - tissue.mass
    flooded = watershed(cost, markers, mask=members | (markers > 0))
    region = closed(flooded == 1, CLOSING_MM, (GRID_MM,) * 3) & (flooded != 2)
    labels, _ = ndimage.label(region)
    return np.asarray(np.isin(labels, np.unique(labels[seed])) & region)


def _on_native_grid(
    volume: Volume,
    grid: WorkingGrid,
    tissue: TissueMap,
    regions: NDArray[np.int32],
    label: int,
    extent: Box,
) -> FoundMass:
    """Snap a working-grid region to the scan's own voxels."""
    working = grid.grow(extent, int(np.ceil(_MARGIN_MM / GRID_MM)))
    box = grid.native_box(working, volume.shape)
    near = grid.grow(working, 3)  # what the native voxels are interpolated from
    region, score = regions[near] == label, tissue.mass[near]
    z, y, x = (extent.start for extent in near)
    mass, skeleton, core = (
        grid.to_native(field.astype(np.uint8), box, (z, y, x))
        for field in (
            np.where(region, np.maximum(score, 160), np.minimum(score, 100)),
            np.where(region, 0, tissue.skeleton[near]),
            region,
        )
    )
    hu = volume.voxels[box].astype(np.float32)
    share = np.float32(255)
    envelope = refine(hu, mass / share, skeleton / share, volume.spacing_mm, core > 0.5)
    called = score[region & (score > _CALL)]
    mean_score = float(called.mean() / 255) if called.size else 0.0
    return FoundMass(box, envelope, mean_score, seeded=label > _FIRST_SEED)
