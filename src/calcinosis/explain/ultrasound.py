"""What a mass on an ultrasound picture may mean: its findings, explained with all that is known."""

from dataclasses import dataclass

from calcinosis.explain.explanation import Explanation, explain
from calcinosis.finding import Finding
from calcinosis.measure.ultrasound import Box, SonographicMass, measure_sonogram
from calcinosis.patient import Patient
from calcinosis.read.patient_file import PatientFile
from calcinosis.read.subject import doubts, informed
from calcinosis.read.ultrasound import Sonogram


@dataclass(frozen=True, eq=False)
class SonogramReading:
    """One ultrasound picture, measured and explained.

    Attributes:
        sonogram: the picture and the point in it.
        mass: what was measured there.
        patient: what is known beside the picture; None where nothing is.
        findings: what the picture shows, for weighing.
        explanation: differential, red flags and plan; None where nothing of the patient is stated
            and no sign of calcium is seen: most such masses hold none.
        remarks: where what was given does not fit the picture.
    """

    sonogram: Sonogram
    mass: SonographicMass
    patient: Patient | None
    findings: tuple[Finding, ...]
    explanation: Explanation | None
    remarks: tuple[str, ...] = ()


def read_sonographic_mass(
    sonogram: Sonogram, known: PatientFile | None = None, box: Box | None = None
) -> SonogramReading:
    """Measure the mass at the point or in the box, and weigh it with what is known of the patient.

    Raises:
        InputError: see `measure_sonogram`.
    """
    mass = measure_sonogram(sonogram, box)
    remarks = doubts(known.patient, sonogram.subject, "ultrasound") if known else ()
    findings = findings_of_ultrasound(mass)
    signs = [one for one in findings if one.state == "present" and one.value is None]
    told = informed(known, sonogram.subject)
    explanation = _explained(told or PatientFile(), findings) if known or signs else None
    patient = None if told is None else told.patient
    return SonogramReading(sonogram, mass, patient, findings, explanation, remarks)


def _explained(stated: PatientFile, findings: tuple[Finding, ...]) -> Explanation:
    return explain(stated.case, stated.patient, findings)


def findings_of_ultrasound(mass: SonographicMass) -> tuple[Finding, ...]:
    """State what one picture shows; unknown never means absent."""
    found = [
        Finding(code, verdict.state, "measured", "ultrasound", mass_id=1)
        for code, verdict in (
            ("calcified_shell_with_fluid", mass.shell_with_fluid),
            ("multilobulated", mass.echogenic_lobulated),  # the report's `echogenic_lobulated`
        )
    ]
    if mass.sized:
        size_cm = mass.max_diameter / 10
        found.append(
            Finding("max_diameter_cm", "present", "measured", "ultrasound", size_cm, "cm", 1)
        )
    return tuple(found)
