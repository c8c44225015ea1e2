"""DICOM Segmentation on the original slices: the masses, and on request all that was told apart."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from calcinosis import __version__
from calcinosis.measure.mass import (
    CalcificationKind,
    CtMeasurement,
    Labels,
    Mass,
    OtherCalcification,
    Patch,
)
from calcinosis.volume import Study
from calcinosis.write import dicom_codes
from calcinosis.write.dicom_object import origin, settled
from calcinosis.write.dicom_source import SourceImages, labels_on_sources
from calcinosis.write.report.numbers import colour
from calcinosis.write.tracking import Tracking, tracking_of

if TYPE_CHECKING:
    from highdicom.seg import Segmentation, SegmentDescription
    from pydicom import Dataset

Segments = Literal["masses", "all"]
SegmentationType = Literal["bitmap", "labelmap"]

SERIES_NUMBER = 9101  # results stand behind the scanner's own series
_OF_DICOM = {"bitmap": "BINARY", "labelmap": "LABELMAP"}

# Colours of what is no mass: bone, and tints that stay behind the masses' strong ones.
_COLOURS = {
    "skeleton": "#e3d9c6",
    "vascular": "#c98b8b",
    "phlebolith": "#8fa3c9",
    "granuloma": "#a9c98f",
    "metal": "#b5b5b5",
    "contrast": "#8fc9c4",
    "unclassified": "#c9b38f",
}


@dataclass(frozen=True)
class _Segment:
    """One segment, whose number is its value in the label map."""

    number: int
    label: str
    kind: str
    colour: str
    mass: Mass | None = None


def segmentation(
    source: SourceImages,
    study: Study,
    measurement: CtMeasurement,
    *,
    segments: Segments = "masses",
    kind: SegmentationType = "bitmap",
) -> "Dataset | None":
    """Write segments; those of masses come first, with the mass id as their number.

    The same source and labels give the same bytes, so a result that is sent twice is stored once.
    None where there is nothing to outline: DICOM knows no segmentation without a segment.

    Args:
        source: the images the study was read from.
        study: its volume's grid holds the labels.
        measurement: what was found.
        segments: ``all`` adds the skeleton, and other calcifications by kind.
        kind: ``labelmap`` with RLE compression is far smaller, but refused by older readers.
    """
    wanted = list(_segments(measurement, segments))
    labels = labels_on_sources(_labels(measurement, wanted), study.volume, source)
    tracking = tracking_of(measurement.masses, source)
    return outlined(
        source,
        labels,
        [_description(segment, tracking) for segment in wanted],
        label="CALCIFIED_MASSES",
        title="Calcified soft-tissue masses" + (", skeleton" if segments == "all" else ""),
        kind=kind,
    )


def outlined(
    source: SourceImages,
    labels: Labels,
    descriptions: "list[SegmentDescription]",
    *,
    label: str,
    title: str,
    kind: SegmentationType = "bitmap",
) -> "Dataset | None":
    """A segmentation of what lies on the source's frames; None where nothing does.

    Args:
        source: the images.
        labels: [frame, row, column], the number of a segment or 0.
        descriptions: of the segments.
        label: what it is called, as a DICOM code string.
        title: the same in words.
        kind: as in `segmentation`.
    """
    from highdicom.seg import Segmentation
    from pydicom.uid import ExplicitVRLittleEndian, RLELossless

    shown = np.flatnonzero(labels.any(axis=(1, 2)))
    if len(shown) == 0:
        return None
    if labels[0].size % 2:
        _spare_gdcm()
    made = Segmentation(
        source_images=[source.frames[number] for number in shown],
        pixel_array=labels[shown],
        segmentation_type=_OF_DICOM[kind],
        segment_descriptions=descriptions,
        content_label=label,
        content_description=title,
        content_creator_name=f"{dicom_codes.MODEL}^",
        transfer_syntax_uid=RLELossless if kind == "labelmap" else ExplicitVRLittleEndian,
        series_description=title,
        **origin(SERIES_NUMBER),
    )
    _refer_to_files(made, source)
    return settled(made, source)


def _spare_gdcm() -> None:
    """Let pydicom encode RLE by itself: of frames of odd size GDCM 3.2 ends the whole process."""
    from pydicom.pixels.encoders.base import RLELosslessEncoder

    if "gdcm" in RLELosslessEncoder.available_plugins:
        RLELosslessEncoder.remove_plugin("gdcm")


def _refer_to_files(made: "Segmentation", source: SourceImages) -> None:
    """Name the source files, and where they hold several frames the frame, not our stand-ins."""
    from pydicom import Dataset

    for group in made.PerFrameFunctionalGroupsSequence:
        for derivation in group.DerivationImageSequence:
            for item in derivation.SourceImageSequence:
                stand_in = item.ReferencedSOPInstanceUID
                item.update(source.referenced.get(stand_in, {}))  # segments share items
    for holder, keyword in (
        (made, "SourceImageSequence"),
        (made.ReferencedSeriesSequence[0], "ReferencedInstanceSequence"),
    ):
        items = []
        for header in source.headers:
            item = Dataset()
            item.ReferencedSOPClassUID = header.SOPClassUID
            item.ReferencedSOPInstanceUID = header.SOPInstanceUID
            items.append(item)
        setattr(holder, keyword, items)


def _segments(measurement: CtMeasurement, segments: Segments) -> Iterator[_Segment]:
    number = 0
    for mass in measurement.masses:
        number = mass.id
        label = dicom_codes.label(mass.id, mass.site)
        yield _Segment(mass.id, label, "mass", colour(mass.id), mass)
    if segments == "masses":
        return
    present = {other.kind for other, _ in _others(measurement)}
    kinds = [kind for kind in get_args(CalcificationKind) if kind in present]
    for kind in ["skeleton"] * bool(measurement.skeleton_bits.any()) + kinds:
        number += 1
        meaning = dicom_codes.segment_codes(kind)[1].meaning
        label = "Skeleton" if kind == "skeleton" else meaning
        yield _Segment(number, label, kind, _COLOURS[kind])


def _labels(measurement: CtMeasurement, wanted: list[_Segment]) -> Labels:
    """Segment numbers on the volume's grid: mass before other calcification before bone."""
    numbers = {segment.kind: segment.number for segment in wanted if segment.mass is None}
    if not numbers:
        return measurement.labels
    highest = wanted[-1].number
    labels = np.zeros(measurement.labels.shape, np.min_scalar_type(highest))
    if "skeleton" in numbers:
        labels[measurement.skeleton] = numbers["skeleton"]
    for other, where in _others(measurement):
        labels[where.box][where.mask] = numbers[other.kind]
    np.copyto(labels, measurement.labels, where=measurement.labels > 0)
    return labels


