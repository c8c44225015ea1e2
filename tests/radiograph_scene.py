"""Radiographs with known truth: balls of paste in a slab of muscle, by Beer and Lambert."""

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from calcinosis.read.radiograph import Radiograph
from calcinosis.read.radiograph_gravity import stated_gravity
from calcinosis.read.radiograph_scale import stated_scale

MUSCLE_PER_CM, PASTE_PER_CM = 0.22, 0.55  # at about 50 keV; beyond water, paste of 1500 HU
DX = "1.2.840.10008.5.1.4.1.1.1.1"


def balls(
    size: int = 240, pixel_mm: float = 0.5, centres=((0, 0),), radius_mm: float = 14.0
) -> np.ndarray:
    """Centimetres of paste that each ray crosses; centres (row, column) in mm from the middle."""
    places = (np.indices((size, size)) - size // 2) * pixel_mm
    depth = np.zeros((size, size))
    for row, column in centres:
        away = np.hypot(places[0] - row, places[1] - column)
        depth += 2 * np.sqrt(np.maximum(radius_mm**2 - away**2, 0)) / 10
    return depth


def density(paste_cm: np.ndarray, *, noise: float = 0.004, seed: int = 1) -> np.ndarray:
    """Density of a film of them in 12 cm of muscle that thins out to the right."""
    size = paste_cm.shape[1]
    muscle_cm = np.broadcast_to(12 - 2 * np.linspace(0, 1, size) ** 2, paste_cm.shape)
    path = MUSCLE_PER_CM * muscle_cm + PASTE_PER_CM * paste_cm
    grain = np.random.default_rng(seed).normal(0, noise, path.shape)
    return (path + grain).astype(np.float32)


def film(picture: np.ndarray, *, pixel_mm: float = 0.5, gravity: str = "") -> Radiograph:
    return Radiograph(
        density=picture,
        imaged=np.ones(picture.shape, bool),
        shown=np.zeros(picture.shape, np.uint8),
        scale=stated_scale(pixel_mm),
        gravity=stated_gravity(gravity),
    )


def write_dx(path: Path, picture: np.ndarray, **tags) -> Path:
    """A DX file whose stored values rise with density (MONOCHROME2), 12 bits, unless told."""
    low, high = float(picture.min()), float(picture.max())
    stored = np.rint((picture - low) / (high - low) * 4000).astype(np.uint16)
    about = Dataset()
    about.file_meta = FileMetaDataset()
    about.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    about.SOPClassUID = about.file_meta.MediaStorageSOPClassUID = DX
    about.SOPInstanceUID = about.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    about.Modality = "DX"
    about.PatientName, about.PatientID = "Doe^Jane", "4711"
    about.PatientSex, about.PatientAge, about.StudyDate = "F", "060Y", "20240102"
    about.Rows, about.Columns = stored.shape
    about.SamplesPerPixel, about.PhotometricInterpretation = 1, "MONOCHROME2"
    about.BitsAllocated, about.BitsStored, about.HighBit = 16, 12, 11
    about.PixelRepresentation = 0
    about.ImagerPixelSpacing = [0.5, 0.5]
    about.PatientOrientation = ["L", "F"]
    for name, value in tags.items():
        if value is None:
            delattr(about, name)
        else:
            setattr(about, name, value)
    if about.get("PhotometricInterpretation") == "MONOCHROME1":
        stored = 4000 - stored
    about.PixelData = stored.tobytes()
    about.save_as(path, enforce_file_format=True)
    return path
