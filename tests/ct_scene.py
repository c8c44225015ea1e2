"""A small CT series with two bright ellipsoids, written as DICOM in every odd way we claim."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from calcinosis.analysis import Analysis
from calcinosis.measure.mass import (
    BoneRelation,
    Calibration,
    CtMeasurement,
    FluidLevel,
    HounsfieldStatistics,
    Mass,
    OtherCalcification,
    Patch,
    Site,
)
from calcinosis.volume import Study
from calcinosis.write.deliver import write_deliverables

SHAPE = (24, 40, 48)  # slices, rows, columns
AXIAL = ((1, 0, 0), (0, 1, 0))
SAGITTAL = ((0, 1, 0), (0, 0, -1))
_C, _S = np.cos(0.35), np.sin(0.35)
OBLIQUE = ((_C, _S, 0), (-_S, _C, 0))
NAME, IDENTIFIER = "Plantedname^Ulrike", "PLANTED-4711"


def voxels() -> np.ndarray:
    """Soft tissue of 40 HU with two masses; the image is asymmetric in every axis."""
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    hu = np.full(SHAPE, 40, dtype=np.int16)
    hu[((z - 9) / 6) ** 2 + ((y - 13) / 8) ** 2 + ((x - 30) / 11) ** 2 < 1] = 700
    hu[((z - 16) / 4) ** 2 + ((y - 28) / 7) ** 2 + ((x - 12) / 6) ** 2 < 1] = 500
    hu[:, :4] = -100  # fat
    return hu


def write_series(
    folder: Path,
    *,
    axes: tuple = AXIAL,
    step_mm: float = 2.0,
    thickness_mm: float = 2.0,
    shear_mm: float = 0.0,
    backwards: bool = False,
    without: tuple[str, ...] = (),
    empty: tuple[str, ...] = (),
    **header: object,
) -> Path:
    """Write the series; `shear_mm` is the sideways drift per slice of a tilted gantry.

    `header` holds what every image says differently, by keyword.
    """
    folder.mkdir()
    across, down = (np.array(axis, dtype=float) for axis in axes)
    along = np.cross(across, down) * step_mm + down * shear_mm
    series, study, frame = generate_uid(), generate_uid(), generate_uid()
    hu = voxels()
    for index in range(SHAPE[0]):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        image.SOPClassUID = CTImageStorage
        image.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
        image.SeriesInstanceUID, image.StudyInstanceUID = series, study
        image.FrameOfReferenceUID = frame
        image.PatientName, image.PatientID = NAME, IDENTIFIER
        image.PatientBirthDate, image.PatientSex = "19610203", "F"
        image.StudyDate, image.StudyTime = "20250301", "101112"
        image.StudyID, image.AccessionNumber = "7", "A-99"
        image.ReferringPhysicianName = "Plantedname^Doctor"
        image.Modality, image.PatientPosition = "CT", "HFS"
        image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        image.ImagePositionPatient = [round(v, 4) for v in (-30, -20, 100) + along * index]
        image.ImageOrientationPatient = [round(float(v), 6) for v in (*across, *down)]
        image.PixelSpacing, image.SliceThickness = [1.5, 1.25], thickness_mm
        image.SeriesNumber, image.InstanceNumber = 3, index + 1
        image.Rows, image.Columns = SHAPE[1:]
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
        image.PixelRepresentation = 1
        image.RescaleSlope, image.RescaleIntercept = 1, 0
        image.PixelData = hu[index].tobytes()
        for keyword, value in header.items():
            setattr(image, keyword, value)
        for keyword in without:
            if keyword in image:
                del image[keyword]
        for keyword in empty:
            setattr(image, keyword, None)
        place = SHAPE[0] - index if backwards else index
        image.save_as(folder / f"{place:03d}.dcm")
    return folder


LEVEL = FluidLevel((1.5, -2.25, 118.0), 131.5, 7.25, 41.0, 655.0, 1.75, 0.9)
MASS = Mass(
    id=1,
    site=Site("hip", "left", 4.5),
    centroid_lps_mm=(7.5, -0.5, 118.0),
    volume_ml=52.125,
    volume_ci95_ml=(49.0, 55.0),
    calcified_volume_ml=31.5,
    calcium_mass_mg=5012.0,
    calcium_mass_ci95_mg=(4000.0, 6000.0),
    max_diameter_mm=83.25,
    perpendicular_diameter_mm=47.5,
    diameter_ends_lps_mm=((-10.0, 2.0, 110.0), (60.0, 8.0, 154.0)),
    hu=HounsfieldStatistics(402.5, 90.0, 380.0, 910.0),
    locules=7,
    fluid_levels=(LEVEL,),
    sedimentation_sign=True,
    bone=BoneRelation("femur", 0.0, 214.0, 2.75, 0.375, eroded=True),
    skin_distance_mm=12.5,
    confidence=0.875,
    remarks=("The mass touches the edge of the scan <left>.",),
    perpendicular_ends_lps_mm=((20.0, -18.0, 131.0), (24.0, 29.0, 125.0)),
)


def measured(study: Study, *, masses: int = 2) -> CtMeasurement:
    """A measurement of the series: labels by threshold, numbers that differ in every field."""
    labels = np.zeros(study.volume.shape, dtype=np.uint8)
    labels[study.volume.voxels > 600] = 1
    labels[(study.volume.voxels > 300) & (study.volume.voxels <= 600)] = 2
    if study.volume.shape != SHAPE:  # resampled: edges are blurred
        labels[study.volume.voxels > 300] = 1
    labels[labels > masses] = 0
    second = replace(
        MASS,
        id=2,
        site=None,
        volume_ml=8.5,
        fluid_levels=(),
        sedimentation_sign=None,
        bone=BoneRelation(None, None, 0.0, None, None, eroded=None),
        skin_distance_mm=None,
        remarks=(),
        perpendicular_ends_lps_mm=None,
    )
    calibration = Calibration(0.8, 0.15, 120.0, "test")
    kept = (MASS, second)[:masses]
    skeleton = np.zeros(labels.shape, dtype=bool)
    skeleton[:, 34:38, 25:45] = True
    remarks = ("Seen in one scan.",)
    others, places = zip(*OTHERS, strict=True)
    bits = np.packbits(skeleton)
    return CtMeasurement(kept, labels, bits, others, calibration, (), remarks, places)


def _patch(*extents: tuple[int, int]) -> Patch:
    box = tuple(slice(*extent) for extent in extents)
    return Patch(box, np.ones([stop - start for start, stop in extents], dtype=bool))


# The second vessel runs through mass 1 and bone: the mass keeps its voxels, bone gives way.
OTHERS = (
    (OtherCalcification("vascular", 0.1, (0, 0, 0)), _patch((2, 5), (2, 5), (40, 44))),
    (OtherCalcification("vascular", 0.2, (0, 0, 0)), _patch((9, 10), (13, 38), (30, 32))),
    (OtherCalcification("metal", 0.1, (0, 0, 0)), _patch((20, 22), (3, 6), (8, 9))),
)


def enhanced(series: Path, folder: Path, *, files: int = 1) -> Path:
    """The same series as enhanced multi-frame files, every so manieth slice in each."""
    from highdicom.legacy import LegacyConvertedEnhancedCTImage

    images = [dcmread(path) for path in sorted(series.iterdir())]
    folder.mkdir()
    uid = generate_uid()
    for number in range(files):
        LegacyConvertedEnhancedCTImage(
            images[number::files],
            series_instance_uid=uid,
            series_number=4,
            sop_instance_uid=generate_uid(),
            instance_number=number + 1,
        ).save_as(folder / f"enhanced-{number}.dcm")
    return folder


WRITING = ("deidentify", "segments", "seg_type")


def delivered(folder: Path, study: Study, *, masses: int = 2, **options: object) -> Path:
    """What `write_deliverables` leaves of this scene, in a new folder beside the others.

    `options` are what an Analysis holds beside study and measurement, and how it is written.
    """
    out = folder / f"out-{len(list(folder.iterdir()))}"
    out.mkdir()
    how = {key: options.pop(key) for key in WRITING if key in options}
    write_deliverables(out, Analysis(study, measured(study, masses=masses), **options), **how)
    return out
