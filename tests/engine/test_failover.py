"""Failover within a tier, retries, and the bounds on both."""

from __future__ import annotations

import pytest

from specroute.core.errors import UpstreamError
from specroute.core.outcome import Chunk
from specroute.core.request import Constraints
from specroute.engine.tiers import Timeouts
from specroute.policy.planner import Always
from specroute.policy.rules import estimate_cost_nano_usd
from tests.engine.stories import story
from tests.fakes import (
    MINI,
    FakeUpstream,
    Hang,
    Script,
    Service,
    breaks,
    pair_of,
    request_of,
    router_of,
    says,
    served_of,
)

RESET = breaks("reset", before_first_byte=True)


def siblings(*scripts: Script, max_attempts: int = 4, timeouts: Timeouts | None = None) -> Service:
    upstreams = [FakeUpstream(f"mini-{index}", script) for index, script in enumerate(scripts)]
    return router_of(served_of("mini", *upstreams, timeouts=timeouts), policy=Always("mini"), max_attempts=max_attempts)


@pytest.mark.parametrize("bad", [breaks("http_500"), breaks("connect"), (Chunk("half"), UpstreamError("reset"))])
def test_a_failed_call_goes_to_the_sibling_at_once(bad: Script) -> None:
    ended = story(siblings(bad, says("Paris", after_s=1)))
    assert (ended.text, ended.at_s) == ("Paris", 1.0)
    assert ended.ends[-1] == "mini won"
    assert [attempt.upstream for attempt in ended.attempts] == ["mini-0", "mini-1"]
    assert {attempt.leg for attempt in ended.attempts} == {0}


def test_a_timed_out_call_goes_to_the_sibling() -> None:
    ended = story(siblings((Hang(),), says("Paris"), timeouts=Timeouts(first_token_s=2)))
    assert ended.ends == ["mini timed_out first_token_timeout", "mini won"]
    assert ended.at_s == 2.0


def test_a_half_answer_of_a_failed_call_never_mixes_with_the_siblings() -> None:
    assert story(siblings((Chunk("half "), UpstreamError("reset")), says("Paris"))).text == "Paris"


def test_an_answer_that_is_rejected_does_not_go_to_the_sibling() -> None:
    service = siblings(says(""), says("Paris"))
    assert story(service).reason == "NO_ACCEPTABLE_ANSWER"
    assert not service.calls_of("mini-1")


def test_a_reset_before_the_first_byte_is_sent_again_once() -> None:
    upstream = FakeUpstream("mini-0", RESET, says("Paris"))
    ended = story(router_of(served_of("mini", upstream), policy=Always("mini")))
    assert ended.ends == ["mini failed reset", "mini won"]
    assert len(upstream.calls) == 2


@pytest.mark.parametrize(
    "bad", [breaks("reset"), breaks("http_500", before_first_byte=True), breaks("connect", before_first_byte=True)]
)
def test_nothing_else_is_sent_again(bad: Script) -> None:
    upstream = FakeUpstream("mini-0", bad, says("Paris"))
    ended = story(router_of(served_of("mini", upstream), policy=Always("mini")))
    assert ended.reason == "ALL_UPSTREAMS_FAILED"
    assert len(upstream.calls) == 1


@pytest.mark.parametrize(("max_retries", "calls"), [(0, 1), (1, 2), (2, 3)])
def test_retries_are_bounded(max_retries: int, calls: int) -> None:
    upstream = FakeUpstream("mini-0", RESET)
    story(router_of(served_of("mini", upstream, max_retries=max_retries), policy=Always("mini")))
    assert len(upstream.calls) == calls


@pytest.mark.parametrize("max_attempts", [1, 2, 3, 4])
def test_all_calls_of_a_request_together_are_bounded(max_attempts: int) -> None:
    service = siblings(RESET, RESET, RESET, max_attempts=max_attempts)
    ended = story(service)
    assert len(service.calls) == len(ended.attempts) == max_attempts


@pytest.mark.parametrize("plan", ["direct", "cascade", "hedge", "race"])
@pytest.mark.parametrize("max_attempts", [1, 2])
def test_legs_share_the_bound_on_calls(plan: str, max_attempts: int) -> None:
    service = pair_of(RESET, RESET, plan=plan, max_attempts=max_attempts)
    story(service)
    assert len(service.calls) == max_attempts


def test_a_failover_stays_within_the_money_bound() -> None:
    half = (Chunk("half an answer that is billed"), UpstreamError("reset"))
    service = siblings(half, says("Paris"))
    bound = estimate_cost_nano_usd(MINI, request_of())
    ended = story(service, request_of(constraints=Constraints(max_cost_nano_usd=bound)))
    assert not service.calls_of("mini-1")
    assert ended.reason == "ALL_UPSTREAMS_FAILED"


def test_a_failover_after_an_unbilled_failure_is_within_the_same_money_bound() -> None:
    bound = estimate_cost_nano_usd(MINI, request_of())
    ended = story(siblings(breaks(), says("Paris")), request_of(constraints=Constraints(max_cost_nano_usd=bound)))
    assert ended.text == "Paris"


@pytest.mark.parametrize(("spare_nano_usd", "launched"), [(0, True), (-1, False)])
def test_an_escalation_is_launched_only_within_the_money_bound(spare_nano_usd: int, launched: bool) -> None:
    service = pair_of(says(""), says("Paris"), plan="direct")
    request = request_of()
    mini, large = (each.tier for each in service.served)
    spent = mini.price.cost_of_nano_usd(request.input_tokens, 0)
    bound = spent + estimate_cost_nano_usd(large, request) + spare_nano_usd
    ended = story(service, request_of(constraints=Constraints(max_cost_nano_usd=bound)))
    assert bool(service.calls_of("large-0")) is launched
    assert (ended.routed is not None) is launched


def test_a_permit_that_is_taken_is_waited_for_and_given_back() -> None:
    upstream = FakeUpstream("mini-0", says("Paris"))
    served = served_of("mini", upstream, max_concurrency=1)
    service = router_of(served, policy=Always("mini"))
    assert story(service).text == "Paris"
    assert served.upstreams[0].permits.value == 1
