"""The whole node in one process: network, worker, outbox, source and pages, until it is stopped."""

import logging
import signal
import socket
import sys
import threading
import warnings
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

from calcinosis.errors import InputError
from calcinosis.serve import dicom_node
from calcinosis.serve.access import Access, access_token, given_token
from calcinosis.serve.cds_clients import CdsTrust, cds_trust
from calcinosis.serve.delivery import Outbox
from calcinosis.serve.dicom_node import Admission
from calcinosis.serve.peers import Peer
from calcinosis.serve.pull import Source, source_url
from calcinosis.serve.supervisor import Limits, Supervisor
from calcinosis.serve.tls import Tls
from calcinosis.serve.worklist import Worklist, open_worklist

if TYPE_CHECKING:
    import uvicorn

LOG = logging.getLogger(__name__)
STOP_S = 10.0  # for threads to end


@dataclass(frozen=True)
class Settings:
    """What `calcinosis serve` was asked for; see docs/serve.md."""

    data: Path
    database: str | None = None
    host: str = "127.0.0.1"
    port: int = 11112
    web_port: int = 8080
    ae_title: str = "CALCINOSIS"
    peers: tuple[Peer, ...] = ()
    allow_ae: tuple[str, ...] = ()
    allow_from: tuple[str, ...] = ()
    tls: Tls = field(default_factory=Tls)
    limits: Limits = field(default_factory=Limits)
    deidentify: bool = False
    dicomweb: str | None = None
    web_url: str | None = None
    cds_client: tuple[str, ...] = ()
    cds_origin: tuple[str, ...] = ()


def serve(settings: Settings) -> None:
    """Run the node until SIGINT or SIGTERM.

    Raises:
        InputError: a setting that cannot be used.
        OutputError: the folder for data cannot be used.
    """
    admission = _admission(settings)
    names = {peer.name: peer for peer in settings.peers}
    if len(names) < len(settings.peers):
        raise InputError("--peer: two peers have the same name")
    trust = cds_trust(settings.web_url, settings.cds_client, settings.cds_origin, settings.tls)
    url = source_url(settings.dicomweb) if settings.dicomweb else None
    given_token()
    # All of it before anything is made: a node that cannot start leaves nothing behind.
    listener = _listener(settings.host, settings.web_port)
    _listener(settings.host, settings.port).close()
    worklist = open_worklist(settings.data, settings.database)
    jobs = [
        Supervisor(worklist, settings.limits, tuple(names), settings.deidentify).run,
        Outbox(worklist, names, settings.ae_title).run,
    ]
    if url:
        jobs.append(Source(worklist, url, settings.deidentify, settings.tls).run)
    _speak_plainly()
    # Made before anything runs: a node without pages must not start.
    pages = _pages(worklist, settings, trust, admission)
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    network = dicom_node.start(
        worklist,
        (settings.host, settings.port),
        settings.ae_title,
        admission,
        deidentify=settings.deidentify,
    )
    threads = [Thread(target=job, args=[stop]) for job in jobs]
    for thread in threads:
        thread.start()
    LOG.info("%s listens on %s port %d", settings.ae_title, settings.host, settings.port)
    LOG.info("pages on %s port %d", *listener.getsockname()[:2])
    pages.run(sockets=[listener])  # in the main thread; returns at SIGINT or SIGTERM
    stop.set()
    network.shutdown()
    for thread in threads:
        thread.join(STOP_S)
    LOG.info("stopped")


def _pages(
    worklist: Worklist, settings: Settings, trust: CdsTrust, admission: Admission
) -> "uvicorn.Server":
    """The server of the web pages, ready to run."""
    from calcinosis.serve.web import web_app, web_server

    token, made = access_token(worklist.store.folder)
    if made is not None:
        LOG.info("the token for the pages is in %s", made)
    access = Access(token, secure=settings.tls.certificate is not None)
    app = web_app(worklist, access, trust, admission.admits)
    return web_server(app, host=settings.host, port=settings.web_port, tls=settings.tls)


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        why = str(error.strerror or error).partition(" (while")[0]  # Python repeats the address
        raise InputError(f"cannot listen on {host} port {port} ({why})") from error


def _admission(settings: Settings) -> Admission:
    """Who may connect.

    Raises:
        InputError: an address or certificate cannot be used, or the node would be open to all.
    """
    try:
        networks = tuple(ip_network(text, strict=False) for text in settings.allow_from)
    except ValueError as error:
        raise InputError(f"--allow-from cannot be read ({error}); expected 10.1.2.0/24") from error
    try:
        loopback = ip_address(settings.host).is_loopback
    except ValueError:
        loopback = settings.host == "localhost"
    if not loopback and not networks:
        raise InputError(
            f"listening on {settings.host} needs --allow-from: the addresses that may connect "
            "(0.0.0.0/0 for all)"
        )
    if not all(0 < len(title) <= 16 for title in (settings.ae_title, *settings.allow_ae)):
        raise InputError("an AE title has 1 to 16 characters")
    settings.tls.check()
    return Admission(settings.allow_ae, networks, settings.tls.for_dicom())


def _speak_plainly() -> None:
    """One line per event, ours alone: libraries and tracebacks quote the patient."""
    ours = logging.getLogger("calcinosis")
    ours.setLevel(logging.INFO)
    ours.propagate = False
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    ours.addHandler(handler)
    logging.lastResort = None
    for name in ("pydicom", "pynetdicom", "dicomweb_client", "uvicorn"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    warnings.simplefilter("ignore")

    def tell(trouble: threading.ExceptHookArgs) -> None:
        LOG.error("a thread ended (%s)", trouble.exc_type.__name__)

    threading.excepthook = tell
