"""Rows for statistics: one for each study, one for each mass. Units stand in the names."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Literal

from pydantic import Field

from calcinosis.cohort.cohort import Cohort, Patient, result_of
from calcinosis.cohort.ledger import Outcome
from calcinosis.cohort.survey import FoundStudy
from calcinosis.measure.seed import seeds_named
from calcinosis.write.record import Amount, Fraction, Number, Record

NOT_YET: Literal["waiting"] = "waiting"
BETWEEN = " | "  # several texts in one cell


class StudyRow(Record):
    """One study; nothing is told of the CT where it was not measured."""

    study: str = Field(description="name of its folder in `studies`")
    patient: str = Field(description="the same for all studies of a patient")
    patient_id: str | None = Field(description="of the images; null where de-identified")
    scan: int | None = Field(description="of the patient's CT studies by date; null: no date")
    scans: int = Field(description="how many CT studies of the patient there are")
    study_date: str | None
    days_since_first: int | None = Field(description="from the patient's first dated CT study")
    age_years: Number | None
    sex: Literal["F", "M"] | None
    state: Literal["measured", "not_ct", "refused", "failed", "waiting"]
    reason: str | None = Field(description="why it was not measured")
    masses: int | None
    volume_ml: Amount | None = Field(description="of all masses")
    calcified_volume_ml: Amount | None = Field(description="of all masses")
    calcium_mass_mg: Amount | None = Field(description="hydroxyapatite in all masses")
    doubtful_places: int | None = Field(
        description="densities that may be masses, but were not called; the report shows them"
    )
    largest_volume_ml: Amount | None
    largest_joint: str | None
    largest_side: Literal["left", "right"] | None
    fluid_levels: int | None
    sedimentation_sign: bool | None = Field(
        description="in any mass; null: not to be judged, or no mass"
    )
    eroded: bool | None = Field(description="by any mass; null: not to be judged, or no mass")
    top_diagnosis: str | None
    top_diagnosis_probability: Fraction | None
    red_flags: str | None
    vascular_ml: Amount | None
    phlebolith_ml: Amount | None
    granuloma_ml: Amount | None
    metal_ml: Amount | None
    contrast_ml: Amount | None
    unclassified_ml: Amount | None
    slice_spacing_mm: Amount | None
    pixel_spacing_mm: Amount | None
    tube_voltage_kv: Amount | None
    patient_position: str | None
    position_assumed: bool | None
    remarks: str | None
    seconds: Amount | None = Field(description="the analysis took")
    report: str | None = Field(description="path from this table")


class MassRow(Record):
    """One mass; what it is called, where it lies, and all that was measured."""

    study: str
    patient: str
    scan: int | None
    study_date: str | None
    days_since_first: int | None
    mass: int = Field(description="its number in the report and value in masses.nii.gz")
    joint: str | None = Field(description="the nearest large joint")
    side: Literal["left", "right"] | None
    joint_distance_mm: Amount | None
    volume_ml: Amount
    volume_low_ml: Amount = Field(description="of the 95 % interval")
    volume_high_ml: Amount
    calcified_volume_ml: Amount
    calcium_mass_mg: Amount = Field(description="hydroxyapatite")
    calcium_mass_low_mg: Amount = Field(description="of the 95 % interval")
    calcium_mass_high_mg: Amount
    max_diameter_mm: Amount
    perpendicular_diameter_mm: Amount
    mean_hu: Number
    p5_hu: Number
    p50_hu: Number
    p95_hu: Number
    locules: int
    fluid_levels: int
    sedimentation_sign: bool | None = Field(description="null: cannot be judged")
    nearest_bone: str | None
    bone_distance_mm: Amount | None
    bone_contact_mm2: Amount
    eroded: bool | None = Field(description="null: cannot be judged")
    erosion_depth_mm: Amount | None
    erosion_volume_ml: Amount | None
    skin_distance_mm: Amount | None
    centroid_left_mm: Number = Field(description="LPS: to the patient's left")
    centroid_back_mm: Number
    centroid_head_mm: Number
    confidence: Fraction
    top_diagnosis: str | None = Field(description="of the study")
    top_diagnosis_probability: Fraction | None
    remarks: str | None


def rows_of(cohort: Cohort) -> tuple[list[StudyRow], list[MassRow]]:
    """The rows of an archive: patients in the order of their keys, scans in that of time."""
    studies, masses = [], []
    for patient in cohort.patients:
        for name in patient.studies:
            about = _about(cohort, patient, name)
            outcome = cohort.outcomes.get(name)
            result = result_of(cohort, name)
            studies.append(_study_row(about, outcome, result))
            masses += _mass_rows(about, result)
    return studies, masses


def _about(cohort: Cohort, patient: Patient, name: str) -> dict[str, Any]:
    """Whose study it is, and when it was made."""
    found = cohort.studies[name]
    named = not cohort.settings.deidentify
    days = [day for one in patient.studies if (day := cohort.studies[one].subject.study_date)]
    day = found.subject.study_date
    return {
        "study": name,
        "patient": patient.key,
        "patient_id": (patient.patient_id or None) if named else None,
        "scan": _scan(patient, name, cohort.studies, day),
        "scans": len(patient.studies),
        "study_date": day.isoformat() if day and named else None,
        "days_since_first": (day - min(days)).days if day else None,
        "age_years": found.subject.age_years if named else None,
        "sex": found.subject.sex if named else None,
    }


def _scan(
    patient: Patient, name: str, studies: Mapping[str, FoundStudy], day: date | None
) -> int | None:
    """Which of the patient's CT studies it is; 1 for the only one, whatever its date."""
    if len(patient.studies) == 1:
        return 1
    dated = [one for one in patient.studies if studies[one].subject.study_date]
    return dated.index(name) + 1 if day else None


