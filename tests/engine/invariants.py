"""What holds for every request, however it went."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specroute.core.outcome import AttemptEnd

if TYPE_CHECKING:
    from tests.fakes import Ended, Service


def assert_settled(service: Service, ended: Ended) -> None:
    """Asserts one outcome, every attempt and call closed once, permits back, money that adds up, time respected."""
    _assert_one_outcome(service, ended)
    _assert_nothing_runs(service)
    _assert_ledger_adds_up(service, ended)
    _assert_in_time(service, ended)


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


def _assert_in_time(service: Service, ended: Ended) -> None:
    assert ended.decision is not None
    stop_at_s = ended.decision.deadline.stop_at_s
    assert ended.at_s <= stop_at_s + 1e-6
    for call in service.calls:
        assert call.closed_at_s is not None
        assert call.started_at_s < stop_at_s
        assert call.closed_at_s <= stop_at_s + 1e-6
