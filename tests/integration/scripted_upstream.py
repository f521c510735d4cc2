"""A raw HTTP/1.1 server on loopback that follows a script, byte by byte, and sees how each connection ends.

It knows nothing of HTTP but where a request ends, so it can break every rule of it. A script is a function from a
request to steps; it runs once per request, also for the second request of a kept-alive connection.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

LAST_CHUNK = b"0\r\n\r\n"
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
DONE_EVENT = b"data: [DONE]\n\n"


@dataclass(frozen=True)
class Send:
    """Writes bytes as they are."""

    data: bytes


@dataclass(frozen=True)
class WaitFor:
    """Waits until a test sets the event."""

    event: asyncio.Event


class Do(Enum):
    """What needs no argument."""

    RST = "reset the connection"
    FIN = "close the connection after what was written"
    HANG = "do nothing more until the peer goes away"
    STOP_READING = "take no more bytes from the peer"
    TICK = "let what was written go out by itself"


Step = Send | WaitFor | Do


class Ended(Enum):
    """Who ended a connection, and how."""

    PEER_FIN = "peer closed"
    PEER_RST = "peer reset"
    SERVER = "server closed or reset"


@dataclass(frozen=True)
class SeenRequest:
    """One request as it came."""

    connection: int
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class SeenConnection:
    """One accepted connection. ``ended`` is set when it is over; times are monotonic seconds."""

    number: int
    accepted_at_s: float
    requests: list[SeenRequest] = field(default_factory=list)
    how: Ended | None = None
    ended_at_s: float | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)


def http_chunk(data: bytes) -> bytes:
    """Frames ``data`` as one chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def sse_event(payload: object) -> bytes:
    """Writes one server-sent event with JSON data."""
    return b"data: " + json.dumps(payload, separators=(",", ":")).encode() + b"\n\n"


def text_event(text: str) -> bytes:
    """Writes an event that adds ``text`` to the answer."""
    return sse_event({"model": "m-1", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]})


def finish_event(reason: str = "stop") -> bytes:
    """Writes the event with the finish reason."""
    return sse_event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})


def usage_event(input_tokens: int = 3, output_tokens: int = 2) -> bytes:
    """Writes the event with the usage."""
    return sse_event({"choices": [], "usage": {"prompt_tokens": input_tokens, "completion_tokens": output_tokens}})


def whole_answer(text: str) -> bytes:
    """Writes head and body of a whole streamed answer."""
    events = (text_event(text), finish_event(), usage_event(), DONE_EVENT)
    return STREAM_HEAD + b"".join(map(http_chunk, events)) + LAST_CHUNK


class ScriptedUpstream:
    """The server. ``base_url`` and ``connections`` are there while the ``async with`` block runs."""

    def __init__(self, script: Callable[[SeenRequest], Iterable[Step]]) -> None:
        self.script = script
        self.connections: list[SeenConnection] = []
        self.arrived = asyncio.Condition()
        self.protocols: set[_Connection] = set()

    @property
    def requests(self) -> list[SeenRequest]:
        """All requests, in the order of their connections."""
        return [request for connection in self.connections for request in connection.requests]

    async def wait_for_requests(self, count: int) -> None:
        """Waits until ``count`` requests have come in whole."""
        async with self.arrived:
            await self.arrived.wait_for(lambda: len(self.requests) >= count)

    async def __aenter__(self) -> ScriptedUpstream:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.base_url = f"http://127.0.0.1:{self.port}/v1"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        for protocol in list(self.protocols):
            protocol.reset()
        for connection in self.connections:
            await connection.ended.wait()
        await self._server.wait_closed()


class _Connection(asyncio.Protocol):
    def __init__(self, upstream: ScriptedUpstream) -> None:
        self._upstream = upstream
        self._buffer = bytearray()
        self._waiting: list[SeenRequest] = []
        self._player: asyncio.Task[None] | None = None
        self._is_server_ending = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.seen = SeenConnection(len(self._upstream.connections), time.monotonic())
        self._upstream.connections.append(self.seen)
        self._upstream.protocols.add(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        if not found:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if len(rest) < int(headers.get("content-length", "0")) and "x-answer-early" not in headers:
            return
        self._buffer.clear()
        request = SeenRequest(self.seen.number, first.split(" ")[1], headers, rest)
        self.seen.requests.append(request)
        self._player = asyncio.get_running_loop().create_task(self._play(request))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._is_server_ending:
            self.seen.how = Ended.SERVER
        else:
            self.seen.how = Ended.PEER_FIN if exc is None else Ended.PEER_RST
        self.seen.ended_at_s = time.monotonic()
        self._upstream.protocols.discard(self)
        if self._player is not None:
            self._player.cancel()
        self.seen.ended.set()

    def reset(self) -> None:
        self._is_server_ending = True
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    async def _play(self, request: SeenRequest) -> None:
        async with self._upstream.arrived:
            self._upstream.arrived.notify_all()
        for step in self._upstream.script(request):
            if isinstance(step, Send):
                self._transport.write(step.data)
            elif isinstance(step, WaitFor):
                await step.event.wait()
            elif step is Do.RST:
                self.reset()
            elif step is Do.FIN:
                self._is_server_ending = True
                self._transport.close()
            elif step is Do.STOP_READING:
                self._transport.pause_reading()
            elif step is Do.TICK:
                await asyncio.sleep(0)
            elif step is Do.HANG:
                await self.seen.ended.wait()
