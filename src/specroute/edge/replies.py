"""From words to the wire: the answer and the decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from specroute.core.outcome import AttemptEnd, CostBasis, VerdictKind
from specroute.core.plan import PlanKind
from specroute.v1 import decision_pb2 as pb
from specroute.v1 import router_pb2

if TYPE_CHECKING:
    from specroute.core.outcome import Attempt, Decision, Usage, Verdict
    from specroute.core.plan import Leg
    from specroute.engine.router import Routed

NANOS = 1_000_000_000

PLAN_KINDS = {
    PlanKind.DIRECT: pb.PLAN_KIND_DIRECT,
    PlanKind.CASCADE: pb.PLAN_KIND_CASCADE,
    PlanKind.HEDGE: pb.PLAN_KIND_HEDGE,
    PlanKind.RACE: pb.PLAN_KIND_RACE,
}
ATTEMPT_ENDS = {
    AttemptEnd.WON: pb.ATTEMPT_END_WON,
    AttemptEnd.REJECTED: pb.ATTEMPT_END_REJECTED,
    AttemptEnd.CANCELLED: pb.ATTEMPT_END_CANCELLED,
    AttemptEnd.FAILED: pb.ATTEMPT_END_FAILED,
    AttemptEnd.TIMED_OUT: pb.ATTEMPT_END_TIMED_OUT,
    AttemptEnd.NOT_LAUNCHED: pb.ATTEMPT_END_NOT_LAUNCHED,
}
COST_BASES = {
    None: pb.COST_BASIS_UNSPECIFIED,
    CostBasis.METERED: pb.COST_BASIS_METERED,
    CostBasis.COUNTED: pb.COST_BASIS_COUNTED,
    CostBasis.BOUNDED: pb.COST_BASIS_BOUNDED,
}
VERDICT_KINDS = {
    VerdictKind.ACCEPT: pb.VERDICT_KIND_ACCEPT,
    VerdictKind.REJECT: pb.VERDICT_KIND_REJECT,
    VerdictKind.ABSTAIN: pb.VERDICT_KIND_ABSTAIN,
}

MAX_DETAIL_BYTES = 3072
"""Bound of a decision inside an error: gRPC rejects metadata at random between 8 and 16 KiB."""


def response(routed: Routed) -> router_pb2.RouteResponse:
    """Returns the reply to ``Route``."""
    delivery, decision = routed.delivery, routed.decision
    completion = delivery.completion
    return router_pb2.RouteResponse(
        request_id=decision.request_id,
        output=router_pb2.Answer(
            text=delivery.text,
            tool_calls=[
                router_pb2.ToolCall(id=call.id, name=call.name, arguments_json=call.arguments_json)
                for call in completion.tool_calls
            ],
        ),
        finish_reason=completion.finish_reason.value,
        tier=delivery.tier,
        upstream=delivery.upstream,
        model=completion.model,
        decision=decision_message(decision),
        degraded=delivery.degraded,
        needs_review=decision.plan.needs_review,
    )


def decision_message(decision: Decision) -> pb.Decision:
    """Returns the whole decision."""
    money = decision.money
    return pb.Decision(
        request_id=decision.request_id,
        received_time=_timestamp(decision.received_time_s),
        prediction=_prediction(decision),
        plan=_plan(decision),
        attempts=[_attempt(attempt) for attempt in decision.attempts],
        cost=pb.Cost(
            delivered_nano_usd=money.delivered_nano_usd,
            waste_nano_usd=money.waste_nano_usd,
            always_large_estimate_nano_usd=money.always_large_estimate_nano_usd,
            saved_nano_usd=money.saved_nano_usd,
        ),
        deadline=_deadline(decision),
        timings=[pb.StageTiming(stage=stage, duration=duration(spent)) for stage, spent in decision.timings_s],
    )


def cut_decision(decision: Decision) -> pb.Decision:
    """Returns the decision as an error carries it: at most ``MAX_DETAIL_BYTES``, attempts without verdicts."""
    whole = decision_message(decision)
    cut = pb.Decision(
        request_id=whole.request_id, received_time=whole.received_time, cost=whole.cost, deadline=whole.deadline
    )
    cut.plan.CopyFrom(whole.plan)
    cut.plan.explanation = ""
    for attempt in whole.attempts:
        kept = cut.attempts.add()
        kept.CopyFrom(attempt)
        kept.ClearField("verdicts")
    while cut.attempts and cut.ByteSize() > MAX_DETAIL_BYTES:
        del cut.attempts[-1]
    if cut.ByteSize() > MAX_DETAIL_BYTES:
        cut.ClearField("plan")
    return cut


def duration(seconds: float) -> Duration:
    """Returns a Duration; seconds and nanos of a negative one are both negative, as the proto asks."""
    if seconds < 0:
        whole, nanos = divmod(round(-seconds * NANOS), NANOS)
        return Duration(seconds=-whole, nanos=-nanos)
    whole, nanos = divmod(round(seconds * NANOS), NANOS)
    return Duration(seconds=whole, nanos=nanos)


def _optional_duration(seconds: float | None) -> Duration | None:
    return None if seconds is None else duration(seconds)


def _timestamp(seconds: float) -> Timestamp:
    nanos = round(seconds * NANOS)
    return Timestamp(seconds=nanos // NANOS, nanos=nanos % NANOS)


def _prediction(decision: Decision) -> pb.Prediction:
    prediction = decision.prediction
    return pb.Prediction(
        tiers={tier: pb.TierPrediction(p_accept=p) for tier, p in prediction.p_accept.items()},
        task_type=decision.task_type,
        risk=decision.risk,
        input_tokens=decision.input_tokens,
        output_tokens=decision.output_tokens,
        model_version=prediction.model_version,
        fallback_reason=prediction.fallback_reason,
    )


def _plan(decision: Decision) -> pb.Plan:
    plan = decision.plan
    return pb.Plan(
        kind=PLAN_KINDS[plan.kind],
        legs=[_leg(leg) for leg in plan.legs],
        reason=plan.reason,
        explanation=plan.explanation,
        excluded_tiers=[pb.ExcludedTier(tier=tier.tier, reason=tier.reason) for tier in plan.excluded],
        policy_version=plan.policy_version,
    )


def _leg(leg: Leg) -> pb.Leg:
    if leg.launch_after_s is None:
        return pb.Leg(tier=leg.tier, on_rejection=pb.OnRejection(), speculative=leg.speculative)
    return pb.Leg(tier=leg.tier, launch_after=duration(leg.launch_after_s), speculative=leg.speculative)


def _attempt(attempt: Attempt) -> pb.Attempt:
    launched = attempt.end is not AttemptEnd.NOT_LAUNCHED
    return pb.Attempt(
        tier=attempt.tier,
        upstream=attempt.upstream,
        model=attempt.model,
        leg=attempt.leg,
        speculative=attempt.speculative,
        launched_after=duration(attempt.launched_after_s) if launched else None,
        time_to_first_token=_optional_duration(attempt.time_to_first_token_s),
        ended_after=duration(attempt.ended_after_s) if launched else None,
        end=ATTEMPT_ENDS[attempt.end],
        reason=attempt.reason,
        verdicts=[_verdict(verdict) for verdict in attempt.verdicts],
        usage=None if attempt.usage is None else _usage(attempt.usage),
        cost_nano_usd=attempt.cost.best_nano_usd,
        cost_low_nano_usd=attempt.cost.low_nano_usd,
        cost_high_nano_usd=attempt.cost.high_nano_usd,
        cost_basis=COST_BASES[attempt.cost.basis],
        cancel_latency=_optional_duration(attempt.cancel_latency_s),
    )


def _verdict(verdict: Verdict) -> pb.Verdict:
    return pb.Verdict(
        validator=verdict.validator,
        kind=VERDICT_KINDS[verdict.kind],
        reason=verdict.reason,
        p_accept=verdict.p_accept,
    )


def _usage(usage: Usage) -> pb.Usage:
    return pb.Usage(
        input_tokens=usage.input_tokens,
        cached_input_tokens=usage.cached_input_tokens,
        output_tokens=usage.output_tokens,
        reasoning_output_tokens=usage.reasoning_output_tokens,
    )


def _deadline(decision: Decision) -> pb.DeadlineUse:
    deadline = decision.deadline
    total_s = deadline.expires_at_s - deadline.received_at_s
    budget_at_s = deadline.budget_at_s
    return pb.DeadlineUse(
        deadline=duration(total_s),
        latency_budget=_optional_duration(None if budget_at_s is None else budget_at_s - deadline.received_at_s),
        used=duration(decision.used_s),
        slack=duration(total_s - decision.used_s),
    )
