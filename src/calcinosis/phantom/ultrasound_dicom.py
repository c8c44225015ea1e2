"""A drawn ultrasound picture as machines leave it: a screen with a header strip, in DICOM."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from calcinosis.phantom.ultrasound import Sonograph

if TYPE_CHECKING:
    from pydicom import Dataset

STRIP_ROWS = 40  # above the picture, where machines write who the patient is
NAME = "Plantedname^Ulrike"
Colours = Literal["MONOCHROME2", "RGB", "YBR_FULL", "PALETTE COLOR"]


def on_screen(drawn: Sonograph) -> NDArray[np.uint8]:
    """The picture under a strip with the patient's name, as `write_ultrasound` stores it."""
    from PIL import Image, ImageDraw

    rows, columns = drawn.grey.shape
    screen = Image.new("L", (columns, rows + STRIP_ROWS))
    screen.paste(Image.fromarray(drawn.grey), (0, STRIP_ROWS))
    ImageDraw.Draw(screen).text((8, 12), NAME, fill=255)
    return np.asarray(screen)


def write_ultrasound(
    path: Path,
    drawn: Sonograph,
    *,
    colours: Colours = "MONOCHROME2",
    calibrated: bool = True,
    quality: int | None = None,
    **tags: Any,  # noqa: ANN401 - values of DICOM elements
) -> Path:
    """Write a picture as a DICOM file.

    Args:
        path: where.
        drawn: the picture.
        colours: how grey is stored.
        calibrated: with the region's physical size.
        quality: of JPEG, which loses some; None: uncompressed.
        tags: other elements by keyword; None leaves one out.

    Returns:
        The path.
    """
    screen = on_screen(drawn)
    if quality is not None:
        screen = _through_jpeg(screen, quality)
    about = _header(screen.shape, lossy=quality is not None)
    about.SequenceOfUltrasoundRegions = [_region(drawn, calibrated=calibrated)]
    about.PhotometricInterpretation = colours
    stored = screen
    if colours in ("RGB", "YBR_FULL"):
        chroma = screen if colours == "RGB" else np.full_like(screen, 128)
        stored = np.stack([screen, chroma, chroma], axis=-1)
        about.SamplesPerPixel, about.PlanarConfiguration = 3, 0
    elif colours == "PALETTE COLOR":
        table = np.arange(256, dtype=np.uint16) * 257
        for name in ("Red", "Green", "Blue"):
            setattr(about, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
            setattr(about, f"{name}PaletteColorLookupTableData", table.tobytes())
    about.PixelData = stored.tobytes()
    for name, value in tags.items():
        if value is None:
            delattr(about, name)
        else:
            setattr(about, name, value)
    about.save_as(path, enforce_file_format=True)
    return path


def _through_jpeg(screen: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(screen).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def _header(shape: tuple[int, ...], *, lossy: bool) -> "Dataset":
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage, generate_uid

    about = Dataset()
    about.file_meta = FileMetaDataset()
    about.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    about.SOPClassUID = about.file_meta.MediaStorageSOPClassUID = UltrasoundImageStorage
    about.SOPInstanceUID = about.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    about.StudyInstanceUID, about.SeriesInstanceUID = generate_uid(), generate_uid()
    about.Modality, about.ImageType = "US", ["ORIGINAL", "PRIMARY", "SMALL PARTS"]
    about.PatientName, about.PatientID = NAME, "PLANTED-4711"
    about.PatientSex, about.PatientAge, about.StudyDate = "F", "060Y", "20240102"
    about.Rows, about.Columns = shape
    about.SamplesPerPixel, about.PixelRepresentation = 1, 0
    about.BitsAllocated, about.BitsStored, about.HighBit = 8, 8, 7
    if lossy:
        about.LossyImageCompression = "01"
    return about


def _region(drawn: Sonograph, *, calibrated: bool) -> "Dataset":
    from pydicom.dataset import Dataset

    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 2
    rows, columns = drawn.grey.shape
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 0, STRIP_ROWS
    region.RegionLocationMaxX1 = columns - 1
    region.RegionLocationMaxY1 = rows + STRIP_ROWS - 1
    unit = 3 if calibrated else 0
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = unit
    region.PhysicalDeltaX = region.PhysicalDeltaY = drawn.pixel_mm / 10 if calibrated else 0.0
    return region
