"""Random streams and answers that are reviewed elsewhere and doubted by a learnt validator."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from specroute.core.outcome import AttemptEnd
from specroute.core.stream import CommitReason
from specroute.validators.judge import ConfiguredReviewer, ConfiguredValidator, OnAbstain
from tests.engine.invariants import SAME_INSTANT_S, assert_settled
from tests.engine.reviewers import ABSTAIN, ACCEPT, REJECT, Learnt, SlowReviewer
from tests.engine.streaming.scenarios import Scenario, scenarios_with_any_reader
from tests.engine.streaming.test_random_streams import assert_closed_by, assert_no_mix_up, told
from tests.fakes import PREFIX_VALIDATORS, on_virtual_clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specroute.core.outcome import Attempt

kinds = st.sampled_from([ACCEPT, ACCEPT, REJECT, ABSTAIN])
reviewers = st.builds(
    lambda takes_s, mini, large, is_contract, name: SlowReviewer(
        takes_s, {"mini": mini, "large": large}, is_contract, name
    ),
    st.sampled_from([0.0, 0.25, 1.0, 5.0]),
    kinds,
    kinds,
    st.booleans(),
    st.sampled_from(["safety", "style"]),
)
panels = st.tuples(
    st.lists(reviewers, min_size=1, max_size=3), st.none() | st.builds(Learnt), st.sampled_from(OnAbstain)
)
Panels = tuple[list[SlowReviewer], Learnt | None, OnAbstain]


def judged_by(scenario: Scenario, chosen: Panels) -> Scenario:
    asked, learnt, on_abstain = chosen
    doubting = () if learnt is None else (ConfiguredValidator(learnt),)
    reviewing = (ConfiguredReviewer(each, on_abstain) for each in asked)
    return replace(scenario, validators=(*PREFIX_VALIDATORS, *doubting, *reviewing))


@settings(deadline=None, max_examples=300)
@given(scenarios_with_any_reader(), panels)
def test_a_stream_under_review_shows_one_answer_and_only_when_every_review_is_done(
    scenario: Scenario, chosen: Panels
) -> None:
    scenario = judged_by(scenario, chosen)

    service, ended, reader = told(scenario)

    assert_no_mix_up(scenario, ended, reader)
    assert_closed_by(scenario.deadline_s, service, reader)
    assert ended.decision is not None
    commit = ended.decision.commit
    assert commit is None or commit.reason is CommitReason.VALIDATED
    assert_reviews_over(chosen, ended.at_s)
    assert_nothing_forbidden(chosen, ended.attempts)


@settings(deadline=None, max_examples=200)
@given(scenarios_with_any_reader(), panels)
def test_an_answer_under_review_is_settled(scenario: Scenario, chosen: Panels) -> None:
    scenario = judged_by(scenario, chosen)
    service = scenario.service()

    ended = on_virtual_clock(
        lambda: service.run(scenario.request, deadline_s=scenario.deadline_s, cancel_at=scenario.cancel_at)
    )

    assert_settled(service, ended)
    assert_reviews_over(chosen, ended.at_s)
    assert_nothing_forbidden(chosen, ended.attempts)


def assert_reviews_over(chosen: Panels, at_s: float) -> None:
    """Asserts that no review outlives its request."""
    for reviewer in chosen[0]:
        assert all(each.ended_at_s is not None and each.ended_at_s <= at_s + SAME_INSTANT_S for each in reviewer.asked)


def assert_nothing_forbidden(chosen: Panels, attempts: Sequence[Attempt]) -> None:
    """Asserts that what was delivered had been seen by each contract reviewer, and was rejected by none."""
    contracts = {each.name for each in chosen[0] if each.is_contract} - {
        each.name for each in chosen[0] if not each.is_contract
    }
    for attempt in attempts:
        if attempt.end is not AttemptEnd.WON:
            continue
        verdicts = {each.validator: each.kind for each in attempt.verdicts}
        assert contracts <= verdicts.keys()
        assert all(verdicts[name] is not REJECT for name in contracts)
