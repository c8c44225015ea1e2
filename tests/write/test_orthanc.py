"""What is delivered goes into a real archive and comes back the same."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicomweb_client import DICOMwebClient
from pynetdicom import AE

from calcinosis.analysis import Analysis
from calcinosis.read.study import read_study
from calcinosis.write.deliver import write_deliverables
from ct_scene import measured, write_series


@pytest.fixture(scope="module", params=["bitmap", "labelmap"])
def files(request, tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("sent")
    study = read_study(write_series(folder / "ct"))
    out = folder / "out"
    out.mkdir()
    write_deliverables(
        out, Analysis(study, measured(study)), segments="all", seg_type=request.param
    )
    return sorted(out.glob("*.dcm"))


def send(files: list[Path], server) -> None:
    """C-STORE, each object in its own transfer syntax."""
    objects = [pydicom.dcmread(path) for path in files]
    sender = AE("CALCINOSIS")
    for one in objects:
        sender.add_requested_context(one.SOPClassUID, one.file_meta.TransferSyntaxUID)
    association = sender.associate("127.0.0.1", server.dicom_port, ae_title=server.ae_title)
    assert association.is_established
    try:
        assert [association.send_c_store(one).Status for one in objects] == [0x0000] * len(objects)
    finally:
        association.release()


def post(files: list[Path], server) -> None:
    """STOW-RS; the archive's own list of failures counts, not the HTTP status."""
    client = DICOMwebClient(server.dicomweb_url)
    answer = client.store_instances([pydicom.dcmread(path) for path in files])
    assert len(answer.get("FailedSOPSequence", [])) == 0
    assert len(answer.ReferencedSOPSequence) == len(files)


@pytest.mark.parametrize("deliver", [send, post])
def test_archive_returns_what_it_was_sent(deliver, files, orthanc):
    client = DICOMwebClient(orthanc.dicomweb_url)
    deliver(files, orthanc)
    for path in files:
        sent = pydicom.dcmread(path)
        known = client.search_for_instances(
            sent.StudyInstanceUID, search_filters={"SOPInstanceUID": sent.SOPInstanceUID}
        )
        assert [one["0020000D"]["Value"][0] for one in known] == [sent.StudyInstanceUID]
        back = client.retrieve_instance(
            sent.StudyInstanceUID,
            sent.SeriesInstanceUID,
            sent.SOPInstanceUID,
            media_types=(("application/dicom", "*"),),
        )
        assert back == sent
        if "PixelData" in sent:
            assert np.array_equal(back.pixel_array, sent.pixel_array)


def test_sending_again_stores_nothing_twice(files, orthanc):
    client = DICOMwebClient(orthanc.dicomweb_url)
    for deliver in (send, post, send):
        deliver(files, orthanc)
    study = pydicom.dcmread(files[0]).StudyInstanceUID
    assert len(client.search_for_instances(study)) == len(files)
