"""Calcified masses: where the network sees one, or where a seed point says there is one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.measure.closing import CLOSING_MM, closed
from calcinosis.measure.distance import distance_within
from calcinosis.measure.envelope import CALCIFIED_HU, Envelope, refine
from calcinosis.measure.masks import bounds, places, rim, widened
from calcinosis.measure.mass import Labels, Point
from calcinosis.measure.outline import ROOM_VOXELS, drawn_back, without_tails
from calcinosis.measure.seed import SEED_REACH_MM
from calcinosis.measure.tissue import Index, TissueMap, ball, near_metal
from calcinosis.measure.unasked import Unasked
from calcinosis.measure.working_grid import (
    GRID_MM,
    WORKING_ML,
    Box,
    WorkingGrid,
    box_within,
    on_whole_grid,
)
from calcinosis.volume import Volume

SMALLEST_MASS_ML = 1.0  # DESIGN §4: what counts as a mass
MARGIN_MM = 9.0
# Gates measured on drawn-in masses and on scans without one (docs/accuracy.md).
_CALL = 128  # network score (of 255) above which a voxel is a mass
_EDGE_CALL = 50  # above which it belongs to the mass it touches: walls are faint
_EDGE_REACH = 4  # working voxels: how far a faint wall lies from what is surely mass
_SURE = 217
# The share of sure voxels asked of 1 mL, and how much less for each doubling: what is no mass
# (groups of calcified vessels, mineral of sarcomas) reached 0.73 at 1.1 mL, 0.67 at 3.7 mL and 0.70
# at 8 mL on the scans and phantoms looked at; small granulomas reach 0.89. Bones cut by the edge of
# the scan lack their cortex there and look surer, so more is asked of what lies on it.
_SURE_SHARE, _LESS_PER_DOUBLING, _SURE_SHARE_LEAST = 0.78, 0.02, 0.65
_FREE_ON_EDGE, _MORE_ON_EDGE = 0.15, 0.6  # share of the surface that costs nothing; slope beyond
_WORTH_A_LOOK_SHARE = 0.45
_SEED_ROOM_MM = 45.0  # around a seed, where the network looks again
_CALCIFIED_SHARE = 0.05
# What is this long for its width, and this narrow, is a vessel: named parameters.
TUBE_ELONGATION, TUBE_WIDTH_MM = 2.5, 15.0


@dataclass(frozen=True, eq=False)
class _Candidates:
    """What the network holds for mass: a label map, a box around each label (1 first), and all."""

    labels: Labels
    extents: list[Box]
    around: Box


@dataclass(frozen=True, eq=False)
class FoundMass:
    """A mass on the scan's own voxels.

    Attributes:
        box: where its voxels lie in the volume.
        envelope: mask, occupancy and calcification inside the box.
        score: mean network score 0…1 over the mass.
        seeded: a seed point asked for it.
        bone_share: of its calcification, what is bone without the seed point; 0 where none asked.
    """

    box: Box
    envelope: Envelope
    score: float
    seeded: bool
    bone_share: float = 0.0

    def centroid_lps_mm(self, volume: Volume) -> Point:
        """Mean place of its voxels in the volume."""
        return volume.crop(self.box).point_lps(places(self.envelope.mask).mean(0))

    def holds(self, other: "FoundMass") -> bool:
        """Whether most of another mass's voxels are this one's too."""
        z, y, x = (
            slice(max(own.start, its.start), min(own.stop, its.stop))
            for own, its in zip(self.box, other.box, strict=True)
        )
        if z.start >= z.stop or y.start >= y.stop or x.start >= x.stop:
            return False
        own, its = (mass.envelope.mask[box_within((z, y, x), mass.box)] for mass in (self, other))
        return bool(2 * np.count_nonzero(own & its) > np.count_nonzero(other.envelope.mask))


@dataclass(frozen=True, eq=False)
class PerhapsMass:
    """What may be a mass, but the network is not sure of: its brightest place, and its outline."""

    place_lps_mm: Point
    mass: FoundMass


@dataclass(frozen=True, eq=False)
class FoundMasses:
    """Masses, largest first, and what may be one but is not called."""

    masses: tuple[FoundMass, ...]
    unsure: tuple[PerhapsMass, ...]


@dataclass(frozen=True, eq=False)
class _Regions:
    """Working voxels of masses and of what may be one.

    Attributes:
        labels: the label map.
        unsure: the labels of what may be a mass, with the brightest voxel of each.
        first_seeded: this label and higher ones were asked for by a seed.
    """

    labels: Labels
    unsure: dict[int, Index]
    first_seeded: int


def find_masses(
    volume: Volume,
    grid: WorkingGrid,
    tissue: TissueMap,
    seeds: Sequence[Index] = (),
    unasked: Sequence[Unasked] = (),
) -> FoundMasses:
    """All masses of at least 1 mL; each seed, a working voxel on calcification, forces one.

    `unasked` tells for each seed what is bone without it.
    """
    regions = _regions(grid, tissue, seeds)
    masses, unsure = [], []
    for label, extent in enumerate(ndimage.find_objects(regions.labels), start=1):
        if extent is None:
            continue
        seeded = label >= regions.first_seeded
        mass = _on_native_grid(volume, grid, tissue, regions.labels, label, extent, seeded=seeded)
        if seeded and unasked:
            without = unasked[label - regions.first_seeded]
            mass = replace(mass, bone_share=without.share_of(grid, regions.labels, label))
        if label in regions.unsure:
            place = volume.point_lps(np.array(regions.unsure[label]) * grid.step)
            unsure.append(PerhapsMass(place, mass))
        elif seeded or mass.envelope.occupancy.sum() * volume.voxel_volume_ml >= SMALLEST_MASS_ML:
            masses.append(mass)
    masses.sort(key=lambda mass: -float(mass.envelope.occupancy.sum()))
    apart: list[FoundMass] = []
    for mass in masses:  # what lies in a larger one, as in a half-open rim, is part of it
        if not any(larger.holds(mass) for larger in apart):
            apart.append(mass)
    return FoundMasses(tuple(apart), tuple(unsure))


def _regions(grid: WorkingGrid, tissue: TissueMap, seeds: Sequence[Index]) -> _Regions:
    """What the network holds for masses, and what seeds ask for."""
    candidates = _candidates(grid, tissue)
    labels, unsure = _called_regions(grid, tissue, candidates)
    first_seeded = int(labels.max()) + 1
    for label, seed in enumerate(seeds, start=first_seeded):
        region = _seeded_region(grid, tissue, candidates.labels, seed)
        labels[_with_shared(region, labels, first_seeded)] = label
    left = {label: place for label, place in unsure.items() if labels[place] < first_seeded}
    for label in unsure.keys() - left.keys():
        labels[labels == label] = 0  # the seed has taken its heart
    return _Regions(labels, left, first_seeded)


def possible_masses(grid: WorkingGrid, tissue: TissueMap, seeds: Sequence[Index] = ()) -> list[Box]:
    """Boxes of working voxels around all that may turn out to be a mass, and around seeds."""
    candidates = _candidates(grid, tissue)
    traits = _traits(grid, tissue, candidates)
    worth = traits.called() | traits.doubtful()
    boxes = [extent for label, extent in enumerate(candidates.extents, start=1) if worth[label]]
    reach = int(_SEED_ROOM_MM / GRID_MM)
    for z, y, x in seeds:
        boxes.append(grid.grow((slice(z, z + 1), slice(y, y + 1), slice(x, x + 1)), reach))
    return boxes


def _candidates(grid: WorkingGrid, tissue: TissueMap) -> _Candidates:
    """Everything that the network holds for mass, with the faint walls beside it.

    What is connected by faint voxels alone is not joined: they often lead to bone.
    """
    labels = np.zeros(grid.hu.shape, np.uint32)
    around = grid.grow(bounds(tissue.mass > _EDGE_CALL), _EDGE_REACH)
    mass = tissue.mass[around]
    trusted = ~near_metal(grid.hu)[around]
    allowed = trusted & (tissue.skeleton[around] <= mass)
    core = closed(trusted & (mass > _CALL), CLOSING_MM / 2, (GRID_MM,) * 3) & allowed
    labels[around] = cc3d.connected_components(core, connectivity=18)
    _add_walls(labels[around], (mass > _EDGE_CALL) & allowed & (labels[around] == 0))
    extents = [on_whole_grid(extent, around) for extent in ndimage.find_objects(labels[around])]
    return _Candidates(labels, extents, around)


def _add_walls(labels: Labels, faint: NDArray[np.bool_]) -> None:
    """Give each faint voxel the label that is nearest to it, if one is within reach."""
    nearest = np.full(labels.shape, _EDGE_REACH**2, np.uint8)  # squared distances
    for label, extent in enumerate(ndimage.find_objects(labels), start=1):
        box = widened(extent, [_EDGE_REACH] * 3)
        distance = distance_within(labels[box] != label, _EDGE_REACH, (1.0, 1.0, 1.0))
        away = np.rint(np.minimum(distance, 2 * _EDGE_REACH) ** 2).astype(np.uint8)
        nearer = faint[box] & (away < nearest[box])
        labels[box][nearer] = label
        nearest[box][nearer] = away[nearer]


@dataclass(frozen=True, eq=False)
class _Traits:
    """Of each label: whether it is large and calcified, and no tube; its share of sure voxels.

    `asked` is the share that makes it a mass.
    """

    large: NDArray[np.bool_]
    sure: NDArray[np.float64]
    asked: NDArray[np.float64]

    def called(self) -> NDArray[np.bool_]:
        """Which labels are masses."""
        return self.large & (self.sure > self.asked)

    def doubtful(self) -> NDArray[np.bool_]:
        """Which may be."""
        return self.large & (self.sure > _WORTH_A_LOOK_SHARE) & ~self.called()


def _traits(grid: WorkingGrid, tissue: TissueMap, candidates: _Candidates) -> _Traits:
    """Measure all candidates."""
    labels, around = candidates.labels, candidates.around
    inside = labels[around] > 0
    flat, score = labels[around][inside], tissue.mass[around][inside]
    size = np.bincount(flat, minlength=1)
    core = np.bincount(flat, score > _CALL, len(size))
    sure = np.bincount(flat, score > _SURE, len(size)) / np.maximum(core, 1)
    dense = np.bincount(flat, grid.hu[around][inside] > CALCIFIED_HU, len(size)) / np.maximum(
        size, 1
    )
    large = (core * WORKING_ML > 0.5 * SMALLEST_MASS_ML) & (dense > _CALCIFIED_SHARE)
    for label, extent in enumerate(candidates.extents, start=1):
        if large[label]:
            sure_of_it = (labels[extent] == label) & (tissue.mass[extent] > _CALL)
            large[label] = not _is_tube(places(sure_of_it))
    on_edge = np.maximum(_share_on_edge(candidates) - _FREE_ON_EDGE, 0)
    doublings = np.log2(np.maximum(core * WORKING_ML, 1e-3))
    asked = np.maximum(_SURE_SHARE - _LESS_PER_DOUBLING * doublings, _SURE_SHARE_LEAST)
    return _Traits(large, sure, asked + _MORE_ON_EDGE * on_edge)


def _called_regions(
    grid: WorkingGrid, tissue: TissueMap, candidates: _Candidates
) -> tuple[Labels, dict[int, Index]]:
    """Label map of what is or may be a mass, and the brightest voxels of what only may be."""
    labels = candidates.labels
    traits = _traits(grid, tissue, candidates)
    regions = np.zeros(labels.shape, labels.dtype)
    for label in np.flatnonzero(traits.called() | traits.doubtful()).tolist():
        box = widened(candidates.extents[label - 1], [ROOM_VOXELS] * 3)
        outline = drawn_back(labels[box] == label, tissue.mass[box] > _SURE)
        regions[box][without_tails(outline)] = label
    unsure = {
        label: grid.brightest(extent, labels[extent] == label)
        for label in np.flatnonzero(traits.doubtful()).tolist()
        for extent in [candidates.extents[label - 1]]
    }
    return regions, unsure


def principal_axes(
    voxels: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Length, width and thickness in mm of working voxels [n, 3], and the unit vectors along them.

    Each is four standard deviations. Vectors are rows, in working voxels [z, y, x].
    """
    spread = np.cov(voxels.T) * GRID_MM**2 + np.eye(3) * GRID_MM**2 / 12
    variances, vectors = np.linalg.eigh(spread)
    return 4 * np.sqrt(variances)[::-1], vectors.T[::-1]


