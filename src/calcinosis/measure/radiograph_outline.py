"""The outline of the mass a reader points at on a radiograph, by a small network.

The network sees a square around the point, brought to `SIDE` pixels whatever its size: small masses
fit a small square, large ones a large one. See docs/model_card.md.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, binary_fill_holes, gaussian_filter, label

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Float = NDArray[np.float32]

SIDE = 64
LOCAL_PIXELS = 4.0  # width over which the second layer is levelled
SQUARES_MM = (40.0, 60.0, 90.0, 135.0, 200.0, 300.0, 420.0)
BEST_SHARE = 0.4  # of its square that a mass takes where the network sees it best
_FITS = (0.1, 0.85)  # a mass that takes less is seen coarsely, one that takes more is cut
_NEAR = 3  # pixels: the point may miss the mass by so much


@dataclass(frozen=True, eq=False)
class Outline:
    """What the network calls the mass.

    Attributes:
        share: [SIDE, SIDE], how surely each place belongs to it, 0 to 1.
        mask: its part around the point, holes filled.
        step: pixels of the film from one place to the next.
        start: (row, column) of the first place on the film.
        agreement: Dice of what the squares of neighbouring sizes call it, 0 to 1.
        sureness: mean share within the mask.
        cut: the mass reaches the edge of the largest square or of the film.
    """

    share: Float
    mask: NDArray[np.bool_]
    step: float
    start: tuple[float, float]
    agreement: float
    sureness: float
    cut: bool


def find_outline(density: Float, pixel_mm: float, point: tuple[int, int]) -> Outline | None:
    """Outline the mass at a point; None where the network sees none there.

    Args:
        density: the film, bright where dense, [row, column].
        pixel_mm: side of its pixels at the patient.
        point: (row, column) on the mass.
    """
    network = load_network()
    seen = [_seen(network, density, pixel_mm, point, side_mm) for side_mm in SQUARES_MM]
    masks = [_around_point(share) for share in seen]
    fits = [i for i, mask in enumerate(masks) if mask is not None and _fits(mask)]
    if not fits:
        whole = [i for i, mask in enumerate(masks) if mask is not None]
        if not whole:
            return None
        fits = [whole[-1]]  # larger than the largest square, or smaller than the network can tell
    best = min(fits, key=lambda i: abs(np.log(_extent(masks[i]) / SIDE / BEST_SHARE)))
    beside = [i for i in (best - 1, best + 1) if i in fits]
    carried = [_carried(seen[i], SQUARES_MM[best] / SQUARES_MM[i]) for i in beside]
    share = np.mean([seen[best], *carried], axis=0).astype(np.float32)
    mask = _around_point(share)
    if mask is None:
        return None
    dices = [_dice(mask, found) for one in carried if (found := _around_point(one)) is not None]
    step = SQUARES_MM[best] / SIDE / pixel_mm
    first = [place - (SIDE - 1) / 2 * step for place in point]
    return Outline(
        share=share,
        mask=mask,
        step=step,
        start=(first[0], first[1]),
        agreement=float(np.mean(dices)) if dices else 0.0,
        sureness=float(share[mask].mean()),
        cut=not _fits(mask) or _leaves_film(mask, first, step, density.shape),
    )


def layers(square: Float) -> Float:
    """What the network sees of a square [SIDE, SIDE] that is bright where dense: [3, SIDE, SIDE].

    Density against that of the point, density against its surroundings, distance from the point.
    None depends on the units of the density.
    """
    middle = slice(SIDE // 2 - 2, SIDE // 2 + 2)
    whole = (square - np.median(square[middle, middle])) / (square.std() + 1e-6)
    above = square - gaussian_filter(square, LOCAL_PIXELS)
    local = above / (np.sqrt(gaussian_filter(above**2, LOCAL_PIXELS)) + 0.02 * square.std() + 1e-6)
    away = np.hypot(*(np.indices((SIDE, SIDE)) - (SIDE - 1) / 2)) / (SIDE / 2)
    return np.stack([np.clip(whole, -4, 4), np.clip(local, -4, 4), away]).astype(np.float32)


def square_around(density: Float, point: tuple[int, int], step: float) -> Float:
    """`SIDE` × `SIDE` places `step` pixels apart around a point; mirrored beyond the film."""
    reach = int(np.ceil(SIDE / 2 * step)) + 4
    low = [max(place - reach, 0) for place in point]
    part = density[low[0] : point[0] + reach + 1, low[1] : point[1] + reach + 1]
    if step > 1:
        part = gaussian_filter(part, 0.35 * step, truncate=2, mode="reflect")
    start = [p - begin - (SIDE - 1) / 2 * step for p, begin in zip(point, low, strict=True)]
    square = affine_transform(
        part, [step, step], start, output_shape=(SIDE, SIDE), order=1, mode="reflect"
    )
    return np.asarray(square, np.float32)


def load_network() -> "InferenceSession":
    """The shipped network."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # as for the other, see measure/tissue.py
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # small pictures: more threads gain nothing
    options.log_severity_level = 4
    weights = resources.files("calcinosis.measure").joinpath("radiograph_network.onnx").read_bytes()
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])


