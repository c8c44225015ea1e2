"""Ultrasound: the mass at a point of one picture, its rim, its content and what lies behind."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from calcinosis.errors import InputError
from calcinosis.measure.ultrasound_beams import NOMINAL_DEPTH_MM, Sector, sector_of
from calcinosis.measure.ultrasound_behind import Strips, look_behind
from calcinosis.measure.ultrasound_content import Content, Rim, judge_content, judge_rim
from calcinosis.measure.ultrasound_outline import Outline, find_outline
from calcinosis.read.ultrasound import Sonogram

Array = NDArray[np.float64]
Place = tuple[float, float]
Interval = tuple[float, float]
Box = tuple[slice, slice]  # rows, columns
State = Literal["present", "absent", "unknown"]

# Below the first share of the border that shows, or the departure from tissue, nothing is outlined
# at a point: of 27 drawn pictures without a mass none had both, of 48 with one all (seeds of
# tuning). Above the second share the far side shows as well.
LEAST_SEEN, WELL_SEEN = 0.3, 0.6
LEAST_DEPARTURE = 1.95
# True to told diameter, 95 %, of drawn masses (benchmarks/ultrasound.py, seeds of tuning).
SPREAD_WELL: Interval = (0.8, 1.45)
SPREAD_POOR: Interval = (0.6, 1.5)
SPREAD_BOX: Interval = (0.8, 1.4)
CALIBRATION_SHARE = 0.02  # speed of sound in fat and muscle against the 1540 m/s of machines
# Of the border, bright: named parameters. Walls of cysts are bright where they face the probe.
WHOLE_SHELL_SHARE, SHELL_SHARE, NO_SHELL_SHARE = 0.8, 0.45, 0.25
FLUID_SHARE, SOLID_SHARE = 0.1, 0.1  # of the content: from this on fluid; below it none to speak of
REACHED_SHARE = 0.3  # of the inside that sound must reach for its content to be told
CHALK_SHARE = 0.2
LOBULATED_FROM_LOCULES = 3  # as on CT (explain/findings.py)


@dataclass(frozen=True)
class Verdict:
    """A finding, and why it is unknown or absent."""

    state: State
    because: str


@dataclass(frozen=True, eq=False)
class SonographicMass:
    """What one picture shows of a mass.

    Attributes:
        sector: the picture.
        outline: its border.
        max_diameter: mm, or pixels where the scale is not known.
        perpendicular_diameter: the same, across it.
        depth: of its nearest part below the probe, in the same unit.
        max_ci95: of the first.
        perpendicular_ci95: of the second.
        ends: (row, column) of the greatest diameter, in the sector.
        perpendicular_ends: of the other.
        calibrated: whether diameters are in mm.
        rim: the border as a shell.
        strips: what lies behind.
        content: what it holds.
        shell_with_fluid: whether it is a calcified shell around fluid.
        echogenic_lobulated: whether it is bright and of several chambers.
        remarks: what the reader should know.
    """

    sector: Sector
    outline: Outline
    max_diameter: float
    perpendicular_diameter: float
    depth: float
    max_ci95: Interval
    perpendicular_ci95: Interval
    ends: tuple[Place, Place]
    perpendicular_ends: tuple[Place, Place]
    calibrated: bool
    rim: Rim
    strips: Strips
    content: Content
    shell_with_fluid: Verdict
    echogenic_lobulated: Verdict
    remarks: tuple[str, ...]

    @property
    def confidence(self) -> float:
        """Share of the border that shows, 0 to 1."""
        return self.outline.seen_share

    @property
    def sized(self) -> bool:
        """Whether the greatest diameter is known well enough to count."""
        whole = not self.outline.cut.any()
        return self.calibrated and whole and self.confidence >= WELL_SEEN


def measure_sonogram(sonogram: Sonogram, box: Box | None = None) -> SonographicMass:
    """Measure the mass at the point of a picture.

    Args:
        sonogram: the picture.
        box: rows and columns of the picture that hold all of the mass and little else, where
            known: it is then outlined however little of its border shows.

    Raises:
        InputError: the point is outside what the probe sees, or no border shows around it.
    """
    sector = sector_of(sonogram)
    first = [part.start for part in sonogram.region.box]
    at = sonogram.at[0] - first[0], sonogram.at[1] - first[1]
    outline = find_outline(sector, at, box and _within(box, sonogram.region.box))
    if box is None:
        _check_seen(sonogram, outline, at)
    elif outline.departure < LEAST_DEPARTURE:
        raise InputError(
            "--box: what it holds cannot be told from tissue; expected one close around a mass"
        )
    strips = look_behind(outline.tissue, outline.mask)
    rim = judge_rim(outline)
    content = judge_content(outline, strips.grey)
    calibrated = sonogram.region.pixel_mm is not None
    ends, across = _diameters(outline, sector)
    rows = sector.grey.shape[0]
    unit = 1.0 if calibrated else rows / NOMINAL_DEPTH_MM
    longest, width = (_length_mm(pair, sector) * unit for pair in (ends, across))
    spread = _spread(outline, boxed=box is not None)
    return SonographicMass(
        sector=sector,
        outline=outline,
        max_diameter=longest,
        perpendicular_diameter=width,
        depth=float(sector.depth_mm[outline.mask].min(initial=sector.deep_mm)) * unit,
        max_ci95=(longest * spread[0], longest * spread[1]),
        perpendicular_ci95=(width * spread[0], width * spread[1]),
        ends=ends,
        perpendicular_ends=across,
        calibrated=calibrated,
        rim=rim,
        strips=strips,
        content=content,
        shell_with_fluid=_shell_with_fluid(outline, rim, strips, content),
        echogenic_lobulated=_echogenic_lobulated(outline, rim, content),
        remarks=tuple(_remarks(sonogram, outline)),
    )


def _within(box: Box, region: Box) -> Box:
    """Of a box in the picture, its part in a region, counted from there."""
    rows, columns = (
        slice(max(part.start - whole.start, 0), min(part.stop, whole.stop) - whole.start)
        for part, whole in zip(box, region, strict=True)
    )
    return rows, columns


def _check_seen(sonogram: Sonogram, outline: Outline, at: tuple[int, int]) -> None:
    told = f"--at {sonogram.at[1]},{sonogram.at[0]}"
    if sonogram.hidden[sonogram.at] and not sonogram.marked[sonogram.at]:
        raise InputError(
            f"{told} lies in colour or on what is drawn over the picture; expected a point on grey "
            "tissue, or --box around the mass"
        )
    if not outline.tissue.told[at] and not outline.mask[at]:
        raise InputError(
            f"{told}: at this depth the picture is black; expected a point in the mass"
        )
    if outline.seen_share < LEAST_SEEN or outline.departure < LEAST_DEPARTURE:
        raise InputError(
            f"{told}: no border of a mass is to be seen around this point; "
            "expected a point in the mass, or --box around it"
        )


def _spread(outline: Outline, *, boxed: bool) -> Interval:
    pointed = SPREAD_WELL if outline.seen_share >= WELL_SEEN else SPREAD_POOR
    low, high = SPREAD_BOX if boxed else pointed
    return low * (1 - CALIBRATION_SHARE), high * (1 + CALIBRATION_SHARE)


def _diameters(outline: Outline, sector: Sector) -> tuple[tuple[Place, Place], tuple[Place, Place]]:
    """The ends of the greatest diameter, and of the extent across it."""
    from scipy.spatial.distance import cdist

    points = outline.border * sector.step_mm
    gaps = cdist(points, points)
    first, second = np.unravel_index(int(gaps.argmax()), gaps.shape)
    axis = (points[second] - points[first]) / max(float(gaps.max()), 1e-9)
    normal = np.array([-axis[1], axis[0]])
    middle = (points[first] + points[second]) / 2
    off = (points - middle) @ normal
    across = middle + off.min() * normal, middle + off.max() * normal
    longest = _place(points[first], sector), _place(points[second], sector)
    return longest, (_place(across[0], sector), _place(across[1], sector))


def _place(point_mm: Array, sector: Sector) -> Place:
    return float(point_mm[0] / sector.step_mm[0]), float(point_mm[1] / sector.step_mm[1])


def _length_mm(ends: tuple[Place, Place], sector: Sector) -> float:
    return float(np.hypot(*(np.subtract(*ends) * sector.step_mm)))


def _shell_with_fluid(outline: Outline, rim: Rim, strips: Strips, content: Content) -> Verdict:
    """A bright rim, a shadow behind it and fluid inside."""
    reached = content.reached_share >= REACHED_SHARE and not content.reason
    if outline.seen_share >= WELL_SEEN and strips.state in ("neither", "enhancement"):
        if rim.ci95[1] < SHELL_SHARE:
            return Verdict(
                "absent", "Most of its border is no bright line, and it casts no shadow."
            )
        if strips.state == "enhancement" and rim.bright_share < WHOLE_SHELL_SHARE:
            return Verdict("absent", "It is brighter behind it: no shell takes the sound away.")
        if reached and content.low_echo < SOLID_SHARE and rim.bright_share < SHELL_SHARE:
            return Verdict("absent", "The content is no fluid, and it casts no shadow.")
    shell = rim.bright_share >= SHELL_SHARE and rim.ci95[0] >= NO_SHELL_SHARE
    if shell and strips.state == "shadow" and reached and content.like_fluid >= FLUID_SHARE:
        return Verdict("present", "A bright border, a shadow behind it, and fluid inside.")
    return Verdict("unknown", " ".join(_doubts(rim, strips, content, shell=shell, reached=reached)))


def _doubts(
    rim: Rim, strips: Strips, content: Content, *, shell: bool, reached: bool
) -> Iterator[str]:
    if not shell:
        yield f"Only {100 * rim.bright_share:.0f} % of the border is surely bright."
    if strips.state == "shadow":
        if not reached:
            yield (
                "The shadow hides the content: this may be a bone, gas, or a mass of chalk as well "
                "as a shell around fluid."
            )
        elif content.like_fluid < FLUID_SHARE:
            yield "The content is not as dark as fluid: thick milk of calcium and solid look alike."
    elif strips.state in ("enhancement", "neither"):
        yield "No shadow lies behind the bright border: a wall may be bright without calcium."
    else:
        yield f"Whether a shadow lies behind it cannot be told. {strips.reason}"


def _echogenic_lobulated(outline: Outline, rim: Rim, content: Content) -> Verdict:
    echogenic = rim.bright_share >= SHELL_SHARE or content.bright >= CHALK_SHARE
    count = content.locule_count
    if echogenic and count >= LOBULATED_FROM_LOCULES:
        return Verdict("present", f"A bright mass of {count} chambers in this plane.")
    dull = rim.ci95[1] < SHELL_SHARE and content.bright < CHALK_SHARE
    if dull and count <= 1 and outline.seen_share >= WELL_SEEN and not content.reason:
        return Verdict("absent", "Neither bright nor of several chambers in this plane.")
    if content.reason:
        return Verdict("unknown", content.reason)
    return Verdict("unknown", f"Chambers in this plane: {count}; others may show more.")


def _remarks(sonogram: Sonogram, outline: Outline) -> Iterator[str]:
    yield from sonogram.remarks
    if sonogram.region.pixel_mm is None:
        yield f"{sonogram.region.scale} Diameters are in pixels, not in mm."
    elif "PixelSpacing" in sonogram.region.scale:
        yield sonogram.region.scale
    if outline.cut.any():
        yield "The mass leaves the picture: sizes are least values."
    if outline.seen_share < WELL_SEEN:
        yield (
            f"Only {100 * outline.seen_share:.0f} % of the border shows: check the outline on the "
            "picture. Where a shadow hides the far side, the depth of the mass is a guess."
        )
    box = sonogram.region.box
    hidden = sonogram.hidden[box] & outline.mask
    if hidden.any():
        share = hidden.sum() / outline.mask.sum()
        what = "Measuring marks cover" if (sonogram.marked[box] & hidden).any() else "Colour covers"
        yield f"{what} {max(100 * share, 1):.0f} % of the mass: the grey under it is not known."
    if sonogram.marked[box].any():
        yield "Measuring marks are burned into the picture; they were left out."
