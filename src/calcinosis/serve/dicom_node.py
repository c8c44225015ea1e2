"""The node on the DICOM network: answers C-ECHO, takes in studies by C-STORE.

Built on pynetdicom, with what a node at a hospital's network needs beyond it: data goes to disk
while it arrives, a full disk is answered instead of ending the association, and who may connect,
for how long and with how much is limited before anything is read.
"""

import logging
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from pynetdicom import AE, AllStoragePresentationContexts, _config, dimse_messages, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer
from sqlalchemy.exc import SQLAlchemyError

from calcinosis.errors import InputError, NotReadableError
from calcinosis.serve.intake import header_of, take_in
from calcinosis.serve.spool import SPARE_BYTES, Spool
from calcinosis.serve.worklist import Worklist
from calcinosis.write.deidentified_copy import deidentify_file

if TYPE_CHECKING:
    from pynetdicom.events import Event

LOG = logging.getLogger(__name__)
SUCCESS, OUT_OF_RESOURCES, CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xC000  # PS3.4 B.2.3
MOST_ASSOCIATIONS = 100
IDLE_S = 60.0  # a peer that sends nothing for so long is let go
LARGEST_PDU = 1 << 17  # what we ask for, bytes
LONGEST_PDU = 1 << 20  # what we bear: an association request may be longer than any data
Network = IPv4Network | IPv6Network

# A deflated dataset may hold a thousand times its size: it is not offered.
TRANSFER_SYNTAXES = [
    "1.2.840.10008.1.2.1",  # Explicit VR Little Endian
    "1.2.840.10008.1.2",  # Implicit VR Little Endian
    "1.2.840.10008.1.2.2",  # Explicit VR Big Endian
    "1.2.840.10008.1.2.4.50",  # JPEG Baseline
    "1.2.840.10008.1.2.4.51",  # JPEG Extended
    "1.2.840.10008.1.2.4.57",  # JPEG Lossless
    "1.2.840.10008.1.2.4.70",  # JPEG Lossless SV1
    "1.2.840.10008.1.2.4.80",  # JPEG-LS Lossless
    "1.2.840.10008.1.2.4.81",  # JPEG-LS Near-lossless
    "1.2.840.10008.1.2.4.90",  # JPEG 2000 Lossless
    "1.2.840.10008.1.2.4.91",  # JPEG 2000
    "1.2.840.10008.1.2.4.201",  # HTJ2K Lossless
    "1.2.840.10008.1.2.4.202",  # HTJ2K Lossless RPCL
    "1.2.840.10008.1.2.4.203",  # HTJ2K
    "1.2.840.10008.1.2.5",  # RLE Lossless
]


@dataclass(frozen=True)
class Admission:
    """Who may connect, and how.

    Attributes:
        ae_titles: calling AE titles; any where empty.
        networks: source addresses; any where empty.
        tls: for encrypted associations, or None.
    """

    ae_titles: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    tls: ssl.SSLContext | None = None

    def admits(self, address: str) -> bool:
        """Whether a peer may connect from an address; from what is none it may not."""
        if not self.networks:
            return True
        try:
            source = ip_address(address.split("%", maxsplit=1)[0])
        except ValueError:  # what a proxy forwards may be any text
            return False
        mapped = getattr(source, "ipv4_mapped", None)
        return any((mapped or source) in one for one in self.networks)


def start(
    worklist: Worklist,
    address: tuple[str, int],
    ae_title: str,
    admission: Admission,
    *,
    deidentify: bool = False,
    spare_bytes: int = SPARE_BYTES,
) -> "Server":
    """Listen in threads of its own, until `shutdown` is called on what is returned.

    Args:
        worklist: where studies go.
        address: host and port; port 0 takes a free one, told by ``server_address``.
        ae_title: ours.
        admission: who may connect.
        deidentify: keep nothing that tells of the patient, from the moment an instance is complete.
        spare_bytes: of the disk, never to be filled.

    Raises:
        InputError: the address cannot be listened on.
    """
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)  # it quotes datasets
    _config.LOG_HANDLER_LEVEL = "none"
    _config.STORE_RECV_CHUNKED_DATASET = True
    # pynetdicom has no hook for where a dataset goes that is being received.
    spool = partial(Spool, worklist.store.incoming, spare_bytes)
    dimse_messages.NamedTemporaryFile = lambda **_: spool()  # type: ignore[attr-defined,assignment]
    entity = AE(ae_title)
    entity.maximum_associations = MOST_ASSOCIATIONS
    entity.maximum_pdu_size = LARGEST_PDU
    entity.network_timeout = entity.dimse_timeout = entity.acse_timeout = IDLE_S
    entity.require_calling_aet = list(admission.ae_titles)
    entity.add_supported_context(Verification, TRANSFER_SYNTAXES[:2])
    for context in AllStoragePresentationContexts:
        entity.add_supported_context(str(context.abstract_syntax), TRANSFER_SYNTAXES)
    desk = Desk(worklist, deidentify)
    handlers: list[Any] = [
        (evt.EVT_C_STORE, desk.store),
        (evt.EVT_ACCEPTED, desk.accepted),
        (evt.EVT_REJECTED, desk.rejected),
        (evt.EVT_CONN_CLOSE, desk.closed),
    ]
    try:
        server = Server(
            entity, address, ae_title, entity.supported_contexts, admission.tls, handlers, Handler
        )
    except OSError as error:
        raise InputError(
            f"cannot listen on {address[0]} port {address[1]} ({error.strerror or error})"
        ) from error
    server.admission = admission
    entity._servers.append(server)  # noqa: SLF001 - where `shutdown` takes it from
    threading.Thread(target=server.serve_forever, name="dicom", daemon=True).start()
    return server


