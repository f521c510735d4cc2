"""The gRPC server: options, health, reflection, and how it stops without losing a request.

Drain order: health says NOT_SERVING, the load balancers get time to notice, new requests still being served; then the
listener closes and what runs may finish. ``server.stop`` does not wait for handlers that ended by an abort (grpc
issue 37239), so the requests in flight are counted here.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from specroute.edge.servicer import SERVICE

if TYPE_CHECKING:
    from collections.abc import Callable

    from specroute.edge.servicer import RouterServicer

MESSAGE_OVERHEAD_BYTES = 16 << 20
"""Room in a message beside the prompt: schemas, tools, labels. Larger prompts get our own error, not gRPC's."""

JOIN_POLL_S = 0.01
LAST_REPLIES_S = 0.25
"""How long the replies of the last requests may take to leave the machine before streams are ended."""

GRPC_LOG = logging.getLogger("grpc._cython.cygrpc")


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files of the server; ``client_ca_file``: clients must be signed by it."""

    cert_file: str
    key_file: str
    client_ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class DrainTimes:
    """How the server stops, in seconds: still serving for ``delay_s``, then ``grace_s`` to finish."""

    delay_s: float
    grace_s: float


def server_options(max_prompt_bytes: int) -> list[tuple[str, int]]:
    """Returns the channel arguments, each against a measured failure.

    Callers are silent while a model thinks, so keep-alive pings without data are allowed (the default answers the third
    with GOAWAY); an unbounded number of streams lets one peer starve the others by rapid resets (CVE-2023-44487).
    """
    message_bytes = max_prompt_bytes + MESSAGE_OVERHEAD_BYTES
    return [
        ("grpc.max_receive_message_length", message_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_concurrent_streams", 256),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
        ("grpc.so_reuseport", 0),
    ]


class RouterServer:
    """One listening gRPC server."""

    def __init__(self, servicer: RouterServicer, in_flight: Callable[[], int], *, max_prompt_bytes: int) -> None:
        GRPC_LOG.addFilter(_is_news)
        self._in_flight = in_flight
        self._health = health.aio.HealthServicer()
        self._server = grpc.aio.server(options=server_options(max_prompt_bytes))
        self._server.add_generic_rpc_handlers((servicer.handler(),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)

    async def start(self, host: str, port: int, tls: TlsFiles | None = None) -> int:
        """Binds, starts to serve and returns the port.

        Raises:
            OSError: the address cannot be bound.
        """
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            if tls is None:
                bound = self._server.add_insecure_port(address)
            else:
                bound = self._server.add_secure_port(address, _credentials(tls))
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address}; end what listens there, or change the port") from error
        await self._server.start()
        for name in ("", SERVICE):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return int(bound)

    async def drain(self, times: DrainTimes) -> None:
        """Stops: not ready at once, then no new requests, then waits for those in flight."""
        await self._health.enter_graceful_shutdown()
        await anyio.sleep(times.delay_s)
        async with anyio.create_task_group() as group:
            group.start_soon(self._end_watches)
            await self._server.stop(times.grace_s)
            with anyio.move_on_after(times.grace_s):
                await self._idle()
            group.cancel_scope.cancel()

    async def _end_watches(self) -> None:
        """Ends the streams that never end by themselves (a health watch), once no request needs the server."""
        await self._idle()
        await anyio.sleep(LAST_REPLIES_S)
        await self._server.stop(None)

    async def _idle(self) -> None:
        while self._in_flight():  # noqa: ASYNC110 - the guard is a pure state machine and has no event
            await anyio.sleep(JOIN_POLL_S)

    async def stop(self) -> None:
        """Stops at once; calls that run are cancelled."""
        await self._server.stop(None)


def _is_news(record: logging.LogRecord) -> bool:
    """Returns whether a line of grpc.aio tells an operator anything.

    It logs an error with a traceback whenever a client goes while its reply is being sent, which is no error.
    """
    return not str(record.msg).startswith("ExecuteBatchError raised in core")


def _credentials(tls: TlsFiles) -> grpc.ServerCredentials:
    pairs = [(_read(tls.key_file), _read(tls.cert_file))]
    if tls.client_ca_file is None:
        return grpc.ssl_server_credentials(pairs)
    return grpc.ssl_server_credentials(pairs, _read(tls.client_ca_file), require_client_auth=True)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
