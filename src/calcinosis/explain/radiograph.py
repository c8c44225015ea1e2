"""What a mass on a radiograph may mean: its findings, and the explanation of all that is known."""

from collections.abc import Iterator
from dataclasses import dataclass

from calcinosis.explain.explanation import Explanation, explain
from calcinosis.explain.findings import LOBULATED_FROM_LOCULES
from calcinosis.finding import Finding, State
from calcinosis.measure.radiograph import ProjectedMass, measure_radiograph
from calcinosis.patient import Patient
from calcinosis.read.patient_file import PatientFile
from calcinosis.read.radiograph import Radiograph
from calcinosis.read.subject import doubts, informed


@dataclass(frozen=True, eq=False)
class RadiographReading:
    """One radiograph, measured and explained.

    Attributes:
        film: the radiograph.
        point: (column, row) that the reader set.
        mass: what was measured there.
        patient: what is known beside the film; None where nothing is.
        explanation: differential, red flags and plan.
        remarks: where what was given does not fit the film.
    """

    film: Radiograph
    point: tuple[int, int]
    mass: ProjectedMass
    patient: Patient | None
    explanation: Explanation
    remarks: tuple[str, ...] = ()


def read_mass(
    film: Radiograph, point: tuple[int, int], known: PatientFile | None = None
) -> RadiographReading:
    """Measure the mass at a point, and weigh it with what is known of the patient.

    Raises:
        InputError: the point is outside the film, or on no mass.
    """
    mass = measure_radiograph(film, point)
    remarks = doubts(known.patient, film.subject, "radiograph") if known else ()
    known = informed(known, film.subject)
    stated = known or PatientFile()
    explanation = explain(stated.case, stated.patient, findings_of_radiograph(mass))
    patient = None if known is None else known.patient
    return RadiographReading(film, point, mass, patient, explanation, remarks)


def findings_of_radiograph(mass: ProjectedMass) -> tuple[Finding, ...]:
    """State what one projection shows. What may lie behind something else is never absent.

    A fluid level is left to the reader, who reports it in the patient file.
    """
    return tuple(_findings(mass))


def _findings(mass: ProjectedMass) -> Iterator[Finding]:
    def sign(code: str, *, seen: bool) -> Finding:
        state: State = "present" if seen else "unknown"
        return Finding(code, state, "measured", "radiograph", mass_id=1)

    yield Finding(
        "max_diameter_cm",
        "present",
        "measured",
        "radiograph",
        mass.max_diameter_mm / 10,
        "cm",
        1,
    )
    yield sign("multilobulated", seen=len(mass.locules) >= LOBULATED_FROM_LOCULES)
    yield sign("fluid_calcium_level", seen=False)
