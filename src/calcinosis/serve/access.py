"""Who may see the pages: one token, sessions made from it, and a mark on every form.

Nothing is kept: a session cookie carries its own end and a keyed hash (HMAC-SHA256, the key derived
from the token); a form's mark is the hash of its visitor's cookie. A new token ends all sessions.
"""

import hmac
import os
import secrets
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from time import time

from starlette.requests import Request

from calcinosis.errors import InputError, OutputError

SHORTEST_TOKEN = 20  # characters; those made here have 43
SESSION_S = 12 * 3600
TOKEN_VARIABLE = "CALCINOSIS_TOKEN"  # noqa: S105 - the name of it
_TOKEN_FILE = "token"  # noqa: S105 - likewise


@dataclass(frozen=True)
class Access:
    """Checks tokens, session cookies and form marks.

    Attributes:
        token: what people type in and programs send as ``Authorization: Bearer``.
        secure: whether the pages are served by TLS; cookies are then sent by TLS alone.
    """

    token: str
    secure: bool = False

    @property
    def cookie(self) -> str:
        """The cookie's name; browsers bind ``__Host-`` to this host and TLS."""
        return "__Host-calcinosis" if self.secure else "calcinosis"

    def is_token(self, given: str) -> bool:
        """Whether it is the token."""
        return hmac.compare_digest(given.encode(), self.token.encode())

    def visit(self) -> str:
        """A cookie for somebody not yet known, so that the login form can bear a mark."""
        return f"visit.{secrets.token_urlsafe(16)}"

    def session(self) -> str:
        """A cookie for somebody who gave the token."""
        told = f"{int(time()) + SESSION_S}.{secrets.token_urlsafe(16)}"
        return f"{told}.{self._hash('session', told)}"

    def is_session(self, cookie: str) -> bool:
        """Whether a cookie is a session of this token that has not ended."""
        told, _, mark = cookie.rpartition(".")
        end = told.partition(".")[0]
        if not hmac.compare_digest(mark.encode(), self._hash("session", told).encode()):
            return False
        return end.isdigit() and int(end) > time()

    def form_mark(self, cookie: str) -> str:
        """What a form carries, so that no other site can post it."""
        return self._hash("form", cookie)

    def is_form_mark(self, cookie: str, given: str) -> bool:
        """Whether a form was made for the visitor with this cookie."""
        return hmac.compare_digest(given.encode(), self.form_mark(cookie).encode())

    def knows(self, request: Request) -> bool:
        """Whether a request comes from somebody with the token or a session."""
        return self.bears_token(request) or self.is_session(request.cookies.get(self.cookie, ""))

    def bears_token(self, request: Request) -> bool:
        """Whether a program sent the token; no browser does so by itself, so no mark is needed."""
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        return kind.lower() == "bearer" and self.is_token(given.strip())

    def _hash(self, purpose: str, text: str) -> str:
        key = sha256(f"calcinosis {purpose} {self.token}".encode()).digest()
        return hmac.new(key, text.encode(), sha256).hexdigest()


def given_token() -> str | None:
    """The token from ``CALCINOSIS_TOKEN``, if it is set.

    Raises:
        InputError: it is shorter than 20 characters, or not printable ASCII.
    """
    given = os.environ.get(TOKEN_VARIABLE)
    return None if given is None else _checked(given.strip(), TOKEN_VARIABLE)


def access_token(folder: Path) -> tuple[str, Path | None]:
    """The token from ``CALCINOSIS_TOKEN``, else from ``folder/token``, made there at first.

    Args:
        folder: of the node, exists.

    Returns:
        The token, and the file where it was made just now, which the user is to be told once.

    Raises:
        InputError: a token shorter than 20 characters.
        OutputError: the file cannot be read or written.
    """
    given = given_token()
    if given is not None:
        return given, None
    file = folder / _TOKEN_FILE
    try:
        if file.exists():
            return _checked(file.read_text(encoding="utf-8").strip(), str(file.name)), None
        token = secrets.token_urlsafe(32)
        fresh = file.with_name(f".{_TOKEN_FILE}")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as opened:
            opened.write(token + "\n")
        fresh.rename(file)
    except OSError as error:
        raise OutputError(f"the token file cannot be used ({error.strerror})") from error
    return token, file


def _checked(token: str, where: str) -> str:
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable():
        raise InputError(
            f"{where}: the token has {len(token)} characters; expected {SHORTEST_TOKEN} or more, "
            "printable ASCII"
        )
    return token
