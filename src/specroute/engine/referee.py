"""Decides what happens next in the running of a plan; does nothing itself.

Theory of operation. The referee knows which legs were launched, how they ended and when; asked at an instant, it
answers with one step: launch a leg, wait until an instant, deliver a leg's answer, or fail. It is asked again after
every end of a leg and every timer, so each rule of the race stands here once, as a function of state and time:

1. The winner is the first accepted answer; of several that are known when it is asked, the cheapest. With
   ``prefer: cheapest`` an accepted answer is held while a cheaper leg runs, until the grace, the latency budget or the
   deadline ends.
2. A leg starts at its time, or at once when no launched leg can win any more.
3. Without an accepted answer at the latency budget, or when every leg has been judged: the answer of the strongest
   tier that only a quality check rejected, as degraded, or failure where the caller asked for it.
4. A stream may fix its winner before the answer is whole (``engine.streaming.commit`` says when). From then on only
   that leg counts: it is delivered, or the stream fails; nothing takes its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from specroute.core.request import OnBudget
from specroute.engine.leg.attempt import MIN_USEFUL_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from specroute.core.deadline import Deadline
    from specroute.core.plan import Leg
    from specroute.core.stream import CommitReason
    from specroute.engine.leg.attempt import LegEnd
    from specroute.engine.streaming.commit import CommitRule


class Prefer(Enum):
    """Which of two accepted answers wins."""

    FIRST_VALID = "first_valid"
    CHEAPEST = "cheapest"


@dataclass(frozen=True, slots=True)
class RaceRules:
    """How a race is decided; ``cheapest_grace_s`` >= 0 is how long an accepted answer is held for a cheaper leg."""

    prefer: Prefer = Prefer.FIRST_VALID
    cheapest_grace_s: float = 0.0


class Failure(Enum):
    """Why a plan ended without an answer."""

    EXHAUSTED = "exhausted"
    LATENCY_BUDGET = "latency_budget"
    DEADLINE = "deadline"
    INTERRUPTED = "interrupted"
    READER_STALLED = "reader_stalled"


@dataclass(frozen=True, slots=True)
class Launch:
    """Start this leg now."""

    leg: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before a leg ends or ``until_s`` comes."""

    until_s: float


@dataclass(frozen=True, slots=True)
class CommitTo:
    """This leg's answer is the one, though it is not whole yet; the others stop."""

    leg: int
    reason: CommitReason


@dataclass(frozen=True, slots=True)
class Deliver:
    """This leg's answer goes to the caller."""

    leg: int
    degraded: bool = False


@dataclass(frozen=True, slots=True)
class Fail:
    """There is no answer."""

    why: Failure


