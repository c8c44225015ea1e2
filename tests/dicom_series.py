"""Small CT series for tests: a leg-like body written as real DICOM."""

from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def body(shape=(6, 24, 28)):
    """Hounsfield units [z, y, x]: air, a fat rim, muscle, a bone, and noise."""
    z, y, x = np.indices(shape)
    radius = np.hypot((y - shape[1] / 2) / shape[1], (x - shape[2] / 2) / shape[2])
    units = np.where(radius < 0.42, -100.0, -1000.0)
    units[radius < 0.36] = 50.0
    units[radius < 0.12] = 700.0
    units += np.random.default_rng(7).normal(0, 8, shape) + z
    return np.maximum(np.rint(units), -1024).astype(np.int16)


def ct_series(
    units=None,
    *,
    spacing_mm=(2.0, 1.0, 1.0),
    orientation=AXIAL,
    origin=(-14.0, -12.0, -100.0),
    positions=None,
    intercept=-1024,
    signed=False,
    **tags,
):
    """Datasets of one CT series, one per slice; `tags` are set on each."""
    units = body() if units is None else units
    normal = np.cross(orientation[:3], orientation[3:])
    if positions is None:
        positions = [np.add(origin, index * spacing_mm[0] * normal) for index in range(len(units))]
    series, study = generate_uid(), generate_uid()
    datasets = []
    for index, (image, position) in enumerate(zip(units, positions, strict=True)):
        dataset = _slice(image, intercept, signed)
        dataset.update(
            {
                "StudyInstanceUID": study,
                "SeriesInstanceUID": series,
                "InstanceNumber": index + 1,
                "ImagePositionPatient": [round(float(value), 6) for value in position],
                "ImageOrientationPatient": [round(float(value), 9) for value in orientation],
                "PixelSpacing": list(spacing_mm[1:]),
                "SliceThickness": spacing_mm[0],
            }
        )
        for keyword, value in tags.items():
            setattr(dataset, keyword, value)
        datasets.append(dataset)
    return datasets


def _slice(image, intercept, signed):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.Modality = "CT"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.PatientName = "Doe^Jane"
    dataset.PatientID = "4711"
    dataset.SeriesNumber = 2
    dataset.KVP = 120
    dataset.PatientPosition = "HFS"
    dataset.Rows, dataset.Columns = image.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = int(signed)
    dataset.RescaleIntercept, dataset.RescaleSlope = intercept, 1
    stored = image.astype(np.int32) - intercept
    dataset.PixelData = stored.astype("<i2" if signed else "<u2").tobytes()
    return dataset


def save(datasets: list[Dataset], folder: Path, *, prefix="slice", suffix=".dcm"):
    """Write datasets as files of a folder, in order; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, dataset in enumerate(datasets):
        dataset.save_as(folder / f"{prefix}{index + 1:03d}{suffix}", enforce_file_format=True)
    return folder


def enhanced(datasets):
    """The same series as one Enhanced CT file."""
    from pydicom.uid import EnhancedCTImageStorage

    first = datasets[0]
    whole = FileDataset("", {}, file_meta=FileMetaDataset(), preamble=b"\0" * 128)
    whole.file_meta.update(first.file_meta)
    for element in first:
        if element.keyword not in _PER_FRAME and element.keyword not in _SHARED:
            whole.add(element)
    whole.SOPClassUID = whole.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    whole.NumberOfFrames = len(datasets)
    whole.PixelData = b"".join(dataset.PixelData for dataset in datasets)
    shared = Dataset()
    for sequence, keywords in {
        "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness"),
        "PlaneOrientationSequence": ("ImageOrientationPatient",),
        "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept"),
        "CTXRayDetailsSequence": ("KVP",),
    }.items():
        setattr(shared, sequence, [_part(first, keywords)])
    shared.PixelValueTransformationSequence[0].RescaleType = "HU"
    whole.SharedFunctionalGroupsSequence = [shared]
    whole.PerFrameFunctionalGroupsSequence = [_frame(dataset) for dataset in datasets]
    return whole


_PER_FRAME = ("ImagePositionPatient", "InstanceNumber", "PixelData")
_SHARED = (
    "PixelSpacing",
    "SliceThickness",
    "ImageOrientationPatient",
    "RescaleSlope",
    "RescaleIntercept",
    "KVP",
)


def _part(dataset, keywords):
    part = Dataset()
    for keyword in keywords:
        setattr(part, keyword, getattr(dataset, keyword))
    return part


def _frame(dataset):
    groups = Dataset()
    groups.PlanePositionSequence = [_part(dataset, ("ImagePositionPatient",))]
    return groups
