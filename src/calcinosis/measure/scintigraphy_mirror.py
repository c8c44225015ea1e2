"""The midline of a body in a planar view: the line about which it is most like its mirror image."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Places = NDArray[np.float64]

GRID_MM = 6.0  # of the search
REACH_MM = 270.0  # rows above and below the point that are compared: trunk, or both thighs
LEAST_ROWS = 10
MOST_TILT_DEG = 8.0
MIDLINE_WITHIN = 0.3  # of the width, to either side of the middle of the view
AGREES = 0.8  # correlation of both sides, of roots of counts, from which a midline is believed


@dataclass(frozen=True)
class Midline:
    """A line in the image, pixels.

    Attributes:
        row: through this row ...
        column: ... and this column.
        slope: columns (in mm) it moves for each mm down.
        pixel_mm: height and width of a pixel.
        agreement: correlation of both sides.
    """

    row: float
    column: float
    slope: float
    pixel_mm: tuple[float, float]
    agreement: float

    def mirrored(self, rows: NDArray[Any], columns: NDArray[Any]) -> Places:
        """Where pixels lie on the other side, [2, n]: rows and columns."""
        down = (np.asarray(rows) - self.row) * self.pixel_mm[0]
        right = (np.asarray(columns) - self.column) * self.pixel_mm[1]
        across = (right - self.slope * down) / (1 + self.slope**2)
        down, right = down + 2 * self.slope * across, right - 2 * across
        return np.stack(
            [self.row + down / self.pixel_mm[0], self.column + right / self.pixel_mm[1]]
        )


def find_midline(
    smooth: NDArray[np.float32], pixel_mm: tuple[float, float], at: tuple[float, float]
) -> Midline | None:
    """The midline of the body around a point; None where both sides do not agree.

    Args:
        smooth: counts, smoothed [row, column].
        pixel_mm: height and width of a pixel.
        at: row and column of the point.
    """
    root = np.sqrt(np.maximum(smooth, 0))
    reach = REACH_MM / pixel_mm[0]
    rows = np.arange(
        max(0.0, at[0] - reach), min(smooth.shape[0] - 1.0, at[0] + reach), GRID_MM / pixel_mm[0]
    )
    if len(rows) < LEAST_ROWS:
        return None
    columns = np.arange(0.0, smooth.shape[1], GRID_MM / pixel_mm[1])
    places = np.stack(np.meshgrid(rows, columns, indexing="ij"))
    here = ndimage.map_coordinates(root, places, order=1).ravel()
    line = Midline(float(rows.mean()), (smooth.shape[1] - 1) / 2, 0.0, pixel_mm, -1.0)
    across_mm = MIDLINE_WITHIN * smooth.shape[1] * pixel_mm[1]
    for across, step_mm, tilt, step_deg in (
        (across_mm, GRID_MM, MOST_TILT_DEG, 2.0),
        (GRID_MM, GRID_MM / 3, 2.0, 0.5),
    ):
        tried = [
            replace(
                line,
                column=line.column + shift / pixel_mm[1],
                slope=float(np.tan(np.arctan(line.slope) + np.deg2rad(turn))),
            )
            for shift in np.arange(-across, across + step_mm / 2, step_mm)
            for turn in np.arange(-tilt, tilt + step_deg / 2, step_deg)
        ]
        agreements = [_agreement(root, here, places, one) for one in tried]
        best = int(np.argmax(agreements))
        line = replace(tried[best], agreement=agreements[best])
    return line if line.agreement >= AGREES else None


def _agreement(root: NDArray[np.float32], here: Places, places: Places, line: Midline) -> float:
    """Correlation of the view and its mirror image; what lies beyond the image has no counts."""
    rows, columns = line.mirrored(places[0], places[1])
    there = ndimage.map_coordinates(root, [rows, columns], order=1).ravel()
    if here.std() == 0 or there.std() == 0:
        return 0.0
    return float(np.corrcoef(here, there)[0, 1])
