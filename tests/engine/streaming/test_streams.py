"""When a stream commits, what its reader sees, and what happens when something goes wrong before and after."""

from __future__ import annotations

import pytest

from specroute.core.errors import UpstreamError
from specroute.core.outcome import Chunk, FinishReason, ToolCallDelta
from specroute.core.request import Constraints, Generation, JsonObjectOutput, OnBudget, Tool
from specroute.core.stream import DeliveryMode, DeliveryWish
from specroute.engine.referee import Prefer, RaceRules
from specroute.engine.tiers import Timeouts
from specroute.guards.early_commit import EarlyCommits
from specroute.policy.planner import Always
from tests.engine.stories import story, streamed
from tests.fakes import (
    PREFIX_VALIDATORS,
    FakeReader,
    FakeUpstream,
    Hang,
    Pause,
    Script,
    Service,
    Until,
    pair_of,
    request_of,
    router_of,
    says,
    served_of,
    tokens,
)

COMMITTED = DeliveryWish()
PROVISIONAL = DeliveryWish(DeliveryMode.PROVISIONAL)
REFUSAL = "I'm sorry, but I can't help with that."


def hold_back(tokens: int | None = None, seconds: float | None = None) -> DeliveryWish:
    return DeliveryWish(DeliveryMode.HOLD_BACK, tokens, seconds)


def pair(
    mini: Script,
    large: Script,
    plan: str = "race",
    *,
    early_commits: EarlyCommits | None = None,
    mini_timeouts: Timeouts | None = None,
    race: RaceRules | None = None,
) -> Service:
    return pair_of(
        mini,
        large,
        plan=plan,
        validators=PREFIX_VALIDATORS,
        early_commits=early_commits,
        mini_timeouts=mini_timeouts,
        race=race,
    )


MINI = tokens("Paris is", " the capital", " of France.", first_s=1)
LARGE = tokens("The capital", " is", " Paris.", first_s=1.5)
JSON = request_of(output=JsonObjectOutput())


# --- when the winner is fixed -------------------------------------------------------------------------------------


def test_a_leg_with_nothing_behind_it_streams_straight_through() -> None:
    service = router_of(served_of("large", FakeUpstream("large-0", LARGE)), validators=PREFIX_VALIDATORS)

    ended, reader = streamed(service)

    assert reader.story == [
        "0 decided",
        "1.5 committed 0 nothing_stronger",
        "1.5 delta 0 'The capital'",
        "2.5 delta 0 ' is'",
        "3.5 delta 0 ' Paris.'",
    ]
    assert ended.text == "The capital is Paris."


def test_a_direct_mini_leg_commits_once_its_opening_can_be_no_refusal() -> None:
    ended, reader = streamed(pair(MINI, LARGE, "direct"))

    assert reader.story[:3] == ["0 decided", "1 committed 0 prefix_settled", "1 delta 0 'Paris is'"]
    assert ended.decision is not None
    assert ended.decision.commit is not None
    assert (ended.decision.commit.after_s, ended.decision.commit.tokens, ended.decision.commit.upheld) == (1.0, 2, True)


def test_an_early_commit_cancels_the_dearer_leg_in_that_instant() -> None:
    service = pair(MINI, LARGE)

    ended, reader = streamed(service)

    assert reader.story[1] == "1 committed 0 prefix_settled"
    (large,) = service.calls_of("large-0")
    assert large.closed_at_s == 1.0
    assert ended.ends == ["mini won", "large cancelled lost_race"]


def test_a_dearer_leg_is_not_fixed_on_its_beginning_while_the_cheaper_one_runs() -> None:
    _, reader = streamed(pair(tokens("Paris.", first_s=4), LARGE))

    assert reader.story == ["0 decided", "4 committed 0 prefix_settled", "4 delta 0 'Paris.'"]


def test_a_dearer_leg_wins_with_a_whole_answer() -> None:
    _, reader = streamed(pair(tokens("Paris.", first_s=6), LARGE))

    assert reader.story == ["0 decided", "4.5 committed 1 validated", "4.5 delta 1 'The capital is Paris.'"]


