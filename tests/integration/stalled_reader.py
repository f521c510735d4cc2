"""A gRPC client over raw HTTP/2 that does not read: it grants nothing beyond the first window, until it is told to.

What the peer may send without being granted more is 64 KiB, to a connection and to each stream on it (RFC 9113 section
6.9.2). Settings and pings are answered, so that the peer takes the connection for a healthy one.
"""

from __future__ import annotations

import asyncio
import base64
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import h2.config
import h2.connection
import h2.events

if TYPE_CHECKING:
    from collections.abc import Callable

STREAM_METHOD = "/specroute.v1.RouterService/RouteStream"
PREFIX_BYTES = 5
WINDOW_BYTES = 65_535


@dataclass(eq=False)
class StalledCall:
    """One call: what came of it. ``ended_s``: when its last frame came, by ``time.monotonic``; ``None``: not yet."""

    body: bytearray = field(default_factory=bytearray)
    trailers: dict[str, str] = field(default_factory=dict)
    ended_s: float | None = None

    @property
    def messages(self) -> list[bytes]:
        """The whole messages that came."""
        found, at = [], 0
        while at + PREFIX_BYTES <= len(self.body):
            end = at + PREFIX_BYTES + int.from_bytes(self.body[at + 1 : at + PREFIX_BYTES], "big")
            if end > len(self.body):
                break
            found.append(bytes(self.body[at + PREFIX_BYTES : end]))
            at = end
        return found

    @property
    def status(self) -> int | None:
        """The gRPC status; ``None``: it has not come."""
        return int(self.trailers["grpc-status"]) if "grpc-status" in self.trailers else None

    @property
    def status_details(self) -> bytes:
        """The encoded ``google.rpc.Status``; empty: none came."""
        text = self.trailers.get("grpc-status-details-bin", "")
        return base64.b64decode(text + "=" * (-len(text) % 4))


class StalledReader(asyncio.Protocol):
    """One connection with any number of calls."""

    def __init__(self) -> None:
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self._http = h2.connection.H2Connection(config)
        self._transport: asyncio.Transport | None = None
        self._calls: dict[int, StalledCall] = {}
        self._unread: dict[int, int] = {}
        self._reads_on = False
        self._changed = anyio.Event()
        self._authority = ""

    @classmethod
    async def connect(cls, address: str) -> StalledReader:
        """Connects to ``HOST:PORT``."""
        host, _, port = address.rpartition(":")
        _, reader = await asyncio.get_running_loop().create_connection(cls, host, int(port))
        reader._authority = address
        return reader

    def call(self, message: bytes, method: str = STREAM_METHOD) -> StalledCall:
        """Starts a call with one encoded message."""
        number = self._http.get_next_available_stream_id()
        call = self._calls[number] = StalledCall()
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", method),
            (":authority", self._authority),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        ]
        self._http.send_headers(number, headers)
        self._http.send_data(number, b"\0" + len(message).to_bytes(4, "big") + message, end_stream=True)
        self._send()
        return call

    def read_on(self) -> None:
        """Grants the peer what it waits for, now and from now on."""
        self._reads_on = True
        for number in list(self._unread):
            self._grant(number)
        self._send()

    async def until(self, holds: Callable[[], object], within_s: float = 10.0) -> None:
        """Waits until ``holds``; raises ``TimeoutError`` when it takes too long."""
        with anyio.fail_after(within_s):
            while not holds():
                await self._changed.wait()

    async def until_stalled(self) -> None:
        """Waits until the connection has brought all that it may, so that the peer is held up."""
        await self.until(lambda: self._http.inbound_flow_control_window == 0)

    async def until_ended(self) -> None:
        """Waits until every call has come to its end."""
        await self.until(lambda: all(call.ended_s is not None for call in self._calls.values()))

    def close(self) -> None:
        """Leaves without a word."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._http.initiate_connection()
        self._send()

    def data_received(self, data: bytes) -> None:
        for event in self._http.receive_data(data):
            self._take(event)
        self._send()
        self._tell()

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None
        self._tell()

    def _take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.DataReceived(stream_id=int(number), data=bytes(data)):
                self._calls[number].body += data
                self._unread[number] = self._unread.get(number, 0) + (event.flow_controlled_length or 0)
                if self._reads_on:
                    self._grant(number)
            case h2.events.ResponseReceived(stream_id=int(number)) | h2.events.TrailersReceived(stream_id=int(number)):
                headers = {str(name): str(value) for name, value in event.headers or ()}
                self._calls[number].trailers |= headers
            case h2.events.StreamEnded(stream_id=int(number)) | h2.events.StreamReset(stream_id=int(number)):
                self._calls[number].ended_s = time.monotonic()

    def _grant(self, number: int) -> None:
        self._http.acknowledge_received_data(self._unread.pop(number, 0), number)

    def _send(self) -> None:
        if self._transport is not None:
            self._transport.write(self._http.data_to_send())

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
