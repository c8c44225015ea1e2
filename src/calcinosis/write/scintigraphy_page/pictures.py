"""The view around the mass, dark where counts are many, with what was compared drawn on it."""

from collections.abc import Iterator

import numpy as np

from calcinosis.measure.scintigraphy import Mask, Uptake
from calcinosis.read.scintigram import Scintigram
from calcinosis.write.report.drawing import Figure, figure, outline, scale_bar, windowed
from calcinosis.write.report.edges import edges
from calcinosis.write.report.numbers import PALETTE

WIDTH = 420.0  # of a picture, figure units
AROUND_MM = 260.0  # shown to every side of the mass
DARKEST_SHARE = 0.995  # of the pixels shown that are not yet black
MASS, SOFT_TISSUE, OTHER_SIDE = PALETTE[0], PALETTE[4], PALETTE[1]


def picture(scintigram: Scintigram, uptake: Uptake, name: str) -> Figure:
    """The part of the view that holds the mass and what it was compared with."""
    window = _window(scintigram, uptake)
    counts = scintigram.counts[window]
    height_mm, width_mm = (
        n * step for n, step in zip(counts.shape, scintigram.pixel_mm, strict=True)
    )
    unit_per_mm = WIDTH / width_mm
    size = (WIDTH, height_mm * unit_per_mm)
    most = max(float(np.quantile(counts, DARKEST_SHARE)), 1.0)
    shown = 255 - windowed(counts, most / 2, most)
    marks = [
        mark
        for mask, stroke in (
            (uptake.soft_tissue, SOFT_TISSUE),
            (uptake.mirror, OTHER_SIDE),
            (uptake.outline, MASS),
        )
        if mask is not None
        for mark in _drawn(mask[window], stroke, WIDTH / counts.shape[1], size[1] / counts.shape[0])
    ]
    told = f"{name}: the mass outlined, and what it was compared with."
    return figure(shown, size, [*marks, *scale_bar(size, unit_per_mm)], alt=told, caption=name)


def _window(scintigram: Scintigram, uptake: Uptake) -> tuple[slice, slice]:
    rows, columns = np.nonzero(uptake.outline if uptake.mirror is None else _both(uptake))
    slices = []
    for places, step, most in zip(
        (rows, columns), scintigram.pixel_mm, scintigram.counts.shape, strict=True
    ):
        around = round(AROUND_MM / step)
        middle = int(places.min() + places.max()) // 2
        reach = max(around, int(np.ptp(places)) // 2 + around // 4)
        slices.append(slice(max(0, middle - reach), min(most, middle + reach + 1)))
    return slices[0], slices[1]


def _both(uptake: Uptake) -> Mask:
    return uptake.outline if uptake.mirror is None else uptake.outline | uptake.mirror


def _drawn(mask: Mask, stroke: str, across: float, down: float) -> Iterator[str]:
    curves = [
        np.stack([(curve[:, 1] + 0.5) * across, (curve[:, 0] + 0.5) * down], axis=1)
        for curve in edges(mask.astype(float), 0.3)
    ]
    yield outline(curves, stroke)
