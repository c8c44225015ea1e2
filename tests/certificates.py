"""Certificates made for one test: an authority, and what it vouches for."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certified:
    """A certificate and its private key, PEM files."""

    certificate: Path
    key: Path


class Authority:
    """Vouches for others; `file` is what must be trusted."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.file, self.key = folder / f"{name}.pem", folder / f"{name}.key"
        _openssl(
            "req",
            "-x509",
            "-days",
            "2",
            *_NEW,
            f"/CN={name}",
            "-keyout",
            self.key,
            "-out",
            self.file,
        )

    def vouch_for(self, name: str) -> Certified:
        """A certificate for this machine."""
        made = Certified(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        request, extension = self.folder / f"{name}.csr", self.folder / f"{name}.txt"
        extension.write_text("subjectAltName=IP:127.0.0.1")
        _openssl("req", *_NEW, f"/CN={name}", "-keyout", made.key, "-out", request)
        signed_by = "-CA", self.file, "-CAkey", self.key, "-CAcreateserial", "-extfile", extension
        _openssl("x509", "-req", "-days", "2", "-in", request, "-out", made.certificate, *signed_by)
        return made


_NEW = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj")


def _openssl(*words: object) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