class Desk:
    """Takes in what arrives, and says so once per association."""

    def __init__(self, worklist: Worklist, deidentify: bool) -> None:
        self._worklist = worklist
        self._deidentify = deidentify
        # Weak: an association may be closed before its last instance is answered.
        self._counts: WeakKeyDictionary[Association, Counter[str]] = WeakKeyDictionary()

    def store(self, event: "Event") -> int:
        """Answer one C-STORE: success only once the instance is safe."""
        try:
            file = event.request._dataset_file.complete()  # type: ignore[union-attr]  # noqa: SLF001 - our own spool
            if self._deidentify:
                deidentify_file(file)
            _, new = take_in(self._worklist, file, header_of(file))
        except NotReadableError:
            return self._answer(event, "not readable", CANNOT_UNDERSTAND)
        except (OSError, SQLAlchemyError):
            return self._answer(
                event, "refused, the disk or the worklist takes nothing", OUT_OF_RESOURCES
            )
        return self._answer(event, "new" if new else "known", SUCCESS)

    def accepted(self, event: "Event") -> None:
        """Begin to count."""
        self._counts[event.assoc] = Counter()

    def rejected(self, event: "Event") -> None:
        """Say who was turned away."""
        LOG.warning("association from %s rejected", event.assoc.requestor.address)

    def closed(self, event: "Event") -> None:
        """Say what came."""
        counts = self._counts.pop(event.assoc, None)
        if counts:
            told = ", ".join(f"{count} {what}" for what, count in counts.items())
            LOG.info("association from %s: %s", event.assoc.requestor.address, told)

    def _answer(self, event: "Event", what: str, status: int) -> int:
        self._counts.setdefault(event.assoc, Counter())[what] += 1
        return status


class Handler(RequestHandler):
    """Begins an association whose peer can neither flood the memory nor wait for ever."""

    def _create_association(self) -> Association:
        association = super()._create_association()
        transport = association.dul.socket
        assert transport is not None  # noqa: S101 - just set
        # Each association asks for news in a loop; many of them take turns, or nobody gets any.
        association.dul._run_loop_delay *= 1 + len(self.server.active_associations)  # noqa: SLF001 - no other way
        transport.recv = _bounded(transport.recv)  # type: ignore[assignment]
        return association


def _bounded(receive: Callable[[int], bytearray]) -> Callable[[int], bytearray]:
    def receive_bounded(nr_bytes: int) -> bytearray:
        if nr_bytes > LONGEST_PDU:
            raise OSError(f"a PDU of {nr_bytes} bytes; expected at most {LONGEST_PDU}")
        return receive(nr_bytes)

    return receive_bounded


class Server(ThreadedAssociationServer):
    """Lets in whom `admission` admits."""

    daemon_threads = True
    request_queue_size = 128
    admission = Admission()

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ANN401, ARG002 - as socketserver has it
        """Turn away a stranger, or anyone when there are too many, before reading anything."""
        if not self.admission.admits(client_address[0]):
            LOG.warning("connection from %s refused: address not allowed", client_address[0])
            return False
        if len(self.active_associations) >= 2 * MOST_ASSOCIATIONS:
            LOG.warning("connection from %s refused: too many", client_address[0])
            return False
        return True

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept; the TLS handshake waits for a thread, so that nobody holds up the others."""
        connection, address = self.socket.accept()  # type: ignore[union-attr]
        connection.settimeout(IDLE_S)
        if self.ssl_context:
            connection = self.ssl_context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def finish_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as socketserver has it
        """Shake hands where TLS is used, then begin the association."""
        if isinstance(request, ssl.SSLSocket):
            request.do_handshake()
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002 - as socketserver has it
        """Say in one line that a connection came to nothing."""
        LOG.warning("connection from %s failed", client_address[0])
