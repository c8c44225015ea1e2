"""From a received file to a place in the store and a line in the worklist."""

from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any

from sqlalchemy import Connection, case, select, update

from calcinosis.errors import NotReadableError
from calcinosis.read.dicom import CT_IMAGES, one_line
from calcinosis.serve.database import insert_once, instances, studies
from calcinosis.serve.store import opaque
from calcinosis.serve.worklist import Worklist

LONGEST_UID = 64
_WANTED_TAGS = ["StudyInstanceUID", "SOPInstanceUID", "SOPClassUID"]
_IDENTITY_TAGS = ["PatientName", "PatientID", "StudyDate", "SpecificCharacterSet"]


@dataclass(frozen=True)
class Received:
    """What the worklist must know of an instance.

    Attributes:
        image: whether it is a CT image; others are kept, but give no reason to measure anew.
    """

    study_instance_uid: str
    sop_instance_uid: str
    patient_name: str
    patient_id: str
    study_date: str
    image: bool


def header_of(file: Path) -> Received:
    """Read from a received file what the worklist must know.

    Raises:
        NotReadableError: it is no DICOM file, or says not to which study it belongs.
    """
    import pydicom

    tags: list[Any] = [*_WANTED_TAGS, *_IDENTITY_TAGS]
    try:
        header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=tags)
        texts = {tag: _text(header.get(tag)) for tag in tags}
    except Exception as error:  # a parser of foreign bytes may raise anything
        raise NotReadableError(f"the DICOM header cannot be read ({one_line(error)})") from error
    for tag in _WANTED_TAGS[:2]:
        if not (texts[tag].isascii() and texts[tag].isprintable() and _fits(texts[tag])):
            raise NotReadableError(f"{tag} is not 1 to {LONGEST_UID} ASCII characters")
    date = texts.get("StudyDate", "")
    return Received(
        texts["StudyInstanceUID"],
        texts["SOPInstanceUID"],
        texts.get("PatientName", "")[:200],
        texts.get("PatientID", "")[:200],
        date if len(date) == 8 and date.isdigit() else "",
        texts["SOPClassUID"] in CT_IMAGES,
    )


def take_in(worklist: Worklist, file: Path, received: Received) -> tuple[str, bool]:
    """Move a complete file into the store and note it; once it returns, nothing is lost.

    An instance that is already there is left as it is: the same SOP Instance UID is the same
    instance. A CT image that is new makes its study wait for more, then be measured.

    Returns:
        The id of the study, and whether the instance was new.
    """
    with worklist.engine.begin() as connection:
        study = _study(connection, received)
        new = insert_once(
            connection,
            instances,
            {"study": study, "sop_instance_uid": received.sop_instance_uid},
        )
        if new:
            connection.execute(
                update(studies).where(studies.c.id == study).values(_changes(received))
            )
            worklist.store.move_in(file, study, received.sop_instance_uid)
    return study, new


def _text(value: object) -> str:
    """As any database takes it."""
    text = str(value or "").replace("\0", "").strip()
    return text.encode("utf-8", "replace").decode("utf-8")


def _fits(uid: str) -> bool:
    return 0 < len(uid) <= LONGEST_UID


def _changes(received: Received) -> dict[str, Any]:
    counted: dict[str, Any] = {"instances": studies.c.instances + 1}
    if not received.image:
        return counted
    return counted | {
        "received_at": time(),
        "wanted": "measure",
        "state": case((studies.c.state == "analysing", "analysing"), else_="receiving"),
        "attempts": 0,
        "not_before": 0.0,
        "error": None,
    }


def _study(connection: Connection, received: Received) -> str:
    """The id of the study, made where it is new."""
    insert_once(
        connection,
        studies,
        {
            "id": opaque(),
            "study_instance_uid": received.study_instance_uid,
            "patient_name": received.patient_name,
            "patient_id": received.patient_id,
            "study_date": received.study_date,
            "received_at": time(),
            "state": "receiving",
            "wanted": "measure",
        },
    )
    known = studies.c.study_instance_uid == received.study_instance_uid
    return str(connection.execute(select(studies.c.id).where(known).with_for_update()).scalar_one())