def _is_tube(voxels: NDArray[np.int64]) -> bool:
    """Whether voxels lie like a vessel: narrow and much longer than wide."""
    (length_mm, width_mm, _), _ = principal_axes(voxels)
    return bool(width_mm < TUBE_WIDTH_MM and length_mm > TUBE_ELONGATION * width_mm)


def _share_on_edge(candidates: _Candidates) -> NDArray[np.float64]:
    """For each label, the share of its surface voxels that lie on the edge of the scan."""
    labels, count = candidates.labels, len(candidates.extents) + 1
    surface = np.zeros(count)
    for label, extent in enumerate(candidates.extents, start=1):
        part = labels[widened(extent, [1, 1, 1])]
        surface[label] = np.count_nonzero((part == label) & rim(part > 0))
    faces = [np.take(labels, end, axis).ravel() for axis in range(3) for end in (0, -1)]
    return np.bincount(np.concatenate(faces), minlength=count) / np.maximum(surface, 1)


def _seeded_region(
    grid: WorkingGrid, tissue: TissueMap, candidates: Labels, seed: Index
) -> NDArray[np.bool_]:
    """The mass at a seed: what the network outlines there, else what can be cut from bone."""
    near = ball(grid.hu.shape, seed, SEED_REACH_MM / GRID_MM)
    dense = near & (grid.hu > CALCIFIED_HU)
    touched = np.bincount(candidates[dense])[1:]
    if 4 * touched.max(initial=0) > dense.sum():
        return np.asarray(candidates == touched.argmax() + 1)
    return _flood(grid, tissue, dense, seed)


