"""Drawn ultrasound pictures for tests: coarse, so that they are quick."""

from functools import cache

import numpy as np

from calcinosis.phantom.ultrasound import Recipe, draw
from calcinosis.phantom.ultrasound_dicom import STRIP_ROWS, write_ultrasound
from calcinosis.read.ultrasound import read_sonogram

PIXEL_MM = 0.2


@cache
def picture(kind, seed=1, **choices):
    """A picture with its truth."""
    return draw(Recipe(kind=kind, **choices), seed, PIXEL_MM)


def cyst(convex=False):
    """One under a straight probe or a curved one."""
    if convex:
        return picture("cyst", convex=True, depth_mm=75.0, frequency_mhz=4.0)
    return picture("cyst")


def point(drawn):
    """Row and column of the mass's middle in the file."""
    return drawn.at[0] + STRIP_ROWS, drawn.at[1]


def box(drawn, room=3):
    """Rows and columns around the mass in the file."""
    sides = []
    for places, above in zip(np.nonzero(drawn.mass), (STRIP_ROWS, 0), strict=True):
        sides.append(slice(places.min() - room + above, places.max() + room + 1 + above))
    return tuple(sides)


def sonogram(drawn, folder, **choices):
    """The picture as it is read from a file."""
    path = write_ultrasound(folder / "drawn.dcm", drawn, **choices)
    return read_sonogram(path, at=point(drawn))