def test_nothing_is_fixed_on_its_beginning_while_an_accepted_answer_is_held() -> None:
    held = RaceRules(Prefer.CHEAPEST, cheapest_grace_s=10.0)
    mini = tokens("Paris is", " the capital", first_s=2, then=(UpstreamError("reset"),))

    ended, reader = streamed(pair(mini, says("Paris.", after_s=1), race=held))

    assert ended.tier == "large"
    assert reader.story[1] == "4 committed 1 validated"


def test_a_leg_that_is_the_last_one_left_commits_with_what_it_holds() -> None:
    _, reader = streamed(pair((Pause(3), UpstreamError("http_500")), LARGE))

    assert reader.story == [
        "0 decided",
        "3 committed 1 nothing_stronger",
        "3 delta 1 'The capital is'",
        "3.5 delta 1 ' Paris.'",
    ]


def test_json_commits_at_its_end_because_until_then_it_could_break() -> None:
    mini = tokens('{"city":', ' "Paris"', "}", first_s=1)

    _, reader = streamed(pair(mini, (Hang(),)), request=JSON)

    assert reader.story == ["0 decided", "4 committed 0 validated", '4 delta 0 \'{"city": "Paris"}\'']


@pytest.mark.parametrize(
    ("wish", "at"), [(hold_back(4), "2"), (hold_back(seconds=0.5), "1.5"), (hold_back(4, 0.5), "1.5")]
)
def test_hold_back_commits_when_its_window_has_passed_and_nothing_speaks_against_the_answer(
    wish: DeliveryWish, at: str
) -> None:
    mini = tokens('{"city":', ' "Paris"', "}", first_s=1)

    ended, reader = streamed(pair(mini, (Hang(),)), wish, JSON)

    assert reader.story[1] == f"{at} committed 0 held_back"
    assert ended.decision is not None
    assert ended.decision.commit is not None
    assert ended.decision.commit.error_ratio == 0.01


def test_hold_back_does_not_commit_what_its_checks_still_doubt() -> None:
    mini = tokens("I'm sorry,", " but I can't", " help with that.", " Bye", first_s=1)

    _, reader = streamed(pair(mini, LARGE, "cascade"), hold_back(1))

    assert "committed 0" not in " ".join(reader.story)


def test_hold_back_waits_for_the_end_once_too_many_early_commits_failed() -> None:
    commits = EarlyCommits(0.02)
    for _ in range(10):
        commits.settle("mini json_object", upheld=False)
    mini = tokens('{"city":', ' "Paris"', "}", first_s=1)

    _, reader = streamed(pair(mini, (Hang(),), early_commits=commits), hold_back(1), JSON)

    assert reader.story[1] == "4 committed 0 validated"
    assert commits.error_ratio("mini json_object") < 11 / 110, "the answer that held counts though it was not committed"


def test_an_early_commit_that_fails_is_counted_against_the_next_ones() -> None:
    commits = EarlyCommits(0.02)
    mini = tokens('{"city":', ' "Paris"', first_s=1)

    ended, _ = streamed(pair(mini, LARGE, early_commits=commits), hold_back(1), JSON)

    assert ended.reason == "NO_ACCEPTABLE_ANSWER"
    assert commits.error_ratio("mini json_object") > 0.01


# --- provisional delivery -----------------------------------------------------------------------------------------


def test_provisional_text_flows_at_once_and_stands_after_the_commit() -> None:
    mini = tokens('{"city":', ' "Paris"', "}", first_s=1)

    _, reader = streamed(pair(mini, (Hang(),)), PROVISIONAL, JSON)

    assert reader.story == [
        "0 decided",
        "1 delta 0 '{\"city\":' provisional",
        "2 delta 0 ' \"Paris\"' provisional",
        "3 delta 0 '}' provisional",
        "4 committed 0 validated",
    ]


