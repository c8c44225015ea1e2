"""What a mass on MRI may mean: its findings, and the explanation of all that is known."""

from collections.abc import Callable
from dataclasses import dataclass

from calcinosis.explain.explanation import Explanation, explain
from calcinosis.finding import Finding, State
from calcinosis.measure.mri import MrMass, measure_mri
from calcinosis.measure.mri_grid import Point
from calcinosis.patient import Patient
from calcinosis.read.mri import MriStudy, volume_of
from calcinosis.read.mri_choice import MriChoice, choose_series
from calcinosis.read.patient_file import PatientFile
from calcinosis.read.subject import doubts, informed
from calcinosis.volume import Subject, Volume


@dataclass(frozen=True, eq=False)
class MriReading:
    """One mass on MRI, measured and explained.

    Attributes:
        subject: whom the study is of, and when.
        choice: which series were looked at.
        volumes: their signal by t1, t2 and enhanced; those that are not there are left out.
        point: that the reader set, LPS mm.
        mass: what was measured there.
        patient: what is known beside the images; None where nothing is.
        explanation: differential, red flags and plan.
        remarks: what reading had to assume, and where what was given does not fit.
    """

    subject: Subject
    choice: MriChoice
    volumes: dict[str, Volume]
    point: Point
    mass: MrMass
    patient: Patient | None
    explanation: Explanation
    remarks: tuple[str, ...] = ()

    @property
    def main(self) -> Volume:
        """The series along whose slices the mass was outlined."""
        return self.volumes["t2" if self.choice.main is self.choice.t2 else "t1"]


def read_mass_on_mri(
    study: MriStudy,
    point: Point,
    known: PatientFile | None = None,
    progress: Callable[[float], None] | None = None,
) -> MriReading:
    """Choose the series, measure the mass at a point, and weigh it with what is known.

    Args:
        study: the series.
        point: in the mass, LPS mm.
        known: of the patient.
        progress: called with the fraction done.

    Raises:
        InputError: no series of use shows the point, or nothing there looks like a mass.
    """
    choice = choose_series(study, point)
    roles = {"t1": choice.t1, "t2": choice.t2, "enhanced": choice.enhanced}
    volumes = {role: volume_of(series) for role, series in roles.items() if series}
    if progress:
        progress(0.4)
    main = volumes["t2" if choice.main is choice.t2 else "t1"]
    t1, t2, enhanced = (volumes.get(role) for role in roles)
    mass = measure_mri(t1, t2, enhanced, point, like=main)
    if progress:
        progress(1.0)
    doubted = doubts(known.patient, study.subject, "MRI") if known else ()
    known = informed(known, study.subject)
    stated = known or PatientFile()
    explanation = explain(stated.case, stated.patient, findings_of_mri(mass))
    return MriReading(
        subject=study.subject,
        choice=choice,
        volumes=volumes,
        point=point,
        mass=mass,
        patient=None if known is None else known.patient,
        explanation=explanation,
        remarks=(*study.remarks, *doubted),
    )


def findings_of_mri(mass: MrMass) -> tuple[Finding, ...]:
    """State size and signal, if the outline is sure; MRI does not tell whether it is calcified."""
    diameter_cm = mass.max_diameter_mm / 10 if mass.sure else None
    state: State = "present" if mass.sure else "unknown"
    size = Finding("max_diameter_cm", state, "measured", "MRI", diameter_cm, "cm", 1)
    signs = (
        Finding(code, sign.state, "measured", "MRI", mass_id=1) for code, sign in mass.signs.items()
    )
    return (size, *signs)
