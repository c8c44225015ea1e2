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
from scipy.ndimage import (
    affine_transform,
    binary_closing,
    binary_dilation,
    binary_fill_holes,
    gaussian_filter,
    label,
)

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Float = NDArray[np.float32]

SIDE = 64
LOCAL_PIXELS = 4.0  # width over which the second layer is levelled
SQUARES_MM = (40.0, 55.0, 75.0, 100.0, 135.0, 185.0, 250.0, 340.0)
# Which square to believe: that whose outline those of the next sizes share and that the network is
# sure of, less a little for each e-fold that the mass is off half of the square. Of rules tried on
# 72 films of phantoms and of three scans this had the best median Dice, 0.71 (0.66 to 0.68 others).
BEST_SHARE, SHARE_MATTERS = 0.5, 0.2
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

    @property
    def confidence(self) -> float:
        """0 to 1, how sure the outline is."""
        return self.agreement * self.sureness


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
    worths = [_worth(seen, masks, number) for number in range(len(masks))]
    best = max(range(len(masks)), key=lambda number: worths[number][0])
    if masks[best] is None:
        return None
    beside = [n for n in (best - 1, best + 1) if 0 <= n < len(seen) and masks[n] is not None]
    carried = [_carried(seen[n], SQUARES_MM[best] / SQUARES_MM[n]) for n in beside]
    share = np.mean([seen[best], *carried], axis=0).astype(np.float32)
    mask = _around_point(share)
    if mask is None:
        return None
    step = SQUARES_MM[best] / SIDE / pixel_mm
    first = [place - (SIDE - 1) / 2 * step for place in point]
    return Outline(
        share=share,
        mask=mask,
        step=step,
        start=(first[0], first[1]),
        agreement=worths[best][1],
        sureness=float(share[mask].mean()),
        cut=_is_cut(mask) or _leaves_film(mask, first, step, density.shape),
    )


def _worth(
    seen: list[Float], masks: list[NDArray[np.bool_] | None], number: int
) -> tuple[float, float]:
    """How much a square's outline is to be believed, and how far the next two sizes agree."""
    mask = masks[number]
    if mask is None:
        return -np.inf, 0.0
    near = [n for n in range(len(seen)) if 0 < abs(n - number) <= 2]
    dices = [_dice(mask, _carried(seen[n], SQUARES_MM[number] / SQUARES_MM[n]) > 0.5) for n in near]
    agreement = float(np.mean(dices))
    extent = max(np.ptp(places) + 1 for places in np.nonzero(mask)) / SIDE
    off = abs(float(np.log(extent / BEST_SHARE)))
    sureness = float(seen[number][mask].mean())
    return agreement * sureness - SHARE_MATTERS * off - _is_cut(mask), agreement


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
    """The part of what is likelier mass than not that lies at the point, holes filled.

    Pieces that a gap of two places parts are one mass.
    """
    likely = np.pad(share > 0.5, 1)
    parts, _ = label(binary_dilation(likely))
    middle = slice(1 + SIDE // 2 - _NEAR, 1 + SIDE // 2 + _NEAR)
    sizes = np.bincount((parts * likely)[middle, middle].ravel(), minlength=2)
    sizes[0] = 0
    if not sizes.any():
        return None
    joined = binary_closing(likely & (parts == sizes.argmax()))
    return np.asarray(binary_fill_holes(joined)[1:-1, 1:-1])


def _is_cut(mask: NDArray[np.bool_]) -> bool:
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())


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
