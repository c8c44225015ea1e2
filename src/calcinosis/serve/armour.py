"""What stands around every answer: headers, a limit on what is sent, and silence about patients."""

import logging
import traceback
from collections.abc import Callable
from pathlib import PurePath

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("calcinosis.web")

MAX_BODY_BYTES = 8_000_000  # ours: a long record as FHIR, and far below what memory bears

# Pages: everything from this server alone, no inline style or script.
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# Reports bring their styles and pictures with them and need nothing else; sandboxed, they are of
# no origin: even a script smuggled in could not run, nor reach cookies or pages.
REPORT_POLICY = (
    "sandbox allow-popups; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "content-security-policy": PAGE_POLICY,
}


class Armour:
    """ASGI middleware, the outermost: turns strangers away, adds headers, counts bytes.

    It keeps defects out of the log too: their messages may quote what was sent, so the log gets
    type and place alone.
    """

    def __init__(self, app: ASGIApp, *, secure: bool, admits: Callable[[str], bool]) -> None:
        self.app = app
        self.admits = admits
        self.headers = dict(_HEADERS)
        if secure:
            self.headers["strict-transport-security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                given = {name.lower() for name, _ in message["headers"]}
                message["headers"] += [
                    (name.encode(), value.encode())
                    for name, value in self.headers.items()
                    if name.encode() not in given
                ]
            await send(message)

        client = scope.get("client")
        if client is not None and not self.admits(client[0]):
            log.warning("request from %s refused: address not allowed", client[0])
            await PlainTextResponse("This address is not allowed.\n", 403)(scope, receive, guarded)
            return
        try:
            await self.app(scope, _counted(receive), guarded)
        except Exception as error:  # noqa: BLE001 - the last place where anything can be caught
            log.error("%s in %s", type(error).__name__, _place(error))  # noqa: TRY400 - see above
            if not started:
                words = PlainTextResponse("A defect of ours; the log says where.\n", 500)
                await words(scope, receive, guarded)


def _counted(receive: Receive) -> Receive:
    """The same, until more than the limit has come."""
    count = 0

    async def next_message() -> Message:
        nonlocal count
        message = await receive()
        count += len(message.get("body", b""))
        if count > MAX_BODY_BYTES:
            raise HTTPException(413, f"More than {MAX_BODY_BYTES // 1_000_000} MB were sent.")
        return message

    return next_message


def _place(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{PurePath(last.filename).name}:{last.lineno}"
