"""What the benchmarks share: child processes on loopback, their CPU time, and a canned upstream."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS = 60
METHOD = "/specroute.v1.RouterService/Route"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def two_tiers(port: str, predictor: str, policy: str) -> str:
    """Returns a configuration whose tiers both call the upstream at ``port``; the others are sections in YAML."""
    upstream = f"{{kind: openai, base_url: 'http://127.0.0.1:{port}/v1', model: %s, max_concurrency: 256}}"
    return f"""
listen: 127.0.0.1:0
metrics_listen: 127.0.0.1:0
tiers:
  - name: mini
    price: {{input_usd_per_mtok: 0.15, output_usd_per_mtok: 0.60}}
    upstreams: [{upstream % "mini"}]
  - name: large
    price: {{input_usd_per_mtok: 2.50, output_usd_per_mtok: 10.00}}
    upstreams: [{upstream % "large"}]
predictor: {predictor}
policy: {policy}
drain: {{delay: 0s, grace: 1s}}
"""


def delta_event(text: bytes) -> bytes:
    """Returns the event of one token."""
    return (
        b'{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"m",'
        b'"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}' % text
    )


def http_chunk(data: bytes) -> bytes:
    """Returns ``data`` as a chunk of an HTTP/1.1 body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def sse_chunks(events_count: int = EVENTS) -> list[bytes]:
    """Returns an answer of so many events as an OpenAI-compatible endpoint streams it, each an HTTP/1.1 chunk."""
    events = [delta_event(b" word%d" % index) for index in range(events_count - 3)]
    events.append(b'{"id":"chatcmpl-1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{},'
                  b'"finish_reason":"stop"}]}')  # fmt: skip
    events.append(b'{"id":"chatcmpl-1","object":"chat.completion.chunk","model":"m","choices":[],"usage":'
                  b'{"prompt_tokens":120,"completion_tokens":57,"total_tokens":177}}')  # fmt: skip
    events.append(b"[DONE]")
    lines = [b"data: %s\n\n" % event for event in events]
    return [*map(http_chunk, lines[:-1]), b"e\r\n%s\r\n0\r\n\r\n" % lines[-1]]


def sse_body(events_count: int = EVENTS) -> bytes:
    """Returns the same answer as one piece."""
    return b"".join(sse_chunks(events_count))


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


class CannedUpstream(asyncio.Protocol):
    """Answers every request with the same stream, in one write or an event at a time; reads by content-length."""

    def __init__(self, gap_s: float, events: int = EVENTS) -> None:
        """Leaves ``gap_s`` between two of ``events`` events; 0: everything in one write."""
        self._buffer = b""
        self._gap_s = gap_s
        self._chunks = sse_chunks(events) if gap_s else [sse_body(events)]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answers each whole request."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            self._transport.write(HEAD)
            self._send(0)

    def _send(self, index: int) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(self._chunks[index])
        if index + 1 < len(self._chunks):
            asyncio.get_running_loop().call_later(self._gap_s, self._send, index + 1)


async def serve_upstream(gap_s: float, events: int = EVENTS) -> None:
    """Serves the canned upstream and prints its port."""
    server = await asyncio.get_running_loop().create_server(lambda: CannedUpstream(gap_s, events), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def child(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Runs ``python ARGUMENTS`` and yields it with the first line it prints; ends it by its own pid."""
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline().strip()
        if not line:
            raise RuntimeError(f"{' '.join(arguments)} ended before it was ready")
        yield process, line
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def cpu_s(pid: int) -> float:
    """Returns the CPU seconds, user and system, that process ``pid`` has used (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


if __name__ == "__main__":
    asyncio.run(serve_upstream(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else EVENTS))
