"""The same engine on asyncio, as in production: no clock to trust, so order and ends are what is checked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

from specroute.core.outcome import AttemptEnd, Chunk
from specroute.core.request import Constraints, JsonObjectOutput, RouteRequest
from specroute.core.stream import DeliveryMode, DeliveryWish
from specroute.engine.referee import Prefer, RaceRules
from tests.engine.invariants import assert_settled, assert_streamed
from tests.fakes import (
    PREFIX_VALIDATORS,
    FakeReader,
    FakeUpstream,
    Hang,
    Pause,
    Script,
    Service,
    Until,
    breaks,
    pair_of,
    request_of,
    says,
    tokens,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from specroute.core.stream import StreamEvent
    from tests.fakes import Ended

pytestmark = pytest.mark.anyio
PLANS = ("direct", "cascade", "hedge", "race")
COMMITTED = DeliveryWish()
PROVISIONAL = DeliveryWish(DeliveryMode.PROVISIONAL)
JSON = request_of(output=JsonObjectOutput())


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


# --- streams --------------------------------------------------------------------------------------------------------


class WatchedReader(FakeReader):
    """Tells when its n-th write begins, and when it has ended."""

    def __init__(self, writes: int, *, pace_s: float = 0.0) -> None:
        super().__init__(pace_s=pace_s)
        self.begun, self.written = anyio.Event(), anyio.Event()
        self._left = writes

    async def send(self, event: StreamEvent) -> bool:
        self._left -= 1
        if self._left == 0:
            self.begun.set()
        reads = await super().send(event)
        if self._left == 0:
            self.written.set()
        return reads


def pair(mini: Script, large: Script, plan: str = "race") -> Service:
    return pair_of(mini, large, plan=plan, validators=PREFIX_VALIDATORS, hedge_delay_s=0.001)


async def streamed(
    service: Service, wish: DeliveryWish, request: RouteRequest | None = None, reader: FakeReader | None = None
) -> tuple[Ended, FakeReader]:
    sees = reader or FakeReader()
    ended = await service.stream(request or request_of(), wish, sees)
    assert_settled(service, ended)
    assert_streamed(ended, sees, instant_s=0.25)
    return ended, sees


@pytest.mark.parametrize("plan", PLANS)
async def test_a_settled_beginning_is_streamed_and_nothing_else_goes_on(plan: str) -> None:
    mini = tokens("Paris is", " the capital", " of France.", first_s=0.005, gap_s=0.001)
    ended, reader = await streamed(pair(mini, (Hang(),), plan), COMMITTED)
    assert ended.text == "Paris is the capital of France."
    assert reader.story[1].endswith("committed 0 prefix_settled")
    assert [line.partition(" ")[2] for line in reader.story[2:]] == [
        "delta 0 'Paris is'",
        "delta 0 ' the capital'",
        "delta 0 ' of France.'",
    ]


@pytest.mark.parametrize("plan", PLANS)
async def test_what_is_rejected_while_it_comes_is_taken_back_and_the_next_leg_follows(plan: str) -> None:
    service = pair(tokens('{"a":', " oops", first_s=0.005, gap_s=0.005), says("{}", after_s=0.05), plan)
    ended, reader = await streamed(service, PROVISIONAL, JSON)
    assert ended.text == "{}"
    assert [line.partition(" ")[2] for line in reader.story[1:4]] == [
        "delta 0 '{\"a\":' provisional",
        "superseded 0 not_json",
        "committed 1 nothing_stronger",
    ]


@pytest.mark.parametrize("plan", PLANS)
async def test_a_window_ends_by_time_though_no_token_comes(plan: str) -> None:
    mini = (Pause(0.005), Chunk('{"a":'), Pause(0.05), Chunk(" 1}"))
    wish = DeliveryWish(DeliveryMode.HOLD_BACK, hold_s=0.01)
    ended, reader = await streamed(pair(mini, (Hang(),), plan), wish, JSON)
    assert reader.story[1].endswith("committed 0 held_back")
    assert reader.seen[1].at_s < reader.seen[-1].at_s
    assert ended.text == '{"a": 1}'


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("wish", [COMMITTED, PROVISIONAL])
async def test_a_reader_that_stalls_leaves_nothing_running(plan: str, wish: DeliveryWish) -> None:
    others = asyncio.all_tasks()
    mini = (Chunk("Paris is"), Pause(0.001), Chunk(" it"), Hang())
    service = pair(mini, (Hang(),), plan)
    ended, _ = await streamed(service, wish, reader=FakeReader(leaves_after=2, stall_s=0.02))
    assert ended.reason == "READER_STALLED"
    assert asyncio.all_tasks() == others


@pytest.mark.parametrize(
    ("writes", "mini", "wish", "request_"),
    [
        pytest.param(1, (Hang(),), COMMITTED, request_of(), id="before the first token"),
        pytest.param(2, (Chunk('{"a":'), Hang()), PROVISIONAL, JSON, id="mid-stream before the commit"),
        pytest.param(3, (Chunk("Paris is"), Hang()), COMMITTED, request_of(), id="after the commit"),
    ],
)
@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("ticks", [0, 1, 5])
@pytest.mark.parametrize("twice", [False, True])
async def test_a_native_cancel_in_any_window_of_a_stream_ends_everything(
    writes: int, mini: Script, wish: DeliveryWish, request_: RouteRequest, plan: str, ticks: int, twice: bool
) -> None:
    reader = WatchedReader(writes)
    service = pair(mini, (Hang(),), plan)
    await cancel_when(reader.written, service, wish, request_, reader, ticks=ticks, twice=twice)
    assert len(reader.seen) == writes


@pytest.mark.parametrize("writes", [1, 2, 3, 4])
@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("wish", [COMMITTED, PROVISIONAL])
@pytest.mark.parametrize("twice", [False, True])
async def test_a_native_cancel_in_the_middle_of_a_write_ends_everything(
    writes: int, plan: str, wish: DeliveryWish, twice: bool
) -> None:
    reader = WatchedReader(writes, pace_s=0.005)
    service = pair((Chunk("Paris is"), Pause(0.001), Chunk(" it"), Hang()), (Hang(),), plan)
    await cancel_when(reader.begun, service, wish, request_of(), reader, ticks=1, twice=twice)
    assert len(reader.seen) <= writes + 1


async def cancel_when(
    moment: anyio.Event,
    service: Service,
    wish: DeliveryWish,
    request: RouteRequest,
    reader: FakeReader,
    *,
    ticks: int,
    twice: bool,
) -> None:
    """Cancels a stream natively, as the server does when its caller goes away, and checks that nothing is left."""
    others = asyncio.all_tasks()
    task = asyncio.get_running_loop().create_task(service.stream(request, wish, reader))
    await moment.wait()
    for _ in range(ticks):
        await anyio.lowlevel.checkpoint()
    task.cancel()
    if twice:
        await anyio.lowlevel.checkpoint()
        task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert asyncio.all_tasks() == others
    assert all(call.times_closed == 1 for call in service.calls)
    assert not any(service.telemetry.running.values())
    assert service.telemetry.outcomes == ["cancelled"]
