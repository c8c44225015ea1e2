"""What the network says each 1.5 mm voxel is: mass, skeleton, or neither.

The network is ours, trained on masses drawn into real scans (`training/`, model card in
`docs/model_card.md`). It is run only on blocks that hold dense tissue inside the body, and where
there may be a mass again, from four sides.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise, product
from typing import TYPE_CHECKING

import cc3d
import numpy as np
from numpy.typing import NDArray

from calcinosis.measure.distance import distance_within
from calcinosis.measure.masks import bounds, without_holes
from calcinosis.measure.working_grid import GRID_MM, Box, WorkingGrid, box_within

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

DENSE_HU = 150  # above soft tissue and unopacified blood; a named parameter
METAL_HU = 2500  # above cortical bone and any calcium deposit we know
METAL_REACH_MM = 8.0  # streaks make densities nearer than this untrustworthy
_BODY_PART_SHARE, _BODY_PART_ML = 0.05, 20.0  # smaller parts are cushions, tubes and table
# Blocks in working voxels: greatest thickness, and greatest rows × columns, to spare memory; what
# is seen beyond a cut, and beyond the outermost tissue that is asked about.
_SLAB, _BLOCK_PLANE = 96, 22_000
_HALO, _RIM = 16, 8
_STEP = 8  # voxels per coarsest cell of the network; blocks begin on multiples of it
_ROOM = 12  # working voxels around dense tissue: fluid and walls of a mass
_CLOSER_ROOM, _CLOSER_SIDE = 4, 64  # working voxels: around a possible mass; of a block at most
_VIEWS = (), (0, 1), (0, 2), (1, 2)  # mirrored axes: a box as it is and turned by half
SEED_RADIUS = 3.0  # working voxels; the network learnt a seed point as a ball of this radius

Index = tuple[int, int, int]
Part = tuple[slice, slice]  # of an axis, and what is to be seen around it
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
        plane[:] = without_holes(plane)
    fine = body.repeat(2, 2).repeat(2, 1).repeat(2, 0)
    z, y, x = hu.shape
    return np.asarray(fine[:z, :y, :x], bool)


def near_metal(hu: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Voxels within 8 mm of metal."""
    metal = hu > METAL_HU
    if not metal.any():
        return np.zeros(hu.shape, bool)
    return np.asarray(distance_within(~metal, METAL_REACH_MM, (GRID_MM,) * 3) < METAL_REACH_MM)


def load_network(threads: int = 2) -> "InferenceSession":
    """The shipped network. It keeps some 130 MB for its next block, so let it go soon."""
    # From 1.32 on it tells Microsoft of each process, unless this is set before it is imported;
    # its own disable_telemetry_events comes too late for the first message.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = min(threads, _usable_cores())
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # two may share a core
    options.enable_mem_pattern = False  # plans for each size of block, which seldom comes again
    options.log_severity_level = 4  # what fails is told by us
    weights = resources.files("calcinosis.measure").joinpath("mass_network.onnx").read_bytes()
    with _memory_errors():
        return onnxruntime.InferenceSession(
            weights,
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=["NchwcTransformer"],  # reorders more than it spares here
        )


