"""Races with random timings, results and options: what holds for every request holds for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from specroute.core.errors import UpstreamError
from specroute.core.outcome import Chunk, FinishReason, Usage
from specroute.core.request import Constraints, Generation, OnBudget, RouteRequest, Speculation
from specroute.engine.referee import Prefer, RaceRules
from specroute.engine.tiers import Timeouts
from specroute.policy.rules import estimate_cost_nano_usd
from tests.engine.stories import story
from tests.fakes import (
    LARGE,
    MEDIUM,
    MINI,
    FakeUpstream,
    Hang,
    Pause,
    Until,
    request_of,
    router_of,
    served_of,
    thresholds,
)

if TYPE_CHECKING:
    from specroute.engine.tiers import ServedTier
    from tests.fakes import Script

# Few distinct spans, so that events often fall into one instant.
spans = st.sampled_from([0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0])
usages = st.none() | st.builds(
    lambda full, cached, out: Usage(full, min(full, cached), out), *[st.integers(0, 900)] * 3
)
GOOD = "good answer of "


def answer(name: str) -> st.SearchStrategy[Script]:
    texts = st.sampled_from([GOOD + name, "a poor answer", "", "I'm sorry, but I can't help with that."])
    reasons = st.sampled_from([FinishReason.STOP, FinishReason.STOP, FinishReason.STOP, FinishReason.LENGTH])
    return st.builds(
        lambda before, text, between, reason, usage: (
            Pause(before),
            Chunk(text),
            Pause(between),
            Chunk(finish_reason=reason, usage=usage),
        ),
        spans,
        texts,
        spans,
        reasons,
        usages,
    )


faults = st.builds(
    lambda before, partial, error: (Pause(before), *([Chunk("half")] if partial else []), error),
    spans,
    st.booleans(),
    st.sampled_from(
        [UpstreamError("http_500"), UpstreamError("reset", before_first_byte=True), RuntimeError("a bug"), Hang()]
    ),
)


def upstreams(name: str) -> st.SearchStrategy[list[list[Script]]]:
    return st.lists(st.lists(answer(name) | faults, min_size=1, max_size=2), min_size=1, max_size=2)


def tiers_of(scripts: dict[str, list[list[Script]]], timeouts: Timeouts, stops_billing: bool) -> list[ServedTier]:
    return [
        served_of(
            name,
            *(FakeUpstream(f"{name}-{index}", *calls) for index, calls in enumerate(each)),
            timeouts=timeouts,
            cancel_stops_billing=stops_billing,
        )
        for name, each in scripts.items()
    ]


requests = st.builds(
    lambda constraints, most: request_of(constraints=constraints, generation=Generation(max_output_tokens=most)),
    st.builds(
        Constraints,
        latency_budget_s=st.none() | st.sampled_from([0.25, 1.0, 2.0]),
        max_cost_nano_usd=st.none()
        | st.integers(1, 12).map(lambda parts: parts * estimate_cost_nano_usd(LARGE, request_of()) // 4),
        speculation=st.sampled_from(Speculation),
        on_budget=st.sampled_from(OnBudget),
    ),
    st.none() | st.integers(1, 2_000),
)


@settings(deadline=None, max_examples=400)
@given(
    scripts=st.fixed_dictionaries({tier.name: upstreams(tier.name) for tier in (MINI, MEDIUM, LARGE)}),
    request=requests,
    timeouts=st.builds(Timeouts, *[st.sampled_from([0.5, 1.0, 2.0, 50.0])] * 3),
    stops_billing=st.booleans(),
    hedge_delay_s=st.none() | spans,
    race=st.builds(RaceRules, st.sampled_from(Prefer), spans),
    p_mini=st.sampled_from([0.1, 0.5, 0.95]),
    max_attempts=st.integers(1, 5),
    deadline_s=st.sampled_from([0.01, 0.5, 1.0, 2.0, 3.003, 100.0]),
    cancel_at=st.none() | st.builds(Until, spans, st.integers(0, 5)),
)
def test_any_race_is_settled(
    scripts: dict[str, list[list[Script]]],
    request: RouteRequest,
    timeouts: Timeouts,
    stops_billing: bool,
    hedge_delay_s: float | None,
    race: RaceRules,
    p_mini: float,
    max_attempts: int,
    deadline_s: float,
    cancel_at: Until | None,
) -> None:
    if request.constraints.max_cost_nano_usd is not None:
        limit = request.constraints.max_cost_nano_usd
        if all(estimate_cost_nano_usd(tier, request) > limit for tier in (MINI, MEDIUM, LARGE)):
            return
    service = router_of(
        *tiers_of(scripts, timeouts, stops_billing),
        policy=thresholds(hedge_delay_s),
        p_accept={"mini": p_mini, "medium": 0.5},
        race=race,
        max_attempts=max_attempts,
    )
    ended = story(service, request, deadline_s=deadline_s, cancel_at=cancel_at)
    assert len(service.calls) <= max_attempts
    if ended.routed is not None:
        delivery = ended.routed.delivery
        wanted = "a poor answer" if delivery.degraded else GOOD + delivery.tier
        assert delivery.text == wanted
        assert not (delivery.degraded and request.constraints.on_budget is OnBudget.FAIL)
    budget_s = request.constraints.latency_budget_s
    if budget_s is not None and request.constraints.on_budget is OnBudget.FAIL:
        assert ended.at_s <= min(budget_s, deadline_s) + 1e-9
