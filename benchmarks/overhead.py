"""CPU per direct ``Route`` with everything on, against a floor measured in the same run.

The floor is a bare grpc.aio handler that makes one aiohttp call and reads the same streamed body of 60 events to its
end without parsing it. Ours scores the prompt, plans, calls, parses, validates, books the cost, counts the metrics and
replies with the whole decision. Both run as processes of their own against one canned upstream, the load alternates
between them, and the figure is CPU time (user + system) of the server process per request. Two streams are measured:
one event at a time, 2 ms apart, as a model streams; and all 60 in one write, which costs the floor least.

    python -m benchmarks.overhead [--rounds 7] [--requests 1000]
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

import aiohttp
import grpc

from benchmarks.processes import METHOD, child, cpu_s, two_tiers
from specroute.v1 import router_pb2

IN_FLIGHT = 16
PROMPT = (
    "A warehouse ships three kinds of boxes. Small ones hold 12 items, medium ones 30 and large ones 75. Last week it "
    "shipped 140 small, 85 medium and 20 large boxes, and every tenth box of each kind came back half empty. How many "
    "items reached the customers? Explain each step of your calculation, then give the final number on a line of its "
    "own. Note that boxes that came back half empty had lost exactly half of their items on the way."
)


async def serve_floor(port: str) -> None:
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    body = b'{"model":"mini","stream":true,"messages":[{"role":"user","content":"%s"}]}' % PROMPT.encode()

    async def answer(request: bytes, context: object) -> bytes:
        async with session.post(url, data=body, headers={"content-type": "application/json"}) as response:
            async for _ in response.content.iter_any():
                pass
        return request

    server = grpc.aio.server()
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {"Route": grpc.unary_unary_rpc_method_handler(answer)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("specroute.v1.RouterService", handlers),))
    bound = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"serving on 127.0.0.1:{bound} metrics on none", flush=True)
    await server.wait_for_termination()


async def drive(address: str, requests: int) -> None:
    """Sends ``requests`` with 16 in flight and checks every reply."""
    payload = router_pb2.RouteRequest(messages=[router_pb2.Message(role="user", content=PROMPT)]).SerializeToString()
    left = requests

    async def worker(call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]) -> None:
        nonlocal left
        while left > 0:
            left -= 1
            if not await call(payload, timeout=30):
                raise RuntimeError("an empty reply")

    async with grpc.aio.insecure_channel(address) as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
        await asyncio.gather(*(worker(call) for _ in range(IN_FLIGHT)))  # noqa: TID251 - a plain load generator


def measure(rounds: int, requests: int, gap_s: float) -> None:
    with tempfile.TemporaryDirectory() as folder, child("-m", "benchmarks.processes", str(gap_s)) as (_, port):
        config = Path(folder) / "bench.yaml"
        config.write_text(
            two_tiers(port, f"{{model: {Path('router_models/default').resolve()}}}", "{kind: always, tier: mini}")
        )
        with (
            child("-m", "benchmarks.overhead", "--floor", port) as (floor, floor_line),
            child("-m", "specroute", "serve", "--config", str(config)) as (ours, ours_line),
        ):
            servers = {"floor": (floor.pid, floor_line.split()[2]), "specroute": (ours.pid, ours_line.split()[2])}
            cpu: dict[str, list[float]] = {name: [] for name in servers}
            for _, address in servers.values():
                asyncio.run(drive(address, 200))
            for round_ in range(rounds):
                order = list(servers) if round_ % 2 else list(servers)[::-1]
                for name in order:
                    pid, address = servers[name]
                    before = cpu_s(pid)
                    asyncio.run(drive(address, requests))
                    cpu[name].append((cpu_s(pid) - before) / requests * 1e6)
    ratios = [ours_us / floor_us for ours_us, floor_us in zip(cpu["specroute"], cpu["floor"], strict=True)]
    print(f"60 events, {f'{gap_s * 1e3:g} ms apart' if gap_s else 'in one write'}:")
    for name in servers:
        print(f"  {name:10} {statistics.median(cpu[name]):5.0f} us of CPU per request")
    middle = statistics.median(ratios)
    print(f"  {'ratio':10} {middle:5.2f} (from {min(ratios):.2f} to {max(ratios):.2f}; target <= 1.50)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--floor", metavar="PORT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.floor:
        asyncio.run(serve_floor(options.floor))
    else:
        for gap_s in (0.002, 0.0):
            measure(options.rounds, options.requests, gap_s)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
