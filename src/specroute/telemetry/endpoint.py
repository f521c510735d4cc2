"""Where Prometheus scrapes: ``GET /metrics`` over HTTP, in threads of its own."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from prometheus_client import start_http_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from wsgiref.simple_server import WSGIServer

    from prometheus_client import CollectorRegistry

STOP_POLL_S = 0.02


@contextmanager
def serving_metrics(registry: CollectorRegistry, host: str, port: int) -> Iterator[int]:
    """Serves the series of ``registry`` for the length of the block and gives the port.

    Raises:
        OSError: the address cannot be bound.
    """
    try:
        server, _ = start_http_server(port, host, registry)
    except OSError as error:
        raise OSError(
            f"cannot listen on {host}:{port} for metrics; end what listens there, or change the port"
        ) from error
    try:
        yield server.server_port
    finally:
        _stop(server, host)


def _stop(server: WSGIServer, host: str) -> None:
    # The server looks twice a second whether it should stop, and after every connection: so it gets one.
    stopping = threading.Thread(target=server.shutdown, daemon=True)
    stopping.start()
    while stopping.is_alive():
        with suppress(OSError), socket.create_connection((host, server.server_port), timeout=STOP_POLL_S):
            stopping.join(STOP_POLL_S)
    server.server_close()