def test_provisional_text_of_a_loser_is_taken_back_and_the_winner_follows() -> None:
    mini = tokens('{"city":', " oops", first_s=1)
    large = tokens('{"city": "Paris"}', first_s=0.5, gap_s=4)

    ended, reader = streamed(pair(mini, large), PROVISIONAL, JSON)

    assert reader.story == [
        "0 decided",
        "1 delta 0 '{\"city\":' provisional",
        "2 superseded 0 not_json",
        "2 committed 1 nothing_stronger",
        '2 delta 1 \'{"city": "Paris"}\'',
    ]
    assert ended.tier == "large"


def test_nothing_is_taken_back_where_nothing_was_shown() -> None:
    _, reader = streamed(pair((Pause(1), UpstreamError("http_500")), LARGE), PROVISIONAL)

    assert reader.story[1] == "1.5 committed 1 nothing_stronger"


def test_a_call_that_showed_text_is_not_made_again() -> None:
    first = FakeUpstream("mini-0", tokens('{"a', first_s=1, then=(UpstreamError("reset"),)))
    service = router_of(
        served_of("mini", first, FakeUpstream("mini-1")),
        served_of("large", FakeUpstream("large-0", says("{}", after_s=3))),
        validators=PREFIX_VALIDATORS,
    )

    _, reader = streamed(service, PROVISIONAL, JSON)

    assert reader.story[2] == "2 superseded 0 reset"
    assert service.calls_of("mini-1") == []


def test_a_slow_reader_does_not_decide_the_race() -> None:
    mini = tokens('{"city":', ' "Par', "is", '"}', first_s=1, gap_s=0.1)
    large = tokens("{", "}", first_s=1.5)

    ended, reader = streamed(pair(mini, large), PROVISIONAL, JSON, reader=FakeReader(pace_s=1))

    assert ended.tier == "mini"
    assert reader.story[-1].endswith("committed 0 validated")


# --- rejected on its beginning ------------------------------------------------------------------------------------


@pytest.mark.parametrize("delivery", ["unary", "streamed"])
def test_a_refusal_ends_its_leg_as_soon_as_it_is_one_and_the_next_starts_at_once(delivery: str) -> None:
    service = pair((Pause(1), Chunk(REFUSAL), Chunk(" Sorry."), Hang()), LARGE, "cascade")

    ended = story(service) if delivery == "unary" else streamed(service)[0]

    (mini,), (large,) = service.calls_of("mini-0"), service.calls_of("large-0")
    assert mini.closed_at_s == large.started_at_s == 1.0
    assert ended.ends == ["mini rejected refusal", "large won"]
    assert ended.attempts[0].verdicts[0].prefix_tokens is not None
    assert not mini.completed


def test_a_unary_answer_is_never_committed_before_its_end() -> None:
    cut_off = tokens("Paris is the capital of", first_s=1, finish=FinishReason.LENGTH)

    assert story(pair(cut_off, LARGE)).tier == "large"


def test_a_beginning_is_not_rejected_where_nothing_else_could_answer() -> None:
    alone = router_of(
        served_of("mini", FakeUpstream("mini-0", tokens(REFUSAL, " Well", first_s=1))), validators=PREFIX_VALIDATORS
    )

    ended = story(alone)

    assert ended.reason == "NO_ACCEPTABLE_ANSWER"
    assert ended.attempts[0].verdicts[-1].prefix_tokens is None


# --- after the commit ---------------------------------------------------------------------------------------------


def test_a_winner_that_dies_ends_the_stream_and_says_how_much_was_delivered() -> None:
    mini = tokens("Paris is", " the capital", first_s=1, then=(UpstreamError("reset"),))
    service = pair(mini, LARGE)

    ended, reader = streamed(service)

    assert ended.reason == "STREAM_INTERRUPTED"
    assert ended.error is not None
    assert ended.error.delivered is not None
    assert (ended.error.delivered.tier, ended.error.delivered.output_bytes) == ("mini", len("Paris is the capital"))
    assert reader.standing_text == "Paris is the capital"
    assert ended.ends == ["mini failed reset", "large cancelled lost_race"]


