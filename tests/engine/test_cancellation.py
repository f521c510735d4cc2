"""The caller goes away: at every instant, everything it had started ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from specroute.core.errors import UpstreamError
from specroute.core.outcome import AttemptEnd, Chunk, FinishReason
from specroute.engine.referee import Prefer, RaceRules
from tests.engine.stories import story
from tests.fakes import FakeUpstream, Hang, Pause, Until, breaks, pair_of, router_of, says, served_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from specroute.core.request import RouteRequest


PLANS = ("direct", "cascade", "hedge", "race")
INSTANTS = [0.0, 0.1, 0.5, 0.999, 1.0, 1.001, 1.5, 2.0, 2.5, 2.999]


@pytest.mark.parametrize("ticks", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("at_s", INSTANTS)
@pytest.mark.parametrize("plan", PLANS)
def test_a_caller_that_goes_away_ends_everything_in_that_instant(plan: str, at_s: float, ticks: int) -> None:
    mini = (Pause(0.5), Chunk("The "), Pause(0.5), Chunk(finish_reason=FinishReason.LENGTH))
    large = (Pause(0.5), Chunk("The "), *says("end", after_s=1.5))
    service = pair_of(mini, large, plan=plan)
    ended = story(service, cancel_at=Until(at_s, ticks))
    assert ended.was_cancelled or (plan == "race" and at_s >= 2.0)
    for call in service.calls:
        assert call.closed_at_s is not None
        assert call.closed_at_s <= ended.at_s
    if ended.was_cancelled:
        assert ended.at_s == pytest.approx(at_s)
        cut = [attempt for attempt in ended.attempts if attempt.end is AttemptEnd.CANCELLED]
        # The answer may come in the very instant in which the caller goes: then the verdict cut the loser short.
        verdict = {"lost_race"} if plan == "race" and at_s == 2.0 else set()
        assert {attempt.reason for attempt in cut} <= {"client_gone"} | verdict


def test_an_answer_that_was_held_is_not_won_when_the_caller_goes_away() -> None:
    race = RaceRules(Prefer.CHEAPEST, 50.0)
    ended = story(pair_of((Hang(),), says("held", after_s=1), race=race), cancel_at=Until(2.0))
    assert ended.was_cancelled
    assert ended.ends == ["mini cancelled client_gone", "large cancelled client_gone"]
    assert ended.decision is not None
    assert ended.decision.money.delivered_nano_usd == 0


def test_a_leg_that_was_not_launched_stands_in_the_record_of_a_cancelled_request() -> None:
    ended = story(pair_of((Hang(),), says("unused"), plan="cascade"), cancel_at=Until(1.0))
    assert ended.ends == ["mini cancelled client_gone", "large not_launched"]


def test_the_record_of_a_cancelled_request_names_the_stages() -> None:
    ended = story(pair_of((Hang(),), (Hang(),)), cancel_at=Until(1.0))
    assert ended.decision is not None
    assert [stage for stage, _ in ended.decision.timings_s] == ["admit", "predict", "plan", "judge"]
    assert ended.decision.used_s == 1.0


@pytest.mark.parametrize("plan", PLANS)
def test_a_caller_that_goes_away_starts_no_failover_and_no_escalation(plan: str) -> None:
    service = pair_of((Pause(1), breaks()[1]), says("never", after_s=9), plan=plan, hedge_delay_s=50.0)
    story(service, cancel_at=Until(1.0))
    assert len(service.calls_of("large-0")) <= 1
    assert all(call.closed_at_s == 1.0 for call in service.calls)


def test_an_upstream_that_turns_a_cancel_into_an_error_starts_no_further_call() -> None:

    class Swallowing(FakeUpstream):
        async def stream(self, request: RouteRequest) -> AsyncGenerator[Chunk, None]:
            try:
                async for chunk in super().stream(request):
                    yield chunk
            except anyio.get_cancelled_exc_class() as cancelled:
                raise UpstreamError("reset", before_first_byte=True) from cancelled

    spare = FakeUpstream("mini-1", says("never"))
    service = router_of(served_of("mini", Swallowing("mini-0", (Hang(),)), spare), p_accept={"mini": 1.0})
    ended = story(service, cancel_at=Until(1.0))
    assert ended.was_cancelled
    assert not spare.calls
