"""The numbers of a mass for PACS and record, each with its code: one list for SR and FHIR."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from calcinosis.measure.mass import Mass
from calcinosis.write.dicom_codes import HYDROXYAPATITE, SCHEME

LONG_AXIS = ("103339001", "Long Axis")
SHORT_AXIS = ("103340004", "Short Axis")


@dataclass(frozen=True)
class Measure:
    """One number.

    Attributes:
        scheme: SNOMED CT, DICOM, or our own.
        value: whole for what is counted.
        unit: UCUM.
    """

    scheme: Literal["SCT", "DCM", "99CALCINOSIS"]
    code: str
    meaning: str
    value: float
    unit: str


def measures_of(mass: Mass) -> Iterator[Measure]:
    """Every number of a mass that has one; what could not be judged is left out, not zero."""
    bone, site = mass.bone, mass.site
    contact_mm2 = None if bone.meets_across_slices else bone.contact_mm2
    rows: tuple[tuple[Literal["SCT", "DCM", "99CALCINOSIS"], str, str, float | None, str], ...] = (
        ("SCT", "118565006", "Volume", mass.volume_ml, "mL"),
        ("DCM", "122660", "Calcium Volume", mass.calcified_volume_ml, "mL"),
        (SCHEME, *HYDROXYAPATITE, mass.calcium_mass_mg, "mg"),
        ("SCT", *LONG_AXIS, mass.max_diameter_mm, "mm"),
        ("SCT", *SHORT_AXIS, mass.perpendicular_diameter_mm, "mm"),
        (SCHEME, "LOCULES", "Number of locules", mass.locules, "1"),
        (SCHEME, "LEVELS", "Number of fluid-calcium levels", len(mass.fluid_levels), "1"),
        (SCHEME, "BONE_CONTACT", "Area of contact with bone", contact_mm2, "mm2"),
        (SCHEME, "BONE_DISTANCE", "Distance from bone", bone.distance_mm, "mm"),
        (SCHEME, "EROSION_DEPTH", "Depth of bone erosion", bone.erosion_depth_mm, "mm"),
        (SCHEME, "EROSION_VOLUME", "Volume of bone erosion", bone.erosion_volume_ml, "mL"),
        (SCHEME, "JOINT_DISTANCE", "Distance from joint", site.distance_mm if site else None, "mm"),
        ("DCM", "121243", "Distance from skin", mass.skin_distance_mm, "mm"),
        (SCHEME, "CONFIDENCE", "Confidence that this is a calcified mass", mass.confidence, "1"),
    )
    for scheme, code, meaning, value, unit in rows:
        if value is not None:
            yield Measure(scheme, code, meaning, value, unit)
