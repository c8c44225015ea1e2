"""What is said of a whole scan where a report must be short: the same in SR and FHIR."""

from dataclasses import dataclass

from calcinosis.analysis import Analysis
from calcinosis.explain.differential import Diagnosis
from calcinosis.explain.red_flags import RedFlag
from calcinosis.measure.mass import CtMeasurement

WORTH_TELLING = 0.05  # less probable diagnoses stay in report.html and result.json
DISCLAIMER = "For research and teaching; not a medical device."


@dataclass(frozen=True)
class Told:
    """What is said beside the numbers.

    Attributes:
        red_flags: one passage each: what was shown, and what to do.
        diagnoses: those not improbable, the likeliest first.
        remarks: sentences on series, measurement and patient.
        calibration: how attenuation became calcium; empty without a mass.
    """

    red_flags: tuple[str, ...]
    diagnoses: tuple[Diagnosis, ...]
    remarks: tuple[str, ...]
    calibration: tuple[str, ...]


def told_of(analysis: Analysis) -> Told:
    """What is said of an analysed study."""
    remarks = (*analysis.study.remarks, *analysis.measurement.remarks, *analysis.remarks)
    calibration = (_calibrated(analysis.measurement),) if analysis.measurement.masses else ()
    explanation = analysis.explanation
    if explanation is None:
        return Told((), (), remarks, calibration)
    ranked = explanation.differential.diagnoses
    return Told(
        tuple(_passage(flag) for flag in explanation.red_flags),
        tuple(each for each in ranked if each.probability >= WORTH_TELLING),
        remarks,
        calibration,
    )


def _calibrated(measurement: CtMeasurement) -> str:
    by = measurement.calibration
    return (
        f"Calcium was taken as {by.mg_hydroxyapatite_per_ml_per_hu:.3g} mg of hydroxyapatite per "
        f"mL and HU, standard deviation {100 * by.relative_uncertainty:.0f} %: {by.source}."
    )


def _passage(flag: RedFlag) -> str:
    return f"Red flag: {flag.label}{flag.seen}. {flag.action}"
