"""The last touch on a DICOM object: nothing of chance or of the clock stays in it.

One SOP Instance UID must stand for one content for ever (PS3.5 9). Our UIDs are made from the
content, so the same input must give the same bytes, whenever it is written.
"""

import hashlib
from io import BytesIO
from typing import TYPE_CHECKING, Any

from calcinosis import __version__
from calcinosis.write import dicom_codes
from calcinosis.write.dicom_source import SourceImages, derived_uid

if TYPE_CHECKING:
    from pydicom import Dataset

UNSETTLED_UID = "2.25.0"  # stands for both UIDs until the content is known
_NO_DATE, _NO_TIME = "19000101", "000000"


def origin(series_number: int) -> dict[str, Any]:
    """What highdicom is told of every object of ours, until `settled` gives it its UIDs."""
    return {
        "series_instance_uid": UNSETTLED_UID,
        "series_number": series_number,
        "sop_instance_uid": UNSETTLED_UID,
        "instance_number": 1,
        "manufacturer": dicom_codes.MANUFACTURER,
        "manufacturer_model_name": dicom_codes.MODEL,
        "software_versions": __version__,
        "device_serial_number": __version__,
    }


def settled(made: "Dataset", source: SourceImages) -> "Dataset":
    """An object made with `origin`, with the UIDs that follow from its content.

    It is read back from what was written to learn the content: whatever the UIDs do not touch
    stays as bytes, and need not be written out a second time.

    Content Date and Time are required: they are those of the study the content speaks of, or a
    dummy where there are none or none may be told (PS3.15 table E.1-1). The times of creation,
    which are optional, are dropped.
    """
    from pydicom import dcmread

    header = source.headers[0]
    made.ContentDate, made.ContentTime = header.StudyDate or _NO_DATE, header.StudyTime or _NO_TIME
    del made.InstanceCreationDate, made.InstanceCreationTime
    for equipment in made.get("ContributingEquipmentSequence", ()):
        equipment.pop("ContributionDateTime", None)
    if "PatientIdentityRemoved" in header:
        made.LongitudinalTemporalInformationModified = "REMOVED"
    made.CodingSchemeIdentificationSequence = [_own_scheme()]
    for item in _dimensions(made):
        item.DimensionOrganizationUID = UNSETTLED_UID
    written = BytesIO()
    made.save_as(written)
    content = hashlib.sha256(written.getbuffer()).hexdigest()
    written.seek(0)
    final = dcmread(written)
    for item in _dimensions(final):
        item.DimensionOrganizationUID = derived_uid("dimensions", content)
    final.SeriesInstanceUID = derived_uid("result series", content)
    final.SOPInstanceUID = derived_uid("result", content)
    final.file_meta.MediaStorageSOPInstanceUID = final.SOPInstanceUID
    return final


def _dimensions(made: "Dataset") -> "list[Dataset]":
    """The items that name how frames are organised."""
    organised = made.get("DimensionOrganizationSequence", ())
    return [*organised, *made.get("DimensionIndexSequence", ())]


def _own_scheme() -> "Dataset":
    from pydicom import Dataset

    scheme = Dataset()
    scheme.CodingSchemeDesignator = dicom_codes.SCHEME
    scheme.CodingSchemeUID = derived_uid("code system")
    scheme.CodingSchemeName = dicom_codes.MODEL
    return scheme
