"""Interprets a plan: direct, cascade, hedge and race are one loop around the referee's steps.

A plan whose legs run one after the other is a plain loop of awaits: a task group costs about 100 us, an await nothing.
Legs that may run beside each other are children of one task group, and the winner is stored before the group is left,
because leaving it is itself a point where a cancellation can strike.

A stream is the same run, watched by an outlet: the winner may be fixed while its answer still comes, which stops the
others, and what a leg brings is shown by the leg's own task before it reads on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from specroute.core.outcome import Attempt, AttemptEnd, Delivery
from specroute.engine.judging import Judging
from specroute.engine.ledger import Ledger
from specroute.engine.leg.attempt import NO_ANSWER, LegRunner
from specroute.engine.leg.watch import Stream, Watch
from specroute.engine.referee import Bounds, CommitTo, Deliver, Fail, Failure, Launch, RaceRules, Referee, Wait
from specroute.engine.streaming.commit import CommitRule
from specroute.engine.streaming.outlet import Outlet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from anyio.abc import TaskGroup

    from specroute.core.deadline import Deadline
    from specroute.core.plan import Leg, Plan
    from specroute.core.ports import EventSink, Telemetry
    from specroute.core.request import RouteRequest
    from specroute.core.stream import Delivered, DeliveryWish
    from specroute.engine.leg.attempt import LegEnd
    from specroute.engine.tiers import ServedTier
    from specroute.guards.early_commit import EarlyCommits
    from specroute.validators.panel import Panel


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a plan ended: exactly one of ``delivery`` and ``failure`` is set.

    ``delivered`` tells how much of a stream's committed answer was shown.
    """

    attempts: tuple[Attempt, ...]
    delivery: Delivery | None = None
    failure: Failure | None = None
    delivered: Delivered | None = None


class Executor:
    """Runs plans over the served tiers."""

    def __init__(
        self,
        tiers: Mapping[str, ServedTier],
        rules: RaceRules,
        *,
        max_attempts: int,
        early_commits: EarlyCommits,
        telemetry: Telemetry,
        clock: Callable[[], float] = anyio.current_time,
    ) -> None:
        self._tiers = tiers
        self._rules = rules
        self._max_attempts = max_attempts
        self._early_commits = early_commits
        self._telemetry = telemetry
        self._clock = clock

    def open_ledger(self, request: RouteRequest, deadline: Deadline) -> Ledger:
        """Returns the empty ledger of one request; it outlives a cancellation of ``execute``."""
        return Ledger(request, deadline.received_at_s, self._max_attempts)

    async def execute(
        self,
        request: RouteRequest,
        plan: Plan,
        deadline: Deadline,
        *,
        ledger: Ledger,
        panels: Sequence[Panel],
        streaming: tuple[DeliveryWish, EventSink] | None = None,
    ) -> Outcome:
        """Runs ``plan`` and returns its outcome; a failure of an upstream is part of it, never an exception.

        With ``streaming`` the answer is shown to its sink as it comes, all but the opening event and the end. When the
        caller goes away the cancellation passes through, after every call was closed and booked in ``ledger``.
        ``panels``: who judges the answers, by leg, the escalation last.
        """
        legs = plan.legs if plan.escalation is None else (*plan.legs, plan.escalation)
        stream = None if streaming is None else self._stream(request, legs, panels, *streaming)
        referee = Referee(
            legs,
            Bounds(deadline, request.constraints.on_budget, self._clock()),
            self._rules,
            may_launch=lambda leg: ledger.may_open() and ledger.affords(self._tiers[legs[leg].tier].tier),
            commit_rule=None if stream is None else stream.rule,
        )
        run = _Run(legs, self._tiers, referee, ledger, self._clock)
        judging = Judging(request, panels, deadline, ledger=ledger, clock=self._clock)
        run.watch = Watch(referee, ledger, judging, stream=stream, run=run, clock=self._clock)
        run.runner = LegRunner(
            request, ledger, judging, listener=run.watch, telemetry=self._telemetry, clock=self._clock
        )
        # While an answer is reviewed that cannot win, the next leg runs already.
        in_turn = referee.is_sequential and not (len(legs) > 1 and panels[0].contract_reviewers)
        step = await (run.in_turn() if in_turn else run.together(deadline.stop_at_s))
        run.watch.finish(step, run.end_of(step))
        if step not in _TIME_OVER:
            await run.watch.flush()
        if not run.watch.has_reader:
            step = Fail(Failure.READER_STALLED)
        return run.outcome(step, plan, None if stream is None else stream.outlet.delivered())

    def _stream(
        self,
        request: RouteRequest,
        legs: Sequence[Leg],
        panels: Sequence[Panel],
        wish: DeliveryWish,
        sink: EventSink,
    ) -> Stream:
        kinds = tuple(f"{leg.tier} {request.output.kind}" for leg in legs)
        outlet = Outlet(sink, wish.mode, request=request, legs=legs, validators=panels[-1].judges)
        rule = CommitRule(wish, lambda leg: self._early_commits.allows(kinds[leg]))
        return Stream(outlet, rule, self._early_commits, tuple(leg.tier for leg in legs), kinds)


_TIME_OVER = (Fail(Failure.DEADLINE), Fail(Failure.LATENCY_BUDGET))
"""After these nothing more is written but the status."""


