"""A thigh drawn with numpy and seen by MR: fat, muscle, femur, and a mass of mineral in fluid."""

from dataclasses import replace
from functools import cache

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from calcinosis.phantom.mri import T1, T1_AGENT, T2, T2_FS, Scan, Sequence, acquire
from calcinosis.phantom.mri_tissue import body_of_ct
from calcinosis.volume import Volume

STEP_MM = 2.0
SHAPE = (50, 72, 72)
CENTRE = (24.0, -8.0, 4.0)  # of the mass, LPS mm: beside the femur
RADII_MM = (20.0, 15.0, 15.0)  # along z, y, x
SERIES = (T1, T2, T2_FS, T1_AGENT)


def affine():
    whole = np.eye(4)
    whole[:3, :3] = np.diag([STEP_MM] * 3)[::-1]
    whole[:3, 3] = -whole[:3, :3] @ ((np.array(SHAPE) - 1) / 2)
    return whole


def hounsfield(*, with_mass=True):
    """The thigh on its grid, and where the mass is."""
    at = np.indices(SHAPE)
    x, y, z = np.moveaxis(np.moveaxis(at, 0, -1) @ affine()[:3, :3].T + affine()[:3, 3], -1, 0)
    radius = np.hypot(x, y)
    hu = np.where(radius < 64, -100.0, -1000.0)
    hu[radius < 52] = 50
    hu[radius < 13] = 1200
    hu[radius < 8] = -60
    bone = radius < 13
    away = [(p - c) / r for p, c, r in zip((z, y, x), CENTRE[::-1], RADII_MM, strict=True)]
    mass = (np.sqrt(sum(a**2 for a in away)) < 1) & ~bone & with_mass
    grains = np.sin(x / 3.1) * np.sin(y / 2.7) * np.sin(z / 3.3) > 0.1
    hu[mass] = np.where(grains, 500, 15)[mass]
    return hu.astype(np.int16), mass, bone


@cache
def body(*, with_mass=True):
    hu, mass, bone = hounsfield(with_mass=with_mass)
    return body_of_ct(Volume(hu, affine()), mass=mass, bone=bone, rng=np.random.default_rng(4))


def scanned(sequence, scan=None, *, with_mass=True):
    """One series of the thigh."""
    scan = scan or Scan(slices=20, pixels=(96, 96), pixel_mm=1.4, spacing_mm=4.4)
    return acquire(body(with_mass=with_mass), sequence, scan, np.random.default_rng(1))


def truth_ml():
    return float(hounsfield()[1].sum() * STEP_MM**3 / 1000)


def write_study(folder, sequences=SERIES, scan=None, *, with_mass=True, **tags):
    """The series as DICOM files, one a slice; returns the folder."""
    study, place = generate_uid(), generate_uid()
    for number, sequence in enumerate(sequences, start=1):
        volume = scanned(sequence, scan, with_mass=with_mass)
        write_series(folder / f"s{number}", volume, sequence, number, study, place, **tags)
    return folder


def write_series(folder, volume, sequence: Sequence, number, study, place, **tags):
    folder.mkdir(parents=True)
    series = generate_uid()
    down, across = (
        volume.affine[:3, axis] / np.linalg.norm(volume.affine[:3, axis]) for axis in (1, 2)
    )
    for index, image in enumerate(volume.voxels):
        about = _slice(image, sequence)
        about.StudyInstanceUID, about.SeriesInstanceUID = study, series
        about.SeriesNumber, about.InstanceNumber = number, index + 1
        about.FrameOfReferenceUID = place
        about.ImagePositionPatient = [round(float(v), 5) for v in volume.to_lps([index, 0, 0])]
        about.ImageOrientationPatient = [round(float(v), 8) for v in (*across, *down)]
        about.PixelSpacing = [float(v) for v in volume.spacing_mm[1:]]
        about.SliceThickness, about.SpacingBetweenSlices = 4.0, volume.spacing_mm[0]
        about.PatientPosition = volume.patient_position
        for name, value in tags.items():
            setattr(about, name, value)
        about.save_as(folder / f"{index + 1:03d}.dcm", enforce_file_format=True)


