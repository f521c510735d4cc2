"""Streams with random answers, timings, options and readers: what holds for every stream holds for them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from specroute.core.stream import CommitReason, DeliveryMode, Delta
from specroute.validators.structured.json_text import unfenced
from tests.engine.invariants import SAME_INSTANT_S, assert_settled, assert_streamed
from tests.engine.streaming.scenarios import MARKS, UNBOUND, TimedReader, scenarios, scenarios_with_any_reader
from tests.fakes import PREFIX_VALIDATORS, on_virtual_clock

if TYPE_CHECKING:
    from tests.engine.streaming.scenarios import Scenario
    from tests.fakes import Ended, Service


ENOUGH = 12
"""Calls that a request may make, where legs that start in one instant are not to compete for the last one."""


def told(scenario: Scenario, *, apart: bool = False) -> tuple[Service, Ended, TimedReader]:
    """Runs a scenario, and checks what holds for every stream."""
    service = scenario.service(apart=apart)
    reader = TimedReader(scenario)

    async def tell() -> Ended:
        return await service.stream(
            scenario.request,
            scenario.wish,
            reader,
            deadline_s=scenario.deadline_s,
            cancel_at=scenario.cancel_at,
        )

    ended = on_virtual_clock(tell)
    note(story_of(ended, reader))
    assert_settled(service, ended, late_s=reader.held_up_from(scenario.deadline_s))
    assert_streamed(ended, reader)
    return service, ended, reader


def story_of(ended: Ended, reader: TimedReader) -> str:
    how = "cancelled" if ended.was_cancelled else (ended.error or ended.text)
    commit = None if ended.decision is None else ended.decision.commit
    lines = (*reader.story, f"{ended.at_s:g} ended: {how!r}", *ended.ends, f"{commit}")
    return "\n".join(lines)


def assert_no_mix_up(scenario: Scenario, ended: Ended, reader: TimedReader) -> None:
    """Asserts that what is shown of a leg is the beginning of what one call of its tier says."""
    assert ended.decision is not None
    plan = ended.decision.plan
    legs = plan.legs if plan.escalation is None else (*plan.legs, plan.escalation)
    for index, leg in enumerate(legs):
        shown = "".join(event.text for event in reader.events if isinstance(event, Delta) and event.leg == index)
        forms = [form for text in scenario.texts_of(leg.tier) for form in (text, unfenced(text), text.strip())]
        assert any(form.startswith(shown) for form in forms), f"{shown!r} is the beginning of no answer of {leg.tier}"
    if ended.routed is not None:
        completion = ended.routed.delivery.completion
        said = ended.text + "".join(call.arguments_json for call in completion.tool_calls)
        assert {mark for mark in MARKS if mark in said} <= {
            f"{ended.routed.delivery.upstream}.{call}" for call in range(2)
        }


def assert_closed_by(at_s: float, service: Service, reader: TimedReader) -> None:
    """Asserts that no call outlived an instant by more than the write that was going on then."""
    for call in service.calls:
        assert call.closed_at_s is not None
        assert call.closed_at_s <= at_s + reader.rest_of_write_at(at_s) + SAME_INSTANT_S


def assert_commit_allowed(scenario: Scenario, ended: Ended, reader: TimedReader) -> None:
    """Asserts that the reason of an early commit is one that the scenario allows."""
    assert ended.decision is not None
    commit = ended.decision.commit
    provisional = any(isinstance(event, Delta) and event.provisional for event in reader.events)
    assert not provisional or scenario.wish.mode is DeliveryMode.PROVISIONAL
    if commit is None:
        return
    if commit.reason is CommitReason.HELD_BACK:
        assert scenario.wish.mode is DeliveryMode.HOLD_BACK
        assert not scenario.spoiled
    if commit.reason is CommitReason.PREFIX_SETTLED:
        assert scenario.validators == PREFIX_VALIDATORS
    if commit.reason in (CommitReason.HELD_BACK, CommitReason.PREFIX_SETTLED):
        stopped = [attempt.leg for attempt in ended.attempts if attempt.reason == "lost_race"]
        assert commit.leg < min(stopped, default=commit.leg + 1), "a dearer leg was fixed while a cheaper one ran"


@settings(deadline=None, max_examples=500)
@given(scenarios_with_any_reader())
def test_any_stream_shows_one_answer_and_nothing_else(scenario: Scenario) -> None:
    service, ended, reader = told(scenario)

    assert len(service.calls) <= scenario.max_attempts
    assert_no_mix_up(scenario, ended, reader)
    assert_commit_allowed(scenario, ended, reader)
    assert_closed_by(scenario.deadline_s, service, reader)
    if ended.was_cancelled:
        assert scenario.cancel_at is not None
        assert_closed_by(scenario.cancel_at.at_s, service, reader)
    if scenario.leaves_after is None:
        assert ended.error is None or ended.error.reason != "READER_STALLED"


@settings(deadline=None, max_examples=300)
@given(scenarios())
def test_a_stream_without_an_early_commit_ends_as_a_unary_answer_does(scenario: Scenario) -> None:
    scenario = unrelated(scenario)
    if scenario.wish.mode is DeliveryMode.PROVISIONAL:  # a call that has shown text is not made again
        scenario = replace(scenario, tiers={tier: calls[:1] for tier, calls in scenario.tiers.items()})
    _, streamed, _ = told(scenario, apart=True)
    commit = None if streamed.decision is None else streamed.decision.commit
    if commit is not None and commit.reason is not CommitReason.VALIDATED:
        return
    service = scenario.service(apart=True)
    unary = on_virtual_clock(lambda: service.run(scenario.request, deadline_s=scenario.deadline_s))
    note(f"unary: {unary.ends}")
    assert streamed.at_s == unary.at_s
    if unary.routed is None:
        assert streamed.reason == unary.reason
    else:
        assert streamed.routed is not None
        assert streamed.routed.delivery == unary.routed.delivery


@settings(deadline=None, max_examples=150)
@given(scenarios(), st.sampled_from([0.1, 0.7, 3.0]))
def test_a_slow_reader_does_not_decide_which_leg_wins(scenario: Scenario, pace_s: float) -> None:
    unhurried = replace(scenario, deadline_s=600.0, constraints=UNBOUND, max_attempts=ENOUGH)
    at_once = commit_of(told(unhurried, apart=True))
    slowly = commit_of(told(replace(unhurried, pace_s=pace_s), apart=True))

    assert (at_once and at_once[:2]) == (slowly and slowly[:2])
    if at_once and slowly and at_once[1] is not CommitReason.VALIDATED:
        assert slowly[2] == pytest.approx(at_once[2] + pace_s), "later than by the opening event, which comes first"


def unrelated(scenario: Scenario) -> Scenario:
    """Returns the scenario without bounds for which legs compete, and with no two bounds in one instant."""
    constraints = scenario.constraints
    budget_s = None if constraints.latency_budget_s is None else constraints.latency_budget_s + 0.05
    return replace(
        scenario,
        max_attempts=ENOUGH,
        deadline_s=scenario.deadline_s + 0.08,
        constraints=replace(constraints, latency_budget_s=budget_s, max_cost_nano_usd=None),
    )


def commit_of(run: tuple[Service, Ended, TimedReader]) -> tuple[str, CommitReason, float] | None:
    decision = run[1].decision
    assert decision is not None
    commit = decision.commit
    return None if commit is None else (commit.tier, commit.reason, commit.after_s)
