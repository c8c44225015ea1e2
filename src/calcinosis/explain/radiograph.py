"""What a mass on a radiograph may mean: its findings, and the explanation of all that is known."""

from dataclasses import dataclass

from calcinosis.explain.explanation import Explanation, explain
from calcinosis.finding import Finding
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
    """State what one projection shows: the size, and no more.

    Lobulation, fluid levels and the neighbourhood of a joint are left to the reader, who reports
    them in the patient file; unknown never means absent.
    """
    unknown = (
        Finding(code, "unknown", "measured", "radiograph", mass_id=1)
        for code in ("multilobulated", "fluid_calcium_level", "periarticular")
    )
    diameter_cm = mass.max_diameter_mm / 10
    size = Finding("max_diameter_cm", "present", "measured", "radiograph", diameter_cm, "cm", 1)
    return (size, *unknown)
