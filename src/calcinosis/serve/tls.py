"""TLS for DICOM and pages, both ways: our certificate, and whose certificates we trust."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from calcinosis.errors import InputError


@dataclass(frozen=True)
class Tls:
    """PEM files; what is None is not used.

    Attributes:
        certificate: ours, with its chain; shown to who connects, and to peers that ask for it.
        key: its private key, not encrypted.
        authority: whose certificates of peers are trusted; by default those of the system.
        dicom_clients: authorities; who sends by DICOM must show a certificate from one of them.
        web_clients: the same for who opens the pages.
    """

    certificate: Path | None = None
    key: Path | None = None
    authority: Path | None = None
    dicom_clients: Path | None = None
    web_clients: Path | None = None

    def check(self) -> None:
        """Read all files once, to tell at the start what cannot be used.

        Raises:
            InputError: names the option.
        """
        self._server(self.dicom_clients, "--tls-dicom-clients")
        self._server(self.web_clients, "--tls-web-clients")
        self.client()

    def for_dicom(self) -> ssl.SSLContext | None:
        """For who connects to us by DICOM; None where we have no certificate."""
        return self._server(self.dicom_clients, "--tls-dicom-clients")

    def client(self) -> ssl.SSLContext:
        """For peers that we connect to; their names are checked."""
        if self.authority is None:
            context = ssl.create_default_context()
        else:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            _trust(context, self.authority, "--tls-ca")
        self._show_ours(context)
        return context

    def _server(self, clients: Path | None, option: str) -> ssl.SSLContext | None:
        if (self.certificate is None) != (self.key is None):
            raise InputError("--tls-certificate and --tls-key are given together")
        if self.certificate is None:
            if clients is not None:
                raise InputError(f"{option} needs --tls-certificate and --tls-key")
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._show_ours(context)
        if clients is not None:
            _trust(context, clients, option)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _show_ours(self, context: ssl.SSLContext) -> None:
        if self.certificate is None:
            return
        try:
            # A password given here keeps OpenSSL from asking for one on the terminal.
            context.load_cert_chain(self.certificate, self.key, password="")
        except (OSError, ValueError) as error:  # what ssl raises is an OSError too
            raise InputError(f"--tls-certificate, --tls-key: cannot be used ({error})") from error


def _trust(context: ssl.SSLContext, authorities: Path, option: str) -> None:
    try:
        context.load_verify_locations(authorities)
    except OSError as error:
        raise InputError(f"{option}: cannot be used ({error}); expected PEM") from error
