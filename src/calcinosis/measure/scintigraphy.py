"""Bone scintigraphy: what a mass takes up, against the soft tissue beside it and the other side.

A planar image holds counts. The reader points at the mass; its outline is where counts fall to half
of the way from its peak to the soft tissue around it. What does not stand out has no outline: a
disk is measured instead.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.errors import InputError
from calcinosis.measure.scintigraphy_mirror import Midline, find_midline
from calcinosis.read.scintigram import Counts, Scintigram

Mask = NDArray[np.bool_]
Pixel = tuple[float, float]  # row, column

SMOOTH_MM = 4.0  # standard deviation: as a camera blurs at the distance of a table (FWHM 9 mm)
CALM_MM = 7.0  # smoothed by so much more, noise hardly decides which half of a ring is darker
SEARCH_MM = 15.0  # the peak lies within this of the point: a reader's aim
RING_MM = (8.0, 28.0)  # where soft tissue is sought, from the outline: beyond the camera's blur
ROUNDS = 4  # outline and soft tissue depend on each other, and settle in three
HALF = 0.5  # the outline, from soft tissue (0) to the peak (1)
MIRROR_MM = 16.0  # the other side's place is sought so far around: bodies lie a little turned
# What both sides then differ by where nothing is wrong: of 144 disks of 20 to 40 mm in a real
# whole-body scan 95 % took up less than 1.19 times, and 97 % less than 1.3 times what the other
# side did (docs/accuracy.md); as a standard deviation of the logarithm.
NATURAL_SPREAD = 0.15
SPINE_MM = 30.0  # from the midline: vertebrae are 5 cm wide, and no spine is quite straight
HIDDEN_SHARE = 0.2  # of the other side's place that may lie outside the body
WIDEST_MM = 350.0  # masses reach 30 cm (founding observation); wider, it has run into the skeleton
# From the first on uptake is called present, below the second absent, against soft tissue beside
# it: named parameters. Disks of 20 to 40 mm at random places of a real whole-body scan, bone among
# them, have 1.5 times its counts (quartiles 1.2 and 2.0): so the other side is asked as well.
PRESENT_RATIO, ABSENT_RATIO = 1.5, 1.2
# Of a peak to soft tissue, that it is more than noise: between the two.
STANDS_OUT_RATIO = (PRESENT_RATIO * ABSENT_RATIO) ** 0.5
# Counts of soft tissue below which noise passes for uptake: drawn scans without any read 1.0 to 1.1
# with 100 and 300 a cm², up to 1.6 with 32 (tests/scintigram_scene.py, four of each).
FEW_COUNTS_PER_CM2 = 60.0
_NORMAL_95 = 1.96

State = Literal["present", "absent", "unknown"]


@dataclass(frozen=True)
class Ratio:
    """Mean counts of the mass to those of something else, with the 95 % interval."""

    value: float
    ci95: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Uptake:
    """What a mass takes up.

    Attributes:
        state: whether it takes up more than soft tissue, and than the same place on the other side.
        outline: its pixels [row, column].
        stands_out: whether that is its own outline; else a disk at the point.
        soft_tissue: pixels it is compared with.
        mirror: its pixels on the other side; None where no other side is in the view.
        area_cm2: of the outline.
        diameter_mm: its longest.
        counts: in the outline.
        to_soft_tissue: ratio to the soft tissue beside it.
        to_other_side: ratio to the other side; None without one.
        remarks: what the reader should know.
    """

    state: State
    outline: Mask
    stands_out: bool
    soft_tissue: Mask
    mirror: Mask | None
    area_cm2: float
    diameter_mm: float
    counts: float
    to_soft_tissue: Ratio
    to_other_side: Ratio | None
    remarks: tuple[str, ...]


def measure_uptake(scintigram: Scintigram, at: Pixel) -> Uptake:
    """Measure the uptake of the mass at a point.

    Args:
        scintigram: a planar view.
        at: row and column of a point in the mass.

    Raises:
        InputError: the point is outside the image or the body, or there is no soft tissue around.
    """
    smooth = _smooth(scintigram)
    body = body_of(smooth)
    _check_point(scintigram, body, at)
    found = _outlined(smooth, body, scintigram.pixel_mm, at)
    outline = _disk(smooth.shape, scintigram.pixel_mm, at) if found is None else found
    soft_tissue = _beside(smooth, body, outline, scintigram.pixel_mm)
    spared = ndimage.distance_transform_edt(~outline, sampling=scintigram.pixel_mm) > RING_MM[0]
    without = np.where(spared, smooth, smooth[soft_tissue].mean())
    midline = find_midline(without, scintigram.pixel_mm, at)
    to_soft_tissue = _ratio(scintigram.counts, outline, soft_tissue)
    mirror = None if midline is None else other_side(scintigram, outline, body, midline)
    to_other_side = None
    if mirror is not None:
        to_other_side = _ratio(scintigram.counts, outline, mirror, NATURAL_SPREAD)
    edge = _touches_edge(outline)
    stands_out = found is not None
    state = _state(to_soft_tissue, to_other_side, stands_out=stands_out)
    return Uptake(
        state="unknown" if edge else state,
        outline=outline,
        stands_out=stands_out,
        soft_tissue=soft_tissue,
        mirror=mirror,
        area_cm2=float(outline.sum() * np.prod(scintigram.pixel_mm) / 100),
        diameter_mm=_diameter_mm(outline, scintigram.pixel_mm),
        counts=float(scintigram.counts[outline].sum()),
        to_soft_tissue=to_soft_tissue,
        to_other_side=to_other_side,
        remarks=(
            *_on_counts(scintigram, soft_tissue),
            *_remarks(to_soft_tissue, to_other_side, stands_out=stands_out, edge=edge),
        ),
    )


def body_of(smooth: Counts) -> Mask:
    """The body: counts on their square root, where their noise is even, parted from the empty."""
    from skimage.filters import threshold_otsu

    root = np.sqrt(np.maximum(smooth, 0))
    if not root.any() or root.min() == root.max():
        raise InputError("the image holds no counts, or the same everywhere; is it a bone scan?")
    return np.asarray(ndimage.binary_fill_holes(root > threshold_otsu(root)), dtype=np.bool_)


def _smooth(scintigram: Scintigram) -> Counts:
    sigma = [SMOOTH_MM / step for step in scintigram.pixel_mm]
    return np.asarray(ndimage.gaussian_filter(scintigram.counts, sigma), dtype=np.float32)


def _check_point(scintigram: Scintigram, body: Mask, at: Pixel) -> None:
    rows, columns = scintigram.counts.shape
    row, column = (round(place) for place in at)
    told = f"--at {column},{row}"
    if not (0 <= row < rows and 0 <= column < columns):
        raise InputError(
            f"{told} lies outside the image; expected a column of 0 to {columns - 1} and a row of "
            f"0 to {rows - 1}"
        )
    if not body[row, column]:
        raise InputError(f"{told} lies outside the body; expected a point in the mass")


def _peak(smooth: Counts, pixel_mm: tuple[float, float], at: Pixel) -> tuple[int, int]:
    """The brightest pixel near the point."""
    near = _distance_mm(smooth.shape, pixel_mm, at) <= SEARCH_MM
    row, column = np.unravel_index(np.argmax(np.where(near, smooth, -1)), smooth.shape)
    return int(row), int(column)


def _distance_mm(
    shape: tuple[int, ...], pixel_mm: tuple[float, float], at: Pixel
) -> NDArray[np.float64]:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return np.hypot((rows - at[0]) * pixel_mm[0], (columns - at[1]) * pixel_mm[1])


def _disk(shape: tuple[int, ...], pixel_mm: tuple[float, float], at: Pixel) -> Mask:
    return np.asarray(_distance_mm(shape, pixel_mm, at) <= SEARCH_MM, dtype=np.bool_)


def _outlined(smooth: Counts, body: Mask, pixel_mm: tuple[float, float], at: Pixel) -> Mask | None:
    """The outline of what stands out at a point; None where nothing does."""
    peak = _peak(smooth, pixel_mm, at)
    outline = _disk(smooth.shape, pixel_mm, peak)
    for _ in range(ROUNDS):
        low = smooth[_beside(smooth, body, outline, pixel_mm)].mean()
        inside, _count = ndimage.label((smooth >= low + HALF * (smooth[peak] - low)) & body)
        outline = inside == inside[peak]
        standing_out = smooth[peak] > STANDS_OUT_RATIO * low
        if not standing_out or _diameter_mm(outline, pixel_mm) > WIDEST_MM:
            return None
    return np.asarray(outline, dtype=np.bool_)


def _beside(smooth: Counts, body: Mask, outline: Mask, pixel_mm: tuple[float, float]) -> Mask:
    """The darker half of the body in the ring around an outline: the other holds the bones.

    Raises:
        InputError: there is no body around it.
    """
    away = ndimage.distance_transform_edt(~outline, sampling=pixel_mm)
    depth = ndimage.distance_transform_edt(body, sampling=pixel_mm)
    ring = (away > RING_MM[0]) & (away <= RING_MM[1]) & (depth > SMOOTH_MM)
    if ring.sum() < 10:
        raise InputError("there is no soft tissue around the point to compare it with")
    calm = ndimage.gaussian_filter(smooth, [CALM_MM / step for step in pixel_mm])
    return np.asarray(ring & (calm <= np.median(calm[ring])), dtype=np.bool_)


def _ratio(counts: Counts, one: Mask, other: Mask, spread: float = 0.0) -> Ratio:
    """Mean counts of one to the other's; Poisson, and what both sides of a body differ by."""
    here, there = float(counts[one].sum()), float(counts[other].sum())
    value = (here / one.sum()) / max(there / other.sum(), 1e-6)
    sd = float(np.sqrt(1 / max(here, 1.0) + 1 / max(there, 1.0) + spread**2))
    wide = np.exp(_NORMAL_95 * sd)
    return Ratio(float(value), (float(value / wide), float(value * wide)))