def _usable_cores() -> int:
    """How many cores this process may use, where the system tells; threads share none of them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def classify(
    grid: WorkingGrid,
    seeds: Sequence[Index] = (),
    progress: Callable[[float], None] | None = None,
) -> TissueMap:
    """Score the dense tissue inside the body and its surroundings, block by block.

    `seeds` are working voxels [z, y, x] on calcification that a user says belongs to a mass.
    """
    network = load_network()
    body = body_mask(grid.hu)
    mass, skeleton = (np.zeros(grid.hu.shape, np.uint8) for _ in range(2))
    blocks = list(_blocks((grid.hu > DENSE_HU) & body))
    for done, (core, seen) in enumerate(blocks):
        scores = ask(network, *_given_to_network(grid.hu, seen, seeds))
        mass[core], skeleton[core] = scores[(slice(None), *box_within(core, seen))]
        if progress:
            progress((done + 1) / len(blocks))
    return TissueMap(mass, skeleton, body)


def look_closer(
    grid: WorkingGrid, tissue: TissueMap, boxes: Sequence[Box], seeds: Sequence[Index] = ()
) -> None:
    """Score boxes of working voxels, and close around them, anew: the median of turned views."""
    network = load_network()
    for box in boxes:
        cuts = [
            _parts(extent, -(-(extent.stop - extent.start) // _CLOSER_SIDE), size)
            for extent, size in zip(_on_steps(box, grid), grid.hu.shape, strict=True)
        ]
        for z, y, x in product(*cuts):
            core, seen = zip(z, y, x, strict=True)
            block, balls = _given_to_network(grid.hu, seen, seeds)
            scores = _median_of_views(network, block, balls)[(slice(None), *box_within(core, seen))]
            tissue.mass[core], tissue.skeleton[core] = scores


def _median_of_views(
    network: "InferenceSession", hu: NDArray[np.int16], seeds: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """What the network says of one block when it sees it from four sides."""
    views = np.empty((len(_VIEWS), 2, *hu.shape), np.uint8)
    for view, axes in zip(views, _VIEWS, strict=True):
        scores = ask(network, np.flip(hu, axes), np.flip(seeds, axes))
        view[:] = np.flip(scores, tuple(axis + 1 for axis in axes))
    middle_two = views.sum(0, dtype=np.uint16) - views.max(0) - views.min(0)
    return np.asarray(middle_two // 2, np.uint8)


def _on_steps(box: Box, grid: WorkingGrid) -> Box:
    """A box with room around it, which begins and ends on multiples of the network's step."""
    z, y, x = (
        slice(
            _STEP * max(0, (extent.start - _CLOSER_ROOM) // _STEP),
            min(size, -_STEP * (-(extent.stop + _CLOSER_ROOM) // _STEP)),
        )
        for extent, size in zip(box, grid.hu.shape, strict=True)
    )
    return z, y, x


def _blocks(dense: NDArray[np.bool_]) -> Iterator[tuple[Box, Box]]:
    """Boxes that tile the dense tissue with what lies beside it, each with what is to be seen.

    Slab by slab: in each, one rectangle around all that is dense is cut into rows and columns.
    """
    depth = len(dense)
    for slab in _parts(slice(0, depth), -(-depth // _SLAB), depth):
        if not dense[slab[0]].any():
            continue
        _, *across = bounds(dense[slab[0]])
        height, width = (
            slice(_STEP * max(0, (extent.start - _ROOM) // _STEP), min(size, extent.stop + _ROOM))
            for extent, size in zip(across, dense.shape[1:], strict=True)
        )
        for row, column in _fewest_voxels(height, width, dense.shape[1:]):
            yield (slab[0], row[0], column[0]), (slab[1], row[1], column[1])


def _fewest_voxels(height: slice, width: slice, shape: tuple[int, ...]) -> list[tuple[Part, Part]]:
    """The rows and columns of a plane in which the fewest voxels are seen, no block too large."""

    def seen(parts: list[Part]) -> list[int]:
        return [part.stop - part.start for _, part in parts]

    cuts = [
        (_parts(height, rows, shape[0]), _parts(width, columns, shape[1]))
        for rows in range(1, (height.stop - height.start) // 32 + 2)
        for columns in range(1, (width.stop - width.start) // 32 + 2)
    ]
    fitting = [cut for cut in cuts if max(seen(cut[0])) * max(seen(cut[1])) <= _BLOCK_PLANE]
    rows, columns = min(fitting, key=lambda cut: sum(seen(cut[0])) * sum(seen(cut[1])))
    return list(product(rows, columns))


def _parts(extent: slice, count: int, size: int) -> list[Part]:
    """Like parts of an extent of an axis, each with what is to be seen around it."""
    inner = np.linspace(extent.start, extent.stop, count + 1)[1:-1] / _STEP
    edges = [extent.start, *(_STEP * inner.round().astype(int)).tolist(), extent.stop]
    return [
        (
            slice(a, b),
            slice(
                max(0, a - (_RIM if a == extent.start else _HALO)),
                min(size, b + (_RIM if b == extent.stop else _HALO)),
            ),
        )
        for a, b in pairwise(edges)
    ]


def _given_to_network(
    hu: NDArray[np.int16], seen: Box, seeds: Sequence[Index]
) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """One box in whole steps, Hounsfield units and seed balls."""
    block = hu[seen]
    block = np.pad(block, [(0, -size % _STEP) for size in block.shape], mode="edge")
    balls = np.zeros(block.shape, np.uint8)
    for seed in seeds:
        place = tuple(i - extent.start for i, extent in zip(seed, seen, strict=True))
        balls[ball(block.shape, place, SEED_RADIUS)] = 1
    return block, balls


def ask(
    network: "InferenceSession", hu: NDArray[np.int16], seeds: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """What the network says of one block [z, y, x]: mass and skeleton scores [2, z, y, x]."""
    with _memory_errors():
        return np.asarray(network.run(None, {"hu": hu, "seed": seeds})[0])


@contextmanager
def _memory_errors() -> Iterator[None]:
    """Raise as Python's own what ONNX Runtime raises, by no class of its own, where memory ends."""
    try:
        yield
    except Exception as error:
        if "bad_alloc" in str(error) or "Failed to allocate memory" in str(error):
            raise MemoryError from error
        raise


def ball(shape: tuple[int, ...], centre: tuple[int, ...], radius: float) -> NDArray[np.bool_]:
    """Voxels of an array within `radius` voxels of a place, which may lie outside the array."""
    axes = np.ogrid[tuple(slice(0, size) for size in shape)]
    return np.asarray(
        sum((axis - middle) ** 2 for axis, middle in zip(axes, centre, strict=True)) <= radius**2
    )