def _others(measurement: CtMeasurement) -> Iterator[tuple[OtherCalcification, Patch]]:
    return zip(measurement.other_calcifications, measurement.other_places, strict=False)


def _description(segment: _Segment, tracking: Mapping[int, Tracking]) -> "SegmentDescription":
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentDescription
    from pydicom.sr.codedict import codes

    mass = segment.mass
    category, kind = dicom_codes.segment_codes(segment.kind)
    description = SegmentDescription(
        segment_number=segment.number,
        segment_label=segment.label,
        segmented_property_category=category,
        segmented_property_type=kind,
        algorithm_type="AUTOMATIC",
        algorithm_identification=AlgorithmIdentificationSequence(
            name=dicom_codes.MODEL, version=__version__, family=codes.DCM.MorphologicalOperations
        ),
        tracking_uid=tracking[mass.id].uid if mass else None,
        tracking_id=tracking[mass.id].identifier if mass else None,
        anatomic_regions=[dicom_codes.sct(dicom_codes.region(mass.site))] if mass else None,
        display_color=CIELabColor.from_string(segment.colour),
    )
    side = dicom_codes.laterality(mass.site) if mass else None
    if side is not None:
        from highdicom.sr import CodedConcept

        modifier = CodedConcept.from_code(dicom_codes.sct(side))
        description.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = [modifier]
    return description
