"""By what a mass is known again: in SEG, SR and FHIR, run after run, and at follow-up."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from calcinosis.measure.mass import Mass
from calcinosis.write import dicom_codes
from calcinosis.write.dicom_source import SourceImages, derived_uid


@dataclass(frozen=True)
class Tracking:
    """DICOM Tracking UID (0062,0021) and Tracking ID (0062,0020) of a mass."""

    uid: str
    identifier: str

    def part(self, name: str) -> "Tracking":
        """Of a part of the mass that is reported by itself."""
        return Tracking(derived_uid(self.uid, name), f"{self.identifier}, {name}")


def tracking_of(masses: Sequence[Mass], source: SourceImages) -> Mapping[int, Tracking]:
    """The tracking of each mass, by mass id.

    The same patient, place (nearest joint and side) and letter give the same UID in every study.
    Letters count the masses of one place from head to foot. So a mass gets another UID where one
    appears or goes above it at the same place, or where another joint becomes the nearest. Patients
    are told apart by ID, issuer and date of birth; without a patient ID (also when de-identified)
    the UID holds within the series only.
    """
    by_place: dict[str, list[Mass]] = defaultdict(list)
    for mass in masses:
        by_place[dicom_codes.place(mass.site)].append(mass)
    found = {}
    for place, there in by_place.items():
        downwards = sorted(there, key=lambda mass: (-mass.centroid_lps_mm[2], mass.id))
        for index, mass in enumerate(downwards):
            letter = _letter(index)
            uid = derived_uid("mass", *_owner(source), place, letter)
            found[mass.id] = Tracking(uid, f"Calcified mass, {place}, {letter}")
    return found


def _letter(index: int) -> str:
    """A to Z, then AA to ZZ."""
    return ascii_uppercase[index % 26] * (index // 26 + 1)


def _owner(source: SourceImages) -> tuple[str, ...]:
    """Who has the mass: the patient where the images say, else the series."""
    header = source.headers[0]
    if not header.PatientID:
        return ("series", source.series_instance_uid)
    known = (header.PatientID, header.get("IssuerOfPatientID", ""), header.PatientBirthDate)
    return ("patient", *map(str, known))
