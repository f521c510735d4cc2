"""An OpenAI-compatible endpoint on a raw socket that plays a script per request and sees how each call ends.

It shares no code with the service. Which script is played follows from ``nonce:NAME`` in the prompt and the model asked
for; every call is recorded with instants of ``time.monotonic``, which all processes of a Linux host share.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Self

import anyio

NONCE = re.compile(r"nonce:([A-Za-z0-9_-]+)")
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
SSE_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


@dataclass(eq=False)
class Call:
    """One request that arrived.

    ``last_byte_s``: when the end of the answer was written. ``closed_s``: when the peer was seen to close the
    connection before that.
    """

    model: str
    nonce: str
    headers: dict[str, str]
    body: dict[str, Any]
    received_s: float
    last_byte_s: float | None = None
    closed_s: float | None = None
    broke_off: bool = False

    @property
    def is_open(self) -> bool:
        return self.last_byte_s is None and self.closed_s is None and not self.broke_off


class Reply:
    """What a script writes with."""

    def __init__(self, call: Call, transport: asyncio.Transport, may_write: asyncio.Event) -> None:
        self.call = call
        self._transport = transport
        self._may_write = may_write
        self._has_head = False

    async def drained(self) -> None:
        """Waits while the peer does not read what was written."""
        await self._may_write.wait()

    def head(self) -> None:
        if not self._has_head:
            self._has_head = True
            self.raw(SSE_HEAD)

    def event(self, payload: object) -> None:
        self.head()
        text = payload if isinstance(payload, str) else json.dumps(payload)
        self.chunk(f"data: {text}\n\n".encode())

    def chunk(self, data: bytes) -> None:
        self.head()
        self.raw(b"%x\r\n%s\r\n" % (len(data), data))

    def raw(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def delta(self, finish_reason: str | None = None, **delta: object) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        self.event(
            {"id": "x", "object": "chat.completion.chunk", "model": f"{self.call.model}-v1", "choices": [choice]}
        )

    def text(self, text: str) -> None:
        self.delta(content=text)

    def usage(self, input_tokens: int = 10, output_tokens: int = 5, cached_tokens: int = 0) -> None:
        details = {"prompt_tokens_details": {"cached_tokens": cached_tokens}} if cached_tokens else {}
        usage = {"prompt_tokens": input_tokens, "completion_tokens": output_tokens, **details}
        self.event({"id": "x", "model": f"{self.call.model}-v1", "choices": [], "usage": usage})

    def done(self) -> None:
        """Ends the answer as a whole one."""
        self.event("[DONE]")
        self.end_of_body()

    def end_of_body(self) -> None:
        self.head()
        self.raw(b"0\r\n\r\n")
        self.call.last_byte_s = time.monotonic()

    def respond(self, status: int, body: bytes, content_type: str = "application/json", *headers: str) -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Type: {content_type}", f"Content-Length: {len(body)}", *headers]
        self.raw("\r\n".join([*lines, "", ""]).encode() + body)
        self.call.last_byte_s = time.monotonic()

    def reset(self) -> None:
        self.call.broke_off = True
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self._transport.abort()

    def hang_up(self) -> None:
        self.call.broke_off = True
        self._transport.close()


Script = Callable[[Reply], Awaitable[None]]


def says(
    *pieces: str,
    after_s: float = 0.0,
    between_s: float = 0.0,
    finish: str = "stop",
    usage: tuple[int, int, int] | None = (10, 5, 0),
) -> Script:
    """A whole answer in pieces."""

    async def play(reply: Reply) -> None:
        await anyio.sleep(after_s)
        for index, piece in enumerate(pieces):
            if index and between_s:
                await anyio.sleep(between_s)
            reply.text(piece)
        reply.delta(finish_reason=finish)
        if usage is not None:
            reply.usage(*usage)
        reply.done()

    return play


def calls_tool(name: str, arguments: str, *, call_id: str = "call_1") -> Script:
    """An answer that asks for a tool, its arguments in two pieces."""

    async def play(reply: Reply) -> None:
        half = len(arguments) // 2
        function = {"name": name, "arguments": arguments[:half]}
        reply.delta(tool_calls=[{"index": 0, "id": call_id, "type": "function", "function": function}])
        reply.delta(tool_calls=[{"index": 0, "function": {"arguments": arguments[half:]}}])
        reply.delta(finish_reason="tool_calls")
        reply.usage()
        reply.done()

    return play


def answers_status(
    status: int,
    body: str = '{"error": {"type": "bad", "code": "bad"}}',
    *headers: str,
    content_type: str = "application/json",
) -> Script:
    async def play(reply: Reply) -> None:
        reply.respond(status, body.encode(), content_type, *headers)

    return play


def sends(data: bytes) -> Script:
    """Raw bytes, then the connection is closed."""

    async def play(reply: Reply) -> None:
        reply.raw(data)
        reply.hang_up()

    return play


def resets(after: str = "") -> Script:
    async def play(reply: Reply) -> None:
        if after:
            reply.text(after)
            await anyio.lowlevel.checkpoint()
        reply.reset()

    return play


def ends_early(*pieces: str, error: bool = False) -> Script:
    """Text without a finish reason and without ``[DONE]``; with ``error``, an error event stands at the end."""

    async def play(reply: Reply) -> None:
        for piece in pieces:
            reply.text(piece)
        if error:
            reply.event({"error": {"type": "server_error", "message": "overloaded"}})
        reply.end_of_body()

    return play


def hangs(*pieces: str) -> Script:
    """Writes the pieces, if any, then nothing until the peer leaves."""

    async def play(reply: Reply) -> None:
        for piece in pieces:
            reply.text(piece)
        await anyio.sleep_forever()

    return play


def drips(piece: str = "and ", every_s: float = 0.005) -> Script:
    """Writes pieces for ever."""

    async def play(reply: Reply) -> None:
        while True:
            reply.text(piece)
            await anyio.sleep(every_s)

    return play


def pours(piece: str) -> Script:
    """Writes pieces for ever, as fast as the peer reads them."""

    async def play(reply: Reply) -> None:
        while True:
            reply.text(piece)
            await reply.drained()
            await anyio.lowlevel.checkpoint()

    return play


def waits_for(event: anyio.Event, then: Script) -> Script:
    async def play(reply: Reply) -> None:
        await event.wait()
        await then(reply)

    return play


FAST_FAILURES: dict[str, tuple[Script, str]] = {
    "http_500": (answers_status(500), "http_500"),
    "http_429": (answers_status(429, '{"error": {"type": "rate_limit"}}', "Retry-After: 1"), "http_429"),
    "http_401": (answers_status(401), "http_401"),
    "redirect": (answers_status(302, "", "Location: http://127.0.0.1:1/"), "redirect"),
    "reset": (resets(), "reset"),
    "reset_midway": (resets("Some of the"), "reset"),
    "garbage": (sends(b"\x16\x03\x01 this is no HTTP\r\n\r\n"), "garbage"),
    "html": (answers_status(200, "<html>", content_type="text/html"), "garbage"),
    "cut_off": (ends_early("The answer is quite"), "stream_ended_early"),
    "error_event": (ends_early("The answer", error=True), "provider_error"),
    "no_events": (ends_early(), "stream_ended_early"),
}
"""Fast ways to fail, each with the reason the decision should give."""

FAST_REJECTS: dict[str, tuple[Script, str]] = {
    "empty": (says(), "empty"),
    "blank": (says("  \n"), "empty"),
    "refusal": (says("I'm sorry, but I can't help with that."), "refusal"),
    "truncated": (says("The answer is that", finish="length"), "cut_off"),
}
"""Fast whole answers that may never win, each with the reason of the rejecting verdict."""


class _Connection(asyncio.Protocol):
    def __init__(self, upstream: MockUpstream) -> None:
        self._upstream = upstream
        self._buffer = b""
        self._call: Call | None = None
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._may_write = asyncio.Event()
        self._may_write.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._upstream.connections.add(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        self._begin(headers, json.loads(rest[:length]))

    def eof_received(self) -> None:
        self._note_close()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def connection_lost(self, _: Exception | None) -> None:
        self._note_close()
        self._upstream.connections.discard(self)
        if self._task is not None:
            self._task.cancel()
        self._upstream.tell()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _note_close(self) -> None:
        if self._call is not None and self._call.is_open:
            self._call.closed_s = time.monotonic()

    def _begin(self, headers: dict[str, str], body: dict[str, Any]) -> None:
        prompt = next((m["content"] for m in reversed(body["messages"]) if m["role"] in ("user", "tool")), "") or ""
        found = NONCE.search(prompt)
        call = Call(body["model"], found[1] if found else "", headers, body, time.monotonic())
        self._call = call
        self._upstream.calls.append(call)
        self._upstream.tell()
        assert self._transport is not None
        reply = Reply(call, self._transport, self._may_write)
        self._task = asyncio.get_running_loop().create_task(self._play(self._upstream.script_of(call), reply))

    async def _play(self, script: Script, reply: Reply) -> None:
        await script(reply)
        self._upstream.tell()


@dataclass(eq=False)
class MockUpstream:
    """The endpoint; ``async with`` it."""

    calls: list[Call] = field(default_factory=list)
    connections: set[_Connection] = field(default_factory=set)
    _scripts: dict[tuple[str, str], list[Script]] = field(default_factory=dict)
    _server: asyncio.Server | None = None
    _changed: anyio.Event = field(default_factory=anyio.Event)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0, backlog=1024)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for connection in list(self.connections):
            connection.close()
        await self.until(lambda: not self.connections)

    @property
    def base_url(self) -> str:
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()
        return f"http://{host}:{port}/v1"

    def on(self, nonce: str, /, **by_model: Script | list[Script]) -> str:
        """Sets the script, or one script per call in turn, that each model plays; returns the prompt to send."""
        for model, scripts in by_model.items():
            self._scripts[nonce, model] = list(scripts) if isinstance(scripts, list) else [scripts]
        return f"Answer this, please. nonce:{nonce}"

    def script_of(self, call: Call) -> Script:
        scripts = self._scripts.get((call.nonce, call.model))
        if not scripts:
            return says(f"Echo of {call.nonce} from {call.model}.")
        return scripts.pop(0) if len(scripts) > 1 else scripts[0]

    def calls_of(self, nonce: str, model: str | None = None) -> list[Call]:
        return [call for call in self.calls if call.nonce == nonce and model in (None, call.model)]

    def the_call(self, nonce: str, model: str) -> Call:
        (call,) = self.calls_of(nonce, model)
        return call

    def open_calls(self) -> list[Call]:
        return [call for call in self.calls if call.is_open]

    def forget(self, nonces: Collection[str]) -> None:
        """Forgets the scripts and the ended calls of ``nonces``, so that a long test does not grow."""
        for nonce, model in [key for key in self._scripts if key[0] in nonces]:
            del self._scripts[nonce, model]
        self.calls = [call for call in self.calls if call.is_open or call.nonce not in nonces]

    def tell(self) -> None:
        """Wakes whoever waits for something to happen here."""
        self._changed.set()
        self._changed = anyio.Event()

    async def until(self, holds: Callable[[], object], within_s: float = 5.0) -> None:
        """Waits until ``holds``; raises ``TimeoutError`` when it takes too long."""
        with anyio.fail_after(within_s):
            while not holds():
                await self._changed.wait()

    async def until_called(self, nonce: str, models: Iterable[str]) -> None:
        await self.until(lambda: set(models) <= {call.model for call in self.calls_of(nonce)})

    async def until_closed(self, nonce: str, within_s: float = 5.0) -> None:
        """Waits until no call of ``nonce`` is open."""
        await self.until(lambda: not any(call.is_open for call in self.calls_of(nonce)), within_s)
