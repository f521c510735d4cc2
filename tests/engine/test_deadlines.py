"""One deadline, a latency budget, and the timeouts of a call: all at their exact instant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specroute.core.outcome import NO_COST, AttemptEnd, Chunk
from specroute.core.request import Constraints, OnBudget, RouteRequest
from specroute.engine.leg.attempt import IDLE_SLACK_RATIO
from specroute.engine.tiers import Timeouts
from specroute.policy.planner import Always
from tests.engine.invariants import assert_settled
from tests.engine.stories import story
from tests.fakes import (
    FakeUpstream,
    Hang,
    Pause,
    Script,
    breaks,
    on_virtual_clock,
    pair_of,
    request_of,
    router_of,
    says,
    served_of,
)

if TYPE_CHECKING:
    from anyio.abc import TaskStatus

    from tests.fakes import Ended, Service

PLANS = ("direct", "cascade", "hedge", "race")
POOR = "a poor answer"
EMPTY = ""


def in_budget(budget_s: float, on_budget: OnBudget = OnBudget.BEST_EFFORT) -> RouteRequest:
    return request_of(constraints=Constraints(latency_budget_s=budget_s, on_budget=on_budget))


# --- deadline ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plan", PLANS)
def test_nothing_runs_past_the_deadline(plan: str) -> None:
    service = pair_of((Hang(),), (Hang(),), plan=plan)
    ended = story(service, deadline_s=0.3)
    assert ended.reason == "DEADLINE_EXCEEDED"
    assert ended.at_s == pytest.approx(0.3)
    assert all(call.cancelled_at_s == pytest.approx(0.3) for call in service.calls)
    running = [attempt for attempt in ended.attempts if attempt.end is not AttemptEnd.NOT_LAUNCHED]
    assert {(attempt.end, attempt.reason) for attempt in running} == {(AttemptEnd.TIMED_OUT, "deadline")}


@pytest.mark.parametrize("plan", PLANS)
def test_an_answer_in_the_last_moment_counts(plan: str) -> None:
    ended = story(pair_of(says("Paris", after_s=0.999), (Hang(),), plan=plan), deadline_s=1.0)
    assert ended.text == "Paris"


@pytest.mark.parametrize("left_s", [0.004, 0.0, -1.0])
def test_a_request_that_comes_too_late_calls_nothing(left_s: float) -> None:
    service = pair_of(says("Paris"), says("Paris"))

    async def late() -> str:
        return (await service.run(request_of(), deadline_s=left_s)).reason

    assert on_virtual_clock(late) == "DEADLINE_EXCEEDED"
    assert not service.calls


@pytest.mark.parametrize("plan", ["direct", "cascade", "hedge"])
@pytest.mark.parametrize("first", [breaks(after_s=0.998), says(EMPTY, after_s=0.998)], ids=["failed", "rejected"])
def test_no_leg_starts_that_cannot_finish_and_the_error_says_that_time_ran_out(plan: str, first: Script) -> None:
    service = pair_of(first, says("Paris"), plan=plan, hedge_delay_s=50.0)
    ended = story(service, deadline_s=1.0)
    assert not service.calls_of("large-0")
    assert ended.reason == "DEADLINE_EXCEEDED"


def test_no_failover_starts_that_cannot_finish() -> None:
    spare = FakeUpstream("mini-1", says("Paris"))
    service = router_of(served_of("mini", FakeUpstream("mini-0", breaks(after_s=0.998)), spare), policy=Always("mini"))
    ended = story(service, deadline_s=1.0)
    assert not spare.calls
    assert ended.error is not None


def test_a_quality_rejected_answer_is_released_at_the_deadline() -> None:
    ended = story(pair_of(says(POOR, after_s=0.5), (Hang(),)), deadline_s=2.0)
    assert ended.routed is not None
    assert (ended.text, ended.at_s, ended.routed.delivery.degraded) == (POOR, 2.0, True)


# --- latency budget ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plan", PLANS)
def test_on_budget_fail_ends_exactly_at_the_budget(plan: str) -> None:
    service = pair_of((Hang(),), (Hang(),), plan=plan)
    ended = story(service, in_budget(0.7, OnBudget.FAIL))
    assert ended.reason == "LATENCY_BUDGET_EXCEEDED"
    assert ended.at_s == pytest.approx(0.7)


@pytest.mark.parametrize("plan", ["cascade", "hedge", "race"])
def test_on_budget_fail_does_not_deliver_what_a_quality_check_rejected(plan: str) -> None:
    ended = story(pair_of(says(POOR, after_s=0.1), (Hang(),), plan=plan), in_budget(0.7, OnBudget.FAIL))
    assert ended.reason == "LATENCY_BUDGET_EXCEEDED"


@pytest.mark.parametrize("plan", PLANS)
def test_best_effort_releases_a_quality_rejected_answer_at_the_budget(plan: str) -> None:
    ended = story(pair_of(says(POOR, after_s=0.1), (Hang(),), plan=plan), in_budget(0.7))
    assert ended.routed is not None
    assert (ended.text, ended.tier, ended.routed.delivery.degraded) == (POOR, "mini", True)
    assert ended.at_s == pytest.approx(0.7)
    large = next(attempt for attempt in ended.attempts if attempt.tier == "large")
    assert large.end in (AttemptEnd.CANCELLED, AttemptEnd.TIMED_OUT)


@pytest.mark.parametrize("plan", PLANS)
def test_best_effort_without_any_answer_goes_on_to_the_deadline(plan: str) -> None:
    ended = story(pair_of(says("Paris", after_s=5), (Hang(),), plan=plan), in_budget(0.7))
    assert ended.routed is not None
    assert (ended.text, ended.at_s, ended.routed.delivery.degraded) == ("Paris", 5.0, False)


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("bad", [EMPTY, "I'm sorry, but I can't help with that."])
def test_best_effort_never_delivers_what_breaks_the_contract(plan: str, bad: str) -> None:
    ended = story(pair_of(says(bad, after_s=0.1), (Hang(),), plan=plan), in_budget(0.7), deadline_s=2.0)
    assert (ended.reason, ended.at_s) == ("DEADLINE_EXCEEDED", 2.0)


def test_a_partial_text_is_never_delivered() -> None:
    ended = story(pair_of((Chunk("The capital"), Hang()), (Hang(),)), in_budget(0.7), deadline_s=2.0)
    assert ended.reason == "DEADLINE_EXCEEDED"


@pytest.mark.parametrize("plan", PLANS)
def test_the_strongest_of_two_quality_rejected_answers_is_delivered_once_all_are_judged(plan: str) -> None:
    service = pair_of(says(f"{POOR} of mini", after_s=0.2), says(f"{POOR} of large", after_s=0.1), plan=plan)
    ended = story(service, in_budget(9.0))
    assert ended.routed is not None
    assert (ended.tier, ended.routed.delivery.degraded) == ("large", True)
    assert ended.at_s < 1.0


@pytest.mark.parametrize("plan", PLANS)
def test_all_judged_without_a_budget_also_ends_in_the_degraded_answer_or_in_failure(plan: str) -> None:
    assert story(pair_of(says(POOR), breaks(), plan=plan)).tier == "mini"
    fail = request_of(constraints=Constraints(on_budget=OnBudget.FAIL))
    assert story(pair_of(says(POOR), says(POOR), plan=plan), fail).reason == "NO_ACCEPTABLE_ANSWER"


def test_an_accepted_answer_at_the_budget_is_no_failure() -> None:
    ended = story(pair_of(says("Paris", after_s=0.69), (Hang(),)), in_budget(0.7, OnBudget.FAIL))
    assert ended.text == "Paris"


@pytest.mark.parametrize("plan", PLANS)
def test_a_budget_that_leaves_no_time_for_a_call_fails_as_such(plan: str) -> None:
    service = pair_of(says("Paris"), says("Paris"), plan=plan)
    assert story(service, in_budget(0.001, OnBudget.FAIL)).reason == "LATENCY_BUDGET_EXCEEDED"


def test_a_budget_longer_than_the_deadline_changes_nothing() -> None:
    assert story(pair_of((Hang(),), (Hang(),)), in_budget(50, OnBudget.FAIL), deadline_s=1.0).reason == (
        "DEADLINE_EXCEEDED"
    )


# --- timeouts of one call ----------------------------------------------------------------------------------------


def lone(upstream: FakeUpstream, timeouts: Timeouts, *, max_concurrency: int = 4) -> tuple[str, float]:
    served = served_of("mini", upstream, timeouts=timeouts, max_concurrency=max_concurrency)
    ended = story(router_of(served, policy=Always("mini")))
    attempt = ended.attempts[0]
    assert attempt.end is AttemptEnd.TIMED_OUT
    return attempt.reason, attempt.ended_after_s


def test_without_a_first_token_the_call_ends_at_the_first_token_timeout() -> None:
    silent = FakeUpstream("mini-0", (Pause(0.5), Chunk(model="keep-alive"), Hang()))
    assert lone(silent, Timeouts(first_token_s=2, idle_s=1, total_s=9)) == ("first_token_timeout", 2.0)


def test_a_keep_alive_is_no_part_of_the_answer() -> None:
    beats = tuple(step for _ in range(20) for step in (Pause(0.5), Chunk(model="beat")))
    slow = FakeUpstream("mini-0", (Pause(0.5), Chunk("The"), *beats))
    assert lone(slow, Timeouts(first_token_s=2, idle_s=3, total_s=9)) == ("idle_timeout", 3.5)


def test_each_part_of_the_answer_starts_the_idle_time_again_up_to_the_total() -> None:
    drip = FakeUpstream("mini-0", tuple(step for _ in range(50) for step in (Pause(0.9), Chunk("a"))))
    assert lone(drip, Timeouts(first_token_s=2, idle_s=1, total_s=5)) == ("total_timeout", 5.0)


@given(gaps_s=st.lists(st.floats(0.01, 0.9), min_size=1, max_size=30))
@settings(deadline=None, max_examples=60)
def test_a_silent_call_ends_between_its_idle_timeout_and_the_slack_after_it(gaps_s: list[float]) -> None:
    drip = FakeUpstream("mini-0", (*(step for gap_s in gaps_s for step in (Pause(gap_s), Chunk("a"))), Hang()))

    reason, ended_s = lone(drip, Timeouts(first_token_s=2, idle_s=1, total_s=100))

    silent_s = ended_s - sum(gaps_s)
    assert reason == "idle_timeout"
    assert 1.0 - 1e-6 <= silent_s <= 1.0 + IDLE_SLACK_RATIO + 1e-6


def test_waiting_for_a_permit_counts_for_the_deadline_and_not_for_the_calls_own_timeouts() -> None:
    upstream = FakeUpstream("mini-0", says("first", after_s=3), (Hang(),))
    served = served_of("mini", upstream, timeouts=Timeouts(first_token_s=4, idle_s=4, total_s=5), max_concurrency=1)
    service = router_of(served, policy=Always("mini"))

    async def two_at_once() -> list[str]:
        async with anyio.create_task_group() as group:
            group.start_soon(service.run, request_of())
            await anyio.sleep(0.5)
            second = await service.run(request_of())
        attempt = second.attempts[0]
        return [attempt.reason, f"{attempt.launched_after_s:g}", f"{attempt.ended_after_s:g}"]

    assert on_virtual_clock(two_at_once) == ["first_token_timeout", "0", "6.5"]


def test_a_call_that_never_got_its_permit_costs_nothing_and_says_that_time_ran_out() -> None:
    upstream = FakeUpstream("mini-0", (Hang(),))
    service = router_of(served_of("mini", upstream, max_concurrency=1), policy=Always("mini"))

    async def two_at_once() -> tuple[str, int, int]:
        async with anyio.create_task_group() as group:
            group.start_soon(service.run, request_of())
            await anyio.sleep(0.5)
            second = await service.run(request_of(), deadline_s=1.0)
            group.cancel_scope.cancel()
        return second.attempts[0].reason, second.attempts[0].cost.best_nano_usd, len(upstream.calls)

    assert on_virtual_clock(two_at_once) == ("deadline", 0, 1)


@settings(deadline=None, max_examples=60)
@given(st.floats(0, 100), st.floats(0.001, 30), st.sampled_from(["first_token", "idle", "total"]))
def test_a_timeout_is_named_after_what_ran_out_at_any_instant(start_s: float, span_s: float, which: str) -> None:
    parts = (Chunk("a"), Hang()) if which != "first_token" else (Hang(),)
    bounds = {"first_token_s": 40.0, "idle_s": 40.0, "total_s": 50.0, f"{which}_s": span_s}
    upstream = FakeUpstream("mini-0", parts)
    timeouts = Timeouts(**bounds)
    service = router_of(served_of("mini", upstream, timeouts=timeouts), policy=Always("mini"))

    async def later() -> str:
        await anyio.sleep(start_s)
        return (await service.run(request_of(), deadline_s=1000)).attempts[0].reason

    assert on_virtual_clock(later) == f"{which}_timeout"


# --- permits that come too late ----------------------------------------------------------------------------------


def story_with_a_permit_at(at_s: float, service: Service, request: RouteRequest | None = None) -> Ended:
    """Runs a request of one second while the first tier's only permit is held until ``at_s``."""
    permits = service.served[0].upstreams[0].permits

    async def hold(*, task_status: TaskStatus[None]) -> None:
        async with permits:
            task_status.started()
            await anyio.sleep_until(at_s)

    async def tell() -> Ended:
        async with anyio.create_task_group() as group:
            await group.start(hold)
            ended = await service.run(request or request_of(), deadline_s=1.0)
        assert_settled(service, ended)
        return ended

    return on_virtual_clock(tell)


