"""The web of the node: which address shows what, who may see it, and the server that runs it.

Every page but login, `/about` and CDS Hooks is behind the token. URLs name studies by their random
ids; nothing in them, in the log or on an error page tells of a patient.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from calcinosis.serve.access import Access
from calcinosis.serve.armour import Armour
from calcinosis.serve.cds_clients import CdsTrust
from calcinosis.serve.cds_hooks import cds_routes
from calcinosis.serve.pages import Pages
from calcinosis.serve.tls import Tls
from calcinosis.serve.worklist import UnknownStudyError, Worklist

if TYPE_CHECKING:
    import uvicorn

MOST_CONNECTIONS = 100


def web_app(
    worklist: Worklist,
    access: Access,
    trust: CdsTrust | None = None,
    admits: Callable[[str], bool] = lambda _: True,
) -> ASGIApp:
    """Pages and CDS Hooks as one ASGI application.

    Args:
        worklist: what is shown.
        access: who may see pages.
        trust: who may ask by CDS Hooks.
        admits: whether an address may connect at all.
    """
    pages = Pages(worklist, access)
    public: list[BaseRoute] = [
        *cds_routes(trust),
        Route("/login", pages.show_login, methods=["GET"]),
        Route("/login", pages.log_in, methods=["POST"]),
        Route("/about/tumoral-calcinosis", pages.show_about),
        Route("/static/{name}", pages.static),
    ]
    gate = Middleware(Gate, access=access)
    app = Starlette(
        routes=[*public, Mount("/", routes=_private(pages), middleware=[gate])],
        exception_handlers={
            HTTPException: pages.show_problem,
            UnknownStudyError: pages.show_unknown,
            FileNotFoundError: pages.show_replaced,
            SQLAlchemyError: pages.show_unwritable,
        },
    )
    return Armour(app, secure=access.secure, admits=admits)


def web_server(
    app: ASGIApp,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    tls: Tls | None = None,
) -> "uvicorn.Server":
    """A server for `web_app`; its `run` serves until `should_exit` is set.

    Args:
        app: what to serve.
        host: address to listen on; this machine alone unless told otherwise.
        port: to listen on.
        tls: our certificate; none for plain HTTP.
    """
    import ssl

    import uvicorn

    tls = tls or Tls()
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            ssl_certfile=tls.certificate,
            ssl_keyfile=tls.key,
            ssl_ca_certs=None if tls.web_clients is None else str(tls.web_clients),
            ssl_cert_reqs=ssl.CERT_NONE if tls.web_clients is None else ssl.CERT_REQUIRED,
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=3,
        )
    )


def _private(pages: Pages) -> list[BaseRoute]:
    study = "/studies/{study}"
    return [
        Route("/", pages.show_worklist),
        Route("/logout", pages.posted(pages.log_out), methods=["POST"]),
        Route(study, pages.show_study),
        Route(f"{study}/report", pages.show_report),
        Route(f"{study}/report.html", pages.show_report),  # as the comparison links it
        Route(f"{study}/follow.html", pages.show_comparison),
        Route(f"{study}/files/{{name}}", pages.download),
        Route(f"{study}/files.zip", pages.download_all),
        Route(f"{study}/labs", pages.posted(pages.enter_labs), methods=["POST"]),
        Route(f"{study}/labs/file", pages.posted(pages.upload_labs), methods=["POST"]),
        Route(f"{study}/labs/clear", pages.posted(pages.clear_labs), methods=["POST"]),
        Route(f"{study}/prescription", pages.posted(pages.enter_prescription), methods=["POST"]),
        Route(
            f"{study}/prescription/file",
            pages.posted(pages.upload_prescription),
            methods=["POST"],
        ),
        Route(f"{study}/seeds", pages.posted(pages.ask_for_mass), methods=["POST"]),
        Route(f"{study}/seeds/remove", pages.posted(pages.take_back), methods=["POST"]),
        Route(f"{study}/analyse", pages.posted(pages.analyse_anew), methods=["POST"]),
        Route(f"{study}/delete", pages.ask_delete, methods=["GET"]),
        Route(f"{study}/delete", pages.posted(pages.delete), methods=["POST"]),
    ]


class Gate:
    """ASGI middleware: lets through who has the token or a session, and nobody else."""

    def __init__(self, app: ASGIApp, *, access: Access) -> None:
        self.app = app
        self.access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope)
        if self.access.knows(request):
            await self.app(scope, receive, send)
            return
        answer: Response = RedirectResponse("/login", status_code=303)
        if request.method != "GET" or "authorization" in request.headers:
            words = "Log in, or send the token as Authorization: Bearer.\n"
            answer = PlainTextResponse(words, 401, {"WWW-Authenticate": "Bearer"})
        await answer(scope, receive, send)
