"""The outline of the mass at a point of an ultrasound picture.

Seen from the point, the outline is one distance for each direction. It is the likeliest: up to it
places do not look like tissue at their depth, beyond it they do (log-likelihoods, one for each
cell of speckle), and neighbouring distances differ little. Dynamic programming finds the best.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.measure.ultrasound_beams import SMOOTH_SHARE, Sector
from calcinosis.measure.ultrasound_tissue import Tissue, judge_tissue

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Box = tuple[slice, slice]  # rows, columns

WAYS = 120  # directions
RADII = 160  # distances, evenly up to the farthest
FARTHEST_SHARE = 0.6  # of the depth of the picture
STIFF = 0.06  # log-likelihood that one step of distance per direction costs, squared
REACH = 3  # steps of distance between neighbouring directions, at most
NEARER = 0.002  # for each place that says nothing: of two outlines the smaller
AROUND_SHARE = 0.2  # of the width, to either side of the point, that at first is not tissue
ROUNDS = 4  # outline and tissue depend on each other
BAND_SHARE = 0.03  # of the depth: within this on either side a border shows
SHADE = 0.15  # log-likelihood against the mass of a place in its shadow, straight down
CORE, BOX_ROOM = 0.6, 0.1  # of the half sides of a box: mass for sure; how far beyond it
MOST_OFF = 4.0  # departure that one place counts for at most
NEVER = -1e6  # score
SEEN = 0.4  # mean log-likelihood within, and half of it beyond, from which a border is seen


@dataclass(frozen=True, eq=False)
class Outline:
    """The border of a mass in the plane.

    Attributes:
        mask: its pixels, in the sector.
        border: (row, column) of each direction.
        seen: in which directions the border shows.
        cut: in which it leaves what the probe sees.
        tissue: what tissue is like beside it.
    """

    mask: Mask
    border: Array
    seen: Mask
    cut: Mask
    tissue: Tissue

    @property
    def seen_share(self) -> float:
        """Of the border that shows, 0 to 1."""
        return float(self.seen.mean())

    @property
    def departure(self) -> float:
        """How far what it holds is from tissue, standard deviations, mean of absolute values."""
        told = self.mask & self.tissue.told
        off = np.abs(self.tissue.departure[told])
        return float(np.minimum(off, MOST_OFF).mean()) if told.any() else 0.0


def find_outline(sector: Sector, at: tuple[int, int], box: Box | None = None) -> Outline:
    """Outline the mass at a point, whether or not there is one: see `Outline.seen`.

    Of two beginnings, that the beams around the point hold tissue or that they do not, the one is
    taken that leads to more of a border.

    Args:
        sector: the picture.
        at: (row, column) in it.
        box: rows and columns of it that hold all of the mass and little else, where known.
    """
    if box is not None:
        held = np.zeros(sector.grey.shape, np.bool_)
        held[box] = True
        return _settled(sector, at, held | _below(held, sector), box)
    begun = (_settled(sector, at, without) for without in (None, _beams_around(sector, at)))
    return max(begun, key=lambda outline: outline.seen_share)


def _settled(
    sector: Sector, at: tuple[int, int], without: Mask | None, box: Box | None = None
) -> Outline:
    tissue = judge_tissue(sector, without)
    places, step_mm = _rays(sector, at, _farthest_mm(sector, box))
    bounds = None if box is None else _bounds(places, box)
    near = _near(sector, at)
    for _ in range(ROUNDS):
        content = float(np.median(tissue.departure[near]))
        steps, evidence = _best(tissue, content, places, step_mm, bounds)
        border = np.stack([places[:, np.arange(WAYS), steps][n] for n in (0, 1)], axis=1)
        mask = _filled(border, sector)
        near = mask if mask.sum() > near.sum() else near
        tissue = judge_tissue(sector, mask | _below(mask, sector))
    band = max(int(BAND_SHARE * sector.deep_mm / step_mm), 2)
    seen, cut = _seen(evidence, steps, places, sector, band)
    return Outline(mask, border, seen, cut, tissue)


def _farthest_mm(sector: Sector, box: Box | None) -> float:
    if box is None:
        return FARTHEST_SHARE * sector.deep_mm
    sides = (part.stop - part.start for part in box)
    half_mm = [side * step / 2 for side, step in zip(sides, sector.step_mm, strict=True)]
    return (1 + 2 * BOX_ROOM) * float(np.hypot(*half_mm))


def _rays(sector: Sector, at: tuple[int, int], farthest_mm: float) -> tuple[Array, float]:
    """Rows and columns [2, direction, distance], and the step of distance."""
    step_mm = farthest_mm / RADII
    ways = np.arange(WAYS) * 2 * np.pi / WAYS
    far = (np.arange(RADII) + 1) * step_mm
    rows = at[0] + np.outer(np.sin(ways), far) / sector.step_mm[0]
    columns = at[1] + np.outer(np.cos(ways), far) / sector.step_mm[1]
    return np.stack([rows, columns]), step_mm


def _bounds(places: Array, box: Box) -> tuple[Mask, Mask]:
    """Of [direction, distance]: what lies in the core of a box, and what lies beyond it."""
    off = [
        (place - (part.start + part.stop - 1) / 2) / (part.stop - part.start) * 2
        for place, part in zip(places, box, strict=True)
    ]
    return np.hypot(*off) < CORE, np.maximum(*np.abs(off)) > 1 + BOX_ROOM


def _beams_around(sector: Sector, at: tuple[int, int]) -> Mask:
    """The beams next to the point: whatever the mass is, it may fill them."""
    across = sector.across[sector.inside]
    away = np.abs(sector.across - sector.across[at])
    return np.asarray(away < AROUND_SHARE * float(np.ptp(across)))


def _near(sector: Sector, at: tuple[int, int]) -> Mask:
    rows, columns = np.indices(sector.grey.shape)
    away = np.hypot((rows - at[0]) * sector.step_mm[0], (columns - at[1]) * sector.step_mm[1])
    return np.asarray(away <= 1.5 * SMOOTH_SHARE * sector.deep_mm)


def _best(
    tissue: Tissue,
    content: float,
    places: Array,
    step_mm: float,
    bounds: tuple[Mask, Mask] | None,
) -> tuple[NDArray[np.intp], Array]:
    """The best distance of each direction, and what each place says for tissue.

    A shadow is as wide as what throws it, but reaches deeper: it counts sideways and upwards.

    Args:
        tissue: what tissue is like.
        content: departure of what the mass holds.
        places: rows and columns [2, direction, distance].
        step_mm: from one distance to the next.
        bounds: where, of [direction, distance], no border can be: too near, too far.
    """
    sector = tissue.sector
    evidence = ndimage.map_coordinates(tissue.for_tissue(content), places, order=1, mode="constant")
    visible = ndimage.map_coordinates(sector.inside.astype(float), places, order=0) > 0
    shadow = ndimage.map_coordinates(tissue.in_shadow.astype(float), places, order=0) > 0
    evidence = np.where(visible, evidence, 0.0)
    sideways = _sideways(sector, places)[:, None]
    shaded = np.clip(evidence, -1, 0) * sideways + SHADE * (1 - sideways)
    cell_mm2 = 4 * np.pi * (SMOOTH_SHARE * sector.deep_mm) ** 2
    area_mm2 = step_mm * (np.arange(RADII) + 1) * step_mm * 2 * np.pi / WAYS
    # The score of a border at a distance: no tissue before it; what lies beyond adds the rest.
    before = np.cumsum(np.where(shadow, shaded, evidence) * area_mm2 / cell_mm2, axis=1)
    idle = (shadow | (evidence == 0)).cumsum(axis=1) * NEARER
    score = np.where(visible, -before - idle, NEVER)
    score[:, 0] = np.maximum(score[:, 0], 0.0)
    if bounds is not None:
        score[bounds[0] | bounds[1]] = NEVER
    return _closed_path(score, STIFF), np.where(shadow, np.clip(evidence, -1, 0), evidence)


def _sideways(sector: Sector, places: Array) -> Array:
    """Of each direction: 0 down along the beam, to 1 across it and upwards."""
    way = (places[:, :, -1] - places[:, :, 0]) * np.array(sector.step_mm)[:, None]
    way = way / np.hypot(*way)
    beam = np.array([1.0, 0.0])
    if sector.apex is not None:
        beam = (places[:, :, 0].mean(axis=1) - sector.apex) * sector.step_mm
        beam = beam / np.hypot(*beam)
    down = np.maximum(beam @ way, 0.0)
    return np.asarray((1 - down) ** 2)


def _closed_path(score: Array, stiff: float) -> NDArray[np.intp]:
    """The distances that score most together, closed: twice round, of which the middle is taken."""
    twice = np.concatenate([score, score])
    path = _path(twice, stiff, REACH)
    half = WAYS // 2
    return np.asarray(np.roll(path[half : half + WAYS], half), dtype=np.intp)


@njit(cache=True)
def _path(score, stiff, reach):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    ways, radii = score.shape
    total = score.copy()
    came = np.zeros((ways, radii), np.int64)
    for way in range(1, ways):
        for radius in range(radii):
            best, source = -1e18, radius
            for step in range(-reach, reach + 1):
                other = radius + step
                if 0 <= other < radii:
                    value = total[way - 1, other] - stiff * step * step
                    if value > best:
                        best, source = value, other
            total[way, radius] = score[way, radius] + best
            came[way, radius] = source
    path = np.zeros(ways, np.int64)
    path[-1] = np.argmax(total[-1])
    for way in range(ways - 1, 0, -1):
        path[way - 1] = came[way, path[way]]
    return path


def _filled(border: Array, sector: Sector) -> Mask:
    from skimage.draw import polygon2mask

    return np.asarray(polygon2mask(sector.grey.shape, border) & sector.inside)


def _below(mask: Mask, sector: Sector) -> Mask:
    """What lies deeper than a mass on its beams."""
    if not mask.any():
        return np.zeros_like(mask)
    samples, beams = sector.beam_places()
    first = np.full(beams.max() + 1, samples.max() + 1)
    np.minimum.at(first, beams[mask], samples[mask])
    return np.asarray((samples >= first[beams]) & sector.inside)


def _seen(
    evidence: Array, steps: NDArray[np.intp], places: Array, sector: Sector, band: int
) -> tuple[Mask, Mask]:
    """Where tissue surely begins at the border, and where the picture ends before it.

    Args:
        evidence: for tissue at each place, not weighed by area.
        steps: of the border, one for each direction.
        places: rows and columns [2, direction, distance].
        sector: the picture.
        band: distances on either side that are looked at.
    """
    total = np.concatenate([np.zeros((WAYS, 1)), np.cumsum(evidence, axis=1)], axis=1)
    way, here = np.arange(WAYS), steps + 1
    inner = total[way, here] - total[way, np.maximum(here - band, 0)]
    outer = total[way, np.minimum(here + band, RADII)] - total[way, here]
    inner, outer = (
        ndimage.uniform_filter1d(side, 5, mode="wrap") / band for side in (inner, outer)
    )
    ends = places[:, way, np.minimum(steps + 2, RADII - 1)]
    cut = ndimage.map_coordinates(sector.inside.astype(float), ends, order=0) == 0
    cut |= steps >= RADII - 3
    return np.asarray((inner < -SEEN) & (outer > SEEN / 2) & ~cut), np.asarray(cut)
