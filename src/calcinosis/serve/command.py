"""The command `calcinosis serve`: its options."""

from pathlib import Path
from typing import Any

import click

from calcinosis.arguments import FOLDER, PORT, seconds


@click.command(context_settings={"auto_envvar_prefix": "CALCINOSIS_SERVE"})
@click.option("--data", type=FOLDER, default=Path("calcinosis-node"), show_default=True)
@click.option("--database", metavar="URL", help="postgresql://USER@HOST/NAME; else SQLite in DATA.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=PORT, default=11112, show_default=True, help="Of DICOM.")
@click.option("--web-port", type=PORT, default=8080, show_default=True, help="Of the pages.")
@click.option("--ae-title", default="CALCINOSIS", show_default=True)
@click.option(
    "--peer",
    "peers",
    multiple=True,
    metavar="NAME=URL",
    help="Who gets results: dicom://AET@HOST:PORT or https://HOST/PATH (STOW-RS). Repeatable.",
)
@click.option("--allow-ae", multiple=True, metavar="AET", help="Who may send. Repeatable.")
@click.option(
    "--allow-from", multiple=True, metavar="NETWORK", help="From where, 10.1.2.0/24. Repeatable."
)
@click.option("--tls-certificate", type=FOLDER, help="PEM; DICOM and pages then speak TLS alone.")
@click.option("--tls-key", type=FOLDER, help="PEM; its private key.")
@click.option("--tls-ca", type=FOLDER, help="PEM; who vouches for peers, instead of the system's.")
@click.option("--tls-dicom-clients", type=FOLDER, help="PEM; who vouches for those who send.")
@click.option("--tls-web-clients", type=FOLDER, help="PEM; who vouches for those who see pages.")
@click.option("--web-url", metavar="URL", help="Of the pages as others see them, for CDS Hooks.")
@click.option(
    "--cds-client",
    multiple=True,
    metavar="ISSUER=KEYS",
    help="Who may ask by CDS Hooks, and its JWK set: https URL or file. Repeatable; else anyone.",
)
@click.option("--cds-origin", multiple=True, metavar="URL", help="Pages that may ask. Repeatable.")
@click.option(
    "--quiet-seconds",
    callback=seconds,
    default=30.0,
    show_default=True,
    help="Until a study is complete.",
)
@click.option(
    "--time-limit",
    callback=seconds,
    default=1800.0,
    show_default=True,
    help="Of one analysis, seconds.",
)
@click.option(
    "--memory-limit",
    type=click.IntRange(min=1000),
    default=12000,
    show_default=True,
    help="Of one analysis, MB.",
)
@click.option("--dicomweb", metavar="URL", help="Fetch CT studies from there; ?QUERY narrows them.")
@click.option("--deidentify", is_flag=True, help="As in analyze; the worklist names nobody either.")
def serve(
    *,
    peers: tuple[str, ...],
    tls_certificate: Path | None,
    tls_key: Path | None,
    tls_ca: Path | None,
    tls_dicom_clients: Path | None,
    tls_web_clients: Path | None,
    quiet_seconds: float,
    time_limit: float,
    memory_limit: int,
    **settings: Any,  # noqa: ANN401 - as in Settings
) -> None:
    """Run a node that a PACS sends CT studies to, and that sends results back."""
    from calcinosis.serve.node import Settings
    from calcinosis.serve.node import serve as run
    from calcinosis.serve.peers import peer
    from calcinosis.serve.supervisor import Limits
    from calcinosis.serve.tls import Tls

    tls = Tls(tls_certificate, tls_key, tls_ca, tls_dicom_clients, tls_web_clients)
    run(
        Settings(
            **settings,
            peers=tuple(peer(text, tls) for text in peers),
            tls=tls,
            limits=Limits(quiet_seconds, time_limit, memory_limit),
        )
    )
