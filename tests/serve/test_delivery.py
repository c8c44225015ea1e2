"""Results reach a real archive once, and are fetched from one, whatever happens in between."""

import http.server
import threading
from urllib.parse import urlsplit

import pytest
from pydicom.uid import CTImageStorage, SegmentationStorage
from pynetdicom import AE
from requests import HTTPError
from sqlalchemy import update

from calcinosis.errors import InputError
from calcinosis.serve import delivery, pull
from calcinosis.serve.database import deliveries
from calcinosis.serve.delivery import Outbox
from calcinosis.serve.intake import Received, take_in
from calcinosis.serve.peers import DeliveryError, peer, web_client
from calcinosis.serve.pull import Source, source_url
from calcinosis.serve.queue import ResultFile, claim, finish, queue_quiet
from calcinosis.serve.tls import Tls
from calcinosis.serve.worklist import open_worklist
from dcmtk import storescu
from dicom_series import ct_series, save
from orthanc import free_port

FILE = "masses.seg.dcm"


@pytest.fixture
def worklist(tmp_path):
    made = open_worklist(tmp_path / "data")
    yield made
    made.engine.dispose()


def finished(worklist, peers):
    """A study with one result file, any small DICOM; done as often as called."""
    result = ct_series(PatientName="PLANTED^NAME")[0]
    result.StudyInstanceUID, result.SOPInstanceUID = "1.2.3", "1.2.3.4"
    result.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    file = worklist.store.incoming / "received"
    file.write_bytes(b"")
    study, new = take_in(worklist, file, Received("1.2.3", "1.2.3.1", "", "", "", image=True))
    if not new:
        worklist.rerun(study)
    queue_quiet(worklist, 0)
    held = claim(worklist)
    folder = worklist.store.results(study, held.run)
    folder.mkdir(parents=True)
    result.save_as(folder / FILE, enforce_file_format=True)
    finish(worklist, held, [ResultFile(FILE, "1.2.3.4")], peers)
    return study


def outbox(worklist, *texts):
    peers = [peer(text) for text in texts]
    return Outbox(worklist, {one.name: one for one in peers}, "CALCINOSIS")


def at_once(worklist):
    """Wait no longer."""
    with worklist.engine.begin() as connection:
        connection.execute(update(deliveries).values(not_before=0.0))


@pytest.mark.parametrize("way", ["dicom", "web"])
def test_a_result_reaches_the_archive_once(worklist, orthanc, way):
    url = (
        f"dicom://ORTHANC@127.0.0.1:{orthanc.dicom_port}"
        if way == "dicom"
        else (orthanc.dicomweb_url)
    )
    sender = outbox(worklist, f"archive={url}")
    study = finished(worklist, ("archive",))
    assert sender.step()
    [sent] = worklist.study(study).deliveries
    assert (sent.peer, sent.error, sent.attempts) == ("archive", None, 1)
    assert sent.delivered_at is not None
    assert b"1.2.3" in orthanc._ask("GET", "/studies?expand")
    finished(worklist, ("archive",))
    at_once(worklist)
    assert not sender.step(), "the same result is not sent twice"


def test_a_peer_that_is_down_gets_it_when_it_is_up(worklist, orthanc):
    port = free_port()
    study = finished(worklist, ("archive",))
    assert outbox(worklist, f"archive=dicom://ORTHANC@127.0.0.1:{port}").step()
    [sent] = worklist.study(study).deliveries
    assert (sent.error, sent.delivered_at) == ("the peer cannot be reached", None)
    up = outbox(worklist, f"archive=dicom://ORTHANC@127.0.0.1:{orthanc.dicom_port}")
    assert not up.step(), "not before the time has come"
    at_once(worklist)
    assert up.step()
    [sent] = worklist.study(study).deliveries
    assert (sent.error, sent.attempts) == (None, 2)


def test_a_delivery_cut_off_by_a_kill_is_made_again(worklist, orthanc, monkeypatch):
    finished(worklist, ("archive",))
    sender = outbox(worklist, f"archive=dicom://ORTHANC@127.0.0.1:{orthanc.dicom_port}")
    monkeypatch.setattr(delivery, "LEASE_S", 0.0)
    assert sender._take() is not None
    assert sender.step(), "whoever took it is gone"
    assert not sender.step()


REFUSED = b"""{"00081198": {"vr": "SQ", "Value": [{
  "00081150": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.2"]},
  "00081155": {"vr": "UI", "Value": ["1.2.3.4"]},
  "00081197": {"vr": "US", "Value": [42752]}}]}}"""


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [(200, REFUSED, "refused it with reason A700"), (200, b"{}", "stored"), (503, b"", "503")],
)
def test_an_answer_that_only_looks_like_success_is_none(tmp_path, status, body, said):
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Type", "application/dicom+json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    result = ct_series()[0]
    result.SOPInstanceUID = result.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    file = save([result], tmp_path / "result") / "slice001.dcm"
    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(DeliveryError, match=said):
            peer(f"pacs=http://127.0.0.1:{server.server_port}/dicom-web").send(file, "CALCINOSIS")
        server.shutdown()


