"""How large a pixel of a radiograph is at the patient, and how sure that is."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from calcinosis.errors import InputError
from calcinosis.read import dicom

if TYPE_CHECKING:
    from pydicom import Dataset

# An object on the table is shown 1 time, one 15 cm above it up to 1.25 times as large (PMID
# 30861075); hips on 20 films 1.11 to 1.20 times (doi:10.1302/0301-620X.88BSUPP_II.0880247).
UNKNOWN_MAGNIFICATION = (1.0, 1.25)
# Of a mass that lies nearer to the plate than what was calibrated, or farther: 5 cm at 1 m.
DEPTH_SHARE = 0.05
PIXEL_MM = (0.01, 5.0)
_SQUARE = 0.02  # sides of a pixel may differ by so much


@dataclass(frozen=True)
class Scale:
    """Millimetres at the patient.

    Attributes:
        pixel_mm: side of a pixel, the best guess.
        lowest, highest: what a length may have to be multiplied with.
        source: what it rests on, a sentence.
        magnification: the one taken off, 1 where none; None where it is not known.
    """

    pixel_mm: float
    lowest: float
    highest: float
    source: str
    magnification: float | None


def stated_scale(pixel_mm: float) -> Scale:
    """As the user states it.

    Raises:
        InputError: no pixel has that size.
    """
    if not PIXEL_MM[0] <= pixel_mm <= PIXEL_MM[1]:
        raise InputError(
            f"--spacing-mm is {pixel_mm:g}; expected {PIXEL_MM[0]:g} to {PIXEL_MM[1]:g} mm"
        )
    said = f"Pixels of {pixel_mm:g} mm at the patient, as stated."
    return Scale(pixel_mm, 1 - DEPTH_SHARE, 1 + DEPTH_SHARE, said, 1.0)


def scale_of(path: Path, about: "Dataset") -> Scale:
    """As the header has it: calibrated, or on the plate with or without a magnification.

    Raises:
        InputError: it tells no size of a pixel.
    """
    plate = _side(path, about, "ImagerPixelSpacing")
    pixel = _side(path, about, "PixelSpacing")
    scanned = _side(path, about, "NominalScannedPixelSpacing")
    calibrated = dicom.text(path, about, "PixelSpacingCalibrationType").upper()
    if pixel and (calibrated or (plate and abs(pixel / plate - 1) > 0.001)):
        by = f" ({calibrated.lower()})" if calibrated else ""
        said = f"Pixels of {pixel:.3g} mm at the patient, as the header calibrates them{by}."
        return Scale(pixel, 1 - DEPTH_SHARE, 1 + DEPTH_SHARE, said, 1.0)
    on_plate = plate or pixel or scanned
    if not on_plate:
        raise InputError(
            f"{path.name}: the header tells no size of a pixel (ImagerPixelSpacing, "
            "PixelSpacing); expected --spacing-mm"
        )
    magnification, by = _magnification(path, about)
    if magnification is None:
        low, high = UNKNOWN_MAGNIFICATION
        said = (
            f"Pixels of {on_plate:.3g} mm on the plate. The header does not say how much larger "
            f"the shadow is than the mass: true lengths may be up to {100 * (1 - 1 / high):.0f} % "
            "less than told."
        )
        return Scale(on_plate, 1 / high, 1 / low, said, None)
    said = (
        f"Pixels of {on_plate:.3g} mm on the plate, divided by a magnification of "
        f"{magnification:.3g} ({by})."
    )
    pixel_mm = on_plate / magnification
    return Scale(pixel_mm, 1 - DEPTH_SHARE, 1 + DEPTH_SHARE, said, magnification)


def _magnification(path: Path, about: "Dataset") -> tuple[float | None, str]:
    factor = dicom.numbers(path, about, "EstimatedRadiographicMagnificationFactor", 1)
    if factor and 1 <= factor[0] <= 3:
        return factor[0], "by the header"
    plate = dicom.numbers(path, about, "DistanceSourceToDetector", 1)
    patient = dicom.numbers(path, about, "DistanceSourceToPatient", 1)
    if plate and patient and patient[0] > 0 and 1 < plate[0] / patient[0] <= 3:
        return plate[0] / patient[0], "by the distances of the tube"
    return None, ""


def _side(path: Path, about: "Dataset", keyword: str) -> float | None:
    """Side of a pixel; None where the header is silent or says what no pixel has.

    Raises:
        InputError: the pixels are not square.
    """
    found = dicom.numbers(path, about, keyword, 2)
    if not found or not all(PIXEL_MM[0] <= side <= PIXEL_MM[1] for side in found):
        return None
    if abs(found[0] / found[1] - 1) > _SQUARE:
        raise InputError(
            f"{path.name}: {keyword} is {found[0]:g} × {found[1]:g} mm; expected square pixels"
        )
    return found[0]
