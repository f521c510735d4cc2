"""From the last byte of the accepted answer to the loser's upstream seeing its connection closed.

Mini answers 100 to 200 ms after the call, large streams for ever; every request is a race that mini wins: about 130 a
second. One process plays both upstreams and notes, on one clock, when it wrote the last byte of mini's answer and when
large's connection was gone. The span holds the way to the service, parsing, validation, the verdict and the cancel.

    python -m benchmarks.cancellation [--races 2000] [--in-flight 20]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import ClassVar
from urllib.request import urlopen

import grpc

from benchmarks.processes import HEAD, METHOD, child, sse_body, two_tiers
from specroute.v1 import decision_pb2, router_pb2

TOKEN = b'data: {"choices":[{"index":0,"delta":{"content":" on"}}]}\n\n'
CHUNK = b"%x\r\n%s\r\n" % (len(TOKEN), TOKEN)
MINI_BODY = sse_body()
TOKEN_EVERY_S = 0.02


class Upstreams(asyncio.Protocol):
    """Both upstreams of a race; what they saw is asked for with ``GET /seen``."""

    won_at_s: ClassVar[dict[str, float]] = {}
    closed_at_s: ClassVar[dict[str, float]] = {}
    opened: ClassVar[set[str]] = set()
    jitter: ClassVar[random.Random] = random.Random(0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._buffer = b""
        self._streaming = ""

    def data_received(self, data: bytes) -> None:
        """Reads one request, whose body is within ``content-length``."""
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        if head.startswith(b"GET /seen"):
            self._tell()
            return
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if len(body) < int(fields[b"content-length"]):
            return
        self._buffer = b""
        self._answer(json.loads(body)["model"], fields[b"x-request-id"].decode())

    def connection_lost(self, exc: Exception | None) -> None:
        """Notes when a stream's connection went away."""
        if self._streaming:
            self.closed_at_s[self._streaming] = time.monotonic()

    def _answer(self, model: str, request_id: str) -> None:
        self._transport.write(HEAD)
        if model == "mini":
            asyncio.get_running_loop().call_later(self.jitter.uniform(0.1, 0.2), self._finish, request_id)
        else:
            self._streaming = request_id
            self.opened.add(request_id)
            self._token()

    def _finish(self, request_id: str) -> None:
        self._transport.write(MINI_BODY)
        self.won_at_s[request_id] = time.monotonic()

    def _token(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(CHUNK)
            asyncio.get_running_loop().call_later(TOKEN_EVERY_S, self._token)

    def _tell(self) -> None:
        spans = [self.closed_at_s[key] - at for key, at in self.won_at_s.items() if key in self.closed_at_s]
        seen = {"spans_s": spans, "opened": len(self.opened), "closed": len(self.closed_at_s)}
        body = json.dumps(seen).encode()
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
        )


async def serve_upstreams() -> None:
    server = await asyncio.get_running_loop().create_server(Upstreams, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def drive(address: str, races: int, in_flight: int) -> None:
    left = races

    async def worker(call: grpc.aio.UnaryUnaryMultiCallable[bytes, router_pb2.RouteResponse]) -> None:
        nonlocal left
        while left > 0:
            left -= 1
            message = router_pb2.Message(role="user", content=f"Race number {left}, please.")
            reply = await call(router_pb2.RouteRequest(messages=[message]).SerializeToString(), timeout=30)
            assert reply.tier == "mini"
            assert reply.decision.plan.kind == decision_pb2.PLAN_KIND_RACE

    async with grpc.aio.insecure_channel(address) as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, router_pb2.RouteResponse] = channel.unary_unary(
            METHOD, response_deserializer=router_pb2.RouteResponse.FromString
        )
        await asyncio.gather(*(worker(call) for _ in range(in_flight)))  # noqa: TID251 - a plain load generator


def measure(races: int, in_flight: int) -> None:
    with tempfile.TemporaryDirectory() as folder, child("-m", "benchmarks.cancellation", "--upstreams") as (_, port):
        config = Path(folder) / "bench.yaml"
        config.write_text(two_tiers(port, "{prior: 0.5}", "{kind: thresholds}"))
        with child("-m", "specroute", "serve", "--config", str(config)) as (_, line):
            asyncio.run(drive(line.split()[2], races, in_flight))
            with urlopen(f"http://127.0.0.1:{port}/seen") as response:
                seen = json.load(response)
    spans_ms = sorted(span * 1e3 for span in seen["spans_s"])
    cuts = statistics.quantiles(spans_ms, n=100)
    print(f"{races} races, {in_flight} in flight: {seen['opened']} losers connected, {seen['closed']} seen closed")
    print(f"last accepted byte to close seen: p50 {cuts[49]:.2f} ms, p99 {cuts[98]:.2f} ms, max {spans_ms[-1]:.2f} ms "
          f"(target p99 <= 10 ms)")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--races", type=int, default=2000)
    parser.add_argument("--in-flight", type=int, default=20)
    parser.add_argument("--upstreams", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.upstreams:
        asyncio.run(serve_upstreams())
    else:
        measure(options.races, options.in_flight)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
