"""Direct, cascade, hedge and race on the virtual clock."""

from __future__ import annotations

import pytest

from specroute.core.outcome import AttemptEnd, Chunk, FinishReason, ToolCallDelta
from specroute.core.plan import PlanKind
from specroute.core.request import Constraints, JsonObjectOutput
from specroute.engine.referee import Prefer, RaceRules
from specroute.engine.tiers import Timeouts
from specroute.policy.planner import Always
from specroute.policy.rules import Condition, Rule, StartAt
from tests.engine.stories import story
from tests.fakes import (
    FakeUpstream,
    Hang,
    Pause,
    Script,
    breaks,
    pair_of,
    request_of,
    router_of,
    says,
    served_of,
)

NEVER_WINS: dict[str, tuple[Script, str]] = {
    "error": (breaks("http_429"), "failed http_429"),
    "reset": (breaks("reset", before_first_byte=False), "failed reset"),
    "empty": ((Chunk(finish_reason=FinishReason.STOP),), "rejected empty"),
    "blank": (says("  \n"), "rejected empty"),
    "refusal": (says("I'm sorry, but I can't help with that."), "rejected refusal"),
    "truncation": ((Chunk("The capital is Par"), Chunk(finish_reason=FinishReason.LENGTH)), "rejected cut_off"),
    "filtered": ((Chunk("The"), Chunk(finish_reason=FinishReason.CONTENT_FILTER)), "rejected content_filter"),
    "poor": (says("a poor answer"), "rejected poor"),
    "bug": ((Chunk("The"), RuntimeError("a bug of the adapter")), "failed internal"),
    "broken off": ((Chunk("The capital"), breaks("stream_ended_early")[1]), "failed stream_ended_early"),
}


def cheapest(grace_s: float) -> RaceRules:
    return RaceRules(Prefer.CHEAPEST, grace_s)


# --- direct ------------------------------------------------------------------------------------------------------


def test_a_direct_answer_is_delivered_and_nothing_else_is_called() -> None:
    service = pair_of(says("Paris", after_s=1), says("unused"), plan="direct")
    ended = story(service)
    assert (ended.text, ended.tier, ended.at_s, ended.ends) == ("Paris", "mini", 1.0, ["mini won"])
    assert not service.calls_of("large-0")


@pytest.mark.parametrize("bad", NEVER_WINS)
def test_a_direct_answer_that_is_bad_escalates_once_and_the_plan_stays_direct(bad: str) -> None:
    script, end = NEVER_WINS[bad]
    ended = story(pair_of(script, says("Paris", after_s=1), plan="direct"))
    assert (ended.text, ended.tier) == ("Paris", "large")
    assert ended.ends == [f"mini {end}", "large won"]
    assert ended.decision is not None
    assert ended.decision.plan.kind is PlanKind.DIRECT
    assert [attempt.leg for attempt in ended.attempts] == [0, 1]


def test_a_direct_answer_escalates_to_the_next_tier_only_once() -> None:
    tiers = [served_of(name, FakeUpstream(f"{name}-0", says("a poor answer"))) for name in ("mini", "medium", "large")]
    service = router_of(*tiers, policy=Always("mini"))
    ended = story(service)
    assert [attempt.tier for attempt in ended.attempts] == ["mini", "medium"]


def test_a_forced_tier_does_not_escalate() -> None:
    service = pair_of(breaks(), says("Paris"), plan="race")
    ended = story(service, request_of(constraints=Constraints(force_tier="mini")))
    assert ended.reason == "ALL_UPSTREAMS_FAILED"
    assert ended.ends == ["mini failed http_500"]


# --- cascade -----------------------------------------------------------------------------------------------------


def test_a_cascade_that_is_accepted_never_launches_the_large_leg() -> None:
    ended = story(pair_of(says("Paris", after_s=1), says("unused"), plan="cascade"))
    assert (ended.text, ended.ends) == ("Paris", ["mini won", "large not_launched"])
    last = ended.attempts[-1]
    assert (last.upstream, last.cost.best_nano_usd, last.leg) == ("", 0, 1)


@pytest.mark.parametrize("bad", NEVER_WINS)
def test_a_cascade_launches_the_large_leg_in_the_instant_of_the_rejection(bad: str) -> None:
    script, end = NEVER_WINS[bad]
    ended = story(pair_of((Pause(1), *script), says("Paris", after_s=2), plan="cascade"))
    assert (ended.text, ended.at_s, ended.ends) == ("Paris", 3.0, [f"mini {end}", "large won"])
    assert ended.attempts[1].launched_after_s == 1.0