def other_side(scintigram: Scintigram, outline: Mask, body: Mask, midline: Midline) -> Mask | None:
    """The outline on the other side, where most is taken up near its mirrored place.

    None where that is the place itself or the spine, or not in the body. No body is its own mirror
    image: a strict mirror sets bone against soft tissue.
    """
    step = np.array(scintigram.pixel_mm)
    places = np.rint(midline.mirrored(*np.nonzero(outline))).astype(int)
    reach = (MIRROR_MM / step).astype(int)
    first, last = places.min(axis=1) - reach, places.max(axis=1) + reach
    apart_mm = np.hypot(*(step * (np.argwhere(outline).mean(axis=0) - places.mean(axis=1))))
    if (first < 0).any() or (last >= outline.shape).any() or apart_mm < 2 * SPINE_MM:
        return None
    shifts = [
        (down, right)
        for down in range(-reach[0], reach[0] + 1)
        for right in range(-reach[1], reach[1] + 1)
        if np.hypot(*(step * (down, right))) <= MIRROR_MM
    ]
    taken_up = [scintigram.counts[places[0] + d, places[1] + r].mean() for d, r in shifts]
    mirror = np.zeros_like(outline)
    mirror[tuple(places + np.array(shifts[int(np.argmax(taken_up))])[:, None])] = True
    mirror = np.asarray(ndimage.binary_fill_holes(mirror), dtype=np.bool_)
    hidden = (mirror & ~body).sum() > HIDDEN_SHARE * mirror.sum()
    return None if hidden or (mirror & outline).any() else mirror


