"""The loser ledger: every call of a request is opened here and closed here exactly once, with its cost.

Each cost has a basis. METERED: the upstream reported the usage. COUNTED: the streamed text was counted, because a
cancelled stream never reports usage. BOUNDED: cancelling does not stop the bill, so it lies between what was streamed
and a whole answer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from specroute.core.outcome import NO_COST, Attempt, AttemptCost, AttemptEnd, CostBasis, MoneySummary, Usage
from specroute.engine.leg.transcript import Transcript
from specroute.policy.rules import estimate_cost_nano_usd, expected_output_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from specroute.core.outcome import Verdict
    from specroute.core.plan import Leg, Plan
    from specroute.core.request import RouteRequest
    from specroute.core.stream import Commit
    from specroute.core.tier import Tier
    from specroute.engine.tiers import BoundedUpstream


_CALLERS_TIME = ("deadline", "latency_budget")
_CUT_SHORT = (AttemptEnd.CANCELLED, AttemptEnd.TIMED_OUT)


class OpenAttempt:
    """One call that was begun; ``close`` ends it, once."""

    __slots__ = (
        "_leg",
        "_leg_index",
        "_request",
        "_started_at_s",
        "_upstream",
        "cancelled_as",
        "cancelled_at_s",
        "closed",
        "first_token_at_s",
        "is_whole",
        "launched_at_s",
        "sent_at_s",
        "tier",
        "transcript",
    )  # fmt: skip

    def __init__(
        self, request: RouteRequest, tier: Tier, upstream: BoundedUpstream, *, leg: tuple[int, Leg], started_at_s: float
    ) -> None:
        self.cancelled_as = (AttemptEnd.CANCELLED, "client_gone")
        self.cancelled_at_s: float | None = None
        self._request = request
        self.tier = tier
        self._upstream = upstream
        self._leg_index, self._leg = leg
        self._started_at_s = started_at_s
        self.launched_at_s = started_at_s
        self.first_token_at_s: float | None = None
        self.sent_at_s: float | None = None
        self.transcript = Transcript(upstream.upstream.model)
        self.closed: Attempt | None = None
        self.is_whole = False

    def close(
        self,
        end: AttemptEnd,
        reason: str,
        now_s: float,
        verdicts: tuple[Verdict, ...] = (),
        *,
        cut_short: bool = False,
    ) -> None:
        """Ends the attempt; ``cut_short``: its call was closed before the answer was whole.

        Raises:
            AssertionError: it was closed before: a bug.
        """
        assert self.closed is None, f"attempt closed twice: {self.closed.end} then {end}"
        cut_short = cut_short or (end in _CUT_SHORT and not self.is_whole)
        usage, cost = self._usage_and_cost(end, cut_short=cut_short)
        first = self.first_token_at_s
        self.closed = Attempt(
            tier=self.tier.name,
            upstream=self._upstream.upstream.name,
            model=self.transcript.model,
            leg=self._leg_index,
            speculative=self._leg.speculative,
            end=end,
            reason=reason,
            launched_after_s=self.launched_at_s - self._started_at_s,
            time_to_first_token_s=None if first is None else first - self.launched_at_s,
            ended_after_s=now_s - self._started_at_s,
            verdicts=verdicts,
            usage=usage,
            cost=cost,
            cancel_latency_s=None if self.cancelled_at_s is None else max(0.0, now_s - self.cancelled_at_s),
        )

    def close_cancelled(self, now_s: float, verdicts: tuple[Verdict, ...] = ()) -> None:
        """Ends the attempt as whoever cancelled it said; unsaid, its caller went away."""
        end, reason = self.cancelled_as
        self.close(end, reason, now_s, verdicts)

    @property
    def leg(self) -> int:
        """Index into the plan's legs."""
        return self._leg_index

    @property
    def committed_nano_usd(self) -> int:
        """What it has cost, or while it runs what it is expected to cost."""
        if self.closed is not None:
            return self.closed.cost.best_nano_usd
        return estimate_cost_nano_usd(self.tier, self._request)

    def _usage_and_cost(self, end: AttemptEnd, *, cut_short: bool) -> tuple[Usage | None, AttemptCost]:
        usage = self.transcript.usage
        price = self.tier.price
        if usage is not None:
            best = price.cost_of_nano_usd(usage.input_tokens, usage.output_tokens, usage.cached_input_tokens)
            return usage, AttemptCost(CostBasis.METERED, best, best, best)
        # A call that never left, or that the provider refused before any token, is not billed.
        if self.sent_at_s is None or (end is AttemptEnd.FAILED and self.first_token_at_s is None):
            return None, NO_COST
        counted = Usage(self._request.input_tokens, 0, self.transcript.output_tokens)
        low = price.cost_of_nano_usd(counted.input_tokens, counted.output_tokens)
        if not cut_short or self._upstream.cancel_stops_billing:
            return counted, AttemptCost(CostBasis.COUNTED, low, low, low)
        expected = max(counted.output_tokens, expected_output_tokens(self.tier, self._request))
        most = max(expected, self._request.generation.max_output_tokens or 0)
        best = price.cost_of_nano_usd(counted.input_tokens, expected)
        high = price.cost_of_nano_usd(counted.input_tokens, most)
        return counted, AttemptCost(CostBasis.BOUNDED, best, low, high)


