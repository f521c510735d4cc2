"""Runs one leg: call an upstream of the tier, fail over to the next, judge the answer; ends in a value, never raises.

One cancel scope bounds each call, and its deadline moves as the call goes on: first token, then idle, never past the
total timeout, the request's deadline or the latency budget. A call therefore costs one timer, not three. A listener
hears every part of an answer as it comes, and may end the attempt there and then.
"""

from __future__ import annotations

import math
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import anyio

from specroute.core.errors import UpstreamError
from specroute.core.outcome import AttemptEnd

if TYPE_CHECKING:
    from collections.abc import Callable

    from specroute.core.outcome import Chunk, Completion, Judgement
    from specroute.core.plan import Leg
    from specroute.core.ports import Telemetry
    from specroute.core.request import RouteRequest
    from specroute.engine.judging import Judging
    from specroute.engine.ledger import Ledger, OpenAttempt
    from specroute.engine.tiers import BoundedUpstream, ServedTier, Timeouts

MIN_USEFUL_S = 0.005
"""No call starts with less time than this left: a loopback round trip with a first token takes a few milliseconds."""

IDLE_SLACK_RATIO = 0.05
"""How much later than its idle timeout a silent call may be ended, as a share of that timeout."""

RETRYABLE_REASON = "reset"
"""A connection that died before any byte of a response: the same call may be sent again (RFC 9110 section 9.2.2)."""


@dataclass(frozen=True, slots=True)
class LegEnd:
    """How a leg ended: a judged answer with the attempt that brought it, or nothing.

    ``out_of_time`` tells that a further call might have brought one, had there been time for it. An attempt without a
    judgement was rejected on the beginning of its answer, which was never whole.
    """

    completion: Completion | None = None
    judgement: Judgement | None = None
    attempt: OpenAttempt | None = None
    out_of_time: bool = False

    @property
    def accepted(self) -> bool:
        """Whether its answer may win."""
        return self.judgement is not None and self.judgement.accepted

    @property
    def is_quality_reject(self) -> bool:
        """Whether its answer keeps its contract and only quality checks rejected it."""
        return self.judgement is not None and not self.judgement.accepted and self.judgement.only_quality


NO_ANSWER = LegEnd()
OUT_OF_TIME = LegEnd(out_of_time=True)


class Listener(Protocol):
    """Follows the answers of one request as they come in."""

    def heard(self, leg: int, attempt: OpenAttempt, chunk: Chunk) -> bool:
        """Takes note of a part of an answer; may close ``attempt``. Returns whether ``flush`` has something to do."""
        ...

    async def flush(self) -> None:
        """Passes on what was heard; the leg does not read on before it returns."""
        ...

    @property
    def longest_flush_s(self) -> float:
        """How long ``flush`` may wait for a slow reader, in seconds."""
        ...

    @property
    def has_reader(self) -> bool:
        """Whether there is still somebody to read the answer."""
        ...

    def outvoted(self, leg: int) -> None:
        """Takes note that the answer of ``leg`` cannot win, though it may be delivered yet: others may start."""
        ...

    def is_committed(self, leg: int) -> bool:
        """Returns whether the caller has been told that ``leg`` gives the answer."""
        ...

    def may_call_again(self, leg: int) -> bool:
        """Returns whether another call of ``leg`` could take the place of one that failed."""
        ...


class ListenerFailed(Exception):
    """A bug of this service, not of an upstream's adapter: it ends the request, where somebody will look for it."""