def _with_shared(region: NDArray[np.bool_], labels: Labels, first_seeded: int) -> NDArray[np.bool_]:
    """A seed's region with those of earlier seeds that share half of it or of themselves."""
    for earlier in np.unique(labels[region & (labels >= first_seeded)]):
        other = labels == earlier
        smaller = min(np.count_nonzero(other), np.count_nonzero(region))
        if 2 * np.count_nonzero(other & region) > smaller:
            region = region | other
    return region


def _flood(
    grid: WorkingGrid, tissue: TissueMap, seed: NDArray[np.bool_], place: Index
) -> NDArray[np.bool_]:
    """Let seed and sure skeleton flood the dense tissue between them; keep the seed's part."""
    from skimage.segmentation import watershed

    members = ((grid.hu > CALCIFIED_HU) | (tissue.mass > _CALL // 2)) & tissue.body
    near = ball(grid.hu.shape, place, 2 * SEED_REACH_MM / GRID_MM)
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
    regions: Labels,
    label: int,
    extent: Box,
    *,
    seeded: bool,
) -> FoundMass:
    """Snap a working-grid region to the scan's own voxels."""
    working = grid.grow(extent, int(np.ceil(MARGIN_MM / GRID_MM)))
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
    return FoundMass(box, envelope, mean_score, seeded)
