"""The patients of the lesson: drawn, measured, explained and forecast at this moment.

A lesson must not teach what the program got wrong. So each case is held against what was drawn,
and where they disagree there is no lesson.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from calcinosis.analysis import Analysis, analyze, explained
from calcinosis.follow.follow_up import FollowUp, follow_up
from calcinosis.forecast.given_prescription import GivenPrescription, parse_prescription
from calcinosis.measure.mass import CtMeasurement, Mass
from calcinosis.phantom.masses import MassOptions
from calcinosis.phantom.patient import Phantom, PhantomOptions, make_phantom
from calcinosis.phantom.truth import MassTruth, Truth
from calcinosis.read.case_file import case_of
from calcinosis.read.patient_file import PatientFile
from calcinosis.volume import Study
from calcinosis.write.lesson import script

if TYPE_CHECKING:
    from numpy.typing import NDArray

Begin = Callable[[str], Callable[[float], None]]
TUBE_VOLTAGE_KV = 120.0  # phantoms are drawn as scanned with it

# How far measuring may be off before a case is not shown; they are named parameters, wide of what
# measuring is off by in phantoms (docs/accuracy.md).
LEAST_OVERLAP = 0.6  # Dice of the outline with the drawn one
MOST_VOLUME_RATIO = 1.4
MOST_DEPTH_ERROR_MM = 4.0


class DisagreementError(RuntimeError):
    """The program answers a case otherwise than it was drawn: a defect of ours, not the user's."""


@dataclass(frozen=True, eq=False)
class Taught:
    """One case ready to be asked about.

    Attributes:
        script: its words and questions.
        analysis: what the program makes of the (first) scan and the patient.
        diagnosis: the true one; None where it is not known.
        truth: what was drawn, on the scan's grid; None in a study of somebody's own.
        follow: both scans compared, where there are two.
        later_truth: what was drawn in the second.
    """

    script: script.CaseScript
    analysis: Analysis
    diagnosis: str | None = None
    truth: Truth | None = None
    follow: FollowUp | None = None
    later_truth: Truth | None = None


def teach(case: script.CaseScript, name: str, begin: Begin) -> Taught:
    """Draw the patient of a case, analyse the scan, and hold the answers against what was drawn.

    Args:
        case: with a patient.
        name: of the case, for progress and errors.
        begin: given the name of a step, returns what is called with its fraction done.

    Raises:
        DisagreementError: the program's answer is not what was drawn or is to be taught.
    """
    patient = case.patient
    assert patient is not None  # noqa: S101 - the built-in cases have one (tests)
    begin(f"{name}: drawing")
    phantom = make_phantom(scan_options(patient.scan))
    study = _study(phantom)
    known = known_of(patient)
    given = parse_prescription(patient.prescription) if patient.prescription else None
    if patient.later is None:
        analysis = analyze(study, known, prescription=given, progress=begin(f"{name}: measuring"))
        taught = Taught(case, analysis, patient.diagnosis, phantom.truth)
    else:
        taught = _in_both(
            case, phantom, known, given, lambda step: begin(f"{name}: {step.lower()}")
        )
    complaints = list(disagreements(taught))
    if complaints:
        raise DisagreementError(f"lesson, {name}: {'; '.join(complaints)}")
    return taught


def _in_both(
    case: script.CaseScript,
    phantom: Phantom,
    known: PatientFile,
    given: GivenPrescription | None,
    begin: Begin,
) -> Taught:
    """Two scans compared; explained and forecast as on the day of the first."""
    patient = case.patient
    assert patient is not None  # noqa: S101 - as in `teach`
    later = make_phantom(scan_options({**patient.scan, **(patient.later or {})}))
    follow = follow_up(_study(phantom), _study(later), days=patient.days, begin=begin)
    measured = follow.earlier.measurement
    analysis = explained(follow.earlier.study, measured, known, prescription=given)
    return Taught(case, analysis, patient.diagnosis, phantom.truth, follow, later.truth)


def scan_options(given: dict[str, Any]) -> PhantomOptions:
    """Options of a phantom from plain data."""
    masses = tuple(MassOptions(**_tuples(mass)) for mass in given["masses"])
    return PhantomOptions(**_tuples({**given, "masses": masses}))