class _Run:
    """One plan being run; ``watch`` and ``runner``, which need to know it, are set right after it is made."""

    watch: Watch
    runner: LegRunner

    def __init__(
        self,
        legs: Sequence[Leg],
        tiers: Mapping[str, ServedTier],
        referee: Referee,
        ledger: Ledger,
        clock: Callable[[], float],
    ) -> None:
        self._legs = legs
        self._tiers = tiers
        self._referee = referee
        self._ledger = ledger
        self._clock = clock
        self._ends: dict[int, LegEnd] = {}
        self._final: Deliver | Fail | None = None
        self._group: TaskGroup | None = None
        self._scopes: dict[int, anyio.CancelScope] = {}
        self._stop_at_s = 0.0
        self._wake_at_s = 0.0
        self._timer: anyio.CancelScope | None = None

    async def in_turn(self) -> Deliver | Fail:
        """Runs legs one after the other, in this task."""
        while True:
            step = self._referee.next_step(self._clock())
            if isinstance(step, Deliver | Fail):
                return step
            assert isinstance(step, Launch), "a leg that runs alone is never waited for"
            await self.watch.flush()
            await self._run_leg(step.leg, self._referee.patience_s())

    async def together(self, stop_at_s: float) -> Deliver | Fail:
        """Runs legs as children of one task group and cancels what still runs once the step is final."""
        self._stop_at_s = stop_at_s
        async with anyio.create_task_group() as self._group:
            self.take_steps()
            while self._final is None:
                with anyio.CancelScope(deadline=self._wake_at_s) as self._timer:
                    await anyio.sleep_forever()
                self.take_steps()
                self.show()
        assert self._final is not None, "the group is left normally only with a final step"
        return self._final

    def take_steps(self) -> None:
        """Takes every step that is due. The final one is stored before anything is cancelled.

        A leg that ends, or that brings what decides, calls it from its own task, so that a loser is cancelled in the
        very turn of the verdict: under load every turn of the event loop is waited for.
        """
        if self._group is None:
            commit = self._referee.commit_due(self._clock())
            if commit is not None:
                self.watch.commit(commit, self._clock())
            return
        while self._final is None:
            now_s = self._clock()
            match self._referee.next_step(now_s):
                case Launch(leg):
                    self._scopes[leg] = anyio.CancelScope()
                    self._group.start_soon(self._run_in_group, leg)
                case CommitTo() as commit:
                    self.watch.commit(commit, now_s)
                case Wait(until_s):
                    self._wake_at(until_s)
                    return
                case step:
                    self._final = step
                    self._ledger.cancel(*_end_of_running(step), now_s)
                    self._group.cancel_scope.cancel()

    def stop_others(self, leg: int) -> None:
        """Cancels every leg but ``leg``."""
        for other, scope in self._scopes.items():
            if other != leg:
                scope.cancel()

    def show(self) -> None:
        """Sees to it that what is in line is written, without waiting for it."""
        if self._group is None or self._final is not None:
            return
        self.watch.catch_up()
        if self.watch.has_news:
            self._group.start_soon(self._flush)

    def end_of(self, step: Deliver | Fail) -> LegEnd | None:
        """Returns the end of the leg that ``step`` delivers."""
        return self._ends[step.leg] if isinstance(step, Deliver) else None

    def outcome(self, step: Deliver | Fail, plan: Plan, delivered: Delivered | None) -> Outcome:
        """Returns the outcome that ``step`` stands for, with every leg of the plan accounted for."""
        if isinstance(step, Fail):
            passed_over = step.why.value if step.why is Failure.READER_STALLED else "late"
            return Outcome(self._ledger.settled(plan, None, passed_over), failure=step.why, delivered=delivered)
        attempts = self._ledger.settled(plan, self._ends[step.leg].attempt, "outranked")
        return Outcome(attempts, delivery=self._delivery(step), delivered=delivered)

    def _delivery(self, step: Deliver) -> Delivery:
        end = self._ends[step.leg]
        assert end.completion is not None
        assert end.judgement is not None
        assert end.attempt is not None
        assert end.attempt.closed is not None
        attempt = end.attempt.closed
        return Delivery(end.completion, end.judgement.text, attempt.tier, attempt.upstream, step.degraded)

    async def _run_in_group(self, leg: int) -> None:
        with self._scopes[leg] as scope:
            if self._final is None and not scope.cancel_called:
                await self._run_leg(leg, self._stop_at_s, in_own_task=True)
        if leg not in self._ends:
            self._leg_ended(leg, NO_ANSWER)
        self.take_steps()
        self.show()

    async def _flush(self) -> None:
        await self.watch.flush(shielded=True)
        if not self.watch.has_reader:
            self.take_steps()

    async def _run_leg(self, leg: int, until_s: float, *, in_own_task: bool = False) -> None:
        plan_leg = self._legs[leg]
        served = self._tiers[plan_leg.tier]
        self._leg_ended(leg, await self.runner.run(leg, plan_leg, served, until_s, in_own_task=in_own_task))

    def _leg_ended(self, leg: int, end: LegEnd) -> None:
        self._ends[leg] = end
        self._referee.ended(leg, end)
        self.watch.ended(leg, end)

    def _wake_at(self, until_s: float) -> None:
        if until_s != self._wake_at_s:
            self._wake_at_s = until_s
            if self._timer is not None:
                self._timer.deadline = until_s


def _end_of_running(step: Deliver | Fail) -> tuple[AttemptEnd, str]:
    """Returns how the calls that still run when ``step`` is taken have ended: they lost, or their time was over."""
    if isinstance(step, Deliver):
        return AttemptEnd.CANCELLED, "lost_race"
    if step.why is Failure.READER_STALLED:
        return AttemptEnd.CANCELLED, step.why.value
    return AttemptEnd.TIMED_OUT, step.why.value