def test_a_cascade_climbs_any_number_of_tiers() -> None:
    service = router_of(
        served_of("mini", FakeUpstream("mini-0", says("poor", after_s=1))),
        served_of("medium", FakeUpstream("medium-0", breaks(after_s=1))),
        served_of("large", FakeUpstream("large-0", says("Paris", after_s=1))),
        rules=[Rule("climb", Condition(), StartAt("mini"))],
    )
    ended = story(service)
    assert ended.ends == ["mini rejected poor", "medium failed http_500", "large won"]
    assert ended.at_s == 3.0


# --- hedge -------------------------------------------------------------------------------------------------------


def test_a_hedge_that_answers_before_the_delay_stays_alone() -> None:
    ended = story(pair_of(says("Paris", after_s=0.5), says("unused"), plan="hedge", hedge_delay_s=1.0))
    assert (ended.at_s, ended.ends) == (0.5, ["mini won", "large not_launched"])


def test_a_hedge_launches_the_large_leg_after_exactly_the_delay() -> None:
    service = pair_of(says("late", after_s=9), says("Paris", after_s=1), plan="hedge", hedge_delay_s=0.25)
    ended = story(service)
    assert (ended.text, ended.at_s, ended.ends) == ("Paris", 1.25, ["mini cancelled lost_race", "large won"])
    assert ended.attempts[1].launched_after_s == 0.25
    assert service.calls_of("mini-0")[0].cancelled_at_s == 1.25


@pytest.mark.parametrize("bad", NEVER_WINS)
def test_a_hedge_launches_the_large_leg_at_once_on_rejection(bad: str) -> None:
    script, end = NEVER_WINS[bad]
    ended = story(pair_of((Pause(0.5), *script), says("Paris", after_s=1), plan="hedge", hedge_delay_s=5.0))
    assert (ended.at_s, ended.ends) == (1.5, [f"mini {end}", "large won"])


# --- race --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mini_s", "large_s", "tier"), [(1.0, 2.0, "mini"), (2.0, 1.0, "large")], ids=["mini first", "large first"]
)
def test_the_first_accepted_answer_of_a_race_wins_and_the_other_is_cancelled(
    mini_s: float, large_s: float, tier: str
) -> None:
    service = pair_of(says("from mini", after_s=mini_s), says("from large", after_s=large_s))
    ended = story(service)
    assert (ended.text, ended.at_s) == (f"from {tier}", 1.0)
    loser = next(attempt for attempt in ended.attempts if attempt.tier != tier)
    assert (loser.end, loser.reason, loser.cancel_latency_s) == (AttemptEnd.CANCELLED, "lost_race", 0.0)
    assert service.calls_of(loser.upstream)[0].cancelled_at_s == 1.0


@pytest.mark.parametrize("bad", NEVER_WINS)
@pytest.mark.parametrize("who", ["mini", "large"])
def test_no_leg_is_cancelled_by_a_bad_answer_of_the_other(bad: str, who: str) -> None:
    script, end = NEVER_WINS[bad]
    good = says("Paris", after_s=5)
    ended = story(pair_of(script, good) if who == "mini" else pair_of(good, script))
    assert (ended.text, ended.at_s) == ("Paris", 5.0)
    assert f"{who} {end}" in ended.ends


def test_json_with_anything_around_it_never_wins_and_a_fence_is_taken_off() -> None:
    request = request_of(output=JsonObjectOutput())
    ended = story(pair_of(says('Sure: {"a": 1}'), says('```json\n{"a": 1}\n```', after_s=1)), request)
    assert ended.ends == ["mini rejected not_json", "large won"]
    assert ended.text == '{"a": 1}'


def test_tool_calls_are_put_together_from_their_pieces() -> None:
    pieces = (
        Chunk(tool_calls=(ToolCallDelta(0, "call-1", "add", '{"a":'),)),
        Chunk(tool_calls=(ToolCallDelta(1, "call-2", "sub", "{}"), ToolCallDelta(0, arguments_json="1}"))),
    )
    service = router_of(served_of("mini", FakeUpstream("mini-0", pieces)), policy=Always("mini"), validators=())
    ended = story(service)
    assert ended.routed is not None
    completion = ended.routed.delivery.completion
    assert [(call.id, call.name, call.arguments_json) for call in completion.tool_calls] == [
        ("call-1", "add", '{"a":1}'),
        ("call-2", "sub", "{}"),
    ]
    assert completion.finish_reason is FinishReason.TOOL_CALLS