class Ledger:
    """All attempts of one request, in launch order, and the commit of its stream."""

    def __init__(self, request: RouteRequest, started_at_s: float, max_attempts: int) -> None:
        self._request = request
        self.started_at_s = started_at_s
        self._max_attempts = max_attempts
        self._attempts: list[OpenAttempt] = []
        self.commit: Commit | None = None
        self.judge_s = 0.0
        self.review_s = 0.0

    def may_open(self) -> bool:
        """Returns whether the request may make another call."""
        return len(self._attempts) < self._max_attempts

    def affords(self, tier: Tier) -> bool:
        """Returns whether another call to ``tier`` keeps the sum of all calls within the caller's bound."""
        limit = self._request.constraints.max_cost_nano_usd
        if limit is None:
            return True
        committed = sum(attempt.committed_nano_usd for attempt in self._attempts)
        return committed + estimate_cost_nano_usd(tier, self._request) <= limit

    def open(self, tier: Tier, upstream: BoundedUpstream, leg: tuple[int, Leg]) -> OpenAttempt:
        """Begins the record of a call; its place among the attempts is fixed now."""
        attempt = OpenAttempt(self._request, tier, upstream, leg=leg, started_at_s=self.started_at_s)
        self._attempts.append(attempt)
        return attempt

    def cancel(self, end: AttemptEnd, reason: str, now_s: float, *, spare: int | None = None) -> None:
        """Says how the calls that run end when they are cancelled now, but for those of the leg ``spare``."""
        for attempt in self._attempts:
            if attempt.closed is None and attempt.leg != spare:
                attempt.cancelled_as = (end, reason)
                attempt.cancelled_at_s = now_s

    def last_reason(self, leg: int) -> str:
        """Returns why the last call of ``leg`` ended; "": it has made none, or it won."""
        last = self._last(leg)
        return "" if last is None else last.reason

    def has_failed(self, leg: int) -> bool:
        """Returns whether the last call of ``leg`` ended by its upstream's fault: not by the caller's, nor its time."""
        last = self._last(leg)
        if last is None or last.reason in _CALLERS_TIME:
            return False
        return last.end in (AttemptEnd.FAILED, AttemptEnd.TIMED_OUT)

    def _last(self, leg: int) -> Attempt | None:
        closed = [attempt.closed for attempt in self._attempts if attempt.leg == leg]
        return closed[-1] if closed else None

    def uphold(self, *, upheld: bool) -> None:
        """Notes whether the answer that was committed was accepted at its end."""
        if self.commit is not None:
            self.commit = replace(self.commit, upheld=upheld)

    def settled(self, plan: Plan, winner: OpenAttempt | None, passed_over: str) -> tuple[Attempt, ...]:
        """Returns the attempts in launch order with their final ends, then the legs of ``plan`` that never ran.

        What was delivered won; another accepted answer was passed over, for the reason given.

        Raises:
            AssertionError: one is still open: a bug.
        """
        closed: list[Attempt] = []
        for attempt in self._attempts:
            assert attempt.closed is not None, "an attempt was never closed"
            closed.append(_final(attempt.closed, attempt is winner, passed_over))
        # Legs launched in one instant open their calls in whatever order the loop runs them.
        closed.sort(key=lambda attempt: (attempt.launched_after_s, attempt.leg))
        launched = {attempt.leg for attempt in closed}
        return (
            *closed,
            *(
                Attempt(leg.tier, "", "", index, leg.speculative, AttemptEnd.NOT_LAUNCHED)
                for index, leg in enumerate(plan.legs)
                if index not in launched
            ),
        )


def _final(attempt: Attempt, is_winner: bool, passed_over: str) -> Attempt:
    if is_winner == (attempt.end is AttemptEnd.WON):
        return attempt
    if is_winner:
        return replace(attempt, end=AttemptEnd.WON)
    return replace(attempt, end=AttemptEnd.CANCELLED, reason=passed_over)


def summarize_money(attempts: Sequence[Attempt], request: RouteRequest, strongest: Tier) -> MoneySummary:
    """Returns what the request cost, and what sending it to ``strongest`` would have cost.

    Where the strongest tier gave a whole answer, that answer's cost is what always-large costs; elsewhere it is
    estimated from the delivered answer's tokens at the strongest tier's price. A request that got no answer saved
    nothing; before anything was called, the estimate is of the expected answer length.
    """
    won = next((attempt for attempt in attempts if attempt.end is AttemptEnd.WON), None)
    delivered = 0 if won is None else won.cost.best_nano_usd
    spent = sum(attempt.cost.best_nano_usd for attempt in attempts)
    whole = [attempt for attempt in attempts if attempt.tier == strongest.name and attempt.is_whole and attempt.usage]
    if whole:
        large = whole[-1].cost.best_nano_usd
    elif won is not None and won.usage is not None:
        large = strongest.price.cost_of_nano_usd(won.usage.input_tokens, won.usage.output_tokens)
    else:
        large = 0 if attempts else estimate_cost_nano_usd(strongest, request)
    return MoneySummary(delivered, spent - delivered, large)
