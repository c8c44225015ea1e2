"""The whole story of one study: measure, explain, forecast."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from calcinosis.explain.explanation import Explanation, explain
from calcinosis.explain.findings import findings_of_masses
from calcinosis.forecast.given_prescription import GivenPrescription, prescription_for
from calcinosis.measure.mass import Calibration, CtMeasurement, Point
from calcinosis.memory import give_small_pieces_back
from calcinosis.patient import Patient
from calcinosis.read.hounsfield import in_hounsfield
from calcinosis.read.patient_file import PatientFile
from calcinosis.read.subject import doubts, informed
from calcinosis.volume import Study

if TYPE_CHECKING:
    from calcinosis.forecast.outlook import Outlook
    from calcinosis.forecast.patient_forecast import MeasuredBefore

# CT measures mg of hydroxyapatite, Ca10(PO4)6(OH)2 of 1004.6 g/mol; the forecast counts calcium.
CALCIUM_IN_HYDROXYAPATITE = 10 * 40.078 / 1004.6
PRESCRIPTION_NOT_USED = (
    "The prescription was not used: there is no forecast, which takes a mass, an adult on dialysis "
    "(kidney status, ckd), and calcium and phosphate of the last year."
)
FINDINGS_NOT_USED = "Findings of other images were not used: no mass was found on this CT."


@dataclass(frozen=True, eq=False)
class Analysis:
    """What one study yielded.

    Attributes:
        study: the scan that was measured.
        measurement: masses, other calcifications, and how they were measured.
        patient: what was given beside the images, with age and sex by their header where these
            were not given; None where nothing of all this is known.
        explanation: differential, red flags and plan; None where there is no mass to explain.
        outlook: forecast of the usual treatments; None without a mass, without dialysis, for a
            child, or where calcium or phosphate is not known.
        timings_s: seconds each step took.
        remarks: where what was given does not fit the images, or was not used.
    """

    study: Study
    measurement: CtMeasurement
    patient: Patient | None = None
    explanation: Explanation | None = None
    outlook: "Outlook | None" = None
    timings_s: Mapping[str, float] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def analyze(
    study: Study,
    patient: PatientFile | None = None,
    *,
    prescription: GivenPrescription | None = None,
    seeds_lps_mm: Sequence[Point] = (),
    skeleton: NDArray[np.bool_] | None = None,
    calibration: Calibration | None = None,
    progress: Callable[[float], None] | None = None,
) -> Analysis:
    """Measure a CT study, explain its masses, and forecast their treatment.

    Args:
        study: the scan, from :func:`calcinosis.read.study.read_study`, or made of a volume.
        patient: what is known beside it, from :mod:`calcinosis.read.patient_file`.
        prescription: today's, from :mod:`calcinosis.forecast.given_prescription`.
        seeds_lps_mm: points in calcification that is to be taken as a mass and cut from bone.
        skeleton: boolean mask [z, y, x] of the bones, instead of the built-in one.
        calibration: from Hounsfield units to calcium, instead of the one for the tube voltage.
        progress: called with the fraction done, 0 to 1.

    Raises:
        InputError: the prescription contradicts the kidney status, the voxels are no Hounsfield
            units, a seed is not on calcification, or the skeleton not on the scan's grid.
    """
    from calcinosis.measure.ct import measure_ct

    if not study.source_files:  # made by hand: nobody has looked at its values
        study = in_hounsfield(study)
    if prescription and patient:
        prescription = prescription_for(patient.patient, prescription)
    began = perf_counter()
    measurement = measure_ct(
        study,
        seeds_lps_mm=seeds_lps_mm,
        skeleton=skeleton,
        calibration=calibration,
        progress=progress,
    )
    give_small_pieces_back()  # what follows loads the tables of DICOM
    timings_s = {"measure": perf_counter() - began}
    return explained(study, measurement, patient, timings_s, prescription=prescription)


def explained(
    study: Study,
    measurement: CtMeasurement,
    patient: PatientFile | None = None,
    timings_s: Mapping[str, float] | None = None,
    *,
    prescription: GivenPrescription | None = None,
    before: "MeasuredBefore | None" = None,
) -> Analysis:
    """All that follows the measurement: made anew when what is known of the patient changes.

    Args:
        study: the scan.
        measurement: of this scan.
        patient: what is known beside it.
        timings_s: of the steps before.
        prescription: today's.
        before: the same masses in an earlier scan, for the forecast.
    """
    remarks = doubts(patient.patient, study.subject) if patient else ()
    patient = informed(patient, study.subject)
    known = patient or PatientFile()
    timings = {**(timings_s or {})}
    explanation = outlook = None
    if measurement.masses:
        began = perf_counter()
        found = (*known.findings, *findings_of_masses(measurement))
        explanation = explain(known.case, known.patient, found)
        timings["explain"] = perf_counter() - began
    if measurement.masses and known.patient.on_dialysis:
        began = perf_counter()
        weight_kg = study.subject.weight_kg
        outlook = _forecast(known.patient, measurement, weight_kg, prescription, before)
        timings["forecast"] = perf_counter() - began
    if known.findings and not measurement.masses:
        remarks = (*remarks, FINDINGS_NOT_USED)
    if prescription and not outlook:
        remarks = (*remarks, PRESCRIPTION_NOT_USED)
    given = None if patient is None else patient.patient
    return Analysis(study, measurement, given, explanation, outlook, timings, remarks)


def _forecast(
    patient: Patient,
    measurement: CtMeasurement,
    weight_kg: float | None,
    prescription: GivenPrescription | None,
    before: "MeasuredBefore | None",
) -> "Outlook | None":
    from calcinosis.forecast.patient_forecast import forecast_for

    calcium_g = [
        CALCIUM_IN_HYDROXYAPATITE * mass.calcium_mass_mg / 1000.0 for mass in measurement.masses
    ]
    return forecast_for(
        patient,
        calcium_g,
        header_weight_kg=weight_kg,
        prescription=prescription,
        before=before,
    )
