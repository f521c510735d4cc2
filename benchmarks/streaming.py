"""CPU per streamed delta and time added to the first one, against a floor measured in the same run.

The floor is a bare grpc.aio handler that forwards the body of one aiohttp call, read by read, without parsing it. Ours
scores the prompt, plans, calls, parses every event, counts, commits and writes each as a typed message, then the whole
answer with its decision. Both are processes of their own in front of one canned upstream that sends an event at a time.
Two lengths are streamed: the difference of their CPU time over the difference of their deltas is the cost of a delta.
Time to first token is measured at the client, one stream at a time, against the floor's: from the call, and from the
instant at which the upstream wrote that token, which stands in it. Last, 200 streams of 100 deltas run at once on one
core, and every one must end well.

    python -m benchmarks.streaming [--rounds 5] [--streams 200]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import grpc

from benchmarks.overhead import PROMPT
from benchmarks.processes import CannedUpstream, child, cpu_s, delta_event, http_chunk, two_tiers
from specroute.v1 import router_pb2 as pb

STREAM_METHOD = "/specroute.v1.RouterService/RouteStream"
STAMP = re.compile(rb"at(\d{19})")
LENGTHS = (40, 240)
AT_ONCE = 16
GAP_S = 0.004
PAYLOAD = pb.RouteStreamRequest(
    request=pb.RouteRequest(messages=[pb.Message(role="user", content=PROMPT)])
).SerializeToString()


async def serve_floor(port: str) -> None:
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    body = b'{"model":"mini","stream":true,"messages":[{"role":"user","content":"%s"}]}' % PROMPT.encode()

    async def forward(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
        async with session.post(url, data=body, headers={"content-type": "application/json"}) as response:
            async for data in response.content.iter_any():
                await context.write(data)

    server = grpc.aio.server()
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "RouteStream": grpc.unary_stream_rpc_method_handler(forward)
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("specroute.v1.RouterService", handlers),))
    bound = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"serving on 127.0.0.1:{bound} metrics on none", flush=True)
    await server.wait_for_termination()


class StampedUpstream(CannedUpstream):
    """Writes the instant of writing into the first token."""

    def _send(self, index: int) -> None:
        if index == 0:
            self._chunks[0] = http_chunk(b"data: %s\n\n" % delta_event(b"at%019d " % time.monotonic_ns()))
        super()._send(index)


async def serve_stamped(events: int) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: StampedUpstream(GAP_S, events), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def stream_once(call: grpc.aio.UnaryStreamMultiCallable[bytes, bytes]) -> int:
    """Returns how many messages came."""
    count = 0
    async for _ in call(PAYLOAD, timeout=60):
        count += 1
    return count


async def first_token(call: grpc.aio.UnaryStreamMultiCallable[bytes, bytes]) -> tuple[float, float]:
    """Returns the seconds to the first token from the call, and from the instant at which the upstream wrote it."""
    began_s, found = time.monotonic(), None
    async for data in call(PAYLOAD, timeout=60):
        if found is None and (stamp := STAMP.search(data)):
            now_s = time.monotonic()
            found = now_s - began_s, now_s - int(stamp[1]) * 1e-9
    if found is None:
        raise RuntimeError("a stream without its first token")
    return found


async def drive(address: str, streams: int, at_once: int) -> int:
    """Runs ``streams`` streams and returns the messages that came."""
    left, messages = streams, 0

    async def worker(call: grpc.aio.UnaryStreamMultiCallable[bytes, bytes]) -> None:
        nonlocal left, messages
        while left > 0:
            left -= 1
            count = await stream_once(call)
            if count < 3:
                raise RuntimeError("a stream broke off")
            messages += count

    async with grpc.aio.insecure_channel(address) as channel:
        call: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(STREAM_METHOD)
        await asyncio.gather(*(worker(call) for _ in range(at_once)))  # noqa: TID251 - a plain load generator
    return messages


async def first_tokens(addresses: dict[str, str], streams: int) -> dict[str, list[tuple[float, float]]]:
    """Returns the times to the first token, one stream at a time, the servers taking turns."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in addresses}
    async with Channels(addresses) as calls:
        for _ in range(streams):
            for name, call in calls.items():
                times[name].append(await first_token(call))
    return times


class Channels:
    """One channel per server."""

    def __init__(self, addresses: dict[str, str]) -> None:
        self._channels = {name: grpc.aio.insecure_channel(address) for name, address in addresses.items()}

    async def __aenter__(self) -> dict[str, grpc.aio.UnaryStreamMultiCallable[bytes, bytes]]:
        return {name: channel.unary_stream(STREAM_METHOD) for name, channel in self._channels.items()}

    async def __aexit__(self, *_: object) -> None:
        for channel in self._channels.values():
            await channel.close()


