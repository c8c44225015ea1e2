"""Images that look like CT slices but were computed from others: projections, two energies."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from calcinosis.errors import NotCtError
from calcinosis.read import dicom

if TYPE_CHECKING:
    from pydicom import Dataset

# Defined terms of Image Type, value 4 (PS3.3 C.8.2.1.1.1): values that are no Hounsfield units,
# and Hounsfield units that are not those of the scan (PS3.17 JJJJ.4).
MATERIAL_MAPS = {
    "MAT_SPECIFIC",
    "MAT_FRACTIONAL",
    "MAT_VALUE_BASED",
    "EFF_ATOMIC_NUM",
    "ELECTRON_DENSITY",
}
OTHER_ENERGIES = {"VMI", "MAT_REMOVED", "MAT_MODIFIED"}
MODIFIED = "HU_MOD"  # a Rescale Type: such Hounsfield units, too (PS3.3 C.11.1.1.2)
# Defined terms of Volume Based Calculation Technique (PS3.3 C.8.16.2), and what scanners write.
PROJECTIONS = {
    "MIP",
    "MINIP",
    "MAX_IP",
    "MIN_IP",
    "VOLUME_RENDER",
    "SURFACE_RENDER",
    "CURVED_MPR",
}
# What vendors write before the terms above, or instead of them.
IN_WORDS = re.compile(
    r"\bvnca?\b|\bvirtu[ae]l\w* (non|un|nat|sans)|\bmono(e\b|\+|[eé]nerg|chrom| ?\d\d)|\d ?kev\b"
    r"|\biodine (map|density|overlay|no|conc)|\bde iodine|\b[ij]odkarte"
    r"|\b(iodine|water|hap|calcium|fat) ?\((iodine|water|hap|calcium|fat)\)"
    r"|\bcalcium supp|\bz[ -]?eff|\belectron density|\brho ?/? ?z\b",
    re.IGNORECASE,
)
# As vendors write the energy: 70keV, Mono+ 55; from what scanners offer, 40 to 200 keV.
ENERGY = re.compile(r"\b(\d{2,3})(?:[.,]\d+)? ?kev\b|\bmono\D{0,14}(\d{2,3})\b", re.IGNORECASE)
ENERGIES_KEV = (40.0, 200.0)


def require_slices(path: Path, header: "Dataset") -> None:
    """Refuse what its header calls a material map, a projection or a rendering.

    Raises:
        NotCtError: says what the header calls it.
    """
    said = f"{dicom.text(path, header, 'ImageType')} {_technique(path, header)}".upper().split()
    for term in said:
        if term in MATERIAL_MAPS:
            raise NotCtError(f"{path.name}: a material map ({term}); expected Hounsfield units")
        if term in PROJECTIONS:
            raise NotCtError(f"{path.name}: a projection or rendering ({term}); expected slices")


def from_other_energies(path: Path, header: "Dataset") -> bool:
    """Whether the header tells of an energy or a material that the scan itself does not show."""
    terms = set(dicom.text(path, header, "ImageType").upper().split())
    described = dicom.text(path, header, "SeriesDescription").replace("_", " ")
    place = dicom.functional_group(header, 0, "PixelValueTransformationSequence")
    modified = dicom.text(path, place, "RescaleType").upper() == MODIFIED
    return bool(modified or terms & OTHER_ENERGIES or IN_WORDS.search(described))


def photon_energy_kev(path: Path, header: "Dataset") -> float | None:
    """Of virtual monoenergetic images, where the header tells it."""
    stated = dicom.text(path, header, "MonoenergeticEnergyEquivalent")
    described = dicom.text(path, header, "SeriesDescription").replace("_", " ")
    told = ENERGY.search(f"{stated} keV; {described}; {dicom.text(path, header, 'ImageType')}")
    energy_kev = float(told[1] or told[2]) if told else 0.0
    return energy_kev if ENERGIES_KEV[0] <= energy_kev <= ENERGIES_KEV[1] else None


def _technique(path: Path, header: "Dataset") -> str:
    return dicom.text(path, header, "VolumeBasedCalculationTechnique")
