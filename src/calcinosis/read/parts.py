"""Phases, reconstructions and copies of slices under one Series Instance UID, told apart.

Slices that lie one at each place stay together. Where they do not, or where several evenly spaced
stacks lie between each other, what their headers say of them parts them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from calcinosis.errors import GeometryError, NotCtError
from calcinosis.read.ct_image import Image
from calcinosis.read.dicom import Plane
from calcinosis.read.geometry import FEWEST_SLICES, SAME_PLACE_MM, arrange, one_at_each_place
from calcinosis.read.marks import ACQUISITION_TIME, KINDS, ORDERS, Marks, Value
from calcinosis.read.pixels import read_hounsfield

_GEOMETRY, _COPIES = "direction, matrix or size of pixels", "copies"
_WAYS = (_GEOMETRY, *KINDS, _COPIES, *ORDERS)  # tried in this order
_JOINED_WITHIN = 4.0  # times the usual spacing: pieces of a scan farther apart are several
_INTERLEAVED = 0.5  # of the shorter of two stacks, inside the other: not slabs that overlap


@dataclass(frozen=True)
class Part:
    """Images of a series that belong together, and what tells them from the others."""

    images: tuple[Image, ...]
    told_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Slice:
    image: Image
    plane: Plane
    marks: Marks

    def value(self, way: str) -> Value:
        """Where `way` has its place among others, and what parts it from them."""
        if way != _GEOMETRY:
            return self.marks.get(way, (-np.inf, ""))
        plane = self.plane
        direction = [round(one, 2) + 0.0 for one in plane.orientation]
        pixels = [round(one, 3) for one in plane.pixel_spacing_mm]
        return 0.0, f"{direction} {pixels} {plane.pixels.rows} {plane.pixels.columns}"

    @property
    def when(self) -> tuple[Value, ...]:
        """Made earlier than others, as far as is said."""
        return tuple(self.value(order) for order in ORDERS)


_Stack = list[_Slice]


def parts_of(images: Sequence[Image]) -> list[Part]:
    """The parts of a series, the earliest first; all of it where it is one stack.

    It stays whole, too, where nothing tells parts apart of which one at least makes a volume. What
    lies at one or two places (bolus tracking) comes together as the last part; behind it what is no
    CT and of another image type (projections, maps).

    Args:
        images: of one series and patient, without localizers.
    """
    kinds = {image.image_type for image in images if not isinstance(image.fault, NotCtError)}
    other = [image for image in images if image.image_type not in kinds]
    if not kinds or not other:
        return _stacks_of(images)
    parts = _stacks_of([image for image in images if image.image_type in kinds])
    told_by = tuple(dict.fromkeys(("image type", *parts[0].told_by)))
    return [Part(part.images, told_by) for part in (*parts, Part(tuple(other)))]


def _stacks_of(images: Sequence[Image]) -> list[Part]:
    slices = [
        _Slice(image, plane, image.marks[index])
        for image in images
        for index, plane in enumerate(image.planes)
    ]
    broken = any(image.fault for image in images)
    stacks, told_by = (None if broken else _parted(slices, _WAYS)) or ([slices], ())
    if len(stacks) == 1 or not any(map(_makes_volume, stacks)):
        return [Part(tuple(images))]
    large = sorted(filter(_is_large, stacks), key=lambda stack: min(one.when for one in stack))
    rest = [one for stack in stacks if not _is_large(stack) for one in stack]
    return [Part(_images(stack), told_by) for stack in (*large, rest) if stack]


def without_copies(images: Iterable[Image]) -> list[Image]:
    """Each image once, though it lie there several times, even under other instance UIDs.

    Copies lie in the same places and have the same values.
    """
    kept: list[Image] = []
    there: dict[object, list[Image]] = {}
    for image in images:
        others = there.setdefault(_places(image), [])
        if not any(_same_values(other, image) for other in others):
            kept.append(image)
            others.append(image)
    return kept


def _places(image: Image) -> object:
    return tuple(
        (p.position_lps_mm, p.orientation, p.pixel_spacing_mm, p.pixels.rows, p.pixels.columns)
        for p in image.planes
    )


def _same_values(one: Image, other: Image) -> bool:
    return np.array_equal(read_hounsfield(one.planes), read_hounsfield(other.planes))


def _parted(stack: _Stack, ways: Sequence[str]) -> tuple[list[_Stack], tuple[str, ...]] | None:
    """Stacks of one slice at each place, and the ways that told them; None where none does."""
    if not _is_large(stack) or (one_at_each_place(_planes(stack)) and not _interleaved(stack)):
        return [stack], ()
    for index, way in enumerate(ways):
        if way == _COPIES:
            if _one_but_for_copies(stack):
                return [stack], ()
            continue
        pieces = _pieces(stack, way)
        if len(pieces) == 1:
            continue
        found = [_parted(piece, ways[index + 1 :]) for piece in pieces]
        told = [one for one in found if one is not None]
        stacks = [stack for some, _ in told for stack in some]
        if len(told) == len(found) and _sensible(stacks):
            return stacks, tuple(dict.fromkeys((way, *(one for _, by in told for one in by))))
    return None


def _one_but_for_copies(stack: _Stack) -> bool:
    images = _images(stack)
    first: dict[object, Image] = {}
    for image in images:
        other = first.setdefault(_places(image), image)
        if other is not image and not _same_values(other, image):
            return False
    planes = [plane for image in first.values() for plane in image.planes]
    return len(first) < len(images) and one_at_each_place(planes)


def _pieces(stack: _Stack, way: str) -> list[_Stack]:
    """Slices of one value each, joined again where one piece goes on where the last one ends."""
    groups: dict[Value, _Stack] = {}
    for one in stack:
        groups.setdefault(one.value(way), []).append(one)
    ordered = [groups[value] for value in sorted(groups)]
    if way == _GEOMETRY or len(ordered) == 1:
        return ordered
    normal = _normal(stack)
    gaps_mm = np.diff(np.unique(_along(stack, normal).round(2)))
    within_mm = _JOINED_WITHIN * float(np.percentile(gaps_mm, 75)) if gaps_mm.size else 0.0
    pieces: list[_Stack] = []
    reach = 0.0, 0.0
    for group in ordered:
        along = _along(group, normal)
        low, high = float(along.min()), float(along.max())
        apart_mm = max(low - reach[1], reach[0] - high)
        goes_on = SAME_PLACE_MM < apart_mm <= within_mm and (
            len(group) == 1 or one_at_each_place(_planes(group))
        )
        if pieces and goes_on:
            pieces[-1].extend(group)
            reach = min(low, reach[0]), max(high, reach[1])
        else:
            pieces.append(list(group))
            reach = low, high
    return pieces


def _sensible(stacks: Sequence[_Stack]) -> bool:
    """Whether next to nothing fell into splinters."""
    splinters = [one for stack in stacks if not _is_large(stack) for one in stack]
    return not _is_large(splinters) and any(map(_is_large, stacks))


def _interleaved(stack: _Stack) -> bool:
    """Whether slices of several volumes lie between each other, told by a kind or by their times.

    When an image was made tells nothing here: odd slices may have been made before even ones.
    """
    for kind in (*KINDS, ACQUISITION_TIME):
        pieces = [piece for piece in _pieces(stack, kind) if _is_large(piece)]
        between = any(_between(one, other) for one, other in combinations(pieces, 2))
        if between and all(map(_makes_volume, pieces)):
            return True
    return False


def _between(one: _Stack, other: _Stack) -> bool:
    normal = _normal(one)
    here, there = _along(one, normal), _along(other, normal)
    shared = min(here.max(), there.max()) - max(here.min(), there.min())
    return bool(shared > _INTERLEAVED * min(np.ptp(here), np.ptp(there)))


def _normal(stack: _Stack) -> NDArray[np.float64]:
    rows, columns = np.reshape(stack[0].plane.orientation, (2, 3))
    return np.cross(rows, columns)


def _along(stack: _Stack, normal: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray([one.plane.position_lps_mm for one in stack]) @ normal


def _is_large(stack: _Stack) -> bool:
    """Whether the slices lie at as many places as a volume takes."""
    places = {tuple(round(at, 1) for at in one.plane.position_lps_mm) for one in stack}
    return len(places) >= FEWEST_SLICES


def _makes_volume(stack: _Stack) -> bool:
    try:
        arrange([plane for image in without_copies(_images(stack)) for plane in image.planes])
    except GeometryError:
        return False
    return True


def _planes(stack: _Stack) -> list[Plane]:
    return [one.plane for one in stack]


def _images(stack: _Stack) -> tuple[Image, ...]:
    """The images of a stack; of a file with several frames those frames only."""
    frames: dict[int, list[_Slice]] = {}
    for one in stack:
        frames.setdefault(id(one.image), []).append(one)
    return tuple(
        replace(
            some[0].image,
            planes=tuple(one.plane for one in some),
            marks=tuple(one.marks for one in some),
        )
        for some in frames.values()
    )
