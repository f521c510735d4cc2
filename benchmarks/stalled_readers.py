"""What readers that do not read cost the others: memory, and the latency of short streams and unary calls.

A stalled reader is a raw HTTP/2 client on a connection of its own that grants nothing beyond the first 64 KiB, while
its upstream writes as fast as it is read. Phases with and without them take turns against one service process. In each,
other callers ask at random instants, whatever became of the calls before, for answers of 10 events, 2 ms apart, half of
them as a stream and half as one reply. They are timed while every reader is stalled, and apart from that in the two
seconds in which all readers are given up at once. Each upstream call must be closed by then, and each reader find
READER_STALLED when it reads on.

    python -m benchmarks.stalled_readers [--readers 200] [--rounds 5] [--per-second 100]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from urllib.request import urlopen

import grpc
from tests.integration.stalled_reader import StalledCall, StalledReader

from benchmarks.processes import HEAD, METHOD, CannedUpstream, child
from benchmarks.streaming import STREAM_METHOD
from specroute.v1 import router_pb2 as pb

STALL_S = 12.0
PHASE_S = 5.0
ENDING_S = 2.0
WARM_UP_S = 3.0
EVENTS = 13  # 10 of text, then the finish, the usage and the end
GAP_S = 0.002
POUR = "Tell me everything."
SHORT = "What is the capital of Norway?"
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n' % (b"and so it goes on, " * 200)
CHUNK = b"%x\r\n%s\r\n" % (len(EVENT), EVENT)
ABORTED = grpc.StatusCode.ABORTED.value[0]

Send = Any
"""A callable of grpc.aio that starts a call."""


class Upstream(CannedUpstream):
    """Answers briefly, or for ever where everything is asked for; what it saw is asked for with ``GET /seen``."""

    poured: ClassVar[list[float]] = []
    pouring: ClassVar[set[Upstream]] = set()

    def __init__(self) -> None:
        """Begins with nothing to pour."""
        super().__init__(GAP_S, EVENTS)
        self._began_s = 0.0
        self._is_free = True

    def data_received(self, data: bytes) -> None:
        """Answers a request, which comes in one piece."""
        if data.startswith(b"GET /seen"):
            body = json.dumps({"open": len(self.pouring), "lasted_s": self.poured}).encode()
            head = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
            self._transport.write(head + body)
            self.poured.clear()
        elif POUR.encode() in data:
            self.pouring.add(self)
            self._began_s = time.monotonic()
            self._transport.write(HEAD)
            self._pour()
        else:
            super().data_received(data)

    def pause_writing(self) -> None:
        """Waits for the peer."""
        self._is_free = False

    def resume_writing(self) -> None:
        """Goes on."""
        self._is_free = True
        if self in self.pouring:
            self._pour()

    def connection_lost(self, exc: Exception | None) -> None:
        """Notes how long a call had lasted."""
        if self in self.pouring:
            self.pouring.discard(self)
            self.poured.append(time.monotonic() - self._began_s)

    def _pour(self) -> None:
        while self._is_free and not self._transport.is_closing():
            self._transport.write(CHUNK)


async def serve_upstream() -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def document(port: str) -> str:
    """Returns the service's configuration; JSON is YAML."""
    upstream = {"kind": "openai", "base_url": f"http://127.0.0.1:{port}/v1", "model": "mini", "max_concurrency": 1024}
    price = {"input_usd_per_mtok": 0.15, "output_usd_per_mtok": 0.60}
    return json.dumps(
        {
            "listen": "127.0.0.1:0",
            "metrics_listen": "127.0.0.1:0",
            "tiers": [{"name": "mini", "price": price, "upstreams": [upstream]}],
            "predictor": {"prior": 0.9},
            "policy": {"kind": "always", "tier": "mini"},
            "streaming": {"write_stall_timeout": f"{STALL_S:g}s"},
            "limits": {"max_in_flight": 1024},
            "drain": {"delay": "0s", "grace": "1s"},
        }
    )


def asking(text: str) -> pb.RouteRequest:
    return pb.RouteRequest(messages=[pb.Message(role="user", content=text)])


@dataclass
class Latencies:
    """Seconds of each call of one kind of phase."""

    first_token: list[float] = field(default_factory=list)
    stream: list[float] = field(default_factory=list)
    unary: list[float] = field(default_factory=list)


async def ask_stream(send: Send, into: Latencies) -> None:
    request = pb.RouteStreamRequest(request=asking(SHORT))
    began_s, first_s, last = time.perf_counter(), 0.0, None
    async for event in send(request.SerializeToString(), timeout=30):
        last = event.WhichOneof("event")
        if last == "delta" and not first_s:
            first_s = time.perf_counter() - began_s
    if last != "completed":
        raise RuntimeError("a stream of another caller broke off")
    into.first_token.append(first_s)
    into.stream.append(time.perf_counter() - began_s)


async def ask_unary(send: Send, into: Latencies) -> None:
    began_s = time.perf_counter()
    reply = await send(asking(SHORT).SerializeToString(), timeout=30)
    if not reply.output.text:
        raise RuntimeError("an empty reply to another caller")
    into.unary.append(time.perf_counter() - began_s)


