"""No answer ever reaches another caller, and nothing is left behind, whatever upstreams and clients do."""

from __future__ import annotations

import asyncio
import gc
import os
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio
import grpc
import pytest

from specroute.engine.tiers import BoundedUpstream
from specroute.guards.limits import InFlightLimit
from specroute.upstreams.transport import AiohttpTransport
from tests.integration.conftest import Service, config, new_nonce, serving
from tests.integration.mock_upstream import MockUpstream, Script, answers_status, hangs, resets, says
from tests.integration.reflection_client import ReflectionClient, prompt_fields
from tests.integration.service_process import service_process

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

T = TypeVar("T")

IN_FLIGHT = 20
CANCEL_RATIO = 0.3
RACES = int(os.environ.get("SPECROUTE_SOAK_RACES", "2000"))
PART = 1_000
MOST_GROWTH_BYTES = 20e6
"""What the allocator may keep after a peak."""
MORE_THREADS = 4
"""What gRPC's own pool may start while it is starved of CPU."""
SPARE_FILES = 2 * IN_FLIGHT
"""Idle connections that the pool may have kept; each race leaks one if a leak there is."""

MIXED: dict[str, Callable[[str], Script]] = {
    "ok": lambda echo: says(f"{echo} ", "end.", between_s=0.002),
    "slow": lambda echo: says(f"{echo} ", "end.", after_s=0.02, between_s=0.005),
    "refuses": lambda echo: says(f"I'm sorry, I can't help with {echo}."),
    "truncated": lambda echo: says(f"{echo} e", finish="length"),
    "empty": lambda _: says(),
    "error": lambda _: answers_status(500),
    "limited": lambda _: answers_status(429),
    "reset": lambda echo: resets(f"{echo} e"),
    "hangs": lambda echo: hangs(f"{echo} "),
}


async def mixed_races(client: ReflectionClient, upstream: MockUpstream, count: int, seed: int) -> tuple[int, int, int]:
    """Runs races of mixed fate, some of them cancelled by the client; returns (answered, refused, cancelled)."""
    draw = random.Random(seed)
    permits = anyio.Semaphore(IN_FLIGHT)
    counts = [0, 0, 0]

    async def run(fates: list[str], cancel_after_s: float | None) -> None:
        nonce = new_nonce()
        scripts = {
            model: MIXED[fate](f"{model}<{nonce}>") for model, fate in zip(("mini", "large"), fates, strict=True)
        }
        prompt = upstream.on(nonce, **scripts)
        async with permits:
            call = client.start("Route", client.request(prompt_fields(prompt) | {"request_id": nonce}), 0.5)
            if cancel_after_s is not None:
                await anyio.sleep(cancel_after_s)
                call.cancel()
            try:
                reply = await call
            except grpc.aio.AioRpcError as error:
                failed = client.failed(error)
                assert failed.reason or failed.code is grpc.StatusCode.DEADLINE_EXCEEDED
                assert failed.decision is None or failed.decision.request_id == nonce
                counts[1] += 1
            except anyio.get_cancelled_exc_class():
                if cancel_after_s is None:
                    raise
                counts[2] += 1
            else:
                assert reply.request_id == nonce
                assert reply.output.text == f"{reply.tier}<{nonce}> end."
                counts[0] += 1

    async with anyio.create_task_group() as group:
        for _ in range(count):
            fates = draw.choices(list(MIXED), weights=[4, 4, 1, 1, 1, 1, 1, 1, 1], k=2)
            group.start_soon(run, fates, draw.uniform(0, 0.03) if draw.random() < CANCEL_RATIO else None)
    await upstream.until(lambda: not upstream.open_calls())
    return counts[0], counts[1], counts[2]


def living(kind: type[T]) -> list[T]:
    """Returns the objects of a kind that exist now: the wiring of a running service shows none of its parts."""
    gc.collect()
    return [found for found in gc.get_objects() if type(found) is kind]


async def until_at_rest(service: Service) -> None:
    """Waits until nothing of the service is in use: permits of upstreams and admission, connections, legs."""
    bounded, limits, transports = living(BoundedUpstream), living(InFlightLimit), living(AiohttpTransport)
    assert bounded
    assert limits
    assert transports

    def is_at_rest() -> bool:
        return not (
            any(upstream.permits.value != upstream.max_concurrency for upstream in bounded)
            or any(limit.in_flight for limit in limits)
            or any(transport.acquired_connections for transport in transports)
        )

    with anyio.fail_after(5):
        while not is_at_rest():  # noqa: ASYNC110 - counters have no event
            await anyio.sleep(0.01)
    in_flight = {name: value for name, value in (await service.metrics()).items() if "_inflight{" in name}
    assert in_flight == {'specroute_inflight{tier="mini"}': 0.0, 'specroute_inflight{tier="large"}': 0.0}


async def until_no_more_tasks_than(before: int) -> None:
    with anyio.fail_after(5):
        while len(asyncio.all_tasks()) > before:  # noqa: ASYNC110 - tasks end without an event
            await anyio.sleep(0.01)


async def test_mixed_races_with_cancels_mix_up_nothing_and_leave_nothing_behind(upstream: MockUpstream) -> None:
    async with serving(config(upstream.base_url)) as service:
        await mixed_races(service.client, upstream, 50, seed=3)
        await until_at_rest(service)
        tasks, files = len(asyncio.all_tasks()), open_files(os.getpid())

        answered, refused, cancelled = await mixed_races(service.client, upstream, 350, seed=4)

        assert min(answered, refused, cancelled) > 10
        await until_at_rest(service)
        await until_no_more_tasks_than(tasks + len(upstream.connections))
        assert open_files(os.getpid()) <= files + 2 * SPARE_FILES  # both ends of a connection are ours
    await upstream.until(lambda: not upstream.connections)


@pytest.mark.soak
@pytest.mark.timeout(120 + RACES / 20)
async def test_thousands_of_mixed_races_leave_the_process_as_it_was(upstream: MockUpstream) -> None:
    async with service_process(config(upstream.base_url)) as process:
        client = await ReflectionClient.connect(process.address)
        await mixed_races(client, upstream, PART, seed=5)
        pid = process.process.pid
        before, counts = Standing.of(pid), Counter[str]()
        for part in range(RACES // PART):
            ended = await mixed_races(client, upstream, PART, seed=6 + part)
            counts.update(dict(zip(("answered", "refused", "cancelled"), ended, strict=True)))
        after = Standing.of(pid)
        print(f"{counts.total():,} races: {dict(counts)}; {before} -> {after}")  # noqa: T201 - for `pytest -s`

        assert min(counts.values()) > RACES // 20
        assert after.files <= before.files + SPARE_FILES
        assert after.threads <= before.threads + MORE_THREADS
        assert after.memory_bytes <= before.memory_bytes + MOST_GROWTH_BYTES
        await client.close()
        assert await process.stop() == 0


@dataclass(frozen=True)
class Standing:
    """What a process holds: open files, threads, resident memory."""

    files: int
    threads: int
    memory_bytes: int

    @classmethod
    def of(cls, pid: int) -> Standing:
        pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
        return cls(open_files(pid), threads, pages * os.sysconf("SC_PAGE_SIZE"))


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
