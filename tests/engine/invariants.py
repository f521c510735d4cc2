"""What holds for every request, however it went."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specroute.core.outcome import AttemptEnd
from specroute.core.request import BYTES_PER_TOKEN, utf8_length
from specroute.core.stream import CommitReason, Committed, Decided, Delta, Superseded

if TYPE_CHECKING:
    from specroute.core.errors import RouteError
    from specroute.core.stream import Commit
    from tests.fakes import Ended, FakeReader, Service


SAME_INSTANT_S = 1e-6


def assert_settled(service: Service, ended: Ended, *, late_s: float = 0.0) -> None:
    """Asserts one outcome, every attempt and call closed once, permits back, money that adds up, time respected.

    ``late_s``: how long after its deadline a stream's reader still held a write, which is never cut off half-way.
    """
    _assert_one_outcome(service, ended)
    _assert_nothing_runs(service)
    _assert_ledger_adds_up(service, ended)
    _assert_in_time(service, ended, late_s)


def _assert_one_outcome(service: Service, ended: Ended) -> None:
    assert len(service.telemetry.decisions) == 1, service.telemetry.outcomes
    assert not (ended.routed and ended.error)
    told, outcome = service.telemetry.decisions[0]
    assert told is ended.decision
    won = [attempt for attempt in ended.attempts if attempt.end is AttemptEnd.WON]
    if ended.routed is not None:
        assert outcome == ("degraded" if ended.routed.delivery.degraded else "ok")
        assert [(each.tier, each.upstream) for each in won] == [(ended.tier, ended.routed.delivery.upstream)]
        return
    assert not won, ended.ends
    if ended.error is None:
        assert outcome == "cancelled"
    else:
        assert outcome == ended.error.reason.lower()


def _assert_nothing_runs(service: Service) -> None:
    assert all(call.times_closed == 1 for call in service.calls)
    assert not any(service.telemetry.running.values())
    for served in service.served:
        for bounded in served.upstreams:
            assert bounded.permits.value == bounded.max_concurrency


def _assert_ledger_adds_up(service: Service, ended: Ended) -> None:
    called = [attempt for attempt in ended.attempts if attempt.end is not AttemptEnd.NOT_LAUNCHED]
    assert len(called) == service.telemetry.started
    assert len(called) >= len(service.calls)
    assert ended.decision is not None
    money = ended.decision.money
    costs = [attempt.cost for attempt in ended.attempts]
    assert money.delivered_nano_usd + money.waste_nano_usd == sum(cost.best_nano_usd for cost in costs)
    assert money.delivered_nano_usd >= 0
    assert money.waste_nano_usd >= 0
    assert all(0 <= cost.low_nano_usd <= cost.best_nano_usd <= cost.high_nano_usd for cost in costs)
    planned = set(range(len(ended.decision.plan.legs)))
    assert planned <= {attempt.leg for attempt in ended.attempts}, "a leg of the plan is not accounted for"
    order = [(attempt.launched_after_s, attempt.leg) for attempt in called]
    assert order == sorted(order), "attempts are not in launch order"


def _assert_in_time(service: Service, ended: Ended, late_s: float) -> None:
    assert ended.decision is not None
    stop_at_s = ended.decision.deadline.stop_at_s
    assert ended.at_s <= stop_at_s + late_s + SAME_INSTANT_S
    for call in service.calls:
        assert call.closed_at_s is not None
        assert call.started_at_s < stop_at_s
        assert call.closed_at_s <= stop_at_s + late_s + SAME_INSTANT_S


def assert_streamed(ended: Ended, reader: FakeReader, *, instant_s: float = SAME_INSTANT_S) -> None:
    """Asserts the order of the events, what stands of them, and that the record tells what the reader saw.

    What stands is exactly the answer; where the stream broke, what was delivered of it is what the error says.
    ``instant_s``: what counts as one instant; on a real clock, what a few turns of the loop may take.
    """
    _assert_in_order(ended, reader)
    _assert_commit_as_seen(ended, reader, instant_s)
    if ended.routed is not None:
        assert reader.standing_text == ended.routed.delivery.text
        assert reader.standing_calls == ended.routed.delivery.completion.tool_calls
    elif ended.error is not None:
        _assert_delivered_as_seen(ended.error, reader)


def _assert_in_order(ended: Ended, reader: FakeReader) -> None:
    events = reader.events
    shown: set[int] = set()
    taken_back: set[int] = set()
    winner: int | None = None
    if events:
        _assert_opening(ended, events[0])
    else:  # it ended before there was a plan, or nobody read
        assert ended.decision is None or ended.was_cancelled or _has_stalled(ended) or reader.was_cut
    for event in events[1:]:
        match event:
            case Decided():
                raise AssertionError("decided twice")
            case Committed(leg, tier):
                assert winner is None, "committed twice"
                assert leg not in taken_back, "what was taken back is fixed as the winner"
                assert tier == _tier_of(ended, leg)
                winner = leg
            case Superseded(leg, reason):
                assert winner is None, "the winner was fixed, and something was taken back"
                assert leg in shown, "nothing to take back"
                assert leg not in taken_back, "taken back twice"
                assert reason in {"lost_race", *(each.reason for each in ended.attempts if each.leg == leg)} - {""}
                taken_back.add(leg)
            case Delta(leg, text, provisional, tool_call):
                assert leg not in taken_back, "a delta after it was taken back"
                assert provisional == (winner is None)
                assert winner in (None, leg), "a delta of a loser"
                assert bool(text) != bool(tool_call), "neither text nor a tool call, or both"
                assert tool_call is None or not provisional, "a tool call before the answer was accepted"
                shown.add(leg)
    assert winner is None or shown - taken_back <= {winner}, "text of a loser stands after the commit"


def _assert_opening(ended: Ended, first: object) -> None:
    assert isinstance(first, Decided)
    assert ended.decision is not None
    assert first.decision.plan == ended.decision.plan
    assert not first.decision.attempts
    assert first.decision.commit is None


def _has_stalled(ended: Ended) -> bool:
    return ended.error is not None and ended.error.reason == "READER_STALLED"


def _tier_of(ended: Ended, leg: int) -> str:
    assert ended.decision is not None
    plan = ended.decision.plan
    legs = plan.legs if plan.escalation is None else (*plan.legs, plan.escalation)
    return legs[leg].tier


def _assert_commit_as_seen(ended: Ended, reader: FakeReader, instant_s: float) -> None:
    seen = [each for each in reader.seen if isinstance(each.event, Committed)]
    commit = None if ended.decision is None else ended.decision.commit
    if commit is None:
        assert not seen, "a commit that the decision does not tell of"
        assert ended.routed is None, "an answer without a commit"
        assert ended.error is None or ended.error.delivered is None
        return
    # Who goes away before the event is written does not see it.
    assert seen or ended.was_cancelled or _has_stalled(ended) or reader.was_cut
    for each in seen:
        assert isinstance(each.event, Committed)
        assert (each.event.leg, each.event.tier, each.event.reason) == (commit.leg, commit.tier, commit.reason)
    assert (commit.error_ratio is not None) == (commit.reason is CommitReason.HELD_BACK)
    if ended.routed is not None:
        assert commit.upheld != ended.routed.delivery.degraded
        assert commit.tier == ended.tier
    elif ended.error is not None and not _has_stalled(ended):
        assert not commit.upheld
        assert commit.reason is not CommitReason.VALIDATED, "an answer that was judged whole broke off"
    _assert_losers_stopped(ended, commit, instant_s)


def _assert_losers_stopped(ended: Ended, commit: Commit, instant_s: float) -> None:
    """Asserts that the calls of losers were closed by the instant of the commit, and none began after it."""
    for attempt in ended.attempts:
        if attempt.leg != commit.leg and attempt.upstream:
            assert attempt.ended_after_s <= commit.after_s + instant_s, "a loser outlived the commit"
            assert attempt.launched_after_s <= commit.after_s, "a call began after the commit"


def _assert_delivered_as_seen(error: RouteError, reader: FakeReader) -> None:
    delivered = error.delivered
    winner = next((event for event in reader.events if isinstance(event, Committed)), None)
    if winner is not None:
        assert delivered is not None
    if delivered is None:
        return
    seen_bytes = 0 if winner is None else utf8_length(reader.standing_text)
    assert delivered.tokens == -(-delivered.output_bytes // BYTES_PER_TOKEN)
    # The write that was never taken, or was cut off, counts as handed over.
    if error.reason == "READER_STALLED" or reader.was_cut:
        assert delivered.output_bytes >= seen_bytes
        return
    assert winner is not None
    assert (delivered.leg, delivered.tier) == (winner.leg, winner.tier)
    assert delivered.output_bytes == seen_bytes