def test_nothing_takes_the_place_of_a_winner_that_dies() -> None:
    mini = tokens("Paris is", first_s=1, then=(UpstreamError("reset"),))
    service = pair(mini, LARGE, "cascade")

    ended, _ = streamed(service)

    assert ended.reason == "STREAM_INTERRUPTED"
    assert service.calls_of("large-0") == []


def test_an_answer_that_turns_out_cut_off_is_completed_as_such() -> None:
    mini = tokens("Paris is", " the", first_s=1, finish=FinishReason.LENGTH)

    ended, _ = streamed(pair(mini, LARGE))

    assert ended.routed is not None
    assert ended.routed.delivery.degraded
    assert ended.routed.delivery.completion.finish_reason is FinishReason.LENGTH
    assert ended.text == "Paris is the"
    assert ended.decision is not None
    assert ended.decision.commit is not None
    assert not ended.decision.commit.upheld


def test_an_answer_that_turns_out_cut_off_fails_where_the_caller_wants_no_best_effort() -> None:
    mini = tokens("Paris is", " the", first_s=1, finish=FinishReason.LENGTH)
    strict = request_of(constraints=Constraints(on_budget=OnBudget.FAIL))

    ended, _ = streamed(pair(mini, LARGE), request=strict)

    assert ended.reason == "NO_ACCEPTABLE_ANSWER"
    assert ended.error is not None
    assert ended.error.delivered is not None


def test_a_contract_that_breaks_after_the_commit_ends_the_stream() -> None:
    alone = router_of(
        served_of("large", FakeUpstream("large-0", tokens('{"city"', " oops", first_s=1))),
        validators=PREFIX_VALIDATORS,
    )

    ended, reader = streamed(alone, request=JSON)

    assert ended.reason == "NO_ACCEPTABLE_ANSWER"
    assert reader.standing_text == '{"city" oops'


def test_a_committed_stream_is_cut_at_the_deadline() -> None:
    ended, reader = streamed(pair((*MINI[:-1], Hang()), LARGE), deadline_s=10)

    assert ended.reason == "DEADLINE_EXCEEDED"
    assert ended.at_s == 10.0
    assert reader.standing_text == "Paris is the capital of France."


def test_the_latency_budget_cuts_a_committed_stream_only_where_the_caller_said_so() -> None:
    best_effort = request_of(constraints=Constraints(latency_budget_s=1.5))
    strict = request_of(constraints=Constraints(latency_budget_s=1.5, on_budget=OnBudget.FAIL))

    assert streamed(pair(MINI, LARGE), request=best_effort)[0].tier == "mini"
    assert streamed(pair(MINI, LARGE), request=strict)[0].reason == "LATENCY_BUDGET_EXCEEDED"
    assert streamed(pair(MINI, LARGE, "direct"), request=strict)[0].reason == "LATENCY_BUDGET_EXCEEDED"


# --- form and tools -----------------------------------------------------------------------------------------------


def test_the_fence_around_json_is_in_no_delta() -> None:
    mini = tokens("```json\n", '{"a":', " 1}", "\n```", first_s=1)

    ended, reader = streamed(pair(mini, (Hang(),)), PROVISIONAL, JSON)

    assert ended.text == '{"a": 1}'
    assert reader.story[1] == "2 delta 0 '{\"a\":' provisional"


def test_tool_calls_are_shown_whole_and_only_once_they_were_accepted() -> None:
    parts = [ToolCallDelta(0, "c1", "add", '{"a":'), ToolCallDelta(0, arguments_json=" 1}")]
    large: Script = (
        Pause(1),
        Chunk("Let me see."),
        *(Chunk(tool_calls=(part,)) for part in parts),
        Pause(1),
        Chunk(finish_reason=FinishReason.TOOL_CALLS),
    )
    service = router_of(served_of("large", FakeUpstream("large-0", large)), validators=PREFIX_VALIDATORS)

    _, reader = streamed(service, request=request_of(generation=Generation(tools=(Tool("add"),))))

    assert reader.story[1:] == [
        "1 committed 0 nothing_stronger",
        "1 delta 0 'Let me see.'",
        '2 delta 0 add({"a": 1})',
    ]