def _study_row(
    about: Mapping[str, Any], outcome: Outcome | None, result: Mapping[str, Any]
) -> StudyRow:
    told: dict[str, Any] = dict.fromkeys(StudyRow.model_fields)
    told |= about
    told["state"] = outcome.state if outcome else NOT_YET
    told["reason"] = (outcome.reason or None) if outcome else None
    told["seconds"] = outcome.seconds if outcome else None
    if result:
        told |= _of_masses(result["masses"]) | _of_others(result) | _explained(result)
        spacing_mm, calibration = result["series"]["spacing_mm"], result["calibration"]
        told |= {
            "slice_spacing_mm": spacing_mm[0],
            "pixel_spacing_mm": max(spacing_mm[1:]),
            "tube_voltage_kv": calibration["tube_voltage_kv"],
            "patient_position": result["series"]["patient_position"],
            "position_assumed": result["series"]["patient_position_assumed"],
            "red_flags": BETWEEN.join(flag["flag"] for flag in result["red_flags"]) or None,
            "remarks": BETWEEN.join((*result["series"]["remarks"], *result["remarks"])) or None,
            "doubtful_places": sum(len(seeds_named(one)) for one in result["remarks"]),
            "report": f"studies/{about['study']}/report.html",
        }
    return StudyRow.model_validate(told)


def _of_masses(masses: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    largest = masses[0] if masses else None
    site = (largest["site"] if largest else None) or {}
    return {
        "masses": len(masses),
        "volume_ml": sum(mass["volume_ml"] for mass in masses),
        "calcified_volume_ml": sum(mass["calcified_volume_ml"] for mass in masses),
        "calcium_mass_mg": sum(mass["calcium_mass_mg"] for mass in masses),
        "largest_volume_ml": largest and largest["volume_ml"],
        "largest_joint": site.get("joint"),
        "largest_side": site.get("side"),
        "fluid_levels": sum(len(mass["fluid_levels"]) for mass in masses),
        "sedimentation_sign": _any(mass["sedimentation_sign"] for mass in masses),
        "eroded": _any(mass["bone"]["eroded"] for mass in masses),
    }


def _any(told: Iterable[bool | None]) -> bool | None:
    """True where any is; None where that cannot be judged of all others, or there is none."""
    answers = set(told)
    return True if True in answers else False if answers == {False} else None


def _of_others(result: Mapping[str, Any]) -> dict[str, float]:
    kinds = ("vascular", "phlebolith", "granuloma", "metal", "contrast", "unclassified")
    sums: dict[str, float] = defaultdict(float, {f"{kind}_ml": 0.0 for kind in kinds})
    for one in result["other_calcifications"]:
        sums[f"{one['kind']}_ml"] += one["volume_ml"]
    return sums


def _explained(result: Mapping[str, Any]) -> dict[str, Any]:
    """The likeliest diagnosis of the study."""
    first = (result["differential"] or [{}])[0]
    return {
        "top_diagnosis": first.get("diagnosis"),
        "top_diagnosis_probability": first.get("probability"),
    }


def _mass_rows(about: Mapping[str, Any], result: Mapping[str, Any]) -> list[MassRow]:
    whose = {name: about[name] for name in about if name in MassRow.model_fields}
    return [
        MassRow.model_validate(whose | _explained(result) | _mass(mass))
        for mass in result.get("masses", ())
    ]


def _mass(mass: Mapping[str, Any]) -> dict[str, Any]:
    site, bone, hu = mass["site"] or {}, mass["bone"], mass["hu"]
    same = (
        "volume_ml", "calcified_volume_ml", "calcium_mass_mg", "max_diameter_mm",
        "perpendicular_diameter_mm", "locules", "sedimentation_sign", "skin_distance_mm",
        "confidence",
    )  # fmt: skip
    (low_ml, high_ml), (low_mg, high_mg) = mass["volume_ci95_ml"], mass["calcium_mass_ci95_mg"]
    left_mm, back_mm, head_mm = mass["centroid_lps_mm"]
    return {name: mass[name] for name in same} | {
        "mass": mass["id"],
        "joint": site.get("joint"),
        "side": site.get("side"),
        "joint_distance_mm": site.get("distance_mm"),
        "volume_low_ml": low_ml,
        "volume_high_ml": high_ml,
        "calcium_mass_low_mg": low_mg,
        "calcium_mass_high_mg": high_mg,
        **{f"{name}_hu": hu[name] for name in ("mean", "p5", "p50", "p95")},
        "fluid_levels": len(mass["fluid_levels"]),
        "nearest_bone": bone["nearest"],
        "bone_distance_mm": bone["distance_mm"],
        "bone_contact_mm2": bone["contact_mm2"],
        "eroded": bone["eroded"],
        "erosion_depth_mm": bone["erosion_depth_mm"],
        "erosion_volume_ml": bone["erosion_volume_ml"],
        "centroid_left_mm": left_mm,
        "centroid_back_mm": back_mm,
        "centroid_head_mm": head_mm,
        "remarks": BETWEEN.join(mass["remarks"]) or None,
    }


def as_csv(model: type[Record], rows: Iterable[Record]) -> str:
    """Rows under the names of their fields; what is not known is empty, yes and no in words."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(model.model_fields)
    for row in rows:
        table.writerow([_cell(value) for value in row.model_dump().values()])
    return text.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
