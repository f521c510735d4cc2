"""How verbs reach a server: the options for TLS, and what they come to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from specroute.edge.client.channel import ClientTls

FAILURE, USAGE_ERROR = 1, 2

Tls = Annotated[bool, typer.Option("--tls", help="Connect with TLS; trust the system's roots.")]
CaFile = Annotated[Path | None, typer.Option("--ca", metavar="FILE", help="Connect with TLS; trust these roots (PEM).")]
CertFile = Annotated[
    Path | None, typer.Option("--cert", metavar="FILE", help="Connect with TLS and this client certificate (PEM).")
]
KeyFile = Annotated[Path | None, typer.Option("--key", metavar="FILE", help="The key of --cert (PEM, no password).")]


def client_tls(
    give_up: Callable[[int, str], NoReturn], *, tls: bool, ca: Path | None, cert: Path | None, key: Path | None
) -> ClientTls | None:
    """Returns what the options ask for; ``None``: plaintext.

    Args:
        give_up: takes an exit code and one line, where the options do not go together or a file cannot be used.
        tls: the options, as given; each file alone asks for TLS, too.
        ca: as above.
        cert: as above.
        key: as above.
    """
    if not tls and ca is None and cert is None and key is None:
        return None
    # Before gRPC is there: it would write a line of its own about a failed handshake.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from specroute.edge.client.channel import ClientTls, TlsFileError, credentials

    try:
        wanted = ClientTls(ca, cert, key)
        credentials(wanted)  # so that a wrong file is found before anything is sent
    except TlsFileError as error:
        give_up(FAILURE, str(error))
    except ValueError as error:
        give_up(USAGE_ERROR, str(error))
    return wanted


def require_serving(give_up: Callable[[int, str], NoReturn], server: str, tls: ClientTls | None) -> None:
    """Gives up in one line where ``server`` (HOST:PORT) does not take requests."""
    from specroute.edge.client.probe import ask_health

    health = ask_health(server, tls=tls)
    if health.status == "NOT_SERVING":
        give_up(FAILURE, f"the server at {server} does not take requests now (it drains); wait, or start another")
    if health.why:
        give_up(FAILURE, health.why)
    if health.status != "SERVING":
        start = "start one with `specroute serve` or give --server HOST:PORT"
        give_up(FAILURE, f"no server answers at {server} ({health.status.lower()}); {start}")