class Others:
    """The other callers, on one channel."""

    def __init__(self, channel: grpc.aio.Channel, per_s: float) -> None:
        self._stream: Send = channel.unary_stream(
            STREAM_METHOD, response_deserializer=pb.RouteStreamResponse.FromString
        )
        self._unary: Send = channel.unary_unary(METHOD, response_deserializer=pb.RouteResponse.FromString)
        self._per_s = per_s
        self._draw = random.Random(1)

    async def ask_for(self, span_s: float, into: Latencies) -> None:
        """Asks for ``span_s`` and waits for the last answers."""
        began_s = due_s = time.monotonic()
        async with asyncio.TaskGroup() as group:
            while due_s < began_s + span_s:
                group.create_task(ask_stream(self._stream, into))
                group.create_task(self._later(into))
                due_s += self._draw.expovariate(self._per_s / 2)
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))

    async def _later(self, into: Latencies) -> None:
        await asyncio.sleep(self._draw.uniform(0.0, 2 / self._per_s))
        await ask_unary(self._unary, into)


class Stalled:
    """Readers that stall, each on a connection of its own."""

    def __init__(self) -> None:
        self._readers: list[StalledReader] = []
        self._calls: list[StalledCall] = []

    async def stall(self, address: str, count: int) -> None:
        """Opens ``count`` streams and waits until each has got what its window takes."""
        message = pb.RouteStreamRequest(request=asking(POUR)).SerializeToString()
        for _ in range(count):
            reader = await StalledReader.connect(address)
            self._readers.append(reader)
            self._calls.append(reader.call(message))
        for reader in self._readers:
            await reader.until_stalled()

    async def come_back(self) -> None:
        """Reads every stream to its end, which must say why."""
        for reader in self._readers:
            reader.read_on()
            await reader.until_ended()
            reader.close()
        told = {(call.status, b"READER_STALLED" in call.status_details) for call in self._calls}
        if told != {(ABORTED, True)}:
            raise RuntimeError(f"a reader that came back was told {told}")


def rss_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


async def seen_by_upstream(port: str) -> list[float]:
    """Waits until no endless call is open; returns how long each had lasted, in seconds."""

    def ask() -> Any:
        with urlopen(f"http://127.0.0.1:{port}/seen") as response:
            return json.load(response)

    lasted_s: list[float] = []
    for _ in range(200):
        seen = await asyncio.to_thread(ask)
        lasted_s += seen["lasted_s"]
        if not seen["open"]:
            return lasted_s
        await asyncio.sleep(0.1)
    raise RuntimeError("upstream calls stayed open")


async def measure(address: str, pid: int, port: str, options: argparse.Namespace) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        await compare(Others(channel, options.per_second), address, pid=pid, port=port, options=options)


async def compare(others: Others, address: str, *, pid: int, port: str, options: argparse.Namespace) -> None:
    quiet, crowded, ending = Latencies(), Latencies(), Latencies()
    lasted_s: list[float] = []
    await others.ask_for(WARM_UP_S, Latencies())
    before, most = rss_bytes(pid), 0
    for _ in range(options.rounds):
        await others.ask_for(PHASE_S, quiet)
        stalled, began_s = Stalled(), time.monotonic()
        await stalled.stall(address, options.readers)
        await others.ask_for(PHASE_S, crowded)
        most = max(most, rss_bytes(pid))
        left_s = began_s + STALL_S - time.monotonic()
        if left_s < 0:
            raise RuntimeError("stalling took too long on this machine: the first readers were given up meanwhile")
        await asyncio.sleep(left_s)
        await others.ask_for(ENDING_S, ending)
        lasted_s += await seen_by_upstream(port)
        await stalled.come_back()
    if len(lasted_s) != options.readers * options.rounds:
        raise RuntimeError(f"{len(lasted_s)} endless calls were seen")
    print(f"{options.readers} stalled readers, {options.rounds} rounds; the others' calls, {options.per_second:g}/s:")
    print(f"  {'':12}{'without':>22}{'with':>26}{'while given up':>27}")
    for name in ("first_token", "stream", "unary"):
        print(f"  {name.replace('_', ' '):12}" + row(*(getattr(each, name) for each in (quiet, crowded, ending))))
    print("  (p50 and p99; in brackets, p99 as a multiple of that without: target < 1.2 with stalled readers)")
    print(f"memory: {before / 1e6:.0f} MB, at most {most / 1e6:.0f} MB with stalled readers: "
          f"{(most - before) / 1e6:+.0f} MB (target < 50)")  # fmt: skip
    print(f"each upstream call was closed {min(lasted_s):.2f} to {max(lasted_s):.2f} s after it began "
          f"(write_stall_timeout {STALL_S:g} s); each reader that came back was told READER_STALLED")  # fmt: skip


def row(without: list[float], *others: list[float]) -> str:
    p50, base = quantiles_ms(without)
    cells = [f"{p50:9.2f} {base:7.2f} ms  "]
    for values in others:
        p50, p99 = quantiles_ms(values)
        cells.append(f"{p50:9.2f} {p99:7.2f} ms ({p99 / base:.2f})")
    return "".join(cells)


def quantiles_ms(values: list[float]) -> tuple[float, float]:
    ordered = sorted(values)
    return ordered[len(ordered) // 2] * 1e3, ordered[int(len(ordered) * 0.99)] * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--per-second", type=float, default=100.0)
    parser.add_argument("--upstream", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.upstream:
        asyncio.run(serve_upstream())
        return
    with tempfile.TemporaryDirectory() as folder, child("-m", "benchmarks.stalled_readers", "--upstream") as (_, port):
        config = Path(folder) / "bench.yaml"
        config.write_text(document(port))
        with child("-m", "specroute", "serve", "--config", str(config)) as (service, line):
            asyncio.run(measure(line.split()[2], service.pid, port, options))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
