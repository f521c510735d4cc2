"""One decision in words, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specroute.v1 import decision_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.duration_pb2 import Duration

NANO_USD = 1e9
NANOS = 1e9


def explain(decision: pb.Decision) -> str:
    """Returns what was predicted, planned, run, judged and paid, a line each."""
    return "\n".join(_lines(decision))


def _lines(decision: pb.Decision) -> Iterator[str]:
    prediction, plan = decision.prediction, decision.plan
    scores = ", ".join(f"{tier} {_score(score)}" for tier, score in sorted(prediction.tiers.items()))
    known = scores or f"none ({prediction.fallback_reason or 'no model'})"
    yield f"predicted  P(acceptable): {known}; model {prediction.model_version}; {prediction.input_tokens} input tokens"
    if seems := _profile(prediction):
        yield f"profile    {seems}"
    yield f"planned    {_word(pb.PlanKind.Name(plan.kind), 'PLAN_KIND_')} ({plan.reason}): {plan.explanation}"
    for excluded in plan.excluded_tiers:
        yield f"excluded   {excluded.tier}: {excluded.reason}"
    for attempt in decision.attempts:
        yield f"attempt    {_attempt(attempt)}"
    if decision.HasField("commit"):
        yield f"committed  {_commit(decision.commit)}"
    if decision.attempts:
        cost = decision.cost
        yield (
            f"paid       {_usd(cost.delivered_nano_usd)} delivered, {_usd(cost.waste_nano_usd)} burnt; "
            f"always-large about {_usd(cost.always_large_estimate_nano_usd)}; saved {_usd(cost.saved_nano_usd)}"
        )
    used, left = _ms(decision.deadline.used), _ms(decision.deadline.slack)
    yield f"time       {used} of {_ms(decision.deadline.deadline)} used, {left} left"
    spent = ", ".join(f"{timing.stage} {_us(timing.duration)}" for timing in decision.timings)
    if spent:
        yield f"overhead   {spent}"


def _score(score: pb.TierPrediction) -> str:
    if score.p_low == score.p_high:
        return f"{score.p_accept:.3f}"
    return f"{score.p_accept:.3f} ({score.p_low:.3f} to {score.p_high:.3f})"


def _profile(prediction: pb.Prediction) -> str:
    parts = (
        ("task", prediction.task_type, prediction.task_type_inferred, prediction.task_type_confidence),
        ("risk", prediction.risk, prediction.risk_inferred, prediction.risk_confidence),
        ("domain", prediction.risk_domain, True, prediction.risk_domain_confidence),
    )
    known = [
        f"{name} {value}" + (f" (inferred, {confidence:.0%})" if inferred else "")
        for name, value, inferred, confidence in parts
        if value
    ]
    if prediction.novelty:
        known.append(f"novelty {prediction.novelty:.2f}")
    return ", ".join(known)


def _attempt(attempt: pb.Attempt) -> str:
    end = _word(pb.AttemptEnd.Name(attempt.end), "ATTEMPT_END_")
    if attempt.end == pb.ATTEMPT_END_NOT_LAUNCHED:
        return f"{attempt.tier}: {end}"
    first = f", first token after {_ms(attempt.time_to_first_token)}" if attempt.HasField("time_to_first_token") else ""
    why = f" ({attempt.reason})" if attempt.reason else ""
    verdicts = ", ".join(_verdict(verdict) for verdict in attempt.verdicts)
    basis = "" if not attempt.cost_basis else f" {_word(pb.CostBasis.Name(attempt.cost_basis), 'COST_BASIS_')}"
    judged = f"; {verdicts}" if verdicts else ""
    return (
        f"{attempt.tier} on {attempt.upstream}: launched at {_ms(attempt.launched_after)}{first}, "
        f"{end}{why} at {_ms(attempt.ended_after)}; {_usd(attempt.cost_nano_usd)}{basis}{judged}"
    )


def _verdict(verdict: pb.Verdict) -> str:
    judged = f"{verdict.validator} {_word(pb.VerdictKind.Name(verdict.kind), 'VERDICT_KIND_')}"
    if not verdict.HasField("prefix_tokens"):
        return judged
    return f"{judged} ({verdict.reason} after {_tokens(verdict.prefix_tokens)})"


def _commit(commit: pb.Commit) -> str:
    why = _word(pb.CommitReason.Name(commit.reason), "COMMIT_REASON_")
    risk = f" (measured error {commit.error_ratio:.4f})" if commit.HasField("error_ratio") else ""
    after_s = commit.after.seconds + commit.after.nanos / NANOS
    return (
        f"leg {commit.leg} ({commit.tier}) after {after_s:.3g} s, {_tokens(commit.output_tokens)}: "
        f"{why}{risk}; {'upheld' if commit.upheld else 'not upheld'}"
    )


def _tokens(count: int) -> str:
    return f"{count} token" if count == 1 else f"{count} tokens"


def _word(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower().replace("_", " ")


def _usd(nano_usd: int) -> str:
    return f"${nano_usd / NANO_USD:.6f}"


def _ms(value: Duration) -> str:
    return f"{value.seconds * 1e3 + value.nanos / 1e6:.1f} ms"


def _us(value: Duration) -> str:
    return f"{value.seconds * 1e6 + value.nanos / 1e3:.0f} us"
