"""Measuring marks that a machine drew into the picture: crosses, and the dots between them."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]

# Marks end from one pixel to the next, echoes do not: a pulse is several pixels wide.
SHARP = 60.0  # levels of 255 above what is beside it
BRIGHT = 140.0
CROSS_PIXELS = (5, 31)  # of machines' crosses, side by side: 9 to 17 in real pictures
DOT_PIXELS = 3
AROUND_PIXELS = 3  # what lies this near to a mark is not tissue either: its edge, its dark rim
ALIKE = 0.7  # of a cross and the same turned by half a turn


def burned_in_marks(grey: NDArray[np.float32], box: tuple[slice, slice]) -> Mask:
    """Where crosses and dotted lines were drawn into a part of the picture; elsewhere False."""
    part = grey[box]
    beside = ndimage.grey_opening(part, size=(5, 5))
    parts, count = ndimage.label((part - beside > SHARP) & (part > BRIGHT), np.ones((3, 3)))
    found = np.zeros(part.shape, np.bool_)
    crosses, dots = [], []
    for number, place in enumerate(ndimage.find_objects(parts), start=1):
        shape = parts[place] == number
        if _is_cross(shape):
            crosses.append((number, place))
        elif max(shape.shape) <= DOT_PIXELS:
            dots.append((number, place))
    if count == 0 or not crosses:
        return np.zeros(grey.shape, np.bool_)
    for number, place in [*crosses, *_between(dots, crosses)]:
        found[place] |= parts[place] == number
    whole = np.zeros(grey.shape, np.bool_)
    whole[box] = ndimage.binary_dilation(found, iterations=AROUND_PIXELS)
    return whole


def _is_cross(shape: Mask) -> bool:
    """A plus or an X: as high as wide, thin, the same turned round, with arms through its middle."""
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


def _between(
    dots: list[tuple[int, tuple[slice, slice]]], crosses: list[tuple[int, tuple[slice, slice]]]
) -> list[tuple[int, tuple[slice, slice]]]:
    """Dots on a line from one cross to another."""
    middles = [_middle(place) for _, place in crosses]
    kept = []
    for dot in dots:
        here = _middle(dot[1])
        for number, one in enumerate(middles):
            if any(_on_line(here, one, other) for other in middles[number + 1 :]):
                kept.append(dot)
                break
    return kept


def _middle(place: tuple[slice, slice]) -> NDArray[np.float64]:
    return np.array([(part.start + part.stop - 1) / 2 for part in place])


def _on_line(
    here: NDArray[np.float64], one: NDArray[np.float64], other: NDArray[np.float64]
) -> bool:
    way = other - one
    share = float((here - one) @ way / max(float(way @ way), 1e-9))
    return 0 < share < 1 and float(np.hypot(*(here - one - share * way))) < DOT_PIXELS
