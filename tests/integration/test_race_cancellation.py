"""How soon calls that nobody needs any more are closed, seen from the upstream's side."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import grpc
import pytest

from tests.integration.conftest import Plans, Service, config, new_nonce
from tests.integration.mock_upstream import MockUpstream, Script, drips, hangs, says
from tests.integration.reflection_client import ReflectionClient, prompt_fields
from tests.integration.service_process import service_process

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.integration, pytest.mark.anyio]

CLOSED_WITHIN_S = 0.1
GONE_WITHIN_S = 0.25
IN_FLIGHT = 20


@dataclass
class Race:
    """One race to be run: which model has the fast valid answer, and what the other one does meanwhile."""

    nonce: str
    winner: str
    loser: str
    loser_does: str


LOSERS: dict[str, Callable[[], Script]] = {
    "silent": hangs,
    "one_token": lambda: hangs("So"),
    "dripping": drips,
    "late": lambda: says("Late.", after_s=30),
    "large_body": lambda: drips("x" * 4_000, every_s=0.01),
}


async def close_latencies_s(client: ReflectionClient, upstream: MockUpstream, count: int, seed: int) -> list[float]:
    """Runs races, ``IN_FLIGHT`` at a time; returns, per loser that was connected, the time from the last byte of the
    accepted answer to the loser's connection being closed, both seen by the upstream."""
    draw = random.Random(seed)
    races = []
    for _ in range(count):
        winner, loser = draw.sample(["mini", "large"], 2)
        races.append(Race(new_nonce(), winner, loser, draw.choice(list(LOSERS))))
    permits = anyio.Semaphore(IN_FLIGHT)

    async def run(race: Race, answer_after_s: float) -> None:
        script = says(f"Answer {race.nonce}", ".", after_s=answer_after_s)
        prompt = upstream.on(race.nonce, **{race.winner: script, race.loser: LOSERS[race.loser_does]()})
        async with permits:
            reply = await client.route(prompt)
            assert reply.output.text == f"Answer {race.nonce}."
            assert reply.tier == race.winner

    async with anyio.create_task_group() as group:
        for race in races:
            group.start_soon(run, race, draw.uniform(0.0, 0.03))
    await upstream.until(lambda: not upstream.open_calls())
    latencies = []
    for race in races:
        won = upstream.the_call(race.nonce, race.winner)
        for lost in upstream.calls_of(race.nonce, race.loser):
            assert lost.closed_s is not None
            assert won.last_byte_s is not None
            latencies.append(lost.closed_s - won.last_byte_s)
    return latencies


def print_figures(latencies: list[float]) -> None:
    ordered = sorted(latencies)
    p50, p99 = (ordered[int(len(ordered) * share)] * 1e3 for share in (0.5, 0.99))
    most = ordered[-1] * 1e3
    print(f"{len(ordered)} losers closed: p50 {p50:.2f} ms, p99 {p99:.2f} ms, max {most:.2f} ms")  # noqa: T201


async def test_every_loser_is_closed_within_100_ms_of_the_winners_last_byte(
    race: Service, upstream: MockUpstream
) -> None:
    latencies = await close_latencies_s(race.client, upstream, 400, seed=1)

    print_figures(latencies)
    assert len(latencies) > 350
    assert max(latencies) < CLOSED_WITHIN_S


@pytest.mark.soak
async def test_every_loser_of_2000_races_against_a_real_process_is_closed_in_time(upstream: MockUpstream) -> None:
    async with service_process(config(upstream.base_url)) as process:
        client = await ReflectionClient.connect(process.address)
        latencies = await close_latencies_s(client, upstream, 2_000, seed=2)
        await client.close()

    print_figures(latencies)
    assert max(latencies) < CLOSED_WITHIN_S


@pytest.mark.parametrize("plan", ["direct", "cascade", "hedge", "race"])
@pytest.mark.parametrize("moment", ["before_the_first_byte", "midway"])
async def test_a_client_that_cancels_closes_every_call(
    plans: Plans, upstream: MockUpstream, nonce: str, plan: str, moment: str
) -> None:
    script = hangs() if moment == "before_the_first_byte" else drips()
    client = getattr(plans, plan).client
    prompt = upstream.on(nonce, mini=script, large=script)
    expected = ["mini", "large"] if plan in ("hedge", "race") else ["mini"]

    call = client.start("Route", client.request(prompt_fields(prompt)))
    await upstream.until_called(nonce, expected)
    call.cancel()
    cancelled_s = time.monotonic()
    await upstream.until_closed(nonce)

    calls = upstream.calls_of(nonce)
    assert sorted(call.model for call in calls) == sorted(expected)
    assert max(call.closed_s or 0.0 for call in calls) - cancelled_s < GONE_WITHIN_S


async def test_a_channel_that_closes_takes_its_calls_with_it(plans: Plans, upstream: MockUpstream, nonce: str) -> None:
    client = await ReflectionClient.connect(plans.race.app.addresses.serving)
    call = client.start("Route", client.request(prompt_fields(upstream.on(nonce, mini=drips(), large=hangs()))))
    await upstream.until_called(nonce, ["mini", "large"])

    closed_s = time.monotonic()
    await client.close()
    await upstream.until_closed(nonce)

    assert call.done()
    assert max(call.closed_s or 0.0 for call in upstream.calls_of(nonce)) - closed_s < GONE_WITHIN_S


async def test_a_client_deadline_closes_every_call(plans: Plans, upstream: MockUpstream, nonce: str) -> None:
    client = plans.race.client
    began_s = time.monotonic()
    call = client.start("Route", client.request(prompt_fields(upstream.on(nonce, mini=drips(), large=hangs()))), 0.2)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    await upstream.until_closed(nonce)

    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert max(call.closed_s or 0.0 for call in upstream.calls_of(nonce)) - began_s < 0.2 + 0.05