Step = Launch | Wait | CommitTo | Deliver | Fail


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a plan may run: ``started_at_s`` is the instant that launch times count from."""

    deadline: Deadline
    on_budget: OnBudget
    started_at_s: float


class Referee:
    """The state of one plan being run.

    Args:
        legs: the plan's legs and its escalation, in launch order; cheaper tiers first.
        may_launch: whether money and the number of calls allow this leg now.
        commit_rule: when a winner may be fixed before its answer is whole; ``None``: never.
    """

    def __init__(
        self,
        legs: Sequence[Leg],
        bounds: Bounds,
        rules: RaceRules,
        *,
        may_launch: Callable[[int], bool],
        commit_rule: CommitRule | None = None,
    ) -> None:
        self._legs = legs
        self._deadline = bounds.deadline
        self._on_budget = bounds.on_budget
        self._started_at_s = bounds.started_at_s
        self._rules = rules
        self._may_launch = may_launch
        self._commit_rule = commit_rule
        self._committed: int | None = None
        self._reader_stalled = False
        self._next = 0
        self._running: set[int] = set()
        self._outvoted: set[int] = set()
        self._ends: dict[int, LegEnd] = {}
        self._held_since_s: float | None = None
        self._out_of_time = False

    @property
    def is_sequential(self) -> bool:
        """Whether no leg may run beside another, so that the plan needs no tasks of its own."""
        rule = self._commit_rule
        if rule is not None and len(self._legs) > 1 and (rule.needs_tasks or self._deadline.budget_at_s is not None):
            # How long a leg may run changes with its commit, too.
            return False
        return all(leg.launch_after_s is None for leg in self._legs[1:])

    @property
    def front(self) -> int | None:
        """The cheapest leg that runs."""
        return min(self._running, default=None)

    def has_alternative(self, leg: int) -> bool:
        """Returns whether another leg than ``leg`` may still answer."""
        return len(self._running) > 1 or self._can_launch() or any(end.accepted for end in self._ends.values())

    def outvoted(self, leg: int) -> None:
        """Takes note that ``leg`` brought an answer that cannot win; whether it may be delivered yet is being asked."""
        self._running.discard(leg)
        self._outvoted.add(leg)

    def ended(self, leg: int, end: LegEnd) -> None:
        """Takes note of how ``leg`` ended."""
        self._running.discard(leg)
        self._outvoted.discard(leg)
        self._ends[leg] = end
        self._out_of_time |= end.out_of_time

    def reader_stalled(self) -> None:
        """Takes note that nobody reads any more."""
        self._reader_stalled = True

    def patience_s(self) -> float:
        """Returns the instant until which a leg that runs alone may go on."""
        budget_s = self._deadline.budget_at_s
        ends_at_budget = self._on_budget is OnBudget.FAIL or self._best_rejected() is not None
        return budget_s if budget_s is not None and ends_at_budget else self._deadline.stop_at_s

    def next_step(self, now_s: float) -> Step:
        """Returns what to do at ``now_s``; a ``Launch`` or ``CommitTo`` counts as done when it is returned."""
        if self._reader_stalled:
            return Fail(Failure.READER_STALLED)
        if self._committed is not None:
            return self._after_commit(self._committed, now_s)
        accepted = [leg for leg, end in self._ends.items() if end.accepted]
        if accepted:
            return self._with_answer(min(accepted), now_s)
        if (step := self._time_over(now_s) or self.commit_due(now_s) or self._due(now_s)) is not None:
            return step
        if not self._running and not self._outvoted:
            return self._give_up(self._why_exhausted())
        return Wait(self._wake_at_s(now_s))

    def commit_due(self, now_s: float) -> CommitTo | None:
        """Returns the commit that is due at ``now_s``, and counts it as done; ``None``: none, or it was done before."""
        front = self.front
        if self._commit_rule is None or self._committed is not None or front is None:
            return None
        reason = self._commit_rule.reason(front, now_s, is_last=not self.has_alternative(front))
        if reason is None:
            return None
        self._committed = front
        return CommitTo(front, reason)

    def _after_commit(self, leg: int, now_s: float) -> Step:
        end = self._ends.get(leg)
        if end is None:
            if now_s >= self._deadline.stop_at_s:
                return Fail(Failure.DEADLINE)
            if now_s >= self._fails_at_s:
                return Fail(Failure.LATENCY_BUDGET)
            return Wait(self._fails_at_s)
        if end.judgement is None:
            return Fail(self._why_exhausted() if end.out_of_time else Failure.INTERRUPTED)
        if end.accepted:
            return Deliver(leg)
        if end.judgement.only_end and self._on_budget is OnBudget.BEST_EFFORT:
            return Deliver(leg, degraded=True)
        return Fail(Failure.EXHAUSTED)

    def _with_answer(self, best: int, now_s: float) -> Step:
        front = self.front
        if self._rules.prefer is Prefer.FIRST_VALID or front is None or front > best:
            return Deliver(best)
        if self._held_since_s is None:
            self._held_since_s = now_s
        hold_until_s = min(self._held_since_s + self._rules.cheapest_grace_s, self._deadline.stop_at_s)
        if self._deadline.budget_at_s is not None:
            hold_until_s = min(hold_until_s, self._deadline.budget_at_s)
        # With a whole accepted answer in hand, no other is fixed on its beginning.
        return Deliver(best) if now_s >= hold_until_s else Wait(hold_until_s)

    def _time_over(self, now_s: float) -> Step | None:
        if now_s >= self._deadline.stop_at_s:
            return self._give_up(Failure.DEADLINE)
        budget_s = self._deadline.budget_at_s
        if budget_s is None or now_s < budget_s:
            return None
        if self._on_budget is OnBudget.FAIL:
            return Fail(Failure.LATENCY_BUDGET)
        rejected = self._best_rejected()
        return None if rejected is None else Deliver(rejected, degraded=True)

    def _can_launch(self) -> bool:
        return any(self._may_launch(leg) for leg in range(self._next, len(self._legs)))

    def _due(self, now_s: float) -> Launch | None:
        while self._next < len(self._legs):
            delay_s = self._legs[self._next].launch_after_s
            on_time = delay_s is not None and self._started_at_s + delay_s <= now_s
            if self._running and not on_time:
                return None
            leg, self._next = self._next, self._next + 1
            if not self._may_launch(leg):
                continue
            if self._fails_at_s - now_s < MIN_USEFUL_S:
                self._out_of_time = True
                return None
            self._running.add(leg)
            return Launch(leg)
        return None

    @property
    def _fails_at_s(self) -> float:
        """The instant after which no answer can be of use."""
        budget_s = self._deadline.budget_at_s
        return budget_s if budget_s is not None and self._on_budget is OnBudget.FAIL else self._deadline.stop_at_s

    def _why_exhausted(self) -> Failure:
        if not self._out_of_time:
            return Failure.EXHAUSTED
        return Failure.LATENCY_BUDGET if self._fails_at_s < self._deadline.stop_at_s else Failure.DEADLINE

    def _wake_at_s(self, now_s: float) -> float:
        wake_s = self._deadline.stop_at_s
        if self._next < len(self._legs):
            delay_s = self._legs[self._next].launch_after_s
            if delay_s is not None:
                wake_s = min(wake_s, self._started_at_s + delay_s)
        budget_s = self._deadline.budget_at_s
        if budget_s is not None and now_s < budget_s:
            wake_s = min(wake_s, budget_s)
        front = self.front
        if self._commit_rule is not None and front is not None:
            wake_s = min(wake_s, self._commit_rule.due_at_s(front, now_s))
        return wake_s

    def _give_up(self, why: Failure) -> Step:
        rejected = self._best_rejected()
        if rejected is None or self._on_budget is OnBudget.FAIL:
            return Fail(why)
        return Deliver(rejected, degraded=True)

    def _best_rejected(self) -> int | None:
        return max((leg for leg, end in self._ends.items() if end.is_quality_reject), default=None)
