"""From the decision on the wire to values of ``core``: what the service says it did for one request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from specroute.core.outcome import Attempt, AttemptCost, MoneySummary, Usage, Verdict
from specroute.core.stream import Commit
from specroute.edge.client.explain import explain
from specroute.edge.replies import ATTEMPT_ENDS, COMMIT_REASONS, COST_BASES, NANOS, PLAN_KINDS, VERDICT_KINDS

if TYPE_CHECKING:
    from google.protobuf.duration_pb2 import Duration

    from specroute.core.plan import PlanKind
    from specroute.v1 import decision_pb2

COMMIT_REASONS_READ = {value: reason for reason, value in COMMIT_REASONS.items()}

_KINDS = {value: kind for kind, value in PLAN_KINDS.items()}
_ENDS = {value: end for end, value in ATTEMPT_ENDS.items()}
_BASES = {value: basis for basis, value in COST_BASES.items()}
_VERDICTS = {value: kind for kind, value in VERDICT_KINDS.items()}


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the service says it did for one request.

    Attributes:
        plan: ``None`` where an error's cut decision had no room for it.
        reason: why the plan was chosen: threshold, always, rule:<name> ...
        used_s: seconds from arrival to the end, on the server's clock.
        message: the whole decision as it came.
        commit: when the winner of a stream was fixed; ``None``: it was not, or the answer was not streamed.
    """

    plan: PlanKind | None
    reason: str
    attempts: tuple[Attempt, ...]
    money: MoneySummary
    used_s: float
    message: decision_pb2.Decision
    commit: Commit | None = None

    def in_words(self) -> str:
        """Returns it for people: what was predicted, planned, run, judged and paid, a line each."""
        return explain(self.message)


def read_receipt(message: decision_pb2.Decision) -> Receipt:
    """Returns the receipt that ``message`` is."""
    return Receipt(
        plan=_KINDS.get(message.plan.kind),
        reason=message.plan.reason,
        attempts=tuple(_attempt(attempt) for attempt in message.attempts),
        money=MoneySummary(
            message.cost.delivered_nano_usd,
            message.cost.waste_nano_usd,
            message.cost.always_large_estimate_nano_usd,
        ),
        used_s=_seconds(message.deadline.used),
        message=message,
        commit=_commit(message.commit) if message.HasField("commit") else None,
    )


def _attempt(message: decision_pb2.Attempt) -> Attempt:
    usage = message.usage
    first_s, cancel_s = (
        _seconds(getattr(message, name)) if message.HasField(name) else None
        for name in ("time_to_first_token", "cancel_latency")
    )
    return Attempt(
        tier=message.tier,
        upstream=message.upstream,
        model=message.model,
        leg=message.leg,
        speculative=message.speculative,
        end=_ENDS[message.end],
        reason=message.reason,
        launched_after_s=_seconds(message.launched_after),
        time_to_first_token_s=first_s,
        ended_after_s=_seconds(message.ended_after),
        verdicts=tuple(
            Verdict(
                verdict.validator,
                _VERDICTS[verdict.kind],
                verdict.reason,
                verdict.p_accept if verdict.HasField("p_accept") else None,
                verdict.prefix_tokens if verdict.HasField("prefix_tokens") else None,
            )
            for verdict in message.verdicts
        ),
        usage=Usage(usage.input_tokens, usage.cached_input_tokens, usage.output_tokens, usage.reasoning_output_tokens)
        if message.HasField("usage")
        else None,
        cost=AttemptCost(
            _BASES[message.cost_basis], message.cost_nano_usd, message.cost_low_nano_usd, message.cost_high_nano_usd
        ),
        cancel_latency_s=cancel_s,
    )


def _commit(message: decision_pb2.Commit) -> Commit:
    return Commit(
        leg=message.leg,
        tier=message.tier,
        reason=COMMIT_REASONS_READ[message.reason],
        after_s=_seconds(message.after),
        tokens=message.output_tokens,
        error_ratio=message.error_ratio if message.HasField("error_ratio") else None,
        upheld=message.upheld,
    )


def _seconds(value: Duration) -> float:
    return value.seconds + value.nanos / NANOS