def _seen(
    network: "InferenceSession",
    density: Float,
    pixel_mm: float,
    point: tuple[int, int],
    side_mm: float,
) -> Float:
    """Mean share by all eight views of a square: turned film gives a turned outline."""
    square = square_around(density, point, side_mm / SIDE / pixel_mm)
    views = np.stack([layers(np.ascontiguousarray(view)) for view in _turned(square)])
    shares = network.run(None, {"picture": views})[0][:, 0]
    back = [_turned_back(share, number) for number, share in enumerate(shares)]
    return np.asarray(np.mean(back, axis=0), np.float32)


def _turned(square: Float) -> Iterator[Float]:
    for one in (square, square[:, ::-1]):
        for turns in range(4):
            yield np.rot90(one, turns)


def _turned_back(share: Float, number: int) -> Float:
    mirrored, turns = divmod(number, 4)
    straight = np.rot90(share, -turns)
    return straight[:, ::-1] if mirrored else straight


def _around_point(share: Float) -> NDArray[np.bool_] | None:
    """The part of what is likelier mass than not that lies at the point, holes filled."""
    parts, _ = label(share > 0.5)
    middle = slice(SIDE // 2 - _NEAR, SIDE // 2 + _NEAR)
    sizes = np.bincount(parts[middle, middle].ravel(), minlength=2)
    sizes[0] = 0
    if not sizes.any():
        return None
    return np.asarray(binary_fill_holes(parts == sizes.argmax()))


def _extent(mask: NDArray[np.bool_] | None) -> float:
    if mask is None:
        return 1.0
    return float(max(np.ptp(places) + 1 for places in np.nonzero(mask)))


def _fits(mask: NDArray[np.bool_]) -> bool:
    edge = mask[[0, -1]].any() or mask[:, [0, -1]].any()
    return bool(not edge and _FITS[0] * SIDE <= _extent(mask) <= _FITS[1] * SIDE)


def _carried(share: Float, smaller: float) -> Float:
    """What a square of another size says, on the places of this one, `smaller` times its size."""
    middle = (SIDE - 1) / 2
    start = [middle - middle * smaller] * 2
    carried = affine_transform(share, [smaller] * 2, start, order=1, mode="constant")
    return np.asarray(carried, np.float32)


def _leaves_film(
    mask: NDArray[np.bool_], first: list[float], step: float, shape: tuple[int, ...]
) -> bool:
    for places, begin, size in zip(np.nonzero(mask), first, shape, strict=True):
        if begin + (places.min() - 1) * step < 0 or begin + (places.max() + 1) * step > size - 1:
            return True
    return False


def _dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float(2 * (one & other).sum() / max(one.sum() + other.sum(), 1))
