"""What the network says each 1.5 mm voxel is: mass, skeleton, or neither.

The network is ours, trained on masses drawn into real scans (`training/`, model card in
`docs/model_card.md`). It is run only on blocks that hold dense tissue inside the body.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import TYPE_CHECKING

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.measure.distance import distance_within
from calcinosis.measure.working_grid import GRID_MM, Box, WorkingGrid

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

DENSE_HU = 150  # above soft tissue and unopacified blood; a named parameter
METAL_HU = 2500  # above cortical bone and any calcium deposit we know
METAL_REACH_MM = 8.0  # streaks make densities nearer than this untrustworthy
_BODY_PART_SHARE, _BODY_PART_ML = 0.05, 20.0  # smaller parts are cushions, tubes and table
# Blocks in working voxels: thickness, surroundings, and rows × columns that spare memory.
_SLAB, _HALO, _BLOCK_PLANE = 72, 16, 128 * 128
_ROOM = 12  # working voxels around dense tissue: fluid and walls of a mass
SEED_RADIUS = 3.0  # working voxels; the network learnt a seed point as a ball of this radius

Index = tuple[int, int, int]
_VOXELS = (1.0, 1.0, 1.0)  # distances counted in voxels


@dataclass(frozen=True, eq=False)
class TissueMap:
    """Network scores on the working grid, each 0…255 for probability 0…1; and the body."""

    mass: NDArray[np.uint8]
    skeleton: NDArray[np.uint8]
    body: NDArray[np.bool_]


def body_mask(hu: NDArray[np.int16]) -> NDArray[np.bool_]:
    """The patient without table and clothes: all large parts, lungs and bowel gas filled in."""
    coarse = np.pad(hu[::2, ::2, ::2] > -300, 1, mode="edge")
    step_mm = 2 * GRID_MM
    eroded = distance_within(coarse, 1, _VOXELS) > 1
    opened = distance_within(~eroded, 1, _VOXELS) <= 1 if eroded.any() else coarse
    parts = cc3d.connected_components(opened[1:-1, 1:-1, 1:-1], connectivity=6)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    large = sizes >= max(_BODY_PART_SHARE * sizes.max(), _BODY_PART_ML * 1000 / step_mm**3)
    large[0] = False
    body = large[parts]
    for plane in body:
        plane[:] = ndimage.binary_fill_holes(plane)
    fine = body.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    z, y, x = hu.shape
    return np.asarray(fine[:z, :y, :x], bool)


def near_metal(hu: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Voxels within 8 mm of metal."""
    metal = hu > METAL_HU
    if not metal.any():
        return np.zeros(hu.shape, bool)
    return np.asarray(distance_within(~metal, METAL_REACH_MM, (GRID_MM,) * 3) < METAL_REACH_MM)


def classify(
    grid: WorkingGrid,
    seeds: Sequence[Index] = (),
    progress: Callable[[float], None] | None = None,
) -> TissueMap:
    """Score the dense tissue inside the body and its surroundings, block by block.

    `seeds` are working voxels [z, y, x] on calcification that a user says belongs to a mass.
    """
    body = body_mask(grid.hu)
    dense = (grid.hu > DENSE_HU) & body
    mass, skeleton = np.zeros((2, *grid.hu.shape), np.uint8)
    blocks = list(_cores(dense))
    for done, core in enumerate(blocks):
        scores = _scores(grid.hu, core, seeds)
        mass[core], skeleton[core] = scores
        if progress:
            progress((done + 1) / len(blocks))
    return TissueMap(mass, skeleton, body)


def _cores(dense: NDArray[np.bool_]) -> Iterator[Box]:
    """Boxes that tile the dense tissue, slab by slab, with room for what a mass holds beside it."""
    for top in range(0, len(dense), _SLAB):
        slab = slice(top, min(top + _SLAB, len(dense)))
        for _, *across in ndimage.find_objects(dense[slab].view(np.uint8)):
            y, x = (
                (max(0, extent.start - _ROOM), min(size, extent.stop + _ROOM))
                for extent, size in zip(across, dense.shape[1:], strict=True)
            )
            rows, columns = _fewest_voxels(y[1] - y[0], x[1] - x[0])
            yield from ((slab, a, b) for a in _parts(*y, rows) for b in _parts(*x, columns))


def _fewest_voxels(height: int, width: int) -> tuple[int, int]:
    """Into how many rows and columns to cut a plane, halos counted, within a block's size."""
    sizes = {
        (rows, columns): (height / rows + 2 * _HALO) * (width / columns + 2 * _HALO)
        for rows in range(1, height // 32 + 2)
        for columns in range(1, width // 32 + 2)
    }
    fitting = [cut for cut, size in sizes.items() if size <= _BLOCK_PLANE]
    return min(fitting, key=lambda cut: cut[0] * cut[1] * sizes[cut])


def _parts(start: int, stop: int, count: int) -> list[slice]:
    """Equal parts of a range."""
    edges = np.linspace(start, stop, count + 1).round().astype(int).tolist()
    return [slice(a, b) for a, b in pairwise(edges)]


def _scores(hu: NDArray[np.int16], core: Box, seeds: Sequence[Index]) -> NDArray[np.uint8]:
    """Mass and skeleton scores [2, z, y, x] of one box, seen with its surroundings."""
    before = [min(_HALO, extent.start) for extent in core]
    outer = tuple(
        slice(extent.start - lead, min(extent.stop + _HALO, size))
        for extent, lead, size in zip(core, before, hu.shape, strict=True)
    )
    block = hu[outer].astype(np.float32)
    block = np.pad(block, [(0, -size % 8) for size in block.shape], mode="edge")
    here = [tuple(i - e.start for i, e in zip(seed, outer, strict=True)) for seed in seeds]
    balls = np.zeros(block.shape, np.float32)
    for place in here:
        balls[ball(block.shape, place, SEED_RADIUS)] = 1
    scores = _class_scores(block, balls)
    inner = tuple(
        slice(lead, lead + extent.stop - extent.start)
        for lead, extent in zip(before, core, strict=True)
    )
    scores = scores[(slice(None), *inner)]
    weights = np.exp(scores - scores.max(0))
    shares = weights[1:] / weights.sum(0)
    return np.asarray(np.round(shares * 255), np.uint8)


def _class_scores(hu: NDArray[np.float32], seeds: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the network says of one block [z, y, x]: scores [class, z, y, x]."""
    try:
        inputs = {"hu": hu[None, None], "seed": seeds[None, None]}
        return np.asarray(_network().run(None, inputs)[0][0])
    except Exception as error:  # its errors have no class in common but this one
        if "bad_alloc" in str(error):
            raise MemoryError from error
        raise


def ball(shape: tuple[int, ...], centre: tuple[int, ...], radius: float) -> NDArray[np.bool_]:
    """Voxels of an array within `radius` voxels of a place, which may lie outside the array."""
    axes = np.ogrid[tuple(slice(0, size) for size in shape)]
    return np.asarray(
        sum((axis - middle) ** 2 for axis, middle in zip(axes, centre, strict=True)) <= radius**2
    )


@cache
def _network(threads: int = 2) -> "InferenceSession":
    """The shipped network, loaded once."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # two may share a core
    options.enable_cpu_mem_arena = False  # give memory back after each block
    options.log_severity_level = 4  # what fails is told by us
    weights = resources.files("calcinosis.measure").joinpath("mass_network.onnx").read_bytes()
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
