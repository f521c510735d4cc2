"""Watches the answers of one request as they come: reviews their beginnings, fixes the winner of a stream, shows it.

While another leg could still answer, each read of a leg is reviewed. A beginning that is to be rejected ends the leg at
once: its call is closed, and the next leg need not wait for the rest. What settles lets a stream commit. A leg that
nothing stands behind is not reviewed at all: its verdict could only change how the call ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from specroute.core.outcome import AttemptEnd
from specroute.core.stream import Commit, CommitReason
from specroute.engine.referee import CommitTo, Deliver
from specroute.validators.prefix import PrefixState

if TYPE_CHECKING:
    from collections.abc import Callable

    from specroute.core.outcome import Chunk
    from specroute.engine.judging import Judging
    from specroute.engine.ledger import Ledger, OpenAttempt
    from specroute.engine.leg.attempt import LegEnd
    from specroute.engine.referee import Fail, Referee
    from specroute.engine.streaming.commit import CommitRule
    from specroute.engine.streaming.outlet import Outlet
    from specroute.guards.early_commit import EarlyCommits
    from specroute.validators.prefix import PrefixReview


@dataclass(frozen=True, slots=True)
class Stream:
    """What makes a run a stream.

    Attributes:
        early_commits: what is known of held-back commits, over all requests.
        tiers: of each leg, its tier's name.
        kinds: of each leg, what ``early_commits`` counts it as.
    """

    outlet: Outlet
    rule: CommitRule
    early_commits: EarlyCommits
    tiers: tuple[str, ...]
    kinds: tuple[str, ...]


class StepTaker(Protocol):
    """Runs the plan."""

    def take_steps(self) -> None:
        """Takes every step that is due now."""
        ...

    def stop_others(self, leg: int) -> None:
        """Cancels every leg but ``leg``."""
        ...

    def show(self) -> None:
        """Sees to it that what is in line is written, without waiting for it."""
        ...


class Watch:
    """Implements ``engine.leg.attempt.Listener``."""

    def __init__(
        self,
        referee: Referee,
        ledger: Ledger,
        judging: Judging,
        *,
        stream: Stream | None,
        run: StepTaker,
        clock: Callable[[], float],
    ) -> None:
        self._referee = referee
        self._ledger = ledger
        self._judging = judging
        self._stream = stream
        self._run = run
        self._clock = clock
        self._reviews: dict[int, tuple[OpenAttempt, PrefixReview]] = {}

    def heard(self, leg: int, attempt: OpenAttempt, chunk: Chunk) -> bool:
        """Takes note of a part of an answer; closes ``attempt`` where its beginning is to be rejected."""
        stream = self._stream
        if stream is not None and stream.outlet.committed_leg == leg:
            stream.outlet.forward(leg, chunk.text)
            return stream.outlet.has_news
        state = self._review(leg, attempt)
        if state is PrefixState.REJECTED or stream is None:
            return False
        outlet = stream.outlet
        outlet.heard(leg, attempt.transcript)
        # Tool calls are shown at the end, so they fix nothing before it; what a reviewer has yet to see is not fixed.
        if attempt.transcript.text_length and not self._judging.has_reviewers(leg):
            stream.rule.heard(leg, self._clock(), attempt.transcript.output_tokens, state)
        self._run.take_steps()
        if outlet.committed_leg == leg:
            return outlet.has_news
        # Before the commit a slow reader must not hold up the race: others write, this leg reads on.
        self._run.show()
        return False

    async def flush(self, *, shielded: bool = False) -> None:
        """Writes what is to be shown; ``shielded``: and finishes each write though its task is cancelled meanwhile."""
        if self._stream is None or not self._stream.outlet.has_news:
            return
        await self._stream.outlet.flush(shielded=shielded)
        if not self._stream.outlet.has_reader:
            self._referee.reader_stalled()

    @property
    def longest_flush_s(self) -> float:
        """How long ``flush`` may wait for a slow reader, in seconds."""
        return 0.0 if self._stream is None else self._stream.outlet.longest_flush_s

    @property
    def has_news(self) -> bool:
        """Whether something is to be shown, and nobody is at it."""
        return self._stream is not None and self._stream.outlet.has_news and not self._stream.outlet.is_writing

    @property
    def has_reader(self) -> bool:
        """Whether anybody still reads the stream; always, where there is none."""
        return self._stream is None or self._stream.outlet.has_reader

    def outvoted(self, leg: int) -> None:
        """Lets other legs start: the answer of ``leg`` cannot win, and is reviewed only as one to fall back on."""
        self._referee.outvoted(leg)
        self._run.take_steps()
        self._run.show()

    def is_committed(self, leg: int) -> bool:
        """Returns whether ``leg`` was fixed as the winner while its answer came."""
        return self._stream is not None and self._stream.outlet.committed_leg == leg

    def may_call_again(self, leg: int) -> bool:
        """Returns whether another call may take the place of one that failed: not once it was fixed or shown."""
        if self._stream is None:
            return True
        if self.is_committed(leg) or self._stream.outlet.has_shown(leg):
            return False
        self._stream.outlet.forget(leg)
        self._stream.rule.forget(leg)
        return True

    def commit(self, step: CommitTo, now_s: float) -> None:
        """Fixes the winner: the other legs stop in this very turn."""
        assert self._stream is not None, "only a stream is committed before its end"
        leg = step.leg
        self._ledger.cancel(AttemptEnd.CANCELLED, "lost_race", now_s, spare=leg)
        self._run.stop_others(leg)
        self._stream.outlet.commit(leg, step.reason)
        self._record(leg, step.reason, now_s)

    def ended(self, leg: int, end: LegEnd) -> None:
        """Takes note of how a leg ended; what was shown of a loser is taken back."""
        stream = self._stream
        if stream is None:
            return
        if stream.rule.has_passed(leg) and (end.attempt is not None or self._ledger.has_failed(leg)):
            stream.early_commits.settle(stream.kinds[leg], upheld=end.accepted)
        # An answer that only a quality check rejected may be delivered yet, so it is not taken back yet.
        if self.is_committed(leg) or end.accepted or end.is_quality_reject:
            return
        stream.outlet.supersede(leg, self._ledger.last_reason(leg))

    def catch_up(self) -> None:
        """Puts in line what is new of the leg in front, where it may be shown before the commit."""
        if self._stream is not None and self._referee.front is not None:
            self._stream.outlet.show(self._referee.front)

    def finish(self, step: Deliver | Fail, delivered: LegEnd | None) -> None:
        """Shows what is left to show; ``delivered``: the end of the leg that ``step`` delivers."""
        stream = self._stream
        if stream is None or not isinstance(step, Deliver):
            return
        assert delivered is not None
        assert delivered.completion is not None
        assert delivered.judgement is not None
        assert delivered.attempt is not None
        if stream.outlet.committed_leg is None:
            stream.outlet.heard(step.leg, delivered.attempt.transcript)
            stream.outlet.commit(step.leg, CommitReason.VALIDATED)
            self._record(step.leg, CommitReason.VALIDATED, self._clock())
        stream.outlet.complete(step.leg, delivered.completion, delivered.judgement.text)
        self._ledger.uphold(upheld=delivered.accepted)

    def _review(self, leg: int, attempt: OpenAttempt) -> PrefixState:
        """Returns what the checks say of the answer so far; closes the attempt where they reject it."""
        known = self._reviews.get(leg)
        if known is None or known[0] is not attempt:
            known = self._reviews[leg] = (attempt, self._judging.of_beginnings(leg))
        review = known[1]
        if not review.due(attempt.transcript.text_length):
            return review.state
        if not self._referee.has_alternative(leg):
            return PrefixState.OPEN
        began_s = self._clock()
        state = review.read(attempt.transcript.prefix())
        now_s = self._clock()
        self._ledger.judge_s += now_s - began_s
        if state is PrefixState.REJECTED:
            assert review.rejected_by is not None
            verdict = review.rejected_by
            attempt.close(AttemptEnd.REJECTED, verdict.reason, now_s, (verdict,), cut_short=True)
        return state

    def _record(self, leg: int, reason: CommitReason, now_s: float) -> None:
        stream = self._stream
        assert stream is not None
        held_back = reason is CommitReason.HELD_BACK
        self._ledger.commit = Commit(
            leg,
            stream.tiers[leg],
            reason,
            after_s=now_s - self._ledger.started_at_s,
            tokens=stream.outlet.tokens(leg),
            error_ratio=stream.early_commits.error_ratio(stream.kinds[leg]) if held_back else None,
        )