def _touches_edge(outline: Mask) -> bool:
    return bool(
        outline[0].any() or outline[-1].any() or outline[:, 0].any() or outline[:, -1].any()
    )


def _diameter_mm(outline: Mask, pixel_mm: tuple[float, float]) -> float:
    """The longest distance across, pixel edges included."""
    from scipy.spatial.distance import pdist

    rim = outline & ~ndimage.binary_erosion(outline)
    places = np.argwhere(rim) * pixel_mm
    return float((pdist(places).max() if len(places) > 1 else 0.0) + np.mean(pixel_mm))


def _state(to_soft_tissue: Ratio, to_other_side: Ratio | None, *, stands_out: bool) -> State:
    if to_soft_tissue.ci95[1] < ABSENT_RATIO:
        return "absent"
    above = to_soft_tissue.ci95[0] >= PRESENT_RATIO and stands_out
    if above and to_other_side is not None and to_other_side.ci95[0] > 1.0:
        return "present"
    return "unknown"


def _on_counts(scintigram: Scintigram, soft_tissue: Mask) -> Iterator[str]:
    density = float(scintigram.counts[soft_tissue].mean() * 100 / np.prod(scintigram.pixel_mm))
    if density < FEW_COUNTS_PER_CM2:
        yield f"Soft tissue has but {density:.0f} counts a cm²: noise may pass for uptake."


def _remarks(
    to_soft_tissue: Ratio, to_other_side: Ratio | None, *, stands_out: bool, edge: bool
) -> Iterator[str]:
    if not stands_out:
        yield (
            f"Nothing stands out at the point: a disk of {2 * SEARCH_MM / 10:g} cm was measured."
        )
    if edge:
        yield "The edge of the image cuts it: what it takes up in all cannot be told."
    if to_soft_tissue.ci95[1] < ABSENT_RATIO:
        return
    if to_other_side is None:
        yield (
            "The view shows no other side of it, or it lies in the midline: whether it takes up "
            "more than bone there would, cannot be told."
        )
    elif to_other_side.ci95[0] <= 1.0:
        yield (
            "It does not surely take up more than the same place on the other side: this may be "
            "bone in front of it or behind it, or both sides may have a mass."
        )
