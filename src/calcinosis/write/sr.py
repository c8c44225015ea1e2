"""The measurements as DICOM Structured Report (PS3.16 TID 1500), for viewers and registries.

Each mass is a volumetric group (TID 1411) that points to its segment. What has a place of its own,
the two diameters and each fluid level, follows in groups with 3D coordinates (TID 1501). A last
group speaks of the whole scan.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from calcinosis import __version__
from calcinosis.explain.differential import Diagnosis
from calcinosis.measure.mass import CtMeasurement, FluidLevel, Mass, Point
from calcinosis.write import dicom_codes
from calcinosis.write.dicom_codes import HYDROXYAPATITE, own
from calcinosis.write.dicom_object import origin, settled
from calcinosis.write.dicom_source import SourceImages, derived_uid
from calcinosis.write.measures import LONG_AXIS, SHORT_AXIS, measures_of
from calcinosis.write.told import DISCLAIMER, Told
from calcinosis.write.tracking import Tracking, tracking_of

if TYPE_CHECKING:
    from highdicom.sr import (
        CodeContentItem,
        CoordinatesForMeasurement3D,
        Measurement,
        MeasurementsAndQualitativeEvaluations,
        ObservationContext,
        QualitativeEvaluation,
        VolumetricROIMeasurementsAndQualitativeEvaluations,
    )
    from pydicom import Dataset
    from pydicom.sr.coding import Code

    _Group = (
        MeasurementsAndQualitativeEvaluations | VolumetricROIMeasurementsAndQualitativeEvaluations
    )

SERIES_NUMBER = 9102
_UNITS = {
    "mL": "milliliter",
    "mg": "milligram",
    "mm": "millimeter",
    "mm2": "square millimeter",
    "deg": "degree",
    "[hnsf'U]": "Hounsfield unit",
    "1": "no units",
}


def structured_report(
    source: SourceImages,
    measurement: CtMeasurement,
    segmentation: "Dataset | None",
    told: Told,
) -> "Dataset":
    """Write what was measured; `segmentation` holds the masses, None where there are none.

    `told` is what is said of the whole scan. The same input gives the same bytes, so a report sent
    twice is stored once.
    """
    from highdicom.sr import Comprehensive3DSR, MeasurementReport
    from pydicom.sr.codedict import codes
    from pydicom.sr.coding import Code

    content = MeasurementReport(
        observation_context=_observer(),
        procedure_reported=Code("25045-6", "LN", "CT unspecified body region"),
        imaging_measurements=[_scan_group(len(measurement.masses), source, told)],
        title=codes.DCM.ImagingMeasurementReport,
    )
    made = Comprehensive3DSR(
        evidence=[*source.headers, *([segmentation] if segmentation is not None else [])],
        content=content,
        series_description="Calcified soft-tissue masses, measurements",
        is_complete=True,
        **origin(SERIES_NUMBER),
    )
    # All content given to highdicom is copied and searched twice: that of masses is put in after.
    groups = made.ContentSequence[-1].ContentSequence
    of_masses = _groups_of_masses(measurement, source, segmentation)
    for position, (item,) in enumerate(of_masses):
        groups.insert(position, item)
    return settled(made, source)


def _groups_of_masses(
    measurement: CtMeasurement, source: SourceImages, segmentation: "Dataset | None"
) -> "Iterator[_Group]":
    tracking = tracking_of(measurement.masses, source)
    for mass in measurement.masses:
        assert segmentation is not None  # noqa: S101 - masses are never without their segments
        yield from _groups_of(mass, tracking[mass.id], source, segmentation)


def _groups_of(
    mass: Mass, known_as: Tracking, source: SourceImages, segmentation: "Dataset"
) -> "Iterator[_Group]":
    """All that is said of one mass."""
    yield _mass_group(mass, known_as, source, segmentation)
    yield from _diameter_groups(mass, known_as, source)
    for number, level in enumerate(mass.fluid_levels, start=1):
        yield _level_group(mass, known_as.part(f"fluid-calcium level {number}"), level, source)


def _observer() -> "ObservationContext":
    from highdicom.sr import (
        DeviceObserverIdentifyingAttributes,
        ObservationContext,
        ObserverContext,
    )
    from pydicom.sr.codedict import codes

    device = DeviceObserverIdentifyingAttributes(
        uid=derived_uid("device", __version__),
        name=dicom_codes.MODEL,
        manufacturer_name=dicom_codes.MANUFACTURER,
        model_name=f"{dicom_codes.MODEL} {__version__}",
    )
    return ObservationContext(
        observer_device_context=ObserverContext(
            observer_type=codes.DCM.Device, observer_identifying_attributes=device
        )
    )


def _mass_group(
    mass: Mass, known_as: Tracking, source: SourceImages, segmentation: "Dataset"
) -> "VolumetricROIMeasurementsAndQualitativeEvaluations":
    from highdicom.sr import (
        ReferencedSegment,
        SourceSeriesForSegmentation,
        VolumetricROIMeasurementsAndQualitativeEvaluations,
    )

    group = VolumetricROIMeasurementsAndQualitativeEvaluations(
        referenced_segment=ReferencedSegment(
            sop_class_uid=segmentation.SOPClassUID,
            sop_instance_uid=segmentation.SOPInstanceUID,
            segment_number=mass.id,
            source_series=SourceSeriesForSegmentation(source.series_instance_uid),
        ),
        measurements=list(_mass_measurements(mass)),
        qualitative_evaluations=list(_evaluations(mass)),
        **_about(mass, known_as),
    )
    _comment(group, mass.remarks)
    return group


def _about(mass: Mass, known_as: Tracking) -> dict[str, Any]:
    """What every group of a mass says of it."""
    from highdicom.sr import AlgorithmIdentification, FindingSite, TrackingIdentifier
    from pydicom.sr.codedict import codes

    side = dicom_codes.laterality(mass.site)
    return {
        "tracking_identifier": TrackingIdentifier(uid=known_as.uid, identifier=known_as.identifier),
        "finding_category": codes.SCT.MorphologicallyAbnormalStructure,
        "finding_type": codes.SCT.PathologicCalcification,
        "finding_sites": [
            FindingSite(
                anatomic_location=dicom_codes.sct(dicom_codes.region(mass.site)),
                laterality=dicom_codes.sct(side) if side else None,
            )
        ],
        "algorithm_id": AlgorithmIdentification(name=dicom_codes.MODEL, version=__version__),
    }


def _mass_measurements(mass: Mass) -> "Iterator[Measurement]":
    """Every number of a mass, the ends of its intervals, and its mean attenuation."""
    from pydicom.sr.codedict import codes
    from pydicom.sr.coding import Code

    for one in measures_of(mass):
        yield _number(Code(one.code, one.scheme, one.meaning), one.value, one.unit)
    for code, meaning, interval, unit in (
        ("VOLUME", "Volume", mass.volume_ci95_ml, "mL"),
        ("HA", HYDROXYAPATITE[1], mass.calcium_mass_ci95_mg, "mg"),
    ):
        for end, value in zip(("low", "high"), interval, strict=True):
            name = own(f"{code}_CI95_{end.upper()}", f"{meaning}, {end} end of 95 % interval")
            yield _number(name, value, unit)
    yield _number(
        codes.DCM.AttenuationCoefficient, mass.hu.mean, "[hnsf'U]", derivation=codes.SCT.Mean
    )


def _number(
    name: "Code",
    value: float,
    unit: str,
    *,
    derivation: "Code | None" = None,
    places: "Iterable[CoordinatesForMeasurement3D] | None" = None,
) -> "Measurement":
    from highdicom.sr import Measurement
    from pydicom.sr.coding import Code

    return Measurement(
        name=name,
        value=float(f"{value:.6g}"),
        unit=Code(unit, "UCUM", _UNITS[unit]),
        derivation=derivation,
        referenced_coordinates=list(places) if places else None,
    )


def _evaluations(mass: Mass) -> "Iterator[QualitativeEvaluation]":
    from highdicom.sr import QualitativeEvaluation

    for name, state in (
        (own("SEDIMENTATION", "Sedimentation sign"), mass.sedimentation_sign),
        (own("BONE_EROSION", "Erosion of bone"), mass.bone.eroded),
    ):
        yield QualitativeEvaluation(name=name, value=_answer(state))
    bone = dicom_codes.nearest_bone(mass.bone)
    if bone:
        yield QualitativeEvaluation(
            name=own("NEAREST_BONE", "Nearest bone"), value=dicom_codes.sct(bone)
        )


def _answer(state: bool | None) -> "Code":
    answers = {
        True: ("52101004", "Present"),
        False: ("272519000", "Absent"),
        None: ("261665006", "Unknown"),
    }
    return dicom_codes.sct(answers[state])


def _place(source: SourceImages, *points_lps_mm: Point) -> "CoordinatesForMeasurement3D":
    from highdicom.sr import CoordinatesForMeasurement3D

    return CoordinatesForMeasurement3D(
        graphic_type="POLYLINE" if len(points_lps_mm) > 1 else "POINT",
        graphic_data=np.array(points_lps_mm, dtype=np.float64),
        frame_of_reference_uid=source.frame_of_reference_uid,
    )


def _diameter_groups(
    mass: Mass, known_as: Tracking, source: SourceImages
) -> "Iterator[MeasurementsAndQualitativeEvaluations]":
    """Each diameter as a line in space."""
    from highdicom.sr import MeasurementsAndQualitativeEvaluations

    for part, name, length_mm, ends in (
        ("longest diameter", LONG_AXIS, mass.max_diameter_mm, mass.diameter_ends_lps_mm),
        (
            "perpendicular diameter",
            SHORT_AXIS,
            mass.perpendicular_diameter_mm,
            mass.perpendicular_ends_lps_mm,
        ),
    ):
        if ends:
            line = _place(source, *ends)
            yield MeasurementsAndQualitativeEvaluations(
                measurements=[_number(dicom_codes.sct(name), length_mm, "mm", places=[line])],
                **_about(mass, known_as.part(part)),
            )


def _level_group(
    mass: Mass, known_as: Tracking, level: FluidLevel, source: SourceImages
) -> "MeasurementsAndQualitativeEvaluations":
    from highdicom.sr import MeasurementsAndQualitativeEvaluations
    from pydicom.sr.codedict import codes

    place = [_place(source, level.centroid_lps_mm)]
    rows = (
        (codes.SCT.Area, level.area_mm2, "mm2"),
        (own("SEDIMENT_DEPTH", "Depth of sediment"), level.sediment_depth_mm, "mm"),
        (own("LEVEL_TILT", "Angle of level to the horizontal"), level.tilt_deg, "deg"),
        (own("HU_ABOVE", "Attenuation above the level"), level.hu_above, "[hnsf'U]"),
        (own("HU_BELOW", "Attenuation below the level"), level.hu_below, "[hnsf'U]"),
    )
    return MeasurementsAndQualitativeEvaluations(
        measurements=[_number(name, value, unit, places=place) for name, value, unit in rows],
        **_about(mass, known_as),
    )


def _scan_group(
    count: int, source: SourceImages, told: Told
) -> "MeasurementsAndQualitativeEvaluations":
    from highdicom.sr import (
        AlgorithmIdentification,
        MeasurementsAndQualitativeEvaluations,
        QualitativeEvaluation,
        TrackingIdentifier,
    )

    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=derived_uid("scan", source.series_instance_uid), identifier="Whole scan"
        ),
        algorithm_id=AlgorithmIdentification(name=dicom_codes.MODEL, version=__version__),
        measurements=[_number(own("MASSES", "Number of calcified soft-tissue masses"), count, "1")],
        qualitative_evaluations=[
            QualitativeEvaluation(
                name=own("MASS", "Calcified soft-tissue mass"), value=_answer(count > 0)
            )
        ],
    )
    group[0].ContentSequence.extend(_differential(told.diagnoses))
    _comment(group, (*told.red_flags, DISCLAIMER, *told.remarks, *told.calibration))
    return group


def _differential(diagnoses: Sequence[Diagnosis]) -> "Iterator[CodeContentItem]":
    """Each diagnosis as an impression, with its probability as the certainty."""
    from highdicom.sr import CodeContentItem, ContentSequence, NumContentItem
    from pydicom.sr.codedict import codes

    for each in diagnoses:
        impression = CodeContentItem(
            name=codes.DCM.DifferentialDiagnosisImpression,
            value=own(each.diagnosis, each.label[:64]),  # the longest meaning DICOM takes
            relationship_type="CONTAINS",
        )
        certainty = NumContentItem(
            name=codes.DCM.CertaintyOfImpression,
            value=dicom_codes.percent(each.probability),
            unit=codes.UCUM.Percent,
            relationship_type="HAS PROPERTIES",
        )
        impression.ContentSequence = ContentSequence([certainty])
        yield impression


def _comment(group: "_Group", sentences: Iterable[str]) -> None:
    from highdicom.sr import TextContentItem
    from pydicom.sr.codedict import codes

    for sentence in sentences:
        group[0].ContentSequence.append(
            TextContentItem(name=codes.DCM.Comment, value=sentence, relationship_type="CONTAINS")
        )