def servers(stack: ExitStack, events: int, gap_s: float, *, stamped: bool = False) -> dict[str, tuple[int, str]]:
    """Starts upstream, floor and service for answers of ``events`` events; returns pid and address of each server."""
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    plain = ("-m", "benchmarks.processes", str(gap_s), str(events))
    _, port = stack.enter_context(
        child(*(("-m", "benchmarks.streaming", "--upstream", str(events)) if stamped else plain))
    )
    started: dict[str, tuple[int, str]] = {}
    floor, line = stack.enter_context(child("-m", "benchmarks.streaming", "--floor", port))
    started["floor"] = floor.pid, line.split()[2]
    for tier in ("mini", "large"):
        config = Path(folder) / f"{tier}.yaml"
        config.write_text(
            two_tiers(port, f"{{model: {Path('router_models/default').resolve()}}}", f"{{kind: always, tier: {tier}}}")
        )
        ours, line = stack.enter_context(child("-m", "specroute", "serve", "--config", str(config)))
        started[f"direct {tier}"] = ours.pid, line.split()[2]
    return started


def cost_of_a_delta(rounds: int, streams: int) -> None:
    cpu: dict[int, dict[str, list[float]]] = {}
    with ExitStack() as stack:
        by_length = {length: servers(stack, length, GAP_S) for length in LENGTHS}
        for started in by_length.values():
            for _, address in started.values():
                asyncio.run(drive(address, 2 * AT_ONCE, AT_ONCE))
        for round_ in range(rounds):
            for length, started in by_length.items():
                for name in list(started)[:: 1 if round_ % 2 else -1]:
                    pid, address = started[name]
                    before = cpu_s(pid)
                    asyncio.run(drive(address, streams, AT_ONCE))
                    spent_us = (cpu_s(pid) - before) / streams * 1e6
                    cpu.setdefault(length, {}).setdefault(name, []).append(spent_us)
    short, long = LENGTHS
    print(f"CPU per delta, from streams of {short} and {long} events, {GAP_S * 1e3:g} ms apart, {AT_ONCE} at once:")
    deltas: dict[str, list[float]] = {}
    for name in cpu[short]:
        pairs = zip(cpu[long][name], cpu[short][name], strict=True)
        deltas[name] = [(more - less) / (long - short) for more, less in pairs]
        fixed = statistics.median(cpu[short][name]) - short * statistics.median(deltas[name])
        print(f"  {name:13} {statistics.median(deltas[name]):5.0f} us a delta, {fixed:6.0f} us a stream besides")
    for name in sorted(set(deltas) - {"floor"}):
        ratios = [ours / floor for ours, floor in zip(deltas[name], deltas["floor"], strict=True)]
        spread = f"from {min(ratios):.2f} to {max(ratios):.2f}"
        print(f"  {name:13} {statistics.median(ratios):5.2f} times the floor ({spread}; target <= 1.50)")


def added_first_token(streams: int) -> None:
    with ExitStack() as stack:
        started = servers(stack, LENGTHS[0], GAP_S, stamped=True)
        times = asyncio.run(first_tokens({name: address for name, (_, address) in started.items()}, streams))
    print(f"time to first token at the client, {streams} streams one after the other, p50 / p99:")
    floor: tuple[tuple[float, float], ...] = ()
    for name in ("floor", *sorted(set(times) - {"floor"})):
        settled = times[name][len(times[name]) // 10 :]
        shown = tuple(_p50_p99([each[kind] for each in settled]) for kind in (0, 1))
        floor = floor or shown
        parts = []
        for what, (p50, p99), (floor_p50, floor_p99) in zip(("call", "token in"), shown, floor, strict=True):
            added = f", added {1e3 * (p50 - floor_p50):.2f} / {1e3 * (p99 - floor_p99):.2f}" if name != "floor" else ""
            parts.append(f"from {what} {p50 * 1e3:.2f} / {p99 * 1e3:.2f} ms{added}")
        print(f"  {name:13} {'; '.join(parts)}")


def _p50_p99(seconds: list[float]) -> tuple[float, float]:
    ranked = sorted(seconds)
    return ranked[len(ranked) // 2], ranked[int(len(ranked) * 0.99)]


def many_at_once(streams: int) -> None:
    with ExitStack() as stack:
        for name, (pid, address) in servers(stack, 103, 0.02).items():
            if name != "floor":
                os.sched_setaffinity(pid, {0})
            asyncio.run(drive(address, 16, 16))
            before, began_s = cpu_s(pid), time.perf_counter()
            messages = asyncio.run(drive(address, streams, streams))
            wall_s, used_s = time.perf_counter() - began_s, cpu_s(pid) - before
            print(
                f"  {name:13} {streams} streams of 100 deltas, 20 ms apart, at once: all ended after {wall_s:.1f} s, "
                f"{used_s / wall_s:.0%} of a core, {messages / wall_s:.0f} messages/s"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--floor", metavar="PORT", help=argparse.SUPPRESS)
    parser.add_argument("--upstream", type=int, metavar="EVENTS", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.floor:
        asyncio.run(serve_floor(options.floor))
    elif options.upstream:
        asyncio.run(serve_stamped(options.upstream))
    else:
        compare(options.rounds, options.streams)


def compare(rounds: int, streams: int) -> None:
    cost_of_a_delta(rounds, streams)
    added_first_token(2 * streams)
    many_at_once(200)


if __name__ == "__main__":
    main()
