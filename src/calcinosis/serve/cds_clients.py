"""Which record systems may ask by CDS Hooks: each signs a JSON Web Token, as the standard has it.

Checked are the signature (ES384 or RS384) by a key of the client's own JWK set, and the claims iss,
aud, exp, iat and jti. A token counts once.
"""

import json
import logging
import re
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from time import monotonic, time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from calcinosis.errors import CalcinosisError, InputError
from calcinosis.serve.tls import Tls

if TYPE_CHECKING:
    from jwt import PyJWK

LOG = logging.getLogger(__name__)
ALGORITHMS = ["ES384", "RS384"]
CLAIMS = ["iss", "aud", "exp", "iat", "jti"]
LEEWAY_S = 60.0  # between two clocks
LONGEST_LIFE_S = 3600.0  # ours: a token is made for one request, and is remembered until it ends
FRESH_S = 300.0  # a key that was withdrawn is believed no longer than this
AGAIN_S = 10.0  # between readings where a key is not found
WAIT_S = 10.0


class UntrustedError(CalcinosisError):
    """The request does not come from a client we know: HTTP 401."""


@dataclass
class CdsClient:
    """One record system.

    Attributes:
        issuer: its name, the claim ``iss``.
        keys: its JWK set, an https URL or a file.
        tls: whom to trust at that URL.
    """

    issuer: str
    keys: str
    tls: Tls = field(default_factory=Tls)
    _found: "dict[str, PyJWK]" = field(default_factory=dict, repr=False)
    _read_at: float = field(default=float("-inf"), repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def key(self, key_id: str) -> "PyJWK":
        """The key of this id; the set is read again where it is old or lacks the key.

        Raises:
            UntrustedError: there is none, or the set cannot be read.
        """
        with self._lock:  # who asks while the set is being read waits for it
            age = monotonic() - self._read_at
            if age > (AGAIN_S if key_id not in self._found else FRESH_S):
                self._read()
            if key_id not in self._found:
                raise UntrustedError(f"kid: not among the keys of {self.issuer}")
            return self._found[key_id]

    def _read(self) -> None:
        import requests
        from jwt import PyJWKSet, PyJWTError

        self._read_at = monotonic()
        try:
            if self.keys.startswith("https:"):
                trusted = True if self.tls.authority is None else str(self.tls.authority)
                answer = requests.get(self.keys, timeout=WAIT_S, verify=trusted)
                answer.raise_for_status()
                data = answer.json()
            else:
                data = json.loads(Path(self.keys).read_text(encoding="utf-8"))
            read = PyJWKSet.from_dict(data).keys
        except (OSError, ValueError, AttributeError, PyJWTError) as error:
            self._found = {}
            LOG.warning("the keys of %s cannot be read (%s)", self.issuer, type(error).__name__)
            raise UntrustedError(f"the keys of {self.issuer} cannot be read") from error
        self._found = {key.key_id: key for key in read if key.key_id}


@dataclass
class CdsTrust:
    """Who may ask, from where, under which address.

    Attributes:
        web_url: of this server as others see it, without a slash at the end; None to take what
            the request says.
        clients: those whose tokens count; without any, no token is asked for.
        origins: of web pages that may ask from a browser.
    """

    web_url: str | None = None
    clients: tuple[CdsClient, ...] = ()
    origins: tuple[str, ...] = ()
    _seen: dict[tuple[str, str], float] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def check(self, authorization: str, path: str) -> None:
        """Let pass a request to `path` with this Authorization header.

        Raises:
            UntrustedError: says what is wrong with the token.
        """
        if not self.clients:
            return
        kind, _, token = authorization.partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            raise UntrustedError("no token; expected Authorization: Bearer and a JWT")
        claims = self._claims(token.strip(), f"{self.web_url}{path}")
        self._remember((claims["iss"], claims["jti"]), float(claims["exp"]))

    def _claims(self, token: str, audience: str) -> dict[str, Any]:
        import jwt

        try:
            header = jwt.get_unverified_header(token)
            stated = jwt.decode(token, options={"verify_signature": False})
            client = self._client(stated.get("iss"), header.get("jku"))
            claims: dict[str, Any] = jwt.decode(
                token,
                client.key(str(header.get("kid"))).key,
                algorithms=ALGORITHMS,
                audience=audience,
                issuer=client.issuer,
                leeway=LEEWAY_S,
                options={"require": CLAIMS},
            )
            life_s = int(claims["exp"]) - int(claims["iat"])
        except (jwt.PyJWTError, TypeError, ValueError) as error:
            raise UntrustedError(f"the token does not hold ({type(error).__name__})") from error
        if life_s > LONGEST_LIFE_S:
            raise UntrustedError(f"exp: later than {LONGEST_LIFE_S:.0f} s after iat")
        return claims

    def _client(self, issuer: object, key_url: object) -> CdsClient:
        for client in self.clients:
            if client.issuer == issuer:
                if key_url not in (None, client.keys) and client.keys.startswith("https:"):
                    raise UntrustedError(f"jku: not the one known of {client.issuer}")
                return client
        raise UntrustedError("iss: not a client known here")

    def _remember(self, token: tuple[str, str], end: float) -> None:
        now = time() - LEEWAY_S
        with self._lock:
            for one in [one for one, ended in self._seen.items() if ended < now]:
                del self._seen[one]
            if token in self._seen:
                raise UntrustedError("jti: this token has been used")
            self._seen[token] = end


def cds_trust(
    web_url: str | None, clients: tuple[str, ...], origins: tuple[str, ...], tls: Tls
) -> CdsTrust:
    """Read ``--web-url``, ``--cds-client`` and ``--cds-origin``.

    Raises:
        InputError: one has not its form, or the first is missing where it is needed.
    """
    if web_url is not None and not _is_web(web_url):
        raise InputError("--web-url cannot be read; expected https://HOST or https://HOST/PATH")
    for origin in origins:
        if not _is_web(origin) or urlsplit(origin).path:
            raise InputError("--cds-origin cannot be read; expected https://HOST")
    if clients and web_url is None:
        raise InputError("--cds-client needs --web-url: tokens name the address they are meant for")
    known = tuple(_client(text, tls) for text in clients)
    return CdsTrust(web_url and web_url.rstrip("/"), known, origins)


def _is_web(url: str) -> bool:
    return bool(re.fullmatch(r"https?://[\w.:\[\]-]+(/[\w./~-]*)?", url))


def _client(text: str, tls: Tls) -> CdsClient:
    issuer, _, keys = text.partition("=")
    if not issuer or not (keys.startswith("https://") or Path(keys).is_file()):
        raise InputError(
            "--cds-client cannot be read; expected ISSUER=https://HOST/jwks.json or ISSUER=FILE"
        )
    return CdsClient(issuer, keys, tls)
