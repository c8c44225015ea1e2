"""The masses as DICOM Segmentation: one segment per mass, on the original slices."""

import hashlib
from typing import TYPE_CHECKING

from calcinosis import __version__
from calcinosis.measure.mass import CtMeasurement, Mass
from calcinosis.volume import Study
from calcinosis.write import dicom_codes
from calcinosis.write.dicom_source import (
    SourceImages,
    derived_uid,
    labels_on_sources,
    tracking_uid,
)
from calcinosis.write.report.numbers import colour

if TYPE_CHECKING:
    from highdicom.seg import Segmentation, SegmentDescription

SERIES_NUMBER = 9101  # results stand behind the scanner's own series


def segmentation(
    source: SourceImages, study: Study, measurement: CtMeasurement, *, labelmap: bool = False
) -> "Segmentation":
    """Write masses as segments; segment number = mass id.

    The same source and labels give the same UIDs, so a result that is sent twice is stored once.

    Args:
        source: the images the study was read from.
        study: its volume's grid holds the labels.
        measurement: with at least one mass.
        labelmap: a LABELMAP with RLE compression: far smaller, but refused by older readers.
    """
    from highdicom.seg import Segmentation
    from pydicom.uid import ExplicitVRLittleEndian, RLELossless

    labels = labels_on_sources(measurement.labels, study.volume, source)
    kind = "LABELMAP" if labelmap else "BINARY"
    identity = (source.series_instance_uid, kind, hashlib.sha256(labels.tobytes()).hexdigest())
    return Segmentation(
        source_images=source.headers,
        pixel_array=labels,
        segmentation_type=kind,
        segment_descriptions=[
            _description(mass, source.series_instance_uid) for mass in measurement.masses
        ],
        series_instance_uid=derived_uid("segmentation series", *identity),
        series_number=SERIES_NUMBER,
        sop_instance_uid=derived_uid("segmentation", *identity),
        instance_number=1,
        manufacturer=dicom_codes.MANUFACTURER,
        manufacturer_model_name=dicom_codes.MODEL,
        software_versions=__version__,
        device_serial_number=__version__,
        content_label="CALCIFIED_MASSES",
        content_description="Calcified soft-tissue masses",
        content_creator_name=f"{dicom_codes.MODEL}^",
        transfer_syntax_uid=RLELossless if labelmap else ExplicitVRLittleEndian,
        series_description="Calcified soft-tissue masses",
    )


def _description(mass: Mass, series_instance_uid: str) -> "SegmentDescription":
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentDescription
    from pydicom.sr.codedict import codes

    description = SegmentDescription(
        segment_number=mass.id,
        segment_label=dicom_codes.label(mass.id, mass.site),
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.PathologicCalcification,
        algorithm_type="AUTOMATIC",
        algorithm_identification=AlgorithmIdentificationSequence(
            name=dicom_codes.MODEL, version=__version__, family=codes.DCM.MorphologicalOperations
        ),
        tracking_uid=tracking_uid(series_instance_uid, mass.id),
        tracking_id=dicom_codes.label(mass.id, mass.site),
        anatomic_regions=[dicom_codes.sct(dicom_codes.region(mass.site))],
        display_color=CIELabColor.from_string(colour(mass.id)),
    )
    side = dicom_codes.laterality(mass.site)
    if side is not None:
        from highdicom.sr import CodedConcept

        modifier = CodedConcept.from_code(dicom_codes.sct(side))
        description.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = [modifier]
    return description