def _slice(image, sequence) -> Dataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MRImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    about = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    about.SOPClassUID, about.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
    about.Modality, about.ImageType = "MR", ["ORIGINAL", "PRIMARY", "M"]
    about.PatientName, about.PatientID = "Plantedname^Ulrike", "PLANTED-4711"
    about.PatientSex, about.PatientAge, about.StudyDate = "F", "060Y", "20240102"
    about.ScanningSequence = "GR" if sequence.flip_deg else "IR" if sequence.inversion_ms else "SE"
    about.SequenceVariant = "SP" if sequence.flip_deg else "SK"
    about.ScanOptions = "FS" if sequence.fat_suppressed else ""
    about.RepetitionTime, about.EchoTime = sequence.repetition_ms, sequence.echo_ms
    if sequence.inversion_ms:
        about.InversionTime = sequence.inversion_ms
    about.FlipAngle = sequence.flip_deg or 90
    if sequence.agent:
        about.ContrastBolusAgent = "Gadobutrol"
    about.Rows, about.Columns = image.shape
    about.SamplesPerPixel, about.PhotometricInterpretation = 1, "MONOCHROME2"
    about.BitsAllocated, about.BitsStored, about.HighBit, about.PixelRepresentation = 16, 16, 15, 0
    about.PixelData = image.astype("<u2").tobytes()
    return about


def enhanced(folder):
    """The files of one series as one Enhanced MR file, written over them; returns it."""
    from pydicom import dcmread
    from pydicom.uid import EnhancedMRImageStorage

    slices = [dcmread(file) for file in sorted(folder.glob("*.dcm"))]
    whole = slices[0].copy()
    whole.SOPClassUID = whole.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    whole.NumberOfFrames = len(slices)
    whole.PixelData = b"".join(one.PixelData for one in slices)
    shared = Dataset()
    shared.PixelMeasuresSequence = [_part(whole, "PixelSpacing", "SliceThickness")]
    shared.PlaneOrientationSequence = [_part(whole, "ImageOrientationPatient")]
    timing, echo = _part(whole, "RepetitionTime", "FlipAngle"), Dataset()
    shared.MRTimingAndRelatedParametersSequence = [timing]
    echo.EffectiveEchoTime = float(whole.EchoTime)
    shared.MREchoSequence = [echo]
    modifier = Dataset()
    modifier.SpectrallySelectedSuppression = "FAT" if whole.ScanOptions else "NONE"
    shared.MRModifierSequence = [modifier]
    whole.EchoPulseSequence, whole.EchoPlanarPulseSequence = "SPIN", "NO"
    whole.SharedFunctionalGroupsSequence = [shared]
    frames = []
    for one in slices:
        groups = Dataset()
        groups.PlanePositionSequence = [_part(one, "ImagePositionPatient")]
        frames.append(groups)
    whole.PerFrameFunctionalGroupsSequence = frames
    for gone in (
        *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"),
        *("RepetitionTime", "EchoTime", "FlipAngle", "ScanningSequence", "ScanOptions"),
    ):
        if gone in whole:
            delattr(whole, gone)
    for file in folder.glob("*.dcm"):
        file.unlink()
    whole.save_as(folder / "whole.dcm", enforce_file_format=True)
    return folder / "whole.dcm"


def _part(whole, *names):
    part = Dataset()
    for name in names:
        setattr(part, name, getattr(whole, name))
    return part


def oblique(scan):
    """Slices turned 25° about the patient's left–right axis."""
    c, s = np.cos(np.radians(25)), np.sin(np.radians(25))
    return replace(scan, orientation=(1.0, 0.0, 0.0, 0.0, c, s))
