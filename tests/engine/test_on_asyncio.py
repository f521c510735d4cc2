"""The same engine on asyncio, as in production: no clock to trust, so order and ends are what is checked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

from specroute.core.outcome import AttemptEnd, Chunk
from specroute.core.request import Constraints, RouteRequest
from specroute.engine.referee import Prefer, RaceRules
from tests.engine.invariants import assert_settled
from tests.fakes import FakeUpstream, Hang, Pause, Script, Until, breaks, pair_of, request_of, says

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

pytestmark = pytest.mark.anyio
PLANS = ("direct", "cascade", "hedge", "race")


@pytest.mark.parametrize("plan", PLANS)
async def test_a_first_leg_that_answers_is_delivered(plan: str) -> None:
    service = pair_of(says("Paris"), (Hang(),), plan=plan)
    ended = await service.run(request_of())
    assert_settled(service, ended)
    assert (ended.text, ended.tier) == ("Paris", "mini")


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("bad", [breaks(), says(""), says("I'm sorry, but I can't help with that.")])
async def test_a_bad_first_leg_never_wins(plan: str, bad: Script) -> None:
    service = pair_of(bad, says("Paris"), plan=plan)
    ended = await service.run(request_of())
    assert_settled(service, ended)
    assert (ended.text, ended.tier) == ("Paris", "large")


async def test_two_answers_in_one_instant_the_cheaper_wins() -> None:
    service = pair_of(says("from mini"), says("from large"))
    ended = await service.run(request_of())
    assert_settled(service, ended)
    assert ended.tier == "mini"


async def test_a_held_answer_is_released_when_the_cheaper_leg_fails() -> None:
    service = pair_of(breaks(after_s=0.01), says("Paris"), race=RaceRules(Prefer.CHEAPEST, 30.0))
    ended = await service.run(request_of())
    assert_settled(service, ended)
    assert ended.ends == ["mini failed http_500", "large won"]


@pytest.mark.parametrize("plan", PLANS)
async def test_the_deadline_ends_everything(plan: str) -> None:
    service = pair_of((Hang(),), (Hang(),), plan=plan)
    ended = await service.run(request_of(), deadline_s=0.02)
    assert ended.reason == "DEADLINE_EXCEEDED"
    assert all(call.times_closed == 1 for call in service.calls)


async def test_a_latency_budget_releases_a_poor_answer() -> None:
    service = pair_of(says("a poor answer"), (Hang(),))
    ended = await service.run(request_of(constraints=Constraints(latency_budget_s=0.02)))
    assert_settled(service, ended)
    assert ended.routed is not None
    assert ended.routed.delivery.degraded


@pytest.mark.parametrize("plan", ["hedge", "race"])
async def test_a_cancellation_that_a_library_made_up_is_a_failed_leg(plan: str) -> None:
    class MadeUp(FakeUpstream):
        async def stream(self, request: RouteRequest) -> AsyncGenerator[Chunk, None]:
            async for chunk in super().stream(request):
                yield chunk
            raise asyncio.CancelledError

    service = pair_of(MadeUp("mini-0", (Pause(0.01),)), says("Paris", after_s=0.02), plan=plan, hedge_delay_s=0.001)
    ended = await service.run(request_of())
    assert_settled(service, ended)
    assert ended.ends == ["mini failed internal", "large won"]


@pytest.mark.parametrize("ticks", range(8))
@pytest.mark.parametrize("plan", PLANS)
async def test_a_scopes_cancel_at_any_turn_ends_everything(plan: str, ticks: int) -> None:
    service = pair_of(says(""), says("Paris"), plan=plan)
    ended = await service.run(request_of(), cancel_at=Until(0.0, ticks))
    assert_settled(service, ended)


@pytest.mark.parametrize("ticks", range(8))
@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("twice", [False, True])
async def test_a_native_cancel_of_the_task_at_any_turn_ends_everything(plan: str, ticks: int, twice: bool) -> None:
    service = pair_of(says(""), says("Paris"), plan=plan)
    task = asyncio.get_running_loop().create_task(service.run(request_of()))
    for _ in range(ticks):
        await anyio.lowlevel.checkpoint()
    was_asked = task.cancel()
    if twice:
        await anyio.lowlevel.checkpoint()
        task.cancel()
    await asyncio.wait([task])
    assert was_asked or task.done()
    assert all(call.times_closed == 1 for call in service.calls)
    assert not any(service.telemetry.running.values())
    if service.telemetry.started:
        assert len(service.telemetry.decisions) == 1
        decision, outcome = service.telemetry.decisions[0]
        assert (outcome == "cancelled") is task.cancelled()
        assert any(attempt.end is AttemptEnd.WON for attempt in decision.attempts) is (outcome == "ok")
