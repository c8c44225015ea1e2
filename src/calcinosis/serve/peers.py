"""Those to whom results go: a DICOM node by C-STORE, a DICOMweb server by STOW-RS.

NAME=dicom://AET@HOST:PORT        dicoms:// with TLS
NAME=https://HOST/PATH            http:// too; USER:PASSWORD@HOST where it asks for them
"""

import re
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from calcinosis.errors import CalcinosisError, InputError
from calcinosis.serve.tls import Tls

if TYPE_CHECKING:
    from dicomweb_client import DICOMwebClient
    from pydicom import FileDataset

WAIT_S = 60.0
_ALREADY_THERE = 0x0111  # duplicate SOP instance, PS3.7 C.4.2: what we want is so
_WARNING = 0xB  # first digit of the status of what was stored, though not quite as sent
_NOT_TAKEN = "the peer takes no instances of this kind"
_FORM = "NAME=dicom://AET@HOST:PORT or NAME=https://HOST/PATH"


class DeliveryError(CalcinosisError):
    """A peer did not take a result; the line says why, without patient data."""


@dataclass(frozen=True)
class Peer:
    """One receiver of results.

    Attributes:
        name: as in the worklist and in logs.
        url: with passwords, so it is told nowhere.
        tls: whom to trust, and who we are, where the URL asks for TLS.
    """

    name: str
    url: SplitResult = field(repr=False)
    tls: Tls = field(default_factory=Tls)

    def send(self, file: Path, ae_title: str) -> None:
        """Send one DICOM file; it has arrived when this returns.

        Args:
            file: a SEG or SR.
            ae_title: ours.

        Raises:
            DeliveryError: it has not.
            InputError: a certificate of ours cannot be read.
        """
        if self.url.scheme.startswith("dicom"):
            _c_store(self, file, ae_title)
        else:
            _stow(self, file)


def peer(text: str, tls: Tls | None = None) -> Peer:
    """Read a peer as given on the command line.

    Raises:
        InputError: it has not the form of one.
    """
    name, _, address = text.partition("=")
    try:
        url = urlsplit(address)
        port = url.port
    except ValueError:
        url, port = urlsplit(""), None
    dicom = url.scheme in ("dicom", "dicoms") and port and 0 < len(url.username or "") <= 16
    web = url.scheme in ("http", "https")
    if not (re.fullmatch(r"[\w.-]{1,64}", name) and url.hostname and (dicom or web)):
        raise InputError(f"--peer {name[:64]!r} cannot be read; expected {_FORM}")
    return Peer(name, url, tls or Tls())


def web_client(url: SplitResult, tls: Tls) -> "DICOMwebClient":
    """A DICOMweb client that tries once; trying again is for the outbox."""
    from dicomweb_client import DICOMwebClient
    from requests import Session

    session = Session()
    trusted = True if tls.authority is None else str(tls.authority)
    session.request = partial(session.request, timeout=WAIT_S, verify=trusted)  # type: ignore[method-assign]
    if tls.certificate and tls.key:
        session.cert = str(tls.certificate), str(tls.key)
    if url.username:
        session.auth = (unquote(url.username), unquote(url.password or ""))
    place = url.netloc.rpartition("@")[2]
    client = DICOMwebClient(f"{url.scheme}://{place}{url.path.rstrip('/')}", session=session)
    client.set_http_retry_params(retry=False)
    return client


def _read(file: Path) -> "FileDataset":
    import pydicom

    try:
        return pydicom.dcmread(file)
    except FileNotFoundError:
        raise
    except Exception as error:  # whatever a damaged disk does to a parser
        raise DeliveryError("the file is damaged; analyse the study anew") from error


def _c_store(to: Peer, file: Path, ae_title: str) -> None:
    from pynetdicom import AE

    url, host = to.url, str(to.url.hostname)
    dataset = _read(file)
    entity = AE(ae_title)
    entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = WAIT_S
    entity.network_timeout = WAIT_S
    entity.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
    tls = (to.tls.client(), host) if url.scheme == "dicoms" else None
    association = entity.associate(
        host, int(url.port or 104), ae_title=unquote(url.username or ""), tls_args=tls
    )
    if not association.is_established:
        if association.is_rejected:
            raise DeliveryError("the peer rejected our association")
        if association.rejected_contexts:  # it answered, but for none of what we asked
            raise DeliveryError(_NOT_TAKEN)
        secured = ", or one of us does not trust the other's certificate" if tls else ""
        raise DeliveryError(f"the peer cannot be reached{secured}")
    try:
        status = association.send_c_store(dataset).get("Status")
    except (ValueError, RuntimeError) as error:
        raise DeliveryError(_NOT_TAKEN) from error
    finally:
        association.release()
    if status is None:
        raise DeliveryError("the peer broke off")
    if status not in (0, _ALREADY_THERE) and status >> 12 != _WARNING:
        raise DeliveryError(f"the peer answered with status {status:04X}")


def _stow(to: Peer, file: Path) -> None:
    from requests import RequestException
    from requests.exceptions import SSLError

    dataset = _read(file)
    try:
        answer = web_client(to.url, to.tls).store_instances([dataset])
    except SSLError as error:
        raise DeliveryError("one of us does not trust the other's certificate") from error
    except RequestException as error:
        answered = getattr(error.response, "status_code", None)
        how = f"answered with HTTP status {answered}" if answered else "cannot be reached"
        raise DeliveryError(f"the peer {how}") from error
    except Exception as error:  # whatever a peer's answer may do to a parser
        raise DeliveryError("the peer's answer cannot be read") from error
    for failed in answer.get("FailedSOPSequence") or ():
        reason = int(failed.get("FailureReason") or 0)
        if reason != _ALREADY_THERE:
            raise DeliveryError(f"the peer refused it with reason {reason:04X}")
    stored = [
        str(one.get("ReferencedSOPInstanceUID"))
        for one in answer.get("ReferencedSOPSequence") or ()
    ]
    if not answer.get("FailedSOPSequence") and str(dataset.SOPInstanceUID) not in stored:
        raise DeliveryError("the peer does not say that it stored it")
