"""Answers that are judged elsewhere: what is waited for, for how long, and what is never delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from specroute.core.outcome import CostBasis
from specroute.core.request import Constraints, OnBudget
from specroute.core.stream import DeliveryMode, DeliveryWish
from specroute.engine.referee import Prefer, RaceRules
from specroute.validators.judge import ConfiguredReviewer, ConfiguredValidator, OnAbstain
from tests.engine.reviewers import ABSTAIN, REJECT, BrokenReviewer, Learnt, SlowReviewer
from tests.engine.stories import story, streamed
from tests.fakes import (
    BUILT_IN_VALIDATORS,
    PREFIX_VALIDATORS,
    Until,
    breaks,
    pair_of,
    request_of,
    says,
    tokens,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specroute.validators.panel import Configured

PLANS = ["direct", "cascade", "hedge", "race"]
BAD = {"bad": REJECT}


def reviewed_by(
    *reviewers: SlowReviewer | BrokenReviewer,
    on_abstain: OnAbstain = OnAbstain.ACCEPT,
    judges: Sequence[ConfiguredValidator] = BUILT_IN_VALIDATORS,
) -> list[Configured]:
    return [*judges, *(ConfiguredReviewer(each, on_abstain) for each in reviewers)]


@pytest.mark.parametrize("plan", PLANS)
def test_an_answer_is_delivered_once_its_review_has_accepted_it(plan: str) -> None:
    safety = SlowReviewer(0.5)

    ended = story(pair_of(says("fine", after_s=1), says("large", after_s=5), plan=plan, validators=reviewed_by(safety)))

    assert (ended.text, ended.at_s) == ("fine", 1.5)
    assert [(asked.tier, asked.text, asked.at_s) for asked in safety.asked] == [("mini", "fine", 1)]
    assert ended.attempts[0].verdicts[-1].reason == "accepted"
    assert ended.decision is not None
    assert dict(ended.decision.timings_s)["review"] == 0.5


def test_without_a_reviewer_no_time_of_review_is_told() -> None:
    ended = story(pair_of(says("fine"), says("large")))

    assert ended.decision is not None
    assert "review" not in dict(ended.decision.timings_s)


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("is_contract", [True, False])
def test_an_answer_that_a_review_rejects_escalates(plan: str, is_contract: bool) -> None:
    safety = SlowReviewer(0.5, BAD, is_contract)

    ended = story(pair_of(says("bad"), says("fine", after_s=1), plan=plan, validators=reviewed_by(safety)))

    assert (ended.tier, ended.text) == ("large", "fine")
    assert ended.attempts[0].reason == "rejected"


def test_what_the_validators_reject_is_not_reviewed() -> None:
    safety, quality = SlowReviewer(is_contract=True), SlowReviewer(name="style")

    empty = story(pair_of(says(""), says("fine"), plan="cascade", validators=reviewed_by(safety, quality)))
    poor = story(pair_of(says("poor"), says("fine"), plan="cascade", validators=reviewed_by(quality)))

    assert (empty.tier, poor.tier) == ("large", "large")
    assert [asked.text for asked in safety.asked] == ["fine"]
    assert [asked.text for asked in quality.asked] == ["fine", "fine"]


def test_other_legs_run_while_one_is_reviewed_and_the_first_accepted_answer_wins() -> None:
    safety = SlowReviewer(3)

    ended = story(pair_of(says("mini"), says("large", after_s=1), validators=reviewed_by(safety)))

    assert (ended.text, ended.at_s) == ("mini", 3)
    assert [(asked.tier, asked.cancelled, asked.ended_at_s) for asked in safety.asked] == [
        ("mini", False, 3),
        ("large", True, 3),
    ]
    assert ended.ends == ["mini won", "large cancelled lost_race"]
    assert ended.attempts[1].cost.basis is CostBasis.COUNTED
    assert ended.attempts[1].is_whole


def test_the_whole_answer_of_a_loser_under_review_is_not_billed_as_if_it_were_cut_off() -> None:
    service = pair_of(
        says("mini"), says("large"), validators=reviewed_by(SlowReviewer(3)), cancel_stops_billing=False,
        race=RaceRules(),
    )  # fmt: skip

    ended = story(service)

    assert [attempt.cost.basis for attempt in ended.attempts] == [CostBasis.COUNTED] * 2


def test_a_hedge_starts_its_second_leg_while_the_first_is_reviewed() -> None:
    safety = SlowReviewer(3, BAD)
    service = pair_of(says("bad"), says("fine"), plan="hedge", hedge_delay_s=1, validators=reviewed_by(safety))

    ended = story(service)

    assert service.calls_of("large-0")[0].started_at_s == 1
    assert (ended.text, ended.at_s) == ("fine", 4)


def test_where_the_cheapest_is_preferred_its_review_is_waited_for() -> None:
    safety = SlowReviewer(1)
    service = pair_of(
        says("mini", after_s=2), says("large"), race=RaceRules(Prefer.CHEAPEST, 5), validators=reviewed_by(safety)
    )

    ended = story(service)

    assert (ended.tier, ended.at_s) == ("mini", 3)


def test_several_reviewers_work_at_the_same_time() -> None:
    slow, slower = SlowReviewer(2), SlowReviewer(3, name="style")

    ended = story(pair_of(says("fine"), says("large"), plan="direct", validators=reviewed_by(slow, slower)))

    assert ended.at_s == 3
    assert [verdict.validator for verdict in ended.attempts[0].verdicts[-2:]] == ["safety", "style"]


def test_a_contracts_rejection_decides_at_once_and_the_others_are_cancelled() -> None:
    safety, style = SlowReviewer(1, BAD, is_contract=True), SlowReviewer(9, name="style")

    ended = story(pair_of(says("bad"), says("fine"), plan="cascade", validators=reviewed_by(style, safety)))

    assert ended.tier == "large"
    assert [(asked.cancelled, asked.ended_at_s) for asked in style.asked] == [(True, 1), (False, 10)]
    assert [verdict.validator for verdict in ended.attempts[0].verdicts[-2:]] == ["quality", "safety"]


def test_a_quality_rejection_waits_for_the_word_of_the_contract() -> None:
    style, safety = SlowReviewer(1, BAD, name="style"), SlowReviewer(2, {"very": REJECT}, is_contract=True)
    validators = reviewed_by(style, safety)

    kept = story(pair_of(says("bad"), breaks(), plan="cascade", validators=validators))
    never = story(pair_of(says("very bad"), breaks(), plan="cascade", validators=validators))

    assert kept.routed is not None
    assert kept.routed.delivery.degraded
    assert kept.attempts[0].reason == "rejected"
    assert never.reason == "NO_ACCEPTABLE_ANSWER"


@pytest.mark.parametrize("plan", ["cascade", "hedge", "race"])
def test_an_answer_that_a_safety_review_rejects_is_never_delivered(plan: str) -> None:
    safety = SlowReviewer(0.5, BAD, is_contract=True)

    ended = story(pair_of(says("bad"), breaks(after_s=1), plan=plan, validators=reviewed_by(safety)))

    assert ended.reason == "NO_ACCEPTABLE_ANSWER"


@pytest.mark.parametrize("plan", ["cascade", "hedge", "race"])
def test_a_poor_answer_is_reviewed_before_it_is_delivered_as_degraded(plan: str) -> None:
    for word, delivered in (("poor", True), ("poor bad", False)):
        safety = SlowReviewer(0.5, BAD, is_contract=True)
        ended = story(pair_of(says(word), breaks(after_s=3), plan=plan, validators=reviewed_by(safety)))
        assert (ended.routed is not None) == delivered
        assert [asked.text for asked in safety.asked] == [word]


def test_the_next_leg_does_not_wait_for_the_review_of_an_answer_that_cannot_win() -> None:
    safety = SlowReviewer(2, is_contract=True)
    service = pair_of(says("poor", after_s=1), says("fine", after_s=1), plan="cascade", validators=reviewed_by(safety))

    ended = story(service)

    assert service.calls_of("large-0")[0].started_at_s == 1
    assert (ended.text, ended.at_s) == ("fine", 4)


def test_the_review_of_an_answer_that_cannot_win_is_cancelled_with_the_race_and_it_stays_rejected() -> None:
    safety = SlowReviewer(9, is_contract=True, slow_on="maybe")
    validators = reviewed_by(safety, judges=(*PREFIX_VALIDATORS, ConfiguredValidator(Learnt())))

    ended = story(pair_of(says("maybe"), says("it is", after_s=1), plan="cascade", validators=validators))

    assert (ended.text, ended.at_s) == ("it is", 1)
    assert ended.ends == ["mini rejected unlikely", "large won"]
    assert [(asked.tier, asked.cancelled, asked.ended_at_s) for asked in safety.asked] == [
        ("mini", True, 1),
        ("large", False, 1),
    ]


@pytest.mark.parametrize(("on_abstain", "tier"), [(OnAbstain.ACCEPT, "mini"), (OnAbstain.REJECT, "large")])
def test_an_abstention_counts_as_it_is_configured(on_abstain: OnAbstain, tier: str) -> None:
    for reviewer in (SlowReviewer(says={"mini": ABSTAIN}), BrokenReviewer()):
        validators = reviewed_by(reviewer, on_abstain=on_abstain)
        service = pair_of(says("mini"), breaks(), plan="cascade", validators=validators)
        ended = story(service, request_of(constraints=Constraints(on_budget=OnBudget.FAIL)))
        assert (ended.routed is not None) == (tier == "mini")


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("on_budget", OnBudget)
def test_a_review_never_outlasts_the_latency_budget(plan: str, on_budget: OnBudget) -> None:
    safety = SlowReviewer(50)
    request = request_of(constraints=Constraints(latency_budget_s=2, on_budget=on_budget))

    ended = story(pair_of(says("mini", after_s=1), says("large", after_s=9), plan=plan,
                          validators=reviewed_by(safety)), request)  # fmt: skip

    assert ended.text == "mini"
    assert 1.9 < ended.at_s <= 2
    assert ended.attempts[0].verdicts[-1].reason == "out_of_time"


@pytest.mark.parametrize("plan", PLANS)
def test_a_review_never_outlasts_the_deadline(plan: str) -> None:
    safety = SlowReviewer(50, is_contract=True)
    service = pair_of(says("mini", after_s=1), says("large", after_s=1), plan=plan,
                      validators=reviewed_by(safety, on_abstain=OnAbstain.REJECT))  # fmt: skip

    ended = story(service, deadline_s=3)

    assert ended.routed is None
    assert ended.at_s <= 3
    assert all(asked.cancelled for asked in safety.asked)


def test_an_answer_after_the_latency_budget_is_reviewed_all_the_same() -> None:
    safety = SlowReviewer(1, BAD, is_contract=True)
    request = request_of(constraints=Constraints(latency_budget_s=1))

    ended = story(pair_of(says("bad", after_s=2), says("bad", after_s=2), validators=reviewed_by(safety)), request)

    assert ended.reason == "NO_ACCEPTABLE_ANSWER"


@pytest.mark.parametrize("plan", PLANS)
def test_a_caller_who_goes_away_ends_the_review_in_that_instant(plan: str) -> None:
    safety = SlowReviewer(9)

    ended = story(
        pair_of(says("mini", after_s=1), says("large", after_s=1), plan=plan, validators=reviewed_by(safety)),
        cancel_at=Until(2),
    )

    assert ended.was_cancelled
    assert ended.at_s == 2
    assert safety.asked
    assert all(asked.cancelled and asked.ended_at_s == 2 for asked in safety.asked)
    assert {attempt.reason for attempt in ended.attempts if attempt.upstream} == {"client_gone"}


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("wish", [DeliveryWish(), DeliveryWish(DeliveryMode.HOLD_BACK, hold_tokens=1)])
def test_nothing_of_a_stream_is_committed_before_its_review(plan: str, wish: DeliveryWish) -> None:
    mini = tokens("one ", "two ", "three", first_s=1, gap_s=1)
    service = pair_of(mini, tokens("large", first_s=20), plan=plan, hedge_delay_s=30,
                      validators=reviewed_by(SlowReviewer(0.5), judges=PREFIX_VALIDATORS))  # fmt: skip

    _, reader = streamed(service, wish)

    assert reader.story == ["0 decided", "4.5 committed 0 validated", "4.5 delta 0 'one two three'"]


def test_provisional_text_is_taken_back_when_its_review_rejects_it() -> None:
    safety = SlowReviewer(0.5, BAD, is_contract=True)
    mini, large = tokens("very ", "bad", first_s=1, gap_s=1), tokens("fine", first_s=1, gap_s=1)
    service = pair_of(mini, large, plan="cascade", validators=reviewed_by(safety))

    ended, reader = streamed(service, DeliveryWish(DeliveryMode.PROVISIONAL))

    assert ended.text == "fine"
    assert "3.5 superseded 0 rejected" in reader.story
    assert reader.story[-1] == "6 committed 1 validated"


@pytest.mark.parametrize("plan", ["cascade", "race"])
def test_a_stream_whose_every_answer_is_unsafe_fails_without_having_shown_any(plan: str) -> None:
    safety = SlowReviewer(0.5, BAD, is_contract=True)
    service = pair_of(tokens("bad", first_s=1), tokens("bad", first_s=1), plan=plan, validators=reviewed_by(safety))

    ended, reader = streamed(service)

    assert ended.reason == "NO_ACCEPTABLE_ANSWER"
    assert reader.story == ["0 decided"]
