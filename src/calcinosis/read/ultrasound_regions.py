"""What an ultrasound file says of the parts of its picture, and how large a pixel is there."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from calcinosis.errors import InputError, NotReadableError
from calcinosis.read import dicom

if TYPE_CHECKING:
    from pydicom import Dataset

Box = tuple[slice, slice]  # rows, columns
Size = tuple[float, float]  # height, width, mm

# PS3.3 C.8.5.5.1.1 and C.8.5.5.1.3.
_FORMATS = {0: "no picture", 2: "M-mode", 3: "a spectrum", 4: "a curve", 5: "graphics"}
_PLANE, _TISSUE, _COLOUR_FLOW, _CENTIMETRE = 1, 1, 2, 3
# A picture is as deep as this: eyes and skin to the widest abdomen. Else the size of a pixel is a
# placeholder, such as 1 mm in a picture of 480 rows and more.
DEEP_MM = (8.0, 400.0)


@dataclass(frozen=True)
class Region:
    """The part of a picture in which a point lies.

    Attributes:
        box: its rows and columns.
        others: parts within it that show no tissue: grey bars, curves.
        pixel_mm: height and width of a pixel; None where nothing tells them.
        scale: where that is from, or what is missing.
    """

    box: Box
    others: tuple[Box, ...]
    pixel_mm: Size | None
    scale: str


def region_at(path: Path, header: "Dataset", shape: tuple[int, int], at: tuple[int, int]) -> Region:
    """The region that holds a point.

    Args:
        path: for messages.
        header: of the file.
        shape: rows and columns of the picture.
        at: (row, column).

    Raises:
        InputError: there is no picture of tissue at the point; says what there is.
    """
    items = list(dicom.field(path, header, "SequenceOfUltrasoundRegions") or ())
    if not items:
        return _whole(path, header, shape)
    boxes = [_box(path, item, shape) for item in items]
    here = [n for n, box in enumerate(boxes) if _holds(box, at)]
    tissue = [n for n in here if _shows_tissue(path, items[n])]
    if not tissue:
        named = _named(path, items[here[0]]) if here else "outside the regions"
        told = (
            f"--at {at[1]},{at[0]} lies in {named}" if here else f"--at {at[1]},{at[0]} is {named}"
        )
        parts = ", ".join(
            dict.fromkeys(_described(path, *pair) for pair in zip(items, boxes, strict=True))
        )
        raise InputError(
            f"{path.name}: {told}; expected a point in a B-mode picture (has: {parts})"
        )
    chosen = max(tissue, key=lambda n: _area(boxes[n]))
    others = tuple(
        box
        for item, box in zip(items, boxes, strict=True)
        if not _shows_tissue(path, item) and not _is_plane(path, item)
    )
    pixel_mm, scale = _scale(path, items[chosen], boxes[chosen])
    return Region(boxes[chosen], others, pixel_mm, scale)


def _box(path: Path, item: "Dataset", shape: tuple[int, int]) -> Box:
    left, top, right, bottom = (
        dicom.whole(path, item, f"RegionLocation{name}", 0)
        for name in ("MinX0", "MinY0", "MaxX1", "MaxY1")
    )
    box = (
        slice(max(top, 0), min(bottom + 1, shape[0])),
        slice(max(left, 0), min(right + 1, shape[1])),
    )
    if any(part.stop - part.start < 2 for part in box):
        raise NotReadableError(
            f"{path.name}: a region of columns {left} to {right} and rows {top} to {bottom}; "
            "expected one in the picture"
        )
    return box


def _holds(box: Box, at: tuple[int, int]) -> bool:
    return all(part.start <= place < part.stop for part, place in zip(box, at, strict=True))


def _area(box: Box) -> int:
    rows, columns = box
    return int((rows.stop - rows.start) * (columns.stop - columns.start))


def _is_plane(path: Path, item: "Dataset") -> bool:
    kind = dicom.whole(path, item, "RegionDataType", 0)
    in_plane = dicom.whole(path, item, "RegionSpatialFormat", 0) == _PLANE
    return in_plane and kind in (_TISSUE, _COLOUR_FLOW)


def _shows_tissue(path: Path, item: "Dataset") -> bool:
    return _is_plane(path, item) and dicom.whole(path, item, "RegionDataType", 0) == _TISSUE


def _named(path: Path, item: "Dataset") -> str:
    form = dicom.whole(path, item, "RegionSpatialFormat", 0)
    if form == _PLANE:
        kind = dicom.whole(path, item, "RegionDataType", 0)
        return "colour flow" if kind == _COLOUR_FLOW else f"a region of data type {kind}"
    return _FORMATS.get(form, f"a region of format {form}")


def _described(path: Path, item: "Dataset", box: Box) -> str:
    if not _shows_tissue(path, item):
        return _named(path, item)
    rows, columns = box
    return (
        f"B-mode at columns {columns.start} to {columns.stop - 1}, "
        f"rows {rows.start} to {rows.stop - 1}"
    )


def _scale(path: Path, item: "Dataset", box: Box) -> tuple[Size | None, str]:
    units = [dicom.whole(path, item, f"PhysicalUnits{way}Direction", 0) for way in "YX"]
    steps = [dicom.numbers(path, item, f"PhysicalDelta{way}", 1) or (0.0,) for way in "YX"]
    if units != [_CENTIMETRE, _CENTIMETRE]:
        return None, "The region that holds the point is not calibrated in centimetres."
    size = abs(steps[0][0]) * 10, abs(steps[1][0]) * 10
    return _believed(size, box, "the calibration of the region")


def _believed(size: Size, box: Box, source: str) -> tuple[Size | None, str]:
    deep_mm = size[0] * (box[0].stop - box[0].start)
    if DEEP_MM[0] <= deep_mm <= DEEP_MM[1] and 0.2 < size[1] / size[0] < 5:
        return size, f"Pixels of {size[0]:.3g} × {size[1]:.3g} mm by {source}."
    return None, (
        f"By {source} a pixel had {size[0]:.3g} × {size[1]:.3g} mm and the picture were "
        f"{deep_mm:.3g} mm deep: not believed."
    )


def _whole(path: Path, header: "Dataset", shape: tuple[int, int]) -> Region:
    """A file without regions: all of the picture, sized by PixelSpacing where that can be."""
    box = slice(0, shape[0]), slice(0, shape[1])
    spacing = dicom.numbers(path, header, "PixelSpacing", 2)
    if spacing is None:
        missing = (
            "The file has neither calibrated regions (0018,6011) nor PixelSpacing (0028,0030)."
        )
        return Region(box, (), None, missing)
    pixel_mm, scale = _believed(
        (spacing[0], spacing[1]), box, "PixelSpacing, for want of calibrated regions"
    )
    return Region(box, (), pixel_mm, scale)