@pytest.mark.parametrize(
    "text",
    [
        "pacs",
        "pacs=ftp://host",
        "pacs=dicom://host:104",
        "pacs=dicom://AET@host",
        "a b=https://host",
    ],
)
def test_a_peer_that_cannot_be_read_is_refused(text):
    with pytest.raises(InputError, match="expected NAME=dicom"):
        peer(text)


def test_a_password_is_shown_nowhere():
    assert "secret" not in repr(peer("pacs=https://me:secret@host/dicom-web"))


def test_studies_are_fetched_from_an_archive_once(worklist, orthanc, tmp_path):
    sent = save(ct_series(StudyDate="20260103"), tmp_path / "sent")
    assert storescu(orthanc.dicom_port, sent, "-aec", "ORTHANC").returncode == 0
    pull = Source(worklist, source_url(f"{orthanc.dicomweb_url}?StudyDate=20260101-"))
    assert pull.fetch(threading.Event()) == 6
    [entry] = worklist.studies()
    assert (entry.instances, entry.state) == (6, "receiving")
    assert pull.fetch(threading.Event()) == 0
    other = Source(worklist, source_url(f"{orthanc.dicomweb_url}?StudyDate=20270101-"))
    assert other.fetch(threading.Event()) == 0
    assert urlsplit(orthanc.dicomweb_url).path
    assert list(worklist.store.incoming.iterdir()) == []


def test_a_certificate_of_ours_that_cannot_be_read_stops_nothing(worklist, tmp_path):
    tls = Tls(certificate=tmp_path / "renewed.pem", key=tmp_path / "renewed.key")
    sender = Outbox(worklist, {"pacs": peer("pacs=dicoms://P@127.0.0.1:9", tls)}, "CALCINOSIS")
    study = finished(worklist, ("pacs",))
    assert sender.step()
    [sent] = worklist.study(study).deliveries
    assert "--tls-certificate" in sent.error
    assert sent.delivered_at is None


@pytest.mark.parametrize("url", ["dicom://P@127.0.0.1:9", "http://127.0.0.1:9/dicom-web"])
def test_a_damaged_result_stops_nothing(worklist, url):
    study = finished(worklist, ("pacs",))
    (worklist.results_folder(study) / FILE).write_bytes(b"")  # as a power cut may leave it
    assert outbox(worklist, f"pacs={url}").step()
    [sent] = worklist.study(study).deliveries
    assert "damaged" in sent.error


def test_a_peer_that_takes_no_segmentation_says_so(tmp_path):
    result = ct_series()[0]
    result.SOPClassUID = result.file_meta.MediaStorageSOPClassUID = SegmentationStorage
    file = save([result], tmp_path / "result") / "slice001.dcm"
    entity = AE("P")
    entity.add_supported_context(CTImageStorage)
    server = entity.start_server(("127.0.0.1", 0), block=False)
    with pytest.raises(DeliveryError, match="takes no instances of this kind"):
        peer(f"pacs=dicom://P@127.0.0.1:{server.server_address[1]}").send(file, "CALCINOSIS")
    server.shutdown()


def test_a_web_address_may_be_of_version_6():
    client = web_client(peer("pacs=http://u:p@[::1]:8042/dicom-web/").url, Tls())
    assert client.base_url == "http://[::1]:8042/dicom-web"


class Archive:
    """A DICOMweb server that tells two instances at once, and has lost one."""

    def __init__(self, images, failure):
        self.images, self.failure = images, failure

    def search_for_studies(self, *, search_filters, offset):
        assert search_filters["ModalitiesInStudy"] == "CT"
        return self._told("0020000D", ["1.1", self.images[0].StudyInstanceUID], offset)

    def search_for_series(self, study, *, search_filters, offset):
        assert search_filters == {"Modality": "CT"}
        return self._told("0020000E", [f"{study}.1"], offset)

    def search_for_instances(self, study, series, *, offset):
        assert series == f"{study}.1"
        lost = study == "1.1"
        return self._told("00080018", ["1.1.1"] if lost else self._kept(), offset)

    def retrieve_instance(self, _study, _series, instance):
        if instance == "1.1.1":
            raise self.failure
        return self.images[self._kept().index(instance)]

    def _kept(self):
        return [image.SOPInstanceUID for image in self.images]

    def _told(self, tag, uids, offset):
        return [{tag: {"vr": "UI", "Value": [uid]}} for uid in uids[offset : offset + 2]]


@pytest.mark.parametrize("failure", [HTTPError("404"), KeyError("00080005")])
def test_an_instance_that_cannot_be_had_holds_up_no_other(worklist, monkeypatch, failure):
    monkeypatch.setattr(pull, "web_client", lambda *_: Archive(ct_series(), failure))
    source = Source(worklist, source_url("http://archive/dicom-web"))
    assert source.fetch(threading.Event()) == 6
    [entry] = worklist.studies()
    assert entry.instances == 6
    assert list(worklist.store.incoming.iterdir()) == []


def test_an_answer_that_cannot_be_understood_ends_nothing(worklist, monkeypatch):
    stop = threading.Event()

    def answer(*_):
        stop.set()
        raise IndexError

    monkeypatch.setattr(pull, "web_client", answer)
    Source(worklist, source_url("http://archive/dicom-web")).run(stop)
