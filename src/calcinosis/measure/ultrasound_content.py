"""What a mass on an ultrasound picture holds: fluid, echoes, chambers and walls; and its rim."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from calcinosis.measure.ultrasound_beams import SMOOTH_SHARE, Sector
from calcinosis.measure.ultrasound_outline import BAND_SHARE, Outline
from calcinosis.measure.ultrasound_tissue import DARKEST_GREY, Tissue

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Interval = tuple[float, float]

# In standard deviations of speckle, against tissue at the same depth. Named parameters: solid
# tumours, nodes and pus lie some 5 to 15 dB below muscle, fluid 30 and more.
FLUID, LOW_ECHO, BRIGHT = -2.5, -1.0, 1.0
BLACK_SHARE = 0.2  # of the grey of tissue: darker is fluid too, where black is near
LINE_GREY = 12.0  # that a wall stands out by, whatever lies before it weakens
RIM_BRIGHT = 2.0  # standard deviations of smoothed tissue that a bright rim stands out by
RIM_SHARE = 0.09  # of the depth: the line lies this near to the outline, on both sides together
INNER_SHARE = 0.02  # of the depth, that is rim and not content
LOCULE_MM = 3.0  # a chamber is this wide at least ...
LOCULE_CELLS = 3.0  # ... and as many cells of speckle: smaller holes are chance
WALL_SHARE = 0.05  # of the depth: chambers nearer than this have a wall between them
ARC_CELLS = 2.0  # widths of smoothing, to either side, that a stretch of border is independent of
_NORMAL_95 = 1.96


@dataclass(frozen=True)
class Rim:
    """The border as a shell.

    Attributes:
        bright_share: of the border that sound reaches, brighter than tissue at its depth.
        ci95: its 95 % interval.
        judged_share: of the border that sound reaches.
        grey: how much brighter, on average, grey levels.
    """

    bright_share: float
    ci95: Interval
    judged_share: float
    grey: float


@dataclass(frozen=True, eq=False)
class Content:
    """What is inside, as shares of what sound reaches there.

    Attributes:
        reached_share: of the inside.
        like_fluid: as dark as fluid.
        low_echo: darker than tissue, what is like fluid among it.
        bright: brighter than tissue.
        locules: chambers, whose pixels hold their number from 1.
        walls: between neighbouring chambers.
        reason: why it is not judged; else empty.
    """

    reached_share: float
    like_fluid: float
    low_echo: float
    bright: float
    locules: NDArray[np.intp]
    walls: int
    reason: str = ""

    @property
    def locule_count(self) -> int:
        """Of the chambers in the plane."""
        return int(self.locules.max(initial=0))


def judge_rim(outline: Outline) -> Rim:
    """How much of the border is a bright line."""
    tissue, sector = outline.tissue, outline.tissue.sector
    line = np.minimum(tissue.departure, sector.ridges / tissue.spread)
    near = ndimage.maximum_filter(line, size=_pixels(sector, RIM_SHARE))
    rows, columns = (np.clip(np.rint(part), 0, None).astype(int) for part in outline.border.T)
    rows = np.minimum(rows, sector.grey.shape[0] - 1)
    columns = np.minimum(columns, sector.grey.shape[1] - 1)
    judged = _reached(tissue, sector.inside)[rows, columns] & tissue.told[rows, columns]
    judged &= ~outline.cut
    bright = near[rows, columns] > RIM_BRIGHT
    count = max(int(judged.sum()), 1)
    share = float((bright & judged).sum() / count)
    stretches = max(_perimeter_mm(outline) * judged.mean() / _stretch_mm(sector), 1.0)
    brighter = (near * tissue.spread)[rows, columns][bright & judged]
    return Rim(
        bright_share=share,
        ci95=_of_share(share, stretches),
        judged_share=float(judged.mean()),
        grey=float(brighter.mean()) if len(brighter) else 0.0,
    )


def judge_content(outline: Outline, behind_grey: float | None) -> Content:
    """What is inside the border.

    Args:
        outline: the border.
        behind_grey: how much brighter it is behind the mass: half of a shadow is thrown by what
            lies before the content.
    """
    tissue, sector = outline.tissue, outline.tissue.sector
    depth = ndimage.distance_transform_edt(outline.mask, sampling=sector.step_mm)
    inside = (depth > INNER_SHARE * sector.deep_mm) & sector.usable
    none = np.zeros(outline.mask.shape, np.intp)
    if not inside.any():
        return Content(0, 0, 0, 0, none, 0, "The mass is too small for its content to be judged.")
    level = tissue.level + min(behind_grey or 0.0, 0.0) / 2
    judged = inside & _reached(tissue, outline.mask) & (level > DARKEST_GREY)
    reached = float(judged.sum() / inside.sum())
    if _cells(sector, judged) < LOCULE_CELLS:
        hidden = "Nothing comes back from inside the mass or behind it: its content is hidden."
        return Content(reached, 0, 0, 0, none, 0, hidden)
    against = (sector.smooth - level) / max(tissue.speckle, 1.0)
    black = sector.smooth < BLACK_SHARE * tissue.level
    like_fluid = (against < FLUID) | (black & (against < LOW_ECHO))
    locules = _locules(sector, judged & like_fluid)
    return Content(
        reached_share=reached,
        like_fluid=float(like_fluid[judged].mean()),
        low_echo=float((against < LOW_ECHO)[judged].mean()),
        bright=float((against > BRIGHT)[judged].mean()),
        locules=locules,
        walls=_walls(sector, locules),
    )


def _reached(tissue: Tissue, within: Mask) -> Mask:
    """Places from which on, deeper on the same beam, an echo still comes back: sound gets there."""
    sector = tissue.sector
    margin = ndimage.binary_dilation(within, iterations=max(_pixels(sector, BAND_SHARE)))
    echo = (sector.ridges > LINE_GREY) | (sector.smooth > tissue.level - tissue.speckle)
    echo &= margin & sector.inside & (sector.smooth > DARKEST_GREY)
    samples, beams = sector.beam_places()
    last = np.full(beams.max() + 1, -1)
    np.maximum.at(last, beams[echo], samples[echo])
    return np.asarray(samples <= last[beams])


def _locules(sector: Sector, dark: Mask) -> NDArray[np.intp]:
    parts, count = ndimage.label(dark)
    pixel_mm2 = float(np.prod(sector.step_mm))
    cell_mm2 = 4 * np.pi * (SMOOTH_SHARE * sector.deep_mm) ** 2
    least = max(np.pi * (LOCULE_MM / 2) ** 2, LOCULE_CELLS * cell_mm2) / pixel_mm2
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    sizes[0] = 0
    numbers = np.zeros(count + 1, np.intp)
    kept = np.flatnonzero(sizes >= least)
    numbers[kept] = np.arange(len(kept)) + 1
    return np.asarray(numbers[parts])


def _walls(sector: Sector, locules: NDArray[np.intp]) -> int:
    """Pairs of chambers with a thin wall between them."""
    count = int(locules.max(initial=0))
    away = [
        ndimage.distance_transform_edt(locules != n + 1, sampling=sector.step_mm)
        for n in range(count)
    ]
    thin_mm = WALL_SHARE * sector.deep_mm
    return sum(
        bool(away[one][locules == other + 1].min() < thin_mm)
        for one in range(count)
        for other in range(one)
    )


def _cells(sector: Sector, places: Mask) -> float:
    cell_mm2 = 4 * np.pi * (SMOOTH_SHARE * sector.deep_mm) ** 2
    return float(places.sum() * np.prod(sector.step_mm) / cell_mm2)


def _pixels(sector: Sector, share: float) -> list[int]:
    return [max(3, round(share * sector.deep_mm / step)) for step in sector.step_mm]


def _stretch_mm(sector: Sector) -> float:
    return 2 * ARC_CELLS * SMOOTH_SHARE * sector.deep_mm


def _perimeter_mm(outline: Outline) -> float:
    steps = np.diff(np.vstack([outline.border, outline.border[:1]]), axis=0)
    return float(np.hypot(*(steps * outline.tissue.sector.step_mm).T).sum())


def _of_share(share: float, count: float) -> Interval:
    """Wilson's interval of a share (1927, doi:10.1080/01621459.1927.10502953)."""
    z2 = _NORMAL_95**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = (
        _NORMAL_95 / (1 + z2 / count) * np.sqrt(share * (1 - share) / count + z2 / (4 * count**2))
    )
    return float(max(middle - half, 0.0)), float(min(middle + half, 1.0))
