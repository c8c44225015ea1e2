"""TLS both ways, with certificates asked for: nobody gets in, or gets a result, without his own."""

import http.server
import json
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager
from urllib.error import URLError
from urllib.request import urlopen

import pydicom
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from calcinosis.errors import InputError
from calcinosis.serve import dicom_node
from calcinosis.serve.dicom_node import Admission
from calcinosis.serve.peers import DeliveryError, peer
from calcinosis.serve.tls import Tls
from calcinosis.serve.web import web_server
from calcinosis.serve.worklist import open_worklist
from certificates import Authority
from dcmtk import program, storescu
from dicom_series import ct_series, save
from orthanc import free_port


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def ours(authority):
    return authority.vouch_for("node")


@pytest.fixture(scope="module")
def theirs(authority):
    return authority.vouch_for("peer")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """Vouched for by somebody whom nobody here knows."""
    return Authority(tmp_path_factory.mktemp("elsewhere"), "elsewhere").vouch_for("stranger")


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return save(ct_series()[:1], tmp_path_factory.mktemp("result")) / "slice001.dcm"


def test_who_sends_must_show_a_certificate_where_that_is_asked(
    tmp_path, authority, ours, theirs, stranger, result
):
    worklist = open_worklist(tmp_path / "data")
    tls = Tls(ours.certificate, ours.key, dicom_clients=authority.file).for_dicom()
    server = dicom_node.start(
        worklist, ("127.0.0.1", 0), "CALCINOSIS", Admission(tls=tls), spare_bytes=0
    )
    port, trusts = server.server_address[1], ("+cf", authority.file)
    try:
        assert storescu(port, result.parent, "+tla", *trusts).returncode != 0
        known = "+tls", stranger.key, stranger.certificate, *trusts
        assert storescu(port, result.parent, *known).returncode != 0
        assert worklist.studies() == []
        known = "+tls", theirs.key, theirs.certificate, *trusts
        assert storescu(port, result.parent, *known).returncode == 0
        assert len(worklist.studies()) == 1
    finally:
        server.shutdown()
        worklist.engine.dispose()


@contextmanager
def pages(tls):
    """A page of one word, served as the node serves its pages; its port."""
    app = Starlette(routes=[Route("/", lambda _: PlainTextResponse("inside"))])
    port = free_port()
    server = web_server(app, port=port, tls=tls)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield port
    server.should_exit = True
    thread.join()


def visit(port, authority, shown=None):
    context = ssl.create_default_context(cafile=authority.file)
    if shown is not None:
        context.load_cert_chain(shown.certificate, shown.key)
    with urlopen(f"https://127.0.0.1:{port}/", context=context, timeout=20) as answer:
        return answer.read()


def test_who_opens_the_pages_must_show_one_where_that_is_asked(authority, ours, theirs, stranger):
    with pages(Tls(ours.certificate, ours.key)) as port:
        assert visit(port, authority) == b"inside"
    with pages(Tls(ours.certificate, ours.key, web_clients=authority.file)) as port:
        for shown in (None, stranger):
            with pytest.raises((URLError, ssl.SSLError, ConnectionError)):
                visit(port, authority, shown)
        assert visit(port, authority, theirs) == b"inside"


@contextmanager
def storescp(folder, authority, certified):
    """dcmtk's receiver, which asks for a certificate."""
    folder.mkdir()
    port = free_port()
    listens = "+tls", certified.key, certified.certificate, "+cf", authority.file, "-rc"
    command = [program("storescp"), "-od", folder, *listens, str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    yield port
    process.kill()
    process.wait()


def test_a_dicom_peer_gets_results_by_tls_once_both_trust_each_other(
    tmp_path, authority, ours, theirs, stranger, result
):
    with storescp(tmp_path / "received", authority, theirs) as port:
        url = f"pacs=dicoms://PACS@127.0.0.1:{port}"
        refused = (
            Tls(ours.certificate, ours.key),  # whose authority is not the system's
            Tls(authority=authority.file),  # shows nothing
            Tls(stranger.certificate, stranger.key, authority.file),
        )
        for tls in refused:
            with pytest.raises(DeliveryError, match=r"trust the other's|broke off"):
                peer(url, tls).send(result, "CALCINOSIS")
        assert not list((tmp_path / "received").iterdir())
        peer(url, Tls(ours.certificate, ours.key, authority.file)).send(result, "CALCINOSIS")
        [received] = (tmp_path / "received").iterdir()
    assert pydicom.dcmread(received).PixelData == pydicom.dcmread(result).PixelData


class TakesAll(http.server.BaseHTTPRequestHandler):
    """Answers STOW-RS as a server that stored what it got."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        stored = {"00081155": {"vr": "UI", "Value": [self.server.sop_instance_uid]}}
        body = json.dumps({"00081199": {"vr": "SQ", "Value": [stored]}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/dicom+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_a_web_peer_gets_results_by_https_once_both_trust_each_other(
    authority, ours, theirs, result
):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.file)
    context.load_cert_chain(theirs.certificate, theirs.key)
    context.verify_mode = ssl.CERT_REQUIRED
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), TakesAll) as server:
        server.sop_instance_uid = str(pydicom.dcmread(result).SOPInstanceUID)
        server.handle_error = lambda *_: None
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"pacs=https://127.0.0.1:{server.server_port}/dicom-web"
        for tls in (Tls(), Tls(authority=authority.file)):
            with pytest.raises(DeliveryError, match=r"trust the other's|cannot be reached"):
                peer(url, tls).send(result, "CALCINOSIS")
        peer(url, Tls(ours.certificate, ours.key, authority.file)).send(result, "CALCINOSIS")
        server.shutdown()


def test_what_cannot_be_used_is_told_by_the_name_of_its_option(tmp_path, authority, ours):
    empty = tmp_path / "empty.pem"
    empty.touch()
    for tls, told in (
        (Tls(certificate=ours.certificate), "--tls-certificate and --tls-key"),
        (Tls(empty, ours.key), "--tls-certificate, --tls-key: cannot be used"),
        (Tls(authority=empty), "--tls-ca: cannot be used"),
        (Tls(dicom_clients=authority.file), "--tls-dicom-clients needs"),
        (Tls(ours.certificate, ours.key, web_clients=empty), "--tls-web-clients: cannot be used"),
    ):
        with pytest.raises(InputError, match=told):
            tls.check()
