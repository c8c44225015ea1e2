"""DICOM Segmentation of the mass on MRI, on the slices along which it was outlined."""

import warnings
from typing import TYPE_CHECKING

import numpy as np

from calcinosis import __version__
from calcinosis.explain.mri import MriReading
from calcinosis.volume import Volume
from calcinosis.write import dicom_codes
from calcinosis.write.dicom_source import labels_on_sources, source_slices
from calcinosis.write.report.numbers import colour
from calcinosis.write.seg import outlined

if TYPE_CHECKING:
    from highdicom.seg import SegmentDescription
    from pydicom import Dataset


def mri_segmentation(reading: MriReading, *, deidentify: bool = False) -> "Dataset | None":
    """The outline on every slice of the series it was drawn along; None where it meets none.

    Each pixel takes what the even voxel it lies in was told, so on slices further apart than these
    voxels the segment's own volume is rougher than the one in `mri.json`.

    Args:
        reading: the files of its series must still be there.
        deidentify: say nowhere who the patient is; UIDs are mapped.
    """
    source = source_slices(reading.choice.main.stack.planes, deidentify=deidentify)
    if source is None:
        return None
    mask = reading.mass.mask.astype(np.uint8)
    even = Volume(mask.astype(np.int16), reading.mass.block.affine, modality="MR")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they would print the patient's name
        return outlined(
            source,
            labels_on_sources(mask, even, source),
            [_description()],
            label="MASS",
            title="Mass on MRI",
        )


def _description() -> "SegmentDescription":
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentDescription
    from pydicom.sr.codedict import codes

    category, kind = dicom_codes.segment_codes("lump")
    return SegmentDescription(
        segment_number=1,
        segment_label="Mass",
        segmented_property_category=category,
        segmented_property_type=kind,
        algorithm_type="SEMIAUTOMATIC",
        algorithm_identification=AlgorithmIdentificationSequence(
            name=dicom_codes.MODEL, version=__version__, family=codes.DCM.ArtificialIntelligence
        ),
        anatomic_regions=[dicom_codes.sct(dicom_codes.region(None))],
        display_color=CIELabColor.from_string(colour(1)),
    )
