"""What each attempt cost, on which basis, and what a request saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from specroute.core.deadline import Deadline
from specroute.core.outcome import AttemptCost, AttemptEnd, Chunk, CostBasis, Usage
from specroute.core.plan import Leg
from specroute.core.request import BYTES_PER_TOKEN, Generation, RouteRequest
from specroute.engine.ledger import Ledger
from specroute.engine.router import Arrival
from specroute.engine.tiers import BoundedUpstream, Timeouts
from specroute.policy.rules import estimate_cost_nano_usd
from tests.engine.stories import story
from tests.fakes import (
    LARGE,
    MINI,
    Ended,
    FakeUpstream,
    Hang,
    Pause,
    breaks,
    on_virtual_clock,
    pair_of,
    request_of,
    says,
)

if TYPE_CHECKING:
    from specroute.core.tier import Tier

TEXT = "The capital is Paris."
COUNTED_TOKENS = -(-len(TEXT) // BYTES_PER_TOKEN)
PARTIAL = (Chunk(TEXT), Hang())


def cost_of(ended: Ended, tier: str) -> AttemptCost:
    return next(attempt for attempt in ended.attempts if attempt.tier == tier).cost


def exactly(basis: CostBasis, nano_usd: int) -> AttemptCost:
    return AttemptCost(basis, nano_usd, nano_usd, nano_usd)


def price(tier: Tier, request: RouteRequest, output_tokens: int) -> int:
    return tier.price.cost_of_nano_usd(request.input_tokens, output_tokens)


def test_reported_usage_is_metered_with_the_price_of_cached_input() -> None:
    usage = Usage(1_000, 400, 100)
    ended = story(pair_of(says(TEXT, usage=usage), (Hang(),)))
    wanted = 600 * 150 + 400 * 75 + 100 * 600
    assert cost_of(ended, "mini") == exactly(CostBasis.METERED, wanted)
    assert ended.attempts[0].usage == usage


def test_without_reported_usage_the_text_is_counted() -> None:
    request = request_of()
    ended = story(pair_of(says(TEXT), (Hang(),)))
    assert cost_of(ended, "mini") == exactly(CostBasis.COUNTED, price(MINI, request, COUNTED_TOKENS))


def test_a_cancelled_loser_costs_what_it_streamed_where_cancelling_stops_the_bill() -> None:
    request = request_of()
    ended = story(pair_of(says("ok", after_s=1), PARTIAL))
    assert cost_of(ended, "large") == exactly(CostBasis.COUNTED, price(LARGE, request, COUNTED_TOKENS))


@pytest.mark.parametrize(
    ("max_output_tokens", "best_tokens", "high_tokens"), [(None, 300, 300), (1_000, 300, 1_000), (50, 50, 50)]
)
def test_a_cancelled_loser_is_bounded_where_the_bill_runs_on(
    max_output_tokens: int | None, best_tokens: int, high_tokens: int
) -> None:
    request = request_of(generation=Generation(max_output_tokens=max_output_tokens))
    ended = story(pair_of(says("ok", after_s=1), PARTIAL, cancel_stops_billing=False), request)
    assert cost_of(ended, "large") == AttemptCost(
        CostBasis.BOUNDED,
        price(LARGE, request, best_tokens),
        price(LARGE, request, COUNTED_TOKENS),
        price(LARGE, request, high_tokens),
    )


def test_a_loser_that_streamed_more_than_expected_keeps_its_bounds_in_order() -> None:
    long = "word " * 2_000
    ended = story(pair_of(says("ok", after_s=1), (Chunk(long), Hang()), cancel_stops_billing=False))
    cost = cost_of(ended, "large")
    assert cost.low_nano_usd == cost.best_nano_usd == cost.high_nano_usd


def test_a_call_that_the_provider_refused_costs_nothing_and_one_that_broke_off_what_it_streamed() -> None:
    refused = story(pair_of(breaks("http_429"), says("ok", after_s=1)))
    assert cost_of(refused, "mini") == AttemptCost()
    broke = story(pair_of((Chunk(TEXT), breaks("reset")[1]), says("ok", after_s=1)))
    assert cost_of(broke, "mini") == exactly(CostBasis.COUNTED, price(MINI, request_of(), COUNTED_TOKENS))


def test_a_timed_out_call_is_counted_with_its_prompt() -> None:
    service = pair_of((Hang(),), says("ok"), plan="cascade", mini_timeouts=Timeouts(first_token_s=1))
    assert cost_of(story(service), "mini") == exactly(CostBasis.COUNTED, price(MINI, request_of(), 0))


def test_a_leg_that_was_never_launched_costs_nothing() -> None:
    assert cost_of(story(pair_of(says("ok"), (Hang(),), plan="cascade")), "large") == AttemptCost()


def test_what_was_delivered_and_what_was_wasted_are_told_apart() -> None:
    ended = story(pair_of(says("", usage=Usage(100, 0, 10)), says("ok", usage=Usage(100, 0, 20)), plan="cascade"))
    assert ended.decision is not None
    money = ended.decision.money
    assert money.waste_nano_usd == 100 * 150 + 10 * 600
    assert money.delivered_nano_usd == 100 * 2_500 + 20 * 10_000
    assert money.always_large_estimate_nano_usd == money.delivered_nano_usd
    assert money.saved_nano_usd == -money.waste_nano_usd


def test_the_saving_of_a_cheap_answer_is_net_of_the_loser() -> None:
    ended = story(pair_of(says("ok", after_s=1, usage=Usage(100, 0, 20)), PARTIAL))
    assert ended.decision is not None
    money = ended.decision.money
    assert money.always_large_estimate_nano_usd == 100 * 2_500 + 20 * 10_000
    assert money.saved_nano_usd == (
        money.always_large_estimate_nano_usd - (100 * 150 + 20 * 600) - cost_of(ended, "large").best_nano_usd
    )


def test_a_whole_answer_of_the_strongest_tier_is_what_always_large_costs() -> None:
    ended = story(pair_of(says("a poor one", after_s=1), says("", usage=Usage(70, 0, 7))))
    assert ended.tier == "mini"
    assert ended.decision is not None
    assert ended.decision.money.always_large_estimate_nano_usd == 70 * 2_500 + 7 * 10_000


@pytest.mark.parametrize("plan", ["direct", "cascade", "hedge", "race"])
def test_a_request_that_got_no_answer_saved_nothing(plan: str) -> None:
    ended = story(pair_of((Chunk(TEXT), Pause(1), breaks()[1]), breaks(), plan=plan))
    assert ended.decision is not None
    money = ended.decision.money
    assert (money.delivered_nano_usd, money.saved_nano_usd) == (0, -money.waste_nano_usd)
    assert money.waste_nano_usd > 0


def test_a_dry_run_estimates_what_always_large_costs() -> None:

    service = pair_of(says("ok"), says("ok"))
    request = request_of()

    async def dry_run() -> int:
        decision = service.router.decide(request, Arrival(0.0, Deadline(0.0, 1.0, 0.9)))
        return decision.money.always_large_estimate_nano_usd

    assert on_virtual_clock(dry_run) == estimate_cost_nano_usd(LARGE, request)


def test_an_attempt_is_closed_only_once() -> None:

    async def close_twice() -> None:
        ledger = Ledger(request_of(), 0.0, 4)
        attempt = ledger.open(MINI, BoundedUpstream(FakeUpstream("mini-0")), (0, Leg("mini")))
        attempt.close(AttemptEnd.FAILED, "http_500", 1.0)
        with pytest.raises(AssertionError, match="closed twice"):
            attempt.close(AttemptEnd.WON, "", 1.0)

    on_virtual_clock(close_twice)
