"""Streams of all kinds for a long time, many of them cancelled: the service's process stays what it was.

An open loop at a share of what the process can take: arrivals do not wait for what was slow before them. What it can
take is measured first, as streams for each second of its CPU time, so that other load on the machine does not count.
"""

from __future__ import annotations

import os
import random
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.integration.conftest import config, new_nonce, scrape, two_tiers
from tests.integration.mock_upstream import MockUpstream, says
from tests.integration.reflection_client import ReflectionClient
from tests.integration.service_process import service_process
from tests.integration.stream_calls import StreamRecord, open_stream
from tests.integration.stream_stories import SPAN_S, LegStory, Storyteller

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.service_process import ServiceProcess

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

MINUTES = float(os.environ.get("SPECROUTE_SOAK_MINUTES", "20"))
LOAD_RATIO = 0.6
CANCEL_RATIO = 0.2
IN_FLIGHT = 32
"""In the closed loop that measures the capacity."""
CHANNELS = 4
STORIES = 300
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
PLANS = ("direct", "cascade", "hedge", "race")

MOST_GROWTH_BYTES = 20e6
"""What the allocator may keep after a peak."""
MORE_FILES = 8
MORE_TASKS = 3
MORE_OBJECTS = 3_000


def document(base_url: str) -> dict[str, Any]:
    """Returns a configuration that plans as the label ``plan`` says, and counts itself where ``census`` is set."""
    census = {"name": "census", "use": "tests.integration.census:Census"}
    rules = [
        {"name": "census", "when": {"labels": {"census": ["yes"]}}, "route": "mini", "validators": [census]},
        {"name": "direct", "when": {"labels": {"plan": ["direct"]}}, "route": "mini"},
        {"name": "cascade", "when": {"labels": {"plan": ["cascade"]}}, "start": "mini"},
        {"name": "race", "when": {"labels": {"plan": ["race"]}}, "race": ["mini", "large"]},
    ]
    return config(
        base_url,
        tiers=two_tiers(base_url, max_concurrency=512, timeouts={"first_token": "1s", "idle": "1s"}),
        policy={"rules": rules},
        hedge_delay=f"{SPAN_S / 2 * 1000:.0f}ms",
        streaming={"write_stall_timeout": "900ms"},
        limits={"max_in_flight": 1024},
    )


@dataclass(frozen=True)
class Sample:
    """What the process holds at an instant. ``at_s``: since the beginning; ``cpu_s``: used so far."""

    at_s: float
    rss_bytes: int
    files: int
    threads: int
    cpu_s: float

    def __str__(self) -> str:
        return f"{self.at_s:7.1f} s  {self.rss_bytes / 1e6:6.1f} MB  {self.files:4d} files  {self.threads:3d} threads"


@dataclass(frozen=True)
class Census:
    """What lives in the process at rest."""

    tasks: int
    objects: int


@dataclass
class Load:
    """Streams against one process."""

    upstream: MockUpstream
    clients: list[ReflectionClient]
    process: ServiceProcess
    draw: random.Random
    ended: Counter[str] = field(default_factory=Counter)
    began_s: float = field(default_factory=time.monotonic)
    _stories: list[tuple[bool, LegStory, LegStory]] = field(default_factory=list)
    _done: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        teller = Storyteller(self.draw.randrange(2**32))
        for number in range(STORIES):
            is_json = self.draw.random() < 0.5
            mini, large = (teller.leg(model, f"s{number}", is_json=is_json) for model in ("mini", "large"))
            self._stories.append((is_json, mini, large))
        self._teller = teller

    async def one(self, *, may_leave: bool = True) -> None:
        """Runs one stream of any kind."""
        nonce = new_nonce()
        is_json, mini, large = self.draw.choice(self._stories)
        prompt = self.upstream.on(nonce, mini=mini.script, large=large.script)
        fields: dict[str, Any] = {"labels": {"plan": self.draw.choice(PLANS)}}
        if is_json:
            fields["output"] = {"json_object": {}}
        leaves = may_leave and self.draw.random() < CANCEL_RATIO
        client = self.draw.choice(self.clients)
        record, call = StreamRecord(may_be_refused=True), open_stream(client, prompt, self._teller.delivery(), **fields)
        try:
            if leaves:
                with anyio.move_on_after(self.draw.uniform(0, 2 * SPAN_S)):
                    await record.read_all(client, call)
            else:
                await record.read_all(client, call)
        finally:
            call.cancel()
        self.ended[how(record)] += 1
        self._done.add(nonce)

    async def closed_loop(self, span_s: float) -> float:
        """Runs streams as fast as they go; returns how many the process takes in a second of its CPU time."""
        until_s, before, count = time.monotonic() + span_s, self.sample(), 0

        async def worker() -> None:
            nonlocal count
            while time.monotonic() < until_s:
                await self.one(may_leave=False)
                count += 1

        async with anyio.create_task_group() as group:
            for _ in range(IN_FLIGHT):
                group.start_soon(worker)
        return count / (self.sample().cpu_s - before.cpu_s)

    async def open_loop(self, span_s: float, per_s: float, *, sample_every_s: float) -> list[Sample]:
        """Starts streams at random instants, ``per_s`` on average, whatever became of those before."""
        now_s = began_s = time.monotonic()
        samples = [self.sample()]
        async with anyio.create_task_group() as group:
            while now_s < began_s + span_s:
                now_s += self.draw.expovariate(per_s)
                await anyio.sleep(max(0.0, now_s - time.monotonic()))
                group.start_soon(self.one)
                if now_s - began_s >= sample_every_s * len(samples):
                    samples.append(self.sample())
                    self._forget()
        return samples

    async def at_rest(self) -> tuple[Sample, Census]:
        """Waits until nothing runs; returns what the process holds then, idle connections to the upstream left out."""
        await self.upstream.until(lambda: not self.upstream.open_calls(), within_s=30)
        await self._until_idle()
        found: set[Census] = set()
        for _ in range(3):  # the least of a few: the question itself, and what just ends, count too
            found.add(await self._census())
        sample = self.sample()
        files = sample.files - len(self.upstream.connections)
        rest = Sample(sample.at_s, sample.rss_bytes, files, sample.threads, sample.cpu_s)
        return rest, min(found, key=lambda census: (census.tasks, census.objects))

    def sample(self) -> Sample:
        folder = Path(f"/proc/{self.process.process.pid}")
        fields = folder.joinpath("stat").read_text().rsplit(")", 1)[1].split()
        return Sample(
            time.monotonic() - self.began_s,
            int(fields[21]) * PAGE_BYTES,
            len(list(folder.joinpath("fd").iterdir())),
            int(fields[17]),
            (int(fields[11]) + int(fields[12])) / TICKS_PER_S,
        )

    def _forget(self) -> None:
        self.upstream.forget(self._done)
        self._done.clear()

    async def _until_idle(self) -> None:
        with anyio.fail_after(30):
            while True:
                samples = await scrape(self.process.metrics_address)
                if not any(value for name, value in samples.items() if name.startswith("specroute_inflight{")):
                    return
                await anyio.sleep(0.1)

    async def _census(self) -> Census:
        prompt = self.upstream.on(new_nonce(), mini=says("How many are we?"))
        reply = await self.clients[0].route(prompt, labels={"census": "yes"})
        (reason,) = (each.reason for each in reply.decision.attempts[0].verdicts if each.validator == "census")
        _, tasks, _, objects = reason.split("_")
        return Census(int(tasks), int(objects))