def _tuples(given: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(v) if isinstance(v, list) else v for key, v in given.items()}


def known_of(patient: script.Patient) -> PatientFile:
    """What is known beside the images, as a case file would tell it."""
    case = case_of(patient.case, "the patient of the lesson")
    return PatientFile(case, case.patient())


def _study(phantom: Phantom) -> Study:
    return Study(phantom.volume, tube_voltage_kv=TUBE_VOLTAGE_KV)


def disagreements(taught: Taught) -> Iterator[str]:
    """Where what the program says of a case is not what was drawn; empty where it may be shown."""
    assert taught.truth is not None  # noqa: S101 - only drawn patients are judged
    yield from _of_masses(taught.truth, taught.analysis.measurement)
    if taught.follow and taught.later_truth:
        yield from _of_masses(taught.later_truth, taught.follow.later.measurement)
        yield from _of_change(taught.truth, taught.later_truth, taught.follow)
    explanation = taught.analysis.explanation
    if explanation is None:
        return
    first = explanation.differential.diagnoses[0]
    if first.diagnosis != taught.diagnosis:
        yield f"drawn as {taught.diagnosis}, the program ranks {first.diagnosis} first"
    standings = {option.option: option.standing for option in explanation.plan}
    for question in taught.script.questions:
        for option, wanted in getattr(question, "teaches", {}).items():
            if standings.get(option) != wanted:
                yield f"{option} is to be taught as {wanted}; the program: {standings.get(option)}"


def _of_masses(truth: Truth, measured: CtMeasurement) -> Iterator[str]:
    if len(truth.masses) != len(measured.masses):
        yield f"{len(truth.masses)} masses drawn, {len(measured.masses)} measured"
        return
    for drawn in truth.masses:
        outline = truth.envelope == drawn.id
        overlaps = [_dice(outline, measured.labels == mass.id) for mass in measured.masses]
        best = int(np.argmax(overlaps))
        if overlaps[best] < LEAST_OVERLAP:
            yield f"mass {drawn.id} is not outlined as drawn (Dice {overlaps[best]:.2f})"
            continue
        for complaint in _of_mass(drawn, measured.masses[best]):
            yield f"mass {drawn.id}: {complaint}"


def _of_mass(drawn: MassTruth, mass: Mass) -> Iterator[str]:
    ratio = mass.volume_ml / drawn.volume_ml
    if not 1 / MOST_VOLUME_RATIO <= ratio <= MOST_VOLUME_RATIO:
        yield f"{drawn.volume_ml:.0f} mL drawn, {mass.volume_ml:.0f} mL measured"
    if mass.sedimentation_sign != bool(drawn.levels):
        yield f"{len(drawn.levels)} levels drawn, {len(mass.fluid_levels)} found"
    if bool(mass.bone.eroded) != (drawn.erosion is not None):
        yield f"drawn {'eroding' if drawn.erosion else 'not eroding'}, found {mass.bone.eroded}"
    elif drawn.erosion:
        found_mm = mass.bone.erosion_depth_mm or 0.0
        if abs(found_mm - drawn.erosion.depth_mm) > MOST_DEPTH_ERROR_MM:
            yield f"erosion {drawn.erosion.depth_mm:.1f} mm drawn, {found_mm:.1f} mm measured"
    site = mass.site  # of an arm alone nothing tells the side
    if site is None or site.joint != drawn.joint or site.side not in (None, drawn.side):
        yield f"drawn at the {drawn.side} {drawn.joint}, found at {site and site.in_words}"


def _of_change(truth: Truth, later: Truth, follow: FollowUp) -> Iterator[str]:
    before, after = (sum(mass.volume_ml for mass in one.masses) for one in (truth, later))
    drawn = "shrunk" if after < before else "grown"
    told = [mass.course for mass in follow.masses]
    if told != [drawn]:
        yield f"drawn as {drawn} from {before:.0f} to {after:.0f} mL, followed as {', '.join(told)}"


def _dice(one: "NDArray[np.bool_]", other: "NDArray[np.bool_]") -> float:
    total = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / total if total else 0.0