class LegRunner:
    """Runs the legs of one request."""

    def __init__(
        self,
        request: RouteRequest,
        ledger: Ledger,
        judging: Judging,
        *,
        listener: Listener,
        telemetry: Telemetry,
        clock: Callable[[], float],
    ) -> None:
        self._request = request
        self._ledger = ledger
        self._judging = judging
        self._listener = listener
        self._telemetry = telemetry
        self._clock = clock

    async def run(
        self, index: int, leg: Leg, served: ServedTier, until_s: float, *, in_own_task: bool = False
    ) -> LegEnd:
        """Calls the tier's upstreams in turn until one gives a whole answer, and returns that answer judged.

        ``until_s`` is the instant at which every call of this leg has to be over; ``in_own_task`` tells that the leg is
        a child of a task group, so that nothing but a scope cancels it.
        """
        for upstream in served.upstreams:
            for _ in range(1 + upstream.max_retries):
                if not self._ledger.may_open() or not self._ledger.affords(served.tier):
                    return NO_ANSWER
                if until_s - self._clock() < MIN_USEFUL_S:
                    return OUT_OF_TIME
                attempt = self._ledger.open(served.tier, upstream, (index, leg))
                error = await self._call(index, attempt, upstream, until_s, in_own_task=in_own_task)
                if attempt.closed is None:
                    answer, is_final = self._judge(index, attempt)
                    return answer if is_final else await self._review(answer, until_s)
                if attempt.closed.end is AttemptEnd.REJECTED:
                    return LegEnd(attempt=attempt)
                if attempt.closed.end is AttemptEnd.TIMED_OUT and attempt.sent_at_s is None:
                    return OUT_OF_TIME
                if not self._listener.may_call_again(index):
                    return NO_ANSWER if until_s - self._clock() >= MIN_USEFUL_S else OUT_OF_TIME
                if error is None or error.reason != RETRYABLE_REASON or not error.before_first_byte:
                    break
        return NO_ANSWER

    async def _call(
        self, index: int, attempt: OpenAttempt, upstream: BoundedUpstream, until_s: float, *, in_own_task: bool
    ) -> UpstreamError | None:
        """Makes one call. On a whole answer the attempt is left open for its verdict; else it is closed."""
        attempt.launched_at_s = self._clock()
        scope = anyio.CancelScope(deadline=until_s)
        self._telemetry.leg_started(attempt.tier.name)
        try:
            with scope:
                async with upstream.permits:
                    await self._stream(index, attempt, upstream, scope, until_s)
        except UpstreamError as error:
            attempt.close(AttemptEnd.FAILED, error.reason, self._clock())
            return error
        except anyio.get_cancelled_exc_class():
            # A library that makes up a cancellation nobody asked for must not end the race.
            if in_own_task and anyio.current_effective_deadline() > -math.inf:
                attempt.close(AttemptEnd.FAILED, "internal", self._clock())
                return None
            attempt.close_cancelled(self._clock())
            raise
        except ListenerFailed:
            if attempt.closed is None:
                attempt.close(AttemptEnd.FAILED, "internal", self._clock())
            raise
        except Exception:  # noqa: BLE001 - an adapter's bug must not end the race: the leg failed, the others go on
            attempt.close(AttemptEnd.FAILED, "internal", self._clock())
            return None
        finally:
            self._telemetry.leg_ended(attempt.tier.name)
        if attempt.closed is None and (scope.cancelled_caught or attempt.sent_at_s is None):
            self._close_timed_out(attempt, upstream, until_s)
        return None

    async def _stream(
        self, index: int, attempt: OpenAttempt, upstream: BoundedUpstream, scope: anyio.CancelScope, until_s: float
    ) -> None:
        timeouts = upstream.timeouts
        sent_at_s = self._clock()
        if until_s - sent_at_s < MIN_USEFUL_S:  # the permit came too late: nothing is sent
            return
        total_at_s = min(until_s, sent_at_s + timeouts.total_s)
        attempt.sent_at_s = sent_at_s
        scope.deadline = min(total_at_s, sent_at_s + timeouts.first_token_s)
        async with aclosing(upstream.upstream.stream(self._request)) as chunks:
            async for chunk in chunks:
                attempt.transcript.add(chunk)
                if not chunk.has_content:
                    continue
                now_s = self._clock()
                idle_at_s = min(total_at_s, now_s + timeouts.idle_s)
                if attempt.first_token_at_s is None:
                    attempt.first_token_at_s = now_s
                    scope.deadline = idle_at_s
                elif scope.deadline < idle_at_s:
                    # Moving a timer costs more than reading a token: it is moved a little further than it need be.
                    scope.deadline = min(total_at_s, idle_at_s + timeouts.idle_s * IDLE_SLACK_RATIO)
                try:
                    if self._listener.heard(index, attempt, chunk):
                        await self._flush(attempt, scope, timeouts.idle_s, total_at_s)
                except Exception as bug:
                    raise ListenerFailed from bug
                if attempt.closed is None and timeouts.min_tokens_per_s:
                    self._close_if_slow(index, attempt, timeouts, now_s)
                if attempt.closed is not None:
                    return

    async def _flush(self, attempt: OpenAttempt, scope: anyio.CancelScope, idle_s: float, total_at_s: float) -> None:
        """Passes on what was heard. While the reader is waited for, the model is not read, so it is not idle."""
        if idle_s > self._listener.longest_flush_s:
            await self._listener.flush()
        else:
            scope.deadline = total_at_s
            await self._listener.flush()
            scope.deadline = min(total_at_s, self._clock() + idle_s)
        if not self._listener.has_reader and attempt.closed is None:
            attempt.close(AttemptEnd.CANCELLED, "reader_stalled", self._clock())

    def _close_if_slow(self, index: int, attempt: OpenAttempt, timeouts: Timeouts, now_s: float) -> None:
        assert attempt.first_token_at_s is not None
        streamed_s = now_s - attempt.first_token_at_s
        if streamed_s < timeouts.rate_window_s or self._listener.is_committed(index):
            return
        if attempt.transcript.output_tokens < timeouts.min_tokens_per_s * streamed_s:
            attempt.close(AttemptEnd.TIMED_OUT, "too_slow", now_s)

    def _judge(self, index: int, attempt: OpenAttempt) -> tuple[LegEnd, bool]:
        """Returns the judged answer, and whether that is all; else its attempt stays open until others were asked."""
        began_s = self._clock()
        completion = attempt.transcript.completion()
        judgement = self._judging.judge(index, completion, committed=self._listener.is_committed(index))
        now_s = self._clock()
        self._ledger.judge_s += now_s - began_s
        is_final = not self._judging.reviewers_of(index, judgement)
        if is_final:
            _close_judged(attempt, judgement, now_s)
        return LegEnd(completion, judgement, attempt), is_final

    async def _review(self, answer: LegEnd, until_s: float) -> LegEnd:
        completion, judgement, attempt = answer.completion, answer.judgement, answer.attempt
        assert completion is not None
        assert judgement is not None
        assert attempt is not None
        attempt.is_whole = True
        if not judgement.accepted:
            self._listener.outvoted(attempt.leg)
        try:
            judgement = await self._judging.review(attempt, completion, judgement, until_s)
        except anyio.get_cancelled_exc_class():
            if judgement.accepted:
                attempt.close_cancelled(self._clock(), judgement.verdicts)
            else:
                _close_judged(attempt, judgement, self._clock())
            raise
        _close_judged(attempt, judgement, self._clock())
        return LegEnd(completion, judgement, attempt)

    def _close_timed_out(self, attempt: OpenAttempt, upstream: BoundedUpstream, until_s: float) -> None:
        now_s = self._clock()
        if attempt.sent_at_s is None or now_s >= until_s:
            reason = "deadline"
        elif now_s >= attempt.sent_at_s + upstream.timeouts.total_s:
            reason = "total_timeout"
        elif attempt.first_token_at_s is None:
            reason = "first_token_timeout"
        else:
            reason = "idle_timeout"
        attempt.close(AttemptEnd.TIMED_OUT, reason, now_s)


def _close_judged(attempt: OpenAttempt, judgement: Judgement, now_s: float) -> None:
    rejected = judgement.rejected_by
    end = AttemptEnd.WON if rejected is None else AttemptEnd.REJECTED
    attempt.close(end, "" if rejected is None else rejected.reason, now_s, judgement.verdicts)