def test_a_tool_call_that_is_rejected_is_never_shown() -> None:
    bad = (
        Pause(1),
        Chunk(tool_calls=(ToolCallDelta(0, "c1", "add", "{oops"),)),
        Chunk(finish_reason=FinishReason.STOP),
    )
    service = pair(bad, says("Nothing to add.", after_s=2))

    _, reader = streamed(service, PROVISIONAL, request_of(generation=Generation(tools=(Tool("add"),))))

    assert reader.standing_calls == ()
    assert reader.standing_text == "Nothing to add."


# --- guards and readers -------------------------------------------------------------------------------------------


def test_a_leg_that_is_too_slow_gives_way_before_the_commit() -> None:
    mini = tokens('{"city":', " ", " ", " ", first_s=1, gap_s=2)
    pace = Timeouts(min_tokens_per_s=1.0, rate_window_s=3.0)

    ended, _ = streamed(pair(mini, says("{}", after_s=9), mini_timeouts=pace), request=JSON)

    assert ended.ends == ["mini timed_out too_slow", "large won"]
    assert ended.attempts[0].ended_after_s == 5.0


def test_a_committed_leg_may_be_slow() -> None:
    pace = Timeouts(min_tokens_per_s=10.0, rate_window_s=0.5)

    ended, _ = streamed(pair(MINI, LARGE, mini_timeouts=pace))

    assert ended.tier == "mini"


@pytest.mark.parametrize("plan", ["direct", "cascade", "race"])
@pytest.mark.parametrize("wish", [COMMITTED, PROVISIONAL, hold_back(1, 5.0)])
def test_a_reader_that_stalls_ends_the_stream_and_both_calls(plan: str, wish: DeliveryWish) -> None:
    service = pair((*MINI[:-1], Hang()), (Hang(),), plan)

    ended, _ = streamed(service, wish, reader=FakeReader(leaves_after=2, stall_s=10))

    assert ended.reason == "READER_STALLED"
    assert all(call.closed_at_s is not None and call.closed_at_s <= 14 for call in service.calls)
    assert {attempt.reason for attempt in ended.attempts if attempt.upstream} <= {"reader_stalled", "lost_race"}


def test_while_the_reader_is_slow_the_committed_upstream_is_not_read() -> None:
    burst: Script = (
        Pause(1),
        *(Chunk(f"word{number} ") for number in range(6)),
        Chunk(finish_reason=FinishReason.STOP),
    )
    service = router_of(served_of("large", FakeUpstream("large-0", burst)), validators=PREFIX_VALIDATORS)

    _, reader = streamed(service, reader=FakeReader(pace_s=1))

    (call,) = service.calls
    assert call.closed_at_s is not None
    assert call.closed_at_s >= 7.0, "the upstream's end was read before the reader had taken what came before"
    assert len(reader.seen) == 8


@pytest.mark.parametrize("at_s", [0.5, 1.5, 2.5])
@pytest.mark.parametrize("wish", [COMMITTED, PROVISIONAL, hold_back(4)])
def test_a_caller_that_goes_away_closes_both_calls_at_once(at_s: float, wish: DeliveryWish) -> None:
    service = pair(tokens('{"a":', " 1", "}", first_s=1), tokens("{", "}", first_s=1, gap_s=9))

    ended, _ = streamed(service, wish, JSON, cancel_at=Until(at_s))

    assert ended.was_cancelled
    assert all(call.closed_at_s is not None and call.closed_at_s <= at_s for call in service.calls)


def test_one_policy_answers_the_same_streamed_or_not() -> None:
    always = router_of(
        served_of("mini", FakeUpstream("mini-0", MINI)),
        served_of("large", FakeUpstream("large-0", LARGE)),
        policy=Always("mini"),
        validators=PREFIX_VALIDATORS,
    )

    assert streamed(always)[0].text == story(pair(MINI, LARGE, "direct")).text
