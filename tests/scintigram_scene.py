"""A bone scan drawn with numpy: a trunk with a spine and two hips, and a mass of known uptake."""

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, NuclearMedicineImageStorage, generate_uid
from scipy.ndimage import gaussian_filter

from calcinosis.read.scintigram import Scintigram

PIXEL_MM = 2.5
SHAPE = (150, 170)
MIDDLE, HIP = 85, 20  # columns
SOFT = 20.0  # counts of a pixel of soft tissue
CAMERA_MM = 4.0
MASS = (80, 129)  # row and column: beside the hip on the right of the picture


def scintigram(ratio=1.0, radius_mm=25.0, at=MASS, seed=0):
    """The scene, whose mass has `ratio` times the counts of soft tissue."""
    rows, columns = np.indices(SHAPE)
    counts = np.where(np.abs(columns - MIDDLE) < 68, SOFT, 0.05)
    counts[np.abs(columns - MIDDLE) < 6] = 4 * SOFT
    for side in (-HIP, HIP):
        counts[np.hypot(rows - 75, columns - MIDDLE - side) < 8] = 3 * SOFT
    counts[mass_pixels(radius_mm, at)] *= ratio
    blurred = gaussian_filter(counts, CAMERA_MM / PIXEL_MM)
    drawn = np.random.default_rng(seed).poisson(blurred).astype(np.float32)
    return Scintigram(drawn, (PIXEL_MM, PIXEL_MM))


def mass_pixels(radius_mm=25.0, at=MASS):
    """Where the mass was drawn."""
    rows, columns = np.indices(SHAPE)
    return np.hypot(rows - at[0], columns - at[1]) * PIXEL_MM < radius_mm


def write_nm(path, *views, **tags):
    """The scenes as a DICOM file of planar views, the first from the front, the second behind."""
    stored = np.stack([view.counts for view in views]).astype(np.uint16)
    about = Dataset()
    about.file_meta = FileMetaDataset()
    about.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    about.SOPClassUID = about.file_meta.MediaStorageSOPClassUID = NuclearMedicineImageStorage
    about.SOPInstanceUID = about.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    about.Modality, about.ImageType = "NM", ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"]
    about.PatientName, about.PatientID = "Plantedname^Ulrike", "PLANTED-4711"
    about.PatientSex, about.PatientAge, about.StudyDate = "F", "060Y", "20240102"
    about.NumberOfFrames, about.Rows, about.Columns = stored.shape
    about.SamplesPerPixel, about.PhotometricInterpretation = 1, "MONOCHROME2"
    about.BitsAllocated, about.BitsStored, about.HighBit, about.PixelRepresentation = 16, 16, 15, 0
    about.PixelSpacing = [PIXEL_MM, PIXEL_MM]
    about.DetectorVector = list(range(1, len(views) + 1))
    about.DetectorInformationSequence = [_seen_from(name) for name in ("Anterior", "Posterior")]
    for name, value in tags.items():
        setattr(about, name, value)
    about.PixelData = stored.tobytes()
    about.save_as(path, enforce_file_format=True)
    return path


def _seen_from(name):
    detector, code = Dataset(), Dataset()
    code.CodeMeaning = name
    detector.ViewCodeSequence = [code]
    return detector
