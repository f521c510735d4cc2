"""From words to the wire: the answer and the decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specroute.core.outcome import AttemptEnd, CostBasis, VerdictKind
from specroute.core.plan import PlanKind
from specroute.core.stream import CommitReason
from specroute.v1 import decision_pb2 as pb
from specroute.v1 import router_pb2

if TYPE_CHECKING:
    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.timestamp_pb2 import Timestamp

    from specroute.core.outcome import Attempt, Decision, Usage
    from specroute.core.plan import Plan, Prediction, Profile
    from specroute.core.stream import Commit
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
COMMIT_REASONS = {
    CommitReason.NOTHING_STRONGER: pb.COMMIT_REASON_NOTHING_STRONGER,
    CommitReason.PREFIX_SETTLED: pb.COMMIT_REASON_PREFIX_SETTLED,
    CommitReason.HELD_BACK: pb.COMMIT_REASON_HELD_BACK,
    CommitReason.VALIDATED: pb.COMMIT_REASON_VALIDATED,
}

MAX_DETAIL_BYTES = 3072
"""Bound of a decision inside an error: gRPC rejects metadata at random between 8 and 16 KiB."""


def response(routed: Routed) -> router_pb2.RouteResponse:
    """Returns the reply to ``Route``."""
    reply = router_pb2.RouteResponse()
    write_response(routed, reply)
    return reply


def write_response(routed: Routed, message: router_pb2.RouteResponse) -> None:
    """Writes the answer and the whole decision into ``message``, in place."""
    delivery, decision = routed.delivery, routed.decision
    completion = delivery.completion
    message.request_id = decision.request_id
    message.finish_reason = completion.finish_reason.value
    message.tier = delivery.tier
    message.upstream = delivery.upstream
    message.model = completion.model
    message.degraded = delivery.degraded
    message.needs_review = decision.plan.needs_review
    message.output.text = delivery.text
    for call in completion.tool_calls:
        message.output.tool_calls.add(id=call.id, name=call.name, arguments_json=call.arguments_json)
    write_decision(decision, message.decision)


def write_decision(decision: Decision, message: pb.Decision) -> None:
    """Writes the whole decision into ``message``, in place: building parts and copying them in costs 2.5 times that."""
    message.request_id = decision.request_id
    _write_timestamp(decision.received_time_s, message.received_time)
    _write_prediction(decision, message.prediction)
    _write_plan(decision.plan, message.plan)
    for attempt in decision.attempts:
        _write_attempt(attempt, message.attempts.add())
    money, cost = decision.money, message.cost
    cost.delivered_nano_usd = money.delivered_nano_usd
    cost.waste_nano_usd = money.waste_nano_usd
    cost.always_large_estimate_nano_usd = money.always_large_estimate_nano_usd
    cost.saved_nano_usd = money.saved_nano_usd
    _write_deadline(decision, message.deadline)
    for stage, spent_s in decision.timings_s:
        write_duration(spent_s, message.timings.add(stage=stage).duration)
    if decision.commit is not None:
        _write_commit(decision.commit, message.commit)


def cut_decision(decision: Decision) -> pb.Decision:
    """Returns the decision as an error carries it: at most ``MAX_DETAIL_BYTES``, attempts without verdicts."""
    cut = pb.Decision()
    write_decision(decision, cut)
    cut.ClearField("prediction")
    cut.ClearField("timings")
    cut.plan.explanation = ""
    for attempt in cut.attempts:
        attempt.ClearField("verdicts")
    if cut.ByteSize() > MAX_DETAIL_BYTES:
        cut.plan.ClearField("excluded_tiers")
    while cut.attempts and cut.ByteSize() > MAX_DETAIL_BYTES:
        del cut.attempts[-1]
    if cut.ByteSize() > MAX_DETAIL_BYTES:
        cut.ClearField("plan")
    return cut


def write_duration(seconds: float, message: Duration) -> None:
    """Writes a span; seconds and nanos of a negative one are both negative, as the proto asks."""
    whole, nanos = divmod(round(abs(seconds) * NANOS), NANOS)
    message.seconds, message.nanos = (-whole, -nanos) if seconds < 0 else (whole, nanos)


def _write_timestamp(seconds: float, message: Timestamp) -> None:
    message.seconds = whole = int(seconds)
    message.nanos = min(NANOS - 1, round((seconds - whole) * NANOS))


def _write_prediction(decision: Decision, message: pb.Prediction) -> None:
    prediction = decision.prediction
    for tier, p in prediction.p_accept.items():
        low, high = prediction.intervals.get(tier, (p, p))
        score = message.tiers[tier]
        score.p_accept, score.p_low, score.p_high = p, low, high
    if prediction.p_rescue is not None:
        message.p_rescue = prediction.p_rescue
    message.novelty = prediction.novelty
    _write_profile(decision.profile, prediction, message)
    message.input_tokens = decision.input_tokens
    message.output_tokens = decision.output_tokens
    message.model_version = prediction.model_version
    message.fallback_reason = prediction.fallback_reason


def _write_profile(profile: Profile, prediction: Prediction, message: pb.Prediction) -> None:
    message.task_type = profile.task_type
    message.task_type_inferred = profile.is_task_type_inferred
    message.task_type_confidence = prediction.task_type.confidence
    message.risk = "" if profile.risk is None else profile.risk.value
    message.risk_inferred = profile.is_risk_inferred
    message.risk_confidence = prediction.risk.confidence
    message.risk_domain = profile.risk_domain
    message.risk_domain_confidence = prediction.risk_domain.confidence


def _write_plan(plan: Plan, message: pb.Plan) -> None:
    message.kind = PLAN_KINDS[plan.kind]
    for leg in plan.legs:
        added = message.legs.add(tier=leg.tier, speculative=leg.speculative)
        if leg.launch_after_s is None:
            added.on_rejection.SetInParent()
        else:
            added.launch_after.SetInParent()
            write_duration(leg.launch_after_s, added.launch_after)
    message.reason = plan.reason
    message.explanation = plan.explanation
    for tier in plan.excluded:
        message.excluded_tiers.add(tier=tier.tier, reason=tier.reason)
    message.policy_version = plan.policy_version
    message.certificate = plan.certificate


def _write_attempt(attempt: Attempt, message: pb.Attempt) -> None:
    message.tier = attempt.tier
    message.upstream = attempt.upstream
    message.model = attempt.model
    message.leg = attempt.leg
    message.speculative = attempt.speculative
    message.end = ATTEMPT_ENDS[attempt.end]
    message.reason = attempt.reason
    for verdict in attempt.verdicts:
        message.verdicts.add(
            validator=verdict.validator,
            kind=VERDICT_KINDS[verdict.kind],
            reason=verdict.reason,
            p_accept=verdict.p_accept,
            prefix_tokens=verdict.prefix_tokens,
        )
    cost = attempt.cost
    message.cost_nano_usd = cost.best_nano_usd
    message.cost_low_nano_usd = cost.low_nano_usd
    message.cost_high_nano_usd = cost.high_nano_usd
    message.cost_basis = COST_BASES[cost.basis]
    if attempt.end is AttemptEnd.NOT_LAUNCHED:
        return
    message.launched_after.SetInParent()
    write_duration(attempt.launched_after_s, message.launched_after)
    message.ended_after.SetInParent()
    write_duration(attempt.ended_after_s, message.ended_after)
    if attempt.time_to_first_token_s is not None:
        write_duration(attempt.time_to_first_token_s, message.time_to_first_token)
    if attempt.cancel_latency_s is not None:
        message.cancel_latency.SetInParent()
        write_duration(attempt.cancel_latency_s, message.cancel_latency)
    if attempt.usage is not None:
        _write_usage(attempt.usage, message.usage)


def _write_usage(usage: Usage, message: pb.Usage) -> None:
    message.input_tokens = usage.input_tokens
    message.cached_input_tokens = usage.cached_input_tokens
    message.output_tokens = usage.output_tokens
    message.reasoning_output_tokens = usage.reasoning_output_tokens


def _write_commit(commit: Commit, message: pb.Commit) -> None:
    message.leg = commit.leg
    message.tier = commit.tier
    message.reason = COMMIT_REASONS[commit.reason]
    message.after.SetInParent()
    write_duration(commit.after_s, message.after)
    message.output_tokens = commit.tokens
    if commit.error_ratio is not None:
        message.error_ratio = commit.error_ratio
    message.upheld = commit.upheld


def _write_deadline(decision: Decision, message: pb.DeadlineUse) -> None:
    deadline = decision.deadline
    total_s = deadline.expires_at_s - deadline.received_at_s
    write_duration(total_s, message.deadline)
    if deadline.budget_at_s is not None:
        write_duration(deadline.budget_at_s - deadline.received_at_s, message.latency_budget)
    write_duration(decision.used_s, message.used)
    write_duration(total_s - decision.used_s, message.slack)
