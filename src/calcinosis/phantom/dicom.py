"""Writing a phantom as a CT series, one file per slice, complete after PS3.3 A.3."""

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, generate_uid

from calcinosis.errors import OutputError
from calcinosis.phantom.patient import Phantom

INTERCEPT = -1024
TUBE_VOLTAGE_KV = 120
_KERNEL_CODES = {"soft": "B20", "standard": "B40", "sharp": "B70"}

# Body Part Examined, and which side of it (Image Laterality): unpaired, both, or left to the seed.
_BODY_PARTS = {
    "hips": ("PELVIS", "U"),
    "knees": ("KNEE", "B"),
    "shoulders": ("SHOULDER", "B"),
    "thorax": ("CHEST", "U"),
    "arm": ("ELBOW", ""),
}


def write_series(phantom: Phantom, folder: Path) -> tuple[Path, ...]:
    """Write IM0001.dcm … in the order of the volume's slices.

    Args:
        phantom: what to write; its options decide the UIDs.
        folder: made if missing.

    Raises:
        OutputError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        common = _common(phantom)
        paths = []
        for index in range(phantom.volume.shape[0]):
            path = folder / f"IM{index + 1:04d}.dcm"
            _slice(phantom, common, index).save_as(path, enforce_file_format=True)
            paths.append(path)
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror or error}") from error
    return tuple(paths)


def _uid(phantom: Phantom, *names: str) -> UID:
    return generate_uid(entropy_srcs=["calcinosis phantom", repr(phantom.options), *names])


def _common(phantom: Phantom) -> Dataset:
    """Attributes all slices share: patient, study, series, frame of reference, equipment."""
    options, volume = phantom.options, phantom.volume
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = CTImageStorage
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = "20200101"
    ds.StudyTime = ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = "120000"
    ds.AccessionNumber = ""
    ds.Modality = "CT"
    ds.Manufacturer = "Calcinosis"
    ds.ManufacturerModelName = "Analytic phantom"
    ds.SoftwareVersions = "phantom 1"
    ds.ReferringPhysicianName = ""
    ds.StudyDescription = f"Phantom, {options.anatomy}"
    ds.SeriesDescription = f"{options.kernel} {options.thickness_mm:g} mm"
    ds.PatientName = f"Phantom^{options.anatomy.title()}"
    ds.PatientID = f"PHANTOM{options.seed}"
    ds.PatientBirthDate = ""
    ds.PatientSex = "O"
    ds.QualityControlImage = "YES"  # a phantom, wherever it may be sent
    ds.BodyPartExamined, side = _BODY_PARTS[options.anatomy]
    setattr(ds, "ImageLaterality" if side else "Laterality", side)
    ds.KVP = TUBE_VOLTAGE_KV
    ds.SliceThickness = options.thickness_mm
    ds.SpacingBetweenSlices = options.slice_spacing_mm
    ds.ConvolutionKernel = _KERNEL_CODES[options.kernel]
    ds.PatientPosition = volume.patient_position
    ds.StudyInstanceUID = _uid(phantom, "study")
    ds.SeriesInstanceUID = _uid(phantom, "series")
    ds.FrameOfReferenceUID = _uid(phantom, "frame")
    ds.StudyID = "1"
    ds.SeriesNumber = 1
    ds.AcquisitionNumber = 1
    ds.PositionReferenceIndicator = ""
    _add_image_frame(ds, phantom)
    return ds


def _add_image_frame(ds: Dataset, phantom: Phantom) -> None:
    volume = phantom.volume
    _, rows, columns = volume.shape
    _, row_mm, column_mm = volume.spacing_mm
    axes = volume.affine[:3, :3] / np.linalg.norm(volume.affine[:3, :3], axis=0)
    ds.ImageType = ["DERIVED", "PRIMARY", "AXIAL"]
    ds.ImageOrientationPatient = [_decimal(v) for v in (*axes[:, 2], *axes[:, 1])]
    ds.PixelSpacing = [_decimal(row_mm), _decimal(column_mm)]
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = rows, columns
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 16, 15
    ds.PixelRepresentation = 0
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = INTERCEPT, 1, "HU"
    ds.WindowCenter, ds.WindowWidth = 300, 1500


def _slice(phantom: Phantom, common: Dataset, index: int) -> FileDataset:
    volume = phantom.volume
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = _uid(phantom, "image", str(index))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset("", common, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    ds.InstanceNumber = index + 1
    place = volume.to_lps([index, 0, 0])
    ds.ImagePositionPatient = [_decimal(v) for v in place]
    ds.SliceLocation = _decimal(float(place[2]))
    stored = volume.voxels[index].astype(np.int32) - INTERCEPT
    ds.PixelData = stored.astype("<u2").tobytes()
    return ds


def _decimal(value: float) -> str:
    """A DICOM decimal string: at most 16 characters."""
    text = f"{value:.10f}".rstrip("0").rstrip(".")
    return ("0" if text in ("-0", "") else text)[:16]
