"""Measuring marks that a machine drew into the picture: crosses, and the dots between them."""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
Piece = tuple[tuple[slice, slice], Mask]  # where it lies, and its pixels there

# Marks end from one pixel to the next, echoes do not: a pulse is several pixels wide.
SHARP = 60.0  # levels of 255 above what is beside it
BRIGHT = 220.0
CROSS_PIXELS = (5, 31)  # of machines' crosses, side by side: 9 to 17 in real pictures
HOLE_PIXELS = 7  # that some leave in their middle
DOT_PIXELS = 5
AROUND_PIXELS = 3  # what lies this near to a mark is not tissue either: its edge, its dark rim
ALIKE = 0.7  # of a cross and the same turned by half a turn


def burned_in_marks(grey: NDArray[np.float32], box: tuple[slice, slice]) -> Mask:
    """Where crosses and dotted lines were drawn into a part of the picture; elsewhere False."""
    part = grey[box]
    drawn = (part - ndimage.grey_opening(part, size=(5, 5)) > SHARP) & (part > BRIGHT)
    whole = [piece for joined in (drawn, _joined(drawn)) for piece in _pieces(drawn, joined)]
    crosses = [piece for piece in whole if _is_cross(piece[1])]
    dots = [piece for piece in whole if max(piece[1].shape) <= DOT_PIXELS]
    found = np.zeros(part.shape, np.bool_)
    for place, shape in [*crosses, *_between(dots, crosses)]:
        found[place] |= shape
    marks = np.zeros(grey.shape, np.bool_)
    if crosses:
        marks[box] = ndimage.binary_dilation(found, iterations=AROUND_PIXELS)
    return marks


def _joined(drawn: Mask) -> Mask:
    """Arms of crosses that leave a hole in their middle, as one."""
    around = np.pad(drawn, HOLE_PIXELS)
    closed = ndimage.binary_closing(around, np.ones((HOLE_PIXELS, HOLE_PIXELS)))
    return np.asarray(closed[HOLE_PIXELS:-HOLE_PIXELS, HOLE_PIXELS:-HOLE_PIXELS])


def _pieces(drawn: Mask, joined: Mask) -> list[Piece]:
    parts, _ = ndimage.label(joined, np.ones((3, 3)))
    return [
        (place, np.asarray(drawn[place] & (parts[place] == number)))
        for number, place in enumerate(ndimage.find_objects(parts), start=1)
    ]


def _is_cross(shape: Mask) -> bool:
    """A plus or an X: as high as wide, thin, the same turned round, arms through its middle."""
    rows, columns = shape.shape
    if not all(CROSS_PIXELS[0] <= side <= CROSS_PIXELS[1] for side in shape.shape):
        return False
    if abs(rows - columns) > 2 or shape.mean() > 0.55:
        return False
    turned = shape[::-1, ::-1]
    if (shape & turned).sum() < ALIKE * (shape | turned).sum():
        return False
    middle = rows // 2, columns // 2
    upright = shape[:, middle[1]].mean(), shape[middle[0]].mean()
    diagonal = np.diag(shape).mean(), np.diag(shape[:, ::-1]).mean()
    return bool(min(upright) > 0.6 or min(diagonal) > 0.6)


def _between(dots: list[Piece], crosses: list[Piece]) -> list[Piece]:
    """Dots on a line from one cross to another."""
    middles = [_middle(place) for place, _ in crosses]
    pairs = list(combinations(middles, 2))
    return [dot for dot in dots if any(_on_line(_middle(dot[0]), *pair) for pair in pairs)]


def _middle(place: tuple[slice, slice]) -> NDArray[np.float64]:
    return np.array([(part.start + part.stop - 1) / 2 for part in place])


def _on_line(
    here: NDArray[np.float64], one: NDArray[np.float64], other: NDArray[np.float64]
) -> bool:
    way = other - one
    share = float((here - one) @ way / max(float(way @ way), 1e-9))
    return 0 < share < 1 and float(np.hypot(*(here - one - share * way))) < DOT_PIXELS
