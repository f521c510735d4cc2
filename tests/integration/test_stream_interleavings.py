"""Streams of every mode and plan shape, whatever the upstreams send and whenever: what a caller is told always fits.

Each run draws an answer for each leg, how it comes to its end, how it is cut into reads and when those come, and
whether the caller leaves. Every answer is marked with its leg and its request, so that a stray piece of text is seen.
"""

from __future__ import annotations

from collections import Counter
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.integration.conftest import Service, config, new_nonce, serving, two_tiers
from tests.integration.stream_calls import StreamRecord, open_stream
from tests.integration.stream_stories import DEGRADED, SPAN_S, LegStory, Storyteller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.mock_upstream import MockUpstream

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

IN_FLIGHT = 24
CANCEL_RATIO = 0.1
TIERS = ("mini", "large")


@pytest.fixture(scope="module")
async def services(upstream: MockUpstream) -> AsyncIterator[dict[str, Service]]:
    """One service per shape of a plan; its guards are short, and an early commit is always allowed."""
    patience = {"first_token": "1s", "idle": "1s"}

    def document(**sections: Any) -> dict[str, Any]:
        return config(
            upstream.base_url,
            tiers=two_tiers(upstream.base_url, timeouts=patience),
            streaming={"write_stall_timeout": "900ms", "max_commit_error_ratio": 1.0},
            **sections,
        )

    documents = {
        "direct": document(prior=0.95),
        "direct_large": document(prior=0.1),
        "cascade": document(hedge_delay="on_rejection"),
        "hedge": document(hedge_delay=f"{SPAN_S / 2 * 1000:.0f}ms"),
        "race": document(),
        "cheapest": document(race={"prefer": "cheapest", "cheapest_grace": "20ms"}),
    }
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(serving(each)) for name, each in documents.items()}


async def run_streams(
    services: dict[str, Service], upstream: MockUpstream, count: int, seed: int
) -> tuple[Counter[str], Counter[str]]:
    """Runs streams, ``IN_FLIGHT`` at a time, checks each, and returns how many ended how and what was committed why."""
    ended: Counter[str] = Counter()
    commits: Counter[str] = Counter()
    permits = anyio.Semaphore(IN_FLIGHT)
    plans = sorted(services)

    async def run(number: int) -> None:
        teller = Storyteller(seed * 1_000_000 + number)
        nonce, plan = new_nonce(), plans[number % len(plans)]
        is_json = teller.draw.random() < 0.5
        stories = {model: teller.leg(model, nonce, is_json=is_json) for model in TIERS}
        prompt = upstream.on(nonce, **{model: story.script for model, story in stories.items()})
        leaves_after_s = teller.draw.uniform(0, 2 * SPAN_S) if teller.draw.random() < CANCEL_RATIO else None
        fields: dict[str, Any] = {"request_id": nonce} | ({"output": {"json_object": {}}} if is_json else {})
        delivery = teller.delivery()
        async with permits:
            record, left = await one_stream(services[plan], prompt, delivery, fields, leaves_after_s)
        told = f"seed {seed}, number {number}, {plan}, {delivery}, {[stories[tier].fate for tier in TIERS]}"
        try:
            check(record, stories, left=left)
        except AssertionError as error:
            error.add_note(told)
            raise
        ended["left" if left else outcome_of(record)] += 1
        ended["taken_back"] += bool(record.superseded)
        commits[record.reason] += 1

    async with anyio.create_task_group() as group:
        for number in range(count):
            group.start_soon(run, number)
    await upstream.until(lambda: not upstream.open_calls())
    for service in services.values():
        in_flight = [value for name, value in (await service.metrics()).items() if "_inflight{" in name]
        assert not any(in_flight)
    print(f"{count} streams: {dict(ended)}; commits {dict(commits)}")  # noqa: T201
    return ended, commits


async def one_stream(
    service: Service, prompt: str, delivery: dict[str, Any], fields: dict[str, Any], leaves_after_s: float | None
) -> tuple[StreamRecord, bool]:
    """Reads a stream; returns what it told, and whether the caller left before its end."""
    record = StreamRecord()
    call = open_stream(service.client, prompt, delivery, **fields)

    async def leave() -> None:
        assert leaves_after_s is not None
        await anyio.sleep(leaves_after_s)
        call.cancel()

    async with anyio.create_task_group() as group:
        if leaves_after_s is not None:
            group.start_soon(leave)
        try:
            await record.read_all(service.client, call)
        except anyio.get_cancelled_exc_class():
            if leaves_after_s is None or not call.cancelled():
                raise
            return record, True
        finally:
            group.cancel_scope.cancel()
    return record, False


def outcome_of(record: StreamRecord) -> str:
    if record.failed is not None:
        return record.failed.reason
    return "degraded" if record.completed.degraded else "ok"


def check(record: StreamRecord, stories: dict[str, LegStory], *, left: bool) -> None:
    """Asserts that what was told is what the upstreams said, leg by leg, and that the right answer was delivered."""
    if record.decided is None:
        assert left
        return
    tiers = [leg.tier for leg in record.decided.plan.legs]
    tiers += [tier for tier in TIERS if tier not in tiers]  # an escalation has the index after the last
    for leg, told in record.texts.items():
        assert stories[tiers[leg]].text.startswith(told), f"leg {leg} did not say {told!r}"
    if left:
        return
    fates = {tier: story.fate for tier, story in stories.items()}
    if all(fates[tier] == "good" for tier in tiers):
        assert record.completed is not None, record.failed
        assert not record.completed.degraded
    if record.failed is not None:
        reasons = ["NO_ACCEPTABLE_ANSWER", "STREAM_INTERRUPTED" if record.committed else "ALL_UPSTREAMS_FAILED"]
        assert record.failed.reason in reasons
        return
    reply = record.completed
    assert reply.output.text == stories[reply.tier].text
    assert reply.finish_reason == DEGRADED.get(fates[reply.tier], "stop")
    assert reply.degraded == (fates[reply.tier] in DEGRADED)
    assert reply.degraded or fates[reply.tier] == "good"


async def test_what_a_stream_tells_always_fits_together(services: dict[str, Service], upstream: MockUpstream) -> None:
    ended, commits = await run_streams(services, upstream, 150, seed=1)

    assert min(ended["ok"], ended["left"], ended["taken_back"], ended["STREAM_INTERRUPTED"]) > 0
    assert min(commits[reason] for reason in ("NOTHING_STRONGER", "PREFIX_SETTLED", "HELD_BACK", "VALIDATED")) > 0


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_what_each_of_2000_streams_tells_fits_together(
    services: dict[str, Service], upstream: MockUpstream
) -> None:
    ended, commits = await run_streams(services, upstream, 2_000, seed=2)

    assert min(ended["ok"], ended["left"], ended["taken_back"], ended["degraded"], ended["STREAM_INTERRUPTED"]) > 20
    assert min(commits[reason] for reason in ("NOTHING_STRONGER", "PREFIX_SETTLED", "HELD_BACK", "VALIDATED")) > 50