def one_at_a_time(script: Script, *spares: FakeUpstream, large: Script | None = None) -> Service:
    """The mini tier gives one permit per upstream, and cancelling does not stop its bill; races where ``large`` is."""
    mini = served_of("mini", FakeUpstream("mini-0", script), *spares, max_concurrency=1, cancel_stops_billing=False)
    if large is None:
        return router_of(mini, policy=Always("mini"))
    return router_of(mini, served_of("large", FakeUpstream("large-0", large)))


@pytest.mark.parametrize("left_s", [0.0049, 0.004, 0.0001])
def test_a_permit_that_comes_too_late_starts_no_call_and_costs_nothing(left_s: float) -> None:
    service = one_at_a_time(says("Paris"))
    ended = story_with_a_permit_at(1.0 - left_s, service)
    assert not service.calls
    (attempt,) = ended.attempts
    assert (attempt.end, attempt.reason) == (AttemptEnd.TIMED_OUT, "deadline")
    assert (attempt.usage, attempt.time_to_first_token_s, attempt.cost) == (None, None, NO_COST)
    assert attempt.ended_after_s == pytest.approx(1.0 - left_s)


def test_a_permit_that_comes_too_late_is_no_failure_of_the_upstream() -> None:
    ended = story_with_a_permit_at(0.996, one_at_a_time(says("Paris")))
    assert ended.reason == "DEADLINE_EXCEEDED"
    assert ended.at_s == pytest.approx(0.996)


