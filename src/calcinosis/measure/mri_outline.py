"""The outline of the mass a reader points at on MRI, by a small network.

The network sees a cube around the point, brought to `SIDE` voxels along each side whatever its
size: small masses fit a small cube, large ones a large one. See docs/model_card.md.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from calcinosis.measure.mri_grid import Block, Float, Mask, Point
from calcinosis.measure.mri_layers import SIDE, layers
from calcinosis.volume import Volume

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

CUBES_MM = (36.0, 50.0, 68.0, 94.0, 130.0, 180.0, 250.0, 345.0)
# Which cube to believe: that whose outline the next smaller one shares and that the network
# is sure of, less a little for each e-fold that the mass is off its best share of the side.
BEST_SHARE, SHARE_MATTERS = 0.5, 0.15
OUTLINED = 0.15  # share that is mass: with 0.3 outlines were a fifth too small (masses for tuning)
_NEAR = 2  # voxels: the point may miss the mass by so much
_FLIPS = tuple(product((False, True), repeat=3))[::3]  # three of eight views: enough to steady it


@dataclass(frozen=True, eq=False)
class Outline:
    """What the network calls the mass.

    Attributes:
        block: where its voxels lie.
        share: how surely each belongs to it, 0 to 1.
        mask: the part around the point, holes filled.
        agreement: Dice of what this cube and the next smaller one call it, 0 to 1.
        sureness: mean share within the mask.
        cut: it reaches the edge of what was imaged, or of the largest cube.
    """

    block: Block
    share: Float
    mask: Mask
    agreement: float
    sureness: float
    cut: bool

    @property
    def confidence(self) -> float:
        """0 to 1, how sure the outline is."""
        return self.agreement * self.sureness


def find_outline(t1: Volume | None, t2: Volume | None, like: Volume, at: Point) -> Outline | None:
    """Outline the mass at a point; None where the network sees none there.

    Args:
        t1: unenhanced, or None.
        t2: with a long echo, or None.
        like: that of them along whose axes the outline is drawn.
        at: the point, LPS mm.
    """
    network = load_network()
    blocks = [Block.around(at, like, side_mm, SIDE) for side_mm in CUBES_MM]
    seen, imaged = zip(*(_seen(network, block, t1, t2) for block in blocks), strict=True)
    masks = [_around_point(share) for share in seen]
    worths = [_worth(seen, masks, blocks, number) for number in range(len(masks))]
    best = max(range(len(masks)), key=lambda number: worths[number][0])
    mask = masks[best]
    if mask is None:
        return None
    edge = ndimage.binary_dilation(mask, iterations=2) & ~imaged[best]
    return Outline(
        block=blocks[best],
        share=seen[best],
        mask=mask,
        agreement=worths[best][1],
        sureness=float(seen[best][mask].mean()),
        cut=_is_cut(mask) or bool(edge.sum() > 0.01 * mask.sum()),
    )


@cache
def load_network() -> "InferenceSession":
    """The shipped network."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # as for the other, see measure/tissue.py
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 4
    weights = resources.files("calcinosis.measure").joinpath("mri_network.onnx").read_bytes()
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])


def _seen(
    network: "InferenceSession", block: Block, t1: Volume | None, t2: Volume | None
) -> tuple[Float, Mask]:
    """Mean share by several views of a cube, and what of it was imaged."""
    parts = [None if one is None else block.sampled(one) for one in (t1, t2)]
    imaged = np.logical_and.reduce([part[1] for part in parts if part is not None])
    signals = [None if part is None else part[0] for part in parts]
    given = layers(signals[0], signals[1], imaged)
    views = np.stack([np.ascontiguousarray(view) for view in _flipped(given)])
    shares = network.run(None, {"block": views})[0][:, 0]
    back = [np.flip(share, _axes(flip)) for share, flip in zip(shares, _FLIPS, strict=True)]
    return np.asarray(np.mean(back, axis=0) * imaged, np.float32), imaged


def _flipped(given: Float) -> Iterator[Float]:
    for flip in _FLIPS:
        yield np.flip(given, tuple(axis + 1 for axis in _axes(flip)))


def _axes(flip: Sequence[bool]) -> tuple[int, ...]:
    return tuple(axis for axis in range(3) if flip[axis])


def _worth(
    seen: Sequence[Float], masks: Sequence[Mask | None], blocks: Sequence[Block], number: int
) -> tuple[float, float]:
    """How much a cube's outline is to be believed, and how far the next smaller one agrees."""
    mask = masks[number]
    if mask is None:
        return -np.inf, 0.0
    agreement = _agreement(seen, masks, blocks, max(number - 1, 0))
    extent = max(np.ptp(places) + 1 for places in np.nonzero(mask)) / SIDE
    off = abs(float(np.log(extent / BEST_SHARE)))
    sureness = float(seen[number][mask].mean())
    return agreement * sureness - SHARE_MATTERS * off - _is_cut(mask), agreement


def _agreement(
    seen: Sequence[Float],
    masks: Sequence[Mask | None],
    blocks: Sequence[Block],
    smaller: int,
) -> float:
    """Dice of what a cube and the next larger call the mass, in the smaller."""
    mask, larger = masks[smaller], smaller + 1
    if mask is None:
        return 0.0
    return _dice(mask, blocks[larger].carried(seen[larger], blocks[smaller]) > OUTLINED)


def _around_point(share: Float) -> Mask | None:
    """The part of what surely enough is mass that lies at the point, holes filled.

    Pieces that a gap of two voxels parts are one mass.
    """
    likely = np.pad(share > OUTLINED, 1)
    parts, _ = ndimage.label(ndimage.binary_dilation(likely))
    middle = slice(1 + SIDE // 2 - _NEAR, 1 + SIDE // 2 + _NEAR)
    sizes = np.bincount((parts * likely)[middle, middle, middle].ravel(), minlength=2)
    sizes[0] = 0
    if not sizes.any():
        return None
    joined = ndimage.binary_closing(likely & (parts == sizes.argmax()))
    inner = (slice(1, -1),) * 3
    return np.asarray(ndimage.binary_fill_holes(joined)[inner])


def _is_cut(mask: Mask) -> bool:
    return any(mask.take((0, -1), axis=axis).any() for axis in range(3))


def _dice(one: Mask, other: Mask) -> float:
    return float(2 * (one & other).sum() / max(one.sum() + other.sum(), 1))