def test_two_answers_accepted_in_one_instant_the_cheaper_wins() -> None:
    for _ in range(20):  # trio shuffles the tasks of one turn
        ended = story(pair_of(says("from mini", after_s=1), says("from large", after_s=1)))
        assert sum(attempt.end is AttemptEnd.WON for attempt in ended.attempts) == 1
        assert {attempt.end for attempt in ended.attempts} == {AttemptEnd.WON, AttemptEnd.CANCELLED}


def test_attempts_stand_in_launch_order_and_in_plan_order_within_an_instant() -> None:
    for _ in range(20):
        ended = story(pair_of(says("from mini", after_s=1), says("from large", after_s=2)))
        assert [attempt.tier for attempt in ended.attempts] == ["mini", "large"]


def test_both_failing_is_one_error_that_names_both() -> None:
    ended = story(pair_of(breaks("http_500", after_s=1), breaks("http_429", after_s=1)))
    assert ended.reason == "ALL_UPSTREAMS_FAILED"
    assert ended.error is not None
    assert "mini-0 failed (http_500)" in ended.error.message
    assert "large-0 failed (http_429)" in ended.error.message


def test_a_race_of_two_escalates_to_the_third_tier() -> None:
    service = router_of(
        served_of("mini", FakeUpstream("mini-0", says("poor", after_s=1))),
        served_of("medium", FakeUpstream("medium-0", breaks(after_s=2))),
        served_of("large", FakeUpstream("large-0", says("Paris", after_s=1))),
        p_accept={"mini": 0.5},
    )
    ended = story(service)
    assert (ended.at_s, ended.tier) == (3.0, "large")
    assert [attempt.leg for attempt in ended.attempts] == [0, 1, 2]


# --- prefer: cheapest --------------------------------------------------------------------------------------------


def test_with_cheapest_an_answer_is_held_for_the_cheaper_leg() -> None:
    ended = story(pair_of(says("from mini", after_s=2), says("from large", after_s=1), race=cheapest(5.0)))
    assert (ended.text, ended.at_s) == ("from mini", 2.0)
    assert ended.ends == ["mini won", "large cancelled outranked"]


def test_with_cheapest_the_grace_releases_the_held_answer() -> None:
    service = pair_of(says("from mini", after_s=9), says("from large", after_s=1), race=cheapest(2.5))
    ended = story(service)
    assert (ended.text, ended.at_s, ended.ends) == ("from large", 3.5, ["mini cancelled lost_race", "large won"])


@pytest.mark.parametrize("bad", NEVER_WINS)
def test_with_cheapest_the_cheaper_legs_failure_releases_the_held_answer(bad: str) -> None:
    script, _ = NEVER_WINS[bad]
    ended = story(pair_of((Pause(2), *script), says("from large", after_s=1), race=cheapest(50.0)))
    assert (ended.text, ended.at_s) == ("from large", 2.0)


def test_with_cheapest_a_cheap_answer_is_never_held() -> None:
    ended = story(pair_of(says("from mini", after_s=1), says("from large", after_s=2), race=cheapest(50.0)))
    assert (ended.text, ended.at_s) == ("from mini", 1.0)


def test_with_cheapest_and_no_grace_the_first_accepted_answer_wins() -> None:
    ended = story(pair_of(says("from mini", after_s=2), says("from large", after_s=1), race=cheapest(0.0)))
    assert (ended.text, ended.at_s) == ("from large", 1.0)


def test_with_cheapest_the_latency_budget_releases_the_held_answer() -> None:
    request = request_of(constraints=Constraints(latency_budget_s=2.0))
    ended = story(pair_of((Hang(),), says("from large", after_s=1), race=cheapest(50.0)), request)
    assert (ended.text, ended.at_s, ended.routed is not None) == ("from large", 2.0, True)


def test_with_cheapest_the_deadline_releases_the_held_answer() -> None:
    ended = story(pair_of((Hang(),), says("from large", after_s=1), race=cheapest(50.0)), deadline_s=3.0)
    assert (ended.text, ended.at_s) == ("from large", 3.0)


def test_a_leg_in_its_failover_is_still_waited_for() -> None:
    service = router_of(
        served_of(
            "mini",
            FakeUpstream("mini-0", (Hang(),)),
            FakeUpstream("mini-1", says("from mini", after_s=1)),
            timeouts=Timeouts(first_token_s=2),
        ),
        served_of("large", FakeUpstream("large-0", says("from large", after_s=1))),
        race=cheapest(50.0),
    )
    ended = story(service)
    assert (ended.text, ended.at_s) == ("from mini", 3.0)
