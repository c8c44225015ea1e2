"""What may be a mass but is not called: what settles it, and how it is named to the reader."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from calcinosis.measure.distance import Spacing
from calcinosis.measure.mass import LevelReading, OtherCalcification, Patch, Point
from calcinosis.measure.masses import FoundMass
from calcinosis.measure.seed import seed_options
from calcinosis.volume import Volume

UNCLASSIFIED_ML = 0.5  # calcium of the smallest mass, which is not calcified throughout
THICKEST_KNOWN_MM = 3.3  # of the slices on which accuracy was measured (docs/accuracy.md)
GAP_MM = 1.0  # between slices, from which on it is told: a wall of calcium may be as thin
LEVEL_TELLS_ML = 2.0  # in less, a flat piece of a vessel's wall has passed for a level
_TOLD_BY_LEVEL = (
    "What the network was not sure of is called a mass because calcium has settled in it."
)


def told_by_levels(
    unsure: Iterable[tuple[Point, FoundMass, LevelReading]], voxel_volume_ml: float
) -> tuple[list[tuple[FoundMass, LevelReading]], list[Point]]:
    """What may be a mass and has the sedimentation sign is one; the places of the rest."""
    told: list[tuple[FoundMass, LevelReading]] = []
    unsure_lps_mm: list[Point] = []
    for place, mass, levels in unsure:
        volume_ml = float(mass.envelope.occupancy.sum()) * voxel_volume_ml
        if levels.sedimentation_sign and volume_ml >= LEVEL_TELLS_ML:
            told.append((mass, replace(levels, remarks=(*levels.remarks, _TOLD_BY_LEVEL))))
        else:
            unsure_lps_mm.append(place)
    return told, unsure_lps_mm


def unclassified_places(
    volume: Volume,
    others: Iterable[tuple[OtherCalcification, Patch]],
    named_lps_mm: Sequence[Point],
) -> Iterator[Point]:
    """The densest places of unclassified densities as large as a mass, but those named already."""
    named = np.rint(volume.to_indices(np.reshape(named_lps_mm, (-1, 3)))).astype(int)
    for other, where in others:
        if other.kind != "unclassified" or other.volume_ml < UNCLASSIFIED_ML:
            continue
        low, high = np.array([(extent.start, extent.stop) for extent in where.box]).T
        if ((named >= low) & (named < high)).all(1).any():
            continue
        yield where.densest_lps_mm(volume)


def remarks_on_doubts(places_lps_mm: Sequence[Point]) -> tuple[str, ...]:
    """What the reader can do about densities that may be masses."""
    seeds = seed_options(places_lps_mm)
    if len(seeds) > 1:
        remark = (
            f"{len(seeds)} densities that may be masses or bone were not called; if one is "
            f"a mass, its seed measures it: {'; '.join(seeds)}."
        )
        return (remark,)
    remark = "A density that may be a mass or bone was not called; if it is a mass, "
    return (f"{remark}{seeds[0]} measures it.",) if seeds else ()


def remarks_on_slices(
    spacing_mm: Spacing, slice_thickness_mm: float | None = None
) -> tuple[str, ...]:
    """What the reader should know of slices that are thicker than those accuracy was measured on.

    And of slices that leave gaps between each other, or are thicker than they are far apart.

    Args:
        spacing_mm: between voxels.
        slice_thickness_mm: as the header states it.
    """
    thick_mm, apart_mm = slice_thickness_mm or spacing_mm[0], spacing_mm[0]
    remarks = []
    if apart_mm - thick_mm >= GAP_MM:
        remarks.append(
            f"Slices {thick_mm:.1f} mm thick lie {apart_mm:.1f} mm apart: what is between them was "
            "not imaged, and volumes are drawn across the gaps."
        )
    trusted = (
        "how far to trust volumes, intervals, levels and erosion was measured up to "
        f"{THICKEST_KNOWN_MM:g} mm only; a series of thinner slices tells more."
    )
    if round(max(spacing_mm), 1) > THICKEST_KNOWN_MM:
        remarks.append(f"Voxels are {max(spacing_mm):.1f} mm long: {trusted}")
    elif round(thick_mm, 1) > THICKEST_KNOWN_MM:
        remarks.append(f"Slices {thick_mm:.1f} mm thick overlap: {trusted}")
    return tuple(remarks)