def how(record: StreamRecord) -> str:
    if record.completed is not None:
        return "degraded" if record.completed.degraded else "ok"
    if record.is_refused:
        return "refused"
    return "left" if record.failed is None else record.failed.reason


async def soak(upstream: MockUpstream, *, probe_s: float, warm_up_s: float, span_s: float, every_s: float) -> None:
    """Runs the load for ``span_s`` after a warm-up, prints what the process held, and asserts that it did not grow."""
    async with service_process(document(upstream.base_url)) as process:
        clients = [await ReflectionClient.connect(process.address) for _ in range(CHANNELS)]
        load = Load(upstream, clients, process, random.Random(7))
        capacity = await load.closed_loop(probe_s)
        per_s = LOAD_RATIO * capacity
        await load.open_loop(warm_up_s, per_s, sample_every_s=1.0)
        before, alive_before = await load.at_rest()
        load.ended.clear()

        samples = await load.open_loop(span_s, per_s, sample_every_s=every_s)
        after, alive_after = await load.at_rest()

        report(load, capacity, samples, rests=((before, alive_before), (after, alive_after)))
        quarter = max(1, len(samples) // 4)
        settled, last = (
            statistics.median(sample.rss_bytes for sample in part)
            for part in (samples[quarter : 2 * quarter], samples[-quarter:])
        )
        assert last - settled < MOST_GROWTH_BYTES
        assert after.rss_bytes - before.rss_bytes < MOST_GROWTH_BYTES
        assert after.files <= before.files + MORE_FILES
        assert after.threads <= before.threads + MORE_FILES
        assert alive_after.tasks <= alive_before.tasks + MORE_TASKS
        assert alive_after.objects <= alive_before.objects + MORE_OBJECTS
        assert min(load.ended["ok"], load.ended["left"]) > 0
        assert "INTERNAL" not in load.ended
        assert load.ended["refused"] < 0.01 * sum(load.ended.values())
        for client in clients:
            await client.close()
        assert await process.stop() == 0
    await upstream.until(lambda: not upstream.connections)


def report(
    load: Load, capacity: float, samples: list[Sample], *, rests: tuple[tuple[Sample, Census], tuple[Sample, Census]]
) -> None:
    say: Callable[[str], None] = print
    spent_s, wall_s = samples[-1].cpu_s - samples[0].cpu_s, samples[-1].at_s - samples[0].at_s
    sent_per_s = sum(load.ended.values()) / wall_s
    say(f"takes {capacity:.0f} streams/s; {sent_per_s:.0f}/s sent, {spent_s / wall_s:.0%} of a core")
    say(f"ended: {dict(load.ended)}")
    for sample in samples[:: max(1, len(samples) // 20)]:
        say(f"  {sample}")
    for when, (sample, census) in zip(("before", "after"), rests, strict=True):
        say(f"  at rest {when}: {sample}, {census.tasks} tasks, {census.objects} objects")


async def test_a_short_soak_leaves_the_process_as_it_was(upstream: MockUpstream) -> None:
    await soak(upstream, probe_s=1.0, warm_up_s=1.5, span_s=5.0, every_s=0.5)


@pytest.mark.soak
@pytest.mark.timeout(60 * MINUTES + 600)
async def test_a_long_soak_leaves_the_process_as_it_was(upstream: MockUpstream) -> None:
    span_s = 60 * MINUTES
    await soak(upstream, probe_s=5.0, warm_up_s=min(60.0, span_s / 4), span_s=span_s, every_s=span_s / 200)