@pytest.mark.parametrize("left_s", [0.0051, 0.006, 0.5])
def test_a_permit_that_leaves_time_enough_starts_the_call(left_s: float) -> None:
    ended = story_with_a_permit_at(1.0 - left_s, one_at_a_time(says("Paris", after_s=0.004)))
    assert ended.text == "Paris"


def test_after_a_permit_that_came_too_late_no_other_upstream_is_called() -> None:
    spare = FakeUpstream("mini-1", says("Paris"))
    ended = story_with_a_permit_at(0.996, one_at_a_time(says("Paris"), spare))
    assert not spare.calls
    assert ended.ends == ["mini timed_out deadline"]


def test_a_permit_that_comes_too_late_for_a_budget_that_fails_says_so() -> None:
    service = one_at_a_time(says("Paris"))
    ended = story_with_a_permit_at(0.696, service, in_budget(0.7, OnBudget.FAIL))
    assert not service.calls
    assert (ended.reason, ended.attempts[0].cost) == ("LATENCY_BUDGET_EXCEEDED", NO_COST)


def test_a_permit_that_comes_too_late_does_not_end_the_race_of_the_other_leg() -> None:
    service = one_at_a_time(says("Paris"), large=says("Paris", after_s=0.998))
    ended = story_with_a_permit_at(0.996, service)
    assert ended.at_s == pytest.approx(0.998)
    assert ended.ends == ["mini timed_out deadline", "large won"]
    assert ended.attempts[0].cost == NO_COST
