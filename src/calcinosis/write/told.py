"""What is said of a whole scan where a report must be short: the same in SR and FHIR."""

from dataclasses import dataclass

from calcinosis.analysis import Analysis
from calcinosis.explain.differential import Diagnosis
from calcinosis.explain.red_flags import RedFlag

WORTH_TELLING = 0.05  # less probable diagnoses stay in report.html and result.json
DISCLAIMER = "For research and teaching; not a medical device."


@dataclass(frozen=True)
class Told:
    """What is said beside the numbers.

    Attributes:
        red_flags: one passage each: what was shown, and what to do.
        diagnoses: those not improbable, the likeliest first.
        remarks: sentences on series, measurement and patient.
    """

    red_flags: tuple[str, ...]
    diagnoses: tuple[Diagnosis, ...]
    remarks: tuple[str, ...]


def told_of(analysis: Analysis) -> Told:
    """What is said of an analysed study."""
    remarks = (*analysis.study.remarks, *analysis.measurement.remarks, *analysis.remarks)
    explanation = analysis.explanation
    if explanation is None:
        return Told((), (), remarks)
    ranked = explanation.differential.diagnoses
    return Told(
        tuple(_passage(flag) for flag in explanation.red_flags),
        tuple(each for each in ranked if each.probability >= WORTH_TELLING),
        remarks,
    )


def _passage(flag: RedFlag) -> str:
    return f"Red flag: {flag.label}{flag.seen}. {flag.action}"
