"""What no race over sockets reaches: scores that failed, and reasons without end."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from specroute.core.deadline import Deadline
from specroute.core.outcome import Attempt, AttemptEnd, Decision, MoneySummary, Verdict, VerdictKind
from specroute.core.plan import Leg, Plan, PlanKind, Prediction, Profile
from specroute.telemetry.metrics import MAX_USER_REASONS, PrometheusTelemetry


def decision(*attempts: Attempt, prediction: Prediction | None = None, money: MoneySummary | None = None) -> Decision:
    return Decision(
        request_id="r",
        received_time_s=0.0,
        input_tokens=1,
        output_tokens=1,
        profile=Profile(),
        prediction=prediction or Prediction(),
        plan=Plan(PlanKind.DIRECT, (Leg("mini"),), "threshold", "It was clear."),
        deadline=Deadline(10.0, 12.0, 11.9),
        attempts=attempts,
        money=money or MoneySummary(),
        used_s=2.5,
    )


def won(*verdicts: Verdict) -> Attempt:
    return Attempt("mini", "mini-0", "m", 0, speculative=False, end=AttemptEnd.WON, verdicts=verdicts)


def test_a_request_that_could_not_be_scored_is_counted_with_its_reason() -> None:
    registry = CollectorRegistry()

    PrometheusTelemetry(registry).decided(decision(prediction=Prediction(fallback_reason="not_finite")), "ok")

    assert registry.get_sample_value("specroute_prediction_fallbacks_total", {"reason": "not_finite"}) == 1


def test_the_reasons_that_a_users_validator_invents_stay_bounded() -> None:
    registry = CollectorRegistry()
    telemetry = PrometheusTelemetry(registry)

    for number in range(MAX_USER_REASONS + 50):
        telemetry.decided(decision(won(Verdict("mine", VerdictKind.REJECT, f"reason_{number}"))), "ok")

    labels = {"validator": "mine", "verdict": "reject", "reason": "other"}
    assert registry.get_sample_value("specroute_verdicts_total", labels) == 50
    (family,) = [family for family in registry.collect() if family.name == "specroute_verdicts"]
    assert len([sample for sample in family.samples if sample.name.endswith("_total")]) == MAX_USER_REASONS + 1


def test_savings_fall_when_a_request_cost_more_than_always_large() -> None:
    registry = CollectorRegistry()

    PrometheusTelemetry(registry).decided(decision(won(), money=MoneySummary(5_000, 3_000, 6_000)), "ok")

    saved = registry.get_sample_value("specroute_saved_usd_total")
    assert saved is not None
    assert round(saved * 1e9) == -2_000


def test_a_deadline_that_was_missed_counts_as_no_slack() -> None:
    registry = CollectorRegistry()

    PrometheusTelemetry(registry).decided(decision(), "deadline_exceeded")

    assert registry.get_sample_value("specroute_deadline_slack_seconds_bucket", {"le": "0.0"}) == 1
