"""Every Prometheus series in one place, with its unit and labels; nothing else in the service makes one.

Label values are the proto's words in lower case without prefix. Reasons come from this service's own short lists; what
a user's validator invents is kept to ``MAX_USER_REASONS`` and then called ``other``, so that no caller can blow up the
number of series.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from specroute.core.outcome import AttemptEnd
from specroute.core.plan import PlanKind

if TYPE_CHECKING:
    from specroute.core.outcome import Attempt, Decision, Verdict

M = TypeVar("M", Counter, Gauge, Histogram)

NANO = 1e-9
NONE = "none"
MAX_USER_REASONS = 200

LATENCY_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4)
OVERHEAD_BUCKETS_S = (25e-6, 50e-6, 1e-4, 2e-4, 4e-4, 8e-4, 1.6e-3, 3.2e-3, 6.4e-3, 0.025, 0.1)
CANCEL_BUCKETS_S = (1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25)
SLACK_BUCKETS_S = (0.0, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
P_BUCKETS = tuple(step / 20 for step in range(1, 20))


class _Family(Generic[M]):
    """A labelled series with its children at hand: ``labels()`` costs a microsecond, a dictionary a tenth."""

    __slots__ = ("_children", "_metric")

    def __init__(self, metric: M) -> None:
        self._metric: M = metric
        self._children: dict[tuple[str, ...], M] = {}

    def of(self, *values: str) -> M:
        """Returns the child with these label values."""
        child = self._children.get(values)
        if child is None:
            child = self._children[values] = self._metric.labels(*values)
        return child


class PrometheusTelemetry:
    """Implements ``core.ports.Telemetry`` on a registry of its own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> _Family[Counter]:
            return _Family(Counter(f"specroute_{name}", text, labels, registry=registry))

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"specroute_{name}", text, labels, buckets=buckets, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"specroute_{name}", text, labels, registry=registry)

        self._requests = counter("requests", "Requests by plan, delivered tier and outcome.", "plan", "tier", "outcome")
        self._duration = histogram("request_duration_seconds", "From arrival to the end.", LATENCY_BUCKETS_S)
        self._first_token = _Family(
            histogram("time_to_first_token_seconds", "From a call to its first token.", LATENCY_BUCKETS_S, "tier")
        )
        self._attempts = counter("attempts", "Calls by tier and end.", "tier", "end")
        self._wins = counter("race_wins", "Delivered answers of races and hedges by tier.", "tier")
        self._cost = counter("cost_usd", "Money by tier, disposition and basis.", "tier", "disposition", "basis")
        # A gauge in spite of its name: savings can be negative, and a counter cannot fall.
        self._saved = gauge("saved_usd_total", "Money saved against always-large, net of waste; may fall.")
        self._cancel = histogram("cancel_latency_seconds", "From a verdict to the loser's close.", CANCEL_BUCKETS_S)
        self._slack = histogram("deadline_slack_seconds", "What the deadline left.", SLACK_BUCKETS_S)
        self._overhead = _Family(
            histogram("overhead_seconds", "The service's own time by stage.", OVERHEAD_BUCKETS_S, "stage")
        )
        self._prediction = _Family(histogram("prediction", "Predicted P(acceptable) by tier.", P_BUCKETS, "tier"))
        self._fallbacks = counter("prediction_fallbacks", "Requests that could not be scored.", "reason")
        self._commits = counter(
            "commits", "Streams whose winner was fixed, by tier, why then, and how it ended.", "tier", "reason", "end"
        )
        self._commit_after = _Family(
            histogram("commit_seconds", "From arrival to the commit of a stream.", LATENCY_BUCKETS_S, "reason")
        )
        self._verdicts = counter("verdicts", "Judgements of answers.", "validator", "verdict", "reason")
        self._inflight = _Family(gauge("inflight", "Calls that run now.", "tier"))
        self._certified = _Family(
            gauge(
                "certified_max_quality_loss_ratio",
                "The most quality that the certificate in force lets the policy lose.",
                "certificate",
                "method",
            )
        )
        self._user_reasons: set[str] = set()

    def certified(self, certificate: str, method: str, max_quality_loss: float) -> None:
        """Says by which certificate the service decides."""
        self._certified.of(certificate, method).set(max_quality_loss)

    def leg_started(self, tier: str) -> None:
        """Counts a running call."""
        self._inflight.of(tier).inc()

    def leg_ended(self, tier: str) -> None:
        """Ends what ``leg_started`` began."""
        self._inflight.of(tier).dec()

    def refused(self, outcome: str) -> None:
        """Counts a request that ended before there was a plan."""
        self._requests.of(NONE, NONE, outcome).inc()

    def decided(self, decision: Decision, outcome: str) -> None:
        """Records a finished request."""
        won = next((attempt for attempt in decision.attempts if attempt.end is AttemptEnd.WON), None)
        kind = decision.plan.kind
        self._requests.of(kind.value, NONE if won is None else won.tier, outcome).inc()
        self._duration.observe(decision.used_s)
        deadline = decision.deadline
        self._slack.observe(deadline.expires_at_s - deadline.received_at_s - decision.used_s)
        for stage, spent_s in decision.timings_s:
            self._overhead.of(stage).observe(spent_s)
        for tier, p in decision.prediction.p_accept.items():
            self._prediction.of(tier).observe(p)
        if decision.prediction.fallback_reason:
            self._fallbacks.of(decision.prediction.fallback_reason).inc()
        if decision.commit is not None:
            commit = decision.commit
            end = "cancelled" if outcome == "cancelled" else "upheld" if commit.upheld else "overturned"
            self._commits.of(commit.tier, commit.reason.value, end).inc()
            self._commit_after.of(commit.reason.value).observe(commit.after_s)
        for attempt in decision.attempts:
            self._attempt(attempt)
        if won is not None:
            self._saved.inc(decision.money.saved_nano_usd * NANO)
            if kind in (PlanKind.RACE, PlanKind.HEDGE):
                self._wins.of(won.tier).inc()

    def _attempt(self, attempt: Attempt) -> None:
        self._attempts.of(attempt.tier, attempt.end.value).inc()
        if attempt.time_to_first_token_s is not None:
            self._first_token.of(attempt.tier).observe(attempt.time_to_first_token_s)
        if attempt.cancel_latency_s is not None:
            self._cancel.observe(attempt.cancel_latency_s)
        if attempt.cost.basis is not None:
            disposition = "delivered" if attempt.end is AttemptEnd.WON else "waste"
            spent = attempt.cost.best_nano_usd * NANO
            self._cost.of(attempt.tier, disposition, attempt.cost.basis.value).inc(spent)
        for verdict in attempt.verdicts:
            self._verdicts.of(verdict.validator, verdict.kind.value, self._bounded_reason(verdict)).inc()

    def _bounded_reason(self, verdict: Verdict) -> str:
        if verdict.reason in self._user_reasons:
            return verdict.reason
        if len(self._user_reasons) >= MAX_USER_REASONS:
            return "other"
        self._user_reasons.add(verdict.reason)
        return verdict.reason
